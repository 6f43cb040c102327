//! Reads a snapshot from front to end, a piece at a time.
//!
//! The hash that tells whether it is whole is at the end. Until it has been [checked](Reading::finish), what was read may
//! be anything, and must be discarded if the hash is wrong.
//!
//! # What is not believed
//!
//! Whoever forges a snapshot gives it the right hash. So each part is held against the header, and against what is before
//! it, wherever a snapshot is read:
//!
//! - a count that the file is too short for, or more accounts than records;
//! - a position or a sequence number that no ledger reaches, or one that is behind the place of the snapshot;
//! - an account or a key that is not behind the one before it, a time that is after the last record;
//! - a number that was never drawn, and milestones that the number of entries does not have;
//! - a piece of the file that is a hole: nothing in a snapshot is that many zeros.

use std::sync::Arc;

use super::{Flaw, HASH_BYTES, MAGIC, SHORT, name};
use crate::engine::creation_index::CreationNumber;
use crate::journal::format::batch::ChainHash;
use crate::journal::format::batch::SECTOR_BYTES;
use crate::journal::format::entry_links::EntryLinks;
use crate::journal::format::fields::Fields;
use crate::journal::format::record::{Link, RECORD_BYTES_MAX, Record};
use crate::journal::scan::Boundary;
use crate::journal::state::accounts::AccountState;
use crate::journal::state::keys::Kept;
use crate::journal::storage::window::PIECE_BYTES;
use crate::journal::storage::{Storage, StoredFile};
use crate::journal::{FORMAT_VERSION, LedgerId, POSITION_MAX, Position};
use crate::values::account_number::AccountNumber;
use crate::values::idempotency_key::IdempotencyKey;
use crate::values::money::Cents;
use crate::values::timestamp::Timestamp;

const HEADER_BYTES: usize = 112;

/// An account without milestones.
const ACCOUNT_BYTES: usize = 72;

/// An entry's number has 64 bits, and each milestone stands for four of them.
const MILESTONES_MAX: usize = 16;

const CLOSED_BYTES: usize = 24;

/// What a [flaw](Flaw::NotWhole) is.
const HOLE: &str = "a part of it is a hole";

/// A record with the shortest key.
const KEY_BYTES_MIN: usize = 88;

/// What stands before the accounts.
#[derive(Clone, Copy, Debug)]
pub(in crate::journal) struct Header {
    pub(in crate::journal) ledger: LedgerId,
    pub(in crate::journal) boundary: Boundary,
    pub(in crate::journal) last_at: Timestamp,
    pub(in crate::journal) accounts: u64,
    pub(in crate::journal) closed: u64,
    pub(in crate::journal) keys: u64,
}

impl Header {
    /// How many accounts were ever opened.
    pub(in crate::journal) fn opened(&self) -> u64 {
        self.accounts.saturating_add(self.closed)
    }

    /// Whether a ledger may get to the place that it names, with as many accounts.
    fn is_reached(&self) -> bool {
        let places = SECTOR_BYTES as u64..=POSITION_MAX;
        let records = self.boundary.next_sequence.saturating_sub(1);
        places.contains(&self.boundary.position)
            && records < POSITION_MAX
            && self.opened().saturating_add(self.closed) <= records
            && self.last_at >= Timestamp::from_micros(0)
    }

    /// Whether an entry of an account may be at `position`.
    fn is_behind(&self, position: Position) -> bool {
        (1..self.boundary.position).contains(&position)
    }

    /// Whether what it announces fits into so many bytes.
    fn fits(&self, bytes: u64) -> bool {
        let kinds = [
            (self.accounts, ACCOUNT_BYTES),
            (self.closed, CLOSED_BYTES),
            (self.keys, KEY_BYTES_MIN),
        ];
        let sum = kinds.iter().try_fold(0_u64, |sum, (count, bytes)| {
            sum.checked_add(count.checked_mul(*bytes as u64)?)
        });
        sum.is_some_and(|sum| sum <= bytes)
    }
}

/// A snapshot that is being read: the accounts, then the closed ones, then the keys.
#[derive(Debug)]
pub(in crate::journal) struct Reading {
    header: Header,
    bytes: Bytes,
    accounts_left: u64,
    closed_left: u64,
    keys_left: u64,
    /// The place in the order of creation of the last account that was read.
    last_created: CreationNumber,
    /// The time of the last key that was read.
    last_key_at: Timestamp,
}

impl Reading {
    /// Opens the snapshot at `position`.
    pub(in crate::journal) fn open(
        storage: &dyn Storage,
        position: Position,
    ) -> Result<Self, Flaw> {
        let mut bytes = Bytes::open(storage, &name(position))?;
        let (magic, version) = bytes.next(12, |fields| Some((fields.array()?, fields.u32()?)))?;
        if magic != MAGIC {
            return Err(Flaw::NotWhole("it does not begin as a snapshot does"));
        }
        if version != FORMAT_VERSION {
            // If it is whole, that is its version; otherwise nobody knows.
            match bytes.skip() {
                // Another format may have holes. To pass over it would be worse than to refuse it.
                Err(Flaw::NotWhole(HOLE)) => return Err(Flaw::Version(version)),
                skipped => skipped?,
            }
            bytes.finish()?;
            return Err(Flaw::Version(version));
        }
        let header = bytes.next(HEADER_BYTES - 12, header)?;
        if header.boundary.position != position {
            return Err(Flaw::NotWhole("it is not the snapshot that its name says"));
        }
        if !header.fits(bytes.left()) || !header.is_reached() {
            return Err(Flaw::NotWhole("its header says what no ledger gets to"));
        }
        Ok(Self {
            header,
            bytes,
            accounts_left: header.accounts,
            closed_left: header.closed,
            keys_left: header.keys,
            last_created: CreationNumber::from_u64(0),
            last_key_at: Timestamp::from_micros(i64::MIN),
        })
    }

    /// How many accounts, closed ones and keys there may be, by what the disk keeps of the file: the header may say more.
    pub(super) fn stored_at_most(&self) -> Result<[usize; 3], Flaw> {
        let stored = self.bytes.file.stored_bytes().map_err(Flaw::Io)?;
        let at_most = |count: u64, bytes: usize| {
            usize::try_from(count.min(stored / bytes as u64)).unwrap_or(0)
        };
        Ok([
            at_most(self.header.accounts, ACCOUNT_BYTES),
            at_most(self.header.closed, CLOSED_BYTES),
            at_most(self.header.keys, KEY_BYTES_MIN),
        ])
    }

    pub(in crate::journal) fn header(&self) -> &Header {
        &self.header
    }

    /// How many accounts there are still to be read.
    pub(super) fn accounts_left(&self) -> u64 {
        self.accounts_left
    }

    /// The next open account.
    pub(in crate::journal) fn account(
        &mut self,
    ) -> Result<Option<(AccountNumber, AccountState)>, Flaw> {
        if self.accounts_left == 0 {
            return Ok(None);
        }
        self.accounts_left -= 1;
        let most = ACCOUNT_BYTES + 8 * MILESTONES_MAX;
        let (number, account) = self.bytes.next(most, account)?;
        let header = &self.header;
        let is_next =
            (self.last_created.get() + 1..=header.opened()).contains(&account.created.get());
        let is_in_time = account.created_at >= Timestamp::from_micros(0)
            && account.created_at <= account.last_updated
            && account.last_updated <= header.last_at;
        let are_links = account.links.entries() < header.boundary.next_sequence
            && header.is_behind(account.links.last())
            && account.links.may_be();
        if !number.may_be_drawn() || !is_next || !is_in_time || !are_links {
            return Err(Flaw::NotWhole("it holds an account that no ledger has"));
        }
        self.last_created = account.created;
        Ok(Some((number, account)))
    }

    /// The next closed account, and where its last entry is. To be called once all open ones have been read.
    pub(in crate::journal) fn closed(&mut self) -> Result<Option<(AccountNumber, Position)>, Flaw> {
        if self.closed_left == 0 {
            return Ok(None);
        }
        self.closed_left -= 1;
        let closed = |fields: &mut Fields<'_>| Some((number(fields)?, fields.u64()?));
        let (number, position) = self.bytes.next(CLOSED_BYTES, closed)?;
        if !number.may_be_drawn() || !self.header.is_behind(position) {
            return Err(Flaw::NotWhole(
                "it holds a closed account that no ledger has",
            ));
        }
        Ok(Some((number, position)))
    }

    /// The next key. To be called once all accounts have been read.
    pub(in crate::journal) fn key(&mut self) -> Result<Option<(IdempotencyKey, Kept)>, Flaw> {
        if self.keys_left == 0 {
            return Ok(None);
        }
        self.keys_left -= 1;
        let (key, kept) = self.bytes.next(RECORD_BYTES_MAX, key)?;
        if !(self.last_key_at..=self.header.last_at).contains(&kept.at) {
            return Err(Flaw::NotWhole(
                "it holds a key of a time when there was none",
            ));
        }
        self.last_key_at = kept.at;
        Ok(Some((key, kept)))
    }

    /// Passes over what has not been read.
    pub(in crate::journal) fn skip(&mut self) -> Result<(), Flaw> {
        self.bytes.skip()
    }

    /// Finds out whether what has been read is what was written: everything, and as the hash says.
    pub(in crate::journal) fn finish(self) -> Result<(), Flaw> {
        self.bytes.finish()
    }
}

fn header(fields: &mut Fields<'_>) -> Option<Header> {
    fields.u32()?;
    Some(Header {
        ledger: LedgerId(fields.array()?),
        boundary: Boundary {
            position: fields.u64()?,
            next_sequence: fields.u64()?,
            chain: ChainHash(fields.array()?),
        },
        last_at: Timestamp::from_micros(fields.i64()?),
        accounts: fields.u64()?,
        closed: fields.u64()?,
        keys: fields.u64()?,
    })
}

fn number(fields: &mut Fields<'_>) -> Option<AccountNumber> {
    Some(AccountNumber::from_halves((fields.u64()?, fields.u64()?)))
}

fn account(fields: &mut Fields<'_>) -> Option<(AccountNumber, AccountState)> {
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
        AccountState {
            balance,
            created,
            created_at,
            last_updated,
            links: EntryLinks::from_parts(entries, last, milestones),
        },
    ))
}

fn key(fields: &mut Fields<'_>) -> Option<(IdempotencyKey, Kept)> {
    let (record, length) = Record::decode(fields.0).ok()?;
    fields.bytes(length)?;
    if record.sequence != 0 || record.link != Link::default() {
        return None;
    }
    let kept = record.kept();
    Some((record.key?, kept))
}

/// The content of a file before its hash, read a piece at a time.
#[derive(Debug)]
struct Bytes {
    file: Arc<dyn StoredFile>,
    /// How long the content is.
    length: u64,
    /// How much of it has been read, and hashed.
    read: u64,
    /// The last of that.
    buffer: Vec<u8>,
    /// How much of the buffer has been taken.
    taken: usize,
    hasher: blake3::Hasher,
}

impl Bytes {
    fn open(storage: &dyn Storage, name: &str) -> Result<Self, Flaw> {
        let file = storage.open(name).map_err(Flaw::Io)?;
        let length = file.length().map_err(Flaw::Io)?;
        Ok(Self {
            file,
            length: length
                .checked_sub(HASH_BYTES as u64)
                .ok_or(Flaw::NotWhole(SHORT))?,
            read: 0,
            buffer: Vec::new(),
            taken: 0,
            hasher: blake3::Hasher::new(),
        })
    }

    /// How much has not been taken.
    fn left(&self) -> u64 {
        self.length - self.read + (self.buffer.len() - self.taken) as u64
    }

    /// Takes what `decode` reads, up to `most` bytes.
    fn next<T>(
        &mut self,
        most: usize,
        decode: impl FnOnce(&mut Fields<'_>) -> Option<T>,
    ) -> Result<T, Flaw> {
        if self.buffer.len() - self.taken < most {
            self.fill()?;
        }
        let ahead = self.buffer.get(self.taken..).unwrap_or_default();
        let ahead = ahead.get(..most).unwrap_or(ahead);
        let mut fields = Fields(ahead);
        let decoded = decode(&mut fields).ok_or(Flaw::NotWhole("a part of it cannot be read"))?;
        self.taken += ahead.len() - fields.0.len();
        Ok(decoded)
    }

    /// Reads one piece more, if there is one.
    fn fill(&mut self) -> Result<(), Flaw> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let left = usize::try_from(self.length - self.read).unwrap_or(usize::MAX);
        let length = left.min(PIECE_BYTES);
        let data = self.file.data_from(self.read).map_err(Flaw::Io)?;
        if length > 0 && data.is_none_or(|data| data - self.read >= length as u64) {
            return Err(Flaw::NotWhole(HOLE));
        }
        let start = self.buffer.len();
        self.buffer.resize(start + length, 0);
        let piece = self.buffer.get_mut(start..).unwrap_or_default();
        let length = self.file.read_at(piece, self.read).map_err(Flaw::Io)?;
        if length < piece.len() {
            return Err(Flaw::NotWhole(SHORT));
        }
        self.hasher.update(piece);
        self.read += length as u64;
        Ok(())
    }

    fn skip(&mut self) -> Result<(), Flaw> {
        while self.left() > 0 {
            self.taken = self.buffer.len();
            self.fill()?;
            self.taken = self.buffer.len();
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Flaw> {
        let mut hash = [0; HASH_BYTES];
        let read = self.file.read_at(&mut hash, self.length);
        let is_there = read.map_err(Flaw::Io)? == HASH_BYTES;
        if self.left() > 0 || !is_there || *self.hasher.finalize().as_bytes() != hash {
            return Err(Flaw::NotWhole("it is not whole: its hash is wrong"));
        }
        Ok(())
    }
}
