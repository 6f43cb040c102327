//! The figures of `docs/operating.md`: what an account and a key take, while they come to be. Each is measured in a process of its own.

use std::fs;
use std::path::Path;

use cashpoint::durable::{DurableConfig, DurableLedger};
use cashpoint::service::Service;
use cashpoint::{AccountNumber, Amount, Cents, Change, Command, IdempotencyKey, KeyPolicy};
use futures_util::FutureExt as _;

use super::status_kb;

/// An eighth of a million: tables double when they are full, so each is as full as with a million.
const COUNT: usize = 125_000;

/// How many are asked for at a time: few, so that what is on its way takes little.
const AT_ONCE: usize = 250;

/// How often as many are asked for before anything is measured.
const WARM_UP: usize = 4;

/// How far a figure may be from what is measured, in percent.
const TOLERANCE_PERCENT: u64 = 10;

/// A ledger in either mode, asked for many things at a time.
enum Subject {
    Memory(Service),
    Durable(
        DurableLedger,
        #[expect(dead_code, reason = "it goes last")] tempfile::TempDir,
    ),
}

impl Subject {
    fn new(mode: &str) -> Self {
        if mode == "memory" {
            return Self::Memory(Service::in_memory_with_keys(
                COUNT + 1,
                KeyPolicy::default(),
            ));
        }
        let place = tempfile::tempdir().unwrap();
        let ledger = DurableLedger::open(place.path(), DurableConfig::new(COUNT + 1)).unwrap();
        Self::Durable(ledger, place)
    }

    /// Makes changes, all of which are granted. Returns the accounts.
    fn make(&self, changes: Vec<(Change, Option<IdempotencyKey>)>) -> Vec<AccountNumber> {
        let commands = changes.into_iter();
        let commands = commands.map(|(change, key)| Command { change, key });
        let answers = match self {
            Self::Memory(service) => {
                let ask = |command| service.execute(command).now_or_never();
                commands.map(|it| ask(it).unwrap()).collect()
            }
            Self::Durable(ledger, _) => ledger.submit(commands.collect()).wait(),
        };
        let numbers = answers.into_iter();
        numbers.map(|it| it.unwrap().number).collect()
    }

    fn open(&self, count: usize) -> Vec<AccountNumber> {
        let initial = Cents::ZERO;
        self.make(vec![(Change::Open { initial }, None); count])
    }
}

/// What the process grows by for each of many things, in bytes.
pub(super) fn bytes_each(mode: &str, what: &str, key_len: usize) -> u64 {
    let subject = Subject::new(mode);
    let number = subject.open(1)[0];
    let make = |made: usize| {
        let count = AT_ONCE.min(COUNT - made);
        match what {
            "account" => drop(subject.open(count)),
            "closed" => {
                let numbers = subject.open(count);
                let closings = numbers
                    .into_iter()
                    .map(|number| (Change::Close { number }, None));
                subject.make(closings.collect());
            }
            _ => {
                let amount = Amount::from_cents(1).unwrap();
                let deposit = |index| {
                    let key = format!("{index:0>key_len$}").parse().unwrap();
                    (Change::Deposit { number, amount }, Some(key))
                };
                subject.make((made..made + count).map(deposit).collect());
            }
        }
        made + count
    };
    // What there is but once is no part of it.
    let first = (0..WARM_UP).fold(0, |made, _| make(made));
    let before_kb = status_kb("self", "VmRSS");
    let mut made = first;
    while made < COUNT {
        made = make(made);
    }
    let after_kb = status_kb("self", "VmRSS");
    after_kb.saturating_sub(before_kb) * 1024 / (COUNT - first) as u64
}

/// The two figures in the row of this name in `docs/operating.md`: in memory, and durable.
fn stated(row: &str) -> [u64; 2] {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operating.md");
    let page = fs::read_to_string(page).unwrap();
    let begin = format!("| {row} |");
    let row = page
        .lines()
        .find_map(|line| line.trim().strip_prefix(&begin))
        .expect(row);
    let cells: Vec<_> = row
        .split('|')
        .take(2)
        .map(|it| it.trim().parse().unwrap())
        .collect();
    [cells[0], cells[1]]
}

#[test]
fn an_account_and_a_key_take_what_is_stated() {
    let mut wrong = Vec::new();
    for (row, what, key_lens) in [
        ("an open account", "account", &[0][..]),
        ("a closed account", "closed", &[0]),
        ("an idempotency key, however long", "key", &[36, 255]),
    ] {
        for (mode, stated) in ["memory", "durable"].into_iter().zip(stated(row)) {
            for key_len in key_lens {
                let role = format!("{mode} {what} {key_len}");
                let (measured, _) = super::measure("figure", Path::new(&role));
                println!("{role}: {measured} bytes, {stated} are stated");
                // A closed account leaves nothing in memory, but for what the allocator has not given back.
                if measured.abs_diff(stated) * 100 > stated * TOLERANCE_PERCENT + 500 {
                    wrong.push(role);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
