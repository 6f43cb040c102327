//! Logs that cannot be written.
//!
//! Whatever becomes of standard error, the service goes on, ends well when it is told to, and says afterwards
//! what is missing in its log.

use std::fs::File;
use std::io::{BufRead, BufReader, PipeReader, Read, Write as _, pipe};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Client, Launch, PATIENCE, Request, Server};

/// A request that takes longer waits for the log: alone it takes less than a millisecond.
const SLOW: Duration = Duration::from_secs(2);

/// How long a service with nothing left to do may take to end, the time for its log included.
const ENDING: Duration = Duration::from_secs(5);

/// More lines than a pipe and all queues hold.
const FLOOD: usize = 5_000;

/// What is running where the log is of no use: both kinds of ledger.
fn in_both_modes(launch: impl Fn() -> Launch, test: impl Fn(Launch)) {
    test(launch());
    let directory = TempDir::new().unwrap();
    test(launch().flag("--data", directory.path().to_str().unwrap()));
}

fn launch() -> Launch {
    Launch::bare().flag("--host", "127.0.0.1")
}

/// Sends requests that are refused, and looks that none has to wait.
fn refuse(client: &mut Client, requests: usize) {
    for number in 0..requests {
        let path = format!("/nowhere/{}", "x".repeat(100));
        let id = format!("flood-{number}");
        let began = Instant::now();
        let response = client.send(&Request::get(&path).header("X-Request-Id", &id));
        assert_eq!(response.status, 404);
        let took = began.elapsed();
        assert!(took < SLOW, "request {number} took {took:?}");
    }
}

/// Does what a service is there for, and has it stop.
fn serves_and_stops(mut server: Server, refusals: usize) {
    let account = server.open_account("1.0");
    refuse(&mut server.connect(), refusals);
    let deposit = server.post(&format!("/accounts/{account}/deposit"), r#"{"amount":2}"#);
    assert_eq!(deposit.status, 200);
    assert_eq!(server.balance(&account), "3.0");
    assert_eq!(server.get("/livez").status, 200);
    server.signal("TERM");
    let ended = server.exit_within(ENDING);
    assert_eq!(ended.and_then(|status| status.code()), Some(0), "{ended:?}");
}

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

/// Standard error whose reader is gone.
fn unread() -> Stdio {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    writer.into()
}

/// A pipe whose writers are told to try again where others wait.
fn impatient_pipe() -> (PipeReader, Stdio) {
    let (reader, writer) = pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    (reader, writer.into())
}

fn patient_pipe() -> (PipeReader, Stdio) {
    let (reader, writer) = pipe().unwrap();
    (reader, writer.into())
}

/// A pipe that has no room.
fn stuffed_pipe() -> (PipeReader, Stdio) {
    let (reader, mut writer) = pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while writer.write(&[b'\n'; 4096]).is_ok() {}
    while writer.write(b"\n").is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    (reader, writer.into())
}

#[test]
fn a_full_disk_under_the_log_stops_nothing() {
    in_both_modes(launch, |launch| {
        serves_and_stops(launch.start_logging_to(full()), 100);
    });
}

#[test]
fn a_log_whose_reader_is_gone_stops_nothing() {
    in_both_modes(launch, |launch| {
        serves_and_stops(launch.start_logging_to(unread()), 100);
    });
}

#[test]
fn a_closed_standard_error_stops_nothing() {
    let launch = || Launch::by_shell(r#"exec "$@" 2>&-"#).flag("--host", "127.0.0.1");
    in_both_modes(launch, |launch| {
        serves_and_stops(launch.start_logging_to(Stdio::null()), 100);
    });
}

#[test]
fn a_reader_of_the_log_that_stands_still_stops_nothing() {
    for pipe in [patient_pipe, impatient_pipe] {
        in_both_modes(launch, |launch| {
            let (_reader, writer) = pipe();
            let server = launch.env("LOG_LEVEL", "debug").start_logging_to(writer);
            serves_and_stops(server, FLOOD);
        });
    }
}

#[test]
fn what_nobody_reads_takes_little_memory() {
    let (_reader, writer) = patient_pipe();
    let server = launch().env("LOG_LEVEL", "debug").start_logging_to(writer);
    let mut client = server.connect();
    refuse(&mut client, 1_000);
    let before = server.resident_kib();
    refuse(&mut client, FLOOD);
    let grown = server.resident_kib().saturating_sub(before);
    assert!(grown < 4 * 1024, "grown by {grown} KiB");
}

#[test]
fn a_second_signal_is_followed_at_once_though_the_log_is_stuck() {
    let (_reader, writer) = stuffed_pipe();
    let mut server = launch()
        .flag("--drain-delay", "60")
        .start_logging_to(writer);
    assert_eq!(server.get("/livez").status, 200);
    server.signal("TERM");
    std::thread::sleep(Duration::from_millis(500));
    server.signal("TERM");
    let ended = server.exit_within(ENDING);
    assert!(ended.is_some(), "still running");
}

/// What a log in JSON says: the requests that it names, and how many lines are missing where.
struct Told {
    requests: Vec<usize>,
    lost: u64,
    last: String,
}

fn told(log: impl Read) -> Told {
    let mut told = Told {
        requests: Vec::new(),
        lost: 0,
        last: String::new(),
    };
    for line in BufReader::new(log).lines().map(Result::unwrap) {
        let object: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        if let Some(id) = object["request_id"].as_str() {
            let number = id.strip_prefix("flood-").expect(id);
            told.requests.push(number.parse().unwrap());
        }
        told.lost += object["lines_lost"].as_u64().unwrap_or(0);
        told.last = object["message"].as_str().unwrap().to_owned();
    }
    told
}

impl Told {
    /// Each request has its line, in order, or is in the number of those that are lost.
    fn accounts_for(&self, requests: usize) {
        assert!(self.requests.is_sorted());
        let accounted = self.requests.len() + usize::try_from(self.lost).unwrap();
        assert_eq!(accounted, requests, "{} lines lost", self.lost);
        assert!(self.lost > 0, "nothing was lost: that tested nothing");
        assert_eq!(self.last, "stopped");
    }
}

#[test]
fn lines_that_were_lost_are_counted_once_somebody_reads_again() {
    for pipe in [patient_pipe, impatient_pipe] {
        let (reader, writer) = pipe();
        let mut server = launch()
            .env("LOG_LEVEL", "debug")
            .env("LOG_FORMAT", "json")
            .start_logging_to(writer);
        let mut client = server.connect();
        refuse(&mut client, FLOOD);
        let reading = std::thread::spawn(move || told(reader));
        // What waits is read, and there is room again.
        std::thread::sleep(Duration::from_secs(1));
        refuse(&mut client, 1);
        drop(client);
        server.signal("TERM");
        assert!(server.exit_within(ENDING).is_some());
        let told = reading.join().unwrap();
        assert_eq!(
            told.requests.last(),
            Some(&0),
            "the request after the flood"
        );
        let mut flood = told;
        flood.requests.pop();
        flood.accounts_for(FLOOD);
    }
}

#[test]
fn a_file_that_may_grow_again_goes_on_with_whole_lines() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("log");
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .unwrap();
    // In blocks of 512 bytes, in all shells that keep to POSIX.
    let mut server = Launch::by_shell(r#"ulimit -S -f 8; exec "$@""#)
        .flag("--host", "127.0.0.1")
        .env("LOG_LEVEL", "debug")
        .env("LOG_FORMAT", "json")
        .start_logging_to(file);
    let mut client = server.connect();
    refuse(&mut client, 500);
    let length = std::fs::metadata(&path).unwrap().len();
    assert!(length <= 8 * 1024, "it grew to {length}");
    let process = i32::try_from(server.process()).unwrap();
    let unlimited = (rlimit::INFINITY, rlimit::INFINITY);
    rlimit::prlimit(process, rlimit::Resource::FSIZE, Some(unlimited), None).unwrap();
    // The line that was cut in the middle is finished, and what is missing is told.
    let deadline = Instant::now() + PATIENCE;
    while !std::fs::read_to_string(&path)
        .unwrap()
        .contains("lines_lost")
    {
        assert!(
            Instant::now() < deadline,
            "nothing is told of what was lost"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(client);
    server.signal("TERM");
    assert_eq!(
        server.exit_within(PATIENCE).and_then(|it| it.code()),
        Some(0)
    );
    told(File::open(&path).unwrap()).accounts_for(500);
}

#[test]
fn a_start_that_fails_ends_so_where_it_cannot_be_said() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let number = port.local_addr().unwrap().port().to_string();
    let (_reader, writer) = stuffed_pipe();
    for stderr in [full().into(), unread(), writer] {
        let launch = launch().flag("--port", &number);
        let ended = launch.run_to_exit_logging_to(stderr);
        assert_eq!(ended.and_then(|status| status.code()), Some(1), "{ended:?}");
    }
}

#[test]
fn a_start_that_fails_says_why_in_the_form_of_the_log() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let number = port.local_addr().unwrap().port().to_string();
    for format in ["text", "json"] {
        let launch = launch().flag("--port", &number).env("LOG_FORMAT", format);
        let (status, said) = launch.run_to_exit();
        assert_eq!(status.code(), Some(1));
        assert_eq!(said.lines().count(), 1, "{said}");
        let why = format!("port {number} on 127.0.0.1 is in use");
        if format == "json" {
            let object: Value = serde_json::from_str(&said).unwrap();
            assert_eq!(object["level"], "ERROR", "{said}");
            assert!(object["message"].as_str().unwrap().contains(&why), "{said}");
        } else {
            assert!(said.starts_with("error: ") && said.contains(&why), "{said}");
        }
    }
}

#[test]
fn a_limit_of_the_size_of_files_is_an_error_and_no_death() {
    let directory = TempDir::new().unwrap();
    let (status, said) = Launch::by_shell(r#"ulimit -f 8; exec "$@""#)
        .flag("--host", "127.0.0.1")
        .flag("--port", "0")
        .flag("--data", directory.path().to_str().unwrap())
        .run_to_exit();
    assert_eq!(status.code(), Some(1), "{status:?}: {said}");
    assert!(said.contains("File too large"), "{said}");
    assert!(said.contains(directory.path().to_str().unwrap()), "{said}");
}
