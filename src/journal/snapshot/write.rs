//! Writes a snapshot from front to end, a piece at a time.

use std::io;
use std::sync::Arc;

use super::read::Header;
use super::{MAGIC, UNFINISHED, name};
use crate::journal::error::JournalError;
use crate::journal::format::fields::PutFields as _;
use crate::journal::format::record::{Link, Record};
use crate::journal::state::accounts::AccountState;
use crate::journal::state::keys::Kept;
use crate::journal::storage::window::PIECE_BYTES;
use crate::journal::storage::{Storage, StoredFile};
use crate::journal::{FORMAT_VERSION, Position};
use crate::values::account_number::AccountNumber;
use crate::values::idempotency_key::IdempotencyKey;

/// A snapshot that is being written: the accounts, then the closed ones, then the keys.
///
/// Unless it is [finished](Self::finish), its file goes when this is dropped.
#[derive(Debug)]
pub(super) struct Writing<'a> {
    storage: &'a dyn Storage,
    /// What it will be called.
    name: String,
    pieces: Pieces,
    /// How many of each kind are still to come, of those that the header announced.
    accounts_left: u64,
    closed_left: u64,
    keys_left: u64,
    is_finished: bool,
}

impl<'a> Writing<'a> {
    /// Begins the snapshot with this header.
    pub(super) fn begin(storage: &'a dyn Storage, header: &Header) -> Result<Self, JournalError> {
        let name = name(header.boundary.position);
        let file = storage.create(UNFINISHED);
        let file = file.map_err(JournalError::file("write", storage, &name))?;
        let mut writing = Self {
            storage,
            name,
            pieces: Pieces::new(file),
            accounts_left: header.accounts,
            closed_left: header.closed,
            keys_left: header.keys,
            is_finished: false,
        };
        writing.put(|out| put_header(out, header))?;
        Ok(writing)
    }

    pub(super) fn account(
        &mut self,
        number: AccountNumber,
        account: &AccountState,
    ) -> Result<(), JournalError> {
        self.accounts_left = self.accounts_left.wrapping_sub(1);
        self.put(|out| put_account(out, number, account))
    }

    pub(super) fn closed(
        &mut self,
        number: AccountNumber,
        position: Position,
    ) -> Result<(), JournalError> {
        self.closed_left = self.closed_left.wrapping_sub(1);
        self.put(|out| put_closed(out, number, position))
    }

    pub(super) fn key(&mut self, key: &IdempotencyKey, kept: &Kept) -> Result<(), JournalError> {
        self.keys_left = self.keys_left.wrapping_sub(1);
        self.put(|out| put_key(out, key, kept))
    }

    /// Makes it durable, and gives it its name.
    pub(super) fn finish(mut self) -> Result<(), JournalError> {
        if (self.accounts_left, self.closed_left, self.keys_left) != (0, 0, 0) {
            let contradiction = io::Error::other(
                "its header announces other numbers of accounts and keys than follow it",
            );
            return Err(JournalError::file("write", self.storage, &self.name)(
                contradiction,
            ));
        }
        self.pieces
            .finish(self.storage, &self.name)
            .map_err(JournalError::file("write", self.storage, &self.name))?;
        self.is_finished = true;
        Ok(())
    }

    /// Lets `put` append something small.
    fn put(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> Result<(), JournalError> {
        self.pieces
            .put(put)
            .map_err(JournalError::file("write", self.storage, &self.name))
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            // What there is of it would only take the room that others need.
            let _ = self.storage.remove(UNFINISHED);
        }
    }
}

/// Writes bytes in pieces, and at the end their hash.
#[derive(Debug)]
struct Pieces {
    file: Arc<dyn StoredFile>,
    offset: u64,
    buffer: Vec<u8>,
    hasher: blake3::Hasher,
}

impl Pieces {
    fn new(file: Arc<dyn StoredFile>) -> Self {
        Self {
            file,
            offset: 0,
            buffer: Vec::with_capacity(PIECE_BYTES + 1024),
            hasher: blake3::Hasher::new(),
        }
    }

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

    fn finish(&mut self, storage: &dyn Storage, name: &str) -> io::Result<()> {
        self.hasher.update(&self.buffer);
        let hash = self.hasher.finalize();
        self.buffer.extend_from_slice(hash.as_bytes());
        self.flush()?;
        self.file.sync()?;
        storage.rename(UNFINISHED, name)?;
        storage.sync()
    }
}

pub(super) fn put_header(out: &mut Vec<u8>, header: &Header) {
    out.extend_from_slice(&MAGIC);
    out.put_u32(FORMAT_VERSION);
    out.put_u32(0);
    out.extend_from_slice(&header.ledger.0);
    out.put_u64(header.boundary.position);
    out.put_u64(header.boundary.next_sequence);
    out.extend_from_slice(&header.boundary.chain.0);
    out.put_i64(header.last_at.as_micros());
    out.put_u64(header.accounts);
    out.put_u64(header.closed);
    out.put_u64(header.keys);
}

fn put_number(out: &mut Vec<u8>, number: AccountNumber) {
    let (first, second) = number.halves();
    out.put_u64(first);
    out.put_u64(second);
}

pub(super) fn put_account(out: &mut Vec<u8>, number: AccountNumber, account: &AccountState) {
    put_number(out, number);
    out.put_i64(account.balance.get());
    out.put_u64(account.created.get());
    out.put_i64(account.created_at.as_micros());
    out.put_i64(account.last_updated.as_micros());
    out.put_u64(account.links.entries());
    out.put_u64(account.links.last());
    out.put_u64(account.links.milestones().len() as u64);
    for milestone in account.links.milestones() {
        out.put_u64(*milestone);
    }
}

pub(super) fn put_closed(out: &mut Vec<u8>, number: AccountNumber, position: Position) {
    put_number(out, number);
    out.put_u64(position);
}

pub(super) fn put_key(out: &mut Vec<u8>, key: &IdempotencyKey, kept: &Kept) {
    let record = Record {
        sequence: 0,
        at: kept.at,
        change: kept.change,
        outcome: kept.outcome,
        link: Link::default(),
        key: Some(key.clone()),
    };
    record.encode(out);
}
