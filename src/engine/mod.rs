//! The engine: balances in atomics, in a map of accounts, changed by loops of load and compare-exchange.
//!
//! [`sync`] is the one file that knows with which atomics. Everything here also compiles over loom's and shuttle's, in
//! the crates `loom-tests` and `shuttle-tests`.

pub(crate) mod account;
pub(crate) mod account_summary;
pub(crate) mod account_times;
pub(crate) mod batch;
pub(crate) mod capacity;
pub(crate) mod creation_index;
pub(crate) mod ledger;
pub(crate) mod lifecycle;
pub(crate) mod session;
pub(crate) mod sync;
