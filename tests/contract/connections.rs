//! Clients that keep their connections, and more of them than there are seats.

use std::thread;
use std::time::{Duration, Instant};

use crate::answers::{assert_answer, detail};
use crate::support::{Client, PATIENCE, Request, Response, Server, raise_open_files_limit};

const IDLE_CONNECTIONS: usize = 10_000;

/// How many may wait for a seat at a time.
const STANDING_MAX: usize = 64;

const FULL: &str = "all connections are in use";

fn with_seats(count: usize) -> Server {
    let count = count.to_string();
    Server::configure()
        .flag("--max-connections", &count)
        .start()
}

/// Clients that have been served, one after the other, and keep their connections.
fn polite_clients(server: &Server, count: usize) -> Vec<Client> {
    let begin = |_| {
        let mut client = server.connect();
        assert_eq!(client.send(&Request::get("/accounts")).status, 200);
        // The next one has been idle for less.
        thread::sleep(Duration::from_millis(5));
        client
    };
    (0..count).map(begin).collect()
}

/// A client that has sent half of a request that opens an account.
fn busy_client(server: &Server) -> Client {
    let mut client = server.connect();
    client.write(b"POST /accounts HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{");
    client
}

/// As many, once the server has read what they sent.
fn busy_clients(server: &Server, count: usize) -> Vec<Client> {
    let clients = (0..count).map(|_| busy_client(server)).collect();
    let deadline = Instant::now() + PATIENCE;
    let is_open = |server: &Server| server.get("/accounts").status == 200;
    // Each question of ours takes a seat from one whose request has not been read yet.
    while is_open(server) {
        assert!(Instant::now() < deadline, "there is still a seat");
    }
    clients
}

fn assert_full(response: &Response, context: &str) {
    assert_answer(response, 503, &detail("Too many connections"), context);
    assert_eq!(response.header("retry-after"), Some("1"), "{context}");
    assert_eq!(response.header("connection"), Some("close"), "{context}");
}

#[test]
fn whoever_has_been_idle_longest_makes_room() {
    const SEATS: usize = 4;
    let server = with_seats(SEATS);
    let mut clients = polite_clients(&server, SEATS);
    // The first one is not idle any more, so the second is next.
    assert_eq!(clients[0].send(&Request::get("/accounts")).status, 200);
    for gone in [1, 2, 3, 0] {
        let mut next = server.connect();
        assert_eq!(next.send(&Request::post("/accounts", "{}")).status, 201);
        assert!(
            clients[gone].read_to_end().is_empty(),
            "{gone} is asked to leave"
        );
        drop(next);
        // What has been served takes a moment to be gone.
        while server.connections() > SEATS as u64 {}
        clients[gone] = polite_clients(&server, 1).remove(0);
    }
    assert_eq!(server.accounts_count(), 4);
}

#[test]
fn a_server_full_of_polite_clients_serves_everybody_else() {
    const SEATS: usize = 50;
    let server = with_seats(SEATS);
    let account = server.open_account("0.0");
    let mut polite = polite_clients(&server, SEATS);
    for round in 1..=200 {
        let deposit = Request::post(&format!("/accounts/{account}/deposit"), r#"{"amount":1}"#);
        assert_eq!(server.send(&deposit).status, 200, "{round}");
        assert_eq!(server.get("/health").status, 200, "{round}");
        // Each comes again as soon as it was asked to leave.
        if round % 20 == 0 {
            polite = polite_clients(&server, SEATS);
        }
    }
    assert_eq!(server.balance(&account), "200.0");
    drop(polite);
    let told = server.log().since(0);
    let told = told.iter().filter(|line| line.contains(FULL)).count();
    assert_eq!(told, 1, "not more often than once a minute");
}

/// Those that come together find nobody idle, for those that were have been asked to leave for the first of them.
#[test]
fn a_burst_of_silent_connections_locks_nobody_out() {
    const SEATS: usize = 4;
    let server = with_seats(SEATS);
    let account = server.open_account("0.0");
    let mut silent = polite_clients(&server, SEATS);
    for round in 1..=10 {
        silent.extend((0..40).map(|_| server.connect()));
        let deposit = Request::post(&format!("/accounts/{account}/deposit"), r#"{"amount":1}"#);
        assert_eq!(server.send(&deposit).status, 200, "{round}");
    }
    assert_eq!(server.balance(&account), "10.0");
}

/// One in the middle of a head is idle, and does not leave when it is asked to: whoever waits is not made to wait for it.
#[test]
fn clients_with_half_a_head_do_not_keep_others_from_the_seats_of_idle_ones() {
    const SEATS: usize = 6;
    let server = with_seats(SEATS);
    let account = server.open_account("0.0");
    let mut half: Vec<_> = polite_clients(&server, 3);
    for client in &mut half {
        client.write(b"GET /accounts HTTP/1.1\r\nHost:");
    }
    let idle = polite_clients(&server, SEATS - half.len());
    let deposit = Request::post(&format!("/accounts/{account}/deposit"), r#"{"amount":1}"#);
    for round in 1..=idle.len() {
        assert_eq!(server.send(&deposit).status, 200, "{round}");
    }
    assert_eq!(server.balance(&account), "3.0");
}

#[test]
fn the_last_seat_is_told() {
    let server = with_seats(3);
    let mut clients = polite_clients(&server, 2);
    assert!(!server.log().text().contains(FULL));
    clients.extend(polite_clients(&server, 1));
    let line = server
        .log()
        .wait_for(0, |line| line.contains(FULL))
        .unwrap();
    for part in [
        "WARN",
        "max_connections=3",
        "--max-connections",
        "MAX_CONNECTIONS",
    ] {
        assert!(line.contains(part), "no {part} in {line}");
    }
}

#[test]
fn who_is_busy_keeps_its_seat_and_probes_are_answered_all_the_same() {
    const SEATS: usize = 3;
    let server = with_seats(SEATS);
    let mut busy = busy_clients(&server, SEATS);
    for round in 0..3 {
        for request in [
            Request::get("/accounts"),
            Request::post("/accounts", "{}"),
            Request::post("/accounts", &" ".repeat(100_000)),
            Request::get("/"),
            Request::new("OPTIONS", "/accounts"),
        ] {
            assert_full(&server.send(&request), &format!("{round}: {request:?}"));
        }
        for probe in ["/health", "/livez", "/readyz"] {
            let mut client = server.connect();
            let response = client.send(&Request::get(probe));
            assert_eq!(response.status, 200, "{round}: {probe}");
            assert_eq!(response.header("connection"), Some("close"), "{probe}");
            assert!(client.read_to_end().is_empty());
        }
    }
    for client in &mut busy {
        client.write(b"}");
        assert_eq!(client.receive("POST").status, 201);
    }
    server.wait_for_seat();
    assert_eq!(
        server.accounts_count(),
        SEATS as u64,
        "nothing else was done"
    );
}

#[test]
fn clients_that_are_silent_lock_no_probe_out() {
    const SEATS: usize = 2;
    let server = with_seats(SEATS);
    let busy = busy_clients(&server, SEATS);
    let silent: Vec<_> = (0..2 * STANDING_MAX).map(|_| server.connect()).collect();
    assert_eq!(server.get("/health").status, 200);
    drop((busy, silent));
    server.wait_for_seat();
}

/// A request arrives at the moment in which its connection is to make room.
#[test]
fn a_request_is_done_and_answered_or_not_done_when_its_seat_is_wanted() {
    const ROUNDS: u64 = 400;
    let server = with_seats(1);
    let account = server.open_account("0.0");
    let deposit = Request::post(&format!("/accounts/{account}/deposit"), r#"{"amount":1}"#);
    let mut done = 0;
    for round in 0..ROUNDS {
        let mut client = server.connect();
        assert_eq!(client.send(&Request::get("/livez")).status, 200);
        thread::scope(|scope| {
            let next = scope.spawn(|| server.get("/accounts").status);
            // From long before to long after.
            thread::sleep(Duration::from_micros(round * 5));
            let answered = client.try_write(&deposit.to_bytes());
            if let Ok(answer) = answered.and_then(|()| client.try_receive("POST")) {
                assert!([200, 503].contains(&answer.status), "{}", answer.status);
                done += u64::from(answer.status == 200);
            }
            assert!([200, 503].contains(&next.join().unwrap()));
        });
    }
    println!("{done} of {ROUNDS} were done");
    server.wait_for_seat();
    assert_eq!(server.balance(&account), format!("{done}.0"));
}

#[test]
fn health_tells_how_many_connections_there_are() {
    let server = with_seats(20);
    let max = |server: &Server| server.get("/health").json()["max_connections"].clone();
    assert_eq!(max(&server), 20);
    let idle = polite_clients(&server, 10);
    let deadline = Instant::now() + PATIENCE;
    for (count, idle) in [(11, Some(idle)), (1, None)] {
        while server.connections() != count {
            assert!(
                Instant::now() < deadline,
                "{} are open",
                server.connections()
            );
        }
        drop(idle);
    }
}

#[test]
fn ten_thousand_idle_connections_do_not_stop_others_from_being_served() {
    // Each connection needs a file on either side, and other tests need some as well.
    let allowed = usize::try_from(raise_open_files_limit()).unwrap_or(usize::MAX);
    let count = IDLE_CONNECTIONS.min(allowed.saturating_sub(3_000));
    if count < IDLE_CONNECTIONS {
        println!("only {count} idle connections: the limit of open files is {allowed}");
    }
    let server = Server::start();
    let idle: Vec<Client> = (0..count)
        .map(|n| {
            let mut client = server.connect();
            // Half of them have begun a request.
            if n % 2 == 0 {
                client.write(b"GET /health HT");
            }
            client
        })
        .collect();
    let account = server.open_account("1.0");
    for _ in 0..20 {
        let response = server.post(&format!("/accounts/{account}/deposit"), r#"{"amount":1.0}"#);
        assert_eq!(response.status, 200);
    }
    assert_eq!(server.balance(&account), "21.0");
    drop(idle);
    assert_eq!(server.get("/health").status, 200);
}
