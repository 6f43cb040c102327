//! What is verified, seen from a worker: something that keeps accounts, and tells what came of what was asked.

use std::collections::BTreeMap;
use std::num::NonZeroI64;

use cashpoint::{AccountNumber, Cents};

use super::history::{Action, Outcome};
use crate::client::Broken;

/// Something that keeps accounts.
pub(super) trait Subject: Sync {
    /// One worker's way to it.
    fn session(&self) -> Box<dyn Session + '_>;

    /// How many accounts there are, and may be.
    fn room(&self) -> Result<Room, Broken>;

    /// The largest sum that it takes at a time, in cents.
    fn largest(&self) -> i64 {
        LARGEST_CENTS
    }
}

/// The largest sum that a transaction may have by default, in cents.
pub(super) const LARGEST_CENTS: i64 = 1_000_000;

/// How many accounts there are, and may be, as the subject says: it may be nonsense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) count: i64,
    pub(super) limit: i64,
}

/// One worker's way to the accounts: one operation after another.
pub(super) trait Session: Send {
    /// Opens an account.
    fn create(&mut self, initial: Cents) -> Created;

    /// Does something to an account. `None` if it cannot have been done, because nothing was sent.
    fn call(&mut self, number: AccountNumber, action: Action) -> Option<Answered>;

    /// A listing of all accounts. `None` if there was none.
    fn list(&mut self) -> Option<Listed>;

    /// Takes what was seen so far that no history can hold.
    fn take_oddities(&mut self) -> Oddities;
}

/// What was answered to what was done to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) outcome: Outcome,
    /// The time that the answer tells, in microseconds since 1970.
    pub(super) told_at: Option<NonZeroI64>,
}

impl From<Outcome> for Answered {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            told_at: None,
        }
    }
}

/// What a listing shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    /// The accounts and their balances in cents, in the order in which they stand there.
    pub(super) rows: Vec<(AccountNumber, i64)>,
    /// How many there are, as it says.
    pub(super) total: u64,
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
