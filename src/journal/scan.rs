//! Reads segments from front to end, and tells a torn end from damage.
//!
//! Nothing is written to a segment before its length is made, in zeros, and a batch is written only after
//! the one before is durable. So after a crash, each sector of the last batch is what was to be written or
//! still zeros, and what is behind it is zeros. A batch has no sector of zeros of its own. Hence:
//!
//! - zeros to the end of the segment: the journal ends here;
//! - a whole header, records whose checksum is wrong, and a sector of zeros among them: a torn batch;
//! - a sector of zeros where a header belongs, and something behind it, but no whole header: a torn batch too;
//! - anything else is no end that a crash leaves: damage. So is a torn end that is longer than a batch.
//!
//! What is read costs no more memory than the longest batch, and no more time than what the disk keeps of the segment: a
//! segment whose length is not the one in its header is not read, and holes are passed over.
//!
//! A torn end is one only in the last segment, and nowhere else.
//!
//! Whoever reads while another process writes may see any part of the batch that is on its way, and none of it is
//! damage. So what looks wrong in the last segment is looked at again, until it is whole or stays as it is.

use std::thread;
use std::time::Duration;

use super::error::JournalError;
use super::format::batch::{self, BATCH_BYTES_MAX, ChainHash, FILL, HEADER_BYTES, SECTOR_BYTES};
use super::format::record::Record;
use super::format::segment::{self, SEGMENT_BYTES_MAX};
use super::storage::Storage;
use super::storage::window::{PIECE_BYTES, Window};
use super::{LedgerId, POSITION_MAX, Position};

/// How far a journal has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The position up to which it is read.
    pub position: Position,
    /// An upper bound of the position at which it ends.
    pub end: Position,
    /// How many records have been read.
    pub records: u64,
}

/// The end of the last segment that a crash has torn.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Torn {
    /// The file.
    pub segment: String,
    /// Where in it the torn batch begins, in bytes.
    pub offset: u64,
    /// How far it is not zeros, in bytes from there.
    pub bytes: u64,
}

/// A place between two batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Boundary {
    pub(crate) position: Position,
    pub(crate) next_sequence: u64,
    pub(crate) chain: ChainHash,
}

impl Boundary {
    /// Where every journal begins.
    const BEGIN: Self = Self {
        position: 0,
        next_sequence: 1,
        chain: ChainHash([0; 32]),
    };
}

/// Where a journal ends.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) ledger: LedgerId,
    pub(crate) boundary: Boundary,
    /// The position of the last segment.
    pub(crate) segment: Position,
    /// The length of that, in bytes.
    pub(crate) segment_bytes: u64,
    /// The last batch there, as a whole; the header of the segment, if no batch is behind it.
    pub(crate) last: Vec<u8>,
    pub(crate) torn: Option<Torn>,
}

/// What is done with each record; what it finds wrong is damage at its place.
pub type Visit<'a> = &'a mut dyn FnMut(&Record, Position) -> Result<(), String>;

/// What is done with what is read.
pub(crate) trait Visitor {
    /// Takes a record; what it finds wrong is damage at its place.
    fn record(&mut self, record: &Record, position: Position) -> Result<(), String>;

    /// All records before `boundary` have been taken, and none after.
    fn boundary(&mut self, boundary: Boundary) {
        let _ = boundary;
    }
}

pub(super) struct Each<'a>(pub(super) Visit<'a>);

impl Visitor for Each<'_> {
    fn record(&mut self, record: &Record, position: Position) -> Result<(), String> {
        (self.0)(record, position)
    }
}

/// Whether somebody may be writing meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    Nobody,
    Perhaps,
}

/// How long a batch on its way is given before it is looked at again. It takes far less to be written.
const ON_ITS_WAY: Duration = Duration::from_millis(20);

/// How often what looks wrong at one place is looked at again.
const LOOKS_MAX: u32 = 5;

/// Reads all records after `from`; all there are without it. `None` if there is no segment at all.
///
/// # Errors
///
/// [`JournalError::Damaged`], [`JournalError::Missing`] or [`JournalError::Version`] if a segment is not as it
/// was written; [`JournalError::Io`] if it cannot be read.
pub(crate) fn scan(
    storage: &dyn Storage,
    from: Option<(LedgerId, Boundary)>,
    until: Option<Position>,
    visit: Visit<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<End>, JournalError> {
    let visitor = &mut Each(visit);
    read_through(storage, from, until, Writing::Nobody, visitor, progress)
}

/// Reads all records after `from`, all there are without it, also while another process writes more.
///
/// # Errors
///
/// Those of [`scan`].
pub(crate) fn scan_beside_writer(
    storage: &dyn Storage,
    from: Option<(LedgerId, Boundary)>,
    visitor: &mut dyn Visitor,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<End>, JournalError> {
    read_through(storage, from, None, Writing::Perhaps, visitor, progress)
}

/// The sequence number of the newest record, also while another process writes more; 0 if there is none. Only the last
/// segment is read. `None` if there is no segment at all.
///
/// # Errors
///
/// Those of [`scan`].
pub(super) fn newest_beside_writer(storage: &dyn Storage) -> Result<Option<u64>, JournalError> {
    let Some(position) = segment::positions(storage)?.last().copied() else {
        return Ok(None);
    };
    let mut last = Segment::open(storage, position, None)?;
    let header = segment::Header::decode(last.bytes(0, SECTOR_BYTES)?, &segment::name(position))?;
    let begin = Boundary {
        position,
        next_sequence: header.first_sequence,
        chain: header.previous,
    };
    let from = Some((header.ledger, begin));
    let visitor = &mut Each(&mut |_, _| Ok(()));
    let end = read_through(storage, from, None, Writing::Perhaps, visitor, &mut |_| {})?;
    Ok(end.map(|end| end.boundary.next_sequence.saturating_sub(1)))
}

fn read_through(
    storage: &dyn Storage,
    from: Option<(LedgerId, Boundary)>,
    until: Option<Position>,
    writing: Writing,
    visitor: &mut dyn Visitor,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<End>, JournalError> {
    let positions = segment::positions(storage)?;
    let start = from.map_or(0, |(_, boundary)| boundary.position);
    // Snapshots are taken where a segment begins, so the first one to read begins there too.
    let first = positions.iter().position(|position| *position == start);
    let Some(relevant) = first.and_then(|first| positions.get(first..)) else {
        return match positions.first() {
            None if from.is_none() => Ok(None),
            _ => Err(JournalError::Missing {
                what: format!(
                    "none holds the position {start} (in {})",
                    storage.describe()
                ),
            }),
        };
    };
    let mut scanner = Scanner {
        writing,
        ledger: from.map(|(ledger, _)| ledger),
        boundary: from.map(|(_, boundary)| boundary),
        records: 0,
        torn: None,
        segment: start,
        last: start,
    };
    let mut last = None;
    for (index, position) in relevant.iter().enumerate() {
        if until.is_some_and(|until| *position >= until) {
            break;
        }
        let next = relevant.get(index + 1).copied();
        let mut segment = Segment::open(storage, *position, next)?;
        scanner.segment(&mut segment, visitor)?;
        progress(Progress {
            position: scanner.boundary.unwrap_or_default().position,
            end: relevant
                .last()
                .map_or(0, |last| last.saturating_add(segment.length())),
            records: scanner.records,
        });
        last = Some(segment);
    }
    scanner.end(last)
}

/// A segment, a part of which is in memory.
struct Segment<'a> {
    storage: &'a dyn Storage,
    name: String,
    position: Position,
    window: Window,
    /// The position of the segment behind it, where this one has to end.
    next: Option<Position>,
}

/// What is found where a batch may begin.
enum Found {
    /// A batch that is whole. It is in memory, and so long without the fill.
    Batch(usize, batch::Header),
    End(Option<Torn>),
}

/// What is behind a place in a segment, up to its end.
#[derive(Default)]
struct Behind {
    /// How many bytes there are up to the last one that is not zero.
    used: u64,
    /// Whether there is the head of a batch in its own place.
    has_batch: bool,
}

struct Scanner {
    writing: Writing,
    ledger: Option<LedgerId>,
    boundary: Option<Boundary>,
    segment: Position,
    /// Where the last batch begins, or the header of a segment without one.
    last: Position,
    records: u64,
    torn: Option<Torn>,
}

impl Scanner {
    /// Where the journal ends, once its `last` segment has been read.
    fn end(self, last: Option<Segment<'_>>) -> Result<Option<End>, JournalError> {
        let boundary = self.boundary.unwrap_or_default();
        let (mut segment_bytes, mut batch) = (0, Vec::new());
        if let Some(mut segment) = last {
            segment_bytes = segment.length();
            let offset = segment.offset_of(self.last);
            let length = segment.offset_of(boundary.position) - offset;
            // It was read as one batch, so it is short.
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            batch = segment.bytes(offset, length)?.to_vec();
        }
        Ok(Some(End {
            ledger: self.ledger.unwrap_or_default(),
            boundary,
            segment: self.segment,
            segment_bytes,
            last: batch,
            torn: self.torn,
        }))
    }

    fn segment(
        &mut self,
        segment: &mut Segment<'_>,
        visitor: &mut dyn Visitor,
    ) -> Result<(), JournalError> {
        self.segment = segment.position;
        self.last = segment.position;
        let mut boundary = self.begin(segment)?;
        loop {
            let offset = segment.offset_of(boundary.position);
            let (length, header) = match segment.look(offset, self.writing)? {
                Found::Batch(length, header) => (length, header),
                Found::End(torn) => {
                    if segment.next.is_some_and(|next| next != boundary.position)
                        || segment.next.is_some() && torn.is_some()
                    {
                        return Err(segment
                            .damaged(offset, "it ends here, and the next segment begins later"));
                    }
                    self.torn = torn;
                    self.boundary = Some(boundary);
                    return Ok(());
                }
            };
            if header.previous != boundary.chain {
                return Err(segment.damaged(offset, "the batch does not continue the one before"));
            }
            if header.first_sequence != boundary.next_sequence {
                return Err(segment.damaged(offset, "records are missing before this batch"));
            }
            let batch = segment.bytes(offset, length)?;
            let chain = batch::hash(batch);
            let first_sequence = boundary.next_sequence;
            let records = self.records(segment, offset, length, first_sequence, visitor)?;
            self.last = boundary.position;
            boundary = Boundary {
                position: boundary.position + length.next_multiple_of(SECTOR_BYTES) as u64,
                next_sequence: first_sequence + records,
                chain,
            };
            visitor.boundary(boundary);
        }
    }

    /// Where to begin in a segment: after its header, or after what is known already.
    fn begin(&mut self, segment: &mut Segment<'_>) -> Result<Boundary, JournalError> {
        let name = segment.name.clone();
        let header = segment::Header::decode(segment.bytes(0, SECTOR_BYTES)?, &name)?;
        if header.position != segment.position {
            return Err(segment.damaged(0, "it is not the segment that its name says"));
        }
        if header.segment_bytes > SEGMENT_BYTES_MAX {
            return Err(segment.damaged(0, "it says that it is longer than a segment may be"));
        }
        let end = header.position.checked_add(header.segment_bytes);
        if end.is_none_or(|end| end > POSITION_MAX) || header.first_sequence > POSITION_MAX {
            return Err(segment.damaged(0, "no ledger gets that far"));
        }
        if *self.ledger.get_or_insert(header.ledger) != header.ledger {
            return Err(segment.damaged(0, "it belongs to another ledger"));
        }
        if header.segment_bytes != segment.length() {
            let place = header.segment_bytes.min(segment.length());
            return Err(segment.damaged(place, "its length differs from the one in its header"));
        }
        let start = Boundary {
            position: segment.position,
            next_sequence: header.first_sequence,
            chain: header.previous,
        };
        let after_header = Boundary {
            position: segment.position + SECTOR_BYTES as u64,
            ..start
        };
        match self.boundary {
            Some(known) if known == start => Ok(after_header),
            None if start == Boundary::BEGIN => Ok(after_header),
            None => Err(segment.damaged(0, "it does not begin as a journal does")),
            _ => Err(segment.damaged(0, "it does not continue the segment before")),
        }
    }

    /// Visits the records of a batch, and returns how many there are.
    fn records(
        &mut self,
        segment: &mut Segment<'_>,
        offset: u64,
        length: usize,
        first_sequence: u64,
        visitor: &mut dyn Visitor,
    ) -> Result<u64, JournalError> {
        let mut at = HEADER_BYTES;
        let mut count = 0;
        while at < length {
            let place = offset + at as u64;
            let decoded = Record::decode(segment.bytes(place, length - at)?);
            let (record, record_bytes) = decoded.map_err(|what| segment.damaged(place, what))?;
            if record.sequence != first_sequence + count {
                return Err(segment.damaged(place, "a record is out of sequence"));
            }
            visitor
                .record(&record, segment.position + place)
                .map_err(|what| segment.damaged(place, &what))?;
            at += record_bytes;
            count += 1;
        }
        self.records += count;
        Ok(count)
    }
}

impl<'a> Segment<'a> {
    fn open(
        storage: &'a dyn Storage,
        position: Position,
        next: Option<Position>,
    ) -> Result<Self, JournalError> {
        let name = segment::name(position);
        let window =
            Window::open(storage, &name).map_err(JournalError::file("read", storage, &name))?;
        Ok(Self {
            storage,
            name,
            position,
            window,
            next,
        })
    }

    fn length(&self) -> u64 {
        self.window.length()
    }

    /// The `count` bytes from `offset` on; fewer at the end of the segment.
    fn bytes(&mut self, offset: u64, count: usize) -> Result<&[u8], JournalError> {
        let bytes = self.window.get(offset, count);
        bytes.map_err(JournalError::file("read", self.storage, &self.name))
    }

    /// What is at `offset`, the start of a sector. If somebody may be writing, a batch that is on its way there is
    /// given the time to become whole.
    fn look(&mut self, offset: u64, writing: Writing) -> Result<Found, JournalError> {
        if writing == Writing::Perhaps && self.next.is_none() {
            for _ in 0..LOOKS_MAX {
                if let Ok(found @ (Found::Batch(..) | Found::End(None))) = self.at(offset) {
                    return Ok(found);
                }
                thread::sleep(ON_ITS_WAY);
                self.window.forget();
            }
        }
        self.at(offset)
    }

    fn offset_of(&self, position: Position) -> u64 {
        position - self.position
    }

    fn damaged(&self, offset: u64, what: &str) -> JournalError {
        JournalError::Damaged {
            segment: self.name.clone(),
            offset,
            what: what.to_owned(),
        }
    }

    fn at(&mut self, offset: u64) -> Result<Found, JournalError> {
        let sector = self.bytes(offset, SECTOR_BYTES)?;
        if is_zero(sector) {
            return self.end(offset);
        }
        let header = batch::Header::decode(sector)
            .ok_or_else(|| self.damaged(offset, "the head of a batch is not whole"))?;
        if header.position != self.position + offset {
            return Err(self.damaged(offset, "a batch is in another one's place"));
        }
        let length = HEADER_BYTES.saturating_add(header.records_bytes);
        if length > BATCH_BYTES_MAX {
            return Err(self.damaged(offset, "it says that it is longer than a batch may be"));
        }
        if header.records_bytes == 0 {
            return Err(self.damaged(offset, "a batch without records"));
        }
        let padded = length.next_multiple_of(SECTOR_BYTES);
        let batch = self.bytes(offset, padded)?;
        if batch.len() < padded {
            return Err(self.damaged(offset, "a batch breaks off at the end of the segment"));
        }
        let (records, fill) = batch.split_at(length);
        let records = records.get(HEADER_BYTES..).unwrap_or_default();
        let is_whole =
            crc32c::crc32c(records) == header.records_crc && fill.iter().all(|byte| *byte == FILL);
        if is_whole {
            return Ok(Found::Batch(length, header));
        }
        let has_gap = batch.chunks(SECTOR_BYTES).any(is_zero);
        if has_gap && self.behind(offset + padded as u64)?.used == 0 {
            let bytes = self.behind(offset)?.used;
            return self.torn(offset, bytes);
        }
        Err(self.damaged(offset, "the checksum of a batch is wrong"))
    }

    /// The end, if nothing that was whole once is behind it.
    fn end(&mut self, offset: u64) -> Result<Found, JournalError> {
        let behind = self.behind(offset)?;
        if behind.used == 0 {
            return Ok(Found::End(None));
        }
        if behind.has_batch {
            return Err(self.damaged(offset, "a batch is gone, and there are others behind it"));
        }
        self.torn(offset, behind.used)
    }

    /// Looks through all that is from `offset` on, the start of a sector.
    fn behind(&mut self, offset: u64) -> Result<Behind, JournalError> {
        let mut behind = Behind::default();
        let mut next = offset;
        while let Some(start) = self.stored_from(next)? {
            next = start + PIECE_BYTES as u64;
            let mut places = (self.position + start..).step_by(SECTOR_BYTES);
            let piece = self.bytes(start, PIECE_BYTES)?;
            if is_zero(piece) {
                continue;
            }
            let last = piece.iter().rposition(|byte| *byte != 0);
            behind.used = last.map_or(behind.used, |last| start - offset + last as u64 + 1);
            // In its own place: a client may choose a key that looks like a header, but not like that of this place,
            // for that is no visible text.
            let is_header = |sector: &[u8]| {
                batch::Header::decode(sector).map(|header| header.position) == places.next()
            };
            behind.has_batch |= piece.chunks(SECTOR_BYTES).any(is_header);
        }
        Ok(behind)
    }

    /// The first sector, the one at `offset` or behind it, that is not in a hole.
    fn stored_from(&self, offset: u64) -> Result<Option<u64>, JournalError> {
        if offset >= self.length() {
            return Ok(None);
        }
        let data = self.window.data_from(offset);
        let data = data.map_err(JournalError::file("read", self.storage, &self.name))?;
        let sector = |data: u64| data - data % SECTOR_BYTES as u64;
        Ok(data
            .map(|data| sector(data).max(offset))
            .filter(|start| *start < self.length()))
    }

    /// The torn end at `offset`, of so many bytes.
    fn torn(&self, offset: u64, bytes: u64) -> Result<Found, JournalError> {
        if bytes > BATCH_BYTES_MAX as u64 {
            return Err(self.damaged(
                offset,
                "a batch is gone, and what is behind it is longer than a batch may be",
            ));
        }
        Ok(Found::End(Some(Torn {
            segment: self.name.clone(),
            offset,
            bytes,
        })))
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    // By words where it can, for most of a new segment is zeros.
    let (words, rest) = bytes.as_chunks::<16>();
    words.iter().all(|word| u128::from_ne_bytes(*word) == 0) && rest.iter().all(|byte| *byte == 0)
}
