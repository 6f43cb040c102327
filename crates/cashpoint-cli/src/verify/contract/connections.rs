//! HTTP/1.1 as clients and proxies use it: connections that are used again, chunks, pipelines, nonsense.

use cashpoint::Cents;

use super::probe::Probe;
use super::request::{Request, account, get, post, request};
use super::stop::Stop;
use super::{Deviation, Rule, json};
use crate::client::{Address, Lost};

pub(super) const RULES: &[Rule] = &[
    Rule::new("a connection survives a refusal", survives),
    Rule::new("a body may come in chunks", chunks),
    Rule::new("pipelined requests are answered in order", pipelined),
    Rule::better(
        "a change that is done is answered, whatever stands behind its request",
        behind,
    ),
    Rule::new("nothing malformed is answered with 500", malformed),
];

/// How often in a row a connection must break off for that to be the server's way: any connection may break once.
const BREAKS: usize = 3;

/// Goes on only if connections stay: a server, or a proxy before it, may end each after one answer.
fn need_connections_that_stay(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let health = probe.send(&get("/health"))?;
    if !health.last {
        return Ok(());
    }
    let why = "the server ends each connection after its answer";
    Err(Stop::NotChecked(why.to_owned()))
}

fn survives(probe: &mut Probe<'_>) -> Result<(), Stop> {
    need_connections_that_stay(probe)?;
    let number = probe.open("1.0")?;
    let next = get(account(&number, "/balance"));
    for refused in [
        post(account(&number, "/withdraw"), "{\"amount\":5}"),
        post(account(&number, "/deposit"), "{\"amount\":-5}"),
        post("/accounts/nobody/deposit", "{\"amount\":5}"),
        post("/accounts", "{"),
        request("POST", "/accounts"),
        get("/accounts/nobody/balance"),
        get("/nowhere"),
        post("/nowhere", "{\"amount\":5}"),
        post(account(&number, "/balance"), "{\"amount\":5}"),
    ] {
        for left in (0..BREAKS).rev() {
            let Some(lost) = break_after(probe, &refused, &next)? else {
                break;
            };
            // Is it the connection, or the server?
            probe.send(&next)?;
            if left == 0 {
                let request = format!("{}, then {}", refused.line(), next.line());
                probe.deviate(request, "200", format!("{lost}, on the same connection"));
            }
        }
    }
    Ok(())
}

/// Has a request refused, and sends the next on the same connection. Why that had no answer, if it had none.
fn break_after(
    probe: &mut Probe<'_>,
    refused: &Request,
    next: &Request,
) -> Result<Option<Lost>, Stop> {
    let mut connection = probe.connect();
    let first = match probe.send_on(&mut connection, refused)? {
        Ok(answer) => answer,
        Err(lost) => return Err(probe.unanswered(refused.line(), &lost)),
    };
    if !(400..500).contains(&first.status) {
        probe.check(false, &first, "a refusal, 4xx");
        return Ok(None);
    }
    if first.last {
        probe.deviate(
            refused.line(),
            "a connection that stays",
            "Connection: close",
        );
        return Ok(None);
    }
    Ok(probe.send_on(&mut connection, next)?.err())
}

fn chunks(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let host = probe.address().authority.clone();
    let prefix = probe.address().prefix.clone();
    let body = "{\"initial_balance\":12.34}";
    for size in [body.len(), 7, 1] {
        let head = format!(
            "POST {prefix}/accounts HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\n\r\n"
        );
        let mut bytes = head.into_bytes();
        for chunk in body.as_bytes().chunks(size) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        let what = format!("POST /accounts {body}, in chunks of {size}");
        let (answers, end) = probe.converse(&what, &bytes, 1)?;
        let Some(answer) = answers.first() else {
            return match end {
                Err(lost) => Err(probe.unanswered(what, &lost)),
                Ok(()) => Ok(()),
            };
        };
        answer.stop_if_busy()?;
        if answer.status == 507 {
            return Err(Stop::NotChecked(
                "the server has no room for another account".to_owned(),
            ));
        }
        let pattern = "{\"account_number\":\"<text>\",\"balance\":12.34,\"message\":\"<text>\"}";
        probe.fits(answer, 201, pattern);
    }
    Ok(())
}

/// What stands behind a request: a line end, as some old clients send it, nonsense, and half of the next one.
const BEHIND: [&str; 3] = ["\r\n", "nonsense\r\n\r\n", "GET /heal"];

fn behind(probe: &mut Probe<'_>) -> Result<(), Stop> {
    for rest in BEHIND {
        for left in (0..BREAKS).rev() {
            let number = probe.open("1.0")?;
            let deposit = post(account(&number, "/deposit"), "{\"amount\":0.77}");
            let mut bytes = deposit.to_bytes(probe.address());
            bytes.extend_from_slice(rest.as_bytes());
            let what = format!("{}, and {rest:?} behind it", deposit.line());
            let (answers, _) = probe.converse(&what, &bytes, 1)?;
            if let Some(answer) = answers.first() {
                answer.stop_if_busy()?;
                probe.check(answer.status == 200, answer, "200");
                break;
            }
            let balance = probe.send(&get(account(&number, "/balance")))?;
            if left == 0 && balance.body.contains("1.77") {
                probe.deviate(what, "an answer, for it is done", "none");
            }
        }
    }
    Ok(())
}

/// How many requests of each kind are sent at once.
const PIPELINED: i64 = 3;

fn pipelined(probe: &mut Probe<'_>) -> Result<(), Stop> {
    need_connections_that_stay(probe)?;
    for left in (0..BREAKS).rev() {
        let Some(broken) = pipeline(probe)? else {
            break;
        };
        if left == 0 {
            probe.deviate(broken.request, broken.contract, broken.answered);
        }
    }
    Ok(())
}

/// Sends the requests at once, and looks at each answer. The deviation, if the connection broke off before the last.
fn pipeline(probe: &mut Probe<'_>) -> Result<Option<Deviation>, Stop> {
    let number = probe.open("0.0")?;
    let round: [(Request, u16); 4] = [
        (post(account(&number, "/deposit"), "{\"amount\":0.01}"), 200),
        (get(account(&number, "/balance")), 200),
        (get("/nowhere"), 404),
        (post(account(&number, "/withdraw"), "{\"amount\":-1}"), 422),
    ];
    let mut bytes = Vec::new();
    let mut expected = Vec::new();
    for cents in 1..=PIPELINED {
        for (request, status) in &round {
            bytes.extend(request.to_bytes(probe.address()));
            let balance = Cents::new(cents).unwrap_or_default();
            expected.push((request.line(), *status, balance));
        }
    }
    let what = format!("{} requests at once", expected.len());
    let (answers, end) = probe.converse(&what, &bytes, expected.len())?;
    for (answer, (request, status, balance)) in answers.iter().zip(&expected) {
        answer.stop_if_busy()?;
        let keys: &[&str] = if answer.body.contains("\"new_balance\"") {
            &["new_balance"]
        } else {
            &["balance"]
        };
        // Whether it is exact is for other rules.
        let told: Option<Cents> =
            json::value_at(&answer.body, keys).and_then(|told| told.parse().ok());
        let is_in_order = told.is_none_or(|told| told == *balance);
        if answer.status != *status || !is_in_order {
            let contract = match status {
                200 => format!("{status} with a balance of {balance}"),
                _ => status.to_string(),
            };
            probe.deviate(format!("{request}, one of {what}"), contract, answer.line());
        }
    }
    if answers.len() == expected.len() {
        return Ok(None);
    }
    let answered = match end {
        Err(lost) if answers.is_empty() => return Err(probe.unanswered(what, &lost)),
        Err(lost) => format!("{}, then: {lost}", answers.len()),
        Ok(()) => format!("{}, and the end of the connection", answers.len()),
    };
    Ok(Some(Deviation {
        request: what,
        contract: format!("{} answers", expected.len()),
        answered,
        cause: None,
    }))
}

fn malformed(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let number = probe.open("1.0")?;
    let deep = "[".repeat(5_000);
    let long = "x".repeat(4_000);
    let Address {
        prefix, authority, ..
    } = probe.address();
    let with_body = |body: &[u8]| {
        let head = format!(
            "POST {prefix}/accounts/{number}/deposit HTTP/1.1\r\nHost: {authority}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    };
    let without_body = |method: &str, path: &str| {
        format!("{method} {prefix}{path} HTTP/1.1\r\nHost: {authority}\r\n\r\n").into_bytes()
    };
    let deep_object = format!("{{\"amount\":{deep}");
    for (what, bytes) in [
        (
            "a body that is not UTF-8",
            with_body(b"{\"amount\":\xff\xfe}"),
        ),
        ("a body of zero bytes", with_body(&[0; 16])),
        (
            "a body of 5,000 brackets",
            with_body(deep_object.as_bytes()),
        ),
        ("half a surrogate", with_body(b"{\"amount\":\"\\ud800\"}")),
        ("an escaped key", with_body(b"{\"am\\u006fun\\u0000t\":1}")),
        (
            "a path of zero bytes",
            without_body("GET", "/accounts/%00/balance"),
        ),
        (
            "a path that is not UTF-8",
            without_body("GET", "/accounts/%ff%fe/balance"),
        ),
        (
            "a path with bad escapes",
            without_body("GET", "/accounts/%zz%/balance"),
        ),
        (
            "a long path",
            without_body("GET", &account(&long, "/balance")),
        ),
        (
            "an invalid query",
            without_body("GET", "/accounts?%ff=%&&==&"),
        ),
        ("an unknown method", without_body("BREW", "/accounts")),
        ("no HTTP", b"\x16\x03\x01\x00\xff\r\n\r\n".to_vec()),
    ] {
        // No answer is well enough here: the server may close such a connection.
        let (answers, _) = probe.converse(what, &bytes, 1)?;
        for answer in answers {
            let is_crash = answer.status == 500
                || ["Traceback", "panicked at"]
                    .iter()
                    .any(|trace| answer.body.contains(trace));
            probe.check(!is_crash, &answer, "a refusal without a stack trace");
        }
    }
    let health = probe.send(&get("/health"))?;
    probe.check(health.status == 200, &health, "200, after all that");
    Ok(())
}
