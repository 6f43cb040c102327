//! Snapshots: to the byte what they would be if they were made with everything in memory, from whatever journal; and
//! what becomes of one that is not finished, or not to be believed.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use proptest::prelude::*;

use super::disk::Disk;
use crate::journal::audit;
use crate::journal::format::batch::HEADER_BYTES;
use crate::journal::format::batch::SECTOR_BYTES;
use crate::journal::format::segment;
use crate::journal::prepared;
use crate::journal::snapshot::{self, reference, take_in_parts};
use crate::journal::state::ledger_state::{Decision, LedgerState};
use crate::journal::{
    Appender as _, Batch, JournalError, Position, Record, Recovered, SnapshotVerdict, Storage,
    StoredFile, Tail, Writer, encoded_bytes, recover,
};
use crate::values::account_number::AccountNumber;
use crate::values::change::{Change, Refusal};
use crate::values::idempotency_key::IdempotencyKey;
use crate::values::key_policy::KeyPolicy;
use crate::values::money::{Amount, Cents};
use crate::values::timestamp::Timestamp;

const SEGMENT_BYTES: u64 = 8 * SECTOR_BYTES as u64;

static NEVER: AtomicBool = AtomicBool::new(false);

fn policy(window_us: u64) -> KeyPolicy {
    KeyPolicy {
        window: Duration::from_micros(window_us),
        keys_max: 30,
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
enum Ask {
    Open,
    Deposit,
    Withdraw,
    Close,
}

#[derive(Clone, Debug)]
struct Step {
    ask: Ask,
    /// Which of the accounts that were ever opened.
    account: usize,
    cents: i64,
    key: Option<u8>,
    /// How much later than the one before.
    later_us: i64,
}

fn step() -> impl Strategy<Value = Step> {
    let ask = prop_oneof![
        2 => Just(Ask::Open),
        5 => Just(Ask::Deposit),
        3 => Just(Ask::Withdraw),
        2 => Just(Ask::Close),
    ];
    let later_us = prop_oneof![4 => 0_i64..3, 2 => 3_i64..20, 1 => 20_i64..200];
    let key = proptest::option::weighted(0.6, 0_u8..40);
    (ask, 0_usize..1000, 1_i64..400, key, later_us).prop_map(
        |(ask, account, cents, key, later_us)| Step {
            ask,
            account,
            cents,
            key,
            later_us,
        },
    )
}

/// Writes a journal.
struct Author {
    storage: Arc<dyn Storage>,
    segment_bytes: u64,
    books: LedgerState,
    tail: Tail,
    writer: Writer,
    opened: Vec<AccountNumber>,
    /// Where segments begin, other than the first.
    begun: VecDeque<Position>,
    /// Whether the next batch begins a segment.
    roll: bool,
    now: i64,
}

impl Author {
    fn new(disk: &Disk, policy: KeyPolicy, segment_bytes: u64) -> Self {
        let storage = disk.mount();
        let Recovered {
            books,
            writer,
            tail,
            ..
        } = recover(Arc::clone(&storage), policy, segment_bytes, &mut |_| {}).unwrap();
        Self {
            storage,
            segment_bytes,
            books,
            tail,
            writer,
            opened: Vec::new(),
            begun: VecDeque::new(),
            roll: false,
            now: 1_000,
        }
    }

    fn key(number: u8) -> IdempotencyKey {
        let text = format!("{number}-{}", "k".repeat(usize::from(number) * 5 % 90));
        text.parse().unwrap()
    }

    fn write(&mut self, steps: &[Step]) {
        let keys = steps.iter().map(|it| it.key.map(Self::key));
        let steps: Vec<_> = steps.iter().zip(keys).collect();
        let bytes = steps.iter().map(|(_, key)| encoded_bytes(key.as_ref()));
        self.roll_for(HEADER_BYTES + bytes.sum::<usize>());
        let (mut bytes, first_sequence) = (vec![0; HEADER_BYTES], self.books.next_sequence);
        for (step, key) in steps {
            self.now += step.later_us;
            let known = self.opened.get(step.account % self.opened.len().max(1));
            let number = known.copied().unwrap_or(AccountNumber::nth(u64::MAX));
            let amount = Amount::from_cents(step.cents).unwrap();
            let change = match step.ask {
                Ask::Open => Change::Open {
                    initial: amount.cents(),
                },
                Ask::Deposit => Change::Deposit { number, amount },
                Ask::Withdraw => Change::Withdraw { number, amount },
                Ask::Close => Change::Close { number },
            };
            let next = self.opened.len() as u64 + 1;
            let drawn = AccountNumber::nth(next);
            let now = Timestamp::from_micros(self.now);
            let decision = self
                .books
                .decide(change, key.as_ref(), now, 1_000, || drawn);
            if let Decision::Record(record) = decision {
                if record.number() == Some(drawn) {
                    self.opened.push(drawn);
                }
                let position = self.tail.position() + bytes.len() as u64;
                self.books.apply(&record, position).unwrap();
                record.encode(&mut bytes);
            }
        }
        self.append(first_sequence, bytes);
    }

    /// Begins another segment, if this one has no room for so many bytes.
    fn roll_for(&mut self, bytes: usize) {
        if !self.roll && !self.tail.fits(bytes) {
            self.tail.roll();
            self.roll = true;
        }
    }

    fn append(&mut self, first_sequence: u64, bytes: Vec<u8>) {
        if bytes.len() == HEADER_BYTES {
            return;
        }
        let roll = std::mem::take(&mut self.roll);
        let batch = Batch {
            roll_to: roll.then(|| prepared::prepare(&*self.storage, self.segment_bytes).unwrap()),
            position: self.tail.position(),
            first_sequence,
            bytes,
        };
        self.begun.extend(batch.begun());
        self.tail.advance(batch.bytes.len());
        self.writer
            .append(batch.seal(self.writer.last_hash()))
            .unwrap();
    }

    /// Writes a record as it is, whatever the books say.
    fn forge(&mut self, record: &Record) {
        let mut bytes = vec![0; HEADER_BYTES];
        record.encode(&mut bytes);
        self.roll_for(bytes.len());
        self.append(record.sequence, bytes);
    }
}

/// A disk on which one file reads otherwise, from one of its openings on. Its length stays.
#[derive(Debug)]
struct Otherwise {
    storage: Arc<dyn Storage>,
    name: String,
    content: Vec<u8>,
    /// How often it is opened before.
    honest: AtomicUsize,
}

#[derive(Debug)]
struct OtherwiseFile {
    file: Arc<dyn StoredFile>,
    content: Vec<u8>,
}

impl Otherwise {
    fn mount(disk: &Disk, name: &str, content: Vec<u8>, honest: usize) -> Arc<Self> {
        Arc::new(Self {
            storage: disk.mount(),
            name: name.to_owned(),
            content,
            honest: AtomicUsize::new(honest),
        })
    }
}

impl Storage for Otherwise {
    fn names(&self) -> io::Result<Vec<String>> {
        self.storage.names()
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        self.storage.create(name)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        let file = self.storage.open(name)?;
        let spend = |honest: usize| honest.checked_sub(1);
        if name != self.name || self.honest.fetch_update(Relaxed, Relaxed, spend).is_ok() {
            return Ok(file);
        }
        let content = self.content.clone();
        Ok(Arc::new(OtherwiseFile { file, content }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.storage.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.storage.remove(name)
    }

    fn sync(&self) -> io::Result<()> {
        self.storage.sync()
    }

    fn describe(&self) -> String {
        self.storage.describe()
    }
}

impl StoredFile for OtherwiseFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = self.content.get(usize::try_from(offset).unwrap()..);
        let mut rest = rest.unwrap_or_default();
        io::Read::read(&mut rest, buffer)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }
}

fn file_name(position: Position) -> String {
    format!("{position:020}.snapshot")
}

fn snapshots(disk: &Disk) -> Vec<String> {
    let names = disk.names().into_iter();
    names.filter(|name| name.ends_with("snapshot")).collect()
}

/// A journal with all that there is to it, in a few segments.
fn author(disk: &Disk) -> Author {
    let mut author = Author::new(disk, policy(100), SEGMENT_BYTES);
    for round in 0..40_usize {
        let step = |index: usize| Step {
            ask: match (round + index) % 7 {
                0 | 1 => Ask::Open,
                2 if round > 5 => Ask::Close,
                3 => Ask::Withdraw,
                _ => Ask::Deposit,
            },
            account: round * 7 + index * 3,
            cents: 1 + (round + index) as i64,
            key: (index != 1).then_some(((round * 3 + index) % 50) as u8),
            later_us: 5,
        };
        author.write(&[step(0), step(1), step(2)]);
    }
    assert!(author.begun.len() > 3);
    author
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_snapshot_is_what_it_would_be_if_all_of_it_were_in_memory(
        batches in proptest::collection::vec(proptest::collection::vec(step(), 1..7), 1..60),
        takes in proptest::collection::vec((1_usize..4, 1_u64..6, 0_usize..4), 1..8),
    ) {
        let disk = Disk::new(1);
        let mut author = Author::new(&disk, policy(100), SEGMENT_BYTES);
        let mut takes = takes.into_iter().cycle();
        let (mut skip, mut part_accounts_min, mut window) = (2, 1, 0);
        for batch in &batches {
            author.write(batch);
            if author.begun.len() < skip {
                continue;
            }
            let until = author.begun.drain(..).next_back().unwrap();
            // The window may have been another one when the journal was written.
            let policy = policy([100, 100, 1_000_000, 0][window]);
            let expected = reference::at(&author.storage, policy, until);
            let expected = reference::content(&expected, false);
            take_in_parts(&*author.storage, policy, until, &NEVER, part_accounts_min).unwrap();
            prop_assert!(disk.content(&file_name(until)) == expected);
            (skip, part_accounts_min, window) = takes.next().unwrap();
        }
    }
}

#[test]
fn the_order_of_closed_accounts_does_not_matter() {
    let disk = Disk::new(1);
    let author = author(&disk);
    let (base, until) = (author.begun[1], *author.begun.back().unwrap());
    take_in_parts(&*author.storage, policy(100), base, &NEVER, 2).unwrap();
    let snapshot = reference::at(&author.storage, policy(100), base);
    assert!(snapshot.books.closed.len() > 2);
    let otherwise = reference::content(&snapshot, true);
    assert_ne!(disk.content(&file_name(base)), otherwise);
    disk.overwrite(&file_name(base), otherwise);
    let expected = reference::at(&author.storage, policy(100), until);
    take_in_parts(&*author.storage, policy(100), until, &NEVER, 2).unwrap();
    let taken = reference::at(&author.storage, policy(100), until);
    assert_eq!(taken.boundary, expected.boundary);
    assert_eq!(
        reference::content(&taken, false),
        reference::content(&expected, false)
    );
}

#[test]
fn a_record_that_does_not_follow_is_found_in_whatever_part_its_account_is() {
    let unknown = AccountNumber::nth(1 << 32);
    for part_accounts_min in [1, 3, 1_000] {
        for forgery in 0..4 {
            let disk = Disk::new(1);
            let mut author = author(&disk);
            let base = author.begun[1];
            take_in_parts(&*author.storage, policy(100), base, &NEVER, 1).unwrap();
            let open = author.books.accounts.by_creation();
            let numbers: Vec<_> = open.map(|(number, _)| number).collect();
            let number = match forgery {
                0 => numbers[0],
                1 | 3 => *numbers.last().unwrap(),
                _ => unknown,
            };
            let deposit = Change::Deposit {
                number: numbers[0],
                amount: Amount::from_cents(1).unwrap(),
            };
            let at = author.books.last_at;
            let Decision::Record(mut record) =
                author
                    .books
                    .decide(deposit, None, at, 1_000, AccountNumber::random)
            else {
                unreachable!()
            };
            // An account that is not open, one that is opened again, and a balance that does not follow.
            let mut effect = record.outcome.unwrap();
            effect.number = number;
            effect.balance = Cents::new(effect.balance.get() + i64::from(forgery == 0)).unwrap();
            record.change = match forgery {
                3 => Change::Open {
                    initial: effect.balance,
                },
                _ => Change::Deposit {
                    number,
                    amount: Amount::from_cents(1).unwrap(),
                },
            };
            record.outcome = Ok(effect);
            author.begun.clear();
            author.forge(&record);
            // Whatever comes behind is as it should be.
            while author.begun.is_empty() {
                author.books.next_sequence += 1;
                let mut behind = record.clone();
                behind.sequence = author.books.next_sequence;
                behind.outcome = Err(Refusal::UnknownAccount);
                behind.change = deposit;
                behind.link = crate::journal::Link::default();
                behind.key = Some(Author::key(3));
                author.forge(&behind);
            }
            let until = author.begun[0];
            let taken = take_in_parts(
                &*author.storage,
                policy(100),
                until,
                &NEVER,
                part_accounts_min,
            );
            assert!(
                matches!(taken, Err(JournalError::Damaged { .. })),
                "{forgery} in parts of {part_accounts_min}: {taken:?}"
            );
            assert_eq!(snapshots(&disk), [file_name(base)]);
        }
    }
}

#[test]
fn a_taking_that_is_stopped_ends_at_once_and_leaves_nothing_behind() {
    let disk = Disk::new(1);
    let author = author(&disk);
    let (base, until) = (author.begun[1], author.begun[3]);
    take_in_parts(&*author.storage, policy(100), base, &NEVER, 1).unwrap();
    for at in 0.. {
        let disk = disk.copy();
        let (stop, calls) = (Arc::new(AtomicBool::new(false)), AtomicUsize::new(0));
        let stopping = Arc::clone(&stop);
        disk.trouble(move |_, _| {
            stopping.fetch_or(calls.fetch_add(1, Relaxed) == at, Relaxed);
            None
        });
        let taken = take_in_parts(&*disk.mount(), policy(100), until, &stop, 1);
        if !stop.load(Relaxed) {
            assert!(at > 20, "{at} calls");
            taken.unwrap();
            return;
        }
        match taken {
            Err(JournalError::Io { source, .. }) if source.kind() == ErrorKind::Interrupted => {
                assert_eq!(snapshots(&disk), [file_name(base)], "call {at}");
            }
            // Too late: all that was to be written was written.
            Ok(()) => assert!(snapshots(&disk).contains(&file_name(until)), "call {at}"),
            other => panic!("call {at}: {other:?}"),
        }
    }
}

#[test]
fn a_taking_that_fails_or_is_killed_changes_nothing() {
    let disk = Disk::new(1);
    let author = author(&disk);
    let (base, until) = (author.begun[1], author.begun[3]);
    take_in_parts(&*author.storage, policy(100), base, &NEVER, 2).unwrap();
    let open = |disk: &Disk| {
        let storage = disk.mount();
        let books = recover(storage, policy(100), SEGMENT_BYTES, &mut |_| {})
            .unwrap()
            .books;
        let accounts = books.accounts.by_creation();
        let accounts: Vec<_> = accounts.map(|(number, it)| (number, it.clone())).collect();
        let keys = books.keys.iter().map(|(key, kept)| (key, *kept));
        (
            accounts,
            books.closed.len(),
            keys.collect::<Vec<_>>(),
            books.opened,
        )
    };
    let expected = open(&disk.copy());
    let first = disk.calls();
    for is_killed in [true, false] {
        for at in first.. {
            let disk = disk.copy();
            match is_killed {
                true => disk.end_at(at),
                false => disk.fail_at(at, ErrorKind::Other),
            }
            let taken = take_in_parts(&*disk.mount(), policy(100), until, &NEVER, 2);
            let has_passed = disk.calls() <= at;
            disk.lose_power();
            assert_eq!(open(&disk), expected, "call {at}");
            if has_passed {
                taken.unwrap();
                break;
            }
        }
    }
}

#[test]
fn a_snapshot_of_another_format_is_told_as_that_and_not_passed_over() {
    let disk = Disk::new(1);
    let author = author(&disk);
    let (base, until) = (author.begun[1], author.begun[3]);
    take_in_parts(&*author.storage, policy(100), base, &NEVER, 2).unwrap();
    let name = file_name(base);
    let mut content = disk.content(&name);
    // It says more than this program knows of.
    content[8] = 2;
    content.truncate(content.len() - 32);
    content.extend_from_slice(b"something new");
    let hash = blake3::hash(&content);
    content.extend_from_slice(hash.as_bytes());
    disk.overwrite(&name, content.clone());
    let opened = recover(disk.mount(), policy(100), SEGMENT_BYTES, &mut |_| {});
    let taken = snapshot::take(&*author.storage, policy(100), until, &NEVER);
    for refused in [opened.map(drop), taken] {
        let error = refused.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "{name} has format version 2, and this program reads version 1: use the program that wrote it"
            )
        );
    }
    assert_eq!(snapshots(&disk), std::slice::from_ref(&name));
    // One that is not whole may be of any version.
    content[100] ^= 1;
    disk.overwrite(&name, content);
    let opened = recover(disk.mount(), policy(100), SEGMENT_BYTES, &mut |_| {});
    assert_eq!(opened.unwrap().recovery.broken_snapshots, [name]);
}

#[test]
fn no_count_is_believed_for_more_than_the_file_has_bytes_for() {
    let disk = Disk::new(1);
    let author = author(&disk);
    let base = author.begun[1];
    take_in_parts(&*author.storage, policy(100), base, &NEVER, 2).unwrap();
    let name = file_name(base);
    let content = disk.content(&name);
    for count in [88, 96, 104] {
        for huge in [u64::MAX, u64::MAX / 72, 1 << 40, content.len() as u64] {
            let mut content = content.clone();
            content[count..count + 8].copy_from_slice(&huge.to_le_bytes());
            disk.overwrite(&name, content);
            let opened = recover(disk.mount(), policy(100), SEGMENT_BYTES, &mut |_| {});
            assert_eq!(opened.unwrap().recovery.broken_snapshots, [name.as_str()]);
        }
    }
}

#[test]
fn a_closed_account_that_is_there_twice_is_not_believed() {
    let disk = Disk::new(1);
    let author = author(&disk);
    let base = author.begun[1];
    take_in_parts(&*author.storage, policy(100), base, &NEVER, 2).unwrap();
    let name = file_name(base);
    let snapshot = reference::at(&author.storage, policy(100), base);
    let (number, position) = snapshot.books.closed.iter().next().unwrap();
    let (first, second) = number.halves();
    let entry = [first, second, *position].map(u64::to_le_bytes).concat();
    let mut content = disk.content(&name);
    let mut places = content.windows(entry.len());
    let at = places.position(|place| place == entry).unwrap();
    content.splice(at..at, entry);
    content[96] += 1;
    content.truncate(content.len() - 32);
    let hash = blake3::hash(&content);
    content.extend_from_slice(hash.as_bytes());
    disk.overwrite(&name, content);
    let audit = audit(&*author.storage, None, &mut |_| {}).unwrap().unwrap();
    let others = "its closed accounts are others".to_owned();
    assert_eq!(
        audit.snapshots[0].verdict,
        SnapshotVerdict::Different(others)
    );
    let opened = recover(disk.mount(), policy(100), SEGMENT_BYTES, &mut |_| {}).unwrap();
    assert_eq!(opened.recovery.broken_snapshots, [name]);
    assert_eq!(opened.books.opened, author.opened.len() as u64);
}

/// Batches and segments that are larger than what is read at a time.
#[test]
fn what_is_longer_than_what_is_read_at_a_time_is_read_as_it_is() {
    let disk = Disk::new(1);
    let policy = KeyPolicy::default();
    let mut author = Author::new(&disk, policy, 8 << 20);
    let step = |ask, account| Step {
        ask,
        account,
        cents: 1,
        key: None,
        later_us: 1,
    };
    author.write(&vec![step(Ask::Open, 0); 900]);
    let counts = [
        1, 900, 20_000, 1, 7_000, 11_000, 1, 1, 30_000, 13_107, 5, 40_000,
    ];
    for count in counts.into_iter().chain(counts) {
        let deposits = (0..count).map(|index| step(Ask::Deposit, index));
        author.write(&deposits.collect::<Vec<_>>());
    }
    assert!(author.begun.len() > 1);
    let expected: Vec<_> = author.books.accounts.by_creation().collect();
    let opened = recover(disk.mount(), policy, 8 << 20, &mut |_| {}).unwrap();
    assert_eq!(opened.books.next_sequence, author.books.next_sequence);
    assert_eq!(
        opened.books.accounts.by_creation().collect::<Vec<_>>(),
        expected
    );
    let until = author.begun[1];
    let expected = reference::content(&reference::at(&author.storage, policy, until), false);
    take_in_parts(&*author.storage, policy, until, &NEVER, 100).unwrap();
    assert!(disk.content(&file_name(until)) == expected);
}

/// A file that becomes shorter behind its reader's back is not a journal that ends there.
#[test]
fn a_segment_that_is_cut_short_while_it_is_read_is_refused() {
    let disk = Disk::new(1);
    let author = author(&disk);
    let last = segment::name(*author.begun.back().unwrap());
    let content = disk.content(&last);
    for cut in (0..content.len()).step_by(SECTOR_BYTES / 2) {
        let storage = Otherwise::mount(&disk, &last, content[..cut].to_vec(), 0);
        let opened = recover(storage, policy(100), SEGMENT_BYTES, &mut |_| {});
        match opened.map(|it| it.books.next_sequence) {
            Err(JournalError::Io { source, .. }) => {
                assert_eq!(source.kind(), ErrorKind::UnexpectedEof, "cut at {cut}");
            }
            other => panic!("cut at {cut}: {other:?}"),
        }
        assert_eq!(disk.content(&last), content);
    }
}

/// The snapshot before is read once to check it, once to find keys that were used anew, and once to write from it.
#[test]
fn the_snapshot_before_has_to_be_whole_whenever_it_is_read() {
    let disk = Disk::new(1);
    // The window is longer than it was: so some keys are there twice.
    let author = author(&disk);
    let (base, until) = (author.begun[1], *author.begun.back().unwrap());
    take_in_parts(&*author.storage, policy(1_000_000), base, &NEVER, 2).unwrap();
    let name = file_name(base);
    let content = disk.content(&name);
    for honest in [1, 2] {
        for byte in (0..content.len()).step_by(5) {
            let mut content = content.clone();
            content[byte] ^= 1 << (byte % 8);
            let storage = Otherwise::mount(&disk, &name, content, honest);
            let taken = take_in_parts(&*storage, policy(1_000_000), until, &NEVER, 2);
            assert!(taken.is_err(), "byte {byte}, after {honest} readings");
            assert_eq!(snapshots(&disk), std::slice::from_ref(&name));
        }
    }
    let storage = Otherwise::mount(&disk, &name, Vec::new(), 3);
    take_in_parts(&*storage, policy(1_000_000), until, &NEVER, 2).unwrap();
}
