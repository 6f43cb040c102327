//! The life of an account: opened, read, paid in, paid out, closed.

use std::collections::BTreeSet;

use super::customer::Movement;
use super::probe::{Probe, detail};
use super::request::{account, delete, get, post};
use super::stop::Stop;
use super::{Rule, json, listing};

pub(super) const RULES: &[Rule] = &[
    Rule::new("an account is opened with the balance asked for", opened),
    Rule::new(
        "an account number is a lower-case UUID of version 4, and a new one each time",
        numbers,
    ),
    Rule::new(
        "an account opened without a balance holds 0.0",
        opened_without_balance,
    ),
    Rule::new("fields that nobody knows are ignored", extra_fields),
    Rule::new("a balance is read with its account number", balance),
    Rule::new(
        "a deposit adds its amount and tells the new balance",
        deposit,
    ),
    Rule::new(
        "a withdrawal takes its amount and tells the new balance",
        withdrawal,
    ),
    Rule::new("all that is on an account can be withdrawn", all_withdrawn),
    Rule::new(
        "a balance may grow past the largest amount of one deposit",
        past_the_largest_amount,
    ),
    Rule::new(
        "a deposit beyond the largest balance is refused, and never wraps",
        beyond_the_largest_balance,
    ),
    Rule::new("money on one account is on no other", apart),
    Rule::new(
        "an account is closed with 204, also with money on it",
        closed,
    ),
    Rule::new("a closed account is not found, in any verb", gone),
];

/// In cents, what the examples of the contract need.
const LARGEST_EXAMPLE: i64 = 150_000;

fn opened(probe: &mut Probe<'_>) -> Result<(), Stop> {
    probe.need_amounts_up_to(LARGEST_EXAMPLE)?;
    let request = post("/accounts", "{\"initial_balance\": 1000.0}");
    let answer = probe.create(&request)?;
    let pattern = "{\"account_number\":\"<text>\",\"balance\":1000.0,\"message\":\"Account created successfully\"}";
    probe.fits(&answer, 201, pattern);
    Ok(())
}

fn numbers(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let pattern = "{\"account_number\":\"<uuid>\",\"balance\":<amount>,\"message\":\"<text>\"}";
    let mut seen = BTreeSet::new();
    for _ in 0..8 {
        let answer = probe.create(&post("/accounts", "{}"))?;
        let number = probe.expect(&answer, 201, pattern)?.into_iter().next();
        let is_new = number.is_some_and(|number| seen.insert(number));
        probe.check(is_new, &answer, "a number that no account had before");
    }
    Ok(())
}

fn opened_without_balance(probe: &mut Probe<'_>) -> Result<(), Stop> {
    for body in ["{}", "{ }", "{\"owner\":\"nobody\"}"] {
        let answer = probe.create(&post("/accounts", body))?;
        let pattern = "{\"account_number\":\"<text>\",\"balance\":0.0,\"message\":\"<text>\"}";
        let number = probe.expect(&answer, 201, pattern)?.into_iter().next();
        probe.check_balance(&number.unwrap_or_default(), "0.0")?;
    }
    Ok(())
}

fn extra_fields(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let body = "{\"owner\":[1,{\"initial_balance\":9}],\"initial_balance\":2.5,\"amount\":7}";
    let answer = probe.create(&post("/accounts", body))?;
    let pattern = "{\"account_number\":\"<text>\",\"balance\":2.5,\"message\":\"<text>\"}";
    let number = probe.expect(&answer, 201, pattern)?.into_iter().next();
    let number = number.unwrap_or_default();
    let body = "{\"note\":\"rent\",\"amount\":0.5,\"currency\":null}";
    let request = post(account(&number, "/deposit"), body);
    let answer = probe.send(&request)?;
    probe.check(answer.status == 200, &answer, "200, whatever the note says");
    probe.check_balance(&number, "3.0")
}

fn balance(probe: &mut Probe<'_>) -> Result<(), Stop> {
    for balance in ["0.0", "0.01", "12.34"] {
        let number = probe.open(balance)?;
        probe.check_balance(&number, balance)?;
        probe.check_balance(&number, balance)?;
    }
    Ok(())
}

fn deposit(probe: &mut Probe<'_>) -> Result<(), Stop> {
    probe.need_amounts_up_to(LARGEST_EXAMPLE)?;
    let number = probe.open("1000.0")?;
    probe.check_movement(&number, Movement::Deposit, "500.0", "500.0", "1500.0")?;
    probe.check_balance(&number, "1500.0")
}

fn withdrawal(probe: &mut Probe<'_>) -> Result<(), Stop> {
    probe.need_amounts_up_to(LARGEST_EXAMPLE)?;
    let number = probe.open("1500.0")?;
    probe.check_movement(&number, Movement::Withdrawal, "200.0", "200.0", "1300.0")?;
    probe.check_balance(&number, "1300.0")
}

fn all_withdrawn(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let number = probe.open("12.34")?;
    probe.check_movement(&number, Movement::Withdrawal, "12.34", "12.34", "0.0")?;
    probe.check_balance(&number, "0.0")
}

fn past_the_largest_amount(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let largest = probe.largest_amount()?;
    let (Some(twice), amount) = (
        cashpoint::Cents::new(largest.get().saturating_mul(2)),
        largest.to_string(),
    ) else {
        return Err(Stop::NotChecked(format!(
            "the server's largest amount is {largest}, as large as a balance may be"
        )));
    };
    let number = probe.open(&amount)?;
    let twice = twice.to_string();
    probe.check_movement(&number, Movement::Deposit, &amount, &amount, &twice)?;
    probe.check_balance(&number, &twice)
}

/// The most deposits that are made to reach the largest balance.
const DEPOSITS_MAX: u32 = 128;

fn beyond_the_largest_balance(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let largest = probe.largest_amount()?;
    let out_of_reach = || {
        Stop::NotChecked(format!(
            "{DEPOSITS_MAX} deposits of the server's largest amount, {largest}, do not get there"
        ))
    };
    // No server keeps less than what a binary double tells apart.
    if largest.get() < cashpoint::Cents::MAX.get() / i64::from(DEPOSITS_MAX) {
        return Err(out_of_reach());
    }
    let number = probe.open(&largest.to_string())?;
    let mut before = largest.to_string();
    for _ in 0..DEPOSITS_MAX {
        let request = post(
            account(&number, "/deposit"),
            format!("{{\"amount\":{largest}}}"),
        );
        let answer = probe.send(&request)?;
        if answer.status == 200 {
            let told = json::value_at(&answer.body, &["new_balance"]).unwrap_or_default();
            let grown = told.len() >= before.len() && !told.starts_with('-') && told != before;
            probe.check(grown, &answer, "a balance that has grown");
            told.clone_into(&mut before);
            continue;
        }
        let kind = json::value_at(&answer.body, &["detail"])
            .and_then(|detail| json::string_at(json::items(detail)?.first()?, &["type"]));
        let is_refused = answer.status == 422 && kind.as_deref() == Some("less_than_equal");
        probe.check(is_refused, &answer, "422 less_than_equal");
        return probe.check_balance(&number, &before);
    }
    Err(out_of_reach())
}

fn apart(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let [one, other] = [probe.open("10.0")?, probe.open("20.0")?];
    probe.check_movement(&one, Movement::Withdrawal, "4.5", "4.5", "5.5")?;
    probe.check_movement(&other, Movement::Deposit, "0.25", "0.25", "20.25")?;
    probe.check_balance(&one, "5.5")?;
    probe.check_balance(&other, "20.25")
}

fn closed(probe: &mut Probe<'_>) -> Result<(), Stop> {
    for balance in ["0.0", "12.34"] {
        let number = probe.open(balance)?;
        probe.ask(&delete(account(&number, "")), 204, "")?;
    }
    Ok(())
}

fn gone(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let [number, neighbour] = [probe.open("12.34")?, probe.open("1.0")?];
    let answer = probe.send(&delete(account(&number, "")))?;
    probe.expect(&answer, 204, "")?;
    let body = "{\"amount\":1.0}";
    for request in [
        get(account(&number, "/balance")),
        post(account(&number, "/deposit"), body),
        post(account(&number, "/withdraw"), body),
        delete(account(&number, "")),
        get(account(&number, "/balance")),
    ] {
        probe.ask(&request, 404, &detail("Account not found"))?;
    }
    let listed = listing::listed(probe)?;
    if let Some(item) = listed.accounts.iter().find(|item| item.number == number) {
        probe.deviate("GET /accounts", "no account that is closed", &item.text);
    }
    probe.check_balance(&neighbour, "1.0")
}
