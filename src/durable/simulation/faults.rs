//! The engine with its threads, on a disk that fails.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::time::{Duration, Instant};

use super::disk::{Call, Disk, Held};
use crate::durable::submission::Answer;
use crate::durable::{
    Condition, DurableConfig, DurableLedger, Pending, PendingAll, SUBMISSION_MAX,
};
use crate::journal::{Directory, JournalError};
use crate::values::account_number::AccountNumber;
use crate::values::change::{Change, CommandError, NotDone, Receipt, Refusal, answer};
use crate::values::money::{Amount, Cents};
use crate::values::timestamp::Timestamp;
use crate::values::warning::NextStart;

/// How long nothing has to happen for a test to believe that it will not.
const A_WHILE: Duration = Duration::from_millis(50);

/// How long something may take.
const STUCK_TIME: Duration = Duration::from_secs(20);

pub(super) fn config() -> DurableConfig {
    let mut config = DurableConfig::new(1_000);
    // What is decided while a batch is on its way is part of what is tested.
    config.write_beside_bytes = 0;
    config.segment_bytes = DurableConfig::SEGMENT_BYTES_MIN;
    config
}

pub(super) fn open(disk: &Disk) -> DurableLedger {
    open_with(disk, config()).unwrap()
}

pub(super) fn open_with(disk: &Disk, config: DurableConfig) -> Result<DurableLedger, JournalError> {
    DurableLedger::open_on(disk.mount(), config, &mut |_| {})
}

pub(super) fn amount(cents: i64) -> Amount {
    Amount::from_cents(cents).unwrap()
}

pub(super) fn cents(value: i64) -> Cents {
    Cents::new(value).unwrap()
}

pub(super) fn receipt(answer: Answer) -> Receipt {
    answer.unwrap()
}

pub(super) fn create(ledger: &DurableLedger, initial: i64) -> AccountNumber {
    receipt(ledger.create(cents(initial)).wait()).number
}

/// The answer, if there is one.
fn answer_of(pending: &mut Pending) -> Option<Answer> {
    pending.0.try_recv().unwrap_or(None)
}

pub(super) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(
            start.elapsed() < STUCK_TIME,
            "waited for it in vain: {what}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Holds the syncs back, submits something, and waits until it is written and not synced.
///
/// What holds them back has to go before the ledger does, which waits for the disk: also if a test fails.
pub(super) fn held_back<T>(disk: &Disk, submit: impl FnOnce() -> T) -> (Held, T) {
    let held = disk.hold_syncs();
    let calls = disk.calls();
    let pending = submit();
    wait_until("it is written", || disk.calls() > calls);
    (held, pending)
}

fn is_failed(ledger: &DurableLedger) -> bool {
    matches!(ledger.condition(), Condition::Failed { .. })
}

#[test]
fn nothing_is_visible_or_answered_before_it_is_durable() {
    let disk = Disk::new(1);
    let ledger = open(&disk);
    let (account, closing) = (create(&ledger, 100), create(&ledger, 5));
    let count = ledger.count();
    let (held, mut deposit) = held_back(&disk, || ledger.deposit(account, amount(1)));
    // Decided while the first is on its way: a second batch, in which there is a refusal that depends on the first.
    let mut close = ledger.close(closing);
    let mut opened = ledger.create(cents(7));
    let mut refused = ledger.withdraw(account, amount(102));
    std::thread::sleep(A_WHILE);
    for pending in [&mut deposit, &mut close, &mut opened, &mut refused] {
        assert_eq!(answer_of(pending), None);
    }
    assert_eq!(ledger.balance(account), Ok(cents(100)));
    assert_eq!(ledger.balance(closing), Ok(cents(5)));
    assert_eq!((ledger.count(), ledger.waiting()), (count, 4));
    drop(held);
    assert_eq!(receipt(deposit.wait()).balance, cents(101));
    assert_eq!(receipt(close.wait()).balance, cents(5));
    assert_eq!(receipt(opened.wait()).balance, cents(7));
    let available = cents(101);
    let refusal = Refusal::InsufficientFunds { available };
    assert_eq!(refused.wait(), answer(Err(refusal), false));
    // Whoever has an answer sees what it says.
    assert_eq!(ledger.balance(account), Ok(cents(101)));
    assert!(ledger.balance(closing).is_err());
    assert_eq!(ledger.count(), count);
}

#[test]
fn a_refusal_waits_for_what_it_depends_on() {
    let disk = Disk::new(1);
    let ledger = open(&disk);
    let account = create(&ledger, 100);
    let (held, withdrawal) = held_back(&disk, || ledger.withdraw(account, amount(60)));
    // Without a key, so nothing of it is written.
    let mut refused = ledger.withdraw(account, amount(60));
    std::thread::sleep(A_WHILE);
    assert_eq!(answer_of(&mut refused), None);
    // The withdrawal never becomes durable, so nobody may hear of a refusal that depends on it.
    disk.trouble(|call, _| (call == Call::Sync).then_some(ErrorKind::Other));
    drop(held);
    assert_eq!(withdrawal.wait(), Err(NotDone::Failed.into()));
    assert_eq!(refused.wait(), Err(NotDone::ReadOnly.into()));
}

#[test]
fn what_waits_while_a_write_fails_was_not_done() {
    let disk = Disk::new(1);
    let mut config = config();
    // So the one who decides is the one who writes, and what comes meanwhile waits.
    config.write_beside_bytes = usize::MAX;
    let ledger = open_with(&disk, config).unwrap();
    let account = create(&ledger, 100);
    let (held, first) = held_back(&disk, || ledger.deposit(account, amount(1)));
    let waiting: Vec<_> = (0..10)
        .map(|_| ledger.deposit(account, amount(1)))
        .collect();
    disk.trouble(|call, _| (call == Call::Sync).then_some(ErrorKind::Other));
    drop(held);
    assert_eq!(first.wait(), Err(NotDone::Failed.into()));
    for pending in waiting {
        assert_eq!(pending.wait(), Err(NotDone::ReadOnly.into()));
    }
    assert_eq!(ledger.waiting(), 0);
}

/// Has a batch fail at `call`, and finds what has to be so then.
fn a_failure_is_final(call: Call) {
    for seed in 0..4 {
        let disk = Disk::new(seed);
        let ledger = open(&disk);
        let account = create(&ledger, 100);
        let deposit = |cents, key: &str| {
            let (number, amount) = (account, amount(cents));
            Change::Deposit { number, amount }.with_key(key.parse().unwrap())
        };
        let (held, first) = held_back(&disk, || ledger.execute(deposit(1, "first")));
        // Two that are decided while the first is on its way.
        let second = ledger.execute(deposit(10, "second"));
        let refused = ledger.withdraw(account, amount(1_000));
        disk.trouble(move |it, name| {
            (it == call && name.ends_with(".journal")).then_some(ErrorKind::Other)
        });
        drop(held);
        let first = first.wait();
        // The first was written before the trouble began: then it is the second whose write fails.
        match call {
            Call::Write => assert_eq!(receipt(first).balance, cents(101)),
            _ => assert_eq!(first, Err(NotDone::Failed.into())),
        }
        // Where the first one's sync fails, they never come to the disk.
        let not_done = match call {
            Call::Write => NotDone::Failed,
            _ => NotDone::ReadOnly,
        };
        assert_eq!(second.wait(), Err(not_done.into()));
        assert_eq!(refused.wait(), Err(not_done.into()));
        let seen = match call {
            Call::Write => 101,
            _ => 100,
        };
        // The disk would work again; nobody asks it to.
        disk.mend();
        let calls = disk.calls();
        assert!(is_failed(&ledger), "{:?}", ledger.condition());
        let late = ledger.deposit(account, amount(1)).wait();
        assert_eq!(late, Err(NotDone::ReadOnly.into()));
        let late = ledger.submit(vec![Change::Close { number: account }.into(); 3]);
        assert_eq!(late.wait(), vec![Err(NotDone::ReadOnly.into()); 3]);
        assert_eq!(
            ledger.create(cents(1)).wait(),
            Err(NotDone::ReadOnly.into())
        );
        assert_eq!(ledger.balance(account), Ok(cents(seen)));
        assert_eq!((ledger.count(), ledger.waiting()), (1, 0));
        assert_eq!(disk.calls(), calls, "it is left alone");
        drop(ledger);
        // Opened again, what failed was done or not, and a retry makes it done once.
        disk.kill();
        let ledger = open(&disk);
        assert!([100, 101, 111].contains(&ledger.balance(account).unwrap().get()));
        disk.lose_power();
        drop(ledger);
        let ledger = open(&disk);
        receipt(ledger.execute(deposit(1, "first")).wait());
        receipt(ledger.execute(deposit(10, "second")).wait());
        assert_eq!(ledger.balance(account), Ok(cents(111)));
        assert_eq!(ledger.condition(), Condition::Healthy);
    }
}

#[test]
fn a_write_that_fails_is_the_last() {
    a_failure_is_final(Call::Write);
}

#[test]
fn a_sync_that_fails_is_the_last() {
    a_failure_is_final(Call::Sync);
}

/// Submits as much as a submission holds.
pub(super) fn submit_much(ledger: &DurableLedger, number: AccountNumber) -> PendingAll {
    let deposit = Change::Deposit {
        number,
        amount: amount(1),
    };
    ledger.submit(vec![deposit.into(); SUBMISSION_MAX])
}

#[test]
fn a_full_disk_refuses_until_there_is_room() {
    let disk = Disk::new(1);
    let ledger = open(&disk);
    let account = create(&ledger, 0);
    disk.trouble(|call, name| {
        let is_full = call == Call::Write && name == "next.segment";
        is_full.then_some(ErrorKind::StorageFull)
    });
    let mut done = 0;
    // There is room in the segment that is there, and it is used.
    let refused = loop {
        let answers = submit_much(&ledger, account).wait();
        assert!(answers.iter().all(|it| it.is_ok() == answers[0].is_ok()));
        match answers[0] {
            Ok(_) => {
                done += SUBMISSION_MAX as i64;
                // While changes are made, nobody is told that they are not.
                assert_eq!(ledger.condition(), Condition::Healthy);
            }
            Err(not_done) => break not_done,
        }
    };
    assert_eq!(refused, NotDone::DiskFull.into());
    assert!(done > 0);
    assert_eq!(ledger.condition(), Condition::DiskFull);
    assert_eq!(ledger.balance(account), Ok(cents(done)));
    assert_eq!(ledger.waiting(), 0);
    let without_room = disk.names();
    assert!(
        !without_room.iter().any(|name| name == "next.segment"),
        "what was made of the segment takes no room: {without_room:?}"
    );
    disk.mend();
    // Nobody has to ask for anything for it to be found out.
    wait_until("there is room again", || {
        ledger.condition() == Condition::Healthy
    });
    let answers = submit_much(&ledger, account).wait();
    assert!(answers.iter().all(Result::is_ok));
    done += SUBMISSION_MAX as i64;
    assert_eq!(ledger.balance(account), Ok(cents(done)));
    drop(ledger);
    disk.lose_power();
    assert_eq!(open(&disk).balance(account), Ok(cents(done)));
}

#[test]
fn a_segment_that_cannot_be_made_is_tried_again() {
    for (seed, name) in [(1, "next.segment"), (2, "next.head")] {
        for call in [Call::Create, Call::Write, Call::Sync] {
            let disk = Disk::new(seed);
            let ledger = open(&disk);
            let account = create(&ledger, 0);
            disk.trouble(move |it, file| {
                (it == call && file == name).then_some(ErrorKind::PermissionDenied)
            });
            let mut done = 0;
            let refused = loop {
                let answers = submit_much(&ledger, account).wait();
                match answers[0] {
                    Ok(_) => done += SUBMISSION_MAX as i64,
                    Err(not_done) => break not_done,
                }
                assert_eq!(ledger.condition(), Condition::Healthy);
            };
            assert_eq!(refused, NotDone::NoSegment.into());
            assert!(done > 5 * SUBMISSION_MAX as i64, "the segment was used");
            match ledger.condition() {
                Condition::NoSegment { reason } => assert!(reason.contains(name), "{reason}"),
                other => panic!("{other:?}"),
            }
            assert!(ledger.segment_failure().unwrap().contains(name));
            disk.mend();
            wait_until("it is made", || ledger.condition() == Condition::Healthy);
            assert_eq!(ledger.segment_failure(), None);
            let answers = submit_much(&ledger, account).wait();
            assert!(answers.iter().all(Result::is_ok), "{:?}", answers[0]);
            done += SUBMISSION_MAX as i64;
            drop(ledger);
            disk.lose_power();
            assert_eq!(open(&disk).balance(account), Ok(cents(done)));
        }
    }
}

#[test]
fn a_segment_that_may_not_be_begun_for_a_moment_is_waited_for() {
    for (seed, name) in [(1, "next.segment"), (2, "next.head")] {
        let disk = Disk::new(seed);
        let ledger = open(&disk);
        let account = create(&ledger, 0);
        let tries = AtomicI64::new(0);
        disk.trouble(move |call, file| {
            let is_begin = call == Call::Rename && file == name;
            let is_early = is_begin && tries.fetch_add(1, Relaxed) % 4 < 3;
            is_early.then_some(ErrorKind::PermissionDenied)
        });
        for _ in 0..30 {
            let answers = submit_much(&ledger, account).wait();
            assert!(answers.iter().all(Result::is_ok), "{:?}", answers[0]);
        }
        assert_eq!(ledger.condition(), Condition::Healthy);
        drop(ledger);
        disk.lose_power();
        let done = 30 * SUBMISSION_MAX as i64;
        assert_eq!(open(&disk).balance(account), Ok(cents(done)));
    }
}

#[test]
fn a_segment_whose_zeros_find_no_room_is_gone_on_from() {
    let disk = Disk::new(1);
    let ledger = open(&disk);
    let account = create(&ledger, 7);
    drop(ledger);
    let segment = disk.names().into_iter().find(|it| it.ends_with(".journal"));
    let segment = segment.unwrap();
    let named = segment.clone();
    // A copy with holes: what was written before is there, and there is no room for more.
    let writes = AtomicI64::new(0);
    disk.trouble(move |call, name| {
        let is_fill = call == Call::Write && name == named && writes.fetch_add(1, Relaxed) > 0;
        let is_more = call == Call::Write && name == "next.segment";
        (is_fill || is_more).then_some(ErrorKind::StorageFull)
    });
    let ledger = open(&disk);
    assert_eq!(ledger.balance(account), Ok(cents(7)));
    let refused = ledger.deposit(account, amount(1)).wait();
    assert_eq!(
        refused,
        Err(NotDone::DiskFull.into()),
        "and nothing has failed"
    );
    disk.mend();
    wait_until("there is room", || ledger.condition() == Condition::Healthy);
    receipt(ledger.deposit(account, amount(1)).wait());
    drop(ledger);
    disk.lose_power();
    assert_eq!(open(&disk).balance(account), Ok(cents(8)));
    assert_eq!(
        disk.names()
            .iter()
            .filter(|it| it.ends_with(".journal"))
            .count(),
        2
    );
}

#[test]
fn a_snapshot_that_fails_is_nobodys_trouble() {
    let disk = Disk::new(1);
    let mut config = config();
    config.snapshot_bytes = 1;
    let ledger = open_with(&disk, config.clone()).unwrap();
    let account = create(&ledger, 0);
    disk.trouble(|call, name| {
        let is_full = call == Call::Write && name == "next.snapshot";
        is_full.then_some(ErrorKind::StorageFull)
    });
    let much = 16;
    for _ in 0..much {
        let answers = submit_much(&ledger, account).wait();
        assert!(answers.iter().all(Result::is_ok));
    }
    assert_eq!(ledger.condition(), Condition::Healthy);
    wait_until("it is told", || ledger.snapshot_failure().is_some());
    let failure = ledger.snapshot_failure().unwrap();
    assert!(failure.reason.contains(".snapshot"), "{failure:?}");
    assert_eq!(failure.next_start, NextStart::Longer);
    drop(ledger);
    let names = disk.names();
    assert!(
        !names.iter().any(|name| name.ends_with(".snapshot")),
        "{names:?}"
    );
    disk.mend();
    let ledger = open_with(&disk, config).unwrap();
    assert_eq!(
        ledger.balance(account),
        Ok(cents(much * SUBMISSION_MAX as i64))
    );
}

#[test]
fn nobody_waits_for_a_snapshot() {
    let disk = Disk::new(1);
    let mut config = config();
    config.snapshot_bytes = 1;
    let ledger = open_with(&disk, config).unwrap();
    let account = create(&ledger, 0);
    let positions = |suffix| {
        let names = disk.names();
        let positions = names
            .iter()
            .filter_map(|it| it.strip_suffix(suffix)?.parse().ok());
        positions.collect::<Vec<u64>>()
    };
    let held = disk.hold_syncs_of("next.snapshot");
    while positions(".journal").len() < 4 {
        let mut submitted = submit_much(&ledger, account);
        wait_until("nobody waits for a snapshot", || {
            let answers = submitted.answers.try_recv().unwrap();
            answers.is_some_and(|answers| answers.iter().all(Result::is_ok))
        });
        if positions(".journal").len() == 2 {
            wait_until("the first is on its way", || {
                disk.names().iter().any(|it| it == "next.snapshot")
            });
        }
    }
    drop(held);
    // Of those that could have been taken meanwhile, the newest is.
    let segments = positions(".journal");
    wait_until("there are two", || positions(".snapshot").len() == 2);
    assert_eq!(positions(".snapshot"), [segments[1], segments[3]]);
}

#[test]
fn a_ledger_that_is_begun_is_told_from_one_that_is_there() {
    let disk = Disk::new(1);
    assert!(open(&disk).recovery().begun);
    assert!(!open(&disk).recovery().begun);
}

#[test]
fn a_thread_that_panics_is_a_failure() {
    let disk = Disk::new(1);
    let is_broken = Arc::new(AtomicBool::new(false));
    let mut config = config();
    let told = Arc::clone(&is_broken);
    config.clock = Arc::new(move || {
        assert!(!told.load(Relaxed), "this clock is broken on purpose");
        Timestamp::from_micros(1)
    });
    let ledger = open_with(&disk, config).unwrap();
    let account = create(&ledger, 7);
    is_broken.store(true, Relaxed);
    let deposit = || ledger.deposit(account, amount(1)).wait();
    assert_eq!(deposit(), Err(NotDone::Failed.into()));
    wait_until("it has failed", || is_failed(&ledger));
    wait_until("nobody is left to fail", || {
        deposit() == Err(NotDone::ReadOnly.into())
    });
    assert_eq!(ledger.balance(account), Ok(cents(7)));
}

#[test]
fn more_than_may_wait_is_turned_away() {
    let disk = Disk::new(1);
    let mut config = config();
    config.waiting_max = 3;
    let ledger = open_with(&disk, config).unwrap();
    let account = create(&ledger, 0);
    let (held, first) = held_back(&disk, || ledger.deposit(account, amount(1)));
    let deposit = Change::Deposit {
        number: account,
        amount: amount(1),
    };
    let second = ledger.submit(vec![deposit.into(); 2]);
    assert_eq!(ledger.waiting(), 3);
    let mut busy = ledger.deposit(account, amount(1));
    assert_eq!(answer_of(&mut busy), Some(Err(NotDone::Busy.into())));
    let busy = ledger.submit(vec![deposit.into(); 2]).answers.try_recv();
    assert_eq!(busy, Ok(Some(vec![Err(NotDone::Busy.into()); 2])));
    assert_eq!(ledger.condition(), Condition::Healthy);
    drop(held);
    receipt(first.wait());
    assert!(second.wait().iter().all(Result::is_ok));
    assert_eq!(ledger.balance(account), Ok(cents(3)));
    assert_eq!(ledger.waiting(), 0);
    receipt(ledger.deposit(account, amount(1)).wait());
    // One that could never be taken.
    let commands = vec![deposit.into(); SUBMISSION_MAX + 1];
    let answers = ledger.submit(commands).wait();
    assert_eq!(answers, vec![Err(NotDone::Busy.into()); SUBMISSION_MAX + 1]);
    assert_eq!(
        (ledger.balance(account), ledger.waiting()),
        (Ok(cents(4)), 0)
    );
}

#[test]
fn what_was_submitted_is_done_before_the_ledger_is_gone() {
    let disk = Disk::new(1);
    let ledger = open(&disk);
    let account = create(&ledger, 0);
    let (held, pending) = held_back(&disk, || {
        let deposits = (0..100).map(|_| ledger.deposit(account, amount(1)));
        deposits.collect::<Vec<_>>()
    });
    std::thread::scope(|scope| {
        scope.spawn(|| drop(ledger));
        std::thread::sleep(A_WHILE);
        drop(held);
    });
    let balances = pending
        .into_iter()
        .map(|it| receipt(it.wait()).balance.get());
    assert!(balances.eq(1..=100));
    disk.lose_power();
    assert_eq!(open(&disk).balance(account), Ok(cents(100)));
}

#[test]
fn times_never_run_backwards() {
    let disk = Disk::new(1);
    let clock = Arc::new(AtomicI64::new(5_000));
    let mut config = config();
    let told = Arc::clone(&clock);
    config.clock = Arc::new(move || Timestamp::from_micros(told.load(Relaxed)));
    config.uptime = Arc::new(|| Duration::ZERO);
    let ledger = open_with(&disk, config.clone()).unwrap();
    let opened = receipt(ledger.create(cents(1)).wait());
    let deposit = |ledger: &DurableLedger, at| {
        clock.store(at, Relaxed);
        let pending = ledger.deposit(opened.number, amount(1));
        receipt(pending.wait()).at.as_micros()
    };
    let times = [4_000, -7, 6_000, 0].map(|at| deposit(&ledger, at));
    assert_eq!(times, [5_000, 5_000, 6_000, 6_000]);
    drop(ledger);
    let ledger = open_with(&disk, config).unwrap();
    assert_eq!(deposit(&ledger, 10), 6_000);
    assert_eq!(deposit(&ledger, 7_000), 7_000);
}

#[test]
fn a_clock_that_jumps_ahead_and_back_drops_no_key() {
    let disk = Disk::new(1);
    let clock = Arc::new(AtomicI64::new(5_000));
    let mut config = config();
    let told = Arc::clone(&clock);
    config.clock = Arc::new(move || Timestamp::from_micros(told.load(Relaxed)));
    config.uptime = Arc::new(|| Duration::ZERO);
    let day_us = i64::try_from(config.keys.window.as_micros()).unwrap();
    let ledger = open_with(&disk, config.clone()).unwrap();
    let open = Change::Open { initial: cents(1) };
    let open = || open.with_key("key".parse().unwrap());
    let opened = receipt(ledger.execute(open()).wait());
    clock.store(5_000 + day_us, Relaxed);
    // Nothing of this is recorded, so it is still the time that it was.
    let refused = ledger.withdraw(opened.number, amount(2)).wait();
    assert!(refused.is_err());
    clock.store(5_000, Relaxed);
    let again = ledger.execute(open()).wait();
    assert_eq!(again, answer(Ok(opened), true));
    drop(ledger);
    let ledger = open_with(&disk, config).unwrap();
    assert!(ledger.execute(open()).wait().unwrap().replayed);
    // Its time is over once something is recorded at a later one.
    clock.store(5_000 + day_us, Relaxed);
    let anew = ledger.execute(open()).wait().unwrap();
    assert!(!anew.replayed);
    assert_ne!(anew.number, opened.number);
}

#[test]
fn more_accounts_than_allowed_are_not_opened() {
    let limited = |account_limit| DurableConfig {
        account_limit,
        ..config()
    };
    let disk = Disk::new(1);
    let ledger = open(&disk);
    for _ in 0..3 {
        create(&ledger, 1);
    }
    drop(ledger);
    match open_with(&disk, limited(2)) {
        Err(error @ JournalError::TooManyAccounts { accounts, limit }) => {
            assert_eq!((accounts, limit), (3, 2));
            assert!(error.to_string().contains("--max-accounts"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    let ledger = open_with(&disk, limited(3)).unwrap();
    assert_eq!(ledger.count(), 3);
    let refused = ledger.create(cents(1)).wait();
    assert_eq!(
        refused,
        answer(Err(Refusal::AccountLimit { limit: 3 }), false)
    );
}

#[test]
fn a_disk_that_cannot_be_written_is_not_opened() {
    let disk = Disk::new(1);
    for call in [
        Call::Create,
        Call::Write,
        Call::Sync,
        Call::Rename,
        Call::SyncNames,
    ] {
        disk.trouble(move |it, _| (it == call).then_some(ErrorKind::ReadOnlyFilesystem));
        let refused = open_with(&disk, config());
        assert!(matches!(refused, Err(JournalError::Io { .. })), "{call:?}");
    }
    disk.mend();
    let account = create(&open(&disk), 7);
    for call in [Call::Write, Call::Sync, Call::SyncNames] {
        disk.trouble(move |it, _| (it == call).then_some(ErrorKind::ReadOnlyFilesystem));
        let refused = open_with(&disk, config());
        assert!(matches!(refused, Err(JournalError::Io { .. })), "{call:?}");
    }
    disk.mend();
    assert_eq!(open(&disk).balance(account), Ok(cents(7)));
}

/// A directory that is removed.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let name = format!("cashpoint-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[test]
fn a_directory_serves_one_at_a_time() {
    let place = Place::new("one-at-a-time");
    let ledger = DurableLedger::open(&place.0, config()).unwrap();
    let account = create(&ledger, 7);
    match DurableLedger::open(&place.0, config()) {
        Err(error @ JournalError::InUse { .. }) => {
            assert!(error.to_string().contains("in use"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    // To read is no harm.
    Directory::open_read_only(&place.0).unwrap();
    receipt(ledger.deposit(account, amount(1)).wait());
    drop(ledger);
    let ledger = DurableLedger::open(&place.0, config()).unwrap();
    assert_eq!(ledger.balance(account), Ok(cents(8)));
}

#[test]
fn a_directory_without_its_lock_file_serves_one_at_a_time() {
    let place = Place::new("no-lock-file");
    let ledger = DurableLedger::open(&place.0, config()).unwrap();
    std::fs::remove_file(place.0.join("lock")).unwrap();
    // The directory itself, before anything in it is read.
    let second = Directory::open(&place.0, false);
    assert!(matches!(second, Err(JournalError::InUse { .. })));
    let second = DurableLedger::open(&place.0, config());
    assert!(matches!(second, Err(JournalError::InUse { .. })));
    drop(ledger);
    DurableLedger::open(&place.0, config()).unwrap();
}

#[test]
fn a_copy_by_hard_links_is_in_use_as_well() {
    let (place, copy) = (Place::new("linked"), Place::new("links"));
    let ledger = DurableLedger::open(&place.0, config()).unwrap();
    std::fs::create_dir(&copy.0).unwrap();
    for entry in std::fs::read_dir(&place.0).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap() != "lock" {
            std::fs::hard_link(&path, copy.0.join(path.file_name().unwrap())).unwrap();
        }
    }
    let second = DurableLedger::open(&copy.0, config());
    assert!(matches!(second, Err(JournalError::InUse { .. })));
    drop(ledger);
}

/// Where only the lock of the segment is in common: the first process writes on while the second reads, and then ends.
#[test]
fn what_is_acknowledged_while_another_process_opens_a_copy_by_hard_links_is_kept() {
    let (place, copy) = (Place::new("linked-late"), Place::new("links-late"));
    let ledger = DurableLedger::open(&place.0, config()).unwrap();
    let account = create(&ledger, 7);
    std::fs::create_dir(&copy.0).unwrap();
    let segment = format!("{:020}.journal", 0);
    std::fs::hard_link(place.0.join(&segment), copy.0.join(&segment)).unwrap();
    let mut first = Some(ledger);
    let mut last_words = || {
        if let Some(ledger) = first.take() {
            receipt(ledger.deposit(account, amount(1)).wait());
        }
    };
    let second = DurableLedger::open_with_progress(&copy.0, config(), &mut |_| last_words());
    let second = second.map(drop);
    last_words();
    let ledger = DurableLedger::open(&place.0, config()).unwrap();
    assert_eq!(ledger.balance(account), Ok(cents(8)));
    assert!(matches!(second, Err(JournalError::InUse { .. })));
}

#[test]
fn a_last_segment_that_is_removed_is_not_answered_from() {
    let place = Place::new("removed");
    let ledger = DurableLedger::open(&place.0, config()).unwrap();
    let account = create(&ledger, 7);
    std::fs::remove_file(place.0.join(format!("{:020}.journal", 0))).unwrap();
    let answer = ledger.deposit(account, amount(1)).wait();
    assert!(matches!(
        answer,
        Err(CommandError::NotDone(NotDone::Failed | NotDone::ReadOnly))
    ));
    wait_until("it has failed", || is_failed(&ledger));
    assert_eq!(ledger.balance(account), Ok(cents(7)));
}

#[test]
fn a_directory_that_is_replaced_is_noticed_by_itself() {
    let (place, elsewhere) = (Place::new("replaced"), Place::new("elsewhere"));
    let ledger = DurableLedger::open(&place.0, config()).unwrap();
    let account = create(&ledger, 7);
    std::fs::rename(&place.0, &elsewhere.0).unwrap();
    std::fs::create_dir(&place.0).unwrap();
    wait_until("it has failed", || is_failed(&ledger));
    let answer = ledger.deposit(account, amount(1)).wait();
    assert_eq!(answer, Err(NotDone::ReadOnly.into()));
    drop(ledger);
    let ledger = DurableLedger::open(&elsewhere.0, config()).unwrap();
    assert_eq!(ledger.balance(account), Ok(cents(7)));
}

#[test]
fn a_directory_that_cannot_be_made_or_written_is_refused() {
    let place = Place::new("read-only");
    std::fs::create_dir_all(&place.0).unwrap();
    let file = place.0.join("file");
    std::fs::write(&file, "").unwrap();
    let refused = DurableLedger::open(file.join("below"), config());
    assert!(matches!(refused, Err(JournalError::Io { .. })));
    let mut permissions = std::fs::metadata(&place.0).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&place.0, permissions).unwrap();
    // The superuser may write where it is forbidden; then there is nothing to see here.
    if std::fs::write(place.0.join("probe"), "").is_err() {
        let refused = DurableLedger::open(&place.0, config());
        assert!(matches!(refused, Err(JournalError::Io { .. })));
    }
}
