//! Talking to a server of the contract: what `bench` and `verify` have in common.
//!
//! Both decide themselves when they send what, and on which connection, and must know of each request whether
//! it may have been done; no HTTP client leaves them that. Here is the rest: where a server is (`address`),
//! where its answers end (`answer`), one request after another (`connection`), and a server of our own to talk
//! to (`own_server`).

mod address;
mod answer;
mod connection;
mod own_server;

use std::fmt;

pub(crate) use address::Address;
#[cfg(test)]
pub(crate) use answer::assert_rules;
pub(crate) use answer::{Answer, Malformed, first};
pub(crate) use connection::{Connection, Lost, Reply};
pub(crate) use own_server::OwnServer;

/// Why something cannot be measured or verified, for a person.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Broken(pub(crate) String);

impl Broken {
    pub(crate) fn new(what: impl fmt::Display) -> Self {
        Self(what.to_string())
    }
}
