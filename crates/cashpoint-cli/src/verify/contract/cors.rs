//! Pages of other origins.

use super::Rule;
use super::probe::Probe;
use super::request::{Request, account, get, post, request};
use super::stop::Stop;

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "every answer to another origin says that it may be read",
        allowed,
    ),
    Rule::new("without an origin there are no CORS headers", none),
    Rule::new(
        "a preflight is answered with methods, headers and an age of 600",
        preflights,
    ),
];

const ORIGIN: &str = "https://origin.example";

fn preflight(path: &str, method: &str) -> Request {
    request("OPTIONS", path)
        .field("Origin", ORIGIN)
        .field("Access-Control-Request-Method", method)
}

/// Goes on only if the server lets pages of any origin call it. One in production may name its own alone: it
/// refuses preflights of others.
fn need_any_origin(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let answer = probe.send(&preflight("/accounts", "POST"))?;
    let is_allowed = answer.header("Access-Control-Allow-Origin").is_some();
    if answer.status == 400 && !is_allowed {
        let why = "the server lets only pages of its own origin call it";
        return Err(Stop::NotChecked(why.to_owned()));
    }
    Ok(())
}

/// A request for each way of answering.
fn every_kind_of_request(number: &str) -> Vec<Request> {
    vec![
        get("/"),
        get("/docs"),
        get("/openapi.json"),
        get("/health"),
        get("/accounts"),
        get(account(number, "/balance")),
        post(account(number, "/deposit"), "{\"amount\":1.0}"),
        post(account(number, "/withdraw"), "{\"amount\":1000}"),
        post(account(number, "/deposit"), "{\"amount\":0}"),
        post("/accounts", "{"),
        get("/accounts/nobody/balance"),
        get("/nowhere"),
        request("PUT", "/accounts"),
        get("/accounts/"),
        request("DELETE", account(number, "")),
    ]
}

fn allowed(probe: &mut Probe<'_>) -> Result<(), Stop> {
    need_any_origin(probe)?;
    let number = probe.open("1.0")?;
    for request in every_kind_of_request(&number) {
        let answer = probe.send(&request.field("Origin", ORIGIN))?;
        probe.check_header(&answer, "Access-Control-Allow-Origin", Some("*"));
    }
    Ok(())
}

fn none(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let number = probe.open("1.0")?;
    for request in every_kind_of_request(&number) {
        let answer = probe.send(&request)?;
        for name in ["Origin", "Methods", "Headers", "Credentials", "Max-Age"] {
            let name = format!(
                "Access-Control-{}{name}",
                if name == "Max-Age" { "" } else { "Allow-" }
            );
            probe.check_header(&answer, &name, None);
        }
    }
    Ok(())
}

fn preflights(probe: &mut Probe<'_>) -> Result<(), Stop> {
    need_any_origin(probe)?;
    let number = probe.open("1.0")?;
    for (path, method) in [
        ("/accounts".to_owned(), "POST"),
        ("/accounts".to_owned(), "GET"),
        ("/health".to_owned(), "GET"),
        (account(&number, ""), "DELETE"),
        (account(&number, "/deposit"), "POST"),
        (account(&number, "/withdraw"), "POST"),
        (account(&number, "/balance"), "GET"),
    ] {
        let request = preflight(&path, method).field(
            "Access-Control-Request-Headers",
            "Content-Type, X-My-Header",
        );
        let answer = probe.send(&request)?;
        probe.check(answer.status == 200, &answer, "200");
        probe.check_header(&answer, "Access-Control-Allow-Origin", Some("*"));
        probe.check_header(&answer, "Access-Control-Max-Age", Some("600"));
        for (name, wanted) in [
            ("Access-Control-Allow-Methods", &[method][..]),
            (
                "Access-Control-Allow-Headers",
                &["content-type", "x-my-header"],
            ),
        ] {
            let granted = answer.list(name);
            let has_all = wanted
                .iter()
                .all(|wanted| granted.contains(&wanted.to_ascii_lowercase()));
            if !has_all && !granted.iter().any(|granted| granted == "*") {
                let contract = format!("{name} with {}", wanted.join(", "));
                let answered = format!("{} with {name}: {}", answer.status, granted.join(", "));
                probe.deviate(&answer.request, contract, answered);
            }
        }
    }
    probe.check_balance(&number, "1.0")
}
