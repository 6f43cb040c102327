//! What the threads of the durable ledger and its callers share.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Mutex, PoisonError};

use super::backlog::Backlog;
use super::command::Reply;
use super::published::Published;
use super::sequencer::Settlement;
use crate::change::NotDone;

/// How a durable ledger is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// Changes are made.
    Healthy,
    /// A segment of the journal is full, and there is no room for the next. Changes are refused until there is.
    DiskFull,
    /// A write or a sync failed, or the ledger has a fault. Nothing is changed any more; balances can be read.
    Failed {
        /// What the disk said, or what the fault is.
        reason: String,
    },
}

/// What the threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) published: Published,
    pub(crate) backlog: Backlog,
    condition: Mutex<Condition>,
    /// Why the last snapshot could not be taken.
    snapshot_failure: Mutex<Option<String>>,
    /// Whether nothing more will be submitted.
    stopping: AtomicBool,
    batches: AtomicU64,
}

impl Shared {
    pub(crate) fn new(published: Published, waiting_max: usize) -> Self {
        Self {
            published,
            backlog: Backlog::new(waiting_max),
            condition: Mutex::new(Condition::Healthy),
            snapshot_failure: Mutex::new(None),
            stopping: AtomicBool::new(false),
            batches: AtomicU64::new(0),
        }
    }

    pub(crate) fn condition(&self) -> Condition {
        let condition = self.condition.lock();
        condition.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_condition(&self, condition: Condition) {
        *self
            .condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = condition;
    }

    pub(super) fn snapshot_failure(&self) -> Option<String> {
        let failure = self.snapshot_failure.lock();
        failure.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_snapshot_failure(&self, failure: Option<String>) {
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
