//! How much waits: a bound, so that a slow disk costs callers an error and not the machine its memory.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

/// A count of commands between submission and answer, with a largest value.
#[derive(Debug)]
pub(crate) struct Backlog {
    max: usize,
    waiting: AtomicUsize,
}

impl Backlog {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            waiting: AtomicUsize::new(0),
        }
    }

    /// Adds `commands`, unless there would be too many then.
    pub(crate) fn join(&self, commands: usize) -> bool {
        // ORDERING: Relaxed. The count stands for itself; the queue publishes what is counted.
        self.waiting
            .fetch_update(Relaxed, Relaxed, |waiting| {
                let waiting = waiting.checked_add(commands)?;
                (waiting <= self.max).then_some(waiting)
            })
            .is_ok()
    }

    /// Takes off `commands` that were added.
    pub(crate) fn leave(&self, commands: usize) {
        self.waiting.fetch_sub(commands, Relaxed);
    }

    /// How many there are now.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_stays_out() {
        let backlog = Backlog::new(3);
        assert!(backlog.join(2));
        assert!(!backlog.join(2));
        assert!(backlog.join(1));
        backlog.leave(3);
        assert!(backlog.join(3));
        assert_eq!(backlog.waiting(), 3);
    }
}
