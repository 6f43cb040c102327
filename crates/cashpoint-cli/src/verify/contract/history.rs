//! What some servers offer beside the contract: pages of the listing, statements, and balances of the past.
//!
//! The contract asks no server for them. One whose OpenAPI document offers them is held to what they are for.

use super::Rule;
use super::customer::Movement;
use super::json;
use super::probe::Probe;
use super::request::{Exchange, account, get, post};
use super::stop::Stop;

pub(super) const RULES: &[Rule] = &[
    Rule::new("the pages of the listing together are the listing", pages),
    Rule::new(
        "a statement shows every movement once, with the balance after it",
        statement,
    ),
    Rule::new(
        "a balance of the past is the one that was told then",
        past_balances,
    ),
];

/// The most pages that are turned: nobody else is at work, so there are not many.
const PAGES_MAX: usize = 1_000;

/// Goes on only if the server's OpenAPI document offers a parameter of GET on this path.
fn need_parameter(probe: &mut Probe<'_>, path: &str, name: &str) -> Result<(), Stop> {
    let document = probe.send(&get("/openapi.json"))?;
    let parameters = json::value_at(&document.body, &["paths", path, "get", "parameters"]);
    let parameters = parameters.and_then(json::items).unwrap_or_default();
    let mut names = parameters
        .iter()
        .filter_map(|parameter| json::string_at(parameter, &["name"]));
    if names.any(|it| it == name) {
        return Ok(());
    }
    let why = format!("the server's OpenAPI document does not offer {name} of GET {path}");
    Err(Stop::NotChecked(why))
}

/// The rows of all pages that begin at `path`, which are under `rows` of each. `next` is the value that leads to the next page,
/// and `parameter` what it is called in a query.
fn turn(
    probe: &mut Probe<'_>,
    path: &str,
    size: usize,
    [rows, next, parameter]: [&str; 3],
) -> Result<Vec<String>, Stop> {
    let mut all = Vec::new();
    let mut from = String::new();
    for _ in 0..PAGES_MAX {
        let page = probe.send(&get(format!("{path}?limit={size}{from}")))?;
        stop_without_history(&page)?;
        let (Some(found), Some(has_more)) = (
            json::value_at(&page.body, &[rows]).and_then(json::items),
            json::value_at(&page.body, &["has_more"]),
        ) else {
            let contract = format!("200 with {rows} and has_more");
            return Err(probe.deviate(&page.request, contract, page.line()));
        };
        let is_full = found.len() == size;
        if found.len() > size || (has_more == "true" && !is_full) {
            let contract = format!("{size} {rows}, or fewer on the last page");
            return Err(probe.deviate(&page.request, contract, page.line()));
        }
        all.extend(found.into_iter().map(str::to_owned));
        match json::string_at(&page.body, &[next]) {
            Some(cursor) if has_more == "true" => from = format!("&{parameter}={cursor}"),
            None if has_more == "false" => return Ok(all),
            _ => {
                let contract = format!("a {next} if there are more, and null if not");
                return Err(probe.deviate(&page.request, contract, page.line()));
            }
        }
    }
    let contract = format!("a last page, within the first {PAGES_MAX}");
    Err(probe.deviate(
        format!("GET {path}?limit={size}, and so on"),
        contract,
        "has_more on each",
    ))
}

fn pages(probe: &mut Probe<'_>) -> Result<(), Stop> {
    need_parameter(probe, "/accounts", "limit")?;
    let mut own = Vec::new();
    for balance in ["0.1", "12.34", "0.0", "5.5", "1.0"] {
        own.push(probe.open(balance)?);
    }
    let listing = probe.send(&get("/accounts"))?;
    let whole = json::value_at(&listing.body, &["accounts"]).and_then(json::items);
    let whole = whole.unwrap_or_default();
    // Pages of two, unless there are so many accounts that this would take long.
    let size = whole.len().div_ceil(PAGES_MAX / 2).max(2);
    let names = ["accounts", "next_after", "after"];
    let paged = turn(probe, "/accounts", size, names)?;
    if paged != whole {
        let is_own = |row: &&str| own.iter().any(|number| row.contains(number));
        let shown = |rows: Vec<&str>| {
            let rows: Vec<_> = rows.into_iter().filter(is_own).collect();
            format!("among others {}", rows.join(", "))
        };
        probe.deviate(
            format!("GET /accounts?limit={size}, and so on"),
            shown(whole),
            shown(paged.iter().map(String::as_str).collect()),
        );
    }
    Ok(())
}

/// What moves in the rules on the past: how, how much, and what is there afterwards.
const MOVES: [(Movement, &str, &str); 4] = [
    (Movement::Deposit, "1.5", "11.5"),
    (Movement::Withdrawal, "2.0", "9.5"),
    (Movement::Deposit, "0.25", "9.75"),
    (Movement::Withdrawal, "9.75", "0.0"),
];

/// Opens an account and moves money there. Its number, and the times that were told.
fn with_moves(probe: &mut Probe<'_>) -> Result<(String, Vec<String>), Stop> {
    let number = probe.open("10.0")?;
    let mut times = Vec::new();
    for (movement, amount, balance) in MOVES {
        let told = probe.check_movement(&number, movement, amount, amount, balance)?;
        times.push(told.ok_or(Stop::Deviates)?);
        // What is refused is no movement.
        let too_much = post(account(&number, "/withdraw"), "{\"amount\":19.75}");
        let answer = probe.send(&too_much)?;
        probe.check(answer.status == 400, &answer, "400");
    }
    Ok((number, times))
}

fn statement(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let template = "/accounts/{account_number}/transactions";
    need_parameter(probe, template, "cursor")?;
    let (number, times) = with_moves(probe)?;
    let path = account(&number, "/transactions");
    let rows = turn(probe, &path, 2, ["transactions", "next_cursor", "cursor"])?;
    let moves = MOVES.iter().zip(&times).rev();
    let expected = moves.map(|((movement, amount, balance), time)| {
        format!("{} {amount} {balance} {time}", movement.name())
    });
    let expected: Vec<_> = expected.collect();
    let shown = rows.iter().map(|row| {
        let values = ["type", "amount", "balance_after", "timestamp"];
        let values = values.map(|name| json::value_at(row, &[name]).unwrap_or("nothing"));
        values.map(|value| value.trim_matches('"')).join(" ")
    });
    let shown: Vec<_> = shown.collect();
    let (opening, moved) = match shown.split_last() {
        Some((opening, moved)) => (opening.as_str(), moved),
        None => ("nothing", shown.as_slice()),
    };
    if moved != expected || !opening.starts_with("opening 10.0 10.0 ") {
        let contract = format!("{}, opening 10.0 10.0", expected.join(", "));
        probe.deviate(format!("GET {path}"), contract, shown.join(", "));
    }
    Ok(())
}

fn past_balances(probe: &mut Probe<'_>) -> Result<(), Stop> {
    need_parameter(probe, "/accounts/{account_number}/balance", "at")?;
    let (number, times) = with_moves(probe)?;
    for ((_, _, balance), time) in MOVES.iter().zip(&times) {
        let answer = probe.send(&get(account(&number, &format!("/balance?at={time}"))))?;
        stop_without_history(&answer)?;
        let told = json::value_at(&answer.body, &["balance"]);
        let contract = format!("200 with a balance of {balance}, as was told at that time");
        let is_told = answer.status == 200 && told == Some(balance);
        // Two movements within one microsecond have one time, and the later of them counts.
        let is_alone = times.iter().filter(|it| *it == time).count() == 1;
        probe.check(is_told || !is_alone, &answer, &contract);
    }
    Ok(())
}

fn stop_without_history(answer: &Exchange) -> Result<(), Stop> {
    match answer.status {
        501 => Err(Stop::NotChecked(
            "the server keeps no history with its settings".to_owned(),
        )),
        _ => Ok(()),
    }
}
