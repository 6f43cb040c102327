//! For tests: a snapshot as it is made with all of the books, and of itself, in memory. What [`take`](super::take) makes is the
//! same to the byte.

use std::sync::Arc;

use super::read::Header;
use super::write::{put_account, put_closed, put_header, put_key};
use super::{Snapshot, newest};
use crate::journal::Position;
use crate::journal::books::Books;
use crate::journal::scan::scan;
use crate::journal::storage::Storage;
use crate::key_policy::KeyPolicy;

/// The snapshot at the begin of the segment at `until`.
pub(crate) fn at(storage: &Arc<dyn Storage>, policy: KeyPolicy, until: Position) -> Snapshot {
    let (newest, _) = newest(&**storage, policy).unwrap();
    let from = newest.as_ref().map(|it| (it.ledger, it.boundary));
    let mut books = newest.map_or_else(|| Books::new(policy), |it| it.books);
    let end = scan(
        &**storage,
        from,
        Some(until),
        &mut |record, position| books.apply(record, position),
        &mut |_| {},
    );
    let end = end.unwrap().unwrap();
    Snapshot {
        ledger: end.ledger,
        boundary: end.boundary,
        books,
    }
}

/// What is in the file of a snapshot, with the closed accounts in the order of their closing, or in the opposite one.
pub(crate) fn content(snapshot: &Snapshot, is_closed_reversed: bool) -> Vec<u8> {
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
        put_key(&mut out, key, kept);
    }
    let hash = blake3::hash(&out);
    out.extend_from_slice(hash.as_bytes());
    out
}
