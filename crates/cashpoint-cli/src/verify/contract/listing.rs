//! The listing, and the times in it.

use std::time::{SystemTime, UNIX_EPOCH};

use super::customer::Movement;
use super::probe::Probe;
use super::request::{Exchange, account, delete, get, post};
use super::stop::Stop;
use super::{Rule, json};

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "the listing shows every account once, in order of creation, with its balance",
        in_order,
    ),
    Rule::new(
        "the listing counts what it shows, and tells the limit as /health does",
        counted,
    ),
    Rule::new(
        "a new account was last updated when it was created",
        new_times,
    ),
    Rule::new(
        "a successful transaction sets last_updated to its timestamp",
        updated,
    ),
    Rule::new("a refused transaction leaves last_updated", not_updated),
    Rule::better("times are in UTC", in_utc),
];

/// A listing, taken apart.
pub(super) struct Listing {
    pub(super) answer: Exchange,
    pub(super) total: String,
    pub(super) limit: String,
    pub(super) accounts: Vec<Listed>,
}

/// An account as it is listed.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) text: String,
    pub(super) number: String,
    balance: String,
    created_at: String,
    last_updated: String,
}

/// Lists the accounts; what is not of the contract's form is noted.
pub(super) fn listed(probe: &mut Probe<'_>) -> Result<Listing, Stop> {
    let answer = probe.send(&get("/accounts"))?;
    let pattern = "{\"total_accounts\":<count>,\"max_accounts\":<count>,\"accounts\":<list>}";
    let values = probe.expect(&answer, 200, pattern)?;
    let Ok([total, limit, list]) = <[String; 3]>::try_from(values) else {
        return Err(Stop::Deviates);
    };
    let Some(items) = json::items(&list) else {
        return Err(probe.deviate(&answer.request, "a list of accounts in JSON", answer.line()));
    };
    if format!("[{}]", items.join(",")) != list {
        probe.deviate(&answer.request, "JSON without spaces", answer.line());
    }
    let mut accounts = Vec::with_capacity(items.len());
    for item in items {
        let pattern = "{\"account_number\":\"<text>\",\"balance\":<amount>,\"created_at\":\"<time>\",\
                       \"last_updated\":\"<time>\"}";
        let values = probe.fit(&answer.request, pattern, item);
        let values = values.and_then(|it| <[String; 4]>::try_from(it).ok());
        let Some([number, balance, created_at, last_updated]) = values else {
            return Err(probe.deviate(&answer.request, format!("accounts as {pattern}"), item));
        };
        accounts.push(Listed {
            text: item.to_owned(),
            number,
            balance,
            created_at,
            last_updated,
        });
    }
    Ok(Listing {
        answer,
        total,
        limit,
        accounts,
    })
}

/// An account of which it is known that it is open, as it is listed.
fn listed_account(probe: &mut Probe<'_>, number: &str) -> Result<Listed, Stop> {
    let listing = listed(probe)?;
    let mut accounts = listing.accounts.into_iter();
    match accounts.find(|account| account.number == number) {
        Some(account) => Ok(account),
        None => {
            let contract = format!("account {number}, which is open");
            Err(probe.deviate("GET /accounts", contract, listing.answer.line()))
        }
    }
}

fn in_order(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let mut open = Vec::new();
    for balance in ["0.1", "12.34", "0.0", "5.5", "1.0", "0.01"] {
        open.push((probe.open(balance)?, balance.to_owned()));
    }
    // One that is closed leaves the order of the others; one that comes later is last.
    let (closed, _) = open.remove(2);
    probe.ask(&delete(account(&closed, "")), 204, "")?;
    open.push((probe.open("7.77")?, "7.77".to_owned()));

    let listing = listed(probe)?;
    let own = listing.accounts.iter().filter_map(|listed| {
        let is_own = listed.number == closed || open.iter().any(|(it, _)| *it == listed.number);
        is_own.then(|| format!("{} with {}", listed.number, listed.balance))
    });
    let own: Vec<_> = own.collect();
    let expected = open
        .iter()
        .map(|(number, balance)| format!("{number} with {balance}"));
    let expected: Vec<_> = expected.collect();
    if own != expected {
        let contract = format!("among the accounts, in this order: {}", expected.join(", "));
        probe.deviate("GET /accounts", contract, own.join(", "));
    }
    Ok(())
}

fn counted(probe: &mut Probe<'_>) -> Result<(), Stop> {
    probe.open("1.0")?;
    probe.open("2.0")?;
    let listing = listed(probe)?;
    let count = listing.accounts.len();
    let contract = format!("total_accounts {count}, for {count} are listed");
    probe.check(
        listing.total == count.to_string(),
        &listing.answer,
        &contract,
    );
    let health = probe.send(&get("/health"))?;
    let limit = json::value_at(&health.body, &["max_accounts"]).unwrap_or("no number");
    let contract = format!("max_accounts {limit}, as /health says");
    probe.check(listing.limit == limit, &listing.answer, &contract);
    Ok(())
}

fn new_times(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let number = probe.open("1.0")?;
    let listed = listed_account(probe, &number)?;
    if listed.created_at != listed.last_updated {
        let contract = "a last_updated that is created_at";
        probe.deviate("GET /accounts", contract, listed.text);
    }
    Ok(())
}

fn updated(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let number = probe.open("1.0")?;
    let created = listed_account(probe, &number)?;
    for (movement, balance) in [(Movement::Deposit, "2.0"), (Movement::Withdrawal, "1.0")] {
        let told = probe.check_movement(&number, movement, "1.0", "1.0", balance)?;
        let told = told.ok_or(Stop::Deviates)?;
        let listed = listed_account(probe, &number)?;
        if listed.last_updated != told || listed.created_at != created.created_at {
            let contract = format!(
                "created_at {}, and last_updated {told}, as {} told",
                created.created_at,
                movement.path()
            );
            probe.deviate("GET /accounts", contract, listed.text);
        }
    }
    Ok(())
}

fn not_updated(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let number = probe.open("1.0")?;
    probe.check_movement(&number, Movement::Deposit, "1.0", "1.0", "2.0")?;
    let before = listed_account(probe, &number)?;
    for (path, amount) in [
        ("/withdraw", "2.01"),
        ("/withdraw", "-1"),
        ("/deposit", "0"),
    ] {
        let request = post(account(&number, path), format!("{{\"amount\":{amount}}}"));
        let answer = probe.send(&request)?;
        probe.check(
            matches!(answer.status, 400 | 422),
            &answer,
            "a refusal, 400 or 422",
        );
        let after = listed_account(probe, &number)?;
        if after.text != before.text {
            let contract = format!("{}, as before {path} of {amount} was refused", before.text);
            probe.deviate("GET /accounts", contract, after.text);
        }
    }
    Ok(())
}

/// Clocks may differ by this much, in seconds, and time zones by multiples of this.
const CLOCK_DIFFERENCE_MAX_S: i64 = 120;
const ZONE_STEP_S: i64 = 15 * 60;

fn in_utc(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let number = probe.open("1.0")?;
    let told = probe.check_movement(&number, Movement::Deposit, "1.0", "1.0", "2.0")?;
    let told = told.ok_or(Stop::Deviates)?;
    let here = SystemTime::now().duration_since(UNIX_EPOCH);
    let here = here.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0));
    let request = format!("POST /accounts/{number}/deposit");
    let Some(there) = seconds(&told) else {
        probe.deviate(request, "a time that there is", told);
        return Ok(());
    };
    let ahead = there - here;
    if ahead.abs() <= CLOCK_DIFFERENCE_MAX_S {
        return Ok(());
    }
    // A server whose whole clock is wrong does not tell local time: its `Date` is as wrong.
    if own_clock(probe)?.is_some_and(|own| (there - own).abs() <= CLOCK_DIFFERENCE_MAX_S) {
        return Ok(());
    }
    let past_step = (ahead + CLOCK_DIFFERENCE_MAX_S).rem_euclid(ZONE_STEP_S);
    if past_step <= 2 * CLOCK_DIFFERENCE_MAX_S {
        let contract = "a timestamp in UTC";
        let minutes = ahead / 60;
        probe.deviate(
            request,
            contract,
            format!("{told}, which is {minutes} minutes from UTC, so it is local time"),
        );
        return Ok(());
    }
    Err(Stop::NotChecked(format!(
        "the server's clock is {ahead} seconds ahead of the one here, which is no time zone"
    )))
}

/// The seconds since 1970 by the server's own clock, as its `Date` tells them.
fn own_clock(probe: &mut Probe<'_>) -> Result<Option<i64>, Stop> {
    let date = probe.send(&get("/health"))?.header("date");
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    let told = date.and_then(|date| parser.parse_timestamp(&date).ok());
    Ok(told.map(jiff::Timestamp::as_second))
}

/// The seconds since 1970 of a time in UTC.
fn seconds(time: &str) -> Option<i64> {
    let time: jiff::civil::DateTime = time.parse().ok()?;
    let time = jiff::tz::Offset::UTC.to_timestamp(time).ok()?;
    Some(time.as_second())
}
