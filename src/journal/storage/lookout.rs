//! Looks whether what is written is still where it is looked for.
//!
//! Whoever removes the segment that is written, or puts another directory in the place of this one, is not seen by a
//! write: the files that are open stay as they are, and go with the process. So there are two looks:
//!
//! - *at the segment's name*, after each batch is synced and before it is answered. What is answered was in the directory
//!   under its name when it was durable. It costs a microsecond.
//! - *at the path of the directory*, twice a second and before each new segment, by threads that nobody waits for. A
//!   directory that was moved takes along what was written to it, so nothing is lost until it is noticed.
//!
//! What was found once is final.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::{Identity, Storage, StoredFile};
use crate::journal::Position;
use crate::journal::error::JournalError;
use crate::journal::format::segment;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Lookout {
    storage: Arc<dyn Storage>,
    /// The segment that is written: its name, which takes longer to write out than the look at it, and its file. The
    /// lock is never held while a disk works.
    segment: Mutex<(Arc<str>, Identity)>,
    /// What was found.
    lost: OnceLock<String>,
}

impl Lookout {
    pub(in crate::journal) fn new(
        storage: Arc<dyn Storage>,
        position: Position,
        file: &dyn StoredFile,
    ) -> io::Result<Self> {
        Ok(Self {
            storage,
            segment: Mutex::new((segment::name(position).into(), file.identity()?)),
            lost: OnceLock::new(),
        })
    }

    /// From now on this segment is written.
    pub(in crate::journal) fn begun(
        &self,
        position: Position,
        file: &dyn StoredFile,
    ) -> io::Result<()> {
        let begun = (segment::name(position).into(), file.identity()?);
        *self.segment.lock().unwrap_or_else(PoisonError::into_inner) = begun;
        Ok(())
    }

    /// Looks at the segment's name.
    ///
    /// # Errors
    ///
    /// [`JournalError::Displaced`] if it is not there, or if something was found earlier.
    pub(crate) fn look_at_segment(&self) -> Result<(), JournalError> {
        let segment = self.segment.lock();
        let (name, identity) = segment.unwrap_or_else(PoisonError::into_inner).clone();
        let missed = || self.storage.misses(&name, identity);
        self.found(self.lost.get().cloned().or_else(missed))
    }

    /// Looks at the path and at the segment's name.
    ///
    /// # Errors
    ///
    /// [`JournalError::Displaced`] if whoever looks for the ledger would find another one or none.
    pub(crate) fn look_at_all(&self) -> Result<(), JournalError> {
        self.found(self.storage.displaced())?;
        self.look_at_segment()
    }

    fn found(&self, what: Option<String>) -> Result<(), JournalError> {
        match what {
            None => Ok(()),
            Some(what) => Err(JournalError::Displaced {
                path: self.storage.describe(),
                what: self.lost.get_or_init(|| what).clone(),
            }),
        }
    }
}
