//! Opens a journal: the newest snapshot, what was recorded after it, and the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Position;
use super::books::Books;
use super::error::JournalError;
use super::reader::Reader;
use super::scan::{Progress, Torn, scan};
use super::segment;
use super::snapshot;
use super::storage::Storage;
use super::writer::{Tail, Writer};
use crate::key_policy::KeyPolicy;

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
    /// How long it took.
    pub took: Duration,
}

/// A journal that is open.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) books: Books,
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
    let (snapshot, broken_snapshots) = snapshot::newest(&*storage, policy)?;
    let from = snapshot.as_ref().map(|it| (it.ledger, it.boundary));
    let mut books = snapshot.map_or_else(|| Books::new(policy), |it| it.books);
    let first_sequence = books.next_sequence;
    let end = scan(
        &*storage,
        from,
        None,
        &mut |record, position| books.apply(record, position),
        progress,
    )?;
    let begun = end.is_none();
    let end = match end {
        Some(end) => end,
        None => {
            let first = segment::prepare(&*storage, segment_bytes)?;
            Writer::begin(&*storage, first)?
        }
    };
    Ok(Recovered {
        writer: Writer::go_on(Arc::clone(&storage), &end)?,
        tail: Tail::new(&end, segment_bytes),
        reader: Reader::new(storage)?,
        recovery: Recovery {
            begun,
            records: books.next_sequence - first_sequence,
            snapshot: from.map(|(_, boundary)| boundary.position),
            broken_snapshots,
            torn: end.torn,
            took: start.elapsed(),
        },
        books,
    })
}
