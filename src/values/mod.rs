//! What the ledger speaks of: money, account numbers, times, idempotency keys, changes, and why they are refused.
//!
//! Values know nothing of each other's use: no atomics, no map, no disk.

pub(crate) mod account_number;
pub(crate) mod change;
pub(crate) mod error;
pub(crate) mod idempotency_key;
pub(crate) mod key_digest;
pub(crate) mod key_policy;
pub(crate) mod money;
pub(crate) mod operation;
pub(crate) mod rules;
pub(crate) mod timestamp;
pub(crate) mod warning;
