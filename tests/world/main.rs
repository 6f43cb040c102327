//! The world around the process, at its worst: clients, logs, directories, disks and clocks that misbehave.
//!
//! Each test runs the real binary. `cargo test --test world` runs them all; a test that needs what a machine may
//! not have (a mount, `faketime`) says so and what to install.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test states what it expects by panicking"
)]

#[expect(dead_code, reason = "the tests of the contract use the rest")]
#[path = "../support/mod.rs"]
mod support;

mod clients;
mod clock;
mod custody;
mod directory;
mod disk;
mod log;
mod readers;
mod stuck_disk;

use std::io::Write as _;

/// Says that a test was skipped, and why; or fails, where `demanded` is in the environment.
fn skipped(demanded: &str, test: &str, why: &str) {
    assert!(std::env::var_os(demanded).is_none(), "{test}: {why}");
    tell_skipped(test, why);
}

/// Says it past the test harness, which keeps what passing tests print to itself.
fn tell_skipped(test: &str, why: &str) {
    let why = why.lines().next().unwrap_or_default();
    let line = format!("SKIPPED {test}: {why}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
