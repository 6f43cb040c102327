//! Forged journals: their checksums and hashes are right, and what they say is not.
//!
//! Whoever audits runs `cashpoint journal check`, `show` and `export` on what he is handed, and a restore runs `serve` on
//! what a backup holds. Both must survive anything, and what `check` calls whole must be what `serve` shows.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test states what it expects by panicking"
)]

#[path = "../forger/mod.rs"]
mod forger;

mod examples;
mod fuzz;
mod program;
