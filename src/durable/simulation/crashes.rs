//! Crashes at every write and sync.
//!
//! `cargo test` makes a few thousand. 100,000, in some minutes:
//!
//! ```text
//! CRASHES=100000 cargo test --release --package cashpoint --lib simulation::crashes -- --nocapture
//! ```
//!
//! A run that fails says how to run it again: `SEED=… CALL=… KILL=…`.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use super::run::{End, Tally, run};

/// How many crashes there are without `CRASHES`.
const CRASHES: usize = 4_000;

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().expect("a number"))
}

/// Runs, and says how to run it again if it fails.
fn run_or_say(seed: u64, end: Option<(usize, End)>) -> Tally {
    catch_unwind(AssertUnwindSafe(|| run(seed, end))).unwrap_or_else(|panic| {
        let call = end.map_or_else(String::new, |(call, end)| {
            format!(" CALL={call} KILL={}", u8::from(end == End::Killed))
        });
        eprintln!("failed: SEED={seed}{call} cargo test --lib simulation::crashes");
        resume_unwind(panic)
    })
}

#[test]
fn no_crash_loses_what_was_acknowledged_or_does_anything_twice() {
    if let Some(seed) = number("SEED") {
        let end = match number("KILL") {
            Some(1) => End::Killed,
            _ => End::PowerLost,
        };
        let call = number("CALL").map(|call| usize::try_from(call).unwrap());
        println!("{:?}", run_or_say(seed, call.map(|call| (call, end))));
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
            for end in [End::Killed, End::PowerLost] {
                if !add(run_or_say(seed, Some((call, end)))) {
                    break 'seeds;
                }
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
