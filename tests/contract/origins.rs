//! Where an origin is configured, pages of other origins change nothing: browsers let them send what they like.

use crate::answers::{assert_answer, detail};
use crate::cors::{access_control_headers, list};
use crate::support::{Launch, Request, Server};

const OWN: &str = "https://cashpoint.example";
const REFUSED: &str = "Requests from this origin are not allowed";

/// Every way to configure the one origin.
fn launches() -> Vec<(&'static str, Launch)> {
    vec![
        (
            "production",
            Server::configure()
                .env("ENVIRONMENT", "production")
                .env("RENDER_EXTERNAL_URL", OWN),
        ),
        (
            "flag alone",
            Server::configure().flag("--allowed-origin", OWN),
        ),
        (
            "variable alone",
            Server::configure().env("ALLOWED_ORIGIN", OWN),
        ),
        (
            "one of several",
            Server::configure().env("ALLOWED_ORIGIN", &format!("https://a.example,{OWN}")),
        ),
    ]
}

fn restricted() -> Server {
    Server::configure().flag("--allowed-origin", OWN).start()
}

/// What a browser says of a page that may change nothing.
const FOREIGN: &[&[(&str, &str)]] = &[
    &[("Origin", "https://evil.example")],
    &[("Origin", "null")],
    &[("Origin", "")],
    &[("Origin", "https://")],
    &[("Origin", "cashpoint.example")],
    &[("Origin", "http://cashpoint.example")],
    &[("Origin", "https://cashpoint.example:8443")],
    &[("Origin", "https://cashpoint.example.")],
    &[("Origin", "https://cashpoint.example/")],
    &[("Origin", "https://cashpoint.example.evil.example")],
    &[("Origin", "https://evil.example/https://cashpoint.example")],
    &[("Origin", "https://cashpoint.example@evil.example")],
    &[("Origin", "https://cashpoint.example https://evil.example")],
    &[("Origin", "https://cashpoint.example, https://evil.example")],
    &[("Origin", OWN), ("Origin", "https://evil.example")],
    &[("Origin", "https://evil.example"), ("Origin", OWN)],
    &[("Origin", OWN), ("Origin", OWN)],
    &[("Origin", "\u{e9}")],
    &[("Sec-Fetch-Site", "cross-site")],
    &[("Sec-Fetch-Site", "same-site")],
    &[("Sec-Fetch-Site", "")],
    &[("Sec-Fetch-Site", "something-new")],
    &[
        ("Sec-Fetch-Site", "same-origin"),
        ("Sec-Fetch-Site", "cross-site"),
    ],
    &[
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-origin"),
    ],
    &[
        ("Origin", "https://evil.example"),
        ("Sec-Fetch-Site", "same-origin"),
    ],
];

/// What says nothing of a page, or that it may change everything.
const WELCOME: &[&[(&str, &str)]] = &[
    &[],
    &[("Origin", OWN)],
    &[("Sec-Fetch-Site", "same-origin")],
    &[("Sec-Fetch-Site", "none")],
    &[("Origin", OWN), ("Sec-Fetch-Site", "same-origin")],
    // An origin that is allowed may well be of another site.
    &[("Origin", OWN), ("Sec-Fetch-Site", "cross-site")],
];

fn with(request: &Request, headers: &[(&str, &str)]) -> Request {
    headers
        .iter()
        .fold(request.clone(), |request, (name, value)| {
            request.header(name, value)
        })
}

#[test]
fn a_change_by_a_foreign_page_is_refused_and_nothing_is_done() {
    for (case, launch) in launches() {
        let server = launch.start();
        let account = server.open_account("10.0");
        let path = |rest: &str| format!("/accounts/{account}{rest}");
        let changes = [
            Request::post("/accounts", r#"{"initial_balance":5}"#),
            Request::new("POST", "/accounts").body(br#"{"initial_balance":5}"#),
            Request::new("POST", "/accounts").chunked([&b"{}"[..]]),
            Request::new("POST", "/accounts")
                .header("Content-Type", "text/plain;charset=UTF-8")
                .body(b"{}"),
            Request::post("/accounts/", "{}"),
            Request::post("/accounts", "{"),
            Request::new("POST", &path("/withdraw")).body(br#"{"amount":1}"#),
            Request::new("POST", &path("/deposit")).body(br#"{"amount":1}"#),
            Request::post(&path("/deposit"), r#"{"amount":1}"#).header("Idempotency-Key", "k"),
            Request::new("DELETE", &path("")),
            Request::new("PUT", "/accounts"),
            Request::new("PATCH", "/"),
            Request::new("ANYTHING", "/nowhere"),
        ];
        let mut client = server.connect();
        for headers in FOREIGN {
            for change in &changes {
                // On one connection: it survives.
                let response = client.send(&with(change, headers));
                let case = format!("{case}: {headers:?}: {change:?}");
                assert_answer(&response, 403, &detail(REFUSED), &case);
                let granted = access_control_headers(&response);
                let is_own = headers.contains(&("Origin", OWN));
                assert!(is_own || granted.is_empty(), "{case}: {granted:?}");
            }
        }
        assert_eq!(server.balance(&account), "10.0", "{case}");
        assert_eq!(server.accounts_count(), 1, "{case}");
        // The key is still new.
        let deposit = &changes[8];
        let response = server.send(deposit);
        assert_eq!(response.json()["new_balance"], 11.0, "{case}");
        assert_eq!(response.header("idempotency-replayed"), None, "{case}");
    }
}

#[test]
fn whoever_is_no_foreign_page_changes_as_before() {
    for (case, launch) in launches() {
        let server = launch.start();
        for headers in WELCOME {
            let account = server
                .send(&with(
                    &Request::new("POST", "/accounts").body(b"{}"),
                    headers,
                ))
                .account_number();
            let path = |rest: &str| format!("/accounts/{account}{rest}");
            for (change, status) in [
                (
                    Request::new("POST", &path("/deposit")).body(br#"{"amount":2}"#),
                    200,
                ),
                (Request::post(&path("/withdraw"), r#"{"amount":1}"#), 200),
                (Request::new("PUT", "/accounts"), 405),
                (Request::new("DELETE", &path("")), 204),
            ] {
                let response = server.send(&with(&change, headers));
                assert_eq!(response.status, status, "{case}: {headers:?}: {change:?}");
            }
        }
    }
}

#[test]
fn what_reads_is_answered_whoever_asks() {
    let server = restricted();
    let account = server.open_account("10.0");
    for headers in FOREIGN.iter().chain(WELCOME) {
        for (request, status) in [
            (Request::get("/accounts"), 200),
            (Request::get(&format!("/accounts/{account}/balance")), 200),
            (Request::get("/"), 200),
            (Request::new("HEAD", "/health"), 200),
            (Request::new("OPTIONS", "/accounts"), 405),
        ] {
            let response = server.send(&with(&request, headers));
            assert_eq!(response.status, status, "{headers:?}: {request:?}");
        }
    }
}

#[test]
fn the_service_s_own_page_is_at_home_under_every_name_that_is_allowed() {
    let server = Server::configure()
        .flag("--allowed-origin", OWN)
        .flag("--allowed-origin", "http://localhost:3000")
        .flag("--allowed-host", "cash.internal")
        .start();
    for (host, origin, is_own) in [
        ("localhost:8000", "http://localhost:8000", true),
        ("127.0.0.1:8000", "http://127.0.0.1:8000", true),
        ("[::1]:8000", "http://[::1]:8000", true),
        ("LOCALHOST:8000", "http://localhost:8000", true),
        ("localhost", "http://localhost", true),
        ("localhost:80", "http://localhost", true),
        // Behind a proxy that speaks TLS.
        ("cash.internal", "https://cash.internal", true),
        ("cash.internal:443", "https://cash.internal", true),
        ("cash.internal.", "https://cash.internal.", true),
        // Another program on this machine.
        ("localhost:8000", "http://localhost:9000", false),
        ("localhost:8000", "http://localhost", false),
        ("localhost", "http://localhost:8000", false),
        ("127.0.0.1:8000", "http://localhost:8000", false),
        ("localhost:8000", "http://127.0.0.1:8000", false),
        ("localhost:8000", "ftp://localhost:8000", false),
        ("localhost:8000", "http://localhost:8000/", false),
        ("localhost:8000", "http://a@localhost:8000", false),
        // What is known of an origin counts: somebody on the network can forge a page without TLS.
        ("cashpoint.example", "http://cashpoint.example", false),
        ("localhost:3000", "https://localhost:3000", false),
        (
            "cashpoint.example:8000",
            "http://cashpoint.example:8000",
            true,
        ),
        ("cashpoint.example", OWN, true),
        ("127.0.0.1:8000", OWN, true),
    ] {
        let create = Request::new("POST", "/accounts")
            .body(b"{}")
            .header("Host", host)
            .header("Origin", origin);
        let status = if is_own { 201 } else { 403 };
        let response = server.send(&create);
        assert_eq!(response.status, status, "{host}, {origin}");
        // A page over TLS calls what is not, or the other way round.
        let response = server.send(&create.header("Sec-Fetch-Site", "cross-site"));
        let status = if origin == OWN { 201 } else { 403 };
        assert_eq!(response.status, status, "{host}, {origin}, cross-site");
    }
}

#[test]
fn each_of_several_origins_is_allowed() {
    for launch in [
        Server::configure().env("ALLOWED_ORIGIN", "https://a.example,http://b.example:3000"),
        Server::configure()
            .flag("--allowed-origin", "https://a.example:443/")
            .flag("--allowed-origin", "HTTP://B.example:3000"),
        Server::configure()
            .env("ENVIRONMENT", "production")
            .env("RENDER_EXTERNAL_URL", "https://a.example")
            .env("ALLOWED_ORIGIN", "http://b.example:3000"),
    ] {
        let server = launch.start();
        for (origin, is_allowed) in [
            ("https://a.example", true),
            ("http://b.example:3000", true),
            ("http://a.example", false),
            ("http://b.example", false),
        ] {
            let create = Request::post("/accounts", "{}").header("Origin", origin);
            let response = server.send(&create);
            assert_eq!(
                response.status,
                if is_allowed { 201 } else { 403 },
                "{origin}"
            );
            let granted = response.header("access-control-allow-origin");
            assert_eq!(granted, is_allowed.then_some(origin));
            assert!(list(&response, "vary").contains("origin"), "{origin}");
            let preflight = Request::new("OPTIONS", "/accounts")
                .header("Origin", origin)
                .header("Access-Control-Request-Method", "POST");
            let status = server.send(&preflight).status;
            assert_eq!(status, if is_allowed { 200 } else { 400 }, "{origin}");
        }
    }
}

#[test]
fn a_refusal_has_a_line_in_the_log() {
    let server = restricted();
    let create = Request::post("/accounts", "{}").header("Origin", "https://evil.example");
    server.send(&create);
    let line = server.log().wait_for(0, |line| line.contains("403"));
    let line = line.unwrap_or_else(|| panic!("{}", server.log().text()));
    for part in ["INFO", "POST", "/accounts", REFUSED] {
        assert!(line.contains(part), "no {part} in {line}");
    }
}

#[test]
fn without_an_origin_to_allow_every_page_may_call_and_the_start_says_so() {
    let says = |line: &str| line.contains("any web page") && line.contains("--allowed-origin");
    for (case, launch, level) in [
        ("development", Server::configure(), "INFO"),
        (
            "url in development",
            Server::configure().env("RENDER_EXTERNAL_URL", OWN),
            "INFO",
        ),
        (
            "production",
            Server::configure().env("ENVIRONMENT", "production"),
            "WARN",
        ),
    ] {
        let server = launch.start();
        let create = Request::new("POST", "/accounts").body(b"{}");
        for headers in FOREIGN {
            let status = server.send(&with(&create, headers)).status;
            assert_eq!(status, 201, "{case}: {headers:?}");
        }
        let lines = server.log().since(0);
        let said: Vec<_> = lines.iter().filter(|line| says(line)).collect();
        assert!(
            matches!(said[..], [line] if line.contains(level)),
            "{case}: {lines:#?}"
        );
    }
    for (case, launch) in launches() {
        let server = launch.start();
        let lines = server.log().since(0);
        assert!(!lines.iter().any(|line| says(line)), "{case}: {lines:#?}");
    }
}

#[test]
fn the_description_says_that_changes_may_be_refused() {
    let document = crate::docs::description(&Server::start());
    let mut changes = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let is_change = ["post", "put", "patch", "delete"].contains(&method.as_str());
            let says = operation["responses"]["403"].is_object();
            assert_eq!(says, is_change, "{method} {path}");
            changes += usize::from(is_change);
        }
    }
    assert_eq!(changes, 4);
}

#[test]
fn what_is_no_origin_stops_the_start() {
    for value in [
        "cashpoint.example",
        "*",
        "null",
        "ftp://cashpoint.example",
        "https://cashpoint.example/console",
        "https://cashpoint.example?x",
        "https://user@cashpoint.example",
        "https://cashpoint.example:70000",
        "https://cash point.example",
        "https://[::g]",
        "https://a.example,nonsense",
        "https://a.example,",
    ] {
        let launch = Launch::bare().argument(&format!("--allowed-origin={value}"));
        let (status, stderr) = launch.run_to_exit();
        assert_eq!(status.code(), Some(2), "{value}: {stderr}");
        assert!(stderr.contains("ALLOWED_ORIGIN"), "{value}: {stderr}");
        assert!(stderr.contains("must be"), "{value}: {stderr}");
    }
}
