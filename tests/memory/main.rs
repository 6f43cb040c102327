//! How much memory a durable ledger takes: at rest, while it starts, and while a snapshot is taken under load.
//!
//! What counts is what the system counts (`VmRSS`, and `VmHWM`, its largest value so far), so each measurement is one of a
//! process of its own. Linux only: it is read from `/proc`.
//!
//! `cargo test --test memory` measures a small ledger. The real binary with a million accounts and keys, as in
//! docs/verifying.md, takes some minutes and 2 GB of disk:
//!
//! ```sh
//! cargo test --release --test memory -- --ignored --nocapture a_million
//! CASHPOINT=/another/cashpoint cargo test --release --test memory -- --ignored --nocapture a_million
//! ```

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states what it expects by panicking"
)]

mod figures;
mod million;
mod worst;

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::thread;
use std::time::Duration;

use cashpoint::durable::{DurableConfig, DurableLedger, SUBMISSION_MAX};
use cashpoint::{AccountNumber, Amount, Cents, Change, Command};

/// Whether so much may be in memory at any time, where there is so much at rest: `docs/operating.md` gives a ledger a fifth more,
/// and ten megabytes.
fn is_within_peak(peak_kb: u64, rest_kb: u64) -> bool {
    peak_kb <= rest_kb * 120 / 100 + 10_000
}

const ROLE: &str = "CASHPOINT_MEMORY_ROLE";

/// A number of kB from `/proc`.
fn status_kb(process: &str, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let mut lines = status.lines();
    let line = lines.find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The names in a directory that end like this, in order.
fn names(directory: &Path, end: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(end)).collect();
    names.sort();
    names
}

fn snapshots(directory: &Path) -> Vec<String> {
    let mut names = names(directory, ".snapshot");
    names.retain(|name| !name.starts_with("next"));
    names
}

/// Waits until no snapshot is being taken any more.
fn settle(directory: &Path) {
    let mut quiet = 0;
    while quiet < 20 {
        thread::sleep(Duration::from_millis(50));
        let is_quiet = !directory.join("next.snapshot").exists();
        quiet = if is_quiet { quiet + 1 } else { 0 };
    }
}

/// Asks a ledger for much.
struct Writer<'a> {
    ledger: &'a DurableLedger,
    numbers: Vec<AccountNumber>,
    deposits: usize,
    keys: usize,
}

impl<'a> Writer<'a> {
    fn new(ledger: &'a DurableLedger, accounts: usize) -> Self {
        let mut numbers = Vec::with_capacity(accounts);
        while numbers.len() < accounts {
            let count = SUBMISSION_MAX.min(accounts - numbers.len());
            let open = Change::Open {
                initial: Cents::ZERO,
            };
            let answers = ledger.submit(vec![Command::from(open); count]).wait();
            numbers.extend(answers.into_iter().map(|it| it.unwrap().number));
        }
        Self {
            ledger,
            numbers,
            deposits: 0,
            keys: 0,
        }
    }

    /// Deposits on one account after the other, each with a key of so many characters if it has any.
    fn deposit(&mut self, count: usize, key_len: usize) {
        let mut left = count;
        while left > 0 {
            let commands = (0..left.min(SUBMISSION_MAX)).map(|_| self.command(key_len));
            let commands: Vec<_> = commands.collect();
            left -= commands.len();
            let answers = self.ledger.submit(commands).wait();
            assert!(answers.iter().all(Result::is_ok));
        }
    }

    fn command(&mut self, key_len: usize) -> Command {
        let number = self.numbers[self.deposits % self.numbers.len()];
        self.deposits += 1;
        let key = (key_len > 0).then(|| {
            self.keys += 1;
            format!("{:0>key_len$}", self.keys).parse().unwrap()
        });
        let amount = Amount::from_cents(1).unwrap();
        let change = Change::Deposit { number, amount };
        Command { change, key }
    }
}

const ACCOUNTS: usize = 200_000;

const KEYS: usize = 200_000;

/// Segments, and the ways between snapshots, are shorter than usual, as the ledger is smaller.
fn config() -> DurableConfig {
    let mut config = DurableConfig::new(ACCOUNTS);
    config.segment_bytes = DurableConfig::SEGMENT_BYTES_MIN;
    config.snapshot_bytes = 3 * DurableConfig::SEGMENT_BYTES_MIN;
    config
}

/// What a process of its own does, and prints what that took.
#[test]
#[ignore = "a part of the other tests, which start it"]
fn role() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let (role, directory) = role.split_once(' ').unwrap();
    if let ("figure", [mode, what, key_len]) = (role, &directory.split(' ').collect::<Vec<_>>()[..])
    {
        let bytes = figures::bytes_each(mode, what, key_len.parse().unwrap());
        return println!("measured {bytes} 0");
    }
    let directory = PathBuf::from(directory);
    let ledger = DurableLedger::open(&directory, config()).unwrap();
    if role == "load" {
        let mut writer = Writer::new(&ledger, ACCOUNTS);
        writer.deposit(KEYS, 36);
        while snapshots(&directory).is_empty() || writer.deposits < 3 * ACCOUNTS {
            writer.deposit(SUBMISSION_MAX, 0);
        }
        settle(&directory);
        assert_eq!(ledger.snapshot_failure(), None);
    }
    print_measured();
}

fn print_measured() {
    thread::sleep(Duration::from_millis(200));
    let kb = ["VmHWM", "VmRSS"].map(|field| status_kb("self", field));
    println!("measured {} {}", kb[0], kb[1]);
}

/// The peak and what is there at rest, in kB, of a process that does this.
fn measure(role: &str, directory: &Path) -> (u64, u64) {
    let output = process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "role", "--ignored", "--nocapture"])
        .env(ROLE, format!("{role} {}", directory.display()))
        .output()
        .unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let measured = output.split_once("measured ").expect(&output).1;
    let mut numbers = measured.split_whitespace().map(|it| it.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn neither_a_snapshot_nor_a_start_takes_much_more_than_the_ledger_itself() {
    let place = tempfile::tempdir().unwrap();
    let (loaded_kb, _) = measure("load", place.path());
    let (started_kb, rest_kb) = measure("start", place.path());
    println!("{rest_kb} kB at rest, at most {started_kb} to start and {loaded_kb} under load");
    for peak_kb in [loaded_kb, started_kb] {
        assert!(
            is_within_peak(peak_kb, rest_kb),
            "{peak_kb} kB, and {rest_kb} at rest"
        );
    }
}
