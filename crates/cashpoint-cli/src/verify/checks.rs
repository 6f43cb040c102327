//! What is checked of a server, and what is not, for people.

use std::fmt::Write as _;

use super::contract;

/// What the load checks, beside the rules of the contract.
const UNDER_LOAD: &[&str] = &[
    "the history of each account is linearizable: some order of its operations explains all answers",
    "every cent is where it was acknowledged, also of sums beyond 32 bits",
    "each answer is about the account, the amount and the kind of transaction that was asked for, and is written as the contract \
     writes it",
    "the times of an account never fall, and the clock goes",
    "a listing has as many accounts as it says, in the order of creation, and none that nobody opened",
    "health, listing and what was opened agree when nothing is under way, and no count is impossible",
    "a request that is sent again with its idempotency key is done once (of servers that offer keys): at the same time, later, \
     after a client hung up, after a restart",
    "an account still answers after a client has hung up, gone quiet, or shut down its sending side in the middle of a request",
    "nothing is answered with a status that the contract does not have there, 500 among them",
    "the limit of accounts is exact while creations and closings race, 422 comes before 507, and once it is reached every account is \
     there, one by one and in the listing",
    "what was acknowledged is there after kill -9 (with --restart-cmd or --pid)",
];

/// What is not looked at.
const NOT_COVERED: &[&str] = &[
    "how long idempotency keys are kept, and how long accounts live",
    "TLS, HTTP/2, and what a proxy does",
];

/// All of it, a line each.
pub(crate) fn rules_text() -> String {
    let mut text = String::new();
    let rules = contract::rules();
    let rules: Vec<_> = rules.iter().map(|rule| rule.name).collect();
    for (title, lines) in [
        ("Rules of the contract, asked one by one:", rules.as_slice()),
        ("Under load:", UNDER_LOAD),
        ("Not covered:", NOT_COVERED),
    ] {
        let _ = writeln!(text, "{title}");
        for line in lines {
            let _ = writeln!(text, "  - {line}");
        }
        text.push('\n');
    }
    text
}

/// What is not covered, in a sentence for a report.
pub(super) fn not_covered() -> String {
    format!("not covered: {}", NOT_COVERED.join("; "))
}
