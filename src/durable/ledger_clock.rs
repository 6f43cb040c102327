//! The clock of the ledger: what the clock of the system says, unless that cannot be.
//!
//! The clock of the system may be wrong by years, be set, and go back. Times in the journal never do, and idempotency
//! keys age by them. So two more things are known here: how long the ledger has been open, by a clock that nobody
//! sets; and the times of records.
//!
//! 1. *Times go on.* Behind the last record time passes all the same, at nearly the rate of the world, so keys age though
//!    the clock of the system stands years behind. Nearly: a sixteenth is left out, by which that clock catches
//!    up. A key is kept a little longer meanwhile, and never shorter.
//! 2. *A jump of years is not followed.* A clock that is ahead of where it was at the start, and the time since, by more
//!    than [`FOLLOWED_MAX`], is taken to be wrong; time then passes as if it had not jumped. What is less is followed:
//!    a clock that was set right, a machine that slept.
//! 3. *Only records move it on.* A clock that was ahead while nothing was recorded leaves no trace.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam_utils::CachePadded;

use super::config::DurableConfig;
use crate::values::timestamp::Timestamp;

/// How far the clock of the system may be from the last record at a start, and how far it may jump ahead later.
pub(crate) const FOLLOWED_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Of so many parts of the time that passes, one is left out while the clock of the system is behind.
const PARTS: i64 = 16;

/// A clock that is less behind is not worth a word: all clocks are set a little now and then.
const BEHIND_TOLD: Duration = Duration::from_secs(1);

/// Tells the time of what is recorded. Lock-free; one thread records, and any number may look.
pub(crate) struct LedgerClock {
    system: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    uptime: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// What the clock of the system showed when `uptime` was 0, in microseconds.
    origin: i64,
    /// Times that no later one may be before, as a line over the uptime: `(line + (PARTS - 1) × uptime) / PARTS`. It is
    /// one word, so that whoever looks sees a whole one, and it only ever rises.
    // On a cache line of its own: it changes with each record, while callers change what is beside it.
    line: CachePadded<AtomicI64>,
}

/// A look at the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The time to record.
    pub(crate) time: Timestamp,
    /// How long the ledger has been open.
    uptime: i64,
}

/// What is wrong with the clock of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClockFault {
    /// It is behind the times of the records.
    Behind(Duration),
    /// It has jumped ahead by years, and is not followed.
    Ahead(Duration),
}

impl LedgerClock {
    /// The clock of a ledger whose last record is of `last`, if it has any.
    pub(crate) fn new(config: &DurableConfig, last: Option<Timestamp>) -> Self {
        let uptime = micros((config.uptime)());
        let clock = Self {
            system: Arc::clone(&config.clock),
            uptime: Arc::clone(&config.uptime),
            origin: (config.clock)().as_micros().saturating_sub(uptime),
            line: CachePadded::new(AtomicI64::new(i64::MIN)),
        };
        if let Some(last) = last {
            clock.raise(last, uptime);
        }
        clock
    }

    /// How long the ledger has been open, by a clock that nobody sets.
    pub(crate) fn uptime(&self) -> Duration {
        (self.uptime)()
    }

    pub(crate) fn read(&self) -> Reading {
        let uptime = micros((self.uptime)());
        let system = (self.system)().as_micros();
        let expected = self.origin.saturating_add(uptime);
        let believed = match system.saturating_sub(expected) > micros(FOLLOWED_MAX) {
            true => expected,
            false => system,
        };
        Reading {
            time: Timestamp::from_micros(believed.max(self.not_before(uptime))),
            uptime,
        }
    }

    /// Something was recorded, at a time decided on a reading.
    pub(crate) fn recorded(&self, at: Timestamp, reading: Reading) {
        self.raise(at, reading.uptime);
    }

    /// What is wrong with the clock of the system, if something is.
    pub(crate) fn fault(&self) -> Option<ClockFault> {
        let uptime = micros((self.uptime)());
        // Before the clock is read: what is recorded after that may well be later.
        let not_before = self.not_before(uptime);
        let system = (self.system)().as_micros();
        let ahead = system.saturating_sub(self.origin.saturating_add(uptime));
        if ahead > micros(FOLLOWED_MAX) {
            return Some(ClockFault::Ahead(duration(ahead)));
        }
        let behind = not_before.saturating_sub(system);
        (behind >= micros(BEHIND_TOLD)).then(|| ClockFault::Behind(duration(behind)))
    }

    fn raise(&self, at: Timestamp, uptime: i64) {
        let line = at.as_micros().saturating_mul(PARTS);
        let line = line.saturating_sub(uptime.saturating_mul(PARTS - 1));
        // ORDERING: Relaxed. The word stands for itself.
        self.line.fetch_max(line, Relaxed);
    }

    /// The time that nothing may be recorded before.
    fn not_before(&self, uptime: i64) -> i64 {
        // ORDERING: Relaxed, as above.
        let line = self.line.load(Relaxed);
        let time = line.saturating_add(uptime.saturating_mul(PARTS - 1));
        time.div_euclid(PARTS)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn duration(micros: i64) -> Duration {
    Duration::from_micros(micros.unsigned_abs())
}

impl std::fmt::Debug for LedgerClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LedgerClock")
            .field("origin", &self.origin)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::*;

    #[test]
    fn a_record_made_during_a_look_is_no_fault_of_the_clock() {
        const NOW: i64 = 1_800_000_000_000_000;
        let ledger = Arc::new(OnceLock::<LedgerClock>::new());
        let recording = Arc::clone(&ledger);
        let mut config = DurableConfig::new(1);
        config.uptime = Arc::new(|| Duration::ZERO);
        config.clock = Arc::new(move || {
            // Whoever looks loses its core here for a minute, while another thread records.
            if let Some(clock) = recording.get() {
                clock.raise(Timestamp::from_micros(NOW + 60_000_000), 0);
            }
            Timestamp::from_micros(NOW)
        });
        let clock = ledger.get_or_init(|| LedgerClock::new(&config, None));
        assert_eq!(clock.fault(), None);
        assert_eq!(
            clock.fault(),
            Some(ClockFault::Behind(Duration::from_secs(60)))
        );
    }
}
