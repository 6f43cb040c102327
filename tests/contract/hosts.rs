//! Under which names the service answers. A page whose name was led here by its own DNS is of the service's own origin
//! to a browser: the name is all that gives it away.

use crate::answers::{assert_answer, detail};
use crate::support::{Client, Launch, Request, Response, Server};

const OWN: &str = "https://cashpoint.example";

fn ask(client: &mut Client, head: &str) -> Response {
    client.write(head.as_bytes());
    client.receive(head.split(' ').next().unwrap())
}

/// One server, asked on one connection.
fn restricted() -> Server {
    Server::configure().flag("--external-url", OWN).start()
}

fn not_allowed(name: &str) -> String {
    detail(&format!(
        "The host name {name} is not allowed; whoever runs the service can allow it with --allowed-host or ALLOWED_HOST"
    ))
}

#[test]
fn a_request_names_one_host_that_can_be_one() {
    let missing = detail("The Host header is missing or empty");
    let several = detail("There is more than one Host header");
    let invalid =
        detail("The Host header must be a host name or an IP address, with a port or without");
    // In every mode.
    for launch in [
        Server::configure(),
        Server::configure().flag("--external-url", OWN),
    ] {
        let server = launch.start();
        let mut client = server.connect();
        for (fields, body) in [
            ("", &missing),
            ("Host: a\r\nHost: a\r\n", &several),
            ("Host: a\r\nX: y\r\nhost: b\r\n", &several),
            ("Host:\r\nHost:\r\n", &several),
            ("Host: a b\r\n", &invalid),
            ("Host: a,b c\r\n", &invalid),
            ("Host: a/b\r\n", &invalid),
            ("Host: http://a\r\n", &invalid),
            ("Host: user@a\r\n", &invalid),
            ("Host: a:b\r\n", &invalid),
            ("Host: a:-1\r\n", &invalid),
            ("Host: a:+1\r\n", &invalid),
            ("Host: a:65536\r\n", &invalid),
            ("Host: a:000080\r\n", &invalid),
            ("Host: a:1:2\r\n", &invalid),
            ("Host: ::1\r\n", &invalid),
            ("Host: [::1\r\n", &invalid),
            ("Host: [::1]x\r\n", &invalid),
            ("Host: [a]\r\n", &invalid),
            ("Host: [127.0.0.1]\r\n", &invalid),
            ("Host: a\\b\r\n", &invalid),
            ("Host: \"a\"\r\n", &invalid),
            ("Host: <a>\r\n", &invalid),
            ("Host: \u{e9}\r\n", &invalid),
            ("Host: a%\r\n", &invalid),
            ("Host: a%zz\r\n", &invalid),
        ] {
            for line in [
                "GET /health HTTP/1.1",
                "GET /accounts HTTP/1.1",
                "GET /nowhere HTTP/1.1",
                "DELETE /accounts/x HTTP/1.1",
                "OPTIONS * HTTP/1.1",
                "GET http://localhost/accounts HTTP/1.1",
            ] {
                let case = format!("{line}: {fields:?}");
                let response = ask(&mut client, &format!("{line}\r\n{fields}\r\n"));
                assert_answer(&response, 400, body, &case);
            }
        }
        let long = "a".repeat(256);
        let response = ask(
            &mut client,
            &format!("GET / HTTP/1.1\r\nHost: {long}\r\n\r\n"),
        );
        assert_answer(&response, 400, &invalid, "too long");
        // A refusal is an answer like others: nothing is done, and the connection goes on.
        let post = "POST /accounts HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
        assert_answer(&ask(&mut client, post), 400, &missing, post);
        assert_eq!(client.send(&Request::get("/accounts")).status, 200);
        assert_eq!(server.accounts_count(), 0);
    }
}

#[test]
fn http_1_0_need_not_name_a_host_and_names_at_most_one() {
    for launch in [
        Server::configure(),
        Server::configure().flag("--external-url", OWN),
    ] {
        let server = launch.start();
        for (fields, status) in [
            ("", 200),
            ("Host: localhost\r\n", 200),
            ("Host: localhost\r\nHost: localhost\r\n", 400),
            ("Host: a b\r\n", 400),
        ] {
            let head = format!("GET /accounts HTTP/1.0\r\n{fields}\r\n");
            let response = ask(&mut server.connect(), &head);
            assert_eq!(response.status, status, "{fields:?}");
        }
    }
}

#[test]
fn without_a_name_of_its_own_every_name_will_do() {
    let server = Server::start();
    let mut client = server.connect();
    for host in [
        "evil.example",
        "EVIL.example:1",
        "cashpoint_app",
        "a.",
        "a:",
        "a%41",
        "203.0.113.7",
        "[2001:db8::1]:80",
        "",
    ] {
        let request = Request::get("/accounts").header("Host", host);
        assert_eq!(client.send(&request).status, 200, "{host}");
    }
}

#[test]
fn with_an_external_url_only_its_name_localhost_and_addresses_will_do() {
    for launch in [
        Server::configure().flag("--external-url", OWN),
        Server::configure()
            .env("ENVIRONMENT", "production")
            .env("RENDER_EXTERNAL_URL", OWN),
        Server::configure().env("ALLOWED_ORIGIN", OWN),
        Server::configure().env("ALLOWED_HOST", "cashpoint.example"),
    ] {
        let server = launch.start();
        let mut client = server.connect();
        for host in [
            "cashpoint.example",
            "cashpoint.example:8443",
            "CashPoint.Example",
            "cashpoint.example.",
            "cashpoint.example.:80",
            "cashpoint.example:",
            "localhost",
            "localhost:8000",
            "LocalHost.",
            "127.0.0.1",
            "127.0.0.1:8000",
            "203.0.113.7:80",
            "[::1]",
            "[::1]:8000",
            "[2001:DB8::1]",
        ] {
            let request = Request::get("/accounts").header("Host", host);
            assert_eq!(client.send(&request).status, 200, "{host}");
        }
        for (host, name) in [
            ("evil.example", "evil.example"),
            ("Evil.Example.:8000", "evil.example"),
            (
                "cashpoint.example.evil.example",
                "cashpoint.example.evil.example",
            ),
            ("www.cashpoint.example", "www.cashpoint.example"),
            ("example", "example"),
            ("cashpoint.example..", "cashpoint.example."),
            ("localhost.evil.example", "localhost.evil.example"),
            ("127.0.0.1.evil.example", "127.0.0.1.evil.example"),
            ("127.0.0.256", "127.0.0.256"),
            ("127.1", "127.1"),
            ("2130706433", "2130706433"),
            ("0x7f.0.0.1", "0x7f.0.0.1"),
            ("cashpoint%2eexample", "cashpoint%2eexample"),
        ] {
            for request in [
                Request::get("/accounts"),
                Request::get("/"),
                Request::get("/health/"),
                Request::get("/nowhere"),
                Request::post("/accounts", "{}"),
                // To a browser this is the page's own origin.
                Request::post("/accounts", "{}")
                    .header("Origin", &format!("http://{host}"))
                    .header("Sec-Fetch-Site", "same-origin"),
                Request::new("OPTIONS", "/accounts"),
            ] {
                let request = request.header("Host", host);
                let response = client.send(&request);
                assert_answer(&response, 400, &not_allowed(name), &format!("{request:?}"));
            }
        }
        let nobody = Request::get("/accounts").header("Host", "");
        assert_eq!(client.send(&nobody).status, 400, "no name");
        assert_eq!(
            server.send(&nobody).status,
            400,
            "no name on a new connection"
        );
        assert_eq!(server.accounts_count(), 0);
    }
}

#[test]
fn more_names_can_be_allowed() {
    for launch in [
        Server::configure().env("ALLOWED_HOST", "cash.internal,Other.Example."),
        Server::configure()
            .flag("--allowed-host", "CASH.internal")
            .flag("--allowed-host", "other.example"),
        Server::configure()
            .flag("--external-url", "https://other.example")
            .flag("--allowed-host", "cash.internal"),
    ] {
        let server = launch.start();
        for (host, status) in [
            ("cash.internal", 200),
            ("Cash.Internal.:80", 200),
            ("other.example", 200),
            ("localhost", 200),
            ("internal", 400),
        ] {
            let request = Request::get("/accounts").header("Host", host);
            assert_eq!(server.send(&request).status, status, "{host}");
        }
    }
}

#[test]
fn probes_are_answered_under_every_name() {
    let server = restricted();
    for path in ["/health", "/livez", "/readyz", "/health?x=1"] {
        for method in ["GET", "HEAD"] {
            let request = Request::new(method, path).header("Host", "10-0-0-7.pod.cluster");
            assert_eq!(server.send(&request).status, 200, "{method} {path}");
        }
    }
}

#[test]
fn the_target_s_own_host_counts_and_not_the_header() {
    let server = restricted();
    let mut client = server.connect();
    for (target, host, status) in [
        ("http://cashpoint.example/accounts", "evil.example", 200),
        ("http://127.0.0.1:8000/accounts", "evil.example", 200),
        ("http://evil.example/accounts", "cashpoint.example", 400),
        (
            "http://a@cashpoint.example/accounts",
            "cashpoint.example",
            400,
        ),
        ("http://evil.example/health", "cashpoint.example", 200),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(ask(&mut client, &head).status, status, "{target}, {host}");
    }
    // Whose page a request is of is held against the same.
    let server = Server::configure().flag("--allowed-origin", OWN).start();
    for (target, host, status) in [
        ("http://localhost:8000/accounts", "127.0.0.1:9", 201),
        ("http://127.0.0.1:9/accounts", "localhost:8000", 403),
    ] {
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://localhost:8000\r\nContent-Length: 2\r\n\r\n{{}}"
        );
        let response = ask(&mut server.connect(), &head);
        assert_eq!(response.status, status, "{target}, {host}");
    }
}

#[test]
fn a_refusal_has_a_line_in_the_log() {
    let server = restricted();
    server.send(&Request::get("/accounts").header("Host", "evil.example"));
    let line = server
        .log()
        .wait_for(0, |line| line.contains("evil.example"));
    let line = line.unwrap_or_else(|| panic!("{}", server.log().text()));
    for part in ["INFO", "GET", "/accounts", "400", "--allowed-host"] {
        assert!(line.contains(part), "no {part} in {line}");
    }
}

#[test]
fn what_is_no_host_name_stops_the_start() {
    for value in [
        "https://cashpoint.example",
        "cashpoint.example:8000",
        "[::1]",
        "*",
        "*.example",
        "a b",
        ".",
        "a,,b",
        "\u{e9}.example",
    ] {
        let launch = Launch::bare().argument(&format!("--allowed-host={value}"));
        let (status, stderr) = launch.run_to_exit();
        assert_eq!(status.code(), Some(2), "{value}: {stderr}");
        assert!(stderr.contains("ALLOWED_HOST"), "{value}: {stderr}");
        assert!(stderr.contains("must be"), "{value}: {stderr}");
    }
}
