//! What follows once a batch is sealed, in this order: written, durable, published, answered.
//!
//! There is one committer, and whoever has it does all of that. So one batch after another becomes durable and is
//! published, whichever thread it is that writes.

use std::sync::Arc;

use crossbeam_channel::Sender;

use super::sequencer::Settlement;
use super::shared::Shared;
use crate::journal::{Appender, Batch, JournalError, Position};
use crate::values::change::NotDone;

/// Has the end of the journal.
#[derive(Debug)]
pub(super) struct Committer {
    pub(super) journal: Box<dyn Appender>,
    /// Tells where a segment has begun: there a snapshot can be taken.
    pub(super) begun: Sender<Position>,
    pub(super) shared: Arc<Shared>,
}

impl Committer {
    /// Makes a batch durable; then publishes it and sends its replies. Whoever is answered sees what happened.
    ///
    /// # Errors
    ///
    /// Those of the disk. Then nobody knows what is on it, and that is what is answered; nothing may be written
    /// any more.
    pub(super) fn write(
        mut self,
        batch: Batch,
        settlement: Settlement,
    ) -> Result<Self, JournalError> {
        self.shared.batch.begin(self.shared.clock.uptime());
        let sealed = batch.seal(self.journal.last_hash());
        let written = self.journal.append(sealed);
        self.shared.batch.end();
        if let Err(error) = written {
            self.shared
                .fail(settlement, NotDone::Failed, &error.to_string());
            return Err(error);
        }
        if let Some(segment) = settlement.begun {
            // Without that thread there are no snapshots, and a start takes longer.
            let _ = self.begun.send(segment);
        }
        self.shared.count_batch();
        self.shared.settle(settlement);
        Ok(self)
    }
}
