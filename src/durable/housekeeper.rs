//! Work beside the way of a batch: segments, made ahead, and snapshots, behind.

use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender};

use super::config::DurableConfig;
use super::engine::Shared;
use crate::journal::segment::{self, Prepared};
use crate::journal::{JournalError, Position, Storage, snapshot};
use crate::keys::KeyPolicy;

/// Something to do.
#[derive(Debug)]
pub(super) enum Chore {
    MakeSegment,
    /// A segment begins here: what is before it is complete.
    Snapshot(Position),
}

/// The housekeeper's thread.
#[derive(Debug)]
pub(super) struct Housekeeper {
    storage: Arc<dyn Storage>,
    keys: KeyPolicy,
    segment_bytes: u64,
    snapshot_bytes: u64,
    /// Where the last snapshot is.
    snapshot_at: Position,
    shared: Arc<Shared>,
}

impl Housekeeper {
    pub(super) fn new(
        storage: Arc<dyn Storage>,
        config: &DurableConfig,
        snapshot_at: Position,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            storage,
            keys: config.keys,
            segment_bytes: config.segment_bytes,
            snapshot_bytes: config.snapshot_bytes,
            snapshot_at,
            shared,
        }
    }

    pub(super) fn run(
        mut self,
        chores: &Receiver<Chore>,
        made: &Sender<Result<Prepared, JournalError>>,
    ) {
        for chore in chores {
            match chore {
                Chore::MakeSegment => {
                    let segment = segment::prepare(&*self.storage, self.segment_bytes);
                    if made.send(segment).is_err() {
                        return;
                    }
                }
                Chore::Snapshot(at) => self.snapshot(at),
            }
        }
    }

    fn snapshot(&mut self, at: Position) {
        if at - self.snapshot_at < self.snapshot_bytes {
            return;
        }
        // One that fails costs time at the next start, and nothing else.
        let taken = snapshot::take(&*self.storage, self.keys, at, self.shared.stopping());
        if taken.is_ok() {
            self.snapshot_at = at;
        }
    }
}
