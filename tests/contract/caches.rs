//! No cache keeps an answer of the API, and no browser takes one for something else.

use std::io::Read as _;

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

/// What a page loads, by the addresses in it.
fn loaded(page: &str) -> Vec<String> {
    let addresses = page.split('"').filter(|it| it.starts_with("/assets/"));
    addresses.map(str::to_owned).collect()
}

#[test]
fn what_a_page_loads_is_kept_as_long_as_it_is_the_same_and_comes_compressed() {
    let restricted = Server::configure().flag("--allowed-origin", OWN).start();
    let varying = list(&restricted.get("/"), "vary");
    assert!(
        ["accept-encoding", "origin"]
            .iter()
            .all(|it| varying.contains(*it))
    );
    let server = Server::start();
    let mut compressed_bytes = 0;
    for page in PAGES {
        let answer = server.get(page);
        let tag = answer.header("etag").expect("a tag").to_owned();
        for same in [tag.clone(), format!("\"other\", {tag}"), "*".to_owned()] {
            let again = server.send(&Request::get(page).header("If-None-Match", &same));
            assert_eq!((again.status, again.body.len()), (304, 0), "{page} {same}");
            assert_eq!(again.header("etag"), Some(&*tag), "{page}");
        }
        let other = server.send(&Request::get(page).header("If-None-Match", "W/\"other\""));
        assert_eq!((other.status, other.text()), (200, answer.text()), "{page}");
        let assets = loaded(&answer.text());
        assert!(!assets.is_empty(), "{page}");
        for asset in assets {
            let (path, version) = asset.split_once("?v=").expect("a version");
            let plain = server.get(&asset);
            let kept = Some("public, max-age=31536000, immutable");
            assert_eq!(plain.header("cache-control"), kept, "{asset}");
            assert_eq!(plain.header("vary"), Some("Accept-Encoding"), "{asset}");
            assert_eq!(plain.header("content-encoding"), None, "{asset}");
            assert!(plain.header("etag").unwrap().contains(version), "{asset}");
            // A version that is not, or no more, what is served must not be kept for it.
            for unknown in [path.to_owned(), format!("{path}?v=0123456789abcdef")] {
                let answer = server.get(&unknown);
                assert_eq!(
                    answer.header("cache-control"),
                    Some("no-cache"),
                    "{unknown}"
                );
                assert_eq!(answer.body, plain.body, "{unknown}");
            }
            for (accepted, is_compressed) in [
                ("gzip, deflate, br", true),
                ("br;q=1.0, GZIP;q=0.5", true),
                ("gzip;q=0", false),
                ("gzip; q=0.0, br", false),
                ("br, x-gzip-like", false),
            ] {
                let answer = server.send(&Request::get(&asset).header("Accept-Encoding", accepted));
                let encoding = answer.header("content-encoding");
                assert_eq!(encoding, is_compressed.then_some("gzip"), "{accepted}");
                if is_compressed {
                    assert_eq!(inflated(&answer.body), plain.body, "{asset}");
                    compressed_bytes = compressed_bytes.max(answer.body.len());
                } else {
                    assert_eq!(answer.body, plain.body, "{accepted}");
                }
            }
        }
    }
    // The largest, of 1.7 MB.
    assert!(
        (100_000..600_000).contains(&compressed_bytes),
        "{compressed_bytes}"
    );
}

fn inflated(compressed: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(compressed);
    decoder.read_to_end(&mut plain).expect("gzip");
    plain
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
