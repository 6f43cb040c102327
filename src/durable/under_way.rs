//! Since when something has been under way, for those who watch from other threads.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Something that one thread begins and ends at a time. Whoever watches never waits for that thread, which may be stuck.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    /// One more than the uptime in microseconds at which it began; 0 if nothing is under way.
    // ORDERING: Relaxed throughout. The word stands for itself.
    since: AtomicU64,
}

impl UnderWay {
    /// It begins, unless it has begun already.
    pub(super) fn begin(&self, uptime: Duration) {
        let since = micros(uptime).saturating_add(1);
        let _ = self.since.compare_exchange(0, since, Relaxed, Relaxed);
    }

    pub(super) fn end(&self) {
        self.since.store(0, Relaxed);
    }

    /// For how long it has been under way.
    pub(super) fn lasts(&self, uptime: Duration) -> Option<Duration> {
        let begun = self.since.load(Relaxed).checked_sub(1)?;
        Some(Duration::from_micros(micros(uptime).saturating_sub(begun)))
    }
}

fn micros(uptime: Duration) -> u64 {
    u64::try_from(uptime.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_begun_lasts_from_its_begin_to_its_end() {
        let under_way = UnderWay::default();
        let second = Duration::from_secs(1);
        assert_eq!(under_way.lasts(second), None);
        under_way.begin(Duration::ZERO);
        under_way.begin(second);
        assert_eq!(under_way.lasts(2 * second), Some(2 * second));
        under_way.end();
        assert_eq!(under_way.lasts(2 * second), None);
        under_way.begin(3 * second);
        assert_eq!(under_way.lasts(3 * second), Some(Duration::ZERO));
    }
}
