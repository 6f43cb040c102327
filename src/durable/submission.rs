//! What callers send to the sequencer, and what comes back.

use futures_channel::oneshot;

use crate::journal::encoded_bytes;
use crate::values::change::{Command, CommandError, NotDone, Receipt};

/// What a command is answered.
pub(crate) type Answer = Result<Receipt, CommandError>;

/// Commands with one completion.
#[derive(Debug)]
pub(crate) enum Submission {
    One(Command, oneshot::Sender<Answer>),
    Many(Vec<Command>, oneshot::Sender<Vec<Answer>>),
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
        self.settle(|_| Err(not_done.into()))
    }

    /// Has each command answered by `answer`, in order.
    pub(crate) fn settle(self, mut answer: impl FnMut(&Command) -> Answer) -> Reply {
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
            Self::One(_, reply) => drop(reply.send(Err(not_done.into()))),
            Self::Many(answers, reply) => {
                drop(reply.send(vec![Err(not_done.into()); answers.len()]));
            }
        }
    }
}
