//! Histories against a list of all records, and what they cost.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use futures_channel::oneshot;
use proptest::prelude::*;

use super::walk::Records;
use super::*;
use crate::KeyPolicy;
use crate::durable::published::Published;
use crate::durable::sequencer::{NotTaken, Sequencer};
use crate::durable::submission::Submission;
use crate::journal::format::segment;
use crate::journal::prepared;
use crate::journal::{
    Appender as _, Kind, Reader, Recovered, Storage, StoredFile, Writer, recover,
};
use crate::values::change::Command;
use crate::values::money::Amount;

/// Files in memory.
#[derive(Debug, Default)]
struct Memory(Mutex<BTreeMap<String, Arc<MemoryFile>>>);

#[derive(Debug, Default)]
struct MemoryFile(Mutex<Vec<u8>>);

impl Storage for Memory {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().unwrap().keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        let file = Arc::new(MemoryFile::default());
        let mut files = self.0.lock().unwrap();
        files.insert(name.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        let files = self.0.lock().unwrap();
        let file = files.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::clone(file) as Arc<dyn StoredFile>)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.0.lock().unwrap();
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let removed = self.0.lock().unwrap().remove(name);
        removed.map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn describe(&self) -> String {
        "memory".to_owned()
    }
}

impl StoredFile for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.0.lock().unwrap();
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn write_at(&self, written: &[u8], offset: u64) -> io::Result<()> {
        let mut bytes = self.0.lock().unwrap();
        let (offset, length) = (offset as usize, bytes.len());
        bytes.resize(length.max(offset + written.len()), 0);
        bytes[offset..offset + written.len()].copy_from_slice(written);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }
}

/// A durable ledger without threads, and a list of all that it recorded.
struct Journal {
    storage: Arc<Memory>,
    segment_bytes: u64,
    sequencer: Sequencer,
    writer: Writer,
    published: Published,
    records: Vec<(Record, Position)>,
}

impl Journal {
    fn new(segment_bytes: u64, batch_bytes_max: usize) -> Self {
        let storage = Arc::new(Memory::default());
        let opened = recover(
            Arc::clone(&storage) as Arc<dyn Storage>,
            KeyPolicy::default(),
            segment_bytes,
            &mut |_| {},
        );
        let Recovered {
            books,
            writer,
            tail,
            reader,
            ..
        } = opened.unwrap();
        let draw = Box::new(AccountNumber::random);
        Self {
            storage,
            segment_bytes,
            published: Published::new(&books, reader, 1000, tail.position()),
            sequencer: Sequencer::new(books, tail, 1000, batch_bytes_max, draw),
            writer,
            records: Vec::new(),
        }
    }

    fn submit(&mut self, change: Change, key: Option<&str>, at: i64) {
        let key = key.map(|key| key.parse().unwrap());
        let (reply, _) = oneshot::channel();
        let mut submission = Submission::One(Command { change, key }, reply);
        loop {
            submission = match self.sequencer.take(submission, time(at)) {
                Ok(()) => return,
                Err(NotTaken::BatchFull(submission)) => {
                    self.seal();
                    submission
                }
                Err(NotTaken::NoSegment(submission)) => {
                    let segment = prepared::prepare(&*self.storage, self.segment_bytes);
                    self.sequencer.prepare(segment.unwrap());
                    submission
                }
            }
        }
    }

    fn seal(&mut self) {
        let (batch, settlement) = self.sequencer.seal();
        if let Some(batch) = batch {
            self.writer
                .append(batch.seal(self.writer.last_hash()))
                .unwrap();
        }
        self.published.publish(&settlement);
        self.records.extend(settlement.records);
    }

    fn open(&mut self, at: i64) -> AccountNumber {
        let initial = cents(100_000);
        self.submit(Change::Open { initial }, None, at);
        self.seal();
        self.records.last().unwrap().0.number().unwrap()
    }

    /// An account with so many entries, at the times 1, 2, 3 and so on; the sequence numbers are the same.
    fn with_entries(
        segment_bytes: u64,
        batch_bytes_max: usize,
        entries: u64,
    ) -> (Self, AccountNumber) {
        let mut journal = Self::new(segment_bytes, batch_bytes_max);
        let number = journal.open(1);
        for entry in 2..=entries {
            let amount = amount(entry as i64 % 9 + 1);
            journal.submit(Change::Deposit { number, amount }, None, entry as i64);
        }
        journal.seal();
        (journal, number)
    }

    fn statement(
        &self,
        number: AccountNumber,
        query: &StatementQuery,
    ) -> Result<Statement, HistoryError> {
        statement(
            &self.published.reader,
            number,
            self.published.head(number)?,
            query,
        )
    }

    fn balance_at(&self, number: AccountNumber, at: At) -> Result<Cents, HistoryError> {
        balance_at(
            &self.published.reader,
            number,
            self.published.head(number)?,
            at,
        )
    }

    /// All entries of an account, oldest first, from the list.
    fn entries(&self, number: AccountNumber) -> Vec<StatementEntry> {
        let granted = self.records.iter().map(|(record, _)| record);
        granted
            .filter(|record| record.number() == Some(number) && record.outcome.is_ok())
            .map(|record| StatementEntry::from(record.clone()))
            .collect()
    }

    /// Where an entry is.
    fn position(&self, number: AccountNumber, entry: u64) -> Position {
        let is_it = |record: &Record| record.number() == Some(number) && record.link.entry == entry;
        self.records
            .iter()
            .find(|(record, _)| is_it(record))
            .unwrap()
            .1
    }

    /// Takes the segments away that end before `position`, as an operator would, and opens those that are left.
    fn take_away_before(&mut self, position: Position) {
        let names = self.storage.names().unwrap();
        let segments = names.iter().filter(|name| name.ends_with(".journal"));
        let last_before = segments
            .filter(|name| **name <= segment::name(position))
            .max();
        for name in &names {
            if Some(name) < last_before {
                self.storage.remove(name).unwrap();
            }
        }
        self.reopen();
    }

    fn reopen(&mut self) {
        let storage = Arc::clone(&self.storage) as Arc<dyn Storage>;
        self.published.reader = Reader::new(storage).unwrap();
    }

    /// Changes one byte of the record of an entry.
    fn damage(&self, number: AccountNumber, entry: u64, byte: u64, xor: u8) {
        let position = self.position(number, entry);
        let names = self.storage.names().unwrap();
        let name = names
            .iter()
            .filter(|name| **name <= segment::name(position))
            .max()
            .unwrap();
        let segment: u64 = name.strip_suffix(".journal").unwrap().parse().unwrap();
        let file = self.storage.open(name).unwrap();
        let mut old = [0];
        let offset = position - segment + byte;
        file.read_at(&mut old, offset).unwrap();
        file.write_at(&[old[0] ^ xor], offset).unwrap();
    }
}

fn time(microseconds: i64) -> Timestamp {
    Timestamp::from_micros(microseconds)
}

fn cents(cents: i64) -> Cents {
    Cents::new(cents).unwrap()
}

fn amount(cents: i64) -> Amount {
    Amount::from_cents(cents).unwrap()
}

fn numbers(statement: &Statement) -> Vec<u64> {
    statement.entries.iter().map(|entry| entry.entry).collect()
}

/// What a statement has to be, from a list of all entries.
fn expected(entries: &[StatementEntry], query: &StatementQuery) -> Statement {
    let is_newest_first = query.order == Order::NewestFirst;
    let mut entries: Vec<_> = entries
        .iter()
        .filter(|entry| query.from.is_none_or(|from| entry.at >= from))
        .filter(|entry| query.to.is_none_or(|to| entry.at < to))
        .filter(|entry| match query.cursor {
            Some(cursor) if is_newest_first => entry.entry <= cursor,
            Some(cursor) => entry.entry >= cursor,
            None => true,
        })
        .cloned()
        .collect();
    if is_newest_first {
        entries.reverse();
    }
    let limit = query.limit.max(1);
    let next = entries.get(limit).map(|entry| entry.entry);
    entries.truncate(limit);
    Statement { entries, next }
}

fn expected_balance(entries: &[StatementEntry], at: At) -> Option<Cents> {
    let last = entries.iter().rfind(|entry| match at {
        At::Time(time) => entry.at <= time,
        At::Sequence(sequence) => entry.sequence <= sequence,
    })?;
    (last.kind != Kind::Closing).then_some(last.balance_after)
}

/// Something to do: on which account, what, how much, with a key or not, how much later, and whether
/// the batch ends with it.
type Step = (usize, u8, i64, bool, i64, bool);

/// Many steps on few accounts; half of them leave the time as it is, for many entries to share one.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let later = prop_oneof![Just(0_i64), 1..5_i64];
    let step = (
        0..3_usize,
        0..40_u8,
        1..90_000_i64,
        any::<bool>(),
        later,
        any::<bool>(),
    );
    prop::collection::vec(step, 1..400)
}

fn query(entries: u64, time_max: i64) -> impl Strategy<Value = StatementQuery> {
    let bound = move || prop::option::of((-2..time_max + 3).prop_map(time));
    let order = prop_oneof![Just(Order::NewestFirst), Just(Order::OldestFirst)];
    (
        0..40_usize,
        prop::option::of(0..entries + 3),
        bound(),
        bound(),
        order,
    )
        .prop_map(|(limit, cursor, from, to, order)| StatementQuery {
            limit,
            cursor,
            from,
            to,
            order,
        })
}

fn journal_of(steps: &[Step]) -> (Journal, Vec<AccountNumber>, i64) {
    let mut journal = Journal::new(4096, 1024);
    let mut now = 0;
    let mut numbers: Vec<_> = (0..3).map(|_| journal.open(now)).collect();
    let mut all = numbers.clone();
    for (index, &(account, what, sum, has_key, later, seals)) in steps.iter().enumerate() {
        now += later;
        let number = numbers[account];
        let amount = amount(sum);
        let key = has_key.then(|| format!("{index}-{}", "k".repeat(index % 250)));
        let change = match what {
            0 => Change::Close { number },
            1..20 => Change::Deposit { number, amount },
            _ => Change::Withdraw { number, amount },
        };
        journal.submit(change, key.as_deref(), now);
        if what == 0 {
            numbers[account] = journal.open(now);
            all.push(numbers[account]);
        }
        if seals {
            journal.seal();
        }
    }
    journal.seal();
    (journal, all, now)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happened and whatever is asked for, also beyond all bounds.
    #[test]
    fn a_statement_is_what_a_list_of_all_records_says(
        (steps, queries, points) in steps().prop_flat_map(|steps| {
            let (entries, times) = (steps.len() as u64, steps.iter().map(|step| step.4).sum());
            let queries = prop::collection::vec(query(entries, times), 20);
            let points = prop::collection::vec(-2..(times + 3).max(entries as i64 + 6), 10);
            (Just(steps), queries, points)
        })
    ) {
        let (journal, numbers, _) = journal_of(&steps);
        for number in numbers {
            let entries = journal.entries(number);
            for query in &queries {
                let newest = entries.len() as u64;
                match journal.statement(number, query) {
                    Ok(told) => {
                        prop_assert!(query.cursor.is_none_or(|it| (1..=newest).contains(&it)));
                        prop_assert_eq!(told, expected(&entries, query), "{:?}", query);
                    }
                    Err(HistoryError::NoSuchCursor { cursor, newest: known, .. }) => {
                        prop_assert_eq!((Some(cursor), known), (query.cursor, newest));
                        prop_assert!(!(1..=newest).contains(&cursor));
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            for &point in &points {
                for at in [At::Time(time(point)), At::Sequence(point.max(0) as u64)] {
                    let told = match journal.balance_at(number, at) {
                        Ok(balance) => Some(balance),
                        Err(HistoryError::UnknownAccount(_)) => None,
                        Err(error) => panic!("{error}"),
                    };
                    prop_assert_eq!(told, expected_balance(&entries, at), "{:?}", at);
                }
            }
        }
    }

    /// Page by page, while the account's history grows in between.
    #[test]
    fn pages_show_each_entry_once(
        steps in steps(),
        limit in 1..30_usize,
        more in 0..20_i64,
        is_newest_first in any::<bool>(),
    ) {
        let order = if is_newest_first { Order::NewestFirst } else { Order::OldestFirst };
        let (mut journal, numbers, now) = journal_of(&steps);
        let number = *numbers.last().unwrap();
        let before = journal.entries(number);
        let mut query = StatementQuery { limit, order, ..StatementQuery::default() };
        let mut shown = Vec::new();
        loop {
            let page = journal.statement(number, &query).unwrap();
            prop_assert!(page.entries.len() == limit || page.next.is_none());
            shown.extend(page.entries);
            if is_newest_first || shown.len() < before.len() {
                for _ in 0..more {
                    journal.submit(Change::Deposit { number, amount: amount(1) }, None, now + 1);
                }
                journal.seal();
            }
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => break,
            }
        }
        let mut expected = if is_newest_first { before } else { journal.entries(number) };
        if is_newest_first {
            expected.reverse();
        }
        prop_assert_eq!(shown, expected);
    }
}

/// Counts what is read.
struct Counted<'a> {
    reader: &'a Reader,
    reads: Cell<u64>,
}

impl Records for Counted<'_> {
    fn record(&self, position: Position) -> Result<Record, JournalError> {
        self.reads.set(self.reads.get() + 1);
        self.reader.record(position)
    }

    fn damaged(&self, position: Position, what: &str) -> JournalError {
        self.reader.damaged(position, what)
    }
}

/// The most records read for a page of ten, and for a balance in the past, from anywhere in a history of
/// so many entries.
fn reads_max(entries: u64) -> (u64, u64) {
    let (journal, number) = Journal::with_entries(1 << 20, 1 << 16, entries);
    let head = journal.published.head(number).unwrap();
    let counted = |ask: &dyn Fn(&Counted<'_>)| {
        let records = Counted {
            reader: &journal.published.reader,
            reads: Cell::new(0),
        };
        ask(&records);
        records.reads.get()
    };
    let (mut page_max, mut balance_max) = (0, 0);
    for wanted in (1..=entries).step_by((entries / 997).max(1) as usize) {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let by_cursor = StatementQuery {
                limit: 10,
                cursor: Some(wanted),
                order,
                ..StatementQuery::default()
            };
            let by_time = StatementQuery {
                cursor: None,
                from: Some(time(wanted as i64)),
                to: Some(time(wanted as i64 + 10)),
                ..by_cursor
            };
            for query in [by_cursor, by_time] {
                page_max = page_max.max(counted(&|records| {
                    let page = statement(records, number, head, &query).unwrap();
                    assert!(numbers(&page).contains(&wanted));
                }));
            }
        }
        for at in [At::Time(time(wanted as i64)), At::Sequence(wanted)] {
            balance_max = balance_max.max(counted(&|records| {
                balance_at(records, number, head, at).unwrap();
            }));
        }
    }
    (page_max, balance_max)
}

/// Ten thousand times as many entries cost no more than sixteen times as many reads.
#[test]
fn what_is_read_grows_with_the_logarithm_of_the_history() {
    let (page, balance) = reads_max(10);
    assert!(page <= 20 && balance <= 11, "{page} and {balance} reads");
    let (page, balance) = reads_max(1_000);
    assert!(page <= 80 && balance <= 60, "{page} and {balance} reads");
    let (page, balance) = reads_max(100_000);
    assert!(page <= 170 && balance <= 160, "{page} and {balance} reads");
}

#[test]
fn a_closed_account_has_its_history_and_no_balance_after_it() {
    let mut journal = Journal::new(4096, 1024);
    let number = journal.open(10);
    journal.submit(
        Change::Withdraw {
            number,
            amount: amount(25_000),
        },
        Some("rent"),
        20,
    );
    journal.submit(Change::Close { number }, None, 30);
    journal.seal();

    let statement = journal
        .statement(number, &StatementQuery::default())
        .unwrap();
    let told: Vec<_> = statement
        .entries
        .iter()
        .map(|it| {
            (
                it.kind,
                it.amount.get(),
                it.balance_after.get(),
                it.at.as_micros(),
            )
        })
        .collect();
    let expected = [
        (Kind::Closing, 75_000, 0, 30),
        (Kind::Withdrawal, 25_000, 75_000, 20),
        (Kind::Opening, 100_000, 100_000, 10),
    ];
    assert_eq!(told, expected);
    assert_eq!(statement.entries[1].key, Some("rent".parse().unwrap()));
    assert_eq!(statement.next, None);

    let unknown = |at| {
        matches!(
            journal.balance_at(number, at),
            Err(HistoryError::UnknownAccount(_))
        )
    };
    assert!(unknown(At::Time(time(9))) && unknown(At::Sequence(0)));
    assert_eq!(
        journal.balance_at(number, At::Time(time(10))).unwrap(),
        cents(100_000)
    );
    assert_eq!(
        journal.balance_at(number, At::Time(time(29))).unwrap(),
        cents(75_000)
    );
    assert_eq!(
        journal.balance_at(number, At::Sequence(2)).unwrap(),
        cents(75_000)
    );
    assert!(unknown(At::Time(time(30))) && unknown(At::Sequence(3)));
}

#[test]
fn there_is_no_history_of_an_account_that_never_was() {
    let (journal, _) = Journal::with_entries(4096, 1024, 3);
    let nobody = AccountNumber::random();
    let statement = journal.statement(nobody, &StatementQuery::default());
    assert!(matches!(statement, Err(HistoryError::UnknownAccount(_))));
    let balance = journal.balance_at(nobody, At::Sequence(1));
    assert!(matches!(balance, Err(HistoryError::UnknownAccount(_))));
}

#[test]
fn a_history_ends_where_its_segments_were_taken_away() {
    let (mut journal, number) = Journal::with_entries(4096, 1024, 300);
    journal.take_away_before(journal.position(number, 200));
    let first = (1..=300)
        .find(|entry| {
            journal
                .published
                .reader
                .record(journal.position(number, *entry))
                .is_ok()
        })
        .unwrap();
    assert!(
        (150..=200).contains(&first),
        "the segment begins with entry {first}"
    );
    let gone = |result: Result<Statement, HistoryError>| match result {
        Err(error @ HistoryError::TakenAway { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };

    // Newest first there is what there is, and then the error.
    let mut query = StatementQuery {
        limit: 1000,
        ..StatementQuery::default()
    };
    let page = journal.statement(number, &query).unwrap();
    assert_eq!(numbers(&page), (first..=300).rev().collect::<Vec<_>>());
    assert_eq!(page.next, Some(first - 1));
    query.cursor = page.next;
    let message = gone(journal.statement(number, &query));
    let place = format!(
        "the history of account {number} ends behind its entry {}: a segment is missing: none holds the position {}",
        first - 1,
        journal.position(number, first - 1)
    );
    assert!(message.starts_with(&place), "{message}");

    // Oldest first it cannot begin, other than with what is there.
    let oldest_first = StatementQuery {
        order: Order::OldestFirst,
        ..StatementQuery::default()
    };
    gone(journal.statement(number, &oldest_first));
    gone(journal.statement(
        number,
        &StatementQuery {
            cursor: Some(first - 1),
            ..oldest_first
        },
    ));
    let page = journal.statement(
        number,
        &StatementQuery {
            cursor: Some(first),
            ..oldest_first
        },
    );
    assert_eq!(numbers(&page.unwrap())[0], first);

    // The entries' numbers are their times. What is there is found, though jumps lead to what is gone.
    for entry in first..=300 {
        let known = journal.entries(number)[entry as usize - 1].balance_after;
        assert_eq!(
            journal
                .balance_at(number, At::Time(time(entry as i64)))
                .unwrap(),
            known
        );
        let page = journal.statement(
            number,
            &StatementQuery {
                limit: 1,
                to: Some(time(entry as i64 + 1)),
                ..StatementQuery::default()
            },
        );
        assert_eq!(numbers(&page.unwrap()), [entry]);
    }
    for entry in [1, 100, first as i64 - 1] {
        let balance = journal.balance_at(number, At::Time(time(entry)));
        assert!(
            matches!(balance, Err(HistoryError::TakenAway { .. })),
            "{balance:?}"
        );
    }
}

#[test]
fn a_history_whose_last_entry_is_gone_says_so() {
    let mut journal = Journal::new(4096, 1024);
    let number = journal.open(1);
    journal.submit(Change::Close { number }, None, 2);
    let other = journal.open(3);
    for at in 0..200 {
        journal.submit(
            Change::Deposit {
                number: other,
                amount: amount(1),
            },
            None,
            at,
        );
    }
    journal.seal();
    // Opened before, and then gone.
    journal.reopen();
    for name in journal.storage.names().unwrap() {
        if name == segment::name(0) {
            journal.storage.remove(&name).unwrap();
        }
    }
    let ask = |journal: &Journal| {
        journal
            .statement(number, &StatementQuery::default())
            .unwrap_err()
            .to_string()
    };
    let expected = format!(
        "the history of account {number} ends behind its last entry: a segment is missing: none holds the position {}",
        journal.position(number, 2)
    );
    let (removed, listed) = (ask(&journal), {
        journal.reopen();
        ask(&journal)
    });
    assert!(removed.starts_with(&expected), "{removed}");
    assert_eq!(removed, listed);
}

/// Each byte of a record in the middle, but its jump: to another entry than that of the right number it would
/// not be followed, and here it is not followed at all.
#[test]
fn what_does_not_follow_is_damage_and_not_shown() {
    for byte in 0..72 {
        let (mut journal, number) = Journal::with_entries(1 << 20, 1 << 16, 40);
        journal.damage(number, 20, byte, 0x40);
        journal.reopen();
        match journal.statement(number, &StatementQuery::default()) {
            Err(HistoryError::Unreadable { .. }) => {}
            other => panic!("byte {byte}: {other:?}"),
        }
    }
}

#[test]
fn a_balance_in_the_past_is_held_against_the_entry_before_it() {
    for entry in [20, 40] {
        let (mut journal, number) = Journal::with_entries(1 << 20, 1 << 16, 40);
        journal.damage(number, entry, 48, 1);
        journal.reopen();
        for at in [At::Time(time(entry as i64)), At::Sequence(entry)] {
            let error = journal.balance_at(number, at).unwrap_err().to_string();
            assert!(error.contains("does not follow from it"), "{error}");
            let place = "00000000000000000000.journal is damaged at byte";
            assert!(error.contains(place), "{error}");
        }
    }
}

#[test]
fn a_history_that_does_not_begin_with_an_opening_is_damaged() {
    let (mut journal, number) = Journal::with_entries(1 << 20, 1 << 16, 3);
    // A deposit in the place of the opening.
    journal.damage(number, 1, 0, 1 ^ 2);
    journal.reopen();
    let statement = journal.statement(number, &StatementQuery::default());
    let error = statement.unwrap_err().to_string();
    assert!(error.contains("begins with its opening"), "{error}");
}

#[test]
fn what_a_link_leads_to_has_to_be_the_entry_before() {
    let mut journal = Journal::new(1 << 20, 1 << 16);
    let (one, other) = (journal.open(1), journal.open(2));
    let everything = amount(Cents::MAX.get());
    let refused = Change::Withdraw {
        number: one,
        amount: everything,
    };
    journal.submit(refused, Some("refused"), 2);
    for at in 3..40 {
        let number = if at % 2 == 0 { one } else { other };
        journal.submit(
            Change::Deposit {
                number,
                amount: amount(5),
            },
            None,
            at,
        );
    }
    journal.seal();
    let refusal = journal
        .records
        .iter()
        .find(|(record, _)| record.outcome.is_err());
    let refusal = refusal.unwrap().1;

    let right = journal.position(one, 9);
    for (wrong, what) in [
        (journal.position(other, 9), "it is another account's"),
        (journal.position(one, 8), "it has another entry's number"),
        (refusal, "it is a refusal"),
    ] {
        // Entry 10 leads there in the place of 9.
        let lead = |from: Position, to: Position| {
            for (byte, (from, to)) in from
                .to_le_bytes()
                .into_iter()
                .zip(to.to_le_bytes())
                .enumerate()
            {
                journal.damage(one, 10, 64 + byte as u64, from ^ to);
            }
        };
        lead(right, wrong);
        let statement = journal.statement(one, &StatementQuery::default());
        let error = statement.unwrap_err().to_string();
        let place = format!("the entry 9 of account {one} cannot be read");
        assert!(error.starts_with(&place) && error.contains(what), "{error}");
        lead(wrong, right);
    }
    journal.statement(one, &StatementQuery::default()).unwrap();
}

/// What is a position has happened as a whole: its balance is what it will always be.
#[test]
fn the_newest_position_is_not_told_before_it_is_there() {
    const BATCHES: u64 = 50;
    const DEPOSITS: u64 = 1_000;
    let storage = Arc::new(Memory::default());
    let config = crate::durable::DurableConfig::new(10);
    let ledger = DurableLedger::open_on(storage, config, &mut |_| {}).unwrap();
    let [number, other] = [(); 2].map(|()| ledger.create(cents(0)).wait().unwrap().number);
    // The last of each batch is the one that is looked for.
    let deposit = |number| Command {
        change: Change::Deposit {
            number,
            amount: amount(1),
        },
        key: None,
    };
    let mut batch = vec![deposit(other); DEPOSITS as usize];
    batch[DEPOSITS as usize - 1] = deposit(number);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..BATCHES {
                let answers = ledger.submit(batch.clone()).wait();
                assert!(answers.iter().all(Result::is_ok));
            }
        });
        let mut newest = 0;
        while newest < 2 + BATCHES * DEPOSITS {
            newest = ledger.newest_sequence();
            let balance = ledger.balance_at(number, At::Sequence(newest)).unwrap();
            assert_eq!(balance.get() as u64, (newest - 2) / DEPOSITS, "{newest}");
        }
    });
}

/// The same through the ledger itself, opened anew.
#[test]
fn the_ledger_tells_what_it_answered() {
    let storage = Arc::new(Memory::default());
    let open = || {
        let config = crate::durable::DurableConfig::new(10);
        DurableLedger::open_on(
            Arc::clone(&storage) as Arc<dyn Storage>,
            config,
            &mut |_| {},
        )
        .unwrap()
    };
    let ledger = open();
    let opened = ledger.create(cents(500)).wait().unwrap();
    let number = opened.number;
    let mut receipts = vec![opened];
    for sum in 1..50 {
        receipts.push(ledger.deposit(number, amount(sum)).wait().unwrap());
    }
    let check = |ledger: &DurableLedger| {
        let statement = ledger
            .statement(number, &StatementQuery::default())
            .unwrap();
        let told = statement
            .entries
            .iter()
            .rev()
            .map(|it| (it.balance_after, it.at));
        assert!(told.eq(receipts.iter().map(|it| (it.balance, it.at))));
        for entry in &statement.entries {
            let balance = ledger.balance_at(number, At::Sequence(entry.sequence));
            assert_eq!(balance.unwrap(), entry.balance_after);
        }
    };
    check(&ledger);
    drop(ledger);
    check(&open());
}
