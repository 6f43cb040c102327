//! Journals that are written by the real engine, with what is in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use cashpoint::durable::{DurableConfig, DurableLedger};
use cashpoint::journal::Kind;
use cashpoint::service::Timestamp;
use cashpoint::{
    AccountNumber, Amount, Cents, Change, Command, CommandError, IdempotencyKey, Receipt,
};

/// 2026-01-31 20:00 UTC: days and a month end soon.
const BEGIN_US: i64 = 1_769_889_600_000_000;

/// What formats may trip over.
const HOSTILE: [&str; 16] = [
    "\"",
    "\\",
    ";",
    ",",
    "=1+1",
    "'",
    "|",
    "[2020-01-01]",
    "date:2020-13-45",
    "%41",
    "{}",
    "#",
    "\\\"",
    "*",
    "@-+",
    "key:x,time:y",
];

/// A directory that goes with the test.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "cashpoint-journal-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, suffix: &str) -> PathBuf {
        self.files(suffix).remove(0)
    }

    /// The files whose names end so, in order.
    pub(crate) fn files(&self, suffix: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut paths: Vec<_> = entries.map(|it| it.unwrap().path()).collect();
        paths.retain(|path| path.to_str().unwrap().ends_with(suffix));
        paths.sort();
        paths
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A record that has been written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) sequence: u64,
    pub(crate) at_us: i64,
    pub(crate) kind: &'static str,
    pub(crate) number: Option<String>,
    pub(crate) amount: i64,
    /// None of a refusal.
    pub(crate) balance: Option<i64>,
    pub(crate) key: Option<String>,
}

impl Entry {
    /// What the account gains.
    pub(crate) fn change(&self) -> i64 {
        match self.kind {
            "withdrawal" | "closing" => -self.amount,
            _ => self.amount,
        }
    }
}

/// A ledger, with what has been written.
pub(crate) struct JournalAuthor {
    ledger: DurableLedger,
    clock_us: Arc<AtomicI64>,
    random: u64,
    pub(crate) entries: Vec<Entry>,
    pub(crate) open: BTreeMap<String, i64>,
    pub(crate) closed: BTreeSet<String>,
    numbers: Vec<AccountNumber>,
}

impl JournalAuthor {
    pub(crate) fn new(directory: &Path, seed: u64) -> Self {
        let clock_us = Arc::new(AtomicI64::new(BEGIN_US));
        let mut config = DurableConfig::new(100_000);
        config.segment_bytes = DurableConfig::SEGMENT_BYTES_MIN;
        config.snapshot_bytes = DurableConfig::SEGMENT_BYTES_MIN / 2;
        let clock = Arc::clone(&clock_us);
        config.clock = Arc::new(move || Timestamp::from_micros(clock.load(Relaxed)));
        Self {
            ledger: DurableLedger::open(directory, config).unwrap(),
            clock_us,
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            entries: Vec::new(),
            open: BTreeMap::new(),
            closed: BTreeSet::new(),
            numbers: Vec::new(),
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) % below
    }

    /// A key of hostile characters that has not been used before.
    fn key(&mut self) -> IdempotencyKey {
        let hostile = HOSTILE[self.draw(HOSTILE.len() as u64) as usize];
        let unique = self.random;
        let mut text = format!("{hostile}{unique}");
        if self.draw(50) == 0 {
            // All there are, and as many as may be.
            text.extend(('!'..='~').cycle().take(255 - text.len()));
        }
        text.parse().unwrap()
    }

    fn change(&mut self) -> Change {
        let Some(last) = self.numbers.len().checked_sub(1) else {
            return Change::Open {
                initial: Cents::new(self.draw(100_000) as i64).unwrap(),
            };
        };
        let drawn = self.draw(last as u64 + 1) as usize;
        let number = self.numbers[drawn];
        let amount = Amount::from_cents(self.draw(50_000) as i64 + 1).unwrap();
        match self.draw(40) {
            0 => Change::Close { number },
            1 => Change::Open {
                initial: Cents::ZERO,
            },
            2..5 => Change::Open {
                initial: amount.cents(),
            },
            5..25 => Change::Deposit { number, amount },
            _ => Change::Withdraw { number, amount },
        }
    }

    /// Makes `count` changes in batches of up to `batch`, and notes what is recorded.
    pub(crate) fn write(&mut self, count: usize, batch: usize) {
        let mut left = count;
        while left > 0 {
            let now = batch.min(left);
            left -= now;
            let commands: Vec<_> = (0..now)
                .map(|_| {
                    let change = self.change();
                    let key = (self.draw(3) == 0).then(|| self.key());
                    Command { change, key }
                })
                .collect();
            // Up to half an hour, so that a few dozen batches see a day go by.
            let pause_us = self.draw(1_800_000_000) as i64;
            self.clock_us.fetch_add(pause_us, Relaxed);
            let answers = self.ledger.submit(commands.clone()).wait();
            for (command, answer) in commands.into_iter().zip(answers) {
                self.note(&command, answer);
            }
        }
    }

    fn note(&mut self, command: &Command, answer: Result<Receipt, CommandError>) {
        let receipt = match answer {
            Ok(receipt) => Some(receipt),
            Err(CommandError::Refused { refusal, .. }) if command.key.is_some() => {
                if !refusal.is_kept() {
                    return;
                }
                None
            }
            Err(CommandError::Refused { .. }) => return,
            Err(CommandError::NotDone(not_done)) => unreachable!("{not_done}"),
        };
        let balance = receipt.map(|it| it.balance.get());
        let (amount, balance) = match command.change {
            Change::Open { initial } => (initial.get(), balance),
            Change::Deposit { amount, .. } | Change::Withdraw { amount, .. } => {
                (amount.cents().get(), balance)
            }
            Change::Close { .. } => (balance.unwrap_or(0), balance.map(|_| 0)),
        };
        let number = receipt.map(|it| it.number).or(command.change.number());
        let entry = Entry {
            sequence: self.entries.len() as u64 + 1,
            at_us: self.clock_us.load(Relaxed),
            kind: Kind::from(command.change).name(),
            number: number.map(|it| it.to_string()),
            amount,
            balance,
            key: command.key.as_ref().map(|key| key.to_string()),
        };
        if let Some((number, balance)) = number.zip(entry.balance) {
            self.tally(&entry, number, balance);
        }
        self.entries.push(entry);
    }

    /// Keeps balances by arithmetic of its own.
    fn tally(&mut self, entry: &Entry, number: AccountNumber, balance: i64) {
        let text = number.to_string();
        if entry.kind == "opening" {
            self.numbers.push(number);
        }
        let held = self.open.entry(text.clone()).or_default();
        *held += entry.change();
        assert_eq!(*held, balance, "{entry:?}");
        if entry.kind == "closing" {
            self.open.remove(&text);
            self.closed.insert(text);
        }
    }

    /// Closes the ledger. What is known of it stays.
    pub(crate) fn close(self) -> Known {
        drop(self.ledger);
        Known {
            entries: self.entries,
            open: self.open,
            closed: self.closed,
        }
    }
}

/// What is in a journal.
pub(crate) struct Known {
    pub(crate) entries: Vec<Entry>,
    pub(crate) open: BTreeMap<String, i64>,
    pub(crate) closed: BTreeSet<String>,
}

impl Known {
    /// The records of what was granted.
    pub(crate) fn granted(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.balance.is_some())
    }
}

/// A journal of so many changes.
pub(crate) fn written(seed: u64, count: usize, batch: usize) -> (Directory, Known) {
    let directory = Directory::new();
    let mut author = JournalAuthor::new(&directory.0, seed);
    author.write(count, batch);
    (directory, author.close())
}
