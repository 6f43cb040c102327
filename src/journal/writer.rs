//! Appends batches to local files, one at a time.

use std::path::PathBuf;
use std::sync::Arc;

use super::appender::{Appender, Sealed};
use super::error::{JournalError, is_disk_full};
use super::format::batch::{ChainHash, SECTOR_BYTES};
use super::format::head::{self, Head};
use super::format::segment;
use super::prepared::{Prepared, fill};
use super::scan::{Boundary, End};
use super::storage::lookout::Lookout;
use super::storage::{Storage, StoredFile};
use super::{LedgerId, Position};

/// Where the journal will end, as far as batches have been planned. It runs ahead of the [`Writer`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tail {
    /// The position of the segment that the next batch goes to.
    segment: Position,
    /// The position of the next batch.
    end: Position,
    /// The length of that segment. One that was begun with other settings has another one.
    segment_bytes: u64,
    /// The length of those that follow.
    next_segment_bytes: u64,
}

impl Tail {
    pub(super) fn new(end: &End, next_segment_bytes: u64) -> Self {
        Self {
            segment: end.segment,
            end: end.boundary.position,
            segment_bytes: end.segment_bytes,
            next_segment_bytes,
        }
    }

    /// The position of the next batch.
    pub(crate) fn position(&self) -> Position {
        self.end
    }

    /// Nothing more fits into the segment.
    pub(super) fn end_segment(&mut self) {
        self.segment_bytes = self.end - self.segment;
    }

    /// Whether a batch of so many bytes, its header included, fits into the segment.
    pub(crate) fn fits(&self, batch_bytes: usize) -> bool {
        let used = self.end - self.segment;
        used + batch_bytes.next_multiple_of(SECTOR_BYTES) as u64 <= self.segment_bytes
    }

    /// Whether half of the segment is used.
    pub(crate) fn is_half_full(&self) -> bool {
        self.end - self.segment > self.segment_bytes / 2
    }

    /// The next batch goes to a new segment.
    pub(crate) fn roll(&mut self) {
        self.segment = self.end;
        self.segment_bytes = self.next_segment_bytes;
        self.end += SECTOR_BYTES as u64;
    }

    /// A batch of so many bytes has been planned.
    pub(crate) fn advance(&mut self, batch_bytes: usize) {
        self.end += batch_bytes.next_multiple_of(SECTOR_BYTES) as u64;
    }
}

/// The end of the journal on disk.
#[derive(Debug)]
pub(crate) struct Writer {
    storage: Arc<dyn Storage>,
    ledger: LedgerId,
    segment: Arc<dyn StoredFile>,
    segment_position: Position,
    chain: ChainHash,
    lookout: Arc<Lookout>,
}

impl Writer {
    /// Goes on where a scan has come to the end, after it has cut off what is torn there, and made durable what
    /// is not torn. The segment was locked before the scan began: see [`lock_newest`].
    ///
    /// What could be read need not be on the disk. If a process was killed, its last batch or the name of its
    /// last segment may be in the system's memory alone; after a sync that failed, the system even takes for
    /// written what is not. So the last batch is written once more, as it is. Only then may it be seen.
    ///
    /// The zeros behind it are written once more as well: a backup tool may have made holes of them, or the blocks may be
    /// those of a copy, and then there need be no room for what is to be written there. Where there is none, `tail` ends
    /// with what is there.
    ///
    /// # Errors
    ///
    /// [`JournalError::InUse`] if another process has begun a segment meanwhile, [`JournalError::Io`] if the disk refuses.
    pub(super) fn go_on(
        storage: Arc<dyn Storage>,
        end: &End,
        locked: Option<Locked>,
        head: Option<Head>,
        tail: &mut Tail,
    ) -> Result<Self, JournalError> {
        let name = segment::name(end.segment);
        let segment = match locked {
            Some((position, segment)) if position == end.segment => segment,
            // A newer one was begun meanwhile, and not by this process.
            _ => return Err(in_use(&*storage)),
        };
        let last = end.boundary.position - end.segment - end.last.len() as u64;
        let secure = || {
            if let Some(torn) = &end.torn {
                fill(&*segment, torn.offset, torn.offset + torn.bytes)?;
            }
            segment.write_at(&end.last, last)?;
            let unused = end.boundary.position - end.segment;
            let has_room = match fill(&*segment, unused, end.segment_bytes) {
                Err(error) if is_disk_full(&error) => false,
                filled => filled.map(|()| true)?,
            };
            segment.sync()?;
            storage.sync()?;
            Ok(has_room)
        };
        let secured = secure();
        if !secured.map_err(JournalError::file("secure the end of", &*storage, &name))? {
            tail.end_segment();
        }
        name_newest(&*storage, end, head)?;
        let lookout = Lookout::new(Arc::clone(&storage), end.segment, &*segment);
        let lookout = lookout.map_err(JournalError::file("look at", &*storage, &name))?;
        Ok(Self {
            storage,
            ledger: end.ledger,
            segment,
            segment_position: end.segment,
            chain: end.boundary.chain,
            lookout: Arc::new(lookout),
        })
    }

    /// Looks whether what is written is still where it is looked for.
    pub(crate) fn lookout(&self) -> Arc<Lookout> {
        Arc::clone(&self.lookout)
    }

    /// Begins a new journal with `first` as its first segment.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`] if the disk refuses.
    pub(super) fn begin(storage: &dyn Storage, first: Prepared) -> Result<End, JournalError> {
        let header = segment::Header {
            ledger: LedgerId::random(),
            position: 0,
            first_sequence: 1,
            previous: ChainHash::default(),
            segment_bytes: first.length(),
        };
        first.begin(storage, &header)?;
        Ok(End {
            ledger: header.ledger,
            boundary: Boundary {
                position: SECTOR_BYTES as u64,
                next_sequence: header.first_sequence,
                chain: header.previous,
            },
            segment: 0,
            segment_bytes: header.segment_bytes,
            last: Vec::new(),
            torn: None,
        })
    }
}

impl Appender for Writer {
    fn last_hash(&self) -> ChainHash {
        self.chain
    }

    fn append(&mut self, batch: Sealed) -> Result<(), JournalError> {
        debug_assert_eq!(batch.previous, self.chain, "a batch follows the last one");
        if let Some(prepared) = batch.roll_to {
            let header = segment::Header {
                ledger: self.ledger,
                position: batch.position - SECTOR_BYTES as u64,
                first_sequence: batch.first_sequence,
                previous: batch.previous,
                segment_bytes: prepared.length(),
            };
            self.segment = prepared.begin(&*self.storage, &header)?;
            self.segment_position = header.position;
            self.lookout
                .begun(header.position, &*self.segment)
                .map_err(JournalError::file(
                    "look at",
                    &*self.storage,
                    &segment::name(header.position),
                ))?;
        }
        self.chain = batch.hash;
        self.segment
            .write_at(&batch.bytes, batch.position - self.segment_position)
            .and_then(|()| self.segment.sync())
            .map_err(JournalError::file(
                "write to",
                &*self.storage,
                &segment::name(self.segment_position),
            ))?;
        self.lookout.look_at_segment()
    }
}

/// The newest segment, locked.
pub(super) type Locked = (Position, Arc<dyn StoredFile>);

/// Locks the newest segment, before it is read. Were it locked later, another process could write to it and end in
/// between, and what it wrote behind what had been read would be overwritten. `None` if there is no segment.
///
/// # Errors
///
/// [`JournalError::InUse`] if another process has it, [`JournalError::Io`] if the disk refuses.
pub(super) fn lock_newest(storage: &dyn Storage) -> Result<Option<Locked>, JournalError> {
    let Some(position) = segment::positions(storage)?.last().copied() else {
        return Ok(None);
    };
    let name = segment::name(position);
    let segment = storage.open_to_write(&name).map_err(JournalError::file(
        "open to write",
        storage,
        &name,
    ))?;
    match segment
        .lock()
        .map_err(JournalError::file("lock", storage, &name))?
    {
        true => Ok(Some((position, segment))),
        false => Err(in_use(storage)),
    }
}

fn in_use(storage: &dyn Storage) -> JournalError {
    JournalError::InUse {
        path: PathBuf::from(storage.describe()),
    }
}

/// Has the head name the segment that goes on, if it does not: a crash came between, or an earlier version wrote it.
fn name_newest(storage: &dyn Storage, end: &End, head: Option<Head>) -> Result<(), JournalError> {
    let new = Head {
        ledger: end.ledger,
        newest: end.segment,
    };
    if head == Some(new) {
        return Ok(());
    }
    match head::prepare(storage).and_then(|file| new.replace(storage, &*file)) {
        // It was as it is before this start, and is put right with the next segment.
        Err(error) if is_disk_full(&error) => Ok(()),
        named => named.map_err(JournalError::file("write", storage, head::NAME)),
    }
}
