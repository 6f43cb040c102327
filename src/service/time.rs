//! When things happened. No decision about money depends on it.

use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;
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

/// When an account was created, and when money last moved on it.
#[derive(Debug)]
pub(super) struct AccountTimes {
    created_at: Timestamp,
    last_updated_us: AtomicI64,
}

impl AccountTimes {
    pub(super) fn created(at: Timestamp) -> Self {
        Self {
            created_at: at,
            last_updated_us: AtomicI64::new(at.0),
        }
    }

    pub(super) fn created_at(&self) -> Timestamp {
        self.created_at
    }

    pub(super) fn last_updated(&self) -> Timestamp {
        // ORDERING: Relaxed. The time stands for itself; it is not read to conclude anything else.
        Timestamp(self.last_updated_us.load(Relaxed))
    }

    /// Notes that money moved `now`, and returns the time to tell: `now`, or the time of a later move
    /// if the clock was set back, so that an account's times never run backwards.
    pub(super) fn touch(&self, now: Timestamp) -> Timestamp {
        // ORDERING: Relaxed, as above. `fetch_max` alone makes the time monotone.
        let before = self.last_updated_us.fetch_max(now.0, Relaxed);
        Timestamp(before.max(now.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accounts_times_never_run_backwards() {
        let times = AccountTimes::created(Timestamp(100));
        assert_eq!(times.last_updated(), times.created_at());
        assert_eq!(times.touch(Timestamp(300)), Timestamp(300));
        assert_eq!(
            times.touch(Timestamp(200)),
            Timestamp(300),
            "the clock was set back"
        );
        assert_eq!(times.last_updated(), Timestamp(300));
        assert_eq!(times.created_at(), Timestamp(100));
    }
}
