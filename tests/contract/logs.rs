//! What the service writes to stderr: nothing for what goes well, a line for what it refuses.

use std::time::Instant;

use serde_json::Value;

use crate::support::{Launch, PATIENCE, Request, Server};

/// Does some things that succeed, each with a request id of that prefix.
fn succeed(server: &Server, prefix: &str) {
    let mut client = server.connect();
    let account = client
        .send(&Request::post("/accounts", "{}"))
        .account_number();
    let path = |rest: &str| format!("/accounts/{account}{rest}");
    for (n, request) in [
        Request::get(&path("/balance")),
        Request::post(&path("/deposit"), r#"{"amount":5}"#),
        Request::post(&path("/withdraw"), r#"{"amount":5}"#),
        Request::get("/accounts"),
        Request::get("/health"),
        Request::get("/docs"),
        Request::new("DELETE", &path("")),
    ]
    .into_iter()
    .enumerate()
    {
        let response = client.send(&request.header("X-Request-Id", &format!("{prefix}-{n}")));
        assert!(response.status < 300, "{}", response.text());
    }
}

#[test]
fn at_info_success_is_silent_and_a_refusal_is_one_line_with_status_and_detail() {
    let server = Server::configure().env("MAX_ACCOUNTS", "2").start();
    let account = server.open_account("1.0");
    let path = |rest: &str| format!("/accounts/{account}{rest}");
    for (request, status, detail) in [
        (
            Request::get("/accounts/nobody/balance"),
            "404",
            "Account not found",
        ),
        (Request::get("/nowhere"), "404", "Not Found"),
        (Request::new("PUT", "/health"), "405", "Method Not Allowed"),
        (
            Request::post(&path("/withdraw"), r#"{"amount":5}"#),
            "400",
            "Insufficient funds",
        ),
        (
            Request::post(&path("/deposit"), r#"{"amount":0}"#),
            "422",
            "greater than 0",
        ),
        (Request::post("/accounts", "{"), "422", "JSON"),
        (
            Request::post("/accounts", &" ".repeat(20_000)),
            "413",
            "Request body too large",
        ),
    ] {
        let mark = server.log().mark();
        succeed(&server, "silent");
        server.send(&request);
        let refusal = |line: &str| line.contains(status) && line.contains(detail);
        let line = server.log().wait_for(mark, refusal);
        let lines = server.log().since(mark);
        assert!(
            line.is_some(),
            "no line with {status} and {detail}: {lines:#?}"
        );
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(lines[0].contains("INFO"), "{lines:#?}");
    }
}

#[test]
fn a_refusal_line_names_method_path_and_request_id() {
    let server = Server::start();
    let request = Request::get("/accounts/nobody/balance").header("X-Request-Id", "trace-4711");
    server.send(&request);
    let line = server
        .log()
        .wait_for(0, |line| line.contains("404"))
        .expect("a line");
    for part in ["GET", "/accounts/nobody/balance", "trace-4711"] {
        assert!(line.contains(part), "no {part} in {line}");
    }
}

#[test]
fn at_debug_there_is_a_line_for_each_request() {
    for level in ["DEBUG", "debug"] {
        let server = Server::configure().env("LOG_LEVEL", level).start();
        let account = server.open_account("1.0");
        let path = format!("/accounts/{account}/balance");
        for n in 1..=3 {
            let mark = server.log().mark();
            assert_eq!(server.get(&path).status, 200);
            let line = server.log().wait_for(mark, |line| line.contains(&path));
            let line = line.unwrap_or_else(|| panic!("no line for request {n}"));
            assert!(line.contains("200") && line.contains("GET"), "{line}");
            // A later request is logged later: what there is by then is everything.
            server.get("/health");
            server
                .log()
                .wait_for(mark, |line| line.contains("/health"))
                .expect("a line");
            let lines = server.log().since(mark);
            let about = lines.iter().filter(|line| line.contains(&path)).count();
            assert_eq!(about, 1, "{lines:#?}");
        }
    }
}

#[test]
fn at_error_a_refusal_is_silent() {
    let mut server = Launch::bare()
        .env("LOG_LEVEL", "ERROR")
        .start_on_a_free_port();
    server.get("/nowhere");
    server.signal("TERM");
    assert!(server.exit_within(PATIENCE).is_some());
    let lines: Vec<String> = server
        .log()
        .since(0)
        .into_iter()
        .filter(|line| line.contains("404"))
        .collect();
    assert!(lines.is_empty(), "{lines:#?}");
}

#[test]
fn in_json_every_line_is_an_object() {
    let server = Server::configure().flag("--log-format", "json").start();
    succeed(&server, "json");
    server.send(&Request::get("/accounts/%22%0A%7B/balance").header("X-Request-Id", "a\"b\\c"));
    server
        .log()
        .wait_for(0, |line| line.contains("404"))
        .expect("a line for the refusal");
    for line in server.log().since(0) {
        let object: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(object["level"].is_string(), "{line}");
        assert!(object["timestamp"].is_string(), "{line}");
    }
}

#[test]
fn a_request_cannot_forge_a_log_line() {
    let server = Server::start();
    let mark = server.log().mark();
    for path in [
        "/a%0Aforged",
        "/a%0D%0Aforged",
        "/accounts/a%0Aforged/balance",
        "/a%1B%5B31mforged",
    ] {
        server.get(path);
    }
    server.post("/accounts", r#"{"initial_balance":"\nforged \u001b[31m"}"#);
    server.get("/the-last-one");
    server
        .log()
        .wait_for(mark, |line| line.contains("the-last-one"))
        .expect("a line");
    for line in server.log().since(0) {
        assert!(
            !line.starts_with("forged"),
            "a line of a client's making: {line}"
        );
        assert!(!line.contains('\u{1b}'), "a terminal escape: {line:?}");
    }
}

#[test]
fn the_start_says_where_the_server_listens() {
    let server = Server::start();
    let port = server.port();
    let address = format!("http://127.0.0.1:{port}");
    assert!(
        server.log().text().contains(&address),
        "{}",
        server.log().text()
    );
}

/// The lines of a log in JSON.
fn objects(server: &Server) -> Vec<Value> {
    let lines = server.log().since(0);
    let object = |line: &String| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    };
    lines.iter().map(object).collect()
}

#[test]
fn a_request_line_has_its_latency_its_peer_and_its_id_as_they_are() {
    for level in ["info", "debug"] {
        let server = Server::configure()
            .env("LOG_LEVEL", level)
            .env("LOG_FORMAT", "json")
            .start();
        let mut client = server.connect();
        let path = if level == "info" {
            "/nowhere"
        } else {
            "/livez"
        };
        let began = Instant::now();
        client.send(&Request::get(path).header("X-Request-Id", "a\"b\\c"));
        let took_us = u64::try_from(began.elapsed().as_micros()).unwrap();
        server
            .log()
            .wait_for(0, |line| line.contains("latency_us"))
            .unwrap_or_else(|| panic!("{}", server.log().text()));
        let objects = objects(&server);
        let line = objects
            .iter()
            .find(|line| line["request_id"] == "a\"b\\c")
            .expect("the id as it was sent");
        assert_eq!(line["peer"], client.local_address().to_string());
        let latency_us = line["latency_us"].as_u64().expect("a number");
        assert!(latency_us <= took_us, "{latency_us} of {took_us}");
        assert_eq!(line["method"], "GET");
    }
}

/// Lines of their own, and how many refusals have none.
fn refusals(server: &Server) -> (u64, u64) {
    let objects = objects(server);
    let single = objects.iter().filter(|line| line["message"] == "refused");
    let more = objects
        .iter()
        .filter_map(|line| line["more_refused"].as_u64());
    (single.count() as u64, more.sum())
}

#[test]
fn a_flood_of_refusals_is_a_few_lines_and_a_number() {
    let mut server = Server::configure()
        .env("LOG_FORMAT", "json")
        .env("MAX_ACCOUNTS", "1")
        .start();
    server.open_account("1.0");
    let began = Instant::now();
    let mut client = server.connect();
    for _ in 0..500 {
        assert_eq!(client.send(&Request::get("/nowhere")).status, 404);
    }
    // One of another kind is not lost in it.
    assert_eq!(client.send(&Request::post("/accounts", "{}")).status, 507);
    let seconds = began.elapsed().as_secs() + 1;
    server
        .log()
        .wait_for(0, |line| line.contains("more_refused"))
        .expect("a line for the rest");
    server
        .log()
        .wait_for(0, |line| line.contains("\"status\":507"))
        .expect("a line for the refusal of another kind");
    // What was not yet told when the server ends is told then.
    for _ in 0..100 {
        assert_eq!(client.send(&Request::get("/nowhere")).status, 404);
    }
    server.signal("TERM");
    assert!(server.exit_within(PATIENCE).is_some());
    server.log().wait_for(0, |_| false);
    let (single, more) = refusals(&server);
    assert_eq!(single + more, 601);
    assert!(single <= (seconds + 2) * 10 + 1, "{single} in {seconds} s");
}

#[test]
fn at_debug_each_refusal_has_its_line() {
    let mut server = Server::configure()
        .env("LOG_FORMAT", "json")
        .env("LOG_LEVEL", "debug")
        .start();
    let mut client = server.connect();
    for _ in 0..100 {
        client.send(&Request::get("/nowhere"));
    }
    server.signal("TERM");
    assert!(server.exit_within(PATIENCE).is_some());
    server.log().wait_for(0, |_| false);
    assert_eq!(refusals(&server), (100, 0));
}

#[test]
fn what_is_long_is_cut_between_characters() {
    let server = Server::configure().env("LOG_FORMAT", "json").start();
    let mut client = server.connect();
    let method = "M".repeat(1_000);
    // The 128th byte is the second one of a character.
    let path = format!("/{}{}", "a".repeat(126), "é".repeat(1_000));
    client.write(format!("{method} {path} HTTP/1.1\r\nHost: cashpoint.test\r\n\r\n").as_bytes());
    assert_eq!(client.receive("GET").status, 404);
    server
        .log()
        .wait_for(0, |line| line.contains("refused"))
        .expect("a line");
    let objects = objects(&server);
    let line = objects.last().unwrap();
    assert_eq!(line["path"], path[..127]);
    assert_eq!(line["method"], "M".repeat(32));
}

/// What a client sends is one value of one field, in each format, and nothing in it is obeyed by a terminal.
#[test]
fn a_request_cannot_forge_a_field_of_its_line() {
    let forged = "/a\\\"method=DELETE\u{9b}31m\u{85}";
    let id = "b\\\"status=200";
    for format in ["text", "json"] {
        let server = Server::configure().env("LOG_FORMAT", format).start();
        let mut client = server.connect();
        let head = format!("GET {forged} HTTP/1.1\r\nHost: a\r\nX-Request-Id: {id}\r\n\r\n");
        client.write(head.as_bytes());
        assert_eq!(client.receive("GET").status, 404);
        let line = server.log().wait_for(0, |line| line.contains("refused"));
        let line = line.expect("a line");
        assert!(!line.contains(char::is_control), "{line:?}");
        if format == "text" {
            let fields = [
                r#" path="/a\\\"method=DELETE%C2%9B31m%C2%85" status=404 "#,
                r#" request_id="b\\\"status=200""#,
            ];
            assert!(fields.iter().all(|it| line.contains(it)), "{line}");
        } else {
            let object = objects(&server).pop().unwrap();
            assert_eq!(object["path"], "/a\\\"method=DELETE%C2%9B31m%C2%85");
            assert_eq!(object["request_id"], id);
        }
    }
}
