//! Snapshots: the books at the begin of a segment, so that a start need not read all that is before it.
//!
//! A snapshot is made from the one before it and the segments between, never from what is in use: nobody is
//! stopped for it. It is written beside, made durable, and then given its name, which is the position of
//! the segment that it comes before. It ends with the BLAKE3 hash of all that is before: one that is not
//! whole is passed over.
//!
//! Reading or making one never holds a second copy of the books, or the whole file, in memory: see [`read`] and
//! [`take`](mod@take).
//!
//! | bytes | field |
//! |---|---|
//! | 0..8 | `CASHPNTS` |
//! | 8..12 | format version |
//! | 12..16 | 0 |
//! | 16..32 | the ledger's id |
//! | 32..40 | position |
//! | 40..48 | sequence number of the next record |
//! | 48..80 | hash of the last batch |
//! | 80..88 | time of the last record |
//! | 88..112 | number of open accounts, of closed ones, of keys |
//!
//! Then the open accounts, in the order of their creation: number (16 bytes), balance, place in that order, time of it,
//! time of the last change, number of entries, position of the last, number of milestones, milestones (8 bytes
//! each). Then the closed ones, in the order of their closing (in any order, if an older program wrote it): number,
//! position of the last entry. Then the keys, the oldest first, as [records](super::record) with neither sequence number
//! nor link.
//!
//! In every version, the first twelve bytes and the hash at the end stand where they stand here. So one of a later
//! format can be told from a broken one. It is not passed over: the program that wrote it may have written more that
//! this one does not know.

mod queue;
mod read;
#[cfg(test)]
pub(crate) mod reference;
mod take;
mod write;

use std::io;

use super::books::Books;
use super::error::JournalError;
use super::scan::Boundary;
use super::storage::Storage;
use super::{LedgerId, Position};
use crate::key_policy::KeyPolicy;

pub(super) use read::Reading;
pub(crate) use take::take;
#[cfg(test)]
pub(crate) use take::take_in_parts;

const MAGIC: [u8; 8] = *b"CASHPNTS";
pub(crate) const SUFFIX: &str = ".snapshot";
/// The name of a snapshot that is being written.
pub(super) const UNFINISHED: &str = "next.snapshot";

const HASH_BYTES: usize = 32;

/// The books at a place between two segments.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) ledger: LedgerId,
    pub(crate) boundary: Boundary,
    pub(crate) books: Books,
}

impl Snapshot {
    /// What is read after it.
    pub(crate) fn after(&self) -> (LedgerId, Boundary) {
        (self.ledger, self.boundary)
    }
}

/// Why a snapshot is of no use.
#[derive(Debug)]
pub(crate) enum Flaw {
    /// It cannot be read.
    Io(io::Error),
    /// It is not as it was written.
    NotWhole,
    /// It is whole, and of a format that this program does not know.
    Version(u32),
}

/// The file name of the snapshot at `position`.
pub(super) fn name(position: Position) -> String {
    format!("{position:020}{SUFFIX}")
}

/// The positions of all snapshots, the newest first.
pub(super) fn positions(storage: &dyn Storage) -> Result<Vec<Position>, JournalError> {
    let names = storage
        .names()
        .map_err(JournalError::file("list", storage, ""))?;
    let mut positions: Vec<Position> = names
        .iter()
        .filter_map(|name| name.strip_suffix(SUFFIX)?.parse().ok())
        .collect();
    positions.sort_unstable_by(|one, other| other.cmp(one));
    Ok(positions)
}

/// The newest snapshot that can be read and is whole, and the names of newer ones that are not.
///
/// # Errors
///
/// [`JournalError::Version`] if it is of another format.
pub(crate) fn newest(
    storage: &dyn Storage,
    policy: KeyPolicy,
) -> Result<(Option<Snapshot>, Vec<String>), JournalError> {
    let mut broken = Vec::new();
    for position in positions(storage)? {
        let name = name(position);
        match load(storage, policy, position) {
            Ok(snapshot) => return Ok((Some(snapshot), broken)),
            // One that cannot be read is as one that is broken.
            Err(Flaw::Io(_) | Flaw::NotWhole) => broken.push(name),
            Err(Flaw::Version(found)) => {
                let segment = name;
                return Err(JournalError::Version { segment, found });
            }
        }
    }
    Ok((None, broken))
}

/// Reads the snapshot at `position` as a whole.
pub(super) fn load(
    storage: &dyn Storage,
    policy: KeyPolicy,
    position: Position,
) -> Result<Snapshot, Flaw> {
    let mut reading = Reading::open(storage, position)?;
    let header = *reading.header();
    let mut books = Books::new(policy);
    books.next_sequence = header.boundary.next_sequence;
    books.last_at = header.last_at;
    books.opened = header.opened();
    let count = |count: u64| usize::try_from(count).map_err(|_| Flaw::NotWhole);
    books.accounts.reserve(count(header.accounts)?);
    books.closed.reserve(count(header.closed)?);
    books.keys.reserve(count(header.keys)?);
    while let Some((number, account)) = reading.account()? {
        if !books.accounts.insert(number, account) {
            return Err(Flaw::NotWhole);
        }
    }
    while let Some((number, position)) = reading.closed()? {
        if books.closed.insert(number, position).is_some() {
            return Err(Flaw::NotWhole);
        }
    }
    while let Some((key, kept)) = reading.key()? {
        books.keys.keep(&key, kept);
    }
    // Before this, what was read need not be what was written.
    reading.finish()?;
    Ok(Snapshot {
        ledger: header.ledger,
        boundary: header.boundary,
        books,
    })
}
