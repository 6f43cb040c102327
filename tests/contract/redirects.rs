//! A trailing slash leads to the path without it, and nothing is done on the way.

use crate::support::{Request, Server};

#[test]
fn a_trailing_slash_answers_307_with_the_path_without_it() {
    let server = Server::start();
    let account = server.open_account("10.0");
    let mut client = server.connect();
    for (method, path, location) in [
        ("GET", "/accounts/".to_owned(), "/accounts".to_owned()),
        ("POST", "/accounts/".to_owned(), "/accounts".to_owned()),
        ("GET", "/health/".to_owned(), "/health".to_owned()),
        ("GET", "/docs/".to_owned(), "/docs".to_owned()),
        (
            "GET",
            format!("/accounts/{account}/balance/"),
            format!("/accounts/{account}/balance"),
        ),
        (
            "GET",
            format!("/accounts/{account}/transactions/?limit=2"),
            format!("/accounts/{account}/transactions?limit=2"),
        ),
        (
            "POST",
            format!("/accounts/{account}/deposit/"),
            format!("/accounts/{account}/deposit"),
        ),
        (
            "POST",
            format!("/accounts/{account}/withdraw/"),
            format!("/accounts/{account}/withdraw"),
        ),
        (
            "DELETE",
            format!("/accounts/{account}/"),
            format!("/accounts/{account}"),
        ),
        (
            "GET",
            "/accounts/?limit=2&x=%20y".to_owned(),
            "/accounts?limit=2&x=%20y".to_owned(),
        ),
        ("GET", "/health/?".to_owned(), "/health".to_owned()),
    ] {
        let json = r#"{"amount":1.0}"#.as_bytes();
        let request = Request::new(method, &path).header("Content-Type", "application/json");
        let request = if method == "POST" {
            request.body(json)
        } else {
            request
        };
        let response = client.send(&request);
        let case = format!("{method} {path}");
        assert_eq!(response.status, 307, "{case}: {}", response.text());
        let to = response
            .header("location")
            .unwrap_or_else(|| panic!("{case}: no Location"));
        assert_eq!(to.trim_end_matches('?'), location, "{case}");
    }
    assert_eq!(server.balance(&account), "10.0");
    assert_eq!(server.accounts_count(), 1);
}

#[test]
fn the_location_does_not_depend_on_the_host_header() {
    let server = Server::start();
    let mut client = server.connect();
    client.write(b"GET /accounts/ HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    let response = client.receive("GET");
    assert_eq!(
        (response.status, response.header("location")),
        (307, Some("/accounts"))
    );
}

#[test]
fn no_path_leads_to_another_host() {
    let server = Server::start();
    for path in [
        "//evil.example/",
        "///evil.example/",
        "/%2Fevil.example/",
        "/%5Cevil.example/",
        "/\\evil/",
        "//",
        "///",
        "//accounts/",
        "/accounts//",
        "/%0d%0aSet-Cookie:x/",
        "/./",
        "/..//evil.example/",
    ] {
        let mut client = server.connect();
        let response = client.send(&Request::get(path));
        assert!(response.status < 500, "{path}");
        assert_eq!(response.header("set-cookie"), None, "{path}");
        if let Some(to) = response.header("location") {
            assert!(to.starts_with('/'), "{path} leads to {to}");
            assert!(
                !to.starts_with("//") && !to.starts_with("/\\"),
                "{path} leads to {to}"
            );
        }
    }
}

#[test]
fn following_the_location_does_what_was_asked() {
    let server = Server::start();
    let response = server.post("/accounts/", r#"{"initial_balance":2.5}"#);
    let location = response.header("location").expect("a Location").to_owned();
    let account = server
        .post(&location, r#"{"initial_balance":2.5}"#)
        .account_number();
    assert_eq!(server.balance(&account), "2.5");
}
