//! What is refused because of what there is, not because of how it was asked.

use super::Rule;
use super::probe::{Probe, detail};
use super::request::{Request, account, delete, get, post, request};
use super::stop::Stop;

pub(super) const RULES: &[Rule] = &[
    Rule::new("an unknown account is not found, in any verb", unknown),
    Rule::new(
        "a malformed account number names no account, in any verb",
        malformed,
    ),
    Rule::new(
        "a withdrawal above the balance is refused, and takes nothing",
        insufficient,
    ),
    Rule::new("an unknown path is not found", unknown_path),
    Rule::new("a wrong method is refused with 405", wrong_method),
    Rule::better(
        "a refused method is told every one that the path has",
        allowed_methods,
    ),
    Rule::better("a body above 16 KiB is refused with 413", too_large),
];

/// A number that no random one ever is.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// The longest body that is read, in bytes.
const BODY_MAX_BYTES: usize = 16 * 1024;

/// Something in each verb, to an account of this number.
fn in_every_verb(number: &str) -> [Request; 4] {
    let body = "{\"amount\":1.0}";
    [
        get(account(number, "/balance")),
        post(account(number, "/deposit"), body),
        post(account(number, "/withdraw"), body),
        delete(account(number, "")),
    ]
}

fn unknown(probe: &mut Probe<'_>) -> Result<(), Stop> {
    for request in in_every_verb(NOBODY) {
        probe.ask(&request, 404, &detail("Account not found"))?;
    }
    Ok(())
}

fn malformed(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let number = probe.open("10.0")?;
    let mut names = vec![
        "nobody".to_owned(),
        "1".to_owned(),
        format!("%7B{number}%7D"),
        format!("urn:uuid:{number}"),
        format!("{number}%20"),
        number.replace('-', ""),
    ];
    let upper = number.to_ascii_uppercase();
    if upper != number {
        names.push(upper);
    }
    for name in names {
        // Of a server whose numbers are no UUIDs, some of these are the number itself.
        if name == number {
            continue;
        }
        for request in in_every_verb(&name) {
            probe.ask(&request, 404, &detail("Account not found"))?;
        }
    }
    probe.check_balance(&number, "10.0")
}

fn insufficient(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let number = probe.open("10.0")?;
    for amount in ["10.01", "11", "\"10.01\"", "20.5"] {
        let body = format!("{{\"amount\":{amount}}}");
        let request = post(account(&number, "/withdraw"), body);
        probe.ask(&request, 400, &detail("Insufficient funds"))?;
        probe.check_balance(&number, "10.0")?;
    }
    let empty = probe.open("0.0")?;
    let request = post(account(&empty, "/withdraw"), "{\"amount\":0.01}");
    probe.ask(&request, 400, &detail("Insufficient funds"))?;
    probe.check_balance(&empty, "0.0")
}

fn unknown_path(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let number = probe.open("1.0")?;
    for path in [
        "/nowhere".to_owned(),
        "/account".to_owned(),
        "/ACCOUNTS".to_owned(),
        "/health/x".to_owned(),
        account(&number, "/interest"),
        account(&number, "/Balance"),
        account(&number, "/balance/x"),
        format!("/{number}"),
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let request = request(method, path.clone());
            probe.ask(&request, 404, &detail("Not Found"))?;
        }
    }
    Ok(())
}

/// Each path with the methods that it has.
fn paths(number: &str) -> [(String, &'static [&'static str]); 7] {
    [
        ("/accounts".to_owned(), &["GET", "POST"]),
        (account(number, ""), &["DELETE"]),
        (account(number, "/balance"), &["GET"]),
        (account(number, "/deposit"), &["POST"]),
        (account(number, "/withdraw"), &["POST"]),
        ("/health".to_owned(), &["GET"]),
        ("/".to_owned(), &["GET"]),
    ]
}

fn wrong_method(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let number = probe.open("1.0")?;
    for (path, methods) in paths(&number) {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if !methods.contains(&method) {
                let request = request(method, path.clone());
                probe.ask(&request, 405, &detail("Method Not Allowed"))?;
            }
        }
    }
    probe.check_balance(&number, "1.0")
}

fn allowed_methods(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let number = probe.open("1.0")?;
    for (path, methods) in paths(&number) {
        let answer = probe.send(&request("PUT", path))?;
        // HEAD and OPTIONS go with others by themselves, on many servers.
        let mut allowed = answer.list("Allow");
        allowed.retain(|method| method != "head" && method != "options");
        allowed.sort_unstable();
        let expected = methods.join(", ");
        if allowed.join(", ") != expected.to_ascii_lowercase() {
            let found = answer.header("Allow").unwrap_or_default();
            let answered = format!("{} with Allow: {found}", answer.status);
            probe.deviate(&answer.request, format!("Allow: {expected}"), answered);
        }
    }
    Ok(())
}

fn too_large(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let of_length = |length: usize| {
        let mut body = "{\"initial_balance\":2.5}".to_owned();
        body.extend(std::iter::repeat_n(' ', length.saturating_sub(body.len())));
        post("/accounts", body)
    };
    let answer = probe.create(&of_length(BODY_MAX_BYTES))?;
    probe.check(answer.status == 201, &answer, "201, for 16 KiB are allowed");
    let too_long = of_length(BODY_MAX_BYTES + 1);
    probe.ask(&too_long, 413, &detail("Request body too large"))?;
    Ok(())
}
