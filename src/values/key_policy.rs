//! How long idempotency keys are kept, and how many.

use std::time::Duration;

#[cfg(feature = "durable")]
use super::timestamp::Timestamp;

/// How long keys are kept, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPolicy {
    /// How long a key is kept after its request.
    pub window: Duration,
    /// The largest number of keys. A request with one more is turned away: to drop a key before its time
    /// could turn a retry into a second movement.
    pub keys_max: usize,
}

impl Default for KeyPolicy {
    /// A day, and a million keys.
    fn default() -> Self {
        Self {
            window: Duration::from_secs(24 * 60 * 60),
            keys_max: 1_000_000,
        }
    }
}

impl KeyPolicy {
    /// Whether a key of this time need not be kept any more.
    #[cfg(feature = "durable")]
    pub(crate) fn is_over(&self, at: Timestamp, now: Timestamp) -> bool {
        self.left(at, now).is_zero()
    }

    /// For how long a key of this time is to be kept still.
    #[cfg(feature = "durable")]
    pub(crate) fn left(&self, at: Timestamp, now: Timestamp) -> Duration {
        let age_us = now.as_micros().saturating_sub(at.as_micros());
        let age = Duration::from_micros(u64::try_from(age_us).unwrap_or(0));
        self.window.saturating_sub(age)
    }
}
