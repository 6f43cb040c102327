//! What is verified, seen from a worker: something that keeps accounts, and tells what came of what was asked.

use std::collections::BTreeMap;
use std::num::NonZeroI64;

use cashpoint::{AccountNumber, Cents};

use super::history::{Action, Outcome};
use super::keyed::{Keyed, Verbatim};
use crate::client::{Broken, Manner};

/// Something that keeps accounts.
pub(super) trait Subject: Sync {
    /// One worker's way to it.
    fn session(&self) -> Box<dyn Session + '_>;

    /// How many accounts there are, and may be.
    fn room(&self) -> Result<Room, Broken>;

    /// Whether it does a request once that is sent again with its idempotency key.
    fn keeps_keys(&self) -> bool {
        false
    }

    /// Whether clients can hang up.
    fn can_hang_up(&self) -> bool {
        false
    }

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

    /// Asks for an account with a debt on it. The status of the answer, if there is one.
    fn create_nonsense(&mut self) -> Option<u16> {
        None
    }

    /// Returns when the next request may be sent.
    fn ready(&mut self) {}

    /// Does something to an account. `None` if it cannot have been done, because nothing was sent.
    fn call(&mut self, number: AccountNumber, action: Action) -> Option<Answered> {
        self.call_as(Manner::Plain, number, action)
    }

    /// The same by a client of this manner.
    fn call_as(
        &mut self,
        manner: Manner,
        number: AccountNumber,
        action: Action,
    ) -> Option<Answered>;

    /// The same with an idempotency key. What was answered, also to the letter, if anything was.
    fn call_with_key(&mut self, keyed: &Keyed) -> (Option<Answered>, Option<Verbatim>) {
        (self.call(keyed.number, keyed.action), None)
    }

    /// Sends a request with a key once more. What was answered, if anything was, and if it keeps keys.
    fn call_again(&mut self, _keyed: &Keyed) -> Option<Verbatim> {
        None
    }

    /// Asks for something to be done to an account, with an idempotency key if there is one, and hangs up at this stage. Whether
    /// all was sent, so that it may have been done.
    fn hang_up(
        &mut self,
        _number: AccountNumber,
        _action: Action,
        _key: Option<&Keyed>,
        _stage: Stage,
    ) -> bool {
        false
    }

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

/// How far a request gets before its client hangs up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// A part of it is sent.
    Half,
    /// All of it is sent.
    Sent,
    /// The first bytes of the answer are there.
    Begun,
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
