//! What a journal amounts to: the accounts, the closed ones and the keys after its last record.

pub(crate) mod accounts;
pub(crate) mod keys;
pub(crate) mod ledger_state;
