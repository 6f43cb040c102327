//! A look at a ledger from outside, also while it ends and waits for a disk that does not answer.

use std::sync::Arc;
use std::time::Duration;

use super::shared::{Condition, Shared};

/// How long the disk may leave a ledger waiting that is to end.
const STUCK_AT_END: Duration = Duration::from_secs(1);

/// Sees what a ledger has not finished, also after it was dropped.
#[derive(Clone, Debug)]
pub struct Observer(Arc<Shared>);

impl Observer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// How many commands wait for their answer.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.backlog.waiting()
    }

    /// Why nothing can be changed any more, if nothing can.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        match self.0.condition() {
            Condition::Failed { reason } => Some(reason),
            _ => None,
        }
    }

    /// For how long the disk has not answered, if that is so long that an end that cannot wait gives it up.
    #[must_use]
    pub fn stuck_for(&self) -> Option<Duration> {
        self.0.waits_for().filter(|waits| *waits >= STUCK_AT_END)
    }
}
