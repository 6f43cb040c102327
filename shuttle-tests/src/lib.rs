//! The engine as shipped, over shuttle's atomics and with its real map.
//!
//! The files are those of the crate `cashpoint`, not copies: [`Ledger`], [`Session`], the creation index, accounts,
//! the capacity, and their coming and going. What shuttle schedules is each access to an atomic of ours
//! (`src/engine/sync.rs`). An operation of the map (papaya) or of the skip list is one step: their atomics are the
//! standard library's, and are their authors' to verify. All orderings are sequentially consistent here;
//! weak ones are what the loom models are for.
//!
//! What is run, and what is checked of it, is in [`schedule`]. The tests are in `tests/`; run them with
//! `cargo test -p shuttle-tests`, and with `-- --nocapture` to see how many schedules ran, and how fast.

#[path = "../../src/engine/mod.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "times and listings are not scheduled"
)]
mod engine;
pub mod schedule;
#[path = "../../src/values/mod.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "the engine takes of them what it needs"
)]
mod values;

use engine::sync;

pub use engine::account::Account;
pub use engine::creation_index::CreationNumber;
pub use engine::ledger::Ledger;
pub use engine::session::{AccountView, Session, Updated};
pub use values::account_number::{AccountNumber, ParseAccountNumberError};
pub use values::change::Refusal;
pub use values::error::{CreateError, DepositError, UnknownAccount, WithdrawError};
pub use values::money::{Amount, Cents, ParseCentsError};
pub use values::operation::Operation;

/// One of the engine's atomics, for the tests of what shuttle schedules.
#[derive(Debug)]
pub struct Word(sync::AtomicI64);

impl Word {
    /// With a value.
    #[must_use]
    pub fn new(value: i64) -> Self {
        Self(sync::AtomicI64::new(value))
    }

    /// Reads it.
    #[must_use]
    pub fn load(&self) -> i64 {
        self.0.load(sync::Ordering::Acquire)
    }

    /// Replaces it.
    #[must_use]
    pub fn swap(&self, value: i64) -> i64 {
        self.0.swap(value, sync::Ordering::AcqRel)
    }

    /// Replaces it if it is `current`, and tells whether it was.
    #[must_use]
    pub fn exchange(&self, current: i64, new: i64) -> bool {
        use sync::Ordering::{AcqRel, Acquire};
        self.0
            .compare_exchange_weak(current, new, AcqRel, Acquire)
            .is_ok()
    }
}
