//! The models. Each states every outcome that may be, and fails if another comes up, or if one of them
//! does not.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a model states what it expects by panicking"
)]

mod coming_and_going;
mod creation_index_page;
mod listing;
mod one_account;
mod outcomes;
mod settling;
mod two_accounts;
