//! The file `head`: which segment is the newest.
//!
//! Without it nothing would tell that a last segment is gone: the one before it ends as a last one does. It is written
//! anew with each segment:
//!
//! | bytes | field |
//! |---|---|
//! | 0..8 | `CASHPNTH` |
//! | 8..12 | format version |
//! | 12..16 | CRC-32C of the bytes 16..64 |
//! | 16..32 | the ledger's id |
//! | 32..40 | position of the segment |
//! | 40..64 | 0 |
//!
//! # Invariants
//!
//! 1. *It never names a segment that is not durable.* It is written once the segment has its header and its name, both
//!    synced. So after a crash the newest segment is the one that it names, or one more.
//! 2. *Nothing is acknowledged in a segment that it does not name.* It is durable before the first batch of the segment
//!    is written. Except after a start that finds no room for a new head: it goes on without, up to the next segment.
//! 3. *It is replaced as a whole*: written beside, synced, renamed, and its name synced.
//! 4. *Room first.* The file that replaces it is made together with the segment, ahead.
//!
//! Directories of earlier versions have none, and get one at the next start. So one that is removed is not missed:
//! whoever removes it and the last segment leaves no trace.

use std::io;
use std::sync::Arc;

use super::fields::{Fields, PutFields as _};
use super::segment;
use crate::journal::error::JournalError;
use crate::journal::storage::patience::patiently;
use crate::journal::storage::{Storage, StoredFile};
use crate::journal::{FORMAT_VERSION, LedgerId, Position};

pub(in crate::journal) const NAME: &str = "head";

/// The name of one that is being made.
pub(in crate::journal) const UNFINISHED: &str = "next.head";

const MAGIC: [u8; 8] = *b"CASHPNTH";

/// The length of the file.
const BYTES: usize = 64;

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(in crate::journal) ledger: LedgerId,
    /// The newest segment; or the last but one, if a crash came between.
    pub(in crate::journal) newest: Position,
}

/// Reads it. `None` if it is not there.
///
/// # Errors
///
/// [`JournalError::Damaged`] or [`JournalError::Version`] if it is not as it was written; [`JournalError::Io`] if it
/// cannot be read.
pub(in crate::journal) fn read(storage: &dyn Storage) -> Result<Option<Head>, JournalError> {
    // One more, to see whether it is longer than it should be.
    let mut bytes = [0; BYTES + 1];
    match storage
        .open(NAME)
        .and_then(|file| file.read_at(&mut bytes, 0))
    {
        Ok(length) => Head::decode(bytes.get(..length).unwrap_or_default()).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(JournalError::file("read", storage, NAME)(error)),
    }
}

/// Reads it, and looks whether the segment that it names is there.
///
/// # Errors
///
/// Those of [`read`] and [`Head::check`].
pub(crate) fn read_checked(storage: &dyn Storage) -> Result<Option<Head>, JournalError> {
    let head = read(storage)?;
    if let Some(head) = &head {
        head.check(storage)?;
    }
    Ok(head)
}

/// Makes a file that becomes the next one.
///
/// # Errors
///
/// Those of the disk.
pub(in crate::journal) fn prepare(storage: &dyn Storage) -> io::Result<Arc<dyn StoredFile>> {
    let file = storage.create(UNFINISHED)?;
    file.write_at(&[0; BYTES], 0)?;
    file.sync()?;
    Ok(file)
}

fn damaged(what: &str) -> JournalError {
    JournalError::Damaged {
        segment: NAME.to_owned(),
        offset: 0,
        what: format!(
            "{what}; it says which segment is the newest. If you are sure that none is missing, remove it, and the \
             next start makes it anew"
        ),
    }
}

impl Head {
    /// Puts it into the file that was prepared for it, in the place of the one before, and makes that durable.
    pub(in crate::journal) fn replace(
        self,
        storage: &dyn Storage,
        file: &dyn StoredFile,
    ) -> io::Result<()> {
        file.write_at(&self.encode(), 0)?;
        file.sync()?;
        patiently(|| storage.rename(UNFINISHED, NAME))?;
        storage.sync()
    }

    /// Looks whether the segment that it names is there.
    ///
    /// # Errors
    ///
    /// [`JournalError::Missing`] if it is not.
    pub(in crate::journal) fn check(&self, storage: &dyn Storage) -> Result<(), JournalError> {
        if segment::positions(storage)?.contains(&self.newest) {
            return Ok(());
        }
        Err(JournalError::Missing {
            what: format!(
                "{}, which the file `{NAME}` names as the newest (in {})",
                segment::name(self.newest),
                storage.describe()
            ),
        })
    }

    /// Looks whether it is of the ledger that the segments are of.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] if it is not.
    pub(in crate::journal) fn belongs_to(&self, ledger: LedgerId) -> Result<(), JournalError> {
        match self.ledger == ledger {
            true => Ok(()),
            false => Err(damaged("it belongs to another ledger than the segments")),
        }
    }

    fn encode(self) -> Vec<u8> {
        let mut checked = self.ledger.0.to_vec();
        checked.put_u64(self.newest);
        checked.resize(BYTES - 16, 0);
        let mut bytes = MAGIC.to_vec();
        bytes.put_u32(FORMAT_VERSION);
        bytes.put_u32(crc32c::crc32c(&checked));
        bytes.extend_from_slice(&checked);
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, JournalError> {
        let mut fields = Fields(bytes);
        if bytes.len() != BYTES || fields.array() != Some(MAGIC) {
            return Err(damaged("it is not what was written"));
        }
        let (version, crc) = (fields.u32(), fields.u32());
        let checked = fields.0;
        match (version, fields.array(), fields.u64()) {
            (Some(found), _, _) if found != FORMAT_VERSION => Err(JournalError::Version {
                segment: NAME.to_owned(),
                found,
            }),
            (_, Some(ledger), Some(newest)) if crc == Some(crc32c::crc32c(checked)) => Ok(Self {
                ledger: LedgerId(ledger),
                newest,
            }),
            _ => Err(damaged("its checksum is wrong")),
        }
    }
}
