//! What the threads of the durable ledger and its callers share.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::backlog::Backlog;
use super::ledger_clock::{ClockFault, LedgerClock};
use super::published::Published;
use super::sequencer::Settlement;
use super::submission::Reply;
use super::under_way::UnderWay;
use crate::journal::JournalError;
use crate::values::change::NotDone;
use crate::values::timestamp::Timestamp;
use crate::values::warning::{NextStart, Warning};

/// For how long the disk may leave callers waiting before that is trouble.
const STUCK_AFTER: Duration = Duration::from_secs(5);

/// How a durable ledger is. Exhaustive, because whoever serves one has to have an answer for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Changes are made.
    Healthy,
    /// Callers have been waiting for the disk for seconds. Changes are made once it answers; balances can be read.
    DiskStuck,
    /// A segment of the journal is full, and there is no room for the next. Changes are refused until there is.
    DiskFull,
    /// A segment of the journal is full, and the next cannot be made for another reason. Changes are refused until it
    /// can; it is tried again and again.
    NoSegment {
        /// What the disk says.
        reason: String,
    },
    /// A write or a sync failed, the directory was moved, replaced or removed, or the ledger has a fault. Nothing is
    /// changed any more; balances can be read.
    Failed {
        /// What the disk said, or what the fault is.
        reason: String,
    },
}

/// Why a snapshot could not be taken, and what that means.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotFailure {
    /// What the disk said, or what is wrong with the journal.
    pub reason: String,
    /// What becomes of the next start.
    pub next_start: NextStart,
}

impl From<JournalError> for SnapshotFailure {
    /// A snapshot reads what the next start will read.
    fn from(error: JournalError) -> Self {
        Self {
            next_start: match &error {
                error if error.is_damage() => NextStart::Refused,
                error if error.is_disk_full() => NextStart::Longer,
                _ => NextStart::Uncertain,
            },
            reason: error.to_string(),
        }
    }
}

/// What the threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) published: Published,
    pub(crate) backlog: Backlog,
    pub(crate) clock: LedgerClock,
    /// A batch, on its way to the disk.
    pub(super) batch: UnderWay,
    /// A segment that callers wait for.
    pub(super) segment: UnderWay,
    condition: Mutex<Condition>,
    /// Why the last snapshot could not be taken.
    snapshot_failure: Mutex<Option<SnapshotFailure>>,
    /// The time, in microseconds, until which there is no room for one more idempotency key.
    keys_full_until: AtomicI64,
    /// Why the next segment could not be made when that was tried last.
    segment_failure: Mutex<Option<String>>,
    /// Whether nothing more will be submitted.
    stopping: AtomicBool,
    batches: AtomicU64,
}

impl Shared {
    pub(crate) fn new(published: Published, clock: LedgerClock, waiting_max: usize) -> Self {
        Self {
            published,
            backlog: Backlog::new(waiting_max),
            clock,
            batch: UnderWay::default(),
            segment: UnderWay::default(),
            condition: Mutex::new(Condition::Healthy),
            snapshot_failure: Mutex::new(None),
            keys_full_until: AtomicI64::new(i64::MIN),
            segment_failure: Mutex::new(None),
            stopping: AtomicBool::new(false),
            batches: AtomicU64::new(0),
        }
    }

    pub(crate) fn condition(&self) -> Condition {
        let condition = self.condition.lock();
        let condition = condition.unwrap_or_else(PoisonError::into_inner).clone();
        match condition {
            Condition::Healthy if self.stuck_for().is_some() => Condition::DiskStuck,
            condition => condition,
        }
    }

    /// For how long callers have been waiting for the disk, if that is too long.
    pub(super) fn stuck_for(&self) -> Option<Duration> {
        self.waits_for().filter(|waits| *waits >= STUCK_AFTER)
    }

    /// For how long callers have been waiting for the disk.
    pub(super) fn waits_for(&self) -> Option<Duration> {
        let uptime = self.clock.uptime();
        let lasts = [&self.batch, &self.segment].map(|it| it.lasts(uptime));
        lasts.into_iter().flatten().max()
    }

    /// What an operator should know of.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        let disk = match self.condition() {
            Condition::Healthy => None,
            Condition::DiskStuck => self
                .stuck_for()
                .map(|waiting| Warning::DiskStuck { waiting }),
            Condition::DiskFull => Some(Warning::DiskFull),
            Condition::NoSegment { .. } => None,
            Condition::Failed { reason } => Some(Warning::ReadOnly { reason }),
        };
        // A disk that was found full is told of once somebody is refused for it.
        let segment = self
            .segment_failure()
            .map(|reason| Warning::NoSegment { reason });
        let snapshot = self.snapshot_failure().map(|failure| Warning::NoSnapshot {
            reason: failure.reason,
            next_start: failure.next_start,
        });
        let keys = self
            .keys_full_for()
            .map(|room_in| Warning::KeysFull { room_in });
        let clock = self.clock.fault().map(|fault| match fault {
            ClockFault::Behind(by) => Warning::ClockBehind { by },
            ClockFault::Ahead(by) => Warning::ClockAhead { by },
        });
        [disk, segment, snapshot, keys, clock]
            .into_iter()
            .flatten()
            .collect()
    }

    /// How long there will be no room for one more idempotency key, if there is none.
    fn keys_full_for(&self) -> Option<Duration> {
        let until = self.keys_full_until.load(Relaxed);
        let left = until.saturating_sub(self.clock.read().time.as_micros());
        (left > 0).then(|| Duration::from_micros(left.unsigned_abs()))
    }

    pub(super) fn set_keys_full_until(&self, until: Option<Timestamp>) {
        let until = until.map_or(i64::MIN, Timestamp::as_micros);
        if self.keys_full_until.load(Relaxed) != until {
            self.keys_full_until.store(until, Relaxed);
        }
    }

    /// A failure is final: nothing is set after it.
    pub(super) fn set_condition(&self, condition: Condition) {
        let mut now = self
            .condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !matches!(*now, Condition::Failed { .. }) {
            *now = condition;
        }
    }

    pub(super) fn segment_failure(&self) -> Option<String> {
        let failure = self.segment_failure.lock();
        failure.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_segment_failure(&self, failure: Option<String>) {
        *self
            .segment_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = failure;
    }

    pub(super) fn snapshot_failure(&self) -> Option<SnapshotFailure> {
        let failure = self.snapshot_failure.lock();
        failure.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_snapshot_failure(&self, failure: Option<SnapshotFailure>) {
        *self
            .snapshot_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = failure;
    }

    /// How many batches became durable.
    pub(crate) fn batches(&self) -> u64 {
        self.batches.load(Relaxed)
    }

    pub(super) fn count_batch(&self) {
        self.batches.fetch_add(1, Relaxed);
    }

    /// Is set once nothing more will be submitted.
    pub(super) fn stopping(&self) -> &AtomicBool {
        &self.stopping
    }

    /// Publishes a durable batch, and sends its replies.
    pub(super) fn settle(&self, settlement: Settlement) {
        self.published.publish(&settlement);
        for reply in settlement.replies {
            self.send(reply);
        }
    }

    /// From now on nothing is changed any more; then answers those of a batch that is not published with
    /// `not_done`.
    pub(super) fn fail(&self, settlement: Settlement, not_done: NotDone, reason: &str) {
        self.set_condition(Condition::Failed {
            reason: reason.to_owned(),
        });
        for reply in settlement.replies {
            self.backlog.leave(reply.weight());
            reply.fail(not_done);
        }
    }

    pub(super) fn send(&self, reply: Reply) {
        self.backlog.leave(reply.weight());
        reply.send();
    }
}
