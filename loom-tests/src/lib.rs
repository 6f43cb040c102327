//! The engine as shipped, over loom's atomics.
//!
//! The files are those of the crate `cashpoint`, not copies. What is `pub(crate)` there and stands in a
//! model is opened up here. The models are in `tests/`; run them with `cargo test -p loom-tests`, and with
//! `-- --nocapture` to see how many executions each took.

#[path = "../../src/engine/mod.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "the models take of it what has atomics"
)]
mod engine;
#[path = "../../src/values/mod.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "the engine takes of them what it needs"
)]
mod values;

use engine::creation_index::page;
use engine::{capacity, lifecycle, sync};

pub use engine::account::Account;
pub use values::change::Refusal;
pub use values::error::{CreateError, DepositError, UnknownAccount, WithdrawError};
pub use values::money::{Amount, Cents, ParseCentsError};
pub use values::operation::Operation;

/// How a load is shown to loom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loads {
    /// As it ships. It may read any value that the memory model allows, but hides interleavings.
    Plain,
    /// As `fetch_add(0)`: no interleaving is hidden, but it always reads the newest value.
    ReadModifyWrite,
}

/// Sets how loads are modelled from now on, on this OS thread.
pub fn model_loads_as(loads: Loads) {
    sync::model_loads_as(match loads {
        Loads::Plain => sync::Loads::Plain,
        Loads::ReadModifyWrite => sync::Loads::ReadModifyWrite,
    });
}

/// The ledger's way to open an account: `publish` runs once a slot is reserved.
///
/// # Errors
///
/// [`CreateError::LimitReached`] if no slot is free.
pub fn open<T>(capacity: &Capacity, publish: impl FnOnce() -> T) -> Result<T, CreateError> {
    lifecycle::open(&capacity.0, publish)
}

/// The ledger's way to close an account: `unlink` takes it out of the directory.
///
/// # Errors
///
/// [`UnknownAccount`] if somebody else closed it first.
pub fn close(
    account: &Account,
    unlink: impl FnOnce(),
    capacity: &Capacity,
) -> Result<Cents, UnknownAccount> {
    lifecycle::close(account, unlink, &capacity.0)
}

/// The durable ledger's way to set a balance.
pub fn settle(account: &Account, balance: Cents) {
    account.settle(balance);
}

/// Whether something can be found: what stands in the models for an entry of the map. Its loads are
/// modelled as those of the engine are, for the same reason.
#[derive(Debug)]
pub struct Link(sync::AtomicI64);

impl Link {
    /// A link that is there, or is not.
    #[must_use]
    pub fn new(is_there: bool) -> Self {
        Self(sync::AtomicI64::new(is_there.into()))
    }

    /// Whether it is there: an `Acquire` load, as a lookup in papaya is.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.0.load(sync::Ordering::Acquire) != 0
    }

    /// Makes it be there or not, and tells whether it was: an `AcqRel` swap, as papaya's insertion and
    /// removal are.
    #[must_use]
    pub fn set(&self, is_there: bool) -> bool {
        self.0.swap(is_there.into(), sync::Ordering::AcqRel) != 0
    }
}

/// The slots of the limit of accounts.
#[derive(Debug)]
pub struct Capacity(capacity::Capacity);

impl Capacity {
    /// Free slots.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(capacity::Capacity::new(limit))
    }

    /// How many are reserved.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.0.in_use()
    }

    /// Reserves a slot and gives it back at once. Returns whether there was one.
    #[must_use]
    pub fn reserve_and_release(&self) -> bool {
        self.0.reserve().is_ok()
    }
}

/// A page of the creation index.
#[derive(Debug)]
pub struct Page<const PLACES: usize>(page::Page<PLACES>);

impl<const PLACES: usize> Default for Page<PLACES> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const PLACES: usize> Page<PLACES> {
    /// With nothing on it.
    #[must_use]
    pub fn new() -> Self {
        Self(page::Page::new())
    }

    /// Writes a number to a place, once.
    pub fn write(&self, place: usize, number: (u64, u64)) {
        self.0.write(place, number);
    }

    /// What is at a place.
    #[must_use]
    pub fn read(&self, place: usize) -> Option<(u64, u64)> {
        self.0.read(place)
    }

    /// Clears a place, once, and tells whether it was the last.
    #[must_use]
    pub fn remove(&self, place: usize) -> bool {
        self.0.remove(place)
    }
}
