//! The timer of one connection, by which a client is given up that does not finish the head of a request, or does not take
//! its answers.
//!
//! hyper sets a deadline for each request, and nearly all are met. A timer of tokio's for each would be made, entered into
//! a wheel that all threads share, and taken out again, with every request. Here a connection has one, which is left
//! where it is while deadlines move on: when it fires, the deadline that counts by then is looked at.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::Timer;

/// Makes deadlines that share one timer of tokio's. Only one task waits for them, that of the connection.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectionTimer(Arc<Mutex<Option<Alarm>>>);

/// A timer of tokio's, which fires no later than any deadline that somebody waits for.
type Alarm = Pin<Box<tokio::time::Sleep>>;

/// A deadline. It costs little until somebody waits for it.
#[derive(Debug)]
pub(super) struct Deadline {
    at: Instant,
    alarm: Arc<Mutex<Option<Alarm>>>,
}

impl ConnectionTimer {
    pub(super) fn deadline(&self, at: Instant) -> Deadline {
        let alarm = Arc::clone(&self.0);
        Deadline { at, alarm }
    }
}

impl Timer for ConnectionTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, at: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(self.deadline(at))
    }
}

impl hyper::rt::Sleep for Deadline {}

impl Future for Deadline {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let at = tokio::time::Instant::from_std(self.at);
        let mut alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        let alarm = alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if alarm.deadline() > at {
            alarm.as_mut().reset(at);
        }
        ready!(alarm.as_mut().poll(cx));
        while alarm.deadline() < at {
            // It fired for an earlier deadline.
            alarm.as_mut().reset(at);
            ready!(alarm.as_mut().poll(cx));
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn each_deadline_is_kept_whatever_the_order() {
        let timer = ConnectionTimer::default();
        let begin = Instant::now();
        let until = |ms| timer.sleep_until(begin + Duration::from_millis(ms));
        // One that nobody waits for to its end leaves its alarm behind.
        let mut left = until(20);
        assert!((&mut left).now_or_never().is_none());
        drop(left);
        for (ms, earlier) in [(60, 0), (90, 60), (90, 90)] {
            assert!(begin.elapsed() >= Duration::from_millis(earlier));
            until(ms).await;
            assert!(begin.elapsed() >= Duration::from_millis(ms));
        }
        // A later alarm does not delay an earlier deadline.
        let mut later = timer.sleep(Duration::from_secs(3600));
        assert!((&mut later).now_or_never().is_none());
        timer.sleep(Duration::from_millis(5)).await;
        assert!((&mut later).now_or_never().is_none());
    }
}
