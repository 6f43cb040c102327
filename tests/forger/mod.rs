//! A forger of journals: whatever is in them, their checksums, hashes and chain are right.
//!
//! It is written from the layouts that `src/journal` documents and shares no code with it. A [`Journal`] is plain data:
//! whoever forges one changes any field, has as much of it [mended](Journal::mend) as the forgery needs, and takes the
//! [files](Journal::files). Checksums and the hashes of snapshots are always right.

pub(crate) mod mutate;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub(crate) const SECTOR: usize = 512;

/// 2026-01-31 20:00 UTC.
pub(crate) const BEGIN_US: i64 = 1_769_889_600_000_000;

pub(crate) const OPEN: u8 = 1;
pub(crate) const DEPOSIT: u8 = 2;
pub(crate) const WITHDRAW: u8 = 3;
pub(crate) const CLOSE: u8 = 4;

/// An account number, in two halves.
pub(crate) type Number = (u64, u64);

/// The `index`th of many numbers that a ledger could have drawn.
pub(crate) fn number(index: u64) -> Number {
    let mixed = (index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    version_4((mixed, mixed.rotate_left(23) ^ index))
}

/// The same number, as one of version 4.
pub(crate) fn version_4((first, second): Number) -> Number {
    (
        first & !0xF000 | 0x4000,
        second & (u64::MAX >> 2) | (1 << 63),
    )
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: u8,
    pub(crate) outcome: u8,
    pub(crate) reserved: [u8; 5],
    pub(crate) sequence: u64,
    pub(crate) at: i64,
    pub(crate) number: Number,
    pub(crate) amount: i64,
    pub(crate) balance: i64,
    pub(crate) entry: u64,
    pub(crate) previous: u64,
    pub(crate) jump: u64,
    pub(crate) key: Vec<u8>,
}

impl Record {
    /// A record that was granted. Its place is still to be [mended](Journal::mend).
    pub(crate) fn granted(kind: u8, number: Number, amount: i64) -> Self {
        Self {
            kind,
            outcome: 0,
            reserved: [0; 5],
            sequence: 0,
            at: BEGIN_US,
            number,
            amount,
            balance: 0,
            entry: 0,
            previous: 0,
            jump: 0,
            key: Vec::new(),
        }
    }

    pub(crate) fn open(number: Number, initial: i64) -> Self {
        Self::granted(OPEN, number, initial)
    }

    pub(crate) fn deposit(number: Number, amount: i64) -> Self {
        Self::granted(DEPOSIT, number, amount)
    }

    pub(crate) fn withdraw(number: Number, amount: i64) -> Self {
        Self::granted(WITHDRAW, number, amount)
    }

    pub(crate) fn close(number: Number, left: i64) -> Self {
        Self::granted(CLOSE, number, left)
    }

    pub(crate) fn with_key(mut self, key: &str) -> Self {
        self.key = key.as_bytes().to_vec();
        self
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.kind, self.outcome, self.key.len() as u8];
        out.extend(self.reserved);
        for field in [
            self.sequence,
            self.at.cast_unsigned(),
            self.number.0,
            self.number.1,
            self.amount.cast_unsigned(),
            self.balance.cast_unsigned(),
            self.entry,
            self.previous,
            self.jump,
        ] {
            out.extend(field.to_le_bytes());
        }
        out.extend(&self.key);
        out.resize(80 + self.key.len().next_multiple_of(8), 0);
        out
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) position: u64,
    pub(crate) first_sequence: u64,
    pub(crate) previous: [u8; 32],
    pub(crate) records: Vec<Record>,
    /// The length that its header says, if it is not the right one.
    pub(crate) records_bytes: Option<u32>,
    /// What stands behind the records, inside their checksum.
    pub(crate) more: Vec<u8>,
}

impl Batch {
    pub(crate) fn of(records: Vec<Record>) -> Self {
        Self {
            position: 0,
            first_sequence: 0,
            previous: [0; 32],
            records,
            records_bytes: None,
            more: Vec::new(),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut records: Vec<u8> = self.records.iter().flat_map(Record::encode).collect();
        records.extend(&self.more);
        let length = self.records_bytes.unwrap_or(records.len() as u32);
        let mut checked = length.to_le_bytes().to_vec();
        checked.extend(crc32c::crc32c(&records).to_le_bytes());
        checked.extend(self.position.to_le_bytes());
        checked.extend(self.first_sequence.to_le_bytes());
        checked.extend(self.previous);
        let mut batch = b"BTCH".to_vec();
        batch.extend(crc32c::crc32c(&checked).to_le_bytes());
        batch.extend(checked);
        batch.extend(records);
        batch
    }

    /// How many bytes it takes in its segment.
    fn stored_bytes(&self) -> u64 {
        self.encode().len().next_multiple_of(SECTOR) as u64
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The position in its name.
    pub(crate) named: u64,
    pub(crate) ledger: [u8; 16],
    pub(crate) position: u64,
    pub(crate) first_sequence: u64,
    pub(crate) previous: [u8; 32],
    /// The length in its header, which [`Journal::files`] also gives the file.
    pub(crate) length: u64,
    pub(crate) version: u32,
    pub(crate) batches: Vec<Batch>,
    /// What stands behind the last batch.
    pub(crate) tail: Vec<u8>,
}

impl Segment {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut checked = self.ledger.to_vec();
        checked.extend(self.position.to_le_bytes());
        checked.extend(self.first_sequence.to_le_bytes());
        checked.extend(self.previous);
        checked.extend(self.length.to_le_bytes());
        checked.resize(SECTOR - 16, 0);
        let mut out = b"CASHPNTJ".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend(crc32c::crc32c(&checked).to_le_bytes());
        out.extend(checked);
        for batch in &self.batches {
            out.extend(batch.encode());
            out.resize(out.len().next_multiple_of(SECTOR), 0xFF);
        }
        out.extend(&self.tail);
        out
    }

    pub(crate) fn name(&self) -> String {
        format!("{:020}.journal", self.named)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) number: Number,
    pub(crate) balance: i64,
    pub(crate) created: u64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) entries: u64,
    pub(crate) last: u64,
    pub(crate) milestones: Vec<u64>,
    /// How many milestones it claims, if not as many as there are.
    pub(crate) claimed: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) named: u64,
    pub(crate) version: u32,
    pub(crate) ledger: [u8; 16],
    pub(crate) position: u64,
    pub(crate) next_sequence: u64,
    pub(crate) chain: [u8; 32],
    pub(crate) last_at: i64,
    /// How many accounts, closed ones and keys it claims, where that is not as many as there are.
    pub(crate) claims: [Option<u64>; 3],
    pub(crate) accounts: Vec<Account>,
    pub(crate) closed: Vec<(Number, u64)>,
    pub(crate) keys: Vec<Record>,
    pub(crate) tail: Vec<u8>,
}

impl Snapshot {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = b"CASHPNTS".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend([0; 4]);
        out.extend(self.ledger);
        let put = |out: &mut Vec<u8>, fields: &[u64]| {
            out.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
        };
        put(&mut out, &[self.position, self.next_sequence]);
        out.extend(self.chain);
        let [accounts, closed, keys] = self.claims;
        put(
            &mut out,
            &[
                self.last_at.cast_unsigned(),
                accounts.unwrap_or(self.accounts.len() as u64),
                closed.unwrap_or(self.closed.len() as u64),
                keys.unwrap_or(self.keys.len() as u64),
            ],
        );
        for it in &self.accounts {
            put(
                &mut out,
                &[
                    it.number.0,
                    it.number.1,
                    it.balance.cast_unsigned(),
                    it.created,
                    it.created_at.cast_unsigned(),
                    it.updated_at.cast_unsigned(),
                    it.entries,
                    it.last,
                    it.claimed.unwrap_or(it.milestones.len() as u64),
                ],
            );
            put(&mut out, &it.milestones);
        }
        for (number, position) in &self.closed {
            put(&mut out, &[number.0, number.1, *position]);
        }
        out.extend(self.keys.iter().flat_map(Record::encode));
        out.extend(&self.tail);
        let hash = *blake3::hash(&out).as_bytes();
        out.extend(hash);
        out
    }

    pub(crate) fn name(&self) -> String {
        format!("{:020}.snapshot", self.named)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) ledger: [u8; 16],
    pub(crate) newest: u64,
}

impl Head {
    fn encode(&self) -> Vec<u8> {
        let mut checked = self.ledger.to_vec();
        checked.extend(self.newest.to_le_bytes());
        checked.resize(48, 0);
        let mut out = b"CASHPNTH".to_vec();
        out.extend(1_u32.to_le_bytes());
        out.extend(crc32c::crc32c(&checked).to_le_bytes());
        out.extend(checked);
        out
    }
}

/// How much of a journal is put right again after it was changed. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mend {
    /// Checksums alone, which always are.
    Checksums,
    /// The places of batches and segments, and the chain of hashes.
    Chain,
    /// The sequence numbers of records and their links.
    Links,
    /// The balances.
    Balances,
}

/// What is known of an account that is replayed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replayed {
    pub(crate) balance: i64,
    pub(crate) created: u64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    /// Where its entries are.
    pub(crate) entries: Vec<u64>,
    pub(crate) is_closed: bool,
}

impl Replayed {
    /// The position of the last entry, up to now, whose number is a multiple of 16 to the power `power`.
    fn milestone(&self, power: u32) -> Option<u64> {
        let step = 16_usize.checked_pow(power)?;
        let number = self.entries.len() / step * step;
        (number > 0).then(|| self.entries[number - 1])
    }

    fn milestones(&self) -> Vec<u64> {
        (1..16).map_while(|power| self.milestone(power)).collect()
    }

    /// Where the next entry's links lead to: the entry before it, and the one further back.
    fn links(&self) -> (u64, u64) {
        let next = self.entries.len() + 1;
        let power = (0..)
            .find(|power| !next.is_multiple_of(16_usize.pow(power + 1)))
            .unwrap_or(0);
        let jump = self.milestone(power + 1).unwrap_or(0);
        (self.entries.last().copied().unwrap_or(0), jump)
    }
}

/// A journal, every field of which may be anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Journal {
    pub(crate) segments: Vec<Segment>,
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) head: Option<Head>,
    /// Other files.
    pub(crate) others: BTreeMap<String, Vec<u8>>,
}

pub(crate) const LEDGER: [u8; 16] = [7; 16];

impl Journal {
    /// An honest journal with a segment for each item of `segments`, in which a batch for each of its items is.
    pub(crate) fn of(segments: Vec<Vec<Vec<Record>>>, length: u64) -> Self {
        let segment = |batches: Vec<Vec<Record>>| Segment {
            named: 0,
            ledger: LEDGER,
            position: 0,
            first_sequence: 0,
            previous: [0; 32],
            length,
            version: 1,
            batches: batches.into_iter().map(Batch::of).collect(),
            tail: Vec::new(),
        };
        let mut journal = Self {
            segments: segments.into_iter().map(segment).collect(),
            snapshots: Vec::new(),
            head: None,
            others: BTreeMap::new(),
        };
        journal.mend(Mend::Balances);
        journal.head = Some(Head {
            ledger: LEDGER,
            newest: journal.segments.last().map_or(0, |last| last.named),
        });
        journal
    }

    /// One segment with these records, a batch each.
    pub(crate) fn of_records(records: Vec<Record>) -> Self {
        let batches = records.into_iter().map(|record| vec![record]).collect();
        Self::of(vec![batches], 1 << 20)
    }

    /// Puts right what follows from what is there: see [`Mend`].
    pub(crate) fn mend(&mut self, how: Mend) {
        self.mend_from((0, 1, [0; 32]), how);
    }

    /// As [`mend`](Self::mend), where the first segment begins at this position, with this sequence number, after the
    /// batch of this hash.
    pub(crate) fn mend_from(&mut self, begin: (u64, u64, [u8; 32]), how: Mend) {
        if how == Mend::Checksums {
            return;
        }
        let mut accounts = BTreeMap::new();
        let (mut position, mut sequence, mut chain) = begin;
        for segment in &mut self.segments {
            segment.named = position;
            segment.position = position;
            segment.first_sequence = sequence;
            segment.previous = chain;
            position = position.wrapping_add(SECTOR as u64);
            for batch in &mut segment.batches {
                batch.position = position;
                batch.first_sequence = sequence;
                batch.previous = chain;
                let mut at = position.wrapping_add(64);
                for record in &mut batch.records {
                    if how >= Mend::Links {
                        record.sequence = sequence;
                        relink(record, at, accounts.entry(record.number).or_default(), how);
                    }
                    sequence = sequence.wrapping_add(1);
                    at = at.wrapping_add(record.encode().len() as u64);
                }
                chain = *blake3::hash(&batch.encode()).as_bytes();
                position = position.wrapping_add(batch.stored_bytes());
            }
            let used = position.wrapping_sub(segment.position);
            segment.length = segment.length.max(used);
        }
    }

    /// What the records up to `end` lead to, if they are taken at their word, and how many there are. A number that is
    /// opened again begins anew.
    pub(crate) fn replayed(&self, end: u64) -> (BTreeMap<Number, Replayed>, u64) {
        let mut accounts: BTreeMap<Number, Replayed> = BTreeMap::new();
        let (mut opened, mut count) = (0, 0);
        for batch in self.segments.iter().flat_map(|segment| &segment.batches) {
            let mut at = batch.position.wrapping_add(64);
            for record in batch.records.iter().filter(|_| batch.position < end) {
                count += 1;
                if record.outcome == 0 {
                    opened += u64::from(record.kind == OPEN);
                    let account = accounts.entry(record.number).or_default();
                    enter(record, at, opened, account);
                }
                at = at.wrapping_add(record.encode().len() as u64);
            }
        }
        (accounts, count)
    }

    /// The honest snapshot at the begin of a segment.
    pub(crate) fn snapshot_at(&self, segment: usize) -> Snapshot {
        let Segment {
            position, previous, ..
        } = self.segments[segment];
        let (accounts, count) = self.replayed(position);
        let mut open: Vec<_> = accounts.iter().filter(|(_, it)| !it.is_closed).collect();
        open.sort_by_key(|(_, it)| it.created);
        let mut closed: Vec<_> = accounts.iter().filter(|(_, it)| it.is_closed).collect();
        let last_of = |it: &Replayed| it.entries.last().copied().unwrap_or(0);
        closed.sort_by_key(|(_, it)| last_of(it));
        let batches = self.segments.iter().flat_map(|segment| &segment.batches);
        let before = batches.filter(|batch| batch.position < position);
        let before: Vec<_> = before.flat_map(|batch| &batch.records).collect();
        let mut seen = BTreeSet::new();
        let keyed = before.iter().rev().filter(|it| !it.key.is_empty());
        let newest = keyed.filter(|record| seen.insert(record.key.clone()));
        let mut keys: Vec<Record> = newest.map(|record| (*record).clone()).collect();
        keys.reverse();
        for record in &mut keys {
            (record.sequence, record.entry) = (0, 0);
            (record.previous, record.jump) = (0, 0);
        }
        Snapshot {
            named: position,
            version: 1,
            ledger: LEDGER,
            position,
            next_sequence: count + 1,
            chain: previous,
            last_at: before.last().map_or(0, |record| record.at),
            claims: [None; 3],
            accounts: open
                .into_iter()
                .map(|(number, it)| Account {
                    number: *number,
                    balance: it.balance,
                    created: it.created,
                    created_at: it.created_at,
                    updated_at: it.updated_at,
                    entries: it.entries.len() as u64,
                    last: last_of(it),
                    milestones: it.milestones(),
                    claimed: None,
                })
                .collect(),
            closed: closed
                .into_iter()
                .map(|(number, it)| (*number, last_of(it)))
                .collect(),
            keys,
            tail: Vec::new(),
        }
    }

    /// Its files: what each begins with, and how long it is; what is not given is zeros.
    pub(crate) fn files(&self) -> BTreeMap<String, (Vec<u8>, u64)> {
        let mut files = BTreeMap::new();
        for segment in &self.segments {
            let bytes = segment.encode();
            let length = segment.length;
            files.insert(segment.name(), (bytes, length));
        }
        let mut others = self.others.clone();
        for snapshot in &self.snapshots {
            others.insert(snapshot.name(), snapshot.encode());
        }
        if let Some(head) = &self.head {
            others.insert("head".to_owned(), head.encode());
        }
        for (name, bytes) in others {
            let length = bytes.len() as u64;
            files.insert(name, (bytes, length));
        }
        files
    }

    /// Writes its files into a directory. What is zeros is not stored.
    pub(crate) fn write(&self, directory: &Path) {
        std::fs::create_dir_all(directory).unwrap();
        for (name, (bytes, length)) in self.files() {
            let path = directory.join(name);
            std::fs::write(&path, &bytes).unwrap();
            if length != bytes.len() as u64 {
                let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
                file.set_len(length).unwrap();
            }
        }
    }
}

/// Enters a record that is at `at`.
fn enter(record: &Record, at: u64, opened: u64, account: &mut Replayed) {
    if record.kind == OPEN {
        *account = Replayed {
            created: opened,
            created_at: record.at,
            ..Replayed::default()
        };
    }
    account.entries.push(at);
    account.updated_at = record.at;
    account.balance = record.balance;
    account.is_closed |= record.kind == CLOSE;
}

/// Gives a record its place among its account's entries; and its balance, if that is to be mended.
fn relink(record: &mut Record, at: u64, account: &mut Replayed, how: Mend) {
    if record.outcome != 0 {
        return;
    }
    if record.kind == OPEN {
        *account = Replayed::default();
    }
    (record.previous, record.jump) = account.links();
    record.entry = account.entries.len() as u64 + 1;
    if how >= Mend::Balances {
        let held = account.balance;
        record.balance = match record.kind {
            OPEN => record.amount,
            DEPOSIT => held.saturating_add(record.amount),
            WITHDRAW => held.saturating_sub(record.amount),
            _ => 0,
        };
        if record.kind == CLOSE {
            record.amount = held;
        }
    }
    enter(record, at, 0, account);
}
