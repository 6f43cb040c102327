//! Segments: the files that the journal is cut into.
//!
//! A segment is named by the position of its first byte, and has its full length, in zeros, before
//! anything is written to it: that saves the file system from noting a new length with each batch, which
//! makes a small batch durable in 140 µs instead of 230 (measured). Its first sector is its header:
//!
//! | bytes | field |
//! |---|---|
//! | 0..8 | `CASHPNTJ` |
//! | 8..12 | format version |
//! | 12..16 | CRC-32C of the bytes 16..512 |
//! | 16..32 | the ledger's id, the same in all its segments and snapshots |
//! | 32..40 | position of the segment |
//! | 40..48 | sequence number of its first record |
//! | 48..80 | hash of the batch before |
//! | 80..88 | length of the segment, in bytes |
//! | 88..512 | 0 |
//!
//! Batches follow, and what is behind the last one is zeros. The length stands there so that a file that was cut
//! short is not taken for a segment that ended early.

use super::batch::{ChainHash, SECTOR_BYTES};
use super::fields::{Fields, PutFields as _};
use super::names;
use crate::journal::error::JournalError;
use crate::journal::storage::Storage;
use crate::journal::{FORMAT_VERSION, LedgerId, Position};

/// The longest segment. Whoever forges a longer one would have a start fill the disk with it.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// The name of a segment that is being made.
pub(in crate::journal) const UNFINISHED: &str = "next.segment";

const MAGIC: [u8; 8] = *b"CASHPNTJ";
const SUFFIX: &str = ".journal";

/// Where a segment begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) struct Header {
    pub(in crate::journal) ledger: LedgerId,
    pub(in crate::journal) position: Position,
    pub(in crate::journal) first_sequence: u64,
    pub(in crate::journal) previous: ChainHash,
    pub(in crate::journal) segment_bytes: u64,
}

/// The file name of the segment that begins at `position`.
pub(crate) fn name(position: Position) -> String {
    names::name(position, SUFFIX)
}

/// The position in a file name. `None` if it is not that of a segment.
pub(in crate::journal) fn position_in(name: &str) -> Option<Position> {
    names::position_in(name, SUFFIX)
}

/// The positions of all segments, in order.
pub(in crate::journal) fn positions(storage: &dyn Storage) -> Result<Vec<Position>, JournalError> {
    names::positions(storage, SUFFIX)
}

impl Header {
    pub(in crate::journal) fn encode(&self) -> Vec<u8> {
        let mut checked = self.ledger.0.to_vec();
        checked.put_u64(self.position);
        checked.put_u64(self.first_sequence);
        checked.extend_from_slice(&self.previous.0);
        checked.put_u64(self.segment_bytes);
        checked.resize(SECTOR_BYTES - 16, 0);
        let mut header = MAGIC.to_vec();
        header.put_u32(FORMAT_VERSION);
        header.put_u32(crc32c::crc32c(&checked));
        header.extend_from_slice(&checked);
        header
    }

    /// Reads the header at the front of the segment called `name`.
    pub(in crate::journal) fn decode(bytes: &[u8], name: &str) -> Result<Self, JournalError> {
        let damaged = |what: &str| JournalError::Damaged {
            segment: name.to_owned(),
            offset: 0,
            what: what.to_owned(),
        };
        let sector = bytes.get(..SECTOR_BYTES);
        let mut fields =
            Fields(sector.ok_or_else(|| damaged("it breaks off in its first sector"))?);
        if fields.array() != Some(MAGIC) {
            return Err(damaged("it does not begin as a segment does"));
        }
        let (version, crc) = (fields.u32(), fields.u32());
        let (rest, header) = (fields.0, Self::read(&mut fields));
        match (version, header) {
            (Some(found), _) if found != FORMAT_VERSION => Err(JournalError::Version {
                segment: name.to_owned(),
                found,
            }),
            (Some(_), Some(header)) if crc == Some(crc32c::crc32c(rest)) => Ok(header),
            _ => Err(damaged("the checksum of its first sector is wrong")),
        }
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            ledger: LedgerId(fields.array()?),
            position: fields.u64()?,
            first_sequence: fields.u64()?,
            previous: ChainHash(fields.array()?),
            segment_bytes: fields.u64()?,
        })
    }
}
