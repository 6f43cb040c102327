//! Opens a journal: the newest snapshot, what was recorded after it, and the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Position;
use super::error::JournalError;
use super::format::head;
use super::prepared;
use super::reader::Reader;
use super::scan::{Progress, Torn, scan};
use super::snapshot;
use super::state::ledger_state::LedgerState;
use super::storage::Storage;
use super::writer::{Tail, Writer, lock_newest};
use crate::values::key_policy::KeyPolicy;

/// What was found when a journal was opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Recovery {
    /// Whether there was no journal, and a new one was begun.
    pub begun: bool,
    /// How many records were read.
    pub records: u64,
    /// The position of the snapshot that reading began at.
    pub snapshot: Option<Position>,
    /// Snapshots that were not whole, and were passed over.
    pub broken_snapshots: Vec<String>,
    /// The torn end that was cut off. Nothing in it was ever acknowledged.
    pub torn: Option<Torn>,
    /// What whoever keeps the directory should know and may mend, a sentence each.
    pub warnings: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// A journal that is open.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) books: LedgerState,
    pub(crate) writer: Writer,
    pub(crate) tail: Tail,
    pub(crate) reader: Reader,
    pub(crate) recovery: Recovery,
}

/// Opens the journal in `storage`, and begins one if there is none.
///
/// # Errors
///
/// Those of [`scan`](super::scan::scan): nothing has been changed then. [`JournalError::Io`] if the disk refuses.
pub(crate) fn recover(
    storage: Arc<dyn Storage>,
    policy: KeyPolicy,
    segment_bytes: u64,
    progress: &mut dyn FnMut(Progress),
) -> Result<Recovered, JournalError> {
    let start = Instant::now();
    // Before anything is read: a segment that is gone is told at once.
    let head = head::read_checked(&*storage)?;
    let locked = lock_newest(&*storage)?;
    let (snapshot, broken_snapshots) = snapshot::newest(&*storage, policy)?;
    let from = snapshot.as_ref().map(|it| (it.ledger, it.boundary));
    let mut books = snapshot.map_or_else(|| LedgerState::new(policy), |it| it.books);
    let first_sequence = books.next_sequence;
    let end = scan(
        &*storage,
        from,
        None,
        &mut |record, position| books.apply(record, position),
        progress,
    )
    .map_err(|error| error.without(&broken_snapshots))?;
    if let (Some(head), Some(end)) = (&head, &end) {
        head.belongs_to(end.ledger)?;
    }
    let begun = end.is_none();
    if begun && !broken_snapshots.is_empty() {
        let what = snapshot::without_segments(&*storage);
        return Err(JournalError::Missing { what }.without(&broken_snapshots));
    }
    let end = match end {
        Some(end) => end,
        None => {
            let first = prepared::prepare(&*storage, segment_bytes)?;
            Writer::begin(&*storage, first)?
        }
    };
    // Of a ledger that was just begun, both are of the one segment that it has.
    let (locked, head) = match begun {
        true => (lock_newest(&*storage)?, head::read(&*storage)?),
        false => (locked, head),
    };
    let mut tail = Tail::new(&end, segment_bytes);
    Ok(Recovered {
        writer: Writer::go_on(Arc::clone(&storage), &end, locked, head, &mut tail)?,
        tail,
        recovery: Recovery {
            begun,
            records: books.next_sequence - first_sequence,
            snapshot: from.map(|(_, boundary)| boundary.position),
            broken_snapshots,
            torn: end.torn,
            warnings: storage.warnings(),
            took: start.elapsed(),
        },
        reader: Reader::new(storage)?,
        books,
    })
}
