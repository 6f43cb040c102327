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
//! time of the last change, number of entries, position of the last, number of milestones, milestones (8 bytes each).
//! Then the closed ones, in the order of their closing (in any order, if an older program wrote it): number, position
//! of the last entry. Then the keys, the oldest first, as [records](super::format::record) with neither sequence number
//! nor link.
//!
//! What is read is held against all that one snapshot can tell by itself, and is not whole otherwise, whatever its hash
//! says: see [`read`]. Memory is taken for what the disk keeps of a file, and never for a count in it.
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

use super::error::JournalError;
use super::format::names;
use super::scan::Boundary;
use super::state::ledger_state::LedgerState;
use super::storage::Storage;
use super::{LedgerId, Position};
use crate::values::key_policy::KeyPolicy;

pub(super) use read::Reading;
pub(crate) use take::take;
#[cfg(test)]
pub(crate) use take::take_in_parts;

const MAGIC: [u8; 8] = *b"CASHPNTS";
pub(crate) const SUFFIX: &str = ".snapshot";
/// The name of a snapshot that is being written.
pub(super) const UNFINISHED: &str = "next.snapshot";

const HASH_BYTES: usize = 32;

/// What a [flaw](Flaw::NotWhole) is.
pub(super) const SHORT: &str = "it breaks off";
const TWICE: &str = "it holds an account or a key twice";

/// The books at a place between two segments.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) ledger: LedgerId,
    pub(crate) boundary: Boundary,
    pub(crate) books: LedgerState,
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
    /// It is not as it was written, or was not written by a ledger: why.
    NotWhole(&'static str),
    /// It is whole, and of a format that this program does not know.
    Version(u32),
}

/// The file name of the snapshot at `position`.
pub(super) fn name(position: Position) -> String {
    names::name(position, SUFFIX)
}

/// Whether this is the name of a snapshot.
#[must_use]
pub fn is_name(name: &str) -> bool {
    names::position_in(name, SUFFIX).is_some()
}

/// What is missing where there are snapshots alone.
pub(super) fn without_segments(storage: &dyn Storage) -> String {
    format!(
        "there are snapshots without any (in {})",
        storage.describe()
    )
}

/// The positions of all snapshots, the newest first.
pub(super) fn positions(storage: &dyn Storage) -> Result<Vec<Position>, JournalError> {
    let mut positions = names::positions(storage, SUFFIX)?;
    positions.reverse();
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
            Err(Flaw::Io(_) | Flaw::NotWhole(_)) => broken.push(name),
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
    let mut books = LedgerState::new(policy);
    books.next_sequence = header.boundary.next_sequence;
    books.last_at = header.last_at;
    books.opened = header.opened();
    let [accounts, closed, keys] = reading.stored_at_most()?;
    books.accounts.make_room(accounts);
    let _ = books.closed.try_reserve(closed);
    books.keys.make_room(keys);
    while let Some((number, account)) = reading.account()? {
        if !books.accounts.insert(number, account) {
            return Err(Flaw::NotWhole(TWICE));
        }
    }
    while let Some((number, position)) = reading.closed()? {
        if books.accounts.contains(number) || books.closed.insert(number, position).is_some() {
            return Err(Flaw::NotWhole(TWICE));
        }
    }
    while let Some((key, kept)) = reading.key()? {
        let keys = books.keys.len();
        books.keys.keep(&key, kept);
        if books.keys.len() == keys {
            return Err(Flaw::NotWhole(TWICE));
        }
    }
    // Before this, what was read need not be what was written.
    reading.finish()?;
    Ok(Snapshot {
        ledger: header.ledger,
        boundary: header.boundary,
        books,
    })
}
