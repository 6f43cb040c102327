//! A request with an idempotency key, and an answer to the letter.

use cashpoint::{AccountNumber, IdempotencyKey};

use super::history::Action;
use super::shown::shown;

/// A request with a key.
#[derive(Clone, Debug)]
pub(super) struct Keyed {
    pub(super) number: AccountNumber,
    pub(super) action: Action,
    pub(super) key: IdempotencyKey,
}

impl Keyed {
    /// With a key that nobody has used.
    pub(super) fn new(number: AccountNumber, action: Action) -> Self {
        Self {
            number,
            action,
            key: IdempotencyKey::random(),
        }
    }
}

/// A status and a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verbatim {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Verbatim {
    /// Whether it is kept under its key: it is done, or refused for good.
    pub(super) fn is_kept(&self) -> bool {
        matches!(self.status, 200 | 400)
    }

    pub(super) fn line(&self) -> String {
        format!("{} {}", self.status, shown(&self.body))
    }
}
