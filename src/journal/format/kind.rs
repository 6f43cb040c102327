//! What was asked for, as people call it.

use std::fmt;

use crate::values::change::Change;

/// The kind of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An account was to be opened.
    Opening,
    /// Money was to be added to an account.
    Deposit,
    /// Money was to be taken out of an account.
    Withdrawal,
    /// An account was to be closed, and what was left on it paid out.
    Closing,
}

impl Kind {
    /// Its name, a noun.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Deposit => "deposit",
            Self::Withdrawal => "withdrawal",
            Self::Closing => "closing",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As text, so that it can be padded.
        f.pad(self.name())
    }
}

impl From<Change> for Kind {
    fn from(change: Change) -> Self {
        match change {
            Change::Open { .. } => Self::Opening,
            Change::Deposit { .. } => Self::Deposit,
            Change::Withdraw { .. } => Self::Withdrawal,
            Change::Close { .. } => Self::Closing,
        }
    }
}
