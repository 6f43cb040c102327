//! How fast requests follow each other: as the user says (`--rate`), and as a server asks for (`Retry-After`).

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The longest time for which a server is left alone because it asks for that.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5);

/// At most so many requests a second, however many clients there are.
#[derive(Debug)]
pub(super) struct Pace {
    /// The time from one request to the next. `None` if they may follow as fast as they can.
    interval: Option<Duration>,
    /// When the next one may be sent.
    next: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(per_second: Option<NonZeroU32>) -> Self {
        Self {
            interval: per_second.map(|rate| Duration::from_secs(1) / rate.get()),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Returns when a request may be sent.
    pub(super) fn wait(&self) {
        let Some(interval) = self.interval else {
            return;
        };
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = (*next).max(Instant::now());
            *next = turn + interval;
            turn
        };
        thread::sleep(turn.saturating_duration_since(Instant::now()));
    }
}

/// For how long a server that has no time now asks to be left alone.
pub(super) fn retry_after(header: Option<&str>) -> Option<Duration> {
    let seconds = header?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_clients_together_keep_the_pace() {
        let pace = Pace::new(NonZeroU32::new(200));
        let began = Instant::now();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..5).for_each(|_| pace.wait()));
            }
        });
        // Twenty requests, and the first does not wait.
        assert!(began.elapsed() >= Duration::from_millis(95));
    }

    #[test]
    fn only_seconds_are_waited_for_and_not_too_many() {
        for (header, seconds) in [
            (None, None),
            (Some("2"), Some(2)),
            (Some(" 1 "), Some(1)),
            (Some("86400"), Some(5)),
            (Some("-1"), None),
            (Some("Fri, 27 Nov 2026 12:00:00 GMT"), None),
        ] {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(retry_after(header), expected, "{header:?}");
        }
    }
}
