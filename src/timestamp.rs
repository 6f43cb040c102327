//! Times. No decision about money depends on one.

use std::time::{SystemTime, UNIX_EPOCH};

/// A time: microseconds since 1970-01-01 00:00 UTC, leap seconds not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// What the system's clock shows; 1970 if it shows an earlier time.
    #[must_use]
    pub fn now() -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }

    /// The time that is so many microseconds after 1970-01-01 00:00 UTC.
    #[must_use]
    pub const fn from_micros(microseconds: i64) -> Self {
        Self(microseconds)
    }

    /// Microseconds since 1970-01-01 00:00 UTC.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }
}
