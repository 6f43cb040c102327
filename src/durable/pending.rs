//! Answers to come: to await, or to wait for.

use std::pin::Pin;
use std::task::{Context, Poll};

use crate::change::{Answer, NotDone};

/// The answer to one command, once its record is durable.
///
/// Await it, in any runtime, or [wait](Pending::wait) for it. Dropped, the command is done all the same.
#[derive(Debug)]
#[must_use = "the command is under way; whether it succeeds, only the answer tells"]
pub struct Pending(pub(super) oneshot::Receiver<Answer>);

impl Pending {
    /// Waits for the answer. Blocks the thread; in async code, await it instead.
    ///
    /// # Errors
    ///
    /// [`NotDone`] if the command came to no answer.
    pub fn wait(self) -> Answer {
        // Whoever is to answer is gone only if its thread has panicked.
        self.0.recv().unwrap_or(Err(NotDone::Failed))
    }
}

impl Future for Pending {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        Pin::new(&mut self.get_mut().0)
            .poll(context)
            .map(|answer| answer.unwrap_or(Err(NotDone::Failed)))
    }
}

/// The answers to several commands, in their order, once their records are durable.
///
/// Await it, in any runtime, or [wait](PendingAll::wait) for it. Dropped, the commands are done all the same.
#[derive(Debug)]
#[must_use = "the commands are under way; whether they succeed, only the answers tell"]
pub struct PendingAll {
    pub(super) answers: oneshot::Receiver<Vec<Answer>>,
    pub(super) count: usize,
}

impl PendingAll {
    /// Waits for the answers. Blocks the thread; in async code, await it instead.
    #[must_use]
    pub fn wait(self) -> Vec<Answer> {
        let Self { answers, count } = self;
        answers
            .recv()
            .unwrap_or_else(|_| vec![Err(NotDone::Failed); count])
    }
}

impl Future for PendingAll {
    type Output = Vec<Answer>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Vec<Answer>> {
        let this = self.get_mut();
        let count = this.count;
        Pin::new(&mut this.answers)
            .poll(context)
            .map(|answers| answers.unwrap_or_else(|_| vec![Err(NotDone::Failed); count]))
    }
}
