//! For tests: a snapshot as it is made with all of the books, and of itself, in memory. What [`take`](super::take)
//! makes is the same to the byte.

use std::collections::HashMap;
use std::sync::Arc;

use super::read::{Header, Reading};
use super::write::{put_account, put_closed, put_header, put_key};
use super::{newest, positions};
use crate::journal::scan::{Boundary, scan};
use crate::journal::state::ledger_state::LedgerState;
use crate::journal::storage::Storage;
use crate::journal::{LedgerId, Position};
use crate::values::idempotency_key::IdempotencyKey;
use crate::values::key_digest::{KeyDigest, KeyDigestHash};
use crate::values::key_policy::KeyPolicy;

/// The books at a place between two segments, and the texts of their keys.
pub(crate) struct Reference {
    ledger: LedgerId,
    pub(crate) boundary: Boundary,
    pub(crate) books: LedgerState,
    keys: HashMap<KeyDigest, IdempotencyKey, KeyDigestHash>,
}

/// The snapshot at the begin of the segment at `until`.
pub(crate) fn at(storage: &Arc<dyn Storage>, policy: KeyPolicy, until: Position) -> Reference {
    let (newest, _) = newest(&**storage, policy).unwrap();
    let mut keys = HashMap::default();
    if newest.is_some() {
        let mut reading = Reading::open(&**storage, positions(&**storage).unwrap()[0]).unwrap();
        while reading.account().unwrap().is_some() {}
        while reading.closed().unwrap().is_some() {}
        while let Some((key, _)) = reading.key().unwrap() {
            keys.insert(KeyDigest::of(&key), key);
        }
    }
    let from = newest.as_ref().map(|it| (it.ledger, it.boundary));
    let mut books = newest.map_or_else(|| LedgerState::new(policy), |it| it.books);
    let end = scan(
        &**storage,
        from,
        Some(until),
        &mut |record, position| {
            let key = record.key.iter().cloned();
            keys.extend(key.map(|key| (KeyDigest::of(&key), key)));
            books.apply(record, position)
        },
        &mut |_| {},
    );
    let end = end.unwrap().unwrap();
    Reference {
        ledger: end.ledger,
        boundary: end.boundary,
        books,
        keys,
    }
}

/// What is in the file of a snapshot, with the closed accounts in the order of their closing, or in the opposite one.
pub(crate) fn content(snapshot: &Reference, is_closed_reversed: bool) -> Vec<u8> {
    let books = &snapshot.books;
    let header = Header {
        ledger: snapshot.ledger,
        boundary: snapshot.boundary,
        last_at: books.last_at,
        accounts: books.accounts.len() as u64,
        closed: books.closed.len() as u64,
        keys: books.keys.len() as u64,
    };
    let mut out = Vec::new();
    put_header(&mut out, &header);
    for (number, account) in books.accounts.by_creation() {
        put_account(&mut out, number, account);
    }
    let mut closed: Vec<_> = books.closed.iter().collect();
    closed.sort_unstable_by_key(|(_, position)| **position);
    if is_closed_reversed {
        closed.reverse();
    }
    for (number, position) in closed {
        put_closed(&mut out, *number, *position);
    }
    for (key, kept) in books.keys.iter() {
        put_key(&mut out, &snapshot.keys[&key], kept);
    }
    let hash = blake3::hash(&out);
    out.extend_from_slice(hash.as_bytes());
    out
}
