//! What can be done to a balance, as a value: for callers that have several operations to do at once.

use super::error::{DepositError, OperationError, WithdrawError};
use super::money::{Amount, Cents};

/// Something to do to the balance of an open account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Read the balance.
    Balance,
    /// Add an amount to it.
    Deposit(Amount),
    /// Take an amount out of it, if it covers that.
    Withdraw(Amount),
}

/// The balance right after an operation, or why it was refused.
pub type Outcome = Result<Cents, OperationError>;

impl Operation {
    /// What comes of it where the balance is `balance`.
    pub(crate) fn on(self, balance: Cents) -> Outcome {
        match self {
            Self::Balance => Ok(balance),
            Self::Deposit(amount) => Ok(after_deposit(balance, amount)?),
            Self::Withdraw(amount) => Ok(after_withdrawal(balance, amount)?),
        }
    }
}

/// The rule of a deposit: no balance exceeds [`Cents::MAX`].
pub(crate) fn after_deposit(balance: Cents, amount: Amount) -> Result<Cents, DepositError> {
    balance
        .checked_add(amount)
        .ok_or(DepositError::BalanceLimit { balance })
}

/// The rule of a withdrawal: no balance is negative.
pub(crate) fn after_withdrawal(available: Cents, amount: Amount) -> Result<Cents, WithdrawError> {
    available
        .checked_sub(amount)
        .ok_or(WithdrawError::InsufficientFunds { available })
}
