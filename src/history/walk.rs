//! The way back through an account's entries, by their links.

use super::HistoryError;
use crate::journal::format::entry_links::jump_from;
use crate::journal::{JournalError, Link, Position, Reader, Record};
use crate::values::account_number::AccountNumber;
use crate::values::change::Change;
use crate::values::rules::effect_on;

/// Where records are read from.
pub(super) trait Records {
    /// The record at `position`. Errors are those of [`Reader::record`].
    fn record(&self, position: Position) -> Result<Record, JournalError>;

    /// The error that says what is wrong with what was read at `position`.
    fn damaged(&self, position: Position, what: &str) -> JournalError;
}

impl Records for Reader {
    fn record(&self, position: Position) -> Result<Record, JournalError> {
        self.record(position)
    }

    fn damaged(&self, position: Position, what: &str) -> JournalError {
        self.damaged(position, what)
    }
}

/// An account's entries, as they are in `records`.
pub(super) struct Walk<'a, R> {
    pub(super) records: &'a R,
    pub(super) number: AccountNumber,
}

/// Entries, from one on back in time.
pub(super) struct Back {
    pub(super) records: Vec<Record>,
    pub(super) rest: Rest,
}

/// What is before them.
pub(super) enum Rest {
    /// Nothing that was wanted.
    Nothing,
    /// The entry of this number is wanted, too.
    More(u64),
    /// The entry of this number is gone.
    TakenAway(u64, HistoryError),
}

impl<R: Records> Walk<'_, R> {
    /// The last entry, which is at `head`.
    pub(super) fn last(&self, head: Position) -> Result<Record, HistoryError> {
        self.read(head, None)
    }

    /// The entry number `wanted`, which is `from` or before it; `None` if that is 0.
    ///
    /// Where a jump leads to is known from the number alone: nothing is read but what is on the way.
    pub(super) fn entry(&self, from: Record, wanted: u64) -> Result<Option<Record>, HistoryError> {
        if wanted == 0 {
            return Ok(None);
        }
        let mut at = from;
        while at.link.entry > wanted {
            let jump = jump_from(at.link.entry);
            let step = if jump >= wanted {
                Some(self.jump(&at)?)
            } else {
                self.previous(&at)?
            };
            match step {
                Some(record) => at = record,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// The last entry, `from` or before it, that `is_early`; `None` if there is none. All entries before
    /// an early one are early.
    ///
    /// A jump has to be read to know whether it goes too far. The jumps of the entries that are passed then lead there,
    /// too, or not as far: each place is tried once.
    pub(super) fn last_with(
        &self,
        from: Record,
        is_early: impl Fn(&Record) -> bool,
    ) -> Result<Option<Record>, HistoryError> {
        let mut late = from;
        // No jump to this entry or before it is of use.
        let mut floor = 0;
        while !is_early(&late) {
            let jump = jump_from(late.link.entry);
            if jump > floor {
                match self.jump(&late) {
                    Ok(record) if !is_early(&record) => {
                        late = record;
                        continue;
                    }
                    // What is wanted may lie on this side of what is gone.
                    Ok(_) | Err(HistoryError::TakenAway { .. }) => floor = jump,
                    Err(error) => return Err(error),
                }
            }
            match self.previous(&late)? {
                Some(record) => late = record,
                None => return Ok(None),
            }
        }
        Ok(Some(late))
    }

    /// Up to `limit` entries, `first` and those before it, while they are wanted. Each of them has been held against
    /// the one before it, if that is there.
    pub(super) fn back(
        &self,
        first: Record,
        limit: usize,
        is_wanted: impl Fn(&Record) -> bool,
    ) -> Result<Back, HistoryError> {
        let mut records = Vec::new();
        let mut at = first;
        let rest = loop {
            if !is_wanted(&at) {
                break Rest::Nothing;
            }
            let entry = at.link.entry;
            if records.len() == limit {
                break Rest::More(entry);
            }
            let before = self.previous(&at);
            records.push(at);
            match before {
                Ok(Some(record)) => at = record,
                Ok(None) => break Rest::Nothing,
                Err(error @ HistoryError::TakenAway { .. }) => {
                    break Rest::TakenAway(entry - 1, error);
                }
                Err(error) => return Err(error),
            }
        };
        Ok(Back { records, rest })
    }

    /// The entry before `record`; `None` if that is the opening.
    fn previous(&self, record: &Record) -> Result<Option<Record>, HistoryError> {
        if record.link.entry == 1 {
            return Ok(None);
        }
        let position = record.link.previous;
        let entry = record.link.entry - 1;
        let before = self.read(position, Some(entry))?;
        if follows(record, &before) {
            return Ok(Some(before));
        }
        let what = "the entry after it does not follow from it";
        Err(self.unreadable(position, Some(entry), what))
    }

    /// The entry that `record` has a jump to.
    fn jump(&self, record: &Record) -> Result<Record, HistoryError> {
        self.read(record.link.jump, Some(jump_from(record.link.entry)))
    }

    /// The entry at `position`, whose number has to be `entry` if that is known.
    fn read(&self, position: Position, entry: Option<u64>) -> Result<Record, HistoryError> {
        let number = self.number;
        let record = match self.records.record(position) {
            Ok(record) => record,
            Err(source @ JournalError::Missing { .. }) => {
                return Err(HistoryError::TakenAway {
                    number,
                    entry,
                    source,
                });
            }
            Err(source) => {
                return Err(HistoryError::Unreadable {
                    number,
                    entry,
                    source,
                });
            }
        };
        let is_first = record.link.entry == 1;
        let what = if record.outcome.is_err() {
            "it is a refusal"
        } else if record.number() != Some(number) {
            "it is another account's"
        } else if record.link.entry == 0 || entry.is_some_and(|entry| entry != record.link.entry) {
            "it has another entry's number"
        } else if matches!(record.change, Change::Open { .. }) != is_first {
            "an account begins with its opening, and only then"
        } else if !leads_back(record.link, position) {
            "its links do not lead back"
        } else {
            return Ok(record);
        };
        Err(self.unreadable(position, entry, what))
    }

    fn unreadable(&self, position: Position, entry: Option<u64>, what: &str) -> HistoryError {
        HistoryError::Unreadable {
            number: self.number,
            entry,
            source: self.records.damaged(position, what),
        }
    }
}

/// Whether the links of an entry at `position` can be right. What leads forward would look as if it led to something
/// that was taken away.
fn leads_back(link: Link, position: Position) -> bool {
    let has_previous = link.entry > 1;
    let has_jump = jump_from(link.entry) > 0;
    link.previous < position
        && link.jump <= link.previous
        && (link.previous > 0) == has_previous
        && (link.jump > 0) == has_jump
}

/// Whether `record` can be the entry after `before`.
fn follows(record: &Record, before: &Record) -> bool {
    let is_ended = matches!(before.change, Change::Close { .. });
    let begins = matches!(record.change, Change::Open { .. });
    let effect = effect_on(before.balance_after(), record.change);
    before.sequence < record.sequence
        && before.at <= record.at
        && !is_ended
        && !begins
        && record.outcome.map(|it| it.balance) == effect
}
