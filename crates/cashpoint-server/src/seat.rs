//! The place of one connection among all: since when its client has been idle, and how it is asked to leave.
//!
//! # Invariants
//!
//! 1. *Idle is what hyper waits on.* A connection is idle from the moment in which hyper begins to wait for the head of a
//!    request until that head is complete. hyper sets the deadline of the head then: so it costs one store a request,
//!    and no clock.
//! 2. *Whoever is asked to leave loses nothing.* A connection ends as at a stop of the server: at once between two
//!    requests, else after the answer to the one that it is in. A request that arrives at the same moment is answered,
//!    or was not begun. A client in the middle of a head is idle, too, and stays until it has finished it or its time is
//!    over.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use hyper::rt::{Sleep, Timer};

use super::timer::ConnectionTimer;

/// Stands in the place of a deadline while a request is under way.
const BUSY: u64 = u64::MAX;

/// Stands in the place of a time until somebody asks.
const NEVER: u64 = u64::MAX;

/// The place of one connection.
#[derive(Debug)]
pub(super) struct Seat {
    /// What all times are counted from.
    since: Instant,
    /// By when the head of the next request has to be complete, in nanoseconds; or [`BUSY`].
    head_due: AtomicU64,
    /// When it was asked to leave, in nanoseconds; or [`NEVER`].
    asked: AtomicU64,
    /// The connection's task.
    task: AtomicWaker,
}

impl Seat {
    /// A seat whose deadlines are compared with those of others of the same `since`.
    pub(super) fn new(since: Instant) -> Arc<Self> {
        Arc::new(Self {
            since,
            head_due: AtomicU64::new(BUSY),
            asked: AtomicU64::new(NEVER),
            task: AtomicWaker::new(),
        })
    }

    /// Notes that a request has arrived.
    pub(super) fn begins_request(&self) {
        // ORDERING: Relaxed, because whoever reads it only chooses whom to ask to leave, and may choose anybody.
        self.head_due.store(BUSY, Relaxed);
    }

    fn waits_until(&self, deadline: Instant) {
        // ORDERING: Relaxed, as above.
        self.head_due.store(self.nanoseconds(deadline), Relaxed);
    }

    fn nanoseconds(&self, time: Instant) -> u64 {
        time.saturating_duration_since(self.since).as_nanos() as u64
    }

    /// When the head of the next request is due; the earlier, the longer the client has been idle. `None` while a
    /// request is under way.
    pub(super) fn idle(&self) -> Option<u64> {
        // ORDERING: Relaxed, as above.
        let due = self.head_due.load(Relaxed);
        (due != BUSY).then_some(due)
    }

    /// Asks the connection to end.
    pub(super) fn ask_to_leave(&self) {
        self.begins_request();
        // ORDERING: Release, pairs with the Acquire load in `leaves`.
        self.asked.store(self.nanoseconds(Instant::now()), Release);
        self.task.wake();
    }

    /// Whether it was asked to at this time or later.
    pub(super) fn was_asked_since(&self, time: Instant) -> bool {
        // ORDERING: Relaxed, because whoever reads it only chooses whom to ask next.
        let asked = self.asked.load(Relaxed);
        asked != NEVER && asked >= self.nanoseconds(time)
    }

    /// Ready once it is asked to, and from then on. Only the connection's task waits for it.
    pub(super) fn leaves(&self) -> impl Future<Output = ()> {
        poll_fn(|cx| {
            // Before the look: whoever asks behind it wakes this.
            self.task.register(cx.waker());
            // ORDERING: Acquire, pairs with the Release store in `ask_to_leave`.
            match self.asked.load(Acquire) {
                NEVER => Poll::Pending,
                _ => Poll::Ready(()),
            }
        })
    }
}

/// The timer that hyper has for the heads of requests: it tells the seat since when it waits.
#[derive(Debug)]
pub(super) struct HeadTimer {
    pub(super) timer: ConnectionTimer,
    pub(super) seat: Arc<Seat>,
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.seat.waits_until(deadline);
        self.timer.sleep_until(deadline)
    }
}
