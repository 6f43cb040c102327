//! The largest state that the limits of the image and of `render.yaml` allow, in the real binary: accounts full, keys
//! full, each of 255 characters, and all connections held by clients that finish no body and read no answer.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use super::million::Service;

/// What an instance of Render's free plan has.
const MACHINE_KB: u64 = 512 * 1024;

/// What is left of it to the system, for sockets above all.
const SYSTEM_KB: u64 = 96 * 1024;

const KEYS: usize = 1_000_000;

/// How many requests are sent at a time.
const PIPELINED: usize = 100;

/// The variables that are set by the image, and on Render.
fn variables() -> Vec<(String, String)> {
    let read = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(name);
        fs::read_to_string(path).unwrap()
    };
    let image = read("Dockerfile");
    let image = image
        .lines()
        .filter_map(|line| line.strip_prefix("ENV ")?.split_once('='));
    let render = read("render.yaml");
    let render: Vec<_> = render.split("- key: ").skip(1).collect();
    let render = render
        .into_iter()
        .map(|it| it.split_once("value: ").unwrap());
    let both = image.chain(render).map(|(name, value)| {
        let value = value.lines().next().unwrap().trim().trim_matches('"');
        (name.trim().to_owned(), value.to_owned())
    });
    both.collect()
}

/// Sends requests, and returns how many of the answers have this status.
fn exchange(stream: &mut TcpStream, requests: &[String], status: &str) -> usize {
    stream.write_all(requests.concat().as_bytes()).unwrap();
    let (mut received, mut piece) = (String::new(), [0; 1 << 16]);
    while received.matches("\r\n\r\n").count() < requests.len() {
        let length = stream.read(&mut piece).unwrap();
        assert!(length > 0, "the connection was closed");
        received.push_str(str::from_utf8(&piece[..length]).unwrap());
    }
    received.matches(&format!("HTTP/1.1 {status}")).count()
}

fn post(path: &str, key: &str, json: &str) -> String {
    let length = json.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         idempotency-key: {key}\r\ncontent-length: {length}\r\n\r\n{json}"
    )
}

/// Opens as many accounts as may be, with a key each, and uses as many keys as may be. Returns the path of an account
/// on which much happened.
fn fill(port: u16) -> String {
    let next = AtomicUsize::new(0);
    let ask = |request: &(dyn Fn(&str) -> String + Sync), status| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        loop {
            let keys = (0..PIPELINED).map(|_| format!("{:0>255}", next.fetch_add(1, Relaxed)));
            let requests: Vec<_> = keys.map(|key| request(&key)).collect();
            if exchange(&mut stream, &requests, status) > 0 {
                return;
            }
        }
    };
    let open = |key: &str| post("/accounts", key, "{}");
    ask(&open, "507");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let page = "GET /accounts?limit=1 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(page.as_bytes()).unwrap();
    let mut listed = String::new();
    stream.read_to_string(&mut listed).unwrap();
    let (_, number) = listed.split_once("\"account_number\":\"").unwrap();
    let account = format!("/accounts/{}", &number[..36]);
    let path = format!("{account}/deposit");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| ask(&|key| post(&path, key, r#"{"amount":1}"#), "503"));
        }
    });
    assert!(next.load(Relaxed) > KEYS);
    account
}

/// A client that reads nothing: of the longest answers there are, or of that to a body that never ends.
fn stay(port: u16, longest: &str, index: usize) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_write_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let sent = match index % 2 {
        0 => format!("GET {longest}?limit=1000 HTTP/1.1\r\nhost: localhost\r\n\r\n").repeat(2_000),
        _ => {
            let head =
                "POST /accounts HTTP/1.1\r\nhost: localhost\r\ncontent-length: 16384\r\n\r\n";
            format!("{head}{}", " ".repeat(16_383))
        }
    };
    // What the server does not take waits here for nobody.
    let _ = stream.write_all(sent.as_bytes());
    stream
}

#[test]
#[ignore = "minutes, and a gigabyte of disk"]
fn the_largest_state_that_the_image_allows_fits_512_mb() {
    let variables = variables();
    println!("{variables:?}");
    let value = |name: &str| variables.iter().find(|(it, _)| it == name).unwrap();
    let connections: usize = value("MAX_CONNECTIONS").1.parse().unwrap();
    let binary = std::env::var_os("CASHPOINT").map(PathBuf::from);
    let binary = binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_cashpoint").into());
    for is_durable in [false, true] {
        let place = tempfile::tempdir().unwrap();
        let directory = is_durable.then(|| place.path());
        let service = Service::start_with(&binary, directory, &variables);
        let empty_kb = service.kb("VmRSS");
        let longest = match (fill(service.port()), is_durable) {
            (account, true) => format!("{account}/transactions"),
            (_, false) => "/accounts".to_owned(),
        };
        let full_kb = service.kb("VmHWM");
        let clients: Vec<_> = (0..connections)
            .map(|index| stay(service.port(), &longest, index))
            .collect();
        thread::sleep(Duration::from_secs(1));
        let most_kb = service.kb("VmHWM");
        println!(
            "durable: {is_durable}; {empty_kb} kB empty, {full_kb} with all accounts and keys, {most_kb} with {} connections",
            clients.len()
        );
        assert!(most_kb + SYSTEM_KB <= MACHINE_KB);
    }
}
