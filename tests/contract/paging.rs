//! The listing in pages, for clients that ask for it.

use crate::answers::{Invalid, assert_answer};
use crate::support::{Request, Response, Server};
use serde_json::Value;

/// One page: the numbers on it and the cursor to the next one.
struct Page {
    accounts: Vec<String>,
    next_after: Option<String>,
}

/// Reads a page and asserts its form to the byte, including its `Link`.
#[track_caller]
fn page(response: &Response, limit: usize, total: usize) -> Page {
    let body = response.text();
    assert_eq!(response.status, 200, "{body}");
    let json = response.json();
    let listed = json["accounts"].as_array().expect("accounts");
    let has_more = json["has_more"].as_bool().expect("has_more");
    let next_after = json["next_after"].as_str().map(str::to_owned);
    assert_eq!(has_more, next_after.is_some(), "{body}");

    let start = format!(r#"{{"total_accounts":{total},"max_accounts":1000,"accounts":["#);
    assert!(body.starts_with(&start), "{body}");
    let cursor = next_after
        .as_ref()
        .map_or("null".into(), |cursor| format!("\"{cursor}\""));
    let end = format!(r#"],"has_more":{has_more},"next_after":{cursor}}}"#);
    assert!(body.ends_with(&end), "{body}");
    for account in listed {
        let keys: Vec<&String> = account.as_object().expect("an account").keys().collect();
        assert_eq!(keys.len(), 4, "{account}");
    }

    let link = next_after
        .as_ref()
        .map(|cursor| format!(r#"</accounts?limit={limit}&after={cursor}>; rel="next""#));
    assert_eq!(response.header("link"), link.as_deref(), "{body}");
    let number = |it: &Value| it["account_number"].as_str().expect("a number").to_owned();
    Page {
        accounts: listed.iter().map(number).collect(),
        next_after,
    }
}

fn open(server: &Server, count: usize) -> Vec<String> {
    let mut client = server.connect();
    (0..count)
        .map(|_| {
            client
                .send(&Request::post("/accounts", "{}"))
                .account_number()
        })
        .collect()
}

/// Every account from a cursor on, page by page.
fn walk(server: &Server, limit: usize, total: usize, mut after: Option<String>) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let cursor = after
            .as_ref()
            .map_or(String::new(), |cursor| format!("&after={cursor}"));
        let response = server.get(&format!("/accounts?limit={limit}{cursor}"));
        let page = page(&response, limit, total);
        assert!(page.accounts.len() <= limit);
        assert!(
            page.next_after.is_none() || page.accounts.len() == limit,
            "a page is full"
        );
        seen.extend(page.accounts);
        match page.next_after {
            Some(next) => after = Some(next),
            None => return seen,
        }
    }
}

#[test]
fn the_pages_together_are_the_plain_listing() {
    let server = Server::start();
    let opened = open(&server, 12);
    for limit in [1, 2, 3, 5, 6, 11, 12, 13, 1000] {
        assert_eq!(walk(&server, limit, 12, None), opened, "limit {limit}");
    }
}

#[test]
fn the_accounts_on_a_page_are_those_of_the_plain_listing_to_the_byte() {
    let server = Server::start();
    open(&server, 3);
    let plain = server.get("/accounts").text();
    let paged = server.get("/accounts?limit=3").text();
    let plain = plain.strip_suffix('}').unwrap();
    assert_eq!(
        paged,
        format!(r#"{plain},"has_more":false,"next_after":null}}"#)
    );
}

#[test]
fn an_empty_service_has_one_empty_page() {
    let server = Server::start();
    let body = r#"{"total_accounts":0,"max_accounts":1000,"accounts":[],"has_more":false,"next_after":null}"#;
    assert_answer(&server.get("/accounts?limit=5"), 200, body, "empty");
}

#[test]
fn a_full_last_page_has_nothing_after_it() {
    let server = Server::start();
    open(&server, 4);
    let first = page(&server.get("/accounts?limit=2"), 2, 4);
    let cursor = first.next_after.expect("two more accounts");
    let last = page(
        &server.get(&format!("/accounts?limit=2&after={cursor}")),
        2,
        4,
    );
    assert_eq!((last.accounts.len(), last.next_after), (2, None));
}

#[test]
fn without_a_limit_a_page_after_a_cursor_holds_a_hundred() {
    let server = Server::start();
    let opened = open(&server, 250);
    let cursor = page(&server.get("/accounts?limit=10"), 10, 250)
        .next_after
        .expect("more");
    let next = page(&server.get(&format!("/accounts?after={cursor}")), 100, 250);
    assert_eq!(next.accounts, opened[10..110]);
}

#[test]
fn a_link_leads_to_the_next_page() {
    let server = Server::start();
    let opened = open(&server, 5);
    let mut path = "/accounts?limit=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let response = server.get(&path);
        seen.extend(page(&response, 2, 5).accounts);
        let Some(link) = response.header("link") else {
            break;
        };
        let (target, _) = link.strip_prefix('<').unwrap().split_once('>').unwrap();
        path = target.to_owned();
    }
    assert_eq!(seen, opened);
}

#[test]
fn a_cursor_survives_the_closing_of_accounts_around_it() {
    let server = Server::start();
    let opened = open(&server, 10);
    let first = page(&server.get("/accounts?limit=4"), 4, 10);
    assert_eq!(first.accounts, opened[..4]);
    // The account that the cursor came from, one before it and one after it.
    for closed in [3, 0, 4] {
        assert_eq!(
            server
                .delete(&format!("/accounts/{}", opened[closed]))
                .status,
            204
        );
    }
    assert_eq!(walk(&server, 4, 7, first.next_after.clone()), opened[5..]);
    let newer = open(&server, 1);
    let rest = walk(&server, 4, 8, first.next_after);
    assert_eq!(rest, [&opened[5..], &newer[..]].concat());
}

#[test]
fn a_cursor_with_nothing_left_after_it_gives_an_empty_page() {
    let server = Server::start();
    let opened = open(&server, 3);
    let cursor = page(&server.get("/accounts?limit=2"), 2, 3)
        .next_after
        .expect("one more");
    assert_eq!(
        server.delete(&format!("/accounts/{}", opened[2])).status,
        204
    );
    let last = page(
        &server.get(&format!("/accounts?limit=2&after={cursor}")),
        2,
        2,
    );
    assert_eq!((last.accounts.len(), last.next_after), (0, None));
}

#[test]
fn a_bad_limit_is_refused() {
    let server = Server::start();
    open(&server, 1);
    for (sent, invalid) in [
        ("abc", Invalid::not_an_integer()),
        ("", Invalid::not_an_integer()),
        ("1.5", Invalid::not_an_integer()),
        ("1e2", Invalid::not_an_integer()),
        ("0x10", Invalid::not_an_integer()),
        ("0", Invalid::limit_below_one()),
        ("-1", Invalid::limit_below_one()),
        ("1001", Invalid::limit_above_1000()),
        ("4294967297", Invalid::limit_above_1000()),
    ] {
        let response = server.get(&format!("/accounts?limit={sent}"));
        let body = invalid.at(r#"["query","limit"]"#, &format!("\"{sent}\""));
        assert_answer(&response, 422, &body, &format!("limit={sent}"));
    }
    for sent in [
        "99999999999999999999999999",
        "-99999999999999999999999999",
        "1%FF",
        "%00",
    ] {
        let response = server.get(&format!("/accounts?limit={sent}"));
        assert_eq!(response.status, 422, "limit={sent}: {}", response.text());
        assert_eq!(
            response.json()["detail"][0]["loc"],
            serde_json::json!(["query", "limit"])
        );
    }
}

#[test]
fn a_bad_cursor_is_refused() {
    let server = Server::start();
    open(&server, 3);
    for sent in [
        "no-cursor!",
        "",
        "%00",
        "%FF",
        "-1",
        "18446744073709551615",
        "18446744073709551616",
        // No account is that young: a page of none would say that there are no more.
        "4",
        "20261125",
        &"9".repeat(4_000),
    ] {
        for query in [format!("after={sent}"), format!("limit=2&after={sent}")] {
            let response = server.get(&format!("/accounts?{query}"));
            let case = &query[..query.len().min(60)];
            assert_eq!(response.status, 422, "{case}: {}", response.text());
            let error = response.json()["detail"][0].clone();
            assert_eq!(
                error["loc"],
                serde_json::json!(["query", "after"]),
                "{case}"
            );
            assert!(
                error["type"].is_string() && error["msg"].is_string(),
                "{case}: {error}"
            );
            assert!(
                error["input"].as_str().is_some_and(|it| it.len() <= 260),
                "{case}: {error}"
            );
        }
    }
}

#[test]
fn unknown_query_parameters_change_nothing() {
    let server = Server::start();
    open(&server, 2);
    let plain = server.get("/accounts");
    assert_eq!(plain.header("link"), None);
    for query in ["page=1", "Limit=1", "offset=1&x", "x=limit=1", "&&", "="] {
        let response = server.get(&format!("/accounts?{query}"));
        assert_answer(&response, 200, &plain.text(), query);
        assert_eq!(response.header("link"), None, "{query}");
    }
    let page = page(&server.get("/accounts?x=y&limit=1&z"), 1, 2);
    assert_eq!(page.accounts.len(), 1);
}

#[test]
fn all_accounts_are_one_answer_up_to_a_thousand_and_a_stream_beyond() {
    let server = Server::configure().flag("--max-accounts", "3000").start();
    let mut opened = open(&server, 999);
    for more in [1, 1, 1_000] {
        opened.extend(open(&server, more));
        let total = opened.len();
        let response = server.get("/accounts");
        let is_one = total <= 1_000;
        assert_eq!(
            response.header("content-length").is_some(),
            is_one,
            "{total}"
        );
        assert_eq!(
            response.header("transfer-encoding"),
            (!is_one).then_some("chunked"),
            "{total}"
        );
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.header("link"), None);
        let listing = response.json();
        assert_eq!(listing["total_accounts"], total);
        let listed = listing["accounts"].as_array().unwrap().iter();
        let listed: Vec<_> = listed
            .map(|it| it["account_number"].as_str().unwrap())
            .collect();
        assert_eq!(listed, opened);
        // A client that knows no chunks gets the same, to the end of its connection.
        let mut old = server.connect();
        old.write(b"GET /accounts HTTP/1.0\r\n\r\n");
        let sent_to_old = old.receive("GET");
        assert_eq!(sent_to_old.header("transfer-encoding"), None);
        assert!(sent_to_old.body == response.body, "{total} in HTTP/1.0");
    }
}

#[test]
fn the_stream_has_the_accounts_of_the_pages_to_the_byte() {
    let server = Server::configure().flag("--max-accounts", "1001").start();
    open(&server, 1_001);
    let plain = server.get("/accounts").text();
    let first = server.get("/accounts?limit=1000").text();
    let (first, rest) = first.rsplit_once(r#"],"has_more""#).unwrap();
    let cursor = rest.split('"').rev().nth(1).unwrap();
    let last = server.get(&format!("/accounts?after={cursor}")).text();
    let (_, last) = last.split_once(r#""accounts":["#).unwrap();
    let (last, _) = last.rsplit_once(r#"],"has_more""#).unwrap();
    assert_eq!(
        plain,
        format!("{first},{last}]}}").replace(":1000,", ":1001,")
    );
}
