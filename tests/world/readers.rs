//! Clients that read slowly, or not to the end.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::support::{Client, PATIENCE, Request, Response, Server};

/// More than the buffers of both sides of a connection hold: 5 MB of text.
const ACCOUNTS: usize = 30_000;

/// How many listings of more than 1,000 accounts are sent at a time.
const STREAMS_MAX: usize = 16;

/// A server with that many accounts, and the number of one.
fn with_accounts(count: usize) -> (Server, String) {
    with_accounts_and(count, "10")
}

fn with_accounts_and(count: usize, shutdown_timeout: &str) -> (Server, String) {
    const BATCH: usize = 500;
    let server = Server::configure()
        .flag("--max-accounts", &count.to_string())
        .flag("--shutdown-timeout", shutdown_timeout)
        .start();
    let first = server.open_account("1.0");
    let mut client = server.connect();
    let request = Request::post("/accounts", "{}").to_bytes();
    let mut left = count - 1;
    while left > 0 {
        let batch = left.min(BATCH);
        client.write(&request.repeat(batch));
        for _ in 0..batch {
            assert_eq!(client.receive("POST").status, 201);
        }
        left -= batch;
    }
    (server, first)
}

/// A client whose system takes little for it while it does not read.
fn slow_client(server: &Server) -> Client {
    let client = server.connect();
    SockRef::from(&client.second_handle())
        .set_recv_buffer_size(16 * 1024)
        .unwrap();
    client
}

/// Asks for all accounts, and reads the head of the answer.
fn ask_for_all(server: &Server) -> (Client, Response) {
    let mut client = slow_client(server);
    client.write(&Request::get("/accounts").to_bytes());
    let head = client.try_receive_head().unwrap();
    (client, head)
}

#[track_caller]
fn assert_refused(client: &mut Client) {
    let refused = client.send(&Request::get("/accounts"));
    assert_eq!(refused.status, 503, "{} bytes", refused.body.len());
    assert_eq!(refused.header("retry-after"), Some("1"));
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("?limit=1000"), "{detail}");
}

#[test]
fn forty_slow_readers_of_all_accounts_cost_a_bounded_amount_and_hold_nobody_up() {
    const READERS: usize = 40;
    const GROWTH_MAX_KIB: u64 = 16 * 1024;
    let (server, account) = with_accounts(ACCOUNTS);
    let before = server.resident_kib();
    let mut readers: Vec<_> = (0..READERS).map(|_| ask_for_all(&server)).collect();
    let deadline = Instant::now() + Duration::from_secs(3);
    while Instant::now() < deadline {
        for (reader, _) in &mut readers {
            reader.read_timeout(Duration::from_millis(1));
            let _ = reader.read_more();
        }
        assert_eq!(server.balance(&account), "1.0");
        assert_eq!(server.get("/accounts?limit=1000").status, 200);
    }
    let growth = server.resident_kib().saturating_sub(before);
    println!("{growth} KiB for {READERS} readers");
    assert!(
        growth <= GROWTH_MAX_KIB,
        "{growth} KiB for {READERS} readers"
    );

    let status = |status| {
        readers
            .iter()
            .filter(|(_, head)| head.status == status)
            .count()
    };
    assert_eq!(status(200), STREAMS_MAX);
    assert_eq!(status(503), READERS - STREAMS_MAX);
    assert_refused(&mut server.connect());
    // Each resets its connection, for it leaves some of its answer unread.
    drop(readers);
    let deadline = Instant::now() + PATIENCE;
    let listing = loop {
        let listing = server.get("/accounts");
        if listing.status == 200 {
            break listing.json();
        }
        assert!(Instant::now() < deadline, "no permit came back");
        thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(listing["total_accounts"], ACCOUNTS);
    assert_eq!(listing["accounts"].as_array().unwrap().len(), ACCOUNTS);
}

#[test]
fn a_listing_that_is_being_sent_when_the_server_is_to_stop_is_sent_to_its_end() {
    let (mut server, _) = with_accounts(ACCOUNTS);
    let mut reader = slow_client(&server);
    reader.write(&Request::get("/accounts").to_bytes());
    thread::sleep(Duration::from_millis(200));
    let mark = server.log().mark();
    server.signal("TERM");
    let draining = |line: &str| line.contains("finishing running requests");
    assert!(server.log().wait_for(mark, draining).is_some());
    let listing = reader.receive("GET").json();
    assert_eq!(listing["accounts"].as_array().unwrap().len(), ACCOUNTS);
    let status = server.exit_within(PATIENCE);
    assert_eq!(status.and_then(|status| status.code()), Some(0));
}

#[test]
fn a_listing_that_is_cut_off_at_a_stop_does_not_look_complete() {
    let (mut server, _) = with_accounts_and(ACCOUNTS, "1");
    let mut reader = slow_client(&server);
    // To a client of HTTP/1.0 an answer without a length ends with its connection.
    reader.write(b"GET /accounts HTTP/1.0\r\n\r\n");
    assert_eq!(reader.try_receive_head().unwrap().status, 200);
    server.signal("TERM");
    assert!(server.exit_within(PATIENCE).is_some());
    let end = loop {
        match reader.read_more() {
            Ok(0) => break None,
            Ok(_) => {}
            Err(error) => break Some(error.kind()),
        }
    };
    assert_eq!(end, Some(io::ErrorKind::ConnectionReset));
}
