//! The schedules: a million of them, half at random and half by PCT.
//!
//! PCT (probabilistic concurrency testing, Burckhardt and others, 2010) gives each thread a priority and
//! changes it at a few places of the schedule: it finds what takes few, but particular, preemptions. At
//! random, every access is a chance to go over to another thread.
//!
//! Three variables change what is run:
//!
//! - `SCHEDULES`: how many in all. `SCHEDULES=100000000 cargo test -p shuttle-tests -- --nocapture` takes
//!   a hundred times as long.
//! - `SHUTTLE_RANDOM_SEED`: where both begin; without it, each time elsewhere.
//! - `REPLAY`: a schedule that failed, as printed: `REPLAY=… cargo test -p shuttle-tests replay --
//!   --ignored`.

#![expect(
    clippy::expect_used,
    reason = "a test states what it expects by panicking"
)]

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};
use shuttle_tests::Word;
use shuttle_tests::schedule::{OPERATIONS, THREADS, run_and_check};

const SCHEDULES: usize = 1_000_000;

/// PCT finds for certain what takes fewer preemptions than this, in the long run.
const PCT_DEPTH: usize = 4;

/// Half of the schedules that are asked for.
fn half() -> usize {
    let asked = std::env::var("SCHEDULES").ok();
    let all = asked.map_or(SCHEDULES, |all| all.parse().expect("SCHEDULES is a number"));
    all.div_ceil(2)
}

/// Weak orderings are not modelled, and the loom models are there for them: no need to warn.
fn config() -> Config {
    let mut config = Config::new();
    config.silence_warnings = true;
    config
}

fn run(name: &str, scheduler: impl Scheduler + 'static) {
    let start = Instant::now();
    let ran = catch_unwind(AssertUnwindSafe(|| {
        Runner::new(scheduler, config()).run(run_and_check)
    }));
    let schedules = ran.unwrap_or_else(|failure| {
        eprintln!(
            "The failing schedule is printed above. To run it again:\n\
             REPLAY=<the schedule> cargo test -p shuttle-tests replay -- --ignored"
        );
        resume_unwind(failure)
    });
    let elapsed = start.elapsed();
    println!(
        "{name}: {schedules} schedules of {THREADS} threads with {OPERATIONS} operations each in {} s, {} a second",
        elapsed.as_secs(),
        schedules as u128 * 1_000_000 / elapsed.as_micros().max(1)
    );
}

#[test]
fn what_was_done_can_be_explained_under_random_schedules() {
    run("at random", RandomScheduler::new(half()));
}

#[test]
fn what_was_done_can_be_explained_under_schedules_of_few_preemptions() {
    run("by PCT", PctScheduler::new(PCT_DEPTH, half()));
}

#[test]
#[ignore = "needs a schedule in REPLAY"]
fn replay() {
    let schedule = std::env::var("REPLAY").expect("REPLAY is a schedule");
    shuttle::replay(run_and_check, &schedule);
}

/// The outcomes of all schedules of a program so small that they can all be run.
fn every_outcome_of<O: Debug + Ord + Send + 'static>(
    program: impl Fn() -> O + Send + Sync + 'static,
) -> BTreeSet<O> {
    let outcomes = Arc::new(Mutex::new(BTreeSet::new()));
    let into = Arc::clone(&outcomes);
    Runner::new(DfsScheduler::new(None, false), config()).run(move || {
        let outcome = program();
        into.lock().expect("nobody panics").insert(outcome);
    });
    let mut outcomes = outcomes.lock().expect("nobody panics");
    std::mem::take(&mut *outcomes)
}

/// What one thread saw while another wrote 1 to a word that was 0.
fn beside_a_writer<O: Send + 'static>(reader: fn(&Word) -> O) -> O {
    let word = Word::new(0);
    shuttle::thread::scope(|scope| {
        scope.spawn(|| word.swap(1));
        reader(&word)
    })
}

#[test]
fn others_come_between_any_two_accesses() {
    assert_eq!(
        every_outcome_of(|| beside_a_writer(|word| (word.load(), word.load()))),
        BTreeSet::from([(0, 0), (0, 1), (1, 1)])
    );
    assert_eq!(
        every_outcome_of(|| beside_a_writer(|word| (word.load(), word.exchange(0, 2)))),
        BTreeSet::from([(0, true), (0, false), (1, false)])
    );
    assert_eq!(
        every_outcome_of(|| beside_a_writer(|word| (word.exchange(0, 2), word.swap(3)))),
        // The last: it wrote after the exchange, and before the swap.
        BTreeSet::from([(true, 2), (true, 1), (false, 1)])
    );
}

/// A step of the map is not shuttle's to schedule, so others must come before it: after the access in front.
#[test]
fn others_come_also_right_after_a_swap() {
    let outcomes = every_outcome_of(|| {
        let word = Arc::new(Word::new(0));
        let step = Arc::new(Mutex::new(0));
        let (of_other, step_of_other) = (Arc::clone(&word), Arc::clone(&step));
        let other = shuttle::thread::spawn(move || {
            let seen = of_other.load();
            (seen, *step_of_other.lock().expect("nobody panics"))
        });
        let _ = word.swap(1);
        *step.lock().expect("nobody panics") = 1;
        other.join().expect("it does not panic")
    });
    assert_eq!(outcomes, BTreeSet::from([(0, 0), (1, 0), (1, 1)]));
}
