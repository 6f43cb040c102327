//! A run: one process after another on one disk, each of which ends in the midst of something.

use std::io::ErrorKind;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::disk::Disk;
use super::judge;
use super::life::{Decided, Life, Settings};
use super::model::{Micros, Model, Rules, answer_of};
use super::workload::Workload;
use crate::KeyPolicy;
use crate::journal::{JournalError, Recovered, recover};
use crate::values::change::{Change, CommandError};

/// How many steps the first process of a run takes, unless it ends before.
const FIRST_STEPS: usize = 500;

/// What a run came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// How many processes ended in the midst of something.
    pub(super) crashes: usize,
    /// How often a torn end was found.
    pub(super) torn: usize,
    /// How often a start began at a snapshot.
    pub(super) from_snapshot: usize,
    /// How many calls of the disk the first process made.
    pub(super) calls: usize,
}

struct Run {
    disk: Disk,
    random: Xoshiro256PlusPlus,
    workload: Workload,
    decided: Decided,
    clock: Micros,
    settings: Settings,
    tally: Tally,
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Killed,
    PowerLost,
}

/// Runs `seed`, whose first process ends at the call with this number, if it gets so far, and like this.
pub(super) fn run(seed: u64, end: Option<(usize, End)>) -> Tally {
    let mut run = Run::new(seed);
    if let Some((call, _)) = end {
        run.disk.end_at(call);
    }
    run.process(FIRST_STEPS);
    run.tally.calls = run.disk.calls();
    if let Some((_, End::Killed)) = end {
        // What the next process finds in the system's memory alone, and works with, goes with the power.
        run.end(End::Killed);
        let steps = run.random.random_range(0..60);
        run.process(steps);
        run.end(End::PowerLost);
        run.process(0);
    }
    for _ in 0..run.random.random_range(1..4) {
        run.crash();
        run.plan();
        let steps = run.random.random_range(0..150);
        run.process(steps);
    }
    run.crash();
    run.disk.mend();
    run.process(60);
    run.crash();
    run.audit();
    run.tally
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let window = random.random_range(100..2_000);
        let keys = KeyPolicy {
            window: Duration::from_micros(window),
            keys_max: [6, 20, 1_000][random.random_range(0..3)],
        };
        let rules = Rules {
            accounts_max: random.random_range(2..8),
            keys_max: keys.keys_max,
            window: i64::try_from(window).unwrap(),
        };
        Self {
            disk: Disk::new(random.random()),
            settings: Settings {
                accounts_max: rules.accounts_max,
                keys,
                segment_bytes: 512 * random.random_range(12..24),
            },
            random,
            workload: Workload::new(),
            decided: Decided {
                states: vec![Model::new(rules)],
                durable: 0,
                written: 0,
                visible: 0,
                told: Vec::new(),
                untold: Vec::new(),
            },
            clock: 1_000_000,
            tally: Tally::default(),
        }
    }

    /// How the next process ends.
    fn plan(&mut self) {
        let call = self.disk.calls() + self.random.random_range(0..60);
        match self.random.random_range(0..8) {
            0..5 => self.disk.end_at(call),
            5 => self.disk.fail_at(call, ErrorKind::StorageFull),
            6 => self.disk.fail_at(call, ErrorKind::Other),
            _ => {}
        }
    }

    /// Opens the ledger and works with it for so many steps, or until the disk fails.
    fn process(&mut self, steps: usize) {
        let recovered = match self.open() {
            Ok(recovered) => recovered,
            Err(JournalError::Io { .. }) => return,
            Err(other) => panic!("{other}"),
        };
        let see_entries = self.random.random_range(0..4) == 0;
        let mut life = Life::begin(
            (
                &mut self.random,
                &mut self.workload,
                &mut self.decided,
                &mut self.clock,
            ),
            self.disk.mount(),
            self.settings,
            recovered,
        );
        let state = life.decided.states.last().unwrap();
        judge::published(&life.published, state);
        if see_entries {
            judge::entries(&life.published, state);
        }
        match life.go_on(steps) {
            Ok(()) | Err(JournalError::Io { .. }) => life.end(),
            Err(other) => panic!("{other}"),
        }
    }

    /// Opens the ledger, and finds in it what was decided up to some batch, and not less than what was certain.
    fn open(&mut self) -> Result<Recovered, JournalError> {
        let without = self.disk.copy();
        let snapshots = without.names().into_iter();
        let snapshots: Vec<_> = snapshots.filter(|it| it.ends_with(".snapshot")).collect();
        for name in &snapshots {
            without.lose(name);
        }
        if !snapshots.is_empty() && self.random.random_range(0..8) == 0 {
            let name = &snapshots[self.random.random_range(0..snapshots.len())];
            self.damage(name);
        }
        if self.random.random_range(0..8) == 0 {
            // As an earlier version leaves it.
            self.disk.lose("head");
        }
        let recover = |disk: &Disk| {
            let Settings {
                keys,
                segment_bytes,
                ..
            } = self.settings;
            recover(disk.mount(), keys, segment_bytes, &mut |_| {})
        };
        let recovered = recover(&self.disk)?;
        let records = recovered.books.next_sequence - 1;
        let decided = &mut self.decided;
        let states = decided.states.iter();
        let batches = states
            .clone()
            .position(|state| state.records == records)
            .unwrap_or_else(|| panic!("{records} records are no whole number of batches"));
        assert!(batches >= decided.durable, "what was durable is gone");
        assert!(
            batches <= decided.written,
            "there is what was never written"
        );
        let is_torn = recovered.recovery.torn.is_some();
        assert!(
            !is_torn || batches < decided.written,
            "what is whole was cut"
        );
        judge::books(&recovered.books, &decided.states[batches]);
        judge::books(&recover(&without)?.books, &decided.states[batches]);
        decided.states.truncate(batches + 1);
        // From now on it can be seen.
        (decided.durable, decided.written, decided.visible) = (batches, batches, batches);
        self.tally.torn += usize::from(is_torn);
        self.tally.from_snapshot += usize::from(recovered.recovery.snapshot.is_some());
        Ok(recovered)
    }

    fn damage(&mut self, name: &str) {
        let mut content = self.disk.content(name);
        if !content.is_empty() {
            let byte = self.random.random_range(0..content.len());
            content[byte] ^= 1 << self.random.random_range(0..8);
            self.disk.overwrite(name, content);
        }
    }

    /// The process ends, and sometimes the power is lost.
    fn crash(&mut self) {
        let end = match self.random.random_range(0..3) {
            0 => End::Killed,
            _ => End::PowerLost,
        };
        self.end(end);
    }

    fn end(&mut self, end: End) {
        self.tally.crashes += 1;
        match end {
            End::Killed => self.disk.kill(),
            End::PowerLost => self.disk.lose_power(),
        }
    }

    /// All that clients were told happened, once; and no key did anything twice in its time.
    fn audit(&self) {
        let records = judge::records(&*self.disk.mount());
        let mut unexplained: Vec<_> = records.iter().collect();
        for (command, answer) in &self.decided.told {
            // The model says which refusals are kept.
            let is_recorded = match answer {
                Ok(receipt) => !receipt.replayed,
                Err(CommandError::Refused { refusal, replayed }) => {
                    command.key.is_some() && refusal.is_kept() && !replayed
                }
                Err(CommandError::NotDone(_)) => false,
            };
            if !is_recorded {
                continue;
            }
            let place = unexplained.iter().position(|record| {
                record.change == command.change
                    && answer_of(record.outcome, record.at.as_micros(), false) == *answer
                    && record.key == command.key
            });
            let place = place.unwrap_or_else(|| panic!("{command:?}: {answer:?} is gone"));
            unexplained.swap_remove(place);
        }
        let window = i64::try_from(self.settings.keys.window.as_micros()).unwrap();
        for (index, record) in records.iter().enumerate() {
            let Some(key) = &record.key else { continue };
            let again = records[index + 1..]
                .iter()
                .find(|it| it.key.as_ref() == Some(key));
            if let Some(again) = again {
                let apart = again.at.as_micros() - record.at.as_micros();
                assert!(apart >= window, "{key} did something twice");
            }
        }
        let moved = records.iter().filter(|record| record.outcome.is_ok());
        let cents: i64 = moved
            .map(|record| match record.change {
                Change::Open { .. } | Change::Deposit { .. } => record.amount().get(),
                Change::Withdraw { .. } | Change::Close { .. } => -record.amount().get(),
            })
            .sum();
        let state = self.decided.states.last().unwrap();
        let held: i64 = state.open().iter().map(|(_, balance)| balance).sum();
        // The last process may have ended before a batch was certain.
        if records.len() as u64 == state.records {
            assert_eq!(cents, held);
        }
    }
}
