//! Damage at every byte of a small journal.
//!
//! Opening it refuses, and names the file that is damaged; or it comes to exactly the state of before. What is
//! known to be different is said here, test by test: what a disk does that loses what it said to have kept, and
//! leaves no trace of it.

mod head;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use futures_channel::oneshot;

use super::disk::{Call, Disk};
use crate::KeyPolicy;
use crate::durable::sequencer::Sequencer;
use crate::durable::submission::Submission;
use crate::journal::format::batch::SECTOR_BYTES;
use crate::journal::format::segment;
use crate::journal::prepared;
use crate::journal::state::accounts::AccountState;
use crate::journal::state::keys::Kept;
use crate::journal::state::ledger_state::LedgerState;
use crate::journal::{
    Appender as _, JournalError, Position, Recovered, Recovery, recover, snapshot,
};
use crate::values::account_number::AccountNumber;
use crate::values::change::{Change, Command};
use crate::values::key_digest::KeyDigest;
use crate::values::money::{Amount, Cents};
use crate::values::timestamp::Timestamp;

const SEGMENT_BYTES: u64 = 8 * SECTOR_BYTES as u64;

/// Everything that the books hold.
#[derive(Debug, PartialEq, Eq)]
struct State {
    accounts: Vec<(AccountNumber, AccountState)>,
    closed: Vec<(AccountNumber, Position)>,
    keys: Vec<(KeyDigest, Kept)>,
    next_sequence: u64,
    last_at: Timestamp,
}

impl State {
    fn of(books: &LedgerState) -> Self {
        fn sorted<K: Copy + Ord, V: Clone, S>(map: &HashMap<K, V, S>) -> Vec<(K, V)> {
            let mut all: Vec<_> = map.iter().map(|(key, it)| (*key, it.clone())).collect();
            all.sort_by_key(|(key, _)| *key);
            all
        }
        let keys = books.keys.iter();
        let accounts = books.accounts.by_creation();
        Self {
            accounts: accounts.map(|(number, it)| (number, it.clone())).collect(),
            closed: sorted(&books.closed),
            keys: keys.map(|(key, kept)| (key, *kept)).collect(),
            next_sequence: books.next_sequence,
            last_at: books.last_at,
        }
    }
}

/// A journal, and its states.
struct Journal {
    disk: Disk,
    /// After each batch.
    states: Vec<State>,
    /// Where each batch is: its segment, and its sectors.
    places: Vec<(String, std::ops::Range<usize>)>,
}

fn open(disk: &Disk) -> Result<(State, Recovery), JournalError> {
    let policy = KeyPolicy::default();
    let Recovered {
        books, recovery, ..
    } = recover(disk.mount(), policy, SEGMENT_BYTES, &mut |_| {})?;
    Ok((State::of(&books), recovery))
}

fn amount(cents: i64) -> Amount {
    Amount::from_cents(cents).unwrap()
}

/// The batches of the journal.
fn batches() -> Vec<Vec<Command>> {
    let number = AccountNumber::nth;
    let with_key = |change, key: &str| Command {
        change,
        key: Some(key.parse().unwrap()),
    };
    let mut batches = vec![vec![
        Command::from(Change::Open {
            initial: Cents::new(500).unwrap(),
        });
        3
    ]];
    for round in 1..=10 {
        let to = number(round % 3 + 1);
        batches.push(vec![
            with_key(
                Change::Deposit {
                    number: to,
                    amount: amount(7),
                },
                &format!("deposit-{round}"),
            ),
            Command::from(Change::Withdraw {
                number: number(2),
                amount: amount(round.cast_signed()),
            }),
            // Refused, and kept because of its key.
            with_key(
                Change::Withdraw {
                    number: to,
                    amount: amount(1_000_000),
                },
                &format!("refused-{round}"),
            ),
        ]);
    }
    batches.push(vec![Change::Close { number: number(3) }.into()]);
    // This and the last one take three sectors each, and do not fit into the second segment.
    let large = ["a", "b", "c"].map(|letter| {
        let deposit = Change::Deposit {
            number: number(1),
            amount: amount(1),
        };
        with_key(deposit, &letter.repeat(255))
    });
    batches.push(large.to_vec());
    let long_key = "k".repeat(255);
    let last = Change::Deposit {
        number: number(1),
        amount: amount(1),
    };
    batches.push(vec![
        with_key(last, &long_key),
        last.into(),
        last.into(),
        last.into(),
    ]);
    let last = batches.last_mut().unwrap();
    for index in 0..4 {
        last.push(with_key(
            Change::Open {
                initial: Cents::ZERO,
            },
            &format!("{index}{}", "o".repeat(100)),
        ));
    }
    batches
}

/// Writes `batches` behind what is on the disk.
fn write(disk: &Disk, batches: &[Vec<Command>]) -> Journal {
    try_to_write(disk, batches).unwrap()
}

fn try_to_write(disk: &Disk, batches: &[Vec<Command>]) -> Result<Journal, JournalError> {
    let storage = disk.mount();
    let policy = KeyPolicy::default();
    let Recovered {
        books,
        mut writer,
        tail,
        ..
    } = recover(Arc::clone(&storage), policy, SEGMENT_BYTES, &mut |_| {}).unwrap();
    let mut next = books.accounts.len() as u64;
    let draw = Box::new(move || {
        next += 1;
        AccountNumber::nth(next)
    });
    let start = books.next_sequence.cast_signed();
    let mut sequencer = Sequencer::new(books, tail, 100, 4096, draw);
    let (mut states, mut places) = (Vec::new(), Vec::new());
    let mut segment = 0;
    for (now, batch) in (start + 1..).zip(batches) {
        let take = |sequencer: &mut Sequencer| {
            let submission = Submission::Many(batch.clone(), oneshot::channel().0);
            sequencer.take(submission, Timestamp::from_micros(now))
        };
        if take(&mut sequencer).is_err() {
            sequencer.prepare(prepared::prepare(&*storage, SEGMENT_BYTES).unwrap());
            take(&mut sequencer).unwrap();
        }
        let (batch, settlement) = sequencer.seal();
        let batch = batch.unwrap();
        segment = settlement.begun.unwrap_or(segment);
        let sector = usize::try_from(batch.position - segment).unwrap() / SECTOR_BYTES;
        let sectors = batch.bytes.len().div_ceil(SECTOR_BYTES);
        places.push((segment::name(segment), sector..sector + sectors));
        writer.append(batch.seal(writer.last_hash()))?;
        states.push(open(&disk.copy()).unwrap().0);
    }
    Ok(Journal {
        disk: disk.clone(),
        states,
        places,
    })
}

fn journal() -> Journal {
    let journal = write(&Disk::new(1), &batches());
    let segments = segments(&journal.disk);
    assert_eq!(segments.len(), 3, "{segments:?}");
    let records = journal.states.last().unwrap().next_sequence - 1;
    assert!((35..60).contains(&records), "{records} records");
    assert!(journal.places.last().unwrap().1.len() > 2);
    journal
}

/// The same with a snapshot where the second segment begins.
fn with_snapshot() -> Journal {
    let journal = journal();
    let until = segments(&journal.disk)[1]
        .strip_suffix(".journal")
        .unwrap()
        .parse();
    let stop = AtomicBool::new(false);
    snapshot::take(
        &*journal.disk.mount(),
        KeyPolicy::default(),
        until.unwrap(),
        &stop,
    )
    .unwrap();
    assert_eq!(snapshots(&journal.disk).len(), 1);
    journal
}

fn segments(disk: &Disk) -> Vec<String> {
    let names = disk.names().into_iter();
    names.filter(|name| name.ends_with(".journal")).collect()
}

fn snapshots(disk: &Disk) -> Vec<String> {
    let names = disk.names().into_iter();
    names.filter(|name| name.ends_with(".snapshot")).collect()
}

/// What opening comes to.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Refused, as damage in the file that is damaged.
    Refused,
    /// As before.
    Same,
    /// As before, and a snapshot was passed over.
    PassedOver,
    /// As before, and something was cut off.
    SameButTorn,
    /// As before the last batch, which was cut off as torn.
    LastTorn,
    /// As before the last batch, without a word.
    LastGone,
}

impl Journal {
    /// Opens it with `content` in the file called `name`.
    fn with(&self, name: &str, content: Vec<u8>) -> Verdict {
        let disk = self.disk.copy();
        disk.overwrite(name, content);
        let opened = open(&disk);
        let (last, before) = match &self.states[..] {
            [.., before, last] => (last, before),
            _ => unreachable!(),
        };
        match opened {
            Err(JournalError::Damaged { segment, .. } | JournalError::Version { segment, .. })
                if segment == name =>
            {
                Verdict::Refused
            }
            Err(other) => panic!("{name}: {other}"),
            Ok((state, recovery)) if state == *last => match recovery {
                Recovery { torn: Some(_), .. } => Verdict::SameButTorn,
                it if it.broken_snapshots.is_empty() => Verdict::Same,
                it => {
                    assert_eq!(it.broken_snapshots, [name]);
                    Verdict::PassedOver
                }
            },
            Ok((state, recovery)) => {
                assert_eq!(state, *before, "{name}");
                match recovery.torn {
                    Some(torn) => {
                        let (segment, sectors) = self.places.last().unwrap();
                        assert_eq!(torn.segment, *segment);
                        assert_eq!(torn.offset, (sectors.start * SECTOR_BYTES) as u64);
                        Verdict::LastTorn
                    }
                    None => Verdict::LastGone,
                }
            }
        }
    }

    /// How many bytes of a segment are in use.
    fn used(&self, name: &str) -> usize {
        let in_it = self.places.iter().filter(|(segment, _)| segment == name);
        in_it.map(|(_, sectors)| sectors.end).max().unwrap_or(1) * SECTOR_BYTES
    }

    /// A segment with something else in `range`, and with the checksum behind it at `checksum` mended.
    fn forged(&self, name: &str, change: impl FnOnce(&mut [u8])) -> Verdict {
        let mut content = self.disk.content(name);
        change(&mut content);
        self.with(name, content)
    }
}

/// Mends the checksum at `at`, of the bytes from there to `end`.
fn mend(content: &mut [u8], at: usize, end: usize) {
    let checksum = crc32c::crc32c(&content[at + 4..end]);
    content[at..at + 4].copy_from_slice(&checksum.to_le_bytes());
}

#[test]
fn every_flip_in_a_segment_is_refused_or_harmless() {
    let journal = journal();
    for name in segments(&journal.disk) {
        let used = journal.used(&name);
        let is_last = segments(&journal.disk).last() == Some(&name);
        let content = journal.disk.content(&name);
        for byte in 0..content.len() {
            let mut content = content.clone();
            content[byte] ^= 1 << (byte % 8);
            let verdict = journal.with(&name, content);
            let expected: &[Verdict] = match byte < used {
                true => &[Verdict::Refused],
                // A batch that has lost its head looks like this, and is cut off.
                false if is_last => &[Verdict::Refused, Verdict::SameButTorn],
                false => &[Verdict::Refused],
            };
            assert!(
                expected.contains(&verdict),
                "{name}, byte {byte}: {verdict:?}"
            );
        }
    }
}

#[test]
fn every_flip_in_a_snapshot_costs_nothing_but_time() {
    let journal = with_snapshot();
    let name = &snapshots(&journal.disk)[0];
    let content = journal.disk.content(name);
    for byte in 0..content.len() {
        let mut content = content.clone();
        content[byte] ^= 1 << (byte % 8);
        assert_eq!(
            journal.with(name, content),
            Verdict::PassedOver,
            "byte {byte}"
        );
    }
}

#[test]
fn behind_a_snapshot_nothing_is_read_and_nothing_is_different() {
    let journal = with_snapshot();
    let [first, second, _] = &segments(&journal.disk)[..] else {
        unreachable!()
    };
    for byte in 0..journal.used(first) {
        let verdict = journal.forged(first, |content| content[byte] ^= 1);
        assert_eq!(verdict, Verdict::Same);
    }
    for byte in 0..journal.used(second) {
        let verdict = journal.forged(second, |content| content[byte] ^= 1);
        assert_eq!(verdict, Verdict::Refused);
    }
}

#[test]
fn a_sector_of_zeros_is_refused_but_in_the_last_batch() {
    let journal = journal();
    for name in segments(&journal.disk) {
        for sector in 0..journal.used(&name) / SECTOR_BYTES {
            let verdict = journal.forged(&name, |content| {
                content[sector * SECTOR_BYTES..][..SECTOR_BYTES].fill(0);
            });
            let (last, sectors) = journal.places.last().unwrap();
            // A disk that loses a sector of what it has synced makes a batch like a torn one. Nothing tells them
            // apart, and no disk is trusted less than that.
            let expected = match *last == name && sectors.contains(&sector) {
                true => Verdict::LastTorn,
                false => Verdict::Refused,
            };
            assert_eq!(verdict, expected, "{name}, sector {sector}");
        }
    }
}

#[test]
fn a_sector_in_the_place_of_another_is_refused() {
    let journal = journal();
    for name in segments(&journal.disk) {
        let used = journal.used(&name) / SECTOR_BYTES;
        for (from, to) in (0..used).flat_map(|from| (0..used).map(move |to| (from, to))) {
            if from != to {
                let verdict = journal.forged(&name, |content| {
                    content.copy_within(
                        from * SECTOR_BYTES..(from + 1) * SECTOR_BYTES,
                        to * SECTOR_BYTES,
                    );
                });
                assert_eq!(verdict, Verdict::Refused, "{name}: {from} at {to}");
            }
        }
    }
}

#[test]
fn a_file_that_is_cut_short_or_grew_is_refused_or_passed_over() {
    let journal = with_snapshot();
    let snapshot = &snapshots(&journal.disk)[0];
    let segments = segments(&journal.disk);
    for name in segments[1..].iter().chain([snapshot]) {
        let content = journal.disk.content(name);
        let expected = match name == snapshot {
            true => Verdict::PassedOver,
            false => Verdict::Refused,
        };
        for length in (0..content.len())
            .step_by(128)
            .chain([1, content.len() - 1])
        {
            let verdict = journal.with(name, content[..length].to_vec());
            assert_eq!(verdict, expected, "{name} with {length} bytes");
        }
        let longer = [content, vec![0; SECTOR_BYTES]].concat();
        assert_eq!(journal.with(name, longer), expected, "{name}");
    }
}

#[test]
fn a_missing_segment_is_refused() {
    let journal = journal();
    let names = segments(&journal.disk);
    let without = |disk: &Disk, name: &str| {
        let disk = disk.copy();
        disk.lose(name);
        open(&disk)
    };
    assert!(matches!(
        without(&journal.disk, &names[0]),
        Err(JournalError::Missing { .. })
    ));
    match without(&journal.disk, &names[1]) {
        Err(JournalError::Damaged { segment, what, .. }) => {
            assert_eq!(segment, names[0], "{what}");
        }
        other => panic!("{other:?}"),
    }
    is_missing(without(&journal.disk, &names[2]), &names[2]);
    // Without the head, as in a directory of an earlier version, nothing tells that there was one more. A snapshot at
    // its begin would.
    let head = journal.disk.content("head");
    journal.disk.lose("head");
    let (state, _) = without(&journal.disk, &names[2]).unwrap();
    let before = journal.places.iter().filter(|(name, _)| *name != names[2]);
    assert_eq!(state, journal.states[before.count() - 1]);
    let until = names[2].strip_suffix(".journal").unwrap().parse().unwrap();
    let stop = AtomicBool::new(false);
    snapshot::take(&*journal.disk.mount(), KeyPolicy::default(), until, &stop).unwrap();
    assert!(matches!(
        without(&journal.disk, &names[2]),
        Err(JournalError::Missing { .. })
    ));
    // A snapshot is no reason to begin anew, should all segments be gone; nor is the head.
    for name in &names {
        journal.disk.lose(name);
    }
    assert!(matches!(
        open(&journal.disk),
        Err(JournalError::Missing { .. })
    ));
    journal.disk.lose(&snapshots(&journal.disk)[0]);
    write_file(&journal.disk, "head", &head);
    is_missing(open(&journal.disk), &names[2]);
}

fn is_missing<T: std::fmt::Debug>(opened: Result<T, JournalError>, segment: &str) {
    match opened {
        Err(JournalError::Missing { what }) => assert!(what.contains(segment), "{what}"),
        other => panic!("{other:?}"),
    }
}

/// Puts a file there that was not.
fn write_file(disk: &Disk, name: &str, content: &[u8]) {
    let storage = disk.mount();
    let file = storage.create(name).unwrap();
    file.write_at(content, 0).unwrap();
    file.sync().unwrap();
    storage.sync().unwrap();
}

#[test]
fn a_file_that_cannot_be_read_is_named_or_passed_over() {
    let journal = with_snapshot();
    let snapshot = &snapshots(&journal.disk)[0];
    let head = &"head".to_owned();
    for name in segments(&journal.disk)[1..].iter().chain([snapshot, head]) {
        let bad = name.clone();
        journal.disk.trouble(move |call, name| {
            (call == Call::Read && name == bad).then_some(std::io::ErrorKind::Other)
        });
        match open(&journal.disk) {
            Err(JournalError::Io { path, .. }) if name != snapshot => {
                assert!(path.ends_with(name), "{path}");
            }
            Ok((state, recovery)) if name == snapshot => {
                assert_eq!(state, *journal.states.last().unwrap());
                assert_eq!(recovery.broken_snapshots, [name.as_str()]);
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_missing_snapshot_costs_nothing_but_time() {
    let journal = with_snapshot();
    journal.disk.lose(&snapshots(&journal.disk)[0]);
    let (state, recovery) = open(&journal.disk).unwrap();
    assert_eq!(state, *journal.states.last().unwrap());
    assert_eq!(recovery.snapshot, None);
}

#[test]
fn mended_checksums_do_not_help_a_forger_of_headers() {
    let journal = journal();
    let names = segments(&journal.disk);
    // Of a segment: the ledger, the position, the sequence number, the hash, the length.
    let fields = [16, 32, 40, 48, 79, 80];
    let forgeries = names[1..]
        .iter()
        .flat_map(|name| fields.map(|field| (name, field)));
    for (name, field) in forgeries {
        let verdict = journal.forged(name, |content| {
            content[field] ^= 1;
            mend(content, 12, SECTOR_BYTES);
        });
        assert_eq!(verdict, Verdict::Refused, "{name}, field {field}");
    }
    // The last segment, if there is no batch in it yet to tell otherwise.
    for field in fields {
        let verdict = journal.forged(&names[2], |content| {
            content[SECTOR_BYTES..].fill(0);
            content[field] ^= 1;
            mend(content, 12, SECTOR_BYTES);
        });
        assert_eq!(verdict, Verdict::Refused, "without batches, field {field}");
    }
    // Of a batch: the position, the sequence number, the hash.
    let (name, sectors) = journal.places.last().unwrap();
    for field in [16, 24, 32, 63] {
        let verdict = journal.forged(name, |content| {
            let header = &mut content[sectors.start * SECTOR_BYTES..];
            header[field] ^= 1;
            let checksum = crc32c::crc32c(&header[8..64]);
            header[4..8].copy_from_slice(&checksum.to_le_bytes());
        });
        assert_eq!(verdict, Verdict::Refused, "{name}, field {field}");
    }
}

#[test]
fn mended_checksums_do_not_help_a_forger_of_records() {
    let journal = journal();
    let (name, sectors) = journal.places.last().unwrap();
    // Of the last batch's first record: the sequence number, the amount, the balance, the links. And its time: with
    // the highest byte that is not zero gone, it is long ago.
    for (field, mask) in [
        (8, 1),
        (40, 2),
        (48, 1),
        (56, 1),
        (64, 1),
        (72, 1),
        (16, 0xF),
    ] {
        let verdict = journal.forged(name, |content| {
            let batch = &mut content[sectors.start * SECTOR_BYTES..];
            let length = u32::from_le_bytes(batch[8..12].try_into().unwrap()) as usize;
            batch[64 + field] ^= mask;
            let checksum = crc32c::crc32c(&batch[64..64 + length]);
            batch[12..16].copy_from_slice(&checksum.to_le_bytes());
            let checksum = crc32c::crc32c(&batch[8..64]);
            batch[4..8].copy_from_slice(&checksum.to_le_bytes());
        });
        assert_eq!(verdict, Verdict::Refused, "field {field}");
    }
}

#[test]
fn a_snapshot_that_was_taken_is_there_after_a_crash() {
    for seed in 0..40 {
        let journal = write(&Disk::new(seed), &batches());
        let position = segments(&journal.disk)[1]
            .strip_suffix(".journal")
            .map(|it| it.parse().unwrap());
        let (storage, stop) = (journal.disk.mount(), AtomicBool::new(false));
        snapshot::take(&*storage, KeyPolicy::default(), position.unwrap(), &stop).unwrap();
        journal.disk.lose_power();
        let (_, recovery) = open(&journal.disk).unwrap();
        assert_eq!(recovery.snapshot, position);
    }
}

/// A process is killed when the segment that it began has its name in the system's memory, and perhaps not on the disk.
fn with_a_segment_named_in_memory_alone(seed: u64) -> Disk {
    let disk = Disk::new(seed);
    write(&disk, &batches()[..7]);
    let is_renamed = AtomicBool::new(false);
    disk.trouble(move |call, _| {
        is_renamed.fetch_or(call == Call::Rename, Relaxed);
        let fails = call == Call::SyncNames && is_renamed.load(Relaxed);
        fails.then_some(std::io::ErrorKind::Other)
    });
    assert!(try_to_write(&disk, &batches()[7..8]).is_err());
    disk.kill();
    disk
}

#[test]
fn a_segment_that_a_killed_process_began_outlives_the_power() {
    for seed in 0..40 {
        let disk = with_a_segment_named_in_memory_alone(seed);
        let journal = write(&disk, &batches()[8..9]);
        disk.lose_power();
        assert_eq!(open(&disk).unwrap().0, *journal.states.last().unwrap());
    }
}

#[test]
fn a_snapshot_holds_all_that_is_before_it() {
    let journal = journal();
    let last = &segments(&journal.disk)[2];
    let position = last.strip_suffix(".journal").map(|it| it.parse().unwrap());
    let (storage, stop) = (journal.disk.mount(), AtomicBool::new(false));
    snapshot::take(&*storage, KeyPolicy::default(), position.unwrap(), &stop).unwrap();
    let mut content = journal.disk.content(last);
    content[SECTOR_BYTES..].fill(0);
    journal.disk.overwrite(last, content);
    let (state, recovery) = open(&journal.disk).unwrap();
    assert_eq!((recovery.snapshot, recovery.records), (position, 0));
    let before = journal.places.iter().filter(|(name, _)| name != last);
    assert_eq!(state, journal.states[before.count() - 1]);
}

#[test]
fn a_batch_of_another_history_is_refused() {
    let number = AccountNumber::nth(1);
    let other = AccountNumber::nth(2);
    let deposit = |number, cents| {
        let amount = amount(cents);
        vec![Command::from(Change::Deposit { number, amount })]
    };
    let disk = Disk::new(1);
    write(&disk, &batches()[..1]);
    let twin = disk.copy();
    // All records of both fit together: only the hash tells that the last batch has another one before it.
    let one = write(&disk, &[deposit(number, 5), deposit(other, 1)]);
    let two = write(&twin, &[deposit(number, 7), deposit(other, 1)]);
    let (name, sectors) = &one.places[1];
    let foreign = two.disk.content(name);
    let verdict = one.forged(name, |content| {
        let batch = sectors.start * SECTOR_BYTES..sectors.end * SECTOR_BYTES;
        content[batch.clone()].copy_from_slice(&foreign[batch]);
    });
    assert_eq!(verdict, Verdict::Refused);
    // A segment of another ledger, under the right name.
    let stranger = write(&Disk::new(2), &batches());
    let journal = journal();
    let second = &segments(&journal.disk)[1];
    assert_eq!(
        journal.with(second, stranger.disk.content(second)),
        Verdict::Refused
    );
}

#[test]
fn a_torn_end_is_cut_and_told() {
    let journal = journal();
    let (name, sectors) = journal.places.last().unwrap();
    let content = journal.disk.content(name);
    let count = sectors.len();
    // Every choice of sectors that a crash may leave of the last batch.
    for kept in 0..(1_u32 << count) - 1 {
        let mut content = content.clone();
        for lost in (0..count).filter(|index| kept & (1 << index) == 0) {
            content[(sectors.start + lost) * SECTOR_BYTES..][..SECTOR_BYTES].fill(0);
        }
        let expected = match kept {
            0 => Verdict::LastGone,
            _ => Verdict::LastTorn,
        };
        assert_eq!(journal.with(name, content.clone()), expected, "{kept:b}");
        // Cut, it ends in zeros; what is written next is not mixed with what was torn.
        let disk = journal.disk.copy();
        disk.overwrite(name, content);
        open(&disk).unwrap();
        let after = disk.content(name);
        assert!(
            after[sectors.start * SECTOR_BYTES..]
                .iter()
                .all(|byte| *byte == 0)
        );
        assert_eq!(open(&disk).unwrap().1.torn, None);
    }
}

#[test]
fn a_torn_end_is_cut_also_where_there_is_no_room_for_the_zeros_behind_it() {
    let journal = journal();
    let (name, sectors) = journal.places.last().unwrap();
    let mut content = journal.disk.content(name);
    content[sectors.start * SECTOR_BYTES..][..SECTOR_BYTES].fill(0);
    journal.disk.overwrite(name, content);
    // The torn batch and the one before it were written once, so they have room.
    let (segment, writes) = (name.clone(), AtomicUsize::new(0));
    journal.disk.trouble(move |call, name| {
        let is_fill = call == Call::Write && name == segment && writes.fetch_add(1, Relaxed) > 1;
        is_fill.then_some(std::io::ErrorKind::StorageFull)
    });
    let after = write(&journal.disk, &batches()[7..8]);
    journal.disk.lose_power();
    // What is written next is in a segment of its own, and nothing torn is before it.
    let (state, recovery) = open(&journal.disk).unwrap();
    assert_eq!(state, *after.states.last().unwrap());
    assert_eq!(recovery.torn, None);
    assert_eq!(segments(&journal.disk).len(), 4);
}

#[test]
fn a_key_cannot_pass_for_a_batch() {
    // A client may choose a key that is the header of a batch by its looks, and wait for a crash that tears the
    // batch with it.
    let mut header = *b"BTCH....AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let visible = 33..=126_u8;
    for index in 0.. {
        let text: u64 = index;
        for (place, byte) in header[32..].iter_mut().zip(text.to_le_bytes()) {
            *place = 33 + byte % 90;
        }
        let checksum = crc32c::crc32c(&header[8..]).to_le_bytes();
        if checksum.iter().all(|byte| visible.contains(byte)) {
            header[4..8].copy_from_slice(&checksum);
            break;
        }
    }
    let forged = str::from_utf8(&header).unwrap();
    let number = AccountNumber::nth(1);
    let amount = amount(1);
    let deposit = |key: &str| Command {
        change: Change::Deposit { number, amount },
        key: Some(key.parse().unwrap()),
    };
    // The header, two records with their keys, and the head of the third, whose key begins with the next sector.
    let key_bytes = (SECTOR_BYTES - 64 - 3 * 80) / 2;
    let (first, second) = ("f".repeat(key_bytes), "s".repeat(key_bytes));
    let disk = Disk::new(1);
    write(&disk, &batches()[..1]);
    let journal = write(
        &disk,
        &[vec![deposit(&first), deposit(&second), deposit(forged)]],
    );
    let (name, sectors) = &journal.places[0];
    let content = journal.disk.content(name);
    let start = sectors.start * SECTOR_BYTES;
    assert_eq!(
        &content[start + SECTOR_BYTES..][..64],
        header,
        "it is where it should be"
    );
    let disk = journal.disk.copy();
    let mut torn = content;
    torn[start..][..SECTOR_BYTES].fill(0);
    disk.overwrite(name, torn);
    let (_, recovery) = open(&disk).unwrap();
    assert!(recovery.torn.is_some());
}
