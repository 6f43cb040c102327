//! Reads single records, wherever they are.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use super::Position;
use super::error::JournalError;
use super::record::{RECORD_BYTES_MAX, Record};
use super::segment;
use super::storage::{Storage, StoredFile};

/// The segments, open for reading.
///
/// The lock is held to find a file, and for writing once a segment: never while a disk works.
#[derive(Debug)]
pub(crate) struct Reader {
    storage: Arc<dyn Storage>,
    segments: RwLock<BTreeMap<Position, Option<Arc<dyn StoredFile>>>>,
}

impl Reader {
    /// Reads from the segments that there are.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`] if they cannot be listed.
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Result<Self, JournalError> {
        let positions = segment::positions(&*storage)?;
        let segments = positions.into_iter().map(|position| (position, None));
        Ok(Self {
            storage,
            segments: RwLock::new(segments.collect()),
        })
    }

    /// There is a new segment. To be called before anybody can know a position in it.
    pub(crate) fn begun(&self, segment: Position) {
        self.segments
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(segment, None);
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
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let segment = segments.range(..=position).next_back();
        let segment = segment.map_or(0, |(segment, _)| *segment);
        JournalError::Damaged {
            segment: segment::name(segment),
            offset: position - segment,
            what: what.to_owned(),
        }
    }

    fn file(&self, position: Position) -> Result<(Position, Arc<dyn StoredFile>), JournalError> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let Some((segment, file)) = segments.range(..=position).next_back() else {
            return Err(none_holds(position));
        };
        if let Some(file) = file {
            return Ok((*segment, Arc::clone(file)));
        }
        let segment = *segment;
        drop(segments);
        let name = segment::name(segment);
        let file = match self.storage.open(&name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(none_holds(position));
            }
            Err(error) => return Err(JournalError::file("open", &*self.storage, &name)(error)),
        };
        self.segments
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(segment, Some(Arc::clone(&file)));
        Ok((segment, file))
    }
}

fn none_holds(position: Position) -> JournalError {
    JournalError::Missing {
        what: format!("none holds the position {position}"),
    }
}
