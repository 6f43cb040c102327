//! Reads single records, wherever they are.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::Position;
use super::error::JournalError;
use super::format::record::{RECORD_BYTES_MAX, Record};
use super::format::segment;
use super::storage::{Storage, StoredFile};

/// How many segments are kept open. A long journal has more than a process may have files.
const OPEN_MAX: usize = 16;

/// The segments, some of them open for reading.
///
/// The lock is held to find a file, and for writing to note one: never while a disk works.
#[derive(Debug)]
pub(crate) struct Reader {
    storage: Arc<dyn Storage>,
    segments: RwLock<Segments>,
}

#[derive(Debug)]
struct Segments {
    positions: BTreeSet<Position>,
    open: HashMap<Position, Arc<dyn StoredFile>>,
}

impl Segments {
    /// The segment that `position` is in, unless the one before it ends earlier.
    fn of(&self, position: Position) -> Option<Position> {
        self.positions.range(..=position).next_back().copied()
    }

    /// Keeps a file open. When there are too many all others are closed, which is rare and needs no account of
    /// what is used; whoever reads one of them goes on.
    fn keep_open(&mut self, segment: Position, file: Arc<dyn StoredFile>) {
        if self.open.len() >= OPEN_MAX {
            self.open.clear();
        }
        self.open.insert(segment, file);
    }
}

impl Reader {
    /// Reads from the segments that there are.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`] if they cannot be listed.
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Result<Self, JournalError> {
        let segments = Segments {
            positions: segment::positions(&*storage)?.into_iter().collect(),
            open: HashMap::new(),
        };
        Ok(Self {
            storage,
            segments: RwLock::new(segments),
        })
    }

    /// There is a new segment. To be called before anybody can know a position in it.
    pub(crate) fn begun(&self, segment: Position) {
        self.segments_mut().positions.insert(segment);
    }

    /// The record at `position`.
    ///
    /// # Errors
    ///
    /// [`JournalError::Missing`] if its segment has been taken away; [`JournalError::Damaged`] if there is no
    /// record; [`JournalError::Io`] if it cannot be read.
    pub(crate) fn record(&self, position: Position) -> Result<Record, JournalError> {
        let (segment, file) = self.file(position)?;
        let name = segment::name(segment);
        let offset = position - segment;
        let mut bytes = [0; RECORD_BYTES_MAX];
        let length = file
            .read_at(&mut bytes, offset)
            .map_err(JournalError::file("read", &*self.storage, &name))?;
        let bytes = bytes.get(..length).unwrap_or_default();
        if bytes.is_empty() {
            // The segment before it ends earlier.
            return Err(none_holds(position));
        }
        Record::decode(bytes)
            .map(|(record, _)| record)
            .map_err(|what| self.damaged(position, what))
    }

    /// The error that says what is wrong with the record at `position`.
    pub(crate) fn damaged(&self, position: Position, what: &str) -> JournalError {
        let segment = self.segments().of(position).unwrap_or(0);
        JournalError::Damaged {
            segment: segment::name(segment),
            offset: position - segment,
            what: what.to_owned(),
        }
    }

    fn file(&self, position: Position) -> Result<(Position, Arc<dyn StoredFile>), JournalError> {
        let segments = self.segments();
        let segment = segments.of(position).ok_or_else(|| none_holds(position))?;
        if let Some(file) = segments.open.get(&segment) {
            return Ok((segment, Arc::clone(file)));
        }
        drop(segments);
        let name = segment::name(segment);
        let file = match self.storage.open(&name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(none_holds(position));
            }
            Err(error) => return Err(JournalError::file("open", &*self.storage, &name)(error)),
        };
        self.segments_mut().keep_open(segment, Arc::clone(&file));
        Ok((segment, file))
    }

    fn segments(&self) -> RwLockReadGuard<'_, Segments> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn segments_mut(&self) -> RwLockWriteGuard<'_, Segments> {
        self.segments
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn none_holds(position: Position) -> JournalError {
    JournalError::Missing {
        what: format!("none holds the position {position}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Directory;

    #[test]
    fn a_long_journal_takes_few_open_files() {
        let place = tempfile::tempdir().unwrap();
        let positions = (0..5 * OPEN_MAX as u64).map(|index| index * 512);
        for position in positions.clone() {
            std::fs::write(place.path().join(segment::name(position)), "").unwrap();
        }
        let storage = Arc::new(Directory::open_read_only(place.path()).unwrap());
        let reader = Reader::new(storage).unwrap();
        for position in positions.clone().chain(positions) {
            let (segment, _) = reader.file(position + 7).unwrap();
            assert_eq!(segment, position);
            assert!(reader.segments().open.len() <= OPEN_MAX);
        }
    }
}
