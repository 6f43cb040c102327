//! No bytes on a connection cause a 5xx or harm the server.

use crate::answers::Noise;
use crate::support::{Client, Request, Server, statuses_in};

/// A server that ends unfinished requests soon, so that every connection comes to an end.
fn impatient_server() -> Server {
    Server::configure()
        .flag("--header-timeout", "1")
        .flag("--body-timeout", "1")
        .start()
}

/// Sends each text on a connection of its own, all at once, and returns every status that came.
fn statuses(server: &Server, requests: &[Vec<u8>]) -> Vec<Vec<u16>> {
    let mut clients: Vec<Client> = requests
        .iter()
        .map(|request| {
            let mut client = server.connect();
            // The server may have refused and closed before it has read everything.
            let _ = client.try_write(request);
            client
        })
        .collect();
    clients
        .iter_mut()
        .map(|client| statuses_in(&client.read_to_end()))
        .collect()
}

fn many_headers(count: usize) -> String {
    (0..count)
        .map(|n| format!("X-Header-{n}: {n}\r\n"))
        .collect()
}

#[test]
fn what_is_not_http_is_refused() {
    let server = impatient_server();
    let host = "Host: a\r\n";
    let post = format!("POST /accounts HTTP/1.1\r\n{host}Content-Type: application/json\r\n");
    let chunked = format!("{post}Transfer-Encoding: chunked\r\n\r\n");
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("garbage", b"garbage\r\n\r\n".to_vec()),
        (
            "a TLS hello",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
        ),
        ("NUL bytes", vec![0; 64]),
        (
            "HTTP/2 preface",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        ),
        (
            "no version",
            format!("GET /health\r\n{host}\r\n").into_bytes(),
        ),
        (
            "unknown version",
            format!("GET /health HTTP/9.9\r\n{host}\r\n").into_bytes(),
        ),
        (
            "a space in the target",
            format!("GET /he alth HTTP/1.1\r\n{host}\r\n").into_bytes(),
        ),
        (
            "a NUL in the target",
            format!("GET /he\0alth HTTP/1.1\r\n{host}\r\n").into_bytes(),
        ),
        (
            "a NUL in a header",
            format!("GET /health HTTP/1.1\r\n{host}X: a\0b\r\n\r\n").into_bytes(),
        ),
        (
            "a header without a colon",
            format!("GET /health HTTP/1.1\r\n{host}X\r\n\r\n").into_bytes(),
        ),
        (
            "a space before the colon",
            format!("GET /health HTTP/1.1\r\n{host}X : y\r\n\r\n").into(),
        ),
        (
            "a length of letters",
            format!("{post}Content-Length: abc\r\n\r\n{{}}").into_bytes(),
        ),
        (
            "a negative length",
            format!("{post}Content-Length: -2\r\n\r\n{{}}").into_bytes(),
        ),
        (
            "a signed length",
            format!("{post}Content-Length: +2\r\n\r\n{{}}").into_bytes(),
        ),
        (
            "a length beyond 64 bits",
            format!("{post}Content-Length: 99999999999999999999999\r\n\r\n{{}}").into_bytes(),
        ),
        (
            "two lengths",
            format!("{post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}} ").into_bytes(),
        ),
        (
            "a bad chunk size",
            format!("{chunked}zz\r\n{{}}\r\n0\r\n\r\n").into_bytes(),
        ),
        (
            "a negative chunk size",
            format!("{chunked}-2\r\n{{}}\r\n0\r\n\r\n").into_bytes(),
        ),
        (
            "a huge chunk size",
            format!("{chunked}FFFFFFFFFFFFFFFFF\r\n{{}}\r\n0\r\n\r\n").into(),
        ),
        (
            "a chunk longer than its size",
            format!("{chunked}1\r\n{{}}\r\n0\r\n\r\n").into_bytes(),
        ),
        (
            "an unfinished chunk",
            format!("{chunked}a\r\n{{}}").into_bytes(),
        ),
        (
            "an unknown transfer encoding",
            format!("{post}Transfer-Encoding: gzip\r\n\r\n{{}}").into_bytes(),
        ),
        (
            "chunked is not the last encoding",
            format!("{post}Transfer-Encoding: chunked, gzip\r\n\r\n{{}}").into_bytes(),
        ),
        (
            "an unfinished head",
            b"GET /health HTTP/1.1\r\nHost: a\r\n".to_vec(),
        ),
        (
            "an unfinished body",
            format!("{post}Content-Length: 100\r\n\r\n{{").into_bytes(),
        ),
        (
            "a header of 1 MB",
            format!("GET / HTTP/1.1\r\n{host}X: {}\r\n\r\n", "x".repeat(1 << 20)).into(),
        ),
        (
            "a target of 1 MB",
            format!("GET /{} HTTP/1.1\r\n{host}\r\n", "x".repeat(1 << 20)).into_bytes(),
        ),
        (
            "10,000 headers",
            format!("GET / HTTP/1.1\r\n{}\r\n", many_headers(10_000)).into_bytes(),
        ),
        (
            "a method of 1 MB",
            format!("{} / HTTP/1.1\r\n{host}\r\n", "X".repeat(1 << 20)).into_bytes(),
        ),
    ];
    let requests: Vec<Vec<u8>> = cases.iter().map(|(_, request)| request.clone()).collect();
    for ((case, _), statuses) in cases.iter().zip(statuses(&server, &requests)) {
        // What never ends is told so; the rest of what is refused is no request.
        let refused = match *case {
            "an unfinished head" | "an unfinished body" | "an unfinished chunk" => 408,
            "a header of 1 MB" | "a target of 1 MB" | "a method of 1 MB" | "10,000 headers" => 431,
            _ => 400,
        };
        assert_eq!(statuses, [refused], "{case}");
    }
    assert_eq!(server.get("/health").status, 200);
    assert_eq!(server.accounts_count(), 0, "no account came of it");
}

#[test]
fn what_is_unusual_but_http_harms_nothing() {
    let server = impatient_server();
    let requests: Vec<Vec<u8>> = [
        "GET /health HTTP/1.1\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http:///health HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://[::1/health HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /health#fragment HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: \r\n\r\n",
        "GET /health HTTP/1.1\nHost: a\n\n",
        "\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "GET /health HTTP/1.1\r\nHost: a\r\nExpect: 200-maybe\r\n\r\n",
        "POST /accounts HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "POST /accounts HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "POST /accounts HTTP/1.1\r\nHost: a\r\nContent-Type: \u{e9}\r\nContent-Length: 2\r\n\r\n{}",
        "POST /accounts HTTP/1.1\r\nHost: a\r\nContent-Type: \r\nContent-Length: 2\r\n\r\n{}",
        "POST /accounts HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        "POST /accounts HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}",
        "POST /accounts HTTP/1.0\r\n\r\n{}",
        "GET /accounts?limit=%zz&after=%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /?\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /accounts HTTP/1.1\r\nHost: a\r\nOrigin: \u{e9}\r\n\r\n",
        "OPTIONS /accounts HTTP/1.1\r\nHost: a\r\nOrigin: a\r\nAccess-Control-Request-Method: \u{e9}\r\nAccess-Control-Request-Headers: \u{e9}\r\n\r\n",
    ]
    .iter()
    .map(|request| request.as_bytes().to_vec())
    .collect();
    for (request, statuses) in requests.iter().zip(statuses(&server, &requests)) {
        let request = String::from_utf8_lossy(request);
        assert!(
            matches!(statuses[..], [200..500]),
            "{statuses:?} for {request}"
        );
    }
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn clients_that_hang_up_at_any_byte_harm_nothing() {
    let server = Server::configure().env("MAX_ACCOUNTS", "100000").start();
    let request = Request::post("/accounts", r#"{"initial_balance":1.0}"#).to_bytes();
    for end in 0..request.len() {
        let mut client = server.connect();
        client.write(&request[..end]);
        if end % 2 == 0 {
            client.finish_writing();
            let statuses = statuses_in(&client.read_to_end());
            let answered = match end {
                0 => statuses.is_empty(),
                _ => matches!(statuses[..], [400]),
            };
            assert!(answered, "{statuses:?} after {end} bytes");
        }
    }
    assert_eq!(
        server.accounts_count(),
        0,
        "an unfinished request does nothing"
    );
    // A whole request on a connection that then sends no more.
    for _ in 0..20 {
        let mut client = server.connect();
        client.write(&request);
        client.finish_writing();
        assert_eq!(statuses_in(&client.read_to_end()), [201]);
    }
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn noise_on_the_wire_harms_nothing() {
    let server = impatient_server();
    let account = server.open_account("1.0");
    let seeds = [
        Request::get(&format!("/accounts/{account}/balance")).to_bytes(),
        Request::post("/accounts", r#"{"initial_balance":1.0}"#).to_bytes(),
        Request::post(&format!("/accounts/{account}/deposit"), r#"{"amount":1.0}"#).to_bytes(),
        Request::new("POST", "/accounts")
            .chunked(br#"{"initial_balance":1.0}"#.chunks(5))
            .to_bytes(),
        Request::get("/accounts?limit=1&after=x")
            .header("Origin", "https://a")
            .to_bytes(),
    ];
    let mut noise = Noise::from_seed(0x0DD_B17E5);
    let requests: Vec<Vec<u8>> = (0..600)
        .map(|n| {
            let mut request = seeds[n % seeds.len()].clone();
            for _ in 0..1 + noise.below(4) {
                let place = noise.below(request.len());
                match noise.below(4) {
                    0 => request[place] = u8::try_from(noise.below(256)).expect("a byte"),
                    1 => request.insert(place, noise.one_of(b"\r\n\0 :%/{}\"\xff0")),
                    2 if request.len() > 1 => drop(request.remove(place)),
                    _ => request.truncate(place + 1),
                }
            }
            request
        })
        .collect();
    for batch in requests.chunks(300) {
        for (request, statuses) in batch.iter().zip(statuses(&server, batch)) {
            let request = String::from_utf8_lossy(request);
            let is_nothing = request.trim_matches(['\r', '\n']).is_empty();
            let answered = statuses.is_empty() == is_nothing;
            assert!(answered, "{statuses:?} for {request:?}");
            let unharmed = statuses.iter().all(|status| *status < 500);
            assert!(unharmed, "{statuses:?} for {request:?}");
        }
    }
    assert_eq!(server.get("/health").status, 200);
}
