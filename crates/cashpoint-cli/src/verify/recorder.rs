//! The history as a file, for whoever wants to check a verdict with tools of their own: JSON, an operation a line.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use cashpoint::AccountNumber;
use serde::Serialize;

use super::history::{Action, Call, Outcome};
use super::load::Slice;
use crate::client::Broken;

/// An operation, as it stands in the file.
#[derive(Serialize)]
struct Line<'a> {
    /// The part of the run. Accounts, clients and times are told apart within one.
    phase: &'a str,
    account: u32,
    /// What the server calls the account.
    number: Option<String>,
    client: u32,
    /// In nanoseconds since the part began: when it was called, and when its answer was there, if there was one.
    call: u64,
    #[serde(rename = "return")]
    answer: Option<u64>,
    input: Input,
    output: Output,
}

/// What was asked. Sums are in cents.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "op", content = "cents")]
enum Input {
    Open(i64),
    Balance,
    Deposit(i64),
    Withdraw(i64),
    Close,
}

/// What was answered. `unknown` may have been done, then or later, or not.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "result", content = "cents")]
enum Output {
    Balance(i64),
    Closed,
    InsufficientFunds,
    UnknownAccount,
    Unknown,
}

impl From<Action> for Input {
    fn from(action: Action) -> Self {
        match action {
            // Of one account, a listing is a read.
            Action::Balance | Action::List => Self::Balance,
            Action::Deposit(cents) => Self::Deposit(cents),
            Action::Withdraw(cents) => Self::Withdraw(cents),
            Action::Close => Self::Close,
        }
    }
}

impl From<Outcome> for Output {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Balance(cents) => Self::Balance(cents),
            Outcome::Closed => Self::Closed,
            Outcome::InsufficientFunds => Self::InsufficientFunds,
            Outcome::UnknownAccount => Self::UnknownAccount,
            Outcome::Unknown => Self::Unknown,
        }
    }
}

/// Writes histories to a file.
#[derive(Debug)]
pub(crate) struct Recorder {
    file: Mutex<BufWriter<File>>,
}

impl Recorder {
    pub(crate) fn create(path: &Path) -> Result<Self, Broken> {
        let file = File::create(path);
        let file = file.map_err(|error| Broken(format!("{}: {error}", path.display())))?;
        Ok(Self {
            file: Mutex::new(BufWriter::new(file)),
        })
    }

    /// Writes what happened in a slice of a phase. `numbers` knows the accounts that were opened before.
    pub(super) fn write(
        &self,
        phase: &str,
        slice: &Slice,
        numbers: &mut HashMap<u32, AccountNumber>,
    ) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut put = |line: &Line<'_>| {
            serde_json::to_writer(&mut *file, line)?;
            file.write_all(b"\n")
        };
        for (tenant, cents) in &slice.opened {
            numbers.insert(tenant.account, tenant.number);
            // It is there before anything is done to it; when it was opened says nothing more.
            put(&Line {
                phase,
                account: tenant.account,
                number: Some(tenant.number.to_string()),
                client: 0,
                call: 0,
                answer: Some(0),
                input: Input::Open(*cents),
                output: Output::Balance(*cents),
            })?;
        }
        for call in &slice.records {
            let Call {
                account,
                worker,
                action,
                outcome,
                called,
                answered,
                told_at: _,
            } = *call;
            put(&Line {
                phase,
                account,
                number: numbers.get(&account).map(ToString::to_string),
                client: worker,
                call: called,
                answer: (outcome != Outcome::Unknown).then_some(answered),
                input: action.into(),
                output: outcome.into(),
            })?;
        }
        for account in &slice.left {
            numbers.remove(account);
        }
        Ok(())
    }

    /// Writes what is still held back.
    pub(crate) fn finish(&self) -> Result<(), Broken> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = file.flush();
        written.map_err(|error| Broken(format!("the history cannot be written: {error}")))
    }
}
