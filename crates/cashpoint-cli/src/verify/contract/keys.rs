//! Requests that are sent twice, with an idempotency key.
//!
//! The contract asks no server for keys. One whose OpenAPI document offers them is held to what they are for.

use cashpoint::IdempotencyKey;

use super::Rule;
use super::probe::Probe;
use super::request::{Exchange, Request, account, delete, get, post};
use super::stop::Stop;

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "a request sent twice with one idempotency key is done once, and answered alike",
        once,
    ),
    Rule::new(
        "an idempotency key is refused with another request",
        refused,
    ),
];

/// Whether an OpenAPI document offers idempotency keys.
pub(in crate::verify) fn offers_keys(document: &str) -> bool {
    document
        .to_ascii_lowercase()
        .contains("\"idempotency-key\"")
}

/// Goes on only if the server offers idempotency keys.
fn need_keys(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let document = probe.send(&get("/openapi.json"))?;
    if offers_keys(&document.body) {
        return Ok(());
    }
    let why = "the server's OpenAPI document does not offer Idempotency-Key";
    Err(Stop::NotChecked(why.to_owned()))
}

/// With a key that nobody has used, nor will.
fn keyed(request: Request) -> Request {
    let key = IdempotencyKey::random();
    request.field("Idempotency-Key", key.as_str())
}

fn once(probe: &mut Probe<'_>) -> Result<(), Stop> {
    need_keys(probe)?;
    let number = probe.open("10.0")?;
    let withdraw = |amount: &str| post(account(&number, "/withdraw"), amount);
    for (request, status, balance) in [
        (
            post(account(&number, "/deposit"), "{\"amount\":1.5}"),
            200,
            "11.5",
        ),
        (withdraw("{\"amount\":2.0}"), 200, "9.5"),
        (withdraw("{\"amount\":20.5}"), 400, "9.5"),
    ] {
        let request = keyed(request);
        let first = probe.send(&request)?;
        check_again(probe, &request, &first, status)?;
        probe.check_balance(&number, balance)?;
    }
    // Answered alike, it is the same account.
    let creation = post("/accounts", "{\"initial_balance\":2.5}");
    let creation = keyed(creation);
    let first = probe.create(&creation)?;
    check_again(probe, &creation, &first, 201)?;
    let closing = keyed(delete(account(&number, "")));
    let first = probe.send(&closing)?;
    check_again(probe, &closing, &first, 204)
}

/// Sends the request a second time, and notes a deviation unless it is answered as it was first.
fn check_again(
    probe: &mut Probe<'_>,
    request: &Request,
    first: &Exchange,
    status: u16,
) -> Result<(), Stop> {
    probe.check(first.status == status, first, &status.to_string());
    let again = probe.send(request)?;
    if again.line() != first.line() {
        let request = format!("{}, for the second time", again.request);
        probe.deviate(request, first.line(), again.line());
    }
    Ok(())
}

fn refused(probe: &mut Probe<'_>) -> Result<(), Stop> {
    need_keys(probe)?;
    let number = probe.open("10.0")?;
    let deposit = keyed(post(account(&number, "/deposit"), "{\"amount\":1.5}"));
    let other = deposit.clone().body("{\"amount\":1.0}");
    for (request, status) in [(&deposit, 200), (&other, 422), (&deposit, 200)] {
        let answer = probe.send(request)?;
        probe.check(answer.status == status, &answer, &status.to_string());
    }
    probe.check_balance(&number, "11.5")
}
