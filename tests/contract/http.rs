//! HTTP/1.1 as clients and proxies use it: reuse, pipelining, chunks, request ids, encodings.

use crate::answers::{assert_answer, detail};
use crate::support::{Request, Server};

#[test]
fn a_connection_survives_every_refusal() {
    let server = Server::configure().env("MAX_ACCOUNTS", "1").start();
    let account = server.open_account("1.0");
    let path = |rest: &str| format!("/accounts/{account}{rest}");
    let mut client = server.connect();
    for (case, request, status) in [
        (
            "insufficient funds",
            Request::post(&path("/withdraw"), r#"{"amount":5}"#),
            400,
        ),
        (
            "unknown account",
            Request::get("/accounts/nobody/balance"),
            404,
        ),
        (
            "unknown account, body",
            Request::post("/accounts/x/deposit", r#"{"amount":5}"#),
            404,
        ),
        ("unknown path", Request::get("/nowhere"), 404),
        (
            "unknown path, body",
            Request::post("/nowhere", r#"{"amount":5}"#),
            404,
        ),
        (
            "unknown path, long body",
            Request::post("/nowhere", &" ".repeat(9_000)),
            404,
        ),
        ("wrong method", Request::get(&path("/deposit")), 405),
        (
            "wrong method, body",
            Request::post(&path("/balance"), r#"{"amount":5}"#),
            405,
        ),
        (
            "wrong method, chunks",
            Request::new("PUT", "/accounts").chunked([&b"{}"[..]]),
            405,
        ),
        ("no body", Request::new("POST", "/accounts"), 422),
        ("malformed JSON", Request::post("/accounts", "{"), 422),
        (
            "malformed chunks of JSON",
            Request::new("POST", "/accounts").chunked([&b"{"[..]]),
            422,
        ),
        (
            "invalid amount",
            Request::post(&path("/deposit"), r#"{"amount":-5}"#),
            422,
        ),
        (
            "no JSON",
            Request::post(&path("/deposit"), "{}").header("X", "y"),
            422,
        ),
        ("bad page", Request::get("/accounts?limit=x"), 422),
        ("full", Request::post("/accounts", "{}"), 507),
        ("redirect", Request::get("/accounts/"), 307),
        ("redirect, body", Request::post("/accounts/", "{}"), 307),
    ] {
        let response = client.send(&request);
        assert_eq!(response.status, status, "{case}: {}", response.text());
        let response = client.send(&Request::get(&path("/balance")));
        assert_eq!(response.status, 200, "after {case}");
    }
}

#[test]
fn a_body_may_come_in_chunks() {
    let server = Server::start();
    let json = br#"{"initial_balance":12.34}"#;
    let whole = || json.chunks(json.len());
    for (case, request) in [
        (
            "one chunk",
            Request::new("POST", "/accounts").chunked(whole()),
        ),
        (
            "a chunk for each byte",
            Request::new("POST", "/accounts").chunked(json.chunks(1)),
        ),
        (
            "with a content type",
            Request::new("POST", "/accounts")
                .header("Content-Type", "application/json")
                .chunked(json.chunks(7)),
        ),
    ] {
        let account = server.send(&request).account_number();
        assert_eq!(server.balance(&account), "12.34", "{case}");
    }
    let mut client = server.connect();
    client.write(
        b"POST /accounts HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
          0A;name=value\r\n{\"initial_\r\nf\r\nbalance\":12.34}\r\n0\r\nX-Sum: 1\r\n\r\n",
    );
    let account = client.receive("POST").account_number();
    assert_eq!(server.balance(&account), "12.34", "extensions and trailers");
    assert_eq!(
        client.send(&Request::get("/health")).status,
        200,
        "after trailers"
    );
}

#[test]
fn a_body_may_come_in_small_pieces() {
    let server = Server::start();
    let request = Request::post("/accounts", r#"{"initial_balance":12.34}"#).to_bytes();
    let mut client = server.connect();
    for piece in request.chunks(9) {
        client.write(piece);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let account = client.receive("POST").account_number();
    assert_eq!(server.balance(&account), "12.34");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::start();
    let account = server.open_account("0.0");
    let mut client = server.connect();
    let mut requests = Vec::new();
    for n in 0..100 {
        let id = format!("pipelined-{n}");
        let request = match n % 4 {
            0 => Request::post(
                &format!("/accounts/{account}/deposit"),
                r#"{"amount":0.01}"#,
            ),
            1 => Request::get(&format!("/accounts/{account}/balance")),
            2 => Request::get("/nowhere"),
            _ => Request::post(&format!("/accounts/{account}/withdraw"), r#"{"amount":-1}"#),
        };
        requests.extend(request.header("X-Request-Id", &id).to_bytes());
    }
    client.write(&requests);
    for n in 0..100 {
        let response = client.receive("GET");
        assert_eq!(
            response.header("x-request-id"),
            Some(format!("pipelined-{n}").as_str())
        );
        assert_eq!(
            response.status,
            [200, 200, 404, 422][n % 4],
            "{n}: {}",
            response.text()
        );
        if n % 4 == 1 {
            // A read sees every deposit that was sent before it.
            let cents = n / 4 + 1;
            let expected = format!("0.{cents:02}");
            let expected = expected.strip_suffix('0').unwrap_or(&expected).to_owned();
            assert!(
                response
                    .text()
                    .ends_with(&format!("\"balance\":{expected}}}")),
                "{n}"
            );
        }
    }
}

#[test]
fn every_answer_has_a_request_id() {
    let server = Server::configure().env("MAX_ACCOUNTS", "1").start();
    let account = server.open_account("1.0");
    let path = |rest: &str| format!("/accounts/{account}{rest}");
    let mut made = std::collections::HashSet::new();
    for (case, request) in [
        ("page", Request::get("/")),
        ("documentation", Request::get("/docs")),
        ("description", Request::get("/openapi.json")),
        ("health", Request::get("/health")),
        ("liveness", Request::get("/livez")),
        ("readiness", Request::get("/readyz")),
        ("balance", Request::get(&path("/balance"))),
        ("listing", Request::get("/accounts")),
        (
            "deposit",
            Request::post(&path("/deposit"), r#"{"amount":1}"#),
        ),
        (
            "insufficient funds",
            Request::post(&path("/withdraw"), r#"{"amount":1000}"#),
        ),
        ("unknown account", Request::get("/accounts/nobody/balance")),
        ("unknown path", Request::get("/nowhere")),
        ("wrong method", Request::new("PUT", "/health")),
        (
            "invalid",
            Request::post("/accounts", r#"{"initial_balance":-1}"#),
        ),
        ("malformed", Request::post("/accounts", "{")),
        ("too large", Request::post("/accounts", &" ".repeat(20_000))),
        ("full", Request::post("/accounts", "{}")),
        ("redirect", Request::get("/health/")),
        (
            "preflight",
            Request::new("OPTIONS", "/accounts")
                .header("Origin", "https://a.example")
                .header("Access-Control-Request-Method", "POST"),
        ),
        ("no preflight", Request::new("OPTIONS", "/accounts")),
        ("close", Request::new("DELETE", &path(""))),
    ] {
        let response = server.send(&request);
        let id = response
            .header("x-request-id")
            .unwrap_or_else(|| panic!("{case}: none"));
        assert!(!id.is_empty() && id.len() <= 128, "{case}: {id}");
        assert!(made.insert(id.to_owned()), "{case}: {id} was used before");
    }
}

#[test]
fn a_sent_request_id_is_returned_unless_it_is_unfit() {
    let server = Server::start();
    let visible: String = ('!'..='~').collect();
    for id in [
        "a",
        "8f14e45f-ceea-467f-a8f3-1b1b1b1b1b1b",
        &visible,
        &"x".repeat(128),
    ] {
        for path in ["/health", "/nowhere", "/accounts/nobody/balance"] {
            let response = server.send(&Request::get(path).header("X-Request-Id", id));
            assert_eq!(response.header("x-request-id"), Some(id), "{path}");
        }
    }
    let too_long = "x".repeat(129);
    let unfit: [(&str, &[u8]); 6] = [
        ("empty", b""),
        ("too long", too_long.as_bytes()),
        ("a space inside", b"a b"),
        ("a tab inside", b"a\tb"),
        ("not ASCII", "ä".as_bytes()),
        ("not UTF-8", b"\xff\xfe"),
    ];
    for (case, id) in unfit {
        let mut client = server.connect();
        client.write(
            &[
                b"GET /health HTTP/1.1\r\nHost: a\r\nX-Request-Id: ",
                id,
                b"\r\n\r\n",
            ]
            .concat(),
        );
        let response = client.receive("GET");
        assert_eq!(response.status, 200, "{case}");
        let made = response
            .header("x-request-id")
            .unwrap_or_else(|| panic!("{case}: none"));
        assert_ne!(made.as_bytes(), id, "{case}");
        assert!(
            !made.is_empty() && made.bytes().all(|byte| byte.is_ascii_graphic()),
            "{case}"
        );
    }
}

#[test]
fn a_path_is_decoded_before_it_is_matched() {
    let server = Server::start();
    let account = server.open_account("3.0");
    let encoded: String = account.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let balance = format!(r#"{{"account_number":"{account}","balance":3.0}}"#);
    for path in [
        format!("/accounts/{encoded}/balance"),
        format!("/%61ccounts/{account}/b%61lance"),
        format!("/accounts/{}/balance", account.replace('-', "%2d")),
    ] {
        assert_answer(&server.get(&path), 200, &balance, &path);
    }
    assert_eq!(server.get("/%68ealth").status, 200);
    assert_eq!(server.delete(&format!("/accounts/{encoded}")).status, 204);
}

#[test]
fn a_query_on_any_path_is_ignored() {
    let server = Server::start();
    let account = server.open_account("3.0");
    assert_eq!(server.get("/health?x=1").status, 200);
    assert_eq!(
        server
            .get(&format!("/accounts/{account}/balance?_=1"))
            .status,
        200
    );
    let response = server.post(
        &format!("/accounts/{account}/deposit?amount=9"),
        r#"{"amount":1}"#,
    );
    assert_eq!(response.json()["new_balance"].to_string(), "4.0");
    assert_answer(
        &server.get("/nowhere?x"),
        404,
        &detail("Not Found"),
        "unknown path",
    );
}

#[test]
fn expect_100_continue_is_answered_before_the_body_is_sent() {
    let server = Server::start();
    let mut client = server.connect();
    client.write(
        b"POST /accounts HTTP/1.1\r\nHost: a\r\nContent-Length: 23\r\nExpect: 100-continue\r\n\r\n",
    );
    let interim = client.try_receive_head().expect("an interim answer");
    assert_eq!(interim.status, 100);
    client.write(br#"{"initial_balance":1.5}"#);
    let account = client.receive("POST").account_number();
    assert_eq!(server.balance(&account), "1.5");
}

#[test]
fn http_1_0_and_absolute_targets_are_served() {
    let server = Server::start();
    let port = server.port();
    for (case, request) in [
        ("HTTP/1.0", "GET /health HTTP/1.0\r\n\r\n".to_owned()),
        (
            "HTTP/1.0, keep-alive",
            "GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".to_owned(),
        ),
        (
            "absolute form",
            format!(
                "GET http://127.0.0.1:{port}/health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
            ),
        ),
        (
            "Connection: close",
            "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned(),
        ),
        (
            "lower-case header names",
            "GET /health HTTP/1.1\r\nhost:a\r\n\r\n".to_owned(),
        ),
    ] {
        let mut client = server.connect();
        client.write(request.as_bytes());
        let response = client.receive("GET");
        assert_eq!(response.status, 200, "{case}");
        assert_eq!(response.json()["status"], "healthy", "{case}");
        if case == "HTTP/1.0" || case == "Connection: close" {
            assert!(
                client.read_to_end().is_empty(),
                "{case}: the connection ends"
            );
        }
    }
}

#[test]
fn an_answer_to_a_closing_client_is_not_lost() {
    let server = Server::start();
    let request = Request::post("/accounts", r#"{"initial_balance":1.5}"#);
    let mut client = server.connect();
    let account = client
        .send(&request.header("Connection", "close"))
        .account_number();
    assert!(client.read_to_end().is_empty());
    assert_eq!(server.balance(&account), "1.5");
}
