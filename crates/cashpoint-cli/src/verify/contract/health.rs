//! What a supervisor asks.

use super::Rule;
use super::probe::Probe;
use super::request::{account, delete, get};
use super::stop::Stop;

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "health tells status, accounts, limit, time and version, in this order",
        form,
    ),
    Rule::new("health counts the accounts that are open", count).counting(),
];

/// What the answer is; further keys may follow.
const FORM: &str = "{\"status\":\"healthy\",\"accounts_count\":<count>,\"max_accounts\":<count>,\
                    \"timestamp\":\"<time>\",\"version\":\"<text>\"<more>}";

fn form(probe: &mut Probe<'_>) -> Result<(), Stop> {
    probe.ask(&get("/health"), 200, FORM)?;
    Ok(())
}

fn count(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let before = accounts(probe)?;
    let [one, _other] = [probe.open("1.0")?, probe.open("0.0")?];
    check(probe, before + 2, "two accounts were opened")?;
    probe.ask(&delete(account(&one, "")), 204, "")?;
    check(probe, before + 1, "one of two new accounts was closed")
}

fn check(probe: &mut Probe<'_>, count: u64, why: &str) -> Result<(), Stop> {
    let found = accounts(probe)?;
    if found != count {
        let contract = format!("accounts_count {count}, for {why}");
        probe.deviate("GET /health", contract, format!("accounts_count {found}"));
    }
    Ok(())
}

fn accounts(probe: &mut Probe<'_>) -> Result<u64, Stop> {
    let answer = probe.send(&get("/health"))?;
    let values = probe.expect(&answer, 200, FORM)?;
    let count = values.first().and_then(|count| count.parse().ok());
    count.ok_or(Stop::Deviates)
}
