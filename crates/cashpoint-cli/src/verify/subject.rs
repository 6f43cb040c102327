//! What is verified, seen from a worker: something that keeps accounts, and tells what came of what was asked.

use std::collections::BTreeMap;

use cashpoint::{AccountNumber, Cents};

use super::history::{Action, Outcome};
use crate::client::Broken;

/// Something that keeps accounts.
pub(super) trait Subject: Sync {
    /// One worker's way to it.
    fn session(&self) -> Box<dyn Session + '_>;

    /// How many accounts there are, and may be.
    fn room(&self) -> Result<Room, Broken>;
}

/// How many accounts there are, and may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) count: usize,
    pub(super) limit: usize,
}

/// One worker's way to the accounts: one operation after another.
pub(super) trait Session: Send {
    /// Opens an account.
    fn create(&mut self, initial: Cents) -> Created;

    /// Does something to an account. `None` if it cannot have been done, because nothing was sent.
    fn call(&mut self, number: AccountNumber, action: Action) -> Option<Outcome>;

    /// All accounts and their balances in cents, as a listing shows them. `None` if there was none.
    fn list(&mut self) -> Option<Vec<(AccountNumber, i64)>>;

    /// Takes what was seen so far that no history can hold.
    fn take_oddities(&mut self) -> Oddities;
}

/// Whether something was told of what was asked; `None` is what was not even sent.
pub(super) fn is_answered(outcome: Option<Outcome>) -> bool {
    !matches!(outcome, None | Some(Outcome::Unknown))
}

/// What came of opening an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Created {
    /// It is open.
    Opened(AccountNumber),
    /// There are as many as allowed.
    LimitReached,
    /// It may be open under a number that nobody was told.
    Unknown,
    /// It is not: nothing was sent, or the server's settings do not allow it.
    NotOpened,
}

/// Kinds of things that were seen, how often, and one example of each.
#[derive(Clone, Debug, Default)]
pub(super) struct Oddities {
    /// Answers that the contract does not have. They convict.
    pub(super) wrong: BTreeMap<String, (u64, String)>,
    /// Errors after which an outcome is unknown. They do not.
    pub(super) errors: BTreeMap<String, u64>,
}

impl Oddities {
    /// An answer that the contract does not have.
    pub(super) fn wrong(&mut self, kind: &str, example: impl FnOnce() -> String) {
        if let Some((count, _)) = self.wrong.get_mut(kind) {
            *count += 1;
        } else {
            self.wrong.insert(kind.to_owned(), (1, example()));
        }
    }

    /// An error.
    pub(super) fn error(&mut self, kind: String) {
        *self.errors.entry(kind).or_default() += 1;
    }

    /// Adds those of another worker.
    pub(super) fn add(&mut self, other: Self) {
        for (kind, (count, example)) in other.wrong {
            self.wrong.entry(kind).or_insert((0, example)).0 += count;
        }
        for (kind, count) in other.errors {
            *self.errors.entry(kind).or_default() += count;
        }
    }
}
