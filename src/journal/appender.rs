//! Where batches go: the seam between deciding and keeping.
//!
//! A batch is *sealed* once it is known which one it follows: its header has that one's hash. What keeps sealed batches
//! is an [`Appender`]. Local files are one ([`Writer`](super::writer::Writer)).

use std::fmt;

use super::Position;
use super::error::JournalError;
use super::format::batch::{self, ChainHash, HEADER_BYTES, SECTOR_BYTES};
use super::prepared::Prepared;

/// A batch to be written.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The segment to begin with it, if it does not go to the one before.
    pub(crate) roll_to: Option<Prepared>,
    pub(crate) position: Position,
    pub(crate) first_sequence: u64,
    /// [`HEADER_BYTES`] bytes for the header, and the records.
    pub(crate) bytes: Vec<u8>,
}

/// A batch that follows another.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(in crate::journal) roll_to: Option<Prepared>,
    pub(in crate::journal) position: Position,
    pub(in crate::journal) first_sequence: u64,
    /// The hash of the batch before; zeros of the first.
    pub(in crate::journal) previous: ChainHash,
    /// Its own.
    pub(in crate::journal) hash: ChainHash,
    /// Header, records and fill.
    pub(in crate::journal) bytes: Vec<u8>,
}

/// What keeps sealed batches, one behind the other.
pub(crate) trait Appender: fmt::Debug + Send {
    /// The hash of the last batch: the next one is sealed with it.
    fn last_hash(&self) -> ChainHash;

    /// Appends the batch that follows the last one, and makes it durable. Once this returns, it is. If it fails, nobody
    /// knows whether it is, and nothing may be appended any more.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`] if the disk refuses; [`JournalError::Displaced`] if the journal is not where it was any
    /// more, and what was written goes with this process.
    fn append(&mut self, batch: Sealed) -> Result<(), JournalError>;
}

impl Batch {
    /// The position of the segment that it begins, if it begins one.
    pub(crate) fn begun(&self) -> Option<Position> {
        let header_bytes = SECTOR_BYTES as u64;
        self.roll_to.is_some().then(|| self.position - header_bytes)
    }

    /// Has it follow the batch with the hash `previous`.
    pub(crate) fn seal(mut self, previous: ChainHash) -> Sealed {
        debug_assert!(self.bytes.len() > HEADER_BYTES, "a batch holds records");
        let hash = batch::seal(
            &mut self.bytes,
            self.position,
            self.first_sequence,
            previous,
        );
        Sealed {
            roll_to: self.roll_to,
            position: self.position,
            first_sequence: self.first_sequence,
            previous,
            hash,
            bytes: self.bytes,
        }
    }
}
