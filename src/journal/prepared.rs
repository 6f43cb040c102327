//! A segment that is made before it is needed, for making it takes longer than a batch may wait.

use std::io;
use std::sync::Arc;

use super::error::JournalError;
use super::format::head::{self, Head};
use super::format::segment::{Header, UNFINISHED, name};
use super::storage::patience::patiently;
use super::storage::{Storage, StoredFile};

/// How many zeros are written at a time.
pub(in crate::journal) const ZEROS_BYTES: usize = 1 << 20;

/// A file of zeros that becomes the next segment, and one that becomes the head that names it.
#[derive(Debug)]
pub(crate) struct Prepared {
    file: Arc<dyn StoredFile>,
    head: Arc<dyn StoredFile>,
    length: u64,
}

/// Writes zeros to all of `file` from `from` to `to`.
pub(in crate::journal) fn fill(file: &dyn StoredFile, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS_BYTES];
    let mut at = from;
    while at < to {
        let rest = usize::try_from(to - at).unwrap_or(ZEROS_BYTES);
        let zeros = zeros.get(..rest).unwrap_or(&zeros);
        file.write_at(zeros, at)?;
        at += zeros.len() as u64;
    }
    Ok(())
}

/// Makes a file of `length` zeros, and makes them durable.
///
/// # Errors
///
/// Those of the disk. Nothing depends on the file yet: it can be tried again, and a new file is made then. What the
/// disk has not synced of this one is never used.
pub(crate) fn prepare(storage: &dyn Storage, length: u64) -> Result<Prepared, JournalError> {
    let write = || -> io::Result<Arc<dyn StoredFile>> {
        let file = storage.create(UNFINISHED)?;
        fill(&*file, 0, length)?;
        file.sync()?;
        Ok(file)
    };
    let make = || {
        let file = write().map_err(JournalError::file("make", storage, UNFINISHED))?;
        let head = head::prepare(storage);
        let head = head.map_err(JournalError::file("make", storage, head::UNFINISHED))?;
        Ok(Prepared { file, head, length })
    };
    make().inspect_err(|_| {
        // What there is of it would only take the room that others need.
        let _ = storage.remove(UNFINISHED);
        let _ = storage.remove(head::UNFINISHED);
    })
}

impl Prepared {
    /// The length of the file, in bytes.
    pub(in crate::journal) fn length(&self) -> u64 {
        self.length
    }

    /// Gives the file its header and its name, makes both durable, and then the head that names it.
    pub(in crate::journal) fn begin(
        self,
        storage: &dyn Storage,
        header: &Header,
    ) -> Result<Arc<dyn StoredFile>, JournalError> {
        let name = name(header.position);
        let begin = || {
            self.file.write_at(&header.encode(), 0)?;
            self.file.sync()?;
            // Nobody else has a file that was just made.
            self.file.lock()?;
            patiently(|| storage.rename_new(UNFINISHED, &name))?;
            storage.sync()
        };
        begin().map_err(JournalError::file("begin", storage, &name))?;
        let head = Head {
            ledger: header.ledger,
            newest: header.position,
        };
        head.replace(storage, &*self.head)
            .map_err(JournalError::file("write", storage, head::NAME))?;
        Ok(self.file)
    }
}
