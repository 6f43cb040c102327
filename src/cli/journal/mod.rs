//! `cashpoint journal`.

mod check;
mod export;
mod report;
mod show;

use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::account_number::AccountNumber;
use crate::export::{Moment, Part, Span};
use crate::journal::{Directory, JournalError};

/// The exit code where nothing could be looked at: there is no journal, or it may not be read.
const NOT_LOOKED_AT: u8 = 2;

/// Check, read and export the journal of a durable ledger.
///
/// A journal is the directory that `cashpoint serve --data` keeps. All of this only reads, and may be done while a
/// server writes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Check(check::Arguments),
    Show(show::Arguments),
    Export(export::Arguments),
}

const EXAMPLES: &str = "\
Examples:
  cashpoint journal check data                     is every byte what it was, and does it add up?
  cashpoint journal show data --limit 10           the first records
  cashpoint journal export data --format hledger --output books.journal
                                                   for plain-text accounting";

/// Which part of the journal is wanted.
#[derive(Debug, Args)]
struct PartArguments {
    /// Only this account. May be given several times.
    #[arg(long = "account", value_name = "NUMBER")]
    accounts: Vec<AccountNumber>,

    /// From this record on: a sequence number, a day, or a time in UTC such as 2026-01-31T08:30:00.
    #[arg(long, value_name = "SEQUENCE|TIME")]
    from: Option<Moment>,

    /// Up to this record, or this day or time, included.
    #[arg(long, value_name = "SEQUENCE|TIME")]
    to: Option<Moment>,
}

impl PartArguments {
    fn part(self) -> Part {
        Part {
            accounts: self.accounts.into_iter().collect(),
            span: Span {
                from: self.from,
                to: self.to,
            },
        }
    }
}

/// Why a command did not do what it was asked for.
enum Trouble {
    /// There is nothing to look at.
    NoJournal(String),
    /// It failed on the way.
    Failed(String),
    /// Nobody listens any more: who looks at the beginning only, as `head` does, closes the pipe.
    NotListened,
}

impl From<JournalError> for Trouble {
    fn from(error: JournalError) -> Self {
        if is_unreadable(&error) {
            Self::NoJournal(error.to_string())
        } else {
            Self::Failed(error.to_string())
        }
    }
}

impl Trouble {
    /// Something could not be written to `place`.
    fn output(place: &str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::NotListened,
            _ => Self::Failed(format!("{place} cannot be written: {error}")),
        }
    }
}

/// Whether an error says nothing about the journal itself.
fn is_unreadable(error: &JournalError) -> bool {
    match error {
        JournalError::Version { .. } => true,
        JournalError::Io { source, .. } => matches!(
            source.kind(),
            io::ErrorKind::PermissionDenied
                | io::ErrorKind::NotFound
                | io::ErrorKind::NotADirectory
        ),
        _ => false,
    }
}

pub(super) fn run(arguments: Arguments) -> ExitCode {
    let done = match arguments.what {
        What::Check(check) => check::run(&check),
        What::Show(show) => show::run(show).map(|()| ExitCode::SUCCESS),
        What::Export(export) => export::run(export).map(|()| ExitCode::SUCCESS),
    };
    match done {
        Ok(code) => code,
        Err(Trouble::NotListened) => ExitCode::SUCCESS,
        Err(Trouble::NoJournal(what)) => {
            super::tell(format_args!("error: {what}"));
            ExitCode::from(NOT_LOOKED_AT)
        }
        Err(Trouble::Failed(what)) => {
            super::tell(format_args!("error: {what}"));
            ExitCode::FAILURE
        }
    }
}

/// Opens a directory to read in it.
fn open(path: &Path) -> Result<Directory, Trouble> {
    Ok(Directory::open_read_only(path)?)
}

/// The directory holds no journal.
fn no_journal(path: &Path) -> Trouble {
    Trouble::NoJournal(format!(
        "{} holds no journal: there is no segment (*.journal) in it",
        path.display()
    ))
}
