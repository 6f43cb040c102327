//! Clients that close, stall, or send more than a request.
//!
//! What holds for them holds in memory and in durable mode, where an answer waits for the disk.

use std::io::{self, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::support::{Client, PATIENCE, Request, Server, statuses_in};

/// How long an answer may take that nothing holds back: far below the 30 seconds after which the server gives up on
/// a client.
const SOON: Duration = Duration::from_secs(10);

/// Runs a check against a server in memory, and against a durable one.
fn in_both_modes(check: impl Fn(&Server)) {
    check(&Server::start());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    check(&Server::configure().flag("--data", path).start());
}

fn deposit(account: &str) -> Request {
    Request::post(&format!("/accounts/{account}/deposit"), r#"{"amount":1}"#)
}

/// What becomes of the connection after the answer to the request.
enum Then {
    /// It is refused with that status, and ends.
    Refused(u16),
    /// It ends.
    Ends,
    /// It goes on: with these bytes the next request is whole.
    GoesOn(&'static [u8]),
}

#[test]
fn what_stands_behind_a_request_withholds_no_answer() {
    const GET: &[u8] = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
    in_both_modes(|server| {
        let account = server.open_account("0.0");
        let closing = deposit(&account).header("Connection", "close");
        let cases: [(&str, Request, &[u8], Then); 9] = [
            ("nothing", deposit(&account), b"", Then::GoesOn(GET)),
            (
                "a line break",
                deposit(&account),
                b"\r\n",
                Then::GoesOn(GET),
            ),
            (
                "half a head",
                deposit(&account),
                b"GET /heal",
                Then::GoesOn(b"th HTTP/1.1\r\nHost: a\r\n\r\n"),
            ),
            (
                "garbage",
                deposit(&account),
                b"garbage\r\n\r\n",
                Then::Refused(400),
            ),
            ("a NUL", deposit(&account), b"\0", Then::Refused(400)),
            (
                "more body than announced",
                deposit(&account),
                b"}}",
                Then::Refused(400),
            ),
            (
                "HTTP/2",
                deposit(&account),
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                Then::Refused(400),
            ),
            (
                "a request behind the last",
                closing.clone(),
                GET,
                Then::Ends,
            ),
            ("garbage behind the last", closing, b"\0\0\0", Then::Ends),
        ];
        for (n, (case, request, behind, then)) in cases.into_iter().enumerate() {
            let mut client = server.connect();
            client.read_timeout(SOON);
            client.write(&[&request.to_bytes(), behind].concat());
            let answer = client.try_receive("POST");
            let answer = answer.unwrap_or_else(|error| panic!("{case}: no answer: {error}"));
            assert_eq!(answer.status, 200, "{case}");
            let balance = answer.json()["new_balance"].to_string();
            assert_eq!(balance, format!("{}.0", n + 1), "{case}");
            match then {
                Then::GoesOn(rest) => {
                    client.write(rest);
                    assert_eq!(
                        client.receive("GET").status,
                        200,
                        "{case}: the next request"
                    );
                }
                Then::Refused(status) => {
                    assert_eq!(statuses_in(&client.read_to_end()), [status], "{case}");
                }
                Then::Ends => assert!(client.read_to_end().is_empty(), "{case}"),
            }
        }
    });
}

#[test]
fn a_client_that_ends_its_sending_side_is_answered() {
    in_both_modes(|server| {
        let account = server.open_account("0.0");
        let mut deposited = 0;
        for round in 0..60 {
            // One request alone, and several at once; the end at once, and a moment later.
            let requests = if round % 3 == 0 { 5 } else { 1 };
            let mut client = server.connect();
            client.read_timeout(SOON);
            client.write(&deposit(&account).to_bytes().repeat(requests));
            if round % 2 == 0 {
                thread::sleep(Duration::from_micros(100 * round));
            }
            client.finish_writing();
            assert_eq!(
                statuses_in(&client.read_to_end()),
                vec![200; requests],
                "round {round}"
            );
            deposited += requests;
        }
        assert_eq!(server.balance(&account), format!("{deposited}.0"));
    });
}

#[test]
fn many_clients_that_end_their_sending_side_are_answered() {
    in_both_modes(|server| {
        let account = server.open_account("0.0");
        let mut clients: Vec<Client> = (0..200)
            .map(|_| {
                let mut client = server.connect();
                client.write(&deposit(&account).to_bytes());
                client.finish_writing();
                client
            })
            .collect();
        let unanswered = clients
            .iter_mut()
            .filter_map(|client| (statuses_in(&client.read_to_end()) != [200]).then_some(()))
            .count();
        assert_eq!(unanswered, 0, "of {} clients", clients.len());
        assert_eq!(server.balance(&account), "200.0");
    });
}

#[test]
fn clients_that_are_gone_leave_no_connection_behind() {
    const CONNECTIONS_MAX: usize = 8;
    for durable in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let mut launch =
            Server::configure().flag("--max-connections", &CONNECTIONS_MAX.to_string());
        if durable {
            launch = launch.flag("--data", directory.path().to_str().unwrap());
        }
        let server = launch.start();
        let account = server.open_account("0.0");
        for round in 0..10 * CONNECTIONS_MAX {
            let mut client = server.connect();
            client.write(&deposit(&account).to_bytes());
            match round % 3 {
                0 => {}
                // Answers that are not read when a client closes make its system reset the connection.
                1 => client.write(&Request::get("/health").to_bytes().repeat(20)),
                _ => client.finish_writing(),
            }
        }
        let deadline = Instant::now() + PATIENCE;
        while server.connections() > 1 {
            assert!(
                Instant::now() < deadline,
                "{} are left",
                server.connections()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn the_first_answer_does_not_wait_for_the_second_request() {
    in_both_modes(|server| {
        let account = server.open_account("0.0");
        let second = deposit(&account).to_bytes();
        for body_bytes_sent in [0, 1, 5] {
            let mut client = server.connect();
            client.read_timeout(SOON);
            let (begun, rest) = second.split_at(second.len() - 12 + body_bytes_sent);
            client.write(&[&deposit(&account).to_bytes(), begun].concat());
            assert_eq!(client.receive("POST").status, 200);
            client.write(rest);
            assert_eq!(client.receive("POST").status, 200);
        }
        assert_eq!(server.balance(&account), "6.0");
    });
}

/// The size of a process once it has stopped growing, in KiB.
fn settled_kib(server: &Server) -> u64 {
    let deadline = Instant::now() + PATIENCE;
    let mut before = server.resident_kib();
    loop {
        thread::sleep(Duration::from_millis(500));
        let now = server.resident_kib();
        if now <= before || Instant::now() > deadline {
            return now;
        }
        before = now;
    }
}

#[test]
fn a_client_that_does_not_read_costs_a_bounded_amount() {
    const CLIENTS: usize = 20;
    const REQUESTS: usize = 600;
    const PER_CLIENT_MAX_KIB: u64 = 1024;
    in_both_modes(|server| {
        for _ in 0..300 {
            server.open_account("1.0");
        }
        let page = "/accounts?limit=300";
        let page_bytes = server.get(page).body.len();
        assert!(page_bytes > 30_000, "{page_bytes}");
        let before = settled_kib(server);
        let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
        for client in &mut clients {
            let mut requests = Vec::new();
            for n in 0..REQUESTS {
                requests.extend(
                    Request::get(page)
                        .header("X-Request-Id", &n.to_string())
                        .to_bytes(),
                );
            }
            client.write(&requests);
        }
        let growth = settled_kib(server).saturating_sub(before);
        println!("{growth} KiB for {CLIENTS} clients");
        assert!(
            growth <= CLIENTS as u64 * PER_CLIENT_MAX_KIB,
            "{growth} KiB for {CLIENTS} clients"
        );
        // Whoever reads after all gets all, in order.
        for client in clients.iter_mut().take(3) {
            for n in 0..REQUESTS {
                let answer = client.receive("GET");
                assert_eq!(answer.status, 200);
                assert_eq!(answer.body.len(), page_bytes);
                assert_eq!(answer.header("x-request-id"), Some(n.to_string().as_str()));
            }
        }
    });
}

#[test]
fn a_refused_client_that_goes_on_sending_gets_its_refusal() {
    let server = Server::start();
    for (case, begin, status) in [
        ("garbage", &b"garbage\r\n\r\n"[..], 400),
        ("no head that ends", &[b'x'; 100_000][..], 431),
        (
            "a body announced as too large",
            b"POST /accounts HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 9999999\r\n\r\n",
            413,
        ),
    ] {
        let mut client = server.connect();
        client.write(begin);
        for _ in 0..10 {
            thread::sleep(Duration::from_millis(20));
            client
                .try_write(&[b'x'; 50_000])
                .unwrap_or_else(|error| panic!("{case}: {error}"));
        }
        let mut answers = Vec::new();
        answers.extend(client.read_to_end());
        assert_eq!(statuses_in(&answers), [status], "{case}");
    }
}

#[test]
fn a_refused_client_is_not_listened_to_for_ever() {
    let server = Server::configure().flag("--max-connections", "1").start();
    let mut talker = server.connect();
    talker.write(b"garbage\r\n\r\n");
    assert_eq!(talker.receive("GET").status, 400);
    let start = Instant::now();
    let error = loop {
        thread::sleep(Duration::from_millis(50));
        match talker.try_write(b"more") {
            Ok(()) => assert!(start.elapsed() < PATIENCE, "still listened to"),
            Err(error) => break error,
        }
    };
    assert!(
        matches!(
            error.kind(),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
        ),
        "{error}"
    );
    // One that sends as fast as it can is cut off too, and one that is silent.
    for sent in [&[b'x'; 1 << 20][..], b""] {
        let mut talker = server.connect();
        talker.write(b"garbage\r\n\r\n");
        while !sent.is_empty() && talker.try_write(sent).is_ok() {}
        server.wait_for_seat();
    }
}

#[test]
fn a_server_that_stops_does_not_wait_for_refused_clients() {
    let mut server = Server::configure().flag("--shutdown-timeout", "60").start();
    let mut refused = server.connect();
    refused.write(b"garbage\r\n\r\n");
    assert_eq!(refused.receive("GET").status, 400);
    server.signal("TERM");
    let status = server.exit_within(Duration::from_secs(4));
    assert_eq!(status.and_then(|status| status.code()), Some(0));
    assert!(
        !server.log().text().contains("cut off"),
        "{}",
        server.log().text()
    );
}

#[test]
fn a_stop_takes_no_answer_from_a_client_that_goes_on_sending() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let mut server = Server::configure().flag("--data", path).start();
    let account = server.open_account("0.0");
    let mut client = server.connect();
    let mut sender = client.second_handle();
    // So little that answers are still the server's to send when it closes the connection.
    SockRef::from(&sender)
        .set_recv_buffer_size(64 * 1024)
        .unwrap();
    let requests = deposit(&account).to_bytes().repeat(50);
    let sending = thread::spawn(move || while sender.write_all(&requests).is_ok() {});
    thread::sleep(Duration::from_millis(1500));
    server.signal("TERM");
    let answered = statuses_in(&client.read_to_end()).len();
    drop(client);
    sending.join().unwrap();
    let status = server.exit_within(PATIENCE);
    assert_eq!(status.and_then(|status| status.code()), Some(0));
    let server = Server::configure().flag("--data", path).start();
    assert_eq!(server.balance(&account), format!("{answered}.0"));
}
