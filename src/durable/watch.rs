//! Looks twice a second whether the directory is still where it was opened.
//!
//! It is a thread of its own: a look at a path may hang as long as a disk does, and neither a batch nor a segment waits
//! for it.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::shared::{Condition, Shared};
use crate::journal::storage::lookout::Lookout;

/// How long after a look there is the next.
const PAUSE: Duration = Duration::from_millis(500);

/// What the thread works with.
pub(super) struct Watch {
    pub(super) lookout: Arc<Lookout>,
    pub(super) shared: Arc<Shared>,
    /// Tells the sequencer why it is over.
    pub(super) lost: Sender<String>,
}

impl Watch {
    /// Looks until something is found, or the other end of `stop` is gone.
    pub(super) fn run(self, stop: &Receiver<()>) {
        while let Err(RecvTimeoutError::Timeout) = stop.recv_timeout(PAUSE) {
            if let Err(error) = self.lookout.look_at_all() {
                // Here and now: the sequencer may be waiting for the disk.
                let reason = error.to_string();
                self.shared.set_condition(Condition::Failed {
                    reason: reason.clone(),
                });
                let _ = self.lost.send(reason);
                return;
            }
        }
    }
}
