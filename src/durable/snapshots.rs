//! Snapshots, taken behind the way of a batch. Nobody waits for one.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crossbeam_channel::Receiver;

use super::config::DurableConfig;
use super::shared::Shared;
use crate::journal::{Position, Storage, snapshot};
use crate::values::key_policy::KeyPolicy;

/// The thread that takes snapshots.
#[derive(Debug)]
pub(super) struct Snapshots {
    storage: Arc<dyn Storage>,
    keys: KeyPolicy,
    snapshot_bytes: u64,
    /// Where the last snapshot is.
    snapshot_at: Position,
    shared: Arc<Shared>,
}

impl Snapshots {
    pub(super) fn new(
        storage: Arc<dyn Storage>,
        config: &DurableConfig,
        snapshot_at: Position,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            storage,
            keys: config.keys,
            snapshot_bytes: config.snapshot_bytes,
            snapshot_at,
            shared,
        }
    }

    /// Takes a snapshot where a segment has `begun`, if the last one is far enough behind: what is before it
    /// is complete. Of those that began meanwhile, the newest is all that a start is interested in.
    pub(super) fn run(mut self, begun: &Receiver<Position>) {
        for at in begun {
            let at = begun.try_iter().last().unwrap_or(at);
            if at - self.snapshot_at >= self.snapshot_bytes {
                self.take(at);
            }
        }
    }

    fn take(&mut self, at: Position) {
        // One that fails costs time at the next start, and nothing else. But the journal was read for it, and may have
        // been found to be damaged.
        let taken = snapshot::take(&*self.storage, self.keys, at, self.shared.stopping());
        if taken.is_ok() {
            self.snapshot_at = at;
        }
        // One that is given up because all ends has found nothing.
        if !self.shared.stopping().load(Relaxed) {
            self.shared
                .set_snapshot_failure(taken.err().map(Into::into));
        }
    }
}
