//! A server: where it is, and how it is asked.

use std::time::Duration;

use super::pace::Pace;
use crate::client::Address;

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
}
