//! The rules of the ledger: what a change does to the balance of its account.
//!
//! They are written once, here. The account's compare-and-swap loops and through them the memory service, the sequencer,
//! recovery and the history all ask these functions.

use super::change::{Change, Refusal};
use super::error::{DepositError, UnknownAccount, WithdrawError};
use super::money::{Amount, Cents};

/// What `change` does to an account with this `balance`, or without one if it is not open: the balance that the
/// [receipt](super::change::Receipt) tells.
#[cfg_attr(
    not(feature = "durable"),
    expect(dead_code, reason = "the memory service has its accounts decide")
)]
pub(crate) fn effect_on(balance: Option<Cents>, change: Change) -> Result<Cents, Refusal> {
    let open = balance.ok_or(UnknownAccount);
    Ok(match change {
        Change::Open { initial } => initial,
        Change::Deposit { amount, .. } => after_deposit(open?, amount)?,
        Change::Withdraw { amount, .. } => after_withdrawal(open?, amount)?,
        Change::Close { .. } => open?,
    })
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
