//! A server: where it is, and how it is asked.

use std::time::Duration;

use super::pace::Pace;
use crate::client::{Address, Connection, Lost, Response};

/// A server, and how it is asked.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: Address,
    /// How long an answer may take.
    pub(super) timeout: Duration,
    pub(super) pace: Pace,
    /// How long an answer usually takes.
    pub(super) usual: Duration,
}

impl Server {
    /// One that takes no time to answer, as far as is known.
    pub(super) fn new(address: Address, timeout: Duration, pace: Pace) -> Self {
        Self {
            address,
            timeout,
            pace,
            usual: Duration::ZERO,
        }
    }

    /// A connection of its own.
    pub(super) fn connect(&self) -> Connection<'_> {
        Connection::new(&self.address, self.timeout)
    }

    /// Asks for one thing on a connection, when it is time to.
    pub(super) fn exchange<'c>(
        &self,
        connection: &'c mut Connection<'_>,
        method: &str,
        path: &str,
        json: Option<&str>,
    ) -> Result<Response<'c>, Lost> {
        self.pace.wait();
        connection.exchange(method, path, json)
    }
}
