//! The journal as books of double entry, in formats that other programs read.
//!
//! # Invariants
//!
//! 1. *Exact.* Amounts are decimal text from whole cents. No float is on the way.
//! 2. *Every movement, once, in the journal's order.* Refusals moved nothing and are left out.
//! 3. *Double entry.* What an account gains, the cash outside loses: openings and deposits bring money in,
//!    withdrawals take it out, closings pay out what is left. So all accounts together and the cash are 0.
//! 4. *Nothing is exported that does not add up.* Each record is replayed first, as at a start.
//! 5. *A part begins with what was there before it.* In the formats that have balances, what each account held at the
//!    begin of a part is carried forward.
//! 6. *No key breaks a format.* Idempotency keys are any visible characters, chosen by clients: each format quotes or
//!    escapes them, and what is read back is the very key.
//!
//! Cashpoint knows no currency. The formats that need one are given a code; [`CURRENCY`] is ISO 4217's for
//! "no currency".

mod beancount;
mod csv;
mod hledger;
mod json;
mod span;

use std::collections::BTreeSet;
use std::io;

use cashpoint::journal::{
    Balances, JournalError, Kind, Position, Progress, Record, Replay, Storage,
};
use cashpoint::{AccountNumber, Cents, IdempotencyKey, Timestamp};

pub(crate) use beancount::Beancount;
pub(crate) use csv::Csv;
pub(crate) use hledger::Hledger;
pub(crate) use json::{JsonLines, Line, exact};
pub(crate) use span::{Span, no_record};

/// ISO 4217's code for "no currency".
pub(crate) const CURRENCY: &str = "XXX";

/// Money that moved between an account and the cash outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Movement<'a> {
    sequence: u64,
    at: Timestamp,
    kind: Kind,
    number: AccountNumber,
    amount: Cents,
    /// What was on the account then.
    balance: Cents,
    key: Option<&'a IdempotencyKey>,
}

impl<'a> Movement<'a> {
    /// What a record moved. `None` of a refusal.
    fn of(record: &'a Record) -> Option<Self> {
        Some(Self {
            sequence: record.sequence,
            at: record.at,
            kind: record.change.into(),
            number: record.outcome.ok()?.number,
            amount: record.amount(),
            balance: record.balance_after()?,
            key: record.key.as_ref(),
        })
    }

    /// The signs of what the account and the cash outside gain.
    fn signs(&self) -> (&'static str, &'static str) {
        match self.kind {
            // Nobody writes -0.
            _ if self.amount == Cents::ZERO => ("", ""),
            Kind::Opening | Kind::Deposit => ("", "-"),
            Kind::Withdrawal | Kind::Closing => ("-", ""),
        }
    }
}

/// With two decimals, as books are kept.
fn fixed(sum: Cents) -> String {
    format!("{}.{:02}", sum.get() / 100, sum.get() % 100)
}

/// A format.
pub(crate) trait Sheet {
    /// Before anything else, what was on an account at the begin of a part.
    fn carry_forward(
        &mut self,
        number: AccountNumber,
        balance: Cents,
        at: Timestamp,
    ) -> io::Result<()>;

    /// Writes a movement.
    fn write(&mut self, movement: &Movement<'_>) -> io::Result<()>;

    /// There is no more.
    fn finish(&mut self) -> io::Result<()>;
}

/// Which part of a journal is wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    /// Only these accounts; all if there are none.
    pub(crate) accounts: BTreeSet<AccountNumber>,
    pub(crate) span: Span,
}

impl Part {
    pub(crate) fn has(&self, number: Option<AccountNumber>) -> bool {
        self.accounts.is_empty() || number.is_some_and(|number| self.accounts.contains(&number))
    }
}

/// Why an export is not whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportError {
    /// There is no journal.
    #[error("there is no journal")]
    Nothing,
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The export cannot be written.
    #[error("{0}")]
    Output(io::Error),
}

/// Writes a part of the journal in `storage` to `sheet`. Returns the sequence number of the first record that is there, if
/// those before it were taken away.
///
/// # Errors
///
/// [`ExportError`]: what has been written is not the whole part.
pub(crate) fn export(
    storage: &dyn Storage,
    part: &Part,
    sheet: &mut dyn Sheet,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<u64>, ExportError> {
    let (replay, before) = Replay::of(storage)?;
    let mut exporter = Exporter {
        part,
        sheet,
        balances: before,
        has_begun: false,
        stopped: None,
    };
    let read = replay.read(
        &mut |record, position| exporter.take(record, position),
        progress,
    );
    match exporter.stopped {
        Some(Stopped::AtEnd) => {}
        Some(Stopped::Output(error)) => return Err(ExportError::Output(error)),
        None => {
            read?.then_some(()).ok_or(ExportError::Nothing)?;
        }
    }
    exporter.sheet.finish().map_err(ExportError::Output)?;
    Ok(replay.begins_at())
}

/// Why not all records were wanted.
enum Stopped {
    AtEnd,
    Output(io::Error),
}

struct Exporter<'a> {
    part: &'a Part,
    sheet: &'a mut dyn Sheet,
    balances: Balances,
    /// Whether the part has begun.
    has_begun: bool,
    stopped: Option<Stopped>,
}

impl Exporter<'_> {
    fn stop(&mut self, stopped: Stopped) -> String {
        self.stopped = Some(stopped);
        "stopped".to_owned()
    }

    /// Carries forward what is on the accounts before the first record of the part.
    fn begin(&mut self, at: Timestamp) -> io::Result<()> {
        for (number, balance) in self.balances.by_creation() {
            if self.part.has(Some(number)) {
                self.sheet.carry_forward(number, balance, at)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        match Movement::of(record).filter(|it| self.part.has(Some(it.number))) {
            Some(movement) => self.sheet.write(&movement),
            None => Ok(()),
        }
    }

    fn take(&mut self, record: &Record, position: Position) -> Result<(), String> {
        if self.part.span.ends_before(record) {
            return Err(self.stop(Stopped::AtEnd));
        }
        let is_within = !self.part.span.begins_after(record);
        if is_within && !self.has_begun {
            self.has_begun = true;
            self.begin(record.at)
                .map_err(|error| self.stop(Stopped::Output(error)))?;
        }
        self.balances.follow(record, position)?;
        if is_within {
            self.write(record)
                .map_err(|error| self.stop(Stopped::Output(error)))?;
        }
        Ok(())
    }
}
