//! Snapshots: the books at the begin of a segment, so that a start need not read all that is before it.
//!
//! A snapshot is made from the one before it and the segments between, never from what is in use: nobody is
//! stopped for it. It is written beside, made durable, and then given its name, which is the position of
//! the segment that it comes before. It ends with the BLAKE3 hash of all that is before: one that is not
//! whole is passed over.
//!
//! | bytes | field |
//! |---|---|
//! | 0..8 | `CASHPNTS` |
//! | 8..12 | format version |
//! | 12..16 | 0 |
//! | 16..32 | the ledger's id |
//! | 32..40 | position |
//! | 40..48 | sequence number of the next record |
//! | 48..80 | hash of the last batch |
//! | 80..88 | time of the last record |
//! | 88..112 | number of open accounts, of closed ones, of keys |
//!
//! Then the open accounts, in the order of their creation: number (16 bytes), balance, place in that order, time of it,
//! time of the last change, number of entries, position of the last, number of milestones, milestones (8 bytes
//! each). Then the closed ones: number, position of the last entry. Then the keys, the oldest first, as
//! [records](super::record) with neither sequence number nor link.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use super::accounts::Standing;
use super::batch::ChainHash;
use super::books::Books;
use super::error::JournalError;
use super::fields::{Fields, PutFields as _};
use super::record::{Link, Record};
use super::scan::{Boundary, Progress, scan};
use super::storage::{Storage, StoredFile, read_whole};
use super::trail::Trail;
use super::{FORMAT_VERSION, LedgerId, Position};
use crate::account_number::AccountNumber;
use crate::key_policy::KeyPolicy;
use crate::money::Cents;
use crate::roster::CreationNumber;
use crate::timestamp::Timestamp;

const MAGIC: [u8; 8] = *b"CASHPNTS";
pub(crate) const SUFFIX: &str = ".snapshot";
const UNFINISHED: &str = "next.snapshot";

/// How many are kept: the newest, and one more in case that it is broken.
const KEPT: usize = 2;

/// How much is written at a time.
const PIECE_BYTES: usize = 1 << 20;

const HASH_BYTES: usize = 32;

/// The books at a place between two segments.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) ledger: LedgerId,
    pub(crate) boundary: Boundary,
    pub(crate) books: Books,
}

/// The file name of the snapshot at `position`.
pub(super) fn name(position: Position) -> String {
    format!("{position:020}{SUFFIX}")
}

/// The positions of all snapshots, the newest first.
pub(super) fn positions(storage: &dyn Storage) -> Result<Vec<Position>, JournalError> {
    let names = storage
        .names()
        .map_err(JournalError::file("list", storage, ""))?;
    let mut positions: Vec<Position> = names
        .iter()
        .filter_map(|name| name.strip_suffix(SUFFIX)?.parse().ok())
        .collect();
    positions.sort_unstable_by(|one, other| other.cmp(one));
    Ok(positions)
}

/// The newest snapshot that can be read and is whole, and the names of newer ones that are not.
pub(crate) fn newest(
    storage: &dyn Storage,
    policy: KeyPolicy,
) -> Result<(Option<Snapshot>, Vec<String>), JournalError> {
    let mut broken = Vec::new();
    for position in positions(storage)? {
        let name = name(position);
        // One that cannot be read is as one that is broken.
        match load(storage, policy, position).unwrap_or(None) {
            Some(snapshot) => return Ok((Some(snapshot), broken)),
            None => broken.push(name),
        }
    }
    Ok((None, broken))
}

/// Reads the snapshot at `position`. `None` if it is not whole.
pub(super) fn load(
    storage: &dyn Storage,
    policy: KeyPolicy,
    position: Position,
) -> io::Result<Option<Snapshot>> {
    let mut bytes = Vec::new();
    read_whole(storage, &name(position), &mut bytes)?;
    Ok(decode(&bytes, policy).filter(|it| it.boundary.position == position))
}

/// Makes the snapshot at the begin of the segment at `until`, and removes those that it replaces. Does nothing
/// if it is there.
///
/// # Errors
///
/// Those of [`scan`](super::scan::scan), and those of the disk. Nothing depends on it: it can be tried again.
pub(crate) fn take(
    storage: &dyn Storage,
    policy: KeyPolicy,
    until: Position,
    stop: &AtomicBool,
) -> Result<(), JournalError> {
    let (newest, _) = newest(storage, policy)?;
    if newest
        .as_ref()
        .is_some_and(|it| it.boundary.position >= until)
    {
        return Ok(());
    }
    let from = newest.as_ref().map(|it| (it.ledger, it.boundary));
    let mut books = newest.map_or_else(|| Books::new(policy), |it| it.books);
    let end = scan(
        storage,
        from,
        Some(until),
        &mut |record, position| {
            // It is derived, so whoever is in a hurry may leave it out.
            if stop.load(Relaxed) {
                return Err("stopped".to_owned());
            }
            books.apply(record, position)
        },
        &mut |_: Progress| {},
    )?;
    let Some(end) = end else { return Ok(()) };
    let snapshot = Snapshot {
        ledger: end.ledger,
        boundary: end.boundary,
        books,
    };
    let name = name(end.boundary.position);
    write(storage, &snapshot, &name)
        .inspect_err(|_| {
            // What there is of it would only take the room that others need.
            let _ = storage.remove(UNFINISHED);
        })
        .map_err(JournalError::file("write", storage, &name))?;
    for position in positions(storage)?.into_iter().skip(KEPT) {
        let name = self::name(position);
        storage
            .remove(&name)
            .map_err(JournalError::file("remove", storage, &name))?;
    }
    Ok(())
}

fn write(storage: &dyn Storage, snapshot: &Snapshot, name: &str) -> io::Result<()> {
    let file = storage.create(UNFINISHED)?;
    let mut out = Pieces::new(&*file);
    snapshot.encode(&mut out)?;
    out.finish()?;
    file.sync()?;
    storage.rename(UNFINISHED, name)?;
    storage.sync()
}

/// Writes bytes in pieces, and at the end their hash.
struct Pieces<'a> {
    file: &'a dyn StoredFile,
    offset: u64,
    buffer: Vec<u8>,
    hasher: blake3::Hasher,
}

impl<'a> Pieces<'a> {
    fn new(file: &'a dyn StoredFile) -> Self {
        Self {
            file,
            offset: 0,
            buffer: Vec::with_capacity(PIECE_BYTES + 1024),
            hasher: blake3::Hasher::new(),
        }
    }

    /// Lets `put` append something small.
    fn put(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        put(&mut self.buffer);
        if self.buffer.len() < PIECE_BYTES {
            return Ok(());
        }
        self.hasher.update(&self.buffer);
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_at(&self.buffer, self.offset)?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        self.hasher.update(&self.buffer);
        self.buffer
            .extend_from_slice(self.hasher.finalize().as_bytes());
        self.flush()
    }
}

impl Snapshot {
    fn encode(&self, out: &mut Pieces<'_>) -> io::Result<()> {
        let Books {
            accounts,
            closed,
            keys,
            next_sequence: _,
            last_at,
        } = &self.books;
        out.put(|out| {
            out.extend_from_slice(&MAGIC);
            out.put_u32(FORMAT_VERSION);
            out.put_u32(0);
            out.extend_from_slice(&self.ledger.0);
            out.put_u64(self.boundary.position);
            out.put_u64(self.boundary.next_sequence);
            out.extend_from_slice(&self.boundary.chain.0);
            out.put_i64(last_at.as_micros());
            out.put_u64(accounts.len() as u64);
            out.put_u64(closed.len() as u64);
            out.put_u64(keys.len() as u64);
        })?;
        for (number, account) in accounts.by_creation() {
            out.put(|out| put_account(out, number, account))?;
        }
        for (number, position) in closed {
            out.put(|out| {
                put_number(out, *number);
                out.put_u64(*position);
            })?;
        }
        for (key, kept) in keys.iter() {
            let record = Record {
                sequence: 0,
                at: kept.at,
                change: kept.change,
                outcome: kept.outcome,
                link: Link::default(),
                key: Some(key.clone()),
            };
            out.put(|out| record.encode(out))?;
        }
        Ok(())
    }
}

fn put_number(out: &mut Vec<u8>, number: AccountNumber) {
    let (first, second) = number.halves();
    out.put_u64(first);
    out.put_u64(second);
}

fn put_account(out: &mut Vec<u8>, number: AccountNumber, account: &Standing) {
    put_number(out, number);
    out.put_i64(account.balance.get());
    out.put_u64(account.created.get());
    out.put_i64(account.created_at.as_micros());
    out.put_i64(account.last_updated.as_micros());
    out.put_u64(account.trail.entries());
    out.put_u64(account.trail.last());
    out.put_u64(account.trail.milestones().len() as u64);
    for milestone in account.trail.milestones() {
        out.put_u64(*milestone);
    }
}

/// Reads a snapshot. `None` if it is not whole.
fn decode(bytes: &[u8], policy: KeyPolicy) -> Option<Snapshot> {
    let (content, hash) = bytes.split_at_checked(bytes.len().checked_sub(HASH_BYTES)?)?;
    if blake3::hash(content).as_bytes() != hash {
        return None;
    }
    let mut fields = Fields(content);
    if fields.array() != Some(MAGIC) || fields.u32() != Some(FORMAT_VERSION) {
        return None;
    }
    fields.u32()?;
    let ledger = LedgerId(fields.array()?);
    let boundary = Boundary {
        position: fields.u64()?,
        next_sequence: fields.u64()?,
        chain: ChainHash(fields.array()?),
    };
    let mut books = Books::new(policy);
    books.next_sequence = boundary.next_sequence;
    books.last_at = Timestamp::from_micros(fields.i64()?);
    let (accounts, closed, keys) = (fields.u64()?, fields.u64()?, fields.u64()?);
    // The hash was right, so the counts are those of what follows.
    books.accounts.reserve(usize::try_from(accounts).ok()?);
    books.closed.reserve(usize::try_from(closed).ok()?);
    for _ in 0..accounts {
        let (number, account) = account(&mut fields)?;
        books.accounts.insert(number, account).then_some(())?;
    }
    for _ in 0..closed {
        let number = number(&mut fields)?;
        books.closed.insert(number, fields.u64()?);
    }
    for _ in 0..keys {
        let (record, length) = Record::decode(fields.0).ok()?;
        fields.bytes(length)?;
        let kept = record.kept();
        books.keys.keep(record.key?, kept);
    }
    Some(Snapshot {
        ledger,
        boundary,
        books,
    })
}

fn number(fields: &mut Fields<'_>) -> Option<AccountNumber> {
    Some(AccountNumber::from_halves((fields.u64()?, fields.u64()?)))
}

fn account(fields: &mut Fields<'_>) -> Option<(AccountNumber, Standing)> {
    let number = number(fields)?;
    let balance = Cents::new(fields.i64()?)?;
    let created = CreationNumber::from_u64(fields.u64()?);
    let created_at = Timestamp::from_micros(fields.i64()?);
    let last_updated = Timestamp::from_micros(fields.i64()?);
    let (entries, last, milestones) = (fields.u64()?, fields.u64()?, fields.u64()?);
    let milestones = (0..milestones)
        .map(|_| fields.u64())
        .collect::<Option<_>>()?;
    Some((
        number,
        Standing {
            balance,
            created,
            created_at,
            last_updated,
            trail: Trail::from_parts(entries, last, milestones),
        },
    ))
}
