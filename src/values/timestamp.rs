//! Times. No decision about money depends on one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

    /// How far this is from another time, in either direction.
    #[must_use]
    pub fn distance(self, other: Self) -> Duration {
        Duration::from_micros(self.0.abs_diff(other.0))
    }
}

/// A length of time as people say it, rounded down to the largest unit that there are two of.
#[must_use]
pub fn about(duration: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    const YEAR: u64 = 365 * DAY;
    let seconds = duration.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / MINUTE),
        7_200..172_800 => format!("{} h", seconds / HOUR),
        _ if seconds < 2 * YEAR => format!("{} days", seconds / DAY),
        _ => format!("{} years", seconds / YEAR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_the_unit_that_fits() {
        const DAY: u64 = 24 * 60 * 60;
        for (seconds, text) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_199, "119 min"),
            (7_200, "2 h"),
            (2 * DAY - 1, "47 h"),
            (2 * DAY, "2 days"),
            (729 * DAY, "729 days"),
            (730 * DAY, "2 years"),
            (26_500 * DAY, "72 years"),
        ] {
            assert_eq!(about(Duration::from_secs(seconds)), text);
        }
    }
}
