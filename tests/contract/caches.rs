//! No cache keeps an answer of the API, and no browser takes one for something else.

use crate::cors::{every_kind_of_request, list};
use crate::support::{Request, Response, Server};

const OWN: &str = "https://cashpoint.example";
const PAGES: [&str; 3] = ["/", "/docs", "/redoc"];

/// Whether an answer must not be kept.
fn assert_is_not_kept(response: &Response, case: &str) {
    let headers = &response.headers;
    assert_eq!(
        response.header("cache-control"),
        Some("no-store"),
        "{case}: {headers:?}"
    );
    let sniffing = response.header("x-content-type-options");
    assert_eq!(sniffing, Some("nosniff"), "{case}: {headers:?}");
}

#[test]
fn no_answer_of_the_api_is_kept() {
    for (launch, is_restricted) in [
        (Server::configure(), false),
        (Server::configure().flag("--allowed-origin", OWN), true),
    ] {
        let server = launch.env("MAX_ACCOUNTS", "1").start();
        let account = server.open_account("1.0");
        let preflight =
            Request::new("OPTIONS", "/accounts").header("Access-Control-Request-Method", "POST");
        let mut requests = every_kind_of_request(&account);
        requests.extend([
            ("liveness", Request::get("/livez"), 200),
            ("HEAD", Request::new("HEAD", "/health"), 200),
            ("preflight", preflight.clone().header("Origin", OWN), 200),
            (
                "no tunnel",
                Request::new("CONNECT", "a:80"),
                if is_restricted { 400 } else { 404 },
            ),
            (
                "no name",
                Request::get("/accounts").header("Host", "a b"),
                400,
            ),
            (
                "statement",
                Request::get(&format!("/accounts/{account}/transactions")),
                501,
            ),
            (
                "statement of the past",
                Request::get(&format!("/accounts/{account}/balance?at=2026-01-31")),
                501,
            ),
        ]);
        if is_restricted {
            let foreign = "https://evil.example";
            requests.extend([
                (
                    "foreign preflight",
                    preflight.header("Origin", foreign),
                    400,
                ),
                (
                    "foreign change",
                    Request::post("/accounts", "{}").header("Origin", foreign),
                    403,
                ),
                (
                    "foreign name",
                    Request::get("/accounts").header("Host", "evil.example"),
                    400,
                ),
            ]);
        }
        for (case, request, status) in requests {
            // What closes the account comes last of its own kind, and does no harm to the others here.
            let response = server.send(&request);
            assert_eq!(response.status, status, "{case}: {}", response.text());
            if matches!(case, "page" | "documentation") {
                continue;
            }
            assert_is_not_kept(&response, case);
        }
    }
}

#[test]
fn where_an_origin_is_configured_every_answer_varies_by_origin() {
    for (launch, varies) in [
        (Server::configure(), false),
        (Server::configure().flag("--allowed-origin", OWN), true),
        (
            Server::configure()
                .env("ENVIRONMENT", "production")
                .env("RENDER_EXTERNAL_URL", OWN),
            true,
        ),
    ] {
        let server = launch.env("MAX_ACCOUNTS", "1").start();
        let account = server.open_account("1.0");
        for (case, request, status) in every_kind_of_request(&account) {
            let response = server.send(&request);
            assert_eq!(response.status, status, "{case}: {}", response.text());
            let varying = list(&response, "vary").contains("origin");
            assert_eq!(varying, varies, "{case}: {:?}", response.headers);
        }
    }
}

#[test]
fn a_page_is_asked_for_again_and_does_only_what_it_is_for() {
    let server = Server::start();
    let assets = [
        "/assets/console.css",
        "/assets/console.js",
        "/assets/docs.js",
    ];
    for path in PAGES.iter().chain(&assets) {
        let response = server.get(path);
        assert_eq!(response.status, 200, "{path}");
        // With it, a cache asks before it shows a page again.
        assert_eq!(response.header("cache-control"), Some("no-cache"), "{path}");
        assert_eq!(
            response.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
        assert_eq!(
            response.header("referrer-policy"),
            Some("same-origin"),
            "{path}"
        );
        let policy = response.header("content-security-policy").unwrap();
        for directive in [
            "default-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ] {
            let has_it = policy.split(';').any(|it| it.trim() == directive);
            assert!(has_it, "{path}: no {directive} in {policy}");
        }
    }
}
