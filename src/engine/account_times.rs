//! When things happened to an account. No decision about money depends on it.

use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;

use crate::values::timestamp::Timestamp;

/// When an account was created, and when money last moved on it.
#[derive(Debug)]
pub(crate) struct AccountTimes {
    created_at: Timestamp,
    last_updated_us: AtomicI64,
}

impl AccountTimes {
    pub(crate) fn created(at: Timestamp) -> Self {
        Self {
            created_at: at,
            last_updated_us: AtomicI64::new(at.as_micros()),
        }
    }

    /// As it was: created at one time, last moved at another.
    #[cfg(feature = "durable")]
    pub(crate) fn restored(created_at: Timestamp, last_updated: Timestamp) -> Self {
        Self {
            created_at,
            last_updated_us: AtomicI64::new(last_updated.as_micros()),
        }
    }

    pub(crate) fn created_at(&self) -> Timestamp {
        self.created_at
    }

    pub(crate) fn last_updated(&self) -> Timestamp {
        // ORDERING: Relaxed. The time stands for itself; it is not read to conclude anything else.
        Timestamp::from_micros(self.last_updated_us.load(Relaxed))
    }

    /// Notes that money moved `now`, and returns the time to tell: `now`, or the time of a later move
    /// if the clock was set back, so that an account's times never run backwards.
    pub(crate) fn touch(&self, now: Timestamp) -> Timestamp {
        // ORDERING: Relaxed, as above. `fetch_max` alone makes the time monotone.
        let before = self.last_updated_us.fetch_max(now.as_micros(), Relaxed);
        Timestamp::from_micros(before.max(now.as_micros()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accounts_times_never_run_backwards() {
        let times = AccountTimes::created(Timestamp::from_micros(100));
        assert_eq!(times.last_updated(), times.created_at());
        assert_eq!(
            times.touch(Timestamp::from_micros(300)),
            Timestamp::from_micros(300)
        );
        assert_eq!(
            times.touch(Timestamp::from_micros(200)),
            Timestamp::from_micros(300),
            "the clock was set back"
        );
        assert_eq!(times.last_updated(), Timestamp::from_micros(300));
        assert_eq!(times.created_at(), Timestamp::from_micros(100));
    }
}
