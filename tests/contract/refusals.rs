//! Business refusals, unknown paths and wrong methods.

use crate::answers::{assert_answer, detail};
use crate::support::{Request, Response, Server};
use std::collections::BTreeSet;

/// Every request that names an account.
fn requests_about(account: &str) -> [Request; 4] {
    let path = format!("/accounts/{account}");
    [
        Request::get(&format!("{path}/balance")),
        Request::post(&format!("{path}/deposit"), r#"{"amount":1.0}"#),
        Request::post(&format!("{path}/withdraw"), r#"{"amount":1.0}"#),
        Request::new("DELETE", &path),
    ]
}

#[test]
fn an_unknown_or_malformed_account_number_is_not_found_in_any_verb() {
    let server = Server::start();
    // A number with a letter in it, so that upper case is another text.
    let account = loop {
        let account = server.open_account("10.0");
        if account.to_ascii_uppercase() != account {
            break account;
        }
    };
    let before = server.accounts_count();
    let upper = account.to_ascii_uppercase();
    let plain = account.replace('-', "");
    for (case, malformed) in [
        ("unknown", "12345678-1234-4123-8123-123456789abc".to_owned()),
        ("nil", "00000000-0000-0000-0000-000000000000".to_owned()),
        (
            "a UUID of version 1",
            "12345678-1234-1123-8123-123456789abc".to_owned(),
        ),
        ("a word", "nobody".to_owned()),
        ("a number", "1".to_owned()),
        ("null", "null".to_owned()),
        ("upper case", upper),
        ("no hyphens", plain.clone()),
        (
            "hyphens elsewhere",
            format!("{}-{}", &plain[..16], &plain[16..]),
        ),
        ("braces, encoded", format!("%7B{account}%7D")),
        ("braces", format!("{{{account}}}")),
        ("urn", format!("urn:uuid:{account}")),
        ("trailing space", format!("{account}%20")),
        ("leading space", format!("%20{account}")),
        ("trailing line feed", format!("{account}%0A")),
        ("trailing NUL", format!("{account}%00")),
        ("trailing dot", format!("{account}.")),
        ("trailing plus", format!("{account}+")),
        ("cut short", account[..35].to_owned()),
        ("a digit more", format!("{account}0")),
        ("a hyphen less", account.replacen('-', "", 1)),
        (
            "a letter that is no hexadecimal digit",
            format!("g{}", &account[1..]),
        ),
        ("full-width digits", "%EF%BC%91".repeat(12)),
        ("not UTF-8", "%FF%FE".to_owned()),
        ("a broken escape", "%zz".to_owned()),
        ("twice encoded", account.replace('-', "%252D")),
        ("long", "a".repeat(4_000)),
        ("the number twice", format!("{account},{account}")),
    ] {
        for (verb, request) in ["balance", "deposit", "withdraw", "delete"]
            .iter()
            .zip(requests_about(&malformed))
        {
            let response = server.send(&request);
            let case = format!("{verb}: {case}");
            assert_answer(&response, 404, &detail("Account not found"), &case);
        }
    }
    assert_eq!(server.balance(&account), "10.0");
    assert_eq!(server.accounts_count(), before);
}

#[test]
fn a_withdrawal_above_the_balance_is_refused_and_takes_nothing() {
    let server = Server::start();
    let account = server.open_account("100.0");
    for amount in ["100.01", "101", "10000", "\"100.01\""] {
        let path = format!("/accounts/{account}/withdraw");
        let response = server.post(&path, &format!(r#"{{"amount":{amount}}}"#));
        assert_answer(&response, 400, &detail("Insufficient funds"), amount);
        assert_eq!(server.balance(&account), "100.0", "{amount}");
    }
}

#[test]
fn no_more_accounts_are_opened_than_allowed_and_closing_makes_room() {
    let server = Server::configure().env("MAX_ACCOUNTS", "3").start();
    let full = detail("Maximum number of accounts (3) reached");
    let accounts: Vec<String> = (0..3).map(|_| server.open_account("1.0")).collect();
    for _ in 0..3 {
        assert_answer(
            &server.post("/accounts", "{}"),
            507,
            &full,
            "a fourth account",
        );
    }
    assert_eq!(server.accounts_count(), 3);
    assert_eq!(
        server.delete(&format!("/accounts/{}", accounts[1])).status,
        204
    );
    server.open_account("1.0");
    assert_answer(&server.post("/accounts", "{}"), 507, &full, "full again");
    // A second close of the same account makes no room.
    assert_eq!(
        server.delete(&format!("/accounts/{}", accounts[1])).status,
        404
    );
    assert_answer(
        &server.post("/accounts", "{}"),
        507,
        &full,
        "after a refused close",
    );
}

#[test]
fn an_unknown_path_is_not_found() {
    let server = Server::start();
    let account = server.open_account("1.0");
    let known = format!("/accounts/{account}");
    for path in [
        "/nowhere".to_owned(),
        "/account".to_owned(),
        "/accountsx".to_owned(),
        "/ACCOUNTS".to_owned(),
        "/Health".to_owned(),
        "/health/x".to_owned(),
        "//accounts".to_owned(),
        "/api/accounts".to_owned(),
        "/.env".to_owned(),
        "/favicon.php".to_owned(),
        "/%2e%2e/%2e%2e/etc/passwd".to_owned(),
        "/accounts%00".to_owned(),
        "/openapi.yaml".to_owned(),
        format!("{known}/interest"),
        format!("{known}/Balance"),
        format!("{known}/balance/x"),
        format!("{known}/deposit/1"),
        format!("/{account}"),
        format!("/{}", "x".repeat(4_000)),
    ] {
        for method in ["GET", "POST", "DELETE", "PUT"] {
            let response = server.send(&Request::new(method, &path));
            let case = format!("{method} {}", &path[..path.len().min(80)]);
            assert_answer(&response, 404, &detail("Not Found"), &case);
        }
    }
}

fn allowed(response: &Response) -> BTreeSet<String> {
    let allow = response.header("allow").unwrap_or_default();
    allow
        .split(',')
        .map(|method| method.trim().to_owned())
        .collect()
}

#[test]
fn a_wrong_method_is_refused_and_the_right_ones_are_named() {
    let server = Server::start();
    let account = server.open_account("1.0");
    let of_account = |rest: &str| format!("/accounts/{account}{rest}");
    for (path, methods) in [
        ("/accounts".to_owned(), &["GET", "POST"][..]),
        (of_account(""), &["DELETE"]),
        (of_account("/balance"), &["GET"]),
        (of_account("/transactions"), &["GET"]),
        (of_account("/deposit"), &["POST"]),
        (of_account("/withdraw"), &["POST"]),
        ("/accounts/nobody".to_owned(), &["DELETE"]),
        ("/accounts/nobody/balance".to_owned(), &["GET"]),
        ("/accounts/nobody/deposit".to_owned(), &["POST"]),
        ("/health".to_owned(), &["GET", "HEAD"]),
        ("/livez".to_owned(), &["GET", "HEAD"]),
        ("/readyz".to_owned(), &["GET", "HEAD"]),
        ("/".to_owned(), &["GET", "HEAD"]),
    ] {
        for method in [
            "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get",
        ] {
            if methods.contains(&method) {
                continue;
            }
            let case = format!("{method} {path}");
            let response = server.send(&Request::new(method, &path));
            assert_answer(&response, 405, &detail("Method Not Allowed"), &case);
            let expected: BTreeSet<String> = methods.iter().map(ToString::to_string).collect();
            assert_eq!(allowed(&response), expected, "{case}");
        }
    }
    for path in ["/docs", "/redoc", "/openapi.json"] {
        let response = server.send(&Request::new("POST", path));
        assert_answer(&response, 405, &detail("Method Not Allowed"), path);
        assert!(
            allowed(&response).contains("GET"),
            "{path}: {:?}",
            response.headers
        );
    }
    assert_eq!(server.balance(&account), "1.0");
}

/// The paths that monitors and load balancers ask with HEAD.
const ANSWER_HEAD: [&str; 7] = [
    "/",
    "/health",
    "/livez",
    "/readyz",
    "/docs",
    "/redoc",
    "/openapi.json",
];

/// The headers of an answer apart from those that each answer has of its own.
fn lasting_headers(response: &Response) -> BTreeSet<(String, String)> {
    let headers = response.headers.iter();
    headers
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id"))
        .collect()
}

#[test]
fn head_is_answered_like_get_without_the_body() {
    let server = Server::start();
    let mut client = server.connect();
    for path in ANSWER_HEAD {
        let got = client.send(&Request::get(path));
        let head = client.send(&Request::new("HEAD", path));
        assert_eq!(head.status, 200, "{path}");
        assert_eq!(head.text(), "", "{path}");
        assert_eq!(lasting_headers(&head), lasting_headers(&got), "{path}");
        assert!(head.header("content-length").is_some(), "{path}");
        let queried = client.send(&Request::new("HEAD", &format!("{path}?x=1")));
        assert_eq!(queried.status, 200, "{path}");
        if path != "/" {
            let redirect = client.send(&Request::new("HEAD", &format!("{path}/?x=1")));
            assert_eq!(redirect.status, 307, "{path}/");
            let to = format!("{path}?x=1");
            assert_eq!(redirect.header("location"), Some(to.as_str()), "{path}/");
        }
        let wrong = client.send(&Request::new("PUT", path));
        let expected = ["GET", "HEAD"].map(str::to_owned);
        assert_eq!(allowed(&wrong), BTreeSet::from(expected), "{path}");
    }
    // As for GET, with an origin.
    let head = Request::new("HEAD", "/health").header("Origin", "https://a.example");
    let head = client.send(&head);
    assert_eq!(head.header("access-control-allow-origin"), Some("*"));
}

#[test]
fn head_is_a_wrong_method_for_accounts() {
    let server = Server::start();
    let account = server.open_account("1.0");
    let mut client = server.connect();
    for path in [
        "/accounts".to_owned(),
        format!("/accounts/{account}"),
        format!("/accounts/{account}/balance"),
        format!("/accounts/{account}/transactions"),
        format!("/accounts/{account}/deposit"),
    ] {
        let response = client.send(&Request::new("HEAD", &path));
        assert_eq!(response.status, 405, "{path}");
        assert!(
            !allowed(&response).contains("HEAD"),
            "{path}: {:?}",
            response.headers
        );
        // The next answer begins at once: HEAD has no body.
        assert_eq!(
            client.send(&Request::get("/health")).status,
            200,
            "after HEAD {path}"
        );
    }
}
