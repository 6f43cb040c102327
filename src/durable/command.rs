//! What callers send to the sequencer, and what comes back.

use futures_channel::oneshot;

use crate::journal::encoded_bytes;
use crate::values::change::{Answer, Change, NotDone};
use crate::values::idempotency_key::IdempotencyKey;

/// A change, and the key that guards it if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurableCommand {
    /// What to do.
    pub change: Change,
    /// With the same key, the same change is done once, and answered as it was. All callers share one namespace of keys:
    /// draw them at [random](IdempotencyKey::random).
    pub key: Option<IdempotencyKey>,
}

impl From<Change> for DurableCommand {
    fn from(change: Change) -> Self {
        Self { change, key: None }
    }
}

/// Commands with one completion.
#[derive(Debug)]
pub(crate) enum Submission {
    One(DurableCommand, oneshot::Sender<Answer>),
    Many(Vec<DurableCommand>, oneshot::Sender<Vec<Answer>>),
}

/// Answers that wait for their records to be durable.
#[derive(Debug)]
pub(crate) enum Reply {
    One(Answer, oneshot::Sender<Answer>),
    Many(Vec<Answer>, oneshot::Sender<Vec<Answer>>),
}

impl Submission {
    /// How many commands there are.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::One(..) => 1,
            Self::Many(commands, _) => commands.len(),
        }
    }

    /// The most bytes that its records take.
    pub(crate) fn record_bytes_max(&self) -> usize {
        match self {
            Self::One(command, _) => encoded_bytes(command.key.as_ref()),
            Self::Many(commands, _) => commands
                .iter()
                .map(|command| encoded_bytes(command.key.as_ref()))
                .sum(),
        }
    }

    /// Answers all of it with `answer`.
    pub(crate) fn turn_away(self, not_done: NotDone) -> Reply {
        self.settle(|_| Err(not_done))
    }

    /// Has each command answered by `answer`, in order.
    pub(crate) fn settle(self, mut answer: impl FnMut(&DurableCommand) -> Answer) -> Reply {
        match self {
            Self::One(command, reply) => Reply::One(answer(&command), reply),
            Self::Many(commands, reply) => {
                Reply::Many(commands.iter().map(answer).collect(), reply)
            }
        }
    }
}

impl Reply {
    /// How many commands it answers.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::One(..) => 1,
            Self::Many(answers, _) => answers.len(),
        }
    }

    /// Sends it. Whoever asked may have gone: then nobody hears of it, and it happened all the same.
    pub(crate) fn send(self) {
        match self {
            Self::One(answer, reply) => drop(reply.send(answer)),
            Self::Many(answers, reply) => drop(reply.send(answers)),
        }
    }

    /// Sends `not_done` in the place of each answer.
    pub(crate) fn fail(self, not_done: NotDone) {
        match self {
            Self::One(_, reply) => drop(reply.send(Err(not_done))),
            Self::Many(answers, reply) => {
                drop(reply.send(vec![Err(not_done); answers.len()]));
            }
        }
    }
}
