//! What changes a ledger, and what comes of it, as values: for whoever keeps them, sends them on, or writes
//! them down.

use std::time::Duration;

use super::account_number::AccountNumber;
use super::error::{CreateError, DepositError, UnknownAccount, WithdrawError};
use super::idempotency_key::IdempotencyKey;
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

    /// This change, guarded by an idempotency key.
    #[must_use]
    pub fn with_key(self, key: IdempotencyKey) -> Command {
        Command {
            change: self,
            key: Some(key),
        }
    }
}

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The account: the new one where one was opened.
    pub number: AccountNumber,
    /// The balance right after it; for a closing, the balance that was left on the account.
    pub balance: Cents,
    /// When it happened. Times of one account never run backwards, whatever the clock does.
    pub at: Timestamp,
    /// Whether this is the answer to an earlier command with the same [idempotency key](IdempotencyKey), given again.
    /// Nothing was done now.
    pub replayed: bool,
}

/// What a change did to an account, without the time: that belongs to the whole change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Effect {
    /// The account: the new one where one was opened.
    pub number: AccountNumber,
    /// The balance right after it; for a closing, the balance that was left on the account.
    pub balance: Cents,
}

impl Effect {
    /// The receipt of what happened at this time.
    pub(crate) fn at(self, at: Timestamp) -> Receipt {
        let Self { number, balance } = self;
        Receipt {
            number,
            balance,
            at,
            replayed: false,
        }
    }
}

/// Why a change was refused, by a rule of the ledger. A refusal has changed nothing.
///
/// Whoever serves a ledger has to have an answer for each, so this is exhaustive: one more is a change of the interface.
// In this order the refusal of a deposit becomes one of these without an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// See [`UnknownAccount`].
    #[error("account not found")]
    UnknownAccount,
    /// The balance would have exceeded [`Cents::MAX`].
    #[error(
        "a balance of {balance} cannot grow by that much: the largest is {}",
        Cents::MAX
    )]
    BalanceLimit {
        /// The balance that the refusal was decided on.
        balance: Cents,
    },
    /// The balance was below the amount.
    #[error("insufficient funds: {available} available")]
    InsufficientFunds {
        /// The balance that the refusal was decided on.
        available: Cents,
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
            Self::UnknownAccount | Self::AccountLimit { .. } => false,
        }
    }
}

impl From<UnknownAccount> for Refusal {
    fn from(_: UnknownAccount) -> Self {
        Self::UnknownAccount
    }
}

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
            DepositError::UnknownAccount => Self::UnknownAccount,
            DepositError::BalanceLimit { balance } => Self::BalanceLimit { balance },
        }
    }
}

impl From<WithdrawError> for Refusal {
    fn from(error: WithdrawError) -> Self {
        match error {
            WithdrawError::UnknownAccount => Self::UnknownAccount,
            WithdrawError::InsufficientFunds { available } => Self::InsufficientFunds { available },
        }
    }
}

/// A change, and the key that guards it if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What to do.
    pub change: Change,
    /// With the same key, the same change is done once, and answered as it was. All callers share one namespace of keys:
    /// draw them at [random](IdempotencyKey::random).
    pub key: Option<IdempotencyKey>,
}

impl From<Change> for Command {
    fn from(change: Change) -> Self {
        Self { change, key: None }
    }
}

/// Why there is no receipt for a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// A rule of the ledger refuses it. Nothing has changed.
    #[error("{refusal}")]
    Refused {
        /// By which rule.
        refusal: Refusal,
        /// Whether this is the answer to an earlier command with the same key, given again.
        replayed: bool,
    },
    /// It was not done, for a reason that has nothing to do with the rules.
    #[error(transparent)]
    NotDone(#[from] NotDone),
}

impl CommandError {
    /// The rule that refuses the command, if one does.
    #[must_use]
    pub fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal),
            Self::NotDone(_) => None,
        }
    }
}

/// What is answered where `outcome` came of a command: now, or earlier, to another one with the same key.
pub(crate) fn answer(
    outcome: Result<Receipt, Refusal>,
    replayed: bool,
) -> Result<Receipt, CommandError> {
    match outcome {
        Ok(receipt) => Ok(Receipt {
            replayed,
            ..receipt
        }),
        Err(refusal) => Err(CommandError::Refused { refusal, replayed }),
    }
}

/// Why a command was not done, other than by a [refusal](Refusal). Only with [`Failed`](NotDone::Failed) it may have been
/// done all the same.
///
/// Exhaustive for the same reason as [`Refusal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
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
