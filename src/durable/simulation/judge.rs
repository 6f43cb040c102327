//! Holds what the shipped code has against what the model says.

use super::model::{Account, Entry, Micros, Model};
use crate::durable::published::Published;
use crate::journal::state::ledger_state::LedgerState;
use crate::journal::{Record, Storage, scan};
use crate::values::account_number::AccountNumber;
use crate::values::change::{Effect, Refusal};
use crate::values::key_digest::KeyDigest;

/// The books are in a state: balances, order of creation, closed accounts, times, keys.
pub(super) fn books(books: &LedgerState, model: &Model) {
    assert_eq!(books.next_sequence, model.records + 1);
    assert_eq!(books.last_at.as_micros(), model.last_at);
    let accounts = books.accounts.by_creation();
    let accounts: Vec<_> = accounts
        .map(|(number, it)| (number, it.balance.get()))
        .collect();
    assert_eq!(accounts, model.open());
    for (number, state) in books.accounts.by_creation() {
        let times = (state.created_at, state.last_updated);
        let account = find(model, number);
        assert_eq!(
            (times.0.as_micros(), times.1.as_micros()),
            times_of(account)
        );
        assert_eq!(state.links.entries(), account.entries.len() as u64);
    }
    let mut closed: Vec<_> = books.closed.keys().copied().collect();
    closed.sort_unstable();
    assert_eq!(closed, closed_in(model));
    let keys: Vec<(KeyDigest, Result<Effect, Refusal>)> = books
        .keys
        .iter()
        .filter(|(key, _)| books.keys.find(*key, books.last_at).is_some())
        .map(|(key, kept)| (key, kept.outcome))
        .collect();
    let digest = |key: &str| KeyDigest::of(&key.parse().unwrap());
    let expected = model.live_keys().into_iter();
    let expected: Vec<_> = expected.map(|it| (digest(&it.key), it.outcome)).collect();
    assert_eq!(keys, expected, "the keys");
}

/// Readers see a state.
pub(super) fn published(published: &Published, model: &Model) {
    let session = published.ledger.pin();
    let open: Vec<_> = session
        .accounts_after(None)
        .map(|it| {
            let times = (&it.metadata.times, find(model, it.number));
            let seen = (times.0.created_at(), times.0.last_updated());
            assert_eq!((seen.0.as_micros(), seen.1.as_micros()), times_of(times.1));
            (it.number, it.balance.get())
        })
        .collect();
    assert_eq!(open, model.open());
    assert_eq!(published.ledger.count(), open.len());
}

/// Readers find all entries of all accounts, each from the one behind it.
pub(super) fn entries(published: &Published, model: &Model) {
    for account in &model.accounts {
        let mut position = published.head(account.number).unwrap();
        for (index, entry) in account.entries.iter().enumerate().rev() {
            let record = published.reader.record(position).unwrap();
            assert_eq!(record.link.entry, index as u64 + 1);
            assert_eq!(record.number(), Some(account.number));
            let found = Entry {
                change: record.change,
                balance: record.outcome.unwrap().balance.get(),
                at: record.at.as_micros(),
            };
            assert_eq!(found, *entry);
            position = record.link.previous;
        }
        assert_eq!(position, 0, "nothing is before the opening");
    }
}

/// All records, from the first.
pub(super) fn records(storage: &dyn Storage) -> Vec<Record> {
    let mut records = Vec::new();
    let mut visit = |record: &Record, _| {
        records.push(record.clone());
        Ok(())
    };
    scan(storage, None, None, &mut visit, &mut |_| {}).unwrap();
    records
}

fn find(model: &Model, number: AccountNumber) -> &Account {
    let mut accounts = model.accounts.iter();
    accounts.find(|account| account.number == number).unwrap()
}

fn times_of(account: &Account) -> (Micros, Micros) {
    let (first, last) = (account.entries.first(), account.entries.last());
    (first.unwrap().at, last.unwrap().at)
}

fn closed_in(model: &Model) -> Vec<AccountNumber> {
    let closed = model.accounts.iter().filter(|it| it.balance.is_none());
    let mut closed: Vec<_> = closed.map(|account| account.number).collect();
    closed.sort_unstable();
    closed
}
