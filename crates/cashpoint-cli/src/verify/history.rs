//! What clients did and what they were told: the records that histories are made of.

use std::num::NonZeroI64;

use schemars::JsonSchema;
use serde::Serialize;

/// What is done to an account. Sums are in cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    /// Reads its balance.
    Balance,
    /// Reads its balance, as part of a listing.
    List,
    Deposit(i64),
    Withdraw(i64),
    Close,
}

/// What a client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// It was done, or read, and the balance is this, in cents.
    Balance(i64),
    /// The account was closed.
    Closed,
    /// There is not enough money on the account.
    InsufficientFunds,
    /// There is no such account.
    UnknownAccount,
    /// Nothing, or nothing that can be understood. It may have been done, now or later, or not.
    Unknown,
}

/// An operation, from its call to its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Call {
    /// Which account, by its number in this run.
    pub(super) account: u32,
    /// Who called.
    pub(super) worker: u32,
    pub(super) action: Action,
    pub(super) outcome: Outcome,
    /// When it was called, and when its answer was there, in nanoseconds from the beginning of the run. By the
    /// one clock of the client, so that what one answer precedes is known.
    pub(super) called: u64,
    pub(super) answered: u64,
    /// The time that the answer tells, in microseconds since 1970.
    pub(super) told_at: Option<NonZeroI64>,
}
