//! How an account comes and goes: the order of events, apart from any directory.
//!
//! Both functions take what touches the directory as a closure. The ledger passes its map; the loom
//! models pass a slot, because the map's own atomics cannot run under loom. The order, which is what
//! can go wrong, is this code in both.
//!
//! Invariants:
//!
//! 1. An account that can be found holds a slot of the [`Capacity`].
//! 2. An account that can no longer be found is closed.

use super::account::Account;
use super::capacity::Capacity;
use crate::values::error::{CreateError, UnknownAccount};
use crate::values::money::Cents;

/// Opens an account: `publish` makes it visible, after a slot is reserved for it.
///
/// # Errors
///
/// [`CreateError::LimitReached`] if no slot is free; `publish` is not called then.
pub(crate) fn open<T>(capacity: &Capacity, publish: impl FnOnce() -> T) -> Result<T, CreateError> {
    let slot = capacity.reserve()?;
    let published = publish();
    slot.keep();
    Ok(published)
}

/// Closes an account and returns the balance that was left on it; `unlink` takes it out of the
/// directory.
///
/// The swap to closed comes first. An operation that found the cell before it was unlinked and acts on
/// it afterwards then finds it closed and refuses, instead of succeeding on an account that nobody can
/// find any more. The slot comes last, so that a new account never joins one that is still visible.
///
/// # Errors
///
/// [`UnknownAccount`] if somebody else closed it first; `unlink` is not called then.
pub(crate) fn close(
    account: &Account,
    unlink: impl FnOnce(),
    capacity: &Capacity,
) -> Result<Cents, UnknownAccount> {
    let balance = account.close()?;
    unlink();
    capacity.release();
    Ok(balance)
}
