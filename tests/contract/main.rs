//! The REST contract over real sockets: each module is a part of it, each test a sentence of it.
//!
//! The tests start the shipped binary and know nothing of the code behind it. Where the contract
//! fixes bytes, bytes are compared, not parsed JSON.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test states what it expects by panicking"
)]

#[path = "../model/mod.rs"]
mod model;
#[expect(dead_code, reason = "the tests of the world use the rest")]
#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod amounts;
mod answers;
mod caches;
mod command_line;
mod concurrency;
mod connections;
mod cors;
mod docs;
mod health;
mod history;
mod hosts;
mod http;
mod idempotency;
mod invalid_input;
mod limits;
mod logs;
mod machine;
mod malformed_http;
mod origins;
mod paging;
mod redirects;
mod refusals;
mod settings;
mod shutdown;
