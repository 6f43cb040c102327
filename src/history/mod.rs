//! History: what happened on an account, and what it held at any time.
//!
//! Nothing is kept for it beyond the journal. Each record has the place of the account's entry before it
//! and of one further back (see `journal/entry_links.rs`), and the ledger keeps where the last entry is; from there history
//! is read backwards.
//!
//! # Invariants
//!
//! 1. *A page costs its own length, and a logarithm.* What is skipped is skipped in jumps, however long the
//!    history is.
//! 2. *Only what is published is read.* Whoever has seen a receipt or a balance finds its entry, and nobody sees one
//!    that a crash takes back.
//! 3. *Nothing is believed.* Of each record read, the account and the entry number are those expected; and
//!    the sums of each entry that is shown follow from those of the entry before it. Else the journal is
//!    damaged, and that is the answer.
//! 4. *What was taken away is said to be.* A history ends where its segment is no longer there, and never
//!    looks as though it had begun there.
//!
//! Entries do not change and none comes between two others. So pages may be read at any pace while money moves: together
//! they show each entry once.

mod walk;

#[cfg(test)]
mod tests;

use crate::durable::DurableLedger;
use crate::journal::{JournalError, Kind, Position, Record};
use crate::values::account_number::AccountNumber;
use crate::values::change::Change;
use crate::values::error::UnknownAccount;
use crate::values::idempotency_key::IdempotencyKey;
use crate::values::money::Cents;
use crate::values::timestamp::Timestamp;

use walk::{Back, Records, Rest, Walk};

/// Which entries of an account to show.
///
/// ```
/// use cashpoint::history::{Order, StatementQuery};
///
/// let query = StatementQuery { limit: 20, order: Order::OldestFirst, ..StatementQuery::default() };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementQuery {
    /// The most entries to show; 0 is taken for 1.
    pub limit: usize,
    /// Where to go on: the [`next`](Statement::next) of the page before.
    pub cursor: Option<u64>,
    /// Only what happened at this time or later.
    pub from: Option<Timestamp>,
    /// Only what happened before this time. So `to` of one month is `from` of the next.
    pub to: Option<Timestamp>,
    /// In which order.
    pub order: Order,
}

impl StatementQuery {
    /// How many entries a page has by default.
    pub const LIMIT_DEFAULT: usize = 100;
}

impl Default for StatementQuery {
    fn default() -> Self {
        Self {
            limit: Self::LIMIT_DEFAULT,
            cursor: None,
            from: None,
            to: None,
            order: Order::default(),
        }
    }
}

/// The order of a statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// What happened last comes first.
    #[default]
    NewestFirst,
    /// The opening comes first.
    OldestFirst,
}

/// A page of an account's history.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statement {
    /// The entries.
    pub entries: Vec<StatementEntry>,
    /// The cursor of the next page; `None` if there is none.
    pub next: Option<u64>,
}

/// Something that happened on an account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatementEntry {
    /// Its place in the one order of everything that the ledger recorded.
    pub sequence: u64,
    /// Which entry of the account it is, from 1, without gaps.
    pub entry: u64,
    /// What happened.
    pub kind: Kind,
    /// How much: the initial balance, the amount, what was left at the end.
    pub amount: Cents,
    /// The balance right after it; 0 after a closing.
    pub balance_after: Cents,
    /// When. Times never run backwards from one entry to the next.
    pub at: Timestamp,
    /// The key that the request had.
    pub key: Option<IdempotencyKey>,
}

impl From<Record> for StatementEntry {
    fn from(record: Record) -> Self {
        Self {
            sequence: record.sequence,
            entry: record.link.entry,
            kind: record.change.into(),
            amount: record.amount(),
            // An entry was granted, so it has one.
            balance_after: record.balance_after().unwrap_or_default(),
            at: record.at,
            key: record.key,
        }
    }
}

/// A point in the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Right after everything that happened up to this time, and at it.
    Time(Timestamp),
    /// Right after the record with this sequence number.
    Sequence(u64),
}

/// Why history cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// There is no such account, or there was none then.
    #[error(transparent)]
    UnknownAccount(#[from] UnknownAccount),
    /// No page of this account gave that cursor.
    #[error("the newest entry of account {number} is {newest}, so {cursor} is not a cursor")]
    NoSuchCursor {
        /// The account.
        number: AccountNumber,
        /// What was sent for a cursor.
        cursor: u64,
        /// The number of its newest entry.
        newest: u64,
    },
    /// The segment of the journal that the entry was in is not there any more, so the history ends behind it.
    #[error("the history of account {number} ends behind its {}: {source}", EntryName(*entry))]
    TakenAway {
        /// The account.
        number: AccountNumber,
        /// The entry that is gone; `None` for the last one, whose number is not known.
        entry: Option<u64>,
        /// What is missing.
        source: JournalError,
    },
    /// The entry is damaged, or the disk cannot read it.
    #[error("the {} of account {number} cannot be read: {source}", EntryName(*entry))]
    Unreadable {
        /// The account.
        number: AccountNumber,
        /// The entry; `None` for the last one, whose number is not known.
        entry: Option<u64>,
        /// What is wrong.
        source: JournalError,
    },
}

struct EntryName(Option<u64>);

impl std::fmt::Display for EntryName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(entry) => write!(f, "entry {entry}"),
            None => f.write_str("last entry"),
        }
    }
}

/// History, also of closed accounts.
///
/// These read the disk, unlike balances: call them where blocking is allowed.
impl DurableLedger {
    /// A page of what happened on an account.
    ///
    /// # Errors
    ///
    /// [`HistoryError`]. If only a part of the page is still in the journal, the newest first get that part, and
    /// the error with the next page.
    pub fn statement(
        &self,
        number: AccountNumber,
        query: &StatementQuery,
    ) -> Result<Statement, HistoryError> {
        let published = self.published();
        statement(&published.reader, number, published.head(number)?, query)
    }

    /// The sequence number of the newest record that is published; 0 if there is none. No larger number is a position.
    #[must_use]
    pub fn newest_sequence(&self) -> u64 {
        self.published().newest_sequence()
    }

    /// The balance that an account had then. Later than now is now.
    ///
    /// # Errors
    ///
    /// [`HistoryError::UnknownAccount`] also if it was not open yet or no longer open then.
    pub fn balance_at(&self, number: AccountNumber, at: At) -> Result<Cents, HistoryError> {
        let published = self.published();
        balance_at(&published.reader, number, published.head(number)?, at)
    }
}

fn statement(
    records: &impl Records,
    number: AccountNumber,
    head: Position,
    query: &StatementQuery,
) -> Result<Statement, HistoryError> {
    let walk = Walk { records, number };
    let head = walk.last(head)?;
    let newest = head.link.entry;
    if let Some(cursor) = query.cursor.filter(|cursor| !(1..=newest).contains(cursor)) {
        return Err(HistoryError::NoSuchCursor {
            number,
            cursor,
            newest,
        });
    }
    let newest = match query.to {
        Some(to) => walk.last_with(head, |record| record.at < to)?,
        None => Some(head),
    };
    match (newest, query.order) {
        (None, _) => Ok(Statement {
            entries: Vec::new(),
            next: None,
        }),
        (Some(newest), Order::NewestFirst) => newest_first(&walk, newest, query),
        (Some(newest), Order::OldestFirst) => oldest_first(&walk, newest, query),
    }
}

/// The page that begins at the cursor, or with `newest`, and goes back in time.
fn newest_first(
    walk: &Walk<'_, impl Records>,
    newest: Record,
    query: &StatementQuery,
) -> Result<Statement, HistoryError> {
    let first = query.cursor.unwrap_or(u64::MAX).min(newest.link.entry);
    let Some(first) = walk.entry(newest, first)? else {
        return Ok(page(Vec::new(), None));
    };
    let is_wanted = |record: &Record| query.from.is_none_or(|from| record.at >= from);
    let Back { records, rest } = walk.back(first, query.limit.max(1), is_wanted)?;
    let next = match rest {
        Rest::Nothing => None,
        Rest::More(entry) | Rest::TakenAway(entry, _) => Some(entry),
    };
    Ok(page(records, next))
}

/// The page that begins at the cursor, or at the beginning, and ends with `newest`.
fn oldest_first(
    walk: &Walk<'_, impl Records>,
    newest: Record,
    query: &StatementQuery,
) -> Result<Statement, HistoryError> {
    let end = newest.link.entry;
    let before = match query.from {
        Some(from) => walk.last_with(newest.clone(), |record| record.at < from)?,
        None => None,
    };
    let oldest = before.map_or(0, |record| record.link.entry) + 1;
    let first = query.cursor.unwrap_or(0).max(oldest);
    if first > end {
        return Ok(page(Vec::new(), None));
    }
    let count = (query.limit.max(1) as u64).min(end - first + 1);
    let last = first + (count - 1);
    let Some(record) = walk.entry(newest, last)? else {
        return Ok(page(Vec::new(), None));
    };
    let is_wanted = |record: &Record| record.link.entry >= first;
    let Back { mut records, rest } = walk.back(record, count as usize, is_wanted)?;
    if let Rest::TakenAway(entry, error) = rest
        && entry >= first
    {
        return Err(error);
    }
    records.reverse();
    Ok(page(records, (last < end).then_some(last + 1)))
}

fn page(records: Vec<Record>, next: Option<u64>) -> Statement {
    Statement {
        entries: records.into_iter().map(StatementEntry::from).collect(),
        next,
    }
}

fn balance_at(
    records: &impl Records,
    number: AccountNumber,
    head: Position,
    at: At,
) -> Result<Cents, HistoryError> {
    let walk = Walk { records, number };
    let head = walk.last(head)?;
    let record = walk.last_with(head, |record| match at {
        At::Time(time) => record.at <= time,
        At::Sequence(sequence) => record.sequence <= sequence,
    })?;
    // Going back by one checks its sums.
    let Back { records, .. } = match record {
        Some(record) => walk.back(record, 1, |_| true)?,
        None => return Err(UnknownAccount.into()),
    };
    match records.first() {
        Some(record) if !matches!(record.change, Change::Close { .. }) => {
            Ok(record.balance_after().unwrap_or_default())
        }
        _ => Err(UnknownAccount.into()),
    }
}
