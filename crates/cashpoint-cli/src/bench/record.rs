//! What one round of one case measured.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::books::Tally;
use crate::client::Broken;

/// How finely throughput over time is kept.
pub(super) const SLICE: Duration = Duration::from_millis(100);

/// The significant digits of latencies: they are right to 0.1 %.
const DIGITS: u8 = 3;

/// How long after the end of a round operations may begin that were to begin within it.
pub(super) const GRACE: Duration = Duration::from_millis(100);

/// The kind of error that an operation is that should have begun within the round, and did not.
pub(super) const NOT_BEGUN: &str = "not begun in time: the target does not keep up with the rate";

/// A round that threads take part in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round<'a> {
    /// When measuring begins. Until then the target is warmed up.
    pub(super) start: Instant,
    /// When it ends.
    pub(super) end: Instant,
    /// From which the threads' steps are drawn.
    pub(super) seed: u64,
    /// Set when the user wants to stop.
    pub(super) stop: &'a AtomicBool,
    /// How many operations are done, for the progress bar.
    pub(super) live: &'a AtomicU64,
}

impl Round<'_> {
    /// Whether what happens at `time` is measured.
    pub(super) fn counts(&self, time: Instant) -> bool {
        (self.start..self.end).contains(&time)
    }
}

/// What was measured, and what was seen to happen to the money.
#[derive(Debug)]
pub(super) struct Measurements {
    /// Operations that took effect or were refused for lack of money, within the round.
    pub(super) operations: u64,
    /// How many of them were refused.
    pub(super) refused: u64,
    /// The same operations by time, each entry [`SLICE`] long.
    pub(super) slices: Vec<u64>,
    /// In nanoseconds.
    pub(super) latencies: Histogram<u64>,
    /// What went wrong, by kind. It counts as no operation.
    pub(super) errors: BTreeMap<String, u64>,
    /// All that happened to money, also while warming up.
    pub(super) tally: Tally,
}

impl Measurements {
    pub(super) fn new(accounts: usize) -> Self {
        Self {
            operations: 0,
            refused: 0,
            slices: Vec::new(),
            latencies: new_histogram(),
            errors: BTreeMap::new(),
            tally: Tally::new(accounts),
        }
    }

    /// So many operations ended at `now`, if that is within the round.
    pub(super) fn operations(&mut self, round: &Round<'_>, now: Instant, count: u64) {
        if !round.counts(now) {
            return;
        }
        self.operations += count;
        let slice = ((now - round.start).as_nanos() / SLICE.as_nanos()) as usize;
        if slice >= self.slices.len() {
            self.slices.resize(slice + 1, 0);
        }
        if let Some(operations) = self.slices.get_mut(slice) {
            *operations += count;
        }
    }

    pub(super) fn latency(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.latencies.saturating_record(nanoseconds);
    }

    pub(super) fn error(&mut self, kind: &str) {
        self.errors_of_a_kind(kind, 1);
    }

    pub(super) fn errors_of_a_kind(&mut self, kind: &str, count: u64) {
        match self.errors.get_mut(kind) {
            Some(errors) => *errors += count,
            None => {
                self.errors.insert(kind.to_owned(), count);
            }
        }
    }

    /// Adds what another thread recorded in the same round.
    pub(super) fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.refused += other.refused;
        if other.slices.len() > self.slices.len() {
            self.slices.resize(other.slices.len(), 0);
        }
        for (operations, more) in self.slices.iter_mut().zip(&other.slices) {
            *operations += more;
        }
        add_histogram(&mut self.latencies, &other.latencies);
        for (kind, count) in &other.errors {
            self.errors_of_a_kind(kind, *count);
        }
        self.tally.add(&other.tally);
    }
}

/// One for latencies from a nanosecond to an hour.
/// Measures each of `parts` in a thread of its own, and adds them up.
///
/// # Errors
///
/// The first one of a part, or that one panicked.
pub(super) fn in_threads<F>(
    accounts: usize,
    parts: impl Iterator<Item = F>,
) -> Result<Measurements, Broken>
where
    F: FnOnce() -> Result<Measurements, Broken> + Send,
{
    thread::scope(|scope| {
        let threads: Vec<_> = parts.map(|part| scope.spawn(part)).collect();
        let mut sum = Measurements::new(accounts);
        for thread in threads {
            let record = thread.join();
            sum.add(&record.map_err(|_| Broken::new("a thread panicked"))??);
        }
        Ok(sum)
    })
}

pub(super) fn new_histogram() -> Histogram<u64> {
    const HOUR: u64 = 3_600_000_000_000;
    Histogram::new_with_bounds(1, HOUR, DIGITS)
        .unwrap_or_else(|_| unreachable!("the bounds are constants"))
}

/// Adds `other`, which has the same bounds.
pub(super) fn add_histogram(sum: &mut Histogram<u64>, other: &Histogram<u64>) {
    let added = sum.add(other);
    debug_assert!(added.is_ok(), "the bounds are the same");
}
