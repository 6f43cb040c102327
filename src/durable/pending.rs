//! Answers to come: to await, or to wait for.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use futures_channel::oneshot::Receiver;

use crate::values::change::{CommandError, NotDone, Receipt};

/// The answer to one command, once its record is durable.
///
/// Await it, in any runtime, or [wait](Pending::wait) for it. Dropped, at any time, the command is done all the same.
#[derive(Debug)]
#[must_use = "the command is under way; whether it succeeds, only the answer tells"]
pub struct Pending(pub(super) Receiver<Result<Receipt, CommandError>>);

impl Pending {
    /// Waits for the answer. Blocks the thread; in async code, await it instead.
    ///
    /// # Errors
    ///
    /// [`CommandError`] if it was refused or not done.
    pub fn wait(self) -> Result<Receipt, CommandError> {
        block_on(self)
    }
}

impl Future for Pending {
    type Output = Result<Receipt, CommandError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // The other end is gone without an answer only if its thread has panicked.
        Pin::new(&mut self.get_mut().0)
            .poll(context)
            .map(|answer| answer.unwrap_or(Err(NotDone::Failed.into())))
    }
}

/// The answers to several commands, in their order, once their records are durable.
///
/// Await it, in any runtime, or [wait](PendingAll::wait) for it. Dropped, at any time, the commands are done all the
/// same.
#[derive(Debug)]
#[must_use = "the commands are under way; whether they succeed, only the answers tell"]
pub struct PendingAll {
    pub(super) answers: Receiver<Vec<Result<Receipt, CommandError>>>,
    pub(super) count: usize,
}

impl PendingAll {
    /// Waits for the answers. Blocks the thread; in async code, await it instead.
    #[must_use]
    pub fn wait(self) -> Vec<Result<Receipt, CommandError>> {
        block_on(self)
    }
}

impl Future for PendingAll {
    type Output = Vec<Result<Receipt, CommandError>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let count = this.count;
        Pin::new(&mut this.answers)
            .poll(context)
            .map(|answers| answers.unwrap_or_else(|_| vec![Err(NotDone::Failed.into()); count]))
    }
}

/// Polls a future until it is ready. The thread sleeps meanwhile.
fn block_on<F: Future + Unpin>(mut future: F) -> F::Output {
    // With many under way, most answers are there by now, and nobody has to be woken.
    let mut at_once = Context::from_waker(Waker::noop());
    if let Poll::Ready(output) = Pin::new(&mut future).poll(&mut at_once) {
        return output;
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = Pin::new(&mut future).poll(&mut context) {
            return output;
        }
        // If it was woken in between, the thread has a token, and does not sleep.
        thread::park();
    }
}

/// Wakes a thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
