//! A batch: the records that one `fdatasync` makes durable, as a unit.
//!
//! It begins at the start of a sector:
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | `BTCH` |
//! | 4..8 | CRC-32C of the bytes 8..64 |
//! | 8..12 | length of the records, in bytes |
//! | 12..16 | CRC-32C of the records |
//! | 16..24 | position of the batch |
//! | 24..32 | sequence number of its first record |
//! | 32..64 | BLAKE3 hash of the batch before |
//! | 64.. | the records; then `0xFF` to the end of the sector |
//!
//! The hash of a batch is that of its first 64 bytes and its records. So whoever knows one hash can tell
//! whether anything before it was changed, whatever checksums were mended.
//!
//! The fill is not zero, so that no sector of a batch is all zeros: see `scan` for why that matters.

use std::str::FromStr;

use super::fields::{Fields, PutFields as _};
use crate::journal::Position;

/// The smallest unit of which a disk writes all or nothing, in bytes.
pub(crate) const SECTOR_BYTES: usize = 512;

pub(crate) const HEADER_BYTES: usize = 64;

/// The most that a batch takes in its segment. One is far shorter: a megabyte, or one submission.
pub(in crate::journal) const BATCH_BYTES_MAX: usize = 8 << 20;

/// What fills the last sector.
pub(in crate::journal) const FILL: u8 = 0xFF;

const MAGIC: [u8; 4] = *b"BTCH";

/// The hash of a batch, which stands for the journal up to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChainHash(pub [u8; 32]);

impl std::fmt::Display for ChainHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The text is not the hash of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hash of a journal is 64 hexadecimal digits")]
pub struct ParseChainHashError;

impl FromStr for ChainHash {
    type Err = ParseChainHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let mut hash = [0; 32];
        if pairs.len() != hash.len() || !rest.is_empty() {
            return Err(ParseChainHashError);
        }
        for (byte, pair) in hash.iter_mut().zip(pairs) {
            let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
            let (high, low) = high.zip(low).ok_or(ParseChainHashError)?;
            // Two digits of four bits each.
            *byte = (high * 16 + low) as u8;
        }
        Ok(Self(hash))
    }
}

/// What stands before the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) struct Header {
    pub(in crate::journal) records_bytes: usize,
    pub(in crate::journal) records_crc: u32,
    pub(in crate::journal) position: Position,
    pub(in crate::journal) first_sequence: u64,
    pub(in crate::journal) previous: ChainHash,
}

impl Header {
    fn encode(&self) -> Vec<u8> {
        let mut checked = Vec::with_capacity(HEADER_BYTES - 8);
        // A batch is far smaller than 4 GiB.
        checked.put_u32(u32::try_from(self.records_bytes).unwrap_or(u32::MAX));
        checked.put_u32(self.records_crc);
        checked.put_u64(self.position);
        checked.put_u64(self.first_sequence);
        checked.extend_from_slice(&self.previous.0);
        let mut header = MAGIC.to_vec();
        header.put_u32(crc32c::crc32c(&checked));
        header.extend_from_slice(&checked);
        header
    }

    /// Reads a header. `None` if there is no whole one.
    pub(in crate::journal) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes.get(..HEADER_BYTES)?);
        let (magic, crc) = (fields.array::<4>()?, fields.u32()?);
        if magic != MAGIC || crc32c::crc32c(fields.0) != crc {
            return None;
        }
        Some(Self {
            records_bytes: fields.u32()? as usize,
            records_crc: fields.u32()?,
            position: fields.u64()?,
            first_sequence: fields.u64()?,
            previous: ChainHash(fields.array()?),
        })
    }
}

/// Writes the header into `batch`, whose first [`HEADER_BYTES`] bytes are left free for it, and fills the
/// last sector. Returns the hash.
pub(in crate::journal) fn seal(
    batch: &mut Vec<u8>,
    position: Position,
    first_sequence: u64,
    previous: ChainHash,
) -> ChainHash {
    let records = batch.get(HEADER_BYTES..).unwrap_or_default();
    let header = Header {
        records_bytes: records.len(),
        records_crc: crc32c::crc32c(records),
        position,
        first_sequence,
        previous,
    };
    if let Some(place) = batch.get_mut(..HEADER_BYTES) {
        place.copy_from_slice(&header.encode());
    }
    let hash = hash(batch);
    batch.resize(batch.len().next_multiple_of(SECTOR_BYTES), FILL);
    hash
}

/// The hash of a batch: its header and records, without the fill.
pub(in crate::journal) fn hash(batch: &[u8]) -> ChainHash {
    ChainHash(*blake3::hash(batch).as_bytes())
}
