//! Clocks that are years wrong, jump, and go back.
//!
//! `libfaketime` (Debian: `apt-get install faketime`) tells the server another time than that of this machine;
//! time that nobody sets is left alone, as on a real machine. Without it these tests say that they
//! were skipped; with `WORLD_TOOLS=1` in the environment they fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::skipped;
use crate::support::{self, Launch, PATIENCE, Request, Response, Server};

const FUTURE: &str = "@2099-01-01 00:00:00";

/// The library that tells the wrong time; or says that a test is skipped for want of it.
fn faketime(test: &str) -> Option<PathBuf> {
    let places = ["/usr/lib", "/usr/lib64", "/usr/local/lib"]
        .into_iter()
        .flat_map(|place| fs::read_dir(place).into_iter().flatten().flatten())
        .map(|entry| entry.path())
        .flat_map(|path| [path.join("faketime"), path]);
    let mut libraries = places.map(|place| place.join("libfaketimeMT.so.1"));
    let found = libraries.find(|library| library.exists());
    if found.is_none() {
        skipped(
            "WORLD_TOOLS",
            test,
            "libfaketime is not installed (apt-get install faketime)",
        );
    }
    found
}

/// A server of the ledger in `data` whose clock is set as `time` says, in the words of `faketime`.
fn at(library: &Path, time: &str, data: &Path) -> Launch {
    wrong(durable(data), library).env("FAKETIME", time)
}

fn wrong(launch: Launch, library: &Path) -> Launch {
    let library = library.to_str().unwrap();
    launch
        .env("LD_PRELOAD", library)
        .env("DONT_FAKE_MONOTONIC", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("TZ", "UTC")
}

fn durable(data: &Path) -> Launch {
    Server::configure().flag("--data", data.to_str().unwrap())
}

/// A clock that can be set while the server runs.
struct SetClock(PathBuf);

impl SetClock {
    /// It goes as far wrong as `offset` says, such as `+2d`.
    fn set(&self, offset: &str) {
        // In one piece: it is read at any time.
        let next = self.0.with_extension("next");
        fs::write(&next, offset).unwrap();
        fs::rename(&next, &self.0).unwrap();
    }
}

/// A server with a clock that can be set.
fn with_clock(library: &Path, directory: &Path, launch: Launch) -> (SetClock, Launch) {
    let clock = SetClock(directory.join("clock"));
    clock.set("+0");
    let file = clock.0.to_str().unwrap();
    let launch = wrong(launch, library)
        .env("FAKETIME_TIMESTAMP_FILE", file)
        .env("FAKETIME_NO_CACHE", "1");
    (clock, launch)
}

fn deposit(server: &Server, account: &str, key: &str) -> Response {
    let path = format!("/accounts/{account}/deposit");
    let request = Request::post(&path, r#"{"amount":1.0}"#);
    server.send(&request.header("Idempotency-Key", key))
}

/// The year of the answer's time.
fn year(response: &Response) -> i32 {
    assert_eq!(response.status, 200, "{}", response.text());
    let json = response.json();
    json["timestamp"].as_str().unwrap()[..4].parse().unwrap()
}

fn year_now() -> i32 {
    let server = Server::start();
    year(&server.get("/health"))
}

fn warnings(server: &Server) -> Vec<String> {
    let json = server.get("/health").json();
    let warnings = json["warnings"].as_array().expect("there are warnings");
    let texts = warnings.iter().map(|it| it.as_str().unwrap().to_owned());
    texts.collect()
}

#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// How many lines of the log say something.
fn said(server: &Server, what: &str) -> usize {
    let lines = server.log().since(0);
    lines.iter().filter(|line| line.contains(what)).count()
}

/// A ledger with one account and one key, whose last record is of 2099.
fn written_in_2099(library: &Path, data: &Path) -> String {
    let mut server = at(library, FUTURE, data).start();
    let account = server.open_account("1.0");
    assert_eq!(year(&deposit(&server, &account, "first")), 2099);
    server.signal("TERM");
    server.exit_within(PATIENCE).expect("it stops");
    account
}

#[test]
fn a_ledger_written_in_2099_asks_before_it_goes_on_and_its_keys_still_age() {
    let Some(library) = faketime("a ledger written in 2099") else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let account = written_in_2099(&library, place.path());
    let now = year_now();
    let (status, text) = durable(place.path()).run_to_exit();
    assert_eq!(status.code(), Some(1), "{text}");
    for part in [
        "--accept-clock",
        "ACCEPT_CLOCK",
        "2099-01-01",
        &now.to_string(),
    ] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    // It goes on, and the one key that it has room for grows old at the rate of the world.
    let server = durable(place.path())
        .argument("--accept-clock")
        .flag("--idempotency-window", "3")
        .flag("--idempotency-keys-max", "1")
        .start();
    assert_eq!(deposit(&server, &account, "second").status, 503);
    let full = warnings(&server).join(" ");
    assert!(full.contains("keys"), "a full store is told: {full}");
    wait_until("the key is over", || {
        deposit(&server, &account, "second").status == 200
    });
    let told = warnings(&server).join(" ");
    assert!(told.contains("clock") && told.contains("years"), "{told}");
    assert_eq!(server.get("/health").status, 200);
    assert_eq!(server.balance(&account), "3.0");
    assert_eq!(said(&server, "The clock is"), 1, "{}", server.log().text());
}

#[test]
fn a_clock_in_2099_is_not_believed_unless_it_is_accepted() {
    let Some(library) = faketime("a clock in 2099") else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let now = {
        let server = durable(place.path()).start();
        let account = server.open_account("1.0");
        year(&deposit(&server, &account, "first"))
    };
    let (status, text) = at(&library, FUTURE, place.path()).run_to_exit();
    assert_eq!(status.code(), Some(1), "{text}");
    for part in ["--accept-clock", "2099-01-01", &now.to_string()] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    // Nothing was spoiled by the attempt.
    let server = durable(place.path()).start();
    let account = server.open_account("1.0");
    assert_eq!(year(&deposit(&server, &account, "second")), now);
    assert_eq!(warnings(&server), Vec::<String>::new());
    drop(server);
    let server = at(&library, FUTURE, place.path())
        .env("ACCEPT_CLOCK", "true")
        .start();
    assert_eq!(year(&deposit(&server, &account, "third")), 2099);
}

#[test]
fn a_clock_that_jumps_years_ahead_while_it_runs_is_not_followed() {
    let Some(library) = faketime("a clock that jumps years ahead") else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let (clock, launch) = with_clock(&library, place.path(), durable(&data));
    let server = launch.start();
    let account = server.open_account("1.0");
    let now = year(&deposit(&server, &account, "first"));
    clock.set("+70y");
    assert_eq!(year(&server.get("/health")), now + 70, "the clock is wrong");
    assert_eq!(year(&deposit(&server, &account, "second")), now);
    let again = deposit(&server, &account, "first");
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let told = warnings(&server).join(" ");
    assert!(
        told.contains("clock") && told.contains("--accept-clock"),
        "{told}"
    );
    wait_until("it is logged", || said(&server, "The clock is") == 1);
    clock.set("+0");
    wait_until("it is over", || warnings(&server).is_empty());
    wait_until("that is logged", || {
        said(&server, "clock is right again") == 1
    });
    assert_eq!(said(&server, "The clock is"), 1, "{}", server.log().text());
    // What is less than years is taken for what it is: a clock that was set right, a machine that slept.
    clock.set("+40d");
    let before = server.get("/health").json()["timestamp"].to_string();
    let later = deposit(&server, &account, "third").json()["timestamp"].to_string();
    assert!(later >= before, "{later} is before {before}");
}

#[test]
fn keys_age_while_the_clock_stands_behind_the_last_record() {
    let Some(library) = faketime("keys while the clock stands behind") else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let launch = durable(&data).flag("--idempotency-window", "2");
    let (clock, launch) = with_clock(&library, place.path(), launch);
    let server = launch.start();
    let account = server.open_account("1.0");
    clock.set("+30d");
    let first = deposit(&server, &account, "key").json()["timestamp"].to_string();
    clock.set("+0");
    wait_until("the key is over", || {
        let again = deposit(&server, &account, "key");
        again.header("idempotency-replayed").is_none()
    });
    assert_eq!(server.balance(&account), "3.0");
    let later = server.post(&format!("/accounts/{account}/deposit"), r#"{"amount":1.0}"#);
    let later = later.json()["timestamp"].to_string();
    assert!(later > first, "{later} is not after {first}");
    let told = warnings(&server).join(" ");
    assert!(told.contains("29 days behind"), "{told}");
}

#[test]
fn keys_in_memory_age_by_no_clock_that_is_set() {
    let Some(library) = faketime("keys in memory") else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let launch = Server::configure().flag("--idempotency-window", "5");
    let (clock, launch) = with_clock(&library, place.path(), launch);
    let server = launch.start();
    let account = server.open_account("1.0");
    assert_eq!(deposit(&server, &account, "key").status, 200);
    for offset in ["+70y", "-70d"] {
        clock.set(offset);
        let again = deposit(&server, &account, "key");
        assert_eq!(
            again.header("idempotency-replayed"),
            Some("true"),
            "{offset}"
        );
    }
    wait_until("the key is over", || {
        let again = deposit(&server, &account, "key");
        again.header("idempotency-replayed").is_none()
    });
    assert_eq!(server.balance(&account), "3.0");
}

#[test]
fn journal_check_tells_of_records_from_the_future() {
    let Some(library) = faketime("journal check") else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    written_in_2099(&library, place.path());
    let mut command = support::cashpoint();
    let output = command
        .args(["journal", "check"])
        .arg(place.path())
        .output();
    let output = output.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "it is whole: {errors}");
    assert!(
        errors.contains("2099-01-01") && errors.contains("years ahead"),
        "{errors}"
    );
}
