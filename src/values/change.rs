//! What changes a ledger, and what comes of it, as values: for whoever keeps them, sends them on, or writes
//! them down.

use std::time::Duration;

use super::account_number::AccountNumber;
use super::error::{CreateError, DepositError, UnknownAccount, WithdrawError};
use super::money::{Amount, Cents};
use super::timestamp::Timestamp;

/// Something that is asked for and would change a ledger.
///
/// Two requests are the same if their changes are equal: what was sent for an amount, `1.5` or `"1.50"`, is
/// no part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Open an account that holds `initial`.
    Open {
        /// The balance to begin with.
        initial: Cents,
    },
    /// Add an amount to an account.
    Deposit {
        /// The account.
        number: AccountNumber,
        /// How much.
        amount: Amount,
    },
    /// Take an amount out of an account.
    Withdraw {
        /// The account.
        number: AccountNumber,
        /// How much.
        amount: Amount,
    },
    /// Close an account for good.
    Close {
        /// The account.
        number: AccountNumber,
    },
}

impl Change {
    /// The account that it names.
    #[must_use]
    pub fn number(self) -> Option<AccountNumber> {
        match self {
            Self::Open { .. } => None,
            Self::Deposit { number, .. }
            | Self::Withdraw { number, .. }
            | Self::Close { number } => Some(number),
        }
    }
}

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The account: the new one where one was opened.
    pub number: AccountNumber,
    /// The balance right after it; for a closing, the balance that was left on the account.
    pub balance: Cents,
    /// When it happened. Times of one account never run backwards, whatever the clock does.
    pub at: Timestamp,
}

/// Why a change was refused, by a rule of the ledger. A refusal has changed nothing.
///
/// Whoever serves a ledger has to have an answer for each, so this is exhaustive: one more is a change of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// See [`UnknownAccount`].
    #[error(transparent)]
    UnknownAccount(#[from] UnknownAccount),
    /// The balance was below the amount.
    #[error("insufficient funds: {available} available")]
    InsufficientFunds {
        /// The balance that the refusal was decided on.
        available: Cents,
    },
    /// The balance would have exceeded [`Cents::MAX`].
    #[error(
        "a balance of {balance} cannot grow by that much: the largest is {}",
        Cents::MAX
    )]
    BalanceLimit {
        /// The balance that the refusal was decided on.
        balance: Cents,
    },
    /// There were as many accounts as allowed.
    #[error("maximum number of accounts ({limit}) reached")]
    AccountLimit {
        /// The largest number of accounts that may exist at a time.
        limit: usize,
    },
}

impl Refusal {
    /// Whether the same request with the same idempotency key is refused again, without a look at the ledger.
    ///
    /// Not where it depends on the moment: a creation that was refused for want of room succeeds once there is room, also
    /// with its old key. And not where there is no such account: there never will be, so nothing needs to be
    /// remembered, and requests for accounts that never were must not fill the keys.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        match self {
            Self::InsufficientFunds { .. } | Self::BalanceLimit { .. } => true,
            Self::UnknownAccount(_) | Self::AccountLimit { .. } => false,
        }
    }
}

/// What came of a change.
pub type ChangeOutcome = Result<Receipt, Refusal>;

impl From<CreateError> for Refusal {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::LimitReached { limit } => Self::AccountLimit { limit },
        }
    }
}

impl From<DepositError> for Refusal {
    fn from(error: DepositError) -> Self {
        match error {
            DepositError::UnknownAccount => UnknownAccount.into(),
            DepositError::BalanceLimit { balance } => Self::BalanceLimit { balance },
        }
    }
}

impl From<WithdrawError> for Refusal {
    fn from(error: WithdrawError) -> Self {
        match error {
            WithdrawError::UnknownAccount => UnknownAccount.into(),
            WithdrawError::InsufficientFunds { available } => Self::InsufficientFunds { available },
        }
    }
}

/// What was answered to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// What came of it.
    pub outcome: ChangeOutcome,
    /// Whether this is the answer to an earlier request with the same key, given again. Nothing was done
    /// now.
    pub replayed: bool,
}

/// What a request comes to: an answer, which may be a refusal by a rule of the ledger; or none, for a reason
/// that has nothing to do with it.
pub type Answer = Result<Answered, NotDone>;

impl From<ChangeOutcome> for Answered {
    fn from(outcome: ChangeOutcome) -> Self {
        Self {
            outcome,
            replayed: false,
        }
    }
}

/// Why a request came to no answer. Nothing was done, other than perhaps with [`Failed`](NotDone::Failed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotDone {
    /// The key was used before, with another request.
    #[error("the idempotency key was used before with another request")]
    KeyReused,
    /// As many keys are kept as may be. There is room again once the oldest are past their time.
    #[error("too many idempotency keys are kept")]
    TooManyKeys {
        /// How long until the oldest is past its time.
        retry_after: Duration,
    },
    /// More is waiting than may: ask again a little later.
    #[error("too many requests are waiting")]
    Busy,
    /// The disk is full: ask again once there is room.
    #[error("the disk is full")]
    DiskFull,
    /// The next file of the journal cannot be made, for another reason than a full disk: ask again a little later.
    #[error("the next file of the journal cannot be made")]
    NoSegment,
    /// The journal could not be written while this was on its way. It may have been done or not; the
    /// journal tells, once it is opened again.
    #[error("the journal could not be written; whether this was done is not known")]
    Failed,
    /// The journal could not be written earlier. Nothing is done any more until it is opened again.
    #[error("the journal could not be written earlier; nothing can be changed any more")]
    ReadOnly,
    /// The ledger is being closed.
    #[error("the ledger is closed")]
    Stopped,
}
