//! What whoever runs a ledger is told: of the clock, a disk that does not answer, snapshots, keys.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::disk::{Call, Disk};
use super::faults::{
    amount, cents, config, create, held_back, open_with, receipt, submit_much, wait_until,
};
use crate::durable::{Condition, DurableConfig, DurableLedger, PendingAll};
use crate::journal::JournalError;
use crate::values::change::{Change, CommandError, NotDone};
use crate::values::timestamp::Timestamp;
use crate::values::warning::{NextStart, Warning};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 24 * 60 * 60 * SECOND;
const YEAR: i64 = 366 * DAY;

/// Some day of 2026.
const TODAY: i64 = 1_795_000_000 * SECOND;

/// The times that a ledger is shown.
#[derive(Clone)]
struct World {
    clock: Arc<AtomicI64>,
    uptime: Arc<AtomicI64>,
}

impl World {
    fn new() -> Self {
        Self {
            clock: Arc::new(AtomicI64::new(TODAY)),
            uptime: Arc::default(),
        }
    }

    fn config(&self) -> DurableConfig {
        let mut config = config();
        let (clock, uptime) = (Arc::clone(&self.clock), Arc::clone(&self.uptime));
        config.clock = Arc::new(move || Timestamp::from_micros(clock.load(Relaxed)));
        config.uptime =
            Arc::new(move || Duration::from_micros(uptime.load(Relaxed).unsigned_abs()));
        config
    }

    /// Somebody sets the clock.
    fn set(&self, at: i64) {
        self.clock.store(at, Relaxed);
    }

    /// Time passes, and all clocks go on.
    fn pass(&self, time: i64) {
        self.clock.fetch_add(time, Relaxed);
        self.uptime.fetch_add(time, Relaxed);
    }
}

/// When something happens now.
fn time(ledger: &DurableLedger) -> i64 {
    receipt(ledger.create(cents(0)).wait()).at.as_micros()
}

/// Whether a key was used before.
fn is_known(ledger: &DurableLedger, key: &str) -> Result<bool, CommandError> {
    let open = Change::Open { initial: cents(0) };
    let answer = ledger.execute(open.with_key(key.parse().unwrap())).wait();
    answer.map(|it| it.replayed)
}

#[test]
fn behind_the_last_record_times_go_on_and_keys_age() {
    let world = World::new();
    let disk = Disk::new(1);
    let mut config = world.config();
    config.keys.keys_max = 1;
    let ledger = open_with(&disk, config.clone()).unwrap();
    world.set(TODAY + 100 * DAY);
    assert_eq!(is_known(&ledger, "first"), Ok(false));
    world.set(TODAY);
    world.pass(16 * SECOND);
    assert_eq!(time(&ledger), TODAY + 100 * DAY + 15 * SECOND);
    let refused = is_known(&ledger, "second");
    assert!(
        matches!(
            refused,
            Err(CommandError::NotDone(NotDone::TooManyKeys { .. }))
        ),
        "{refused:?}"
    );
    world.pass(DAY + DAY / 15 + SECOND);
    assert_eq!(is_known(&ledger, "second"), Ok(false));
    // After a start too: from the last record on, though the clock stands where it stood.
    drop(ledger);
    let ledger = open_with(&disk, config.clone()).unwrap();
    assert_eq!(is_known(&ledger, "second"), Ok(true));
    world.pass(DAY + DAY / 15 + SECOND);
    assert_eq!(is_known(&ledger, "third"), Ok(false));
    let behind = ledger.warnings();
    assert!(
        matches!(behind[..], [Warning::KeysFull { .. }, Warning::ClockBehind { by }] if by.as_secs() > 99 * 86_400),
        "{behind:?}"
    );
    // A little at a time the clock catches up.
    world.pass(16 * 101 * DAY);
    assert_eq!(ledger.warnings(), []);
    assert_eq!(time(&ledger), world.clock.load(Relaxed));
}

#[test]
fn a_jump_of_years_is_not_followed_and_one_of_days_is() {
    let world = World::new();
    let ledger = open_with(&Disk::new(1), world.config()).unwrap();
    assert_eq!(time(&ledger), TODAY);
    world.set(TODAY + YEAR);
    assert_eq!((time(&ledger), ledger.warnings()), (TODAY + YEAR, vec![]));
    world.set(TODAY + 73 * YEAR);
    world.pass(16 * SECOND);
    assert_eq!(time(&ledger), TODAY + YEAR + 15 * SECOND);
    let warnings = ledger.warnings();
    assert!(
        matches!(warnings[..], [Warning::ClockAhead { .. }]),
        "{warnings:?}"
    );
    assert!(
        warnings[0].to_string().contains("73 years ahead"),
        "{}",
        warnings[0]
    );
    world.set(TODAY + 2 * YEAR);
    // It is where it could be by now.
    world.uptime.fetch_add(YEAR, Relaxed);
    assert_eq!(
        (time(&ledger), ledger.warnings()),
        (TODAY + 2 * YEAR, vec![])
    );
}

#[test]
fn a_clock_years_away_from_the_last_record_is_asked_about() {
    for clock in [TODAY + YEAR + SECOND, TODAY - YEAR - SECOND, 0] {
        let world = World::new();
        let disk = Disk::new(1);
        time(&open_with(&disk, world.config()).unwrap());
        world.set(clock);
        match open_with(&disk, world.config()) {
            Err(error @ JournalError::Clock { .. }) => {
                assert!(error.to_string().contains("--accept-clock"), "{error}");
            }
            other => panic!("{other:?}"),
        }
        let accepted = DurableConfig {
            accept_clock: true,
            ..world.config()
        };
        let ledger = open_with(&disk, accepted).unwrap();
        assert_eq!(time(&ledger), TODAY.max(clock));
    }
    for clock in [TODAY + YEAR, TODAY - YEAR] {
        let world = World::new();
        let disk = Disk::new(1);
        time(&open_with(&disk, world.config()).unwrap());
        world.set(clock);
        open_with(&disk, world.config()).unwrap();
    }
}

#[test]
fn a_batch_that_waits_for_the_disk_for_seconds_is_told_while_it_does() {
    for write_beside_bytes in [0, usize::MAX] {
        let world = World::new();
        let disk = Disk::new(1);
        let mut config = world.config();
        config.write_beside_bytes = write_beside_bytes;
        let ledger = open_with(&disk, config).unwrap();
        let account = create(&ledger, 1);
        let (held, pending) = held_back(&disk, || ledger.deposit(account, amount(1)));
        world.pass(5 * SECOND - 1);
        assert_eq!(
            (ledger.condition(), ledger.warnings()),
            (Condition::Healthy, vec![])
        );
        world.pass(8 * SECOND);
        assert_eq!(ledger.condition(), Condition::DiskStuck);
        let told = ledger.warnings();
        assert!(told[0].to_string().contains("for 12 s"), "{told:?}");
        assert_eq!(ledger.balance(account), Ok(cents(1)));
        drop(held);
        receipt(pending.wait());
        assert_eq!(
            (ledger.condition(), ledger.warnings()),
            (Condition::Healthy, vec![])
        );
        // Nobody waits, however long it has been.
        world.pass(60 * SECOND);
        assert_eq!(ledger.condition(), Condition::Healthy);
    }
}

#[test]
fn a_segment_that_callers_wait_for_is_told_too() {
    let world = World::new();
    let disk = Disk::new(1);
    let ledger = open_with(&disk, world.config()).unwrap();
    let account = create(&ledger, 0);
    let held = disk.hold_syncs_of("next.segment");
    let pending: Vec<_> = (0..16).map(|_| submit_much(&ledger, account)).collect();
    let mut seen = (ledger.batches(), Instant::now());
    wait_until("the segment is full", || {
        if seen.0 != ledger.batches() {
            seen = (ledger.batches(), Instant::now());
        }
        ledger.waiting() > 0 && seen.1.elapsed() > Duration::from_secs(1)
    });
    world.pass(6 * SECOND);
    assert_eq!(ledger.condition(), Condition::DiskStuck);
    drop(held);
    let answers = pending.into_iter().flat_map(PendingAll::wait);
    let times: Vec<_> = answers
        .map(|it| receipt(it).at.as_micros() - TODAY)
        .collect();
    // What has waited is done now, not when it was asked for.
    assert_eq!(
        (times.first(), times.last()),
        (Some(&0), Some(&(6 * SECOND)))
    );
    assert!(times.is_sorted());
    assert_eq!(ledger.condition(), Condition::Healthy);
}

/// What a snapshot that fails like this says of the next start.
fn next_start_after(spoil: impl FnOnce(&Disk)) -> NextStart {
    let world = World::new();
    let disk = Disk::new(1);
    let mut config = world.config();
    config.snapshot_bytes = 1;
    let ledger = open_with(&disk, config).unwrap();
    let account = create(&ledger, 0);
    spoil(&disk);
    wait_until("a snapshot fails", || {
        let answers = submit_much(&ledger, account).wait();
        assert!(answers.iter().all(Result::is_ok));
        ledger.snapshot_failure().is_some()
    });
    let failure = ledger.snapshot_failure().unwrap();
    let warning = Warning::NoSnapshot {
        reason: failure.reason,
        next_start: failure.next_start,
    };
    assert_eq!(ledger.warnings(), [warning]);
    assert_eq!(ledger.condition(), Condition::Healthy);
    failure.next_start
}

#[test]
fn a_snapshot_that_fails_says_what_becomes_of_the_next_start() {
    let fails = |call, end: &'static str, error| {
        move |disk: &Disk| {
            disk.trouble(move |it, name| (it == call && name.ends_with(end)).then_some(error));
        }
    };
    let full = fails(Call::Write, ".snapshot", ErrorKind::StorageFull);
    assert_eq!(next_start_after(full), NextStart::Longer);
    let unreadable = fails(Call::Read, ".journal", ErrorKind::Other);
    assert_eq!(next_start_after(unreadable), NextStart::Uncertain);
    let damaged = |disk: &Disk| {
        let name = disk
            .names()
            .into_iter()
            .find(|it| it.ends_with(".journal"))
            .unwrap();
        let mut content = disk.content(&name);
        // In the first record.
        content[600] ^= 1;
        disk.overwrite(&name, content);
    };
    assert_eq!(next_start_after(damaged), NextStart::Refused);
}

#[test]
fn keys_that_are_all_in_use_are_told_until_one_is_over() {
    let world = World::new();
    let disk = Disk::new(1);
    let mut config = world.config();
    config.keys.keys_max = 2;
    let ledger = open_with(&disk, config.clone()).unwrap();
    assert_eq!(is_known(&ledger, "first"), Ok(false));
    assert_eq!(ledger.warnings(), []);
    world.pass(DAY / 2);
    assert_eq!(is_known(&ledger, "second"), Ok(false));
    let room_in = Duration::from_secs(12 * 60 * 60);
    assert_eq!(ledger.warnings(), [Warning::KeysFull { room_in }]);
    drop(ledger);
    let ledger = open_with(&disk, config).unwrap();
    assert_eq!(ledger.warnings(), [Warning::KeysFull { room_in }]);
    // Nobody has to ask for anything for it to be over.
    world.pass(DAY / 2);
    assert_eq!(ledger.warnings(), []);
    assert_eq!(is_known(&ledger, "third"), Ok(false));
}
