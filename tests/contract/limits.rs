//! Bounds: of a head, of a body, of memory, of time.

use crate::answers::{assert_answer, detail};
use crate::support::{Client, Launch, PATIENCE, Request, Response, Server, statuses_in};
use socket2::SockRef;
use std::io::{self, Read as _};
use std::time::{Duration, Instant};

const BODY_LIMIT: usize = 16 * 1024;
const HEAD_LIMIT: usize = 16 * 1024;

/// How a client sends what it sends.
#[derive(Clone, Copy, Debug)]
enum Pieces {
    One,
    Many,
}

impl Pieces {
    fn send(self, client: &mut Client, bytes: &[u8]) {
        match self {
            Self::One => client.write(bytes),
            Self::Many => {
                for piece in bytes.chunks(1_500) {
                    // A server that has refused the request may have closed the connection.
                    if client.try_write(piece).is_err() {
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        }
    }
}

/// A request without a body whose head is that long, to the byte.
fn head_of(bytes: usize, by: &str) -> Vec<u8> {
    let headers = format!("X: {}\r\n", "x".repeat(180)).repeat(80);
    let (begin, end) = match by {
        "its target" => ("GET /livez?".to_owned(), " HTTP/1.1\r\nHost: a\r\n\r\n"),
        "a header" => (
            "GET /livez HTTP/1.1\r\nHost: a\r\nX: ".to_owned(),
            "\r\n\r\n",
        ),
        _ => (
            format!("GET /livez HTTP/1.1\r\nHost: a\r\n{headers}X: "),
            "\r\n\r\n",
        ),
    };
    let rest = "x".repeat(bytes - begin.len() - end.len());
    format!("{begin}{rest}{end}").into_bytes()
}

#[test]
fn a_head_of_16_kib_is_read_and_a_longer_one_is_refused() {
    let server = Server::start();
    let get = Request::get("/livez").to_bytes();
    let post = Request::post("/accounts", "{}").to_bytes();
    let many = get.repeat(400);
    for (behind, answered) in [
        (Vec::new(), vec![]),
        (get, vec![200]),
        (post, vec![201]),
        (many, vec![200; 400]),
    ] {
        for by in ["its target", "a header", "many headers"] {
            for pieces in [Pieces::One, Pieces::Many] {
                for (bytes, status) in [
                    (HEAD_LIMIT, 200),
                    (HEAD_LIMIT + 1, 431),
                    (2 * HEAD_LIMIT, 431),
                    (100_000, 431),
                ] {
                    let mut client = server.connect();
                    pieces.send(&mut client, &[&behind[..], &head_of(bytes, by)].concat());
                    client.finish_writing();
                    assert_eq!(
                        statuses_in(&client.read_to_end()),
                        [&answered[..], &[status]].concat(),
                        "{bytes} bytes by {by} in {pieces:?}, behind {} bytes",
                        behind.len()
                    );
                }
            }
        }
    }
}

/// A body of that many bytes that opens an account.
fn body_of(bytes: usize) -> String {
    let json = r#"{"initial_balance":1.0}"#;
    format!("{json}{}", " ".repeat(bytes - json.len()))
}

#[track_caller]
fn assert_too_large(response: &Response, case: &str) {
    assert_answer(response, 413, &detail("Request body too large"), case);
}

#[test]
fn a_body_of_16_kib_is_read_and_a_longer_one_is_refused() {
    let server = Server::start();
    let post = || Request::new("POST", "/accounts").header("Content-Type", "application/json");
    for (case, request) in [
        ("with a length", post().body(body_of(BODY_LIMIT).as_bytes())),
        (
            "in one chunk",
            post().chunked([body_of(BODY_LIMIT).as_bytes()]),
        ),
        (
            "in many chunks",
            post().chunked(body_of(BODY_LIMIT).as_bytes().chunks(100)),
        ),
    ] {
        let response = server.send(&request);
        assert_eq!(response.status, 201, "{case}, 16 KiB: {}", response.text());
    }
    for bytes in [BODY_LIMIT + 1, 100_000] {
        let body = body_of(bytes);
        for (case, request) in [
            ("with a length", post().body(body.as_bytes())),
            (
                "of another type",
                Request::new("POST", "/accounts")
                    .header("Content-Type", "text/plain")
                    .body(body.as_bytes()),
            ),
            ("in one chunk", post().chunked([body.as_bytes()])),
            (
                "in many chunks",
                post().chunked(body.as_bytes().chunks(100)),
            ),
            (
                "for a deposit",
                Request::post("/accounts/nobody/deposit", &body),
            ),
            (
                "for a withdrawal",
                Request::post("/accounts/nobody/withdraw", &body),
            ),
        ] {
            let mut client = server.connect();
            assert_too_large(&client.send(&request), &format!("{case}, {bytes} bytes"));
            // The connection either goes on or ends cleanly.
            let sent = client.try_write(&Request::get("/health").to_bytes());
            if let Ok(next) = sent.and_then(|()| client.try_receive("GET")) {
                assert_eq!(next.status, 200, "after {case}");
            }
        }
    }
    assert_eq!(server.accounts_count(), 3);
}

#[test]
fn a_body_announced_as_too_large_is_refused_before_it_is_sent() {
    let server = Server::start();
    for length in ["16385", "209715200", "9223372036854775807"] {
        for expect in ["", "Expect: 100-continue\r\n"] {
            let mut client = server.connect();
            let head = format!(
                "POST /accounts HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n{expect}\r\n"
            );
            client.write(head.as_bytes());
            assert_too_large(&client.receive("POST"), &format!("{length} {expect}"));
        }
    }
}

#[test]
fn a_client_that_sends_200_mb_is_refused_and_costs_no_memory() {
    let server = Server::start();
    assert_eq!(server.get("/health").status, 200);
    let before = server.resident_kib();
    for head in [
        "Content-Length: 209715200\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nC800000\r\n",
    ] {
        let mut client = server.connect();
        client.write(format!("POST /accounts HTTP/1.1\r\nHost: a\r\n{head}").as_bytes());
        let megabyte = vec![b' '; 1 << 20];
        // The server may stop reading; then its answer has long been sent.
        let _ = (0..200).try_for_each(|_| client.try_write(&megabyte));
        match client.try_receive("POST") {
            Ok(response) => assert_too_large(&response, head),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{head}"),
        }
    }
    let growth = server.resident_kib().saturating_sub(before);
    assert!(growth < 8 * 1024, "grew by {growth} KiB");
}

/// Begins a request that opens an account, and sends all of its body but one byte.
fn begin_body(client: &mut Client, bytes: usize, chunked: bool) {
    let (length, begin) = match chunked {
        true => (
            "Transfer-Encoding: chunked".to_owned(),
            format!("{bytes:x}\r\n"),
        ),
        false => (format!("Content-Length: {bytes}"), String::new()),
    };
    let body = body_of(bytes - 1);
    client.write(
        format!("POST /accounts HTTP/1.1\r\nHost: a\r\n{length}\r\n\r\n{begin}{body}").as_bytes(),
    );
}

fn end_body(client: &mut Client, chunked: bool) {
    let end: &[u8] = if chunked { b" \r\n0\r\n\r\n" } else { b" " };
    // Whoever was refused may be gone.
    let _ = client.try_write(end);
}

#[test]
fn only_so_many_large_bodies_are_read_at_a_time() {
    const LARGE_BODIES_MAX: usize = 256;
    const SMALL_BODY_LIMIT: usize = 1024;
    for chunked in [false, true] {
        let server = Server::start();
        let mut clients: Vec<Client> = (0..=LARGE_BODIES_MAX)
            .map(|_| {
                let mut client = server.connect();
                begin_body(&mut client, BODY_LIMIT, chunked);
                client
            })
            .collect();
        let reason = "Too many large request bodies are under way";
        let refused = server.log().wait_for(0, |line| line.contains(reason));
        assert!(refused.is_some(), "one more is refused");
        // A body of the usual size is read all the same.
        let mut small = server.connect();
        begin_body(&mut small, SMALL_BODY_LIMIT, chunked);
        end_body(&mut small, chunked);
        assert_eq!(small.receive("POST").status, 201);
        let mut refused = 0;
        for client in &mut clients {
            end_body(client, chunked);
            let answer = client.receive("POST");
            if answer.status != 201 {
                assert_answer(&answer, 503, &detail(reason), "one more");
                assert_eq!(answer.header("retry-after"), Some("1"));
                assert_eq!(answer.header("connection"), Some("close"));
                assert!(client.read_to_end().is_empty(), "the connection ends");
                refused += 1;
            }
        }
        assert_eq!(refused, 1);
        let post = Request::post("/accounts", &body_of(BODY_LIMIT));
        assert_eq!(server.send(&post).status, 201, "there is room again");
    }
}

#[test]
fn a_connection_takes_a_bounded_amount_of_memory_whatever_its_client_leaves_unfinished() {
    const CLIENTS: usize = 500;
    const PER_CLIENT_MAX_KIB: u64 = 56;
    const REQUESTS: usize = 8;
    let requests = head_of(HEAD_LIMIT / 2, "its target").repeat(REQUESTS);
    let half_head = [b"GET /".as_slice(), &[b'x'; 60_000]].concat();
    let half_body = [
        b"POST /accounts HTTP/1.1\r\nHost: a\r\nContent-Length: 16384\r\n\r\n".as_slice(),
        &[b' '; 16_000],
    ]
    .concat();
    for (case, sent) in [
        ("half a head", half_head.clone()),
        ("half a body", half_body),
        ("nothing more after many requests", requests.clone()),
        (
            "half a head after many requests",
            [requests, half_head].concat(),
        ),
    ] {
        let server = Server::start();
        assert_eq!(server.get("/livez").status, 200);
        let before = server.resident_kib();
        let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
        for client in &mut clients {
            // It may be refused in the midst of it.
            let _ = client.try_write(&sent);
            if case.contains("many") {
                for _ in 0..REQUESTS {
                    assert_eq!(client.receive("GET").status, 200, "{case}");
                }
            }
        }
        // What they have sent is read by the time that somebody behind them is answered, or soon after.
        assert_eq!(server.get("/livez").status, 200);
        std::thread::sleep(Duration::from_secs(1));
        let growth = server.resident_kib().saturating_sub(before) / CLIENTS as u64;
        println!("{case}: {growth} KiB a client");
        assert!(
            growth <= PER_CLIENT_MAX_KIB,
            "{case}: {growth} KiB a client"
        );
    }
}

/// Reads balances of that many unknown accounts, pipelined; one in fifty has a name of 4 KB.
fn read_unknown_accounts(client: &mut Client, count: usize, round: &str) {
    const BATCH: usize = 50;
    for batch in 0..count / BATCH {
        let mut requests = Vec::new();
        for n in 1..BATCH {
            let account = format!("{n:08x}-{batch:04x}-4000-8000-{round}00000000");
            requests.extend(Request::get(&format!("/accounts/{account}/balance")).to_bytes());
        }
        let long = format!("{round}{batch}{}", "x".repeat(4 * 1024));
        requests.extend(Request::get(&format!("/accounts/{long}/balance")).to_bytes());
        client.write(&requests);
        for _ in 0..BATCH {
            assert_eq!(client.receive("GET").status, 404);
        }
    }
}

#[test]
fn reading_100_000_unknown_accounts_does_not_grow_the_server() {
    let server = Launch::bare()
        .env("LOG_LEVEL", "ERROR")
        .start_on_a_free_port();
    let mut client = server.connect();
    read_unknown_accounts(&mut client, 20_000, "0000");
    let before = server.resident_kib();
    read_unknown_accounts(&mut client, 100_000, "1111");
    let growth = server.resident_kib().saturating_sub(before);
    println!("{growth} KiB for 100,000 reads, from {before} KiB");
    assert!(growth <= 1024, "grew by {growth} KiB");
}

/// Sends a byte at a time until the server ends the connection; returns what it said before.
fn drip(client: &mut Client, bytes: &[u8], pause: Duration) -> Option<Vec<u8>> {
    client.read_timeout(pause);
    for byte in bytes {
        if client.try_write(&[*byte]).is_err() {
            return Some(client.read_to_end());
        }
        match client.read_more() {
            Ok(0) => return Some(client.read_to_end()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Some(Vec::new()),
            _ => {}
        }
    }
    None
}

#[test]
fn a_client_that_sends_headers_a_byte_a_second_is_disconnected() {
    let server = Server::configure().flag("--header-timeout", "2").start();
    let mut slow = server.connect();
    let mut slow_second = server.connect();
    assert_eq!(slow_second.send(&Request::get("/health")).status, 200);
    let second = std::thread::spawn(move || {
        drip(
            &mut slow_second,
            b"GET /health HTTP/1.1\r\nHost: a",
            Duration::from_secs(1),
        )
        .is_some()
    });
    let ended = drip(
        &mut slow,
        b"GET /health HTTP/1.1\r\nHost: a",
        Duration::from_secs(1),
    );
    assert!(
        ended.is_some(),
        "still connected after 30 seconds of a timeout of 2"
    );
    assert!(
        second.join().unwrap(),
        "a second request may not be slow either"
    );
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn an_idle_connection_is_closed() {
    let server = Server::configure().flag("--header-timeout", "1").start();
    let mut never_used = server.connect();
    let mut used = server.connect();
    assert_eq!(used.send(&Request::get("/health")).status, 200);
    let start = Instant::now();
    used.read_to_end();
    never_used.read_to_end();
    assert!(
        start.elapsed() < PATIENCE,
        "still connected after {:?}",
        start.elapsed()
    );
}

#[test]
fn a_connection_in_steady_use_outlives_the_header_timeout() {
    let server = Server::configure().flag("--header-timeout", "2").start();
    let mut client = server.connect();
    for n in 0..6 {
        assert_eq!(
            client.send(&Request::get("/health")).status,
            200,
            "request {n}"
        );
        std::thread::sleep(Duration::from_millis(500));
    }
}

#[test]
fn a_slow_body_is_answered_408() {
    let server = Server::configure().flag("--body-timeout", "1").start();
    let account = server.open_account("1.0");
    let head = format!(
        "POST /accounts/{account}/deposit HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
    );
    let mut silent = server.connect();
    silent.write(head.as_bytes());
    let mut dripping = server.connect();
    dripping.write(head.as_bytes());
    let spaces = [b' '; 100];
    let dripped = drip(&mut dripping, &spaces, Duration::from_millis(200));
    let dripped = dripped.expect("a body that drips is ended after 1 second, not after 20");
    let waited = silent.read_to_end();
    for (case, answer) in [("dripping", dripped), ("silent", waited)] {
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{case}: {answer}");
    }
    assert_eq!(server.balance(&account), "1.0");
}

#[test]
#[cfg(target_os = "linux")]
fn a_client_that_reads_no_answer_is_disconnected() {
    let server = Server::configure()
        .flag("--answer-timeout", "1")
        .flag("--max-connections", "1")
        .start();
    let mut deaf = server.connect();
    // More than the buffers of both sides hold.
    for _ in 0..40 {
        deaf.write(b"GET /assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    // Only one connection has a seat, and the deaf one is not idle: the next has it once that is gone.
    server.wait_for_seat();
}

/// A client that has asked for more than the buffers of both sides hold, and whose system takes little for it.
fn slow_client(server: &Server) -> Client {
    let mut client = server.connect();
    SockRef::from(&client.second_handle())
        .set_recv_buffer_size(16 * 1024)
        .unwrap();
    let document = Request::get("/assets/swagger-ui-bundle.js").to_bytes();
    client.write(&document.repeat(3));
    client
}

/// Reads that much, then rests, until so much has been read. Returns how it ended before.
fn read_slowly(
    client: &mut Client,
    portion: usize,
    pause: Duration,
    bytes: usize,
) -> io::Result<()> {
    let mut stream = client.second_handle();
    let mut left = bytes;
    while left > 0 {
        let mut buffer = vec![0; portion.min(left)];
        match stream.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => left -= read?,
        }
        std::thread::sleep(pause);
    }
    Ok(())
}

#[test]
fn a_client_that_takes_a_little_of_an_answer_now_and_then_is_cut_off() {
    let server = Server::configure()
        .flag("--answer-timeout", "4")
        .flag("--max-connections", "1")
        .flag("--log-level", "debug")
        .start();
    let mut slow = slow_client(&server);
    // 10 kB a second, where 16 are the least: so some is always taken before the system gives up.
    let pause = Duration::from_millis(100);
    let end = read_slowly(&mut slow, 1_000, pause, 250_000).unwrap_err();
    // It can tell that its answer is not complete.
    assert_eq!(end.kind(), io::ErrorKind::ConnectionReset);
    server.wait_for_seat();
    let text = server.log().text();
    assert!(text.contains("takes its answer too slowly"), "{text}");
}

#[test]
fn a_slow_client_that_goes_on_reading_gets_all_of_a_long_answer() {
    let server = Server::configure().flag("--answer-timeout", "2").start();
    let document_bytes = server.get("/assets/swagger-ui-bundle.js").body.len();
    let mut slow = slow_client(&server);
    let start = Instant::now();
    // 500 kB a second at most.
    let pause = Duration::from_millis(20);
    read_slowly(&mut slow, 10_000, pause, 3 * document_bytes).unwrap();
    assert!(start.elapsed() > Duration::from_secs(4), "not slow");
}
