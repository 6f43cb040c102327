//! A lock-free concurrent ledger engine, exact to the cent.
//!
//! ```
//! use cashpoint::{Amount, Ledger, WithdrawError};
//!
//! let ledger = Ledger::new(1_000);
//! let account = ledger.create("100.0".parse()?)?;
//! let amount: Amount = "30.0".parse()?;
//!
//! assert_eq!(ledger.withdraw(account, amount)?.to_string(), "70.0");
//! assert_eq!(ledger.close(account)?.to_string(), "70.0");
//! assert_eq!(ledger.withdraw(account, amount), Err(WithdrawError::UnknownAccount));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Guarantees
//!
//! - **Exact.** Money is whole [`Cents`]. It is read from decimal text and printed as decimal text; no
//!   binary float is on the way. No interleaving of operations creates or loses a cent.
//! - **Linearizable.** Each operation on an account takes effect at one instant between its call and
//!   its return. A balance is never negative and never above [`Cents::MAX`], not even for an instant.
//! - **Refusals change nothing.** What returns an error has had no effect.
//! - **A closed account stays closed.** Once [`Ledger::close`] has returned the final balance, no
//!   operation succeeds on the account, also none that had begun before and found it open.
//! - **The limit is exact.** There are never more accounts than allowed, under any race. While a
//!   closing is still under way its account counts, and a creation may be refused.
//! - **Listings are weakly consistent.** They are in order of creation and can be resumed from any
//!   account. An account that is open throughout appears exactly once, one that comes or goes meanwhile
//!   at most once. The balances are each exact, but read one after another: their sum is not that of one
//!   instant while money moves.
//! - **Lock-free.** A thread that is stopped in the middle of an operation on an account never keeps
//!   others from theirs. (The map shares the work of growing; presized by its limit it does not grow.)
//! - **In memory.** Nothing survives the process. For a ledger that is kept on disk, see `durable`.
//!
//! The loom models in the crate `loom-tests` run the shipped account, capacity and closing code over
//! all interleavings of two and three operations, and assert that the outcomes are exactly those of
//! sequential orders.
//!
//! # Features
//!
//! `durable`, which is on by default, adds the ledger that is kept on disk, with its journal and the history of accounts.
//! The engine needs none: `default-features = false`. The REST service is the crate `cashpoint-server`, the command line
//! the package `cashpoint-cli`.

// They panic where they cannot write.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

#[cfg(feature = "durable")]
pub mod durable;
mod engine;
#[cfg(feature = "durable")]
pub mod history;
#[cfg(feature = "durable")]
pub mod journal;
pub mod service;
mod values;

pub use engine::account::Account;
pub use engine::creation_index::CreationNumber;
pub use engine::ledger::Ledger;
pub use engine::session::{AccountView, Session, Updated};
pub use values::account_number::{AccountNumber, ParseAccountNumberError};
pub use values::change::{Change, Command, CommandError, Effect, NotDone, Receipt, Refusal};
pub use values::error::{CreateError, DepositError, UnknownAccount, WithdrawError};
pub use values::idempotency_key::{IdempotencyKey, ParseIdempotencyKeyError};
pub use values::key_policy::KeyPolicy;
pub use values::money::{Amount, Cents, ParseAmountError, ParseCentsError};
pub use values::operation::Operation;
pub use values::timestamp::Timestamp;
pub use values::warning::{NextStart, Warning};

#[cfg(doctest)]
#[doc = include_str!("../docs/embedding.md")]
struct Embedding;
