//! A signal stops the service: running requests finish, within bounds, and the log says so.

use crate::answers::assert_answer;
use crate::support::{Client, PATIENCE, Request, Server};
use std::os::unix::process::ExitStatusExt as _;
use std::thread;
use std::time::{Duration, Instant};

/// Sends the head and half of the body of a request that opens an account; returns the other half.
fn begin_a_request(server: &Server) -> (Client, Vec<u8>) {
    let request = Request::post("/accounts", r#"{"initial_balance":12.34}"#).to_bytes();
    let (begun, rest) = request.split_at(request.len() - 10);
    let mut client = server.connect();
    // An answer on the same connection first: the server has certainly accepted it.
    assert_eq!(client.send(&Request::get("/health")).status, 200);
    client.write(begun);
    // And time for the server to read what has begun, while another request is served.
    thread::sleep(Duration::from_millis(100));
    assert_eq!(server.get("/health").status, 200);
    (client, rest.to_vec())
}

/// Sends a signal and waits for the log to say that the server has seen it.
#[track_caller]
fn signal(server: &Server, name: &str) {
    let mark = server.log().mark();
    server.signal(name);
    let stopping = |line: &str| {
        let line = line.to_lowercase();
        ["shut", "stop", "drain"]
            .iter()
            .any(|word| line.contains(word))
    };
    let said = server.log().wait_for(mark, stopping);
    assert!(
        said.is_some(),
        "nothing about SIG{name} in {:#?}",
        server.log().since(mark)
    );
}

#[test]
fn a_request_in_flight_is_finished_on_either_signal() {
    for name in ["TERM", "INT"] {
        let mut server = Server::configure().flag("--shutdown-timeout", "60").start();
        let (mut client, rest) = begin_a_request(&server);
        signal(&server, name);
        // New clients find nobody, while the old one is waited for.
        let deadline = Instant::now() + PATIENCE;
        while server.try_connect().is_ok() {
            assert!(Instant::now() < deadline, "SIG{name}: still accepting");
            thread::sleep(Duration::from_millis(20));
        }
        client.write(&rest);
        let response = client.receive("POST");
        assert_eq!(response.status, 201, "SIG{name}: {}", response.text());
        let status = server
            .exit_within(PATIENCE)
            .expect("the server ends after its last answer");
        assert_eq!(status.code(), Some(0), "SIG{name}: {status}");
    }
}

#[test]
fn idle_connections_do_not_delay_the_end() {
    let mut server = Server::configure()
        .flag("--shutdown-timeout", "600")
        .start();
    let mut used = server.connect();
    assert_eq!(used.send(&Request::get("/health")).status, 200);
    let mut unused = server.connect();
    // Both have been accepted by the time that a third is served.
    assert_eq!(server.get("/health").status, 200);
    signal(&server, "TERM");
    let status = server
        .exit_within(PATIENCE)
        .expect("idle connections are not waited for");
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(used.read_to_end().is_empty());
    assert!(unused.read_to_end().is_empty());
}

#[test]
fn a_request_that_does_not_end_is_waited_for_only_so_long() {
    let launch = Server::configure()
        .flag("--shutdown-timeout", "1")
        .flag("--body-timeout", "600");
    let mut server = launch.start();
    let (_client, _rest) = begin_a_request(&server);
    signal(&server, "TERM");
    let status = server
        .exit_within(PATIENCE)
        .expect("the timeout is one second");
    assert_eq!(status.signal(), None, "the server ends by itself");
}

#[test]
fn a_second_signal_ends_the_wait() {
    for (first, second) in [("TERM", "TERM"), ("INT", "INT"), ("TERM", "INT")] {
        let launch = Server::configure()
            .flag("--shutdown-timeout", "600")
            .flag("--body-timeout", "600");
        let mut server = launch.start();
        let (_client, _rest) = begin_a_request(&server);
        signal(&server, first);
        assert!(
            server.exit_within(Duration::from_millis(300)).is_none(),
            "a request is running"
        );
        server.signal(second);
        assert!(
            server.exit_within(PATIENCE).is_some(),
            "SIG{first}, then SIG{second}"
        );
    }
}

#[test]
fn while_it_drains_a_server_is_alive_but_not_ready_and_still_serves() {
    let mut server = Server::configure().flag("--drain-delay", "3").start();
    let account = server.open_account("1.0");
    signal(&server, "TERM");
    assert_answer(
        &server.get("/readyz"),
        503,
        r#"{"status":"stopping"}"#,
        "readyz",
    );
    assert_answer(&server.get("/livez"), 200, r#"{"status":"alive"}"#, "livez");
    assert_eq!(server.get("/health").status, 200);
    let response = server.post(&format!("/accounts/{account}/deposit"), r#"{"amount":1.0}"#);
    assert_eq!(response.status, 200, "{}", response.text());
    let status = server
        .exit_within(PATIENCE)
        .expect("the server ends after the delay");
    assert_eq!(status.code(), Some(0), "{status}");
}

#[test]
fn a_server_without_clients_ends_at_once() {
    for name in ["TERM", "INT"] {
        let mut server = Server::start();
        signal(&server, name);
        let status = server.exit_within(PATIENCE).expect("nothing is left to do");
        assert_eq!(status.code(), Some(0), "SIG{name}: {status}");
    }
}
