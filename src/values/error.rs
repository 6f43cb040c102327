//! What can be refused, one type per operation.
//!
//! A refusal changes nothing. None of these types knows of HTTP: the server gives them their status.

use super::money::Cents;

/// There is no open account with this number: there never was, or it has been closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("account not found")]
pub struct UnknownAccount;

/// Why an account was not created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// As many accounts as allowed exist, are being created, or are still being closed.
    #[error("maximum number of accounts ({limit}) reached")]
    LimitReached {
        /// The largest number of accounts that may exist at a time.
        limit: usize,
    },
}

/// Why a deposit was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DepositError {
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
}

/// Why a withdrawal was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WithdrawError {
    /// See [`UnknownAccount`].
    #[error("account not found")]
    UnknownAccount,
    /// The balance was below the amount.
    #[error("insufficient funds: {available} available")]
    InsufficientFunds {
        /// The balance that the refusal was decided on.
        available: Cents,
    },
}

impl From<UnknownAccount> for DepositError {
    fn from(_: UnknownAccount) -> Self {
        Self::UnknownAccount
    }
}

impl From<UnknownAccount> for WithdrawError {
    fn from(_: UnknownAccount) -> Self {
        Self::UnknownAccount
    }
}
