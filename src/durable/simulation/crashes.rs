//! Crashes at every write and sync.
//!
//! `cargo test` makes a few thousand. The whole number: see `CRASHES` below. One run again: `SEED=… CALL=…`.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use super::run::{Tally, run};

/// How many crashes there are without `CRASHES`.
const CRASHES: usize = 3_000;

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().expect("a number"))
}

/// Runs, and says how to run it again if it fails.
fn run_or_say(seed: u64, call: Option<usize>) -> Tally {
    catch_unwind(AssertUnwindSafe(|| run(seed, call))).unwrap_or_else(|panic| {
        let call = call.map_or_else(String::new, |call| format!(" CALL={call}"));
        eprintln!("failed: SEED={seed}{call} cargo test --lib simulation::crashes");
        resume_unwind(panic)
    })
}

#[test]
fn no_crash_loses_what_was_acknowledged_or_does_anything_twice() {
    if let Some(seed) = number("SEED") {
        let call = number("CALL").map(|call| usize::try_from(call).unwrap());
        println!("{:?}", run_or_say(seed, call));
        return;
    }
    let crashes = number("CRASHES").map_or(CRASHES, |it| usize::try_from(it).unwrap());
    let start = Instant::now();
    let mut all = Tally::default();
    let mut add = |tally: Tally| {
        all.crashes += tally.crashes;
        all.torn += tally.torn;
        all.from_snapshot += tally.from_snapshot;
        all.crashes < crashes
    };
    let mut seed = 0;
    'seeds: loop {
        seed += 1;
        let whole = run_or_say(seed, None);
        if !add(whole) {
            break;
        }
        for call in 0..whole.calls {
            if !add(run_or_say(seed, Some(call))) {
                break 'seeds;
            }
        }
    }
    println!(
        "{} crashes in {:.1?}: every call of {} first processes and part of one more; {} torn ends, {} starts from a \
         snapshot",
        all.crashes,
        start.elapsed(),
        seed - 1,
        all.torn,
        all.from_snapshot
    );
    // A check that nothing was missed by luck.
    assert!(all.torn > 0 && all.from_snapshot > 0, "{all:?}");
}
