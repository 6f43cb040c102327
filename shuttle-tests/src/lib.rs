//! The engine as shipped, over shuttle's atomics and with its real map.
//!
//! The files are those of the crate `cashpoint`, not copies: [`Ledger`], [`Session`], the roster, accounts,
//! the capacity, and their coming and going. What shuttle schedules is each access to an atomic of ours
//! (`src/sync.rs`). An operation of the map (papaya) or of the skip list is one step: their atomics are the
//! standard library's, and are their authors' to verify. All orderings are sequentially consistent here;
//! weak ones are what the loom models are for.
//!
//! What is run, and what is checked of it, is in [`schedule`]. The tests are in `tests/`; run them with
//! `cargo test -p shuttle-tests`, and with `-- --nocapture` to see how many schedules ran, and how fast.

#[path = "../../src/account.rs"]
mod account;
#[path = "../../src/account_number.rs"]
mod account_number;
#[path = "../../src/batch.rs"]
mod batch;
#[path = "../../src/capacity.rs"]
mod capacity;
#[path = "../../src/error.rs"]
mod error;
#[path = "../../src/ledger.rs"]
mod ledger;
#[path = "../../src/lifecycle.rs"]
mod lifecycle;
#[path = "../../src/money.rs"]
mod money;
#[path = "../../src/operation.rs"]
mod operation;
#[path = "../../src/roster.rs"]
mod roster;
pub mod schedule;
#[path = "../../src/session.rs"]
mod session;
#[path = "../../src/sync.rs"]
mod sync;

pub use account::Account;
pub use account_number::{AccountNumber, ParseAccountNumberError};
pub use batch::Command;
pub use capacity::{Capacity, Reservation};
pub use error::{
    CreateError, DepositError, LedgerError, OperationError, UnknownAccount, WithdrawError,
};
pub use ledger::Ledger;
pub use money::{Amount, Cents, ParseCentsError};
pub use operation::{Operation, Outcome};
pub use roster::CreationNumber;
pub use session::{AccountView, Posting, Session};

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
