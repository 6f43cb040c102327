//! Decides, in one order: the state machine of the durable ledger, without threads, clock or waiting.
//!
//! The [pipeline](super::pipeline) drives it: it [takes](Sequencer::take) submissions, [seals](Sequencer::seal) what came
//! together as a batch, and once that is durable it publishes it and sends the replies. Between seal and publication
//! the next batch forms.
//!
//! Invariants:
//!
//! 1. *Decided on the books, which are ahead.* A command is decided on what all commands before it did, also
//!    those whose batch is not durable yet. Its answer is sent with its batch or later, and batches become
//!    durable in order. So no answer depends on what a crash takes back.
//! 2. *Room first.* A command is decided only once there is room on the disk for its record. So a full disk
//!    refuses commands and undoes none.
//! 3. *Nothing is decided after a failure.*

use std::fmt;

use super::submission::{Reply, Submission};
use crate::journal::format::batch::HEADER_BYTES;
use crate::journal::prepared::Prepared;
use crate::journal::state::ledger_state::{Decision, LedgerState};
use crate::journal::{Batch, Position, Record, Tail};
use crate::values::account_number::AccountNumber;
use crate::values::change::{Command, CommandError, NotDone, Receipt, answer};
use crate::values::timestamp::Timestamp;

/// Decides commands into batches.
pub(crate) struct Sequencer {
    books: LedgerState,
    tail: Tail,
    account_limit: usize,
    batch_bytes_max: usize,
    draw: Box<dyn FnMut() -> AccountNumber + Send>,
    /// A segment to go on in once this one is full.
    prepared: Option<Prepared>,
    /// The segment that the next batch begins.
    roll_to: Option<Prepared>,
    forming: Forming,
    has_failed: bool,
}

/// A batch that is being decided.
#[derive(Debug)]
struct Forming {
    bytes: Vec<u8>,
    records: Vec<(Record, Position)>,
    replies: Vec<Reply>,
}

/// What happens once a batch is durable.
#[derive(Debug)]
pub(crate) struct Settlement {
    /// The segment that the batch begins.
    pub(crate) begun: Option<Position>,
    pub(crate) records: Vec<(Record, Position)>,
    pub(crate) replies: Vec<Reply>,
}

/// Why a submission was not taken. It comes back.
#[derive(Debug)]
pub(crate) enum NotTaken {
    /// The batch is full: seal it first.
    BatchFull(Submission),
    /// The segment is full, and no other is prepared.
    NoSegment(Submission),
}

impl Forming {
    fn new() -> Self {
        Self {
            bytes: vec![0; HEADER_BYTES],
            records: Vec::new(),
            replies: Vec::new(),
        }
    }
}

impl Sequencer {
    pub(crate) fn new(
        books: LedgerState,
        tail: Tail,
        account_limit: usize,
        batch_bytes_max: usize,
        draw: Box<dyn FnMut() -> AccountNumber + Send>,
    ) -> Self {
        Self {
            books,
            tail,
            account_limit,
            batch_bytes_max,
            draw,
            prepared: None,
            roll_to: None,
            forming: Forming::new(),
            has_failed: false,
        }
    }

    /// Whether it would be good to prepare a segment now: there is none, and this one is half full.
    pub(crate) fn wants_segment(&self) -> bool {
        self.prepared.is_none() && self.tail.is_half_full()
    }

    /// Here is the segment to go on in.
    pub(crate) fn prepare(&mut self, segment: Prepared) {
        self.prepared = Some(segment);
    }

    /// Decides all commands of a submission at `now`, into the batch that is forming.
    pub(crate) fn take(&mut self, submission: Submission, now: Timestamp) -> Result<(), NotTaken> {
        let bytes = self.forming.bytes.len() + submission.record_bytes_max();
        if bytes > self.batch_bytes_max && !self.forming.replies.is_empty() {
            return Err(NotTaken::BatchFull(submission));
        }
        if !self.tail.fits(bytes) {
            if !self.forming.records.is_empty() {
                return Err(NotTaken::BatchFull(submission));
            }
            match self.prepared.take() {
                Some(prepared) => {
                    self.roll_to = Some(prepared);
                    self.tail.roll();
                }
                None => return Err(NotTaken::NoSegment(submission)),
            }
        }
        if let Submission::Many(commands, _) = &submission {
            let numbers = commands.iter().filter_map(|it| it.change.number());
            self.books.accounts.fetch(numbers);
        }
        let reply = submission.settle(|command| self.decide(command, now));
        self.forming.replies.push(reply);
        Ok(())
    }

    fn decide(&mut self, command: &Command, now: Timestamp) -> Result<Receipt, CommandError> {
        let Command { change, key } = command;
        let (limit, draw) = (self.account_limit, &mut self.draw);
        match self.books.decide(*change, key.as_ref(), now, limit, draw) {
            Decision::Record(record) => {
                let outcome = record.outcome.map(|effect| effect.at(record.at));
                self.record(record)?;
                answer(outcome, false)
            }
            Decision::Answer(answer) => answer,
        }
    }

    /// The time of the last record.
    pub(crate) fn last_at(&self) -> Timestamp {
        self.books.last_at
    }

    /// When there will be room for one more idempotency key, if there is none.
    pub(crate) fn keys_full_until(&self) -> Option<Timestamp> {
        self.books.keys.full_until()
    }

    /// Whether the books are of no use any more: then nothing may be decided, nor written.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed
    }

    fn record(&mut self, record: Record) -> Result<(), NotDone> {
        let position = self.tail.position() + self.forming.bytes.len() as u64;
        // What was just decided on the books follows from them.
        if self.books.apply(&record, position).is_err() {
            self.has_failed = true;
            return Err(NotDone::Failed);
        }
        record.encode(&mut self.forming.bytes);
        self.forming.records.push((record, position));
        Ok(())
    }

    /// Ends the batch that is forming. There is nothing to write if nothing happened; the replies then wait
    /// for no more than the batches before.
    pub(crate) fn seal(&mut self) -> (Option<Batch>, Settlement) {
        let Forming {
            bytes,
            records,
            replies,
        } = std::mem::replace(&mut self.forming, Forming::new());
        let mut settlement = Settlement {
            begun: None,
            records,
            replies,
        };
        let Some((first, _)) = settlement.records.first() else {
            return (None, settlement);
        };
        let batch = Batch {
            roll_to: self.roll_to.take(),
            position: self.tail.position(),
            first_sequence: first.sequence,
            bytes,
        };
        settlement.begun = batch.begun();
        self.tail.advance(batch.bytes.len());
        (Some(batch), settlement)
    }

    /// Whether anybody waits for the batch that is forming.
    pub(crate) fn is_forming(&self) -> bool {
        !self.forming.replies.is_empty()
    }
}

impl fmt::Debug for Sequencer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sequencer")
            .field("tail", &self.tail)
            .finish_non_exhaustive()
    }
}
