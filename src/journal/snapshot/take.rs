//! Makes a snapshot from the one before it and the segments between, without ever holding all of it.
//!
//! The accounts are taken in the order of their creation, a part of them at a time: those of the snapshot before, then
//! those that were opened since. For each part the segments are read once more, and the records of its accounts are
//! entered by the code that enters them live. Then the part is written. The closed accounts and the keys follow, and are
//! written as they are read. Which keys are still kept is known from the first reading; see [`Queue`].
//!
//! Invariants:
//!
//! 1. *The same bytes each time.* Every reading of the segments checks everything in them, and must end with the same
//!    hash. The snapshot before must be whole at each reading.
//! 2. *Each record is entered once.* So a record of an account that is not open is found, although each part of the
//!    accounts alone knows nothing of the others.
//! 3. *The file gets its name last*, when all of that has been checked.

use std::io;
use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use super::queue::{Queue, Survivors};
use super::read::{Header, Reading};
use super::write::Writing;
use super::{Flaw, TWICE, name, positions};
use crate::journal::error::JournalError;
use crate::journal::format::record::Record;
use crate::journal::format::segment;
use crate::journal::scan::{Boundary, End, Progress, scan};
use crate::journal::state::ledger_state::LedgerState;
use crate::journal::storage::Storage;
use crate::journal::{LedgerId, Position};
use crate::values::change::Change;
use crate::values::key_policy::KeyPolicy;

/// How many parts the accounts are taken in. The segments are read once for each. A part takes about half of the memory
/// that its accounts take in a ledger.
const PARTS: u64 = 8;

/// The smallest number of accounts in a part; the last one may have fewer.
const PART_ACCOUNTS_MIN: u64 = 1 << 15;

/// Makes the snapshot at the begin of the segment at `until`, and removes those that it replaces: all but the one that it
/// was made from, which stays in case that the new one breaks. Does nothing if it is there.
///
/// # Errors
///
/// Those of [`scan`](crate::journal::scan::scan), and those of the disk; [`JournalError::Version`] if the newest
/// snapshot is of another format; [`io::ErrorKind::Interrupted`] if `stop` was set meanwhile. Nothing depends on it: it
/// can be tried again.
pub(crate) fn take(
    storage: &dyn Storage,
    policy: KeyPolicy,
    until: Position,
    stop: &AtomicBool,
) -> Result<(), JournalError> {
    take_in_parts(storage, policy, until, stop, PART_ACCOUNTS_MIN)
}

/// As [`take`], in parts of at least so many accounts.
pub(crate) fn take_in_parts(
    storage: &dyn Storage,
    policy: KeyPolicy,
    until: Position,
    stop: &AtomicBool,
    part_accounts_min: u64,
) -> Result<(), JournalError> {
    let mut taking = Taking {
        storage,
        policy,
        until,
        stop,
        part_accounts_min,
        base: None,
        end: None,
    };
    let mut queue = Queue::new(policy);
    taking.base = taking.find_base(&mut queue)?;
    let base_position = taking.base.map(|it| it.boundary.position);
    if base_position.is_some_and(|position| position >= until) || !taking.write(queue)? {
        return Ok(());
    }
    // What is behind it, or was not made from records, is none of those: it replaces nothing, and nothing it.
    let older = positions(storage)?;
    let older = older
        .into_iter()
        .filter(|it| *it < until && Some(*it) != base_position);
    for position in older {
        let name = name(position);
        storage
            .remove(&name)
            .map_err(JournalError::file("remove", storage, &name))?;
    }
    Ok(())
}

struct Taking<'a> {
    storage: &'a dyn Storage,
    policy: KeyPolicy,
    until: Position,
    stop: &'a AtomicBool,
    part_accounts_min: u64,
    /// The header of the snapshot before.
    base: Option<Header>,
    /// Where the segments end, once they have been read.
    end: Option<Boundary>,
}

/// What the records since the snapshot before add up to.
#[derive(Default)]
struct Counts {
    opened: u64,
    closed: u64,
    /// For each segment, how many of its records are still to be entered in an account.
    pending: Vec<(Position, i64)>,
}

impl Counts {
    /// Notes a record that is read for the first time.
    fn read(&mut self, record: &Record) {
        if record.outcome.is_ok() {
            self.opened += u64::from(matches!(record.change, Change::Open { .. }));
            self.closed += u64::from(is_closing(record));
        }
    }

    /// Adds `by` to the number of records still to be entered, for the segment that `position` is in.
    fn pend(&mut self, position: Position, by: i64) {
        let behind = self
            .pending
            .partition_point(|(begin, _)| *begin <= position);
        if let Some((_, pending)) = self.pending.get_mut(behind.saturating_sub(1)) {
            *pending += by;
        }
    }

    /// Checks that each record has been entered.
    fn is_settled(&self) -> Result<(), JournalError> {
        match self.pending.iter().find(|(_, pending)| *pending != 0) {
            None => Ok(()),
            Some((segment, _)) => Err(JournalError::Damaged {
                segment: segment::name(*segment),
                offset: 0,
                what: "one of its records changes an account that is not open".to_owned(),
            }),
        }
    }
}

fn is_closing(record: &Record) -> bool {
    matches!(record.change, Change::Close { .. }) && record.outcome.is_ok()
}

/// The accounts, one part after another.
struct Parts {
    /// The snapshot before. Its accounts come first.
    base: Option<Reading>,
    /// The books before the first record, without accounts.
    empty: LedgerState,
    /// The accounts of the part.
    books: LedgerState,
    /// Which of the accounts that are opened by the records belong to it.
    wanted: Range<u64>,
}

impl Parts {
    /// Begins the next part, of up to so many accounts.
    fn begin(&mut self, accounts: u64) -> Result<(), Flaw> {
        self.books.begin_anew(&self.empty);
        let mut left = accounts;
        if let Some(base) = &mut self.base {
            while left > 0
                && let Some((number, account)) = base.account()?
            {
                if !self.books.accounts.insert(number, account) {
                    return Err(Flaw::NotWhole(TWICE));
                }
                left -= 1;
            }
        }
        let begin = self.wanted.end;
        self.wanted = begin..begin + if self.old_left() == 0 { left } else { 0 };
        Ok(())
    }

    /// How many accounts of the snapshot before are left for other parts.
    fn old_left(&self) -> u64 {
        self.base.as_ref().map_or(0, Reading::accounts_left)
    }

    /// Whether there is another part, if so many accounts were opened in all.
    fn go_on(&self, opened: u64) -> bool {
        self.old_left() > 0 || self.wanted.end <= opened
    }
}

impl Taking<'_> {
    /// The newest snapshot that is whole, with its keys in `queue`.
    fn find_base(&self, queue: &mut Queue) -> Result<Option<Header>, JournalError> {
        for position in positions(self.storage)? {
            match self.look_at(position, queue) {
                Ok(header) => return Ok(Some(header)),
                Err(Flaw::Version(found)) => {
                    let segment = name(position);
                    return Err(JournalError::Version { segment, found });
                }
                Err(_) if self.stop.load(Relaxed) => return Err(self.stopped()),
                // One that cannot be read is as one that is broken.
                Err(Flaw::Io(_) | Flaw::NotWhole(_)) => *queue = Queue::new(self.policy),
            }
        }
        Ok(None)
    }

    fn look_at(&self, position: Position, queue: &mut Queue) -> Result<Header, Flaw> {
        let mut reading = Reading::open(self.storage, position)?;
        let header = *reading.header();
        let go_on = || match self.stop.load(Relaxed) {
            true => Err(Flaw::Io(io::ErrorKind::Interrupted.into())),
            false => Ok(()),
        };
        while reading.account()?.is_some() {
            go_on()?;
        }
        while reading.closed()?.is_some() {
            go_on()?;
        }
        while let Some((key, kept)) = reading.key()? {
            queue.push(&key, kept.at);
            go_on()?;
        }
        reading.finish()?;
        Ok(header)
    }

    /// Writes the snapshot, if there is anything to write it from.
    fn write(&mut self, mut queue: Queue) -> Result<bool, JournalError> {
        let mut parts = self.parts()?;
        let old_accounts = parts.old_left();
        let old_opened = parts.empty.opened;
        self.begin(&mut parts, old_accounts)?;
        let mut counts = Counts {
            pending: segment::positions(self.storage)?
                .iter()
                .map(|it| (*it, 0))
                .collect(),
            ..Counts::default()
        };
        let end = self.scan(|record, position| {
            counts.read(record);
            queue.follow(record);
            counts.pend(position, i64::from(record.outcome.is_ok()));
            enter(&mut parts, &mut counts, record, position)
        })?;
        let Some(end) = end else { return Ok(false) };
        self.end = Some(end.boundary);
        let survivors = self.survivors(queue)?;
        let header = Header {
            ledger: end.ledger,
            boundary: end.boundary,
            last_at: parts.books.last_at,
            // A record that closes an account which is not open is found before this matters.
            accounts: (old_accounts + counts.opened).saturating_sub(counts.closed),
            closed: old_opened - old_accounts + counts.closed,
            keys: survivors.count(),
        };
        let mut writing = Writing::begin(self.storage, &header)?;
        loop {
            for (number, account) in parts.books.accounts.by_creation() {
                writing.account(number, account)?;
            }
            if !parts.go_on(old_opened + counts.opened) {
                break;
            }
            self.begin(&mut parts, old_accounts + counts.opened)?;
            self.scan(|record, position| enter(&mut parts, &mut counts, record, position))?;
        }
        counts.is_settled()?;
        let Parts { mut base, .. } = parts;
        self.write_closed(&mut base, &mut writing, counts.closed > 0)?;
        self.write_keys(&mut base, &mut writing, &survivors)?;
        if let Some(base) = base {
            base.finish().map_err(|flaw| self.changed(flaw))?;
        }
        if self.stop.load(Relaxed) {
            return Err(self.stopped());
        }
        writing.finish()?;
        Ok(true)
    }

    fn parts(&self) -> Result<Parts, JournalError> {
        let mut empty = LedgerState::new(self.policy);
        let mut base = None;
        if let Some(header) = &self.base {
            empty.opened = header.opened();
            empty.next_sequence = header.boundary.next_sequence;
            empty.last_at = header.last_at;
            let reading = Reading::open(self.storage, header.boundary.position);
            base = Some(reading.map_err(|flaw| self.changed(flaw))?);
        }
        let first = empty.opened + 1;
        Ok(Parts {
            base,
            books: empty.clone(),
            empty,
            wanted: first..first,
        })
    }

    /// Begins the next part, where there are so many accounts in all.
    fn begin(&self, parts: &mut Parts, accounts: u64) -> Result<(), JournalError> {
        let size = self.part_accounts_min.max(accounts.div_ceil(PARTS));
        parts.begin(size).map_err(|flaw| self.changed(flaw))
    }

    /// Closed accounts: those of the snapshot before, and those of the records, if there are any.
    fn write_closed(
        &self,
        base: &mut Option<Reading>,
        writing: &mut Writing<'_>,
        is_in_records: bool,
    ) -> Result<(), JournalError> {
        if let Some(base) = base {
            while let Some((number, position)) = base.closed().map_err(|it| self.changed(it))? {
                writing.closed(number, position)?;
            }
        }
        if !is_in_records {
            return Ok(());
        }
        self.scan_to_write(|record, position| match record.number() {
            Some(number) if is_closing(record) => writing.closed(number, position),
            _ => Ok(()),
        })
    }

    /// The keys that are still kept: those of the snapshot before, and those of the records, if there are any.
    fn write_keys(
        &self,
        base: &mut Option<Reading>,
        writing: &mut Writing<'_>,
        survivors: &Survivors,
    ) -> Result<(), JournalError> {
        let mut index = 0;
        if let Some(base) = base {
            while let Some((key, kept)) = base.key().map_err(|flaw| self.changed(flaw))? {
                if survivors.has(index, &key) {
                    writing.key(&key, &kept)?;
                }
                index += 1;
            }
        }
        if index == survivors.end() {
            return Ok(());
        }
        self.scan_to_write(|record, _| {
            let Some(key) = &record.key else {
                return Ok(());
            };
            index += 1;
            match survivors.has(index - 1, key) {
                true => writing.key(key, &record.kept()),
                false => Ok(()),
            }
        })
    }

    /// Which keys of `queue` are still kept. Everything is read again, but only if some may have been used anew.
    fn survivors(&self, queue: Queue) -> Result<Survivors, JournalError> {
        let mut survivors = queue.survivors();
        if !survivors.has_suspects() {
            return Ok(survivors);
        }
        let mut index = 0;
        if let Some(header) = &self.base {
            let base = Reading::open(self.storage, header.boundary.position);
            let mut base = base.map_err(|flaw| self.changed(flaw))?;
            let read = || {
                while base.account()?.is_some() {}
                while base.closed()?.is_some() {}
                while let Some((key, _)) = base.key()? {
                    survivors.settle(index, &key);
                    index += 1;
                }
                base.finish()
            };
            read().map_err(|flaw| self.changed(flaw))?;
        }
        self.scan(|record, _| {
            if let Some(key) = &record.key {
                survivors.settle(index, key);
                index += 1;
            }
            Ok(())
        })?;
        Ok(survivors)
    }

    /// Reads the segments, and stops where `write` cannot go on.
    fn scan_to_write(
        &self,
        mut write: impl FnMut(&Record, Position) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let mut failure = None;
        let read = self.scan(|record, position| {
            write(record, position).map_err(|error| {
                failure = Some(error);
                String::new()
            })
        });
        failure.map_or_else(|| read.map(drop), Err)
    }

    /// Reads the segments, which must end where they ended the first time.
    fn scan(
        &self,
        mut visit: impl FnMut(&Record, Position) -> Result<(), String>,
    ) -> Result<Option<End>, JournalError> {
        let from: Option<(LedgerId, _)> = self.base.map(|it| (it.ledger, it.boundary));
        let end = scan(
            self.storage,
            from,
            Some(self.until),
            &mut |record, position| {
                // It is derived, so whoever is in a hurry may leave it out.
                if self.stop.load(Relaxed) {
                    return Err(String::new());
                }
                visit(record, position)
            },
            &mut |_: Progress| {},
        );
        if self.stop.load(Relaxed) {
            return Err(self.stopped());
        }
        let end = end?;
        let boundaries = self.end.zip(end.as_ref());
        if boundaries.is_some_and(|(first, again)| first != again.boundary) {
            return Err(self.changed(Flaw::NotWhole("it changed")));
        }
        Ok(end)
    }

    fn stopped(&self) -> JournalError {
        let stopped = io::Error::new(io::ErrorKind::Interrupted, "the ledger is being closed");
        JournalError::file("write", self.storage, &name(self.until))(stopped)
    }

    /// The error if a later reading finds something other than the first.
    fn changed(&self, flaw: Flaw) -> JournalError {
        let source = match flaw {
            Flaw::Io(error) => error,
            Flaw::NotWhole(_) | Flaw::Version(_) => {
                io::Error::other("what it is made from changed while it was read")
            }
        };
        JournalError::file("write", self.storage, &name(self.until))(source)
    }
}

/// Enters a record, if it is of an account of this part.
fn enter(
    parts: &mut Parts,
    counts: &mut Counts,
    record: &Record,
    position: Position,
) -> Result<(), String> {
    let Parts { books, wanted, .. } = parts;
    if books.apply_to_some(record, position, wanted)? {
        counts.pend(position, -1);
    }
    Ok(())
}
