//! What can be done to a balance, as a value: for callers that have several operations to do at once.

use super::change::Refusal;
use super::money::{Amount, Cents};
use super::rules::{after_deposit, after_withdrawal};

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

impl Operation {
    /// The balance that it leaves where there was `balance`.
    pub(crate) fn on(self, balance: Cents) -> Result<Cents, Refusal> {
        match self {
            Self::Balance => Ok(balance),
            Self::Deposit(amount) => Ok(after_deposit(balance, amount)?),
            Self::Withdraw(amount) => Ok(after_withdrawal(balance, amount)?),
        }
    }
}
