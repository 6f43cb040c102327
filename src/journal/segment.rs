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

use std::io;
use std::sync::Arc;

use super::batch::ChainHash;
use super::error::JournalError;
use super::fields::{Fields, PutFields as _};
use super::storage::{Storage, StoredFile};
use super::{FORMAT_VERSION, LedgerId, Position};

/// The smallest unit of which a disk writes all or nothing, in bytes.
pub(crate) const SECTOR_BYTES: usize = 512;

/// The name of a segment that is being made.
pub(super) const UNFINISHED: &str = "next.segment";

const MAGIC: [u8; 8] = *b"CASHPNTJ";
const SUFFIX: &str = ".journal";

/// How many zeros are written at a time.
const ZEROS_BYTES: usize = 1 << 20;

/// Where a segment begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) ledger: LedgerId,
    pub(super) position: Position,
    pub(super) first_sequence: u64,
    pub(super) previous: ChainHash,
    pub(super) segment_bytes: u64,
}

/// The file name of the segment that begins at `position`.
pub(crate) fn name(position: Position) -> String {
    format!("{position:020}{SUFFIX}")
}

/// The position in a file name. `None` if it is not that of a segment.
pub(super) fn position_in(name: &str) -> Option<Position> {
    let digits = name.strip_suffix(SUFFIX)?;
    (digits.len() == 20).then_some(())?;
    digits.parse().ok()
}

/// The positions of all segments, in order.
pub(super) fn positions(storage: &dyn Storage) -> Result<Vec<Position>, JournalError> {
    let names = storage
        .names()
        .map_err(JournalError::file("list", storage, ""))?;
    let mut positions: Vec<_> = names.iter().filter_map(|name| position_in(name)).collect();
    positions.sort_unstable();
    Ok(positions)
}

impl Header {
    fn encode(&self) -> Vec<u8> {
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
    pub(super) fn decode(bytes: &[u8], name: &str) -> Result<Self, JournalError> {
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

/// A file of zeros that becomes the next segment.
#[derive(Debug)]
pub(crate) struct Prepared {
    file: Arc<dyn StoredFile>,
    length: u64,
}

/// Makes a file of `length` zeros, and makes them durable.
///
/// # Errors
///
/// Those of the disk. Nothing depends on the file yet: it can be tried again.
pub(crate) fn prepare(storage: &dyn Storage, length: u64) -> Result<Prepared, JournalError> {
    let write = || -> io::Result<Arc<dyn StoredFile>> {
        let file = storage.create(UNFINISHED)?;
        let zeros = vec![0; ZEROS_BYTES];
        let mut written = 0;
        while written < length {
            let rest = usize::try_from(length - written).unwrap_or(ZEROS_BYTES);
            let zeros = zeros.get(..rest).unwrap_or(&zeros);
            file.write_at(zeros, written)?;
            written += zeros.len() as u64;
        }
        file.sync()?;
        Ok(file)
    };
    write()
        .inspect_err(|_| {
            // What there is of it would only take the room that others need.
            let _ = storage.remove(UNFINISHED);
        })
        .map(|file| Prepared { file, length })
        .map_err(JournalError::file("make", storage, UNFINISHED))
}

impl Prepared {
    /// The length of the file, in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Gives the file its header and its name, and makes both durable.
    pub(super) fn begin(
        self,
        storage: &dyn Storage,
        header: &Header,
    ) -> Result<Arc<dyn StoredFile>, JournalError> {
        let name = name(header.position);
        let begin = || {
            self.file.write_at(&header.encode(), 0)?;
            self.file.sync()?;
            storage.rename(UNFINISHED, &name)?;
            storage.sync()
        };
        begin().map_err(JournalError::file("begin", storage, &name))?;
        Ok(self.file)
    }
}
