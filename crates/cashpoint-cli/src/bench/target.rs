//! What is measured, seen from the runner: something with accounts that a number of workers can drive.

use std::time::Duration;

use super::record::{Measurements, Round};
use super::workload::{Mix, Skew};
use crate::client::Broken;

/// One thing to measure: a mix of operations, driven by so many workers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Case {
    /// What is done.
    pub(crate) mix: Mix,
    /// To which accounts.
    pub(crate) skew: Skew,
    /// How many threads of a program, or connections of a client, do it.
    pub(crate) workers: usize,
    /// How many operations a second all of them begin together, whether the earlier ones are done or not;
    /// without a rate each begins the next one when it has an answer.
    pub(crate) rate: Option<f64>,
}

impl Case {
    /// How long each of so many threads waits from one start to the next, if there is a rate.
    #[expect(clippy::float_arithmetic, reason = "a rate, not money")]
    pub(super) fn interval(&self, threads: usize) -> Option<Duration> {
        let interval = |rate: f64| Duration::try_from_secs_f64(threads as f64 / rate);
        self.rate.and_then(|rate| interval(rate).ok())
    }
}

/// Something that keeps accounts. It has opened its accounts when it comes to be.
pub(super) trait Target: Sync {
    /// What it is, for a report.
    fn description(&self) -> String;

    /// What its workers are called.
    fn workers(&self) -> &'static str;

    /// The process to ask for processor time and memory.
    fn process(&self) -> Option<u32>;

    /// How many accounts it has.
    fn accounts(&self) -> usize;

    /// What was on each account at first, in cents.
    fn initial_cents(&self) -> i64;

    /// Drives it for a round.
    fn drive(&self, case: &Case, round: &Round<'_>) -> Result<Measurements, Broken>;

    /// Comes to rest after the last round, before the books are checked, and returns what was seen of it beside the
    /// rounds: pairs of a name and a text for a person.
    fn rest(&mut self) -> Result<Vec<(String, String)>, Broken> {
        Ok(Vec::new())
    }

    /// What is on its accounts, in cents, at rest.
    fn balances(&self, done: &(dyn Fn(u64) + Sync)) -> Result<Vec<i64>, Broken>;

    /// Closes the accounts.
    fn close(&mut self, done: &(dyn Fn(u64) + Sync)) -> Result<(), Broken>;
}
