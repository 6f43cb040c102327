//! Browsers of any origin may use the service, unless production names its own.

use crate::support::{Request, Response, Server};
use std::collections::BTreeSet;

const ORIGIN: &str = "https://shop.example";
const OWN: &str = "https://cashpoint.example";

/// A request for each way of answering: its name, itself, its status.
pub(crate) fn every_kind_of_request(account: &str) -> Vec<(&'static str, Request, u16)> {
    let path = |rest: &str| format!("/accounts/{account}{rest}");
    vec![
        ("page", Request::get("/"), 200),
        ("documentation", Request::get("/docs"), 200),
        ("description", Request::get("/openapi.json"), 200),
        ("health", Request::get("/health"), 200),
        ("readiness", Request::get("/readyz"), 200),
        ("listing", Request::get("/accounts"), 200),
        ("balance", Request::get(&path("/balance")), 200),
        (
            "deposit",
            Request::post(&path("/deposit"), r#"{"amount":1}"#),
            200,
        ),
        (
            "insufficient funds",
            Request::post(&path("/withdraw"), r#"{"amount":1000}"#),
            400,
        ),
        (
            "invalid input",
            Request::post(&path("/deposit"), r#"{"amount":0}"#),
            422,
        ),
        ("malformed JSON", Request::post("/accounts", "{"), 422),
        ("no account", Request::get("/accounts/nobody/balance"), 404),
        ("no path", Request::get("/nowhere"), 404),
        ("wrong method", Request::new("PUT", "/accounts"), 405),
        ("full", Request::post("/accounts", "{}"), 507),
        ("redirect", Request::get("/accounts/"), 307),
        (
            "too large",
            Request::post("/accounts", &" ".repeat(20_000)),
            413,
        ),
        ("bad page", Request::get("/accounts?limit=0"), 422),
        ("closed", Request::new("DELETE", &path("")), 204),
    ]
}

pub(crate) fn access_control_headers(response: &Response) -> Vec<&(String, String)> {
    response
        .headers
        .iter()
        .filter(|(name, _)| name.starts_with("access-control-"))
        .collect()
}

pub(crate) fn list(response: &Response, header: &str) -> BTreeSet<String> {
    let value = response.header(header).unwrap_or_default();
    value
        .split(',')
        .map(|item| item.trim().to_ascii_lowercase())
        .collect()
}

fn preflight(path: &str, origin: &str, method: &str) -> Request {
    Request::new("OPTIONS", path)
        .header("Origin", origin)
        .header("Access-Control-Request-Method", method)
}

#[test]
fn every_answer_to_an_origin_allows_it() {
    let server = Server::configure().env("MAX_ACCOUNTS", "1").start();
    let account = server.open_account("1.0");
    for (case, request, status) in every_kind_of_request(&account) {
        let response = server.send(&request.header("Origin", ORIGIN));
        assert_eq!(response.status, status, "{case}: {}", response.text());
        assert_eq!(
            response.header("access-control-allow-origin"),
            Some("*"),
            "{case}"
        );
    }
}

#[test]
fn without_an_origin_there_are_no_cors_headers() {
    let server = Server::configure().env("MAX_ACCOUNTS", "1").start();
    let account = server.open_account("1.0");
    for (case, request, status) in every_kind_of_request(&account) {
        let response = server.send(&request);
        assert_eq!(response.status, status, "{case}: {}", response.text());
        assert!(
            access_control_headers(&response).is_empty(),
            "{case}: {:?}",
            response.headers
        );
    }
}

#[test]
fn a_preflight_is_answered_with_methods_headers_and_age() {
    let server = Server::start();
    let account = server.open_account("1.0");
    for (path, method) in [
        ("/accounts".to_owned(), "POST"),
        ("/accounts".to_owned(), "GET"),
        (format!("/accounts/{account}"), "DELETE"),
        (format!("/accounts/{account}/deposit"), "POST"),
        (format!("/accounts/{account}/withdraw"), "POST"),
        (format!("/accounts/{account}/balance"), "GET"),
        ("/accounts/nobody/balance".to_owned(), "GET"),
        ("/health".to_owned(), "GET"),
    ] {
        let case = format!("{method} {path}");
        let request = preflight(&path, ORIGIN, method).header(
            "Access-Control-Request-Headers",
            "Content-Type, X-Request-Id, X-My-Header",
        );
        let response = server.send(&request);
        assert_eq!(response.status, 200, "{case}: {}", response.text());
        assert_eq!(
            response.header("access-control-allow-origin"),
            Some("*"),
            "{case}"
        );
        assert_eq!(
            response.header("access-control-max-age"),
            Some("600"),
            "{case}"
        );
        let methods = list(&response, "access-control-allow-methods");
        assert!(
            methods.contains(&method.to_ascii_lowercase()),
            "{case}: {methods:?}"
        );
        let headers = list(&response, "access-control-allow-headers");
        for header in ["content-type", "x-request-id", "x-my-header"] {
            assert!(headers.contains(header), "{case}: {headers:?}");
        }
    }
    // One that requests no headers is answered as well.
    let response = server.send(&preflight("/accounts", ORIGIN, "POST"));
    assert_eq!(response.status, 200);
    assert_eq!(response.header("access-control-max-age"), Some("600"));
}

#[test]
fn options_without_both_headers_is_no_preflight() {
    let server = Server::start();
    for (case, request) in [
        ("neither", Request::new("OPTIONS", "/accounts")),
        (
            "origin alone",
            Request::new("OPTIONS", "/accounts").header("Origin", ORIGIN),
        ),
        (
            "method alone",
            Request::new("OPTIONS", "/accounts").header("Access-Control-Request-Method", "POST"),
        ),
    ] {
        assert_eq!(server.send(&request).status, 405, "{case}");
    }
}

#[test]
fn in_production_only_the_own_origin_is_allowed() {
    let production = Server::configure()
        .env("ENVIRONMENT", "production")
        .env("RENDER_EXTERNAL_URL", OWN)
        .env("MAX_ACCOUNTS", "1");
    let server = production.start();
    let account = server.open_account("1.0");
    for foreign in [
        ORIGIN,
        "null",
        "http://cashpoint.example",
        "https://cashpoint.example.evil.example",
        "https://cashpoint.example:8443",
        "https://evil.example/https://cashpoint.example",
    ] {
        let request = Request::get("/health").header("Origin", foreign);
        let response = server.send(&request);
        assert_eq!(response.status, 200, "{foreign}");
        assert!(
            access_control_headers(&response).is_empty(),
            "{foreign}: {:?}",
            response.headers
        );

        let response = server.send(&preflight("/accounts", foreign, "POST"));
        assert_eq!(response.status, 400, "preflight from {foreign}");
        assert!(
            access_control_headers(&response).is_empty(),
            "{foreign}: {:?}",
            response.headers
        );
    }

    let response = server.send(&preflight("/accounts", OWN, "POST"));
    assert_eq!(response.status, 200);
    assert_eq!(response.header("access-control-allow-origin"), Some(OWN));
    assert_eq!(response.header("access-control-max-age"), Some("600"));
    for (case, request, status) in every_kind_of_request(&account) {
        let response = server.send(&request.header("Origin", OWN));
        assert_eq!(response.status, status, "{case}: {}", response.text());
        assert_eq!(
            response.header("access-control-allow-origin"),
            Some(OWN),
            "{case}"
        );
        // A cache must not hand this answer to another origin.
        assert!(
            list(&response, "vary").contains("origin"),
            "{case}: {:?}",
            response.headers
        );
    }
}

#[test]
fn production_without_an_own_url_and_a_url_without_production_allow_every_origin() {
    for (case, launch) in [
        (
            "production alone",
            Server::configure().env("ENVIRONMENT", "production"),
        ),
        (
            "url alone",
            Server::configure().env("RENDER_EXTERNAL_URL", OWN),
        ),
        (
            "url in development",
            Server::configure()
                .env("RENDER_EXTERNAL_URL", OWN)
                .env("ENVIRONMENT", "development"),
        ),
    ] {
        let server = launch.start();
        let response = server.send(&Request::get("/health").header("Origin", ORIGIN));
        assert_eq!(
            response.header("access-control-allow-origin"),
            Some("*"),
            "{case}"
        );
    }
}
