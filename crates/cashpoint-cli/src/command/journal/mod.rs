//! `cashpoint journal`.

mod check;
mod export;
mod report;
mod show;

use std::io;
use std::path::Path;
use std::process::ExitCode;

use cashpoint::AccountNumber;
use cashpoint::journal::{Directory, JournalError, Record, Replay, newest_sequence};
use cashpoint_server::moment::{Moment, ParseMomentError};
use clap::{Args, Subcommand};

use crate::export::{Part, Span, no_record};
pub(super) use report::JournalReport;

/// The exit code where nothing was looked at: there is no journal, it may not be read, or the part that was asked for
/// cannot be meant. Also where a check could not print what it found.
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
    #[arg(long, value_name = "SEQUENCE|TIME", value_parser = moment)]
    from: Option<Moment>,

    /// Up to and including this record or day, or up to just before this time.
    #[arg(long, value_name = "SEQUENCE|TIME", value_parser = moment)]
    to: Option<Moment>,
}

fn moment(text: &str) -> Result<Moment, String> {
    text.parse()
        .map_err(|error: ParseMomentError| format!("must be a sequence number or a time: {error}"))
}

impl PartArguments {
    /// The part of the journal in `directory`.
    fn part(self, directory: &Directory) -> Result<Part, Trouble> {
        let span = Span {
            from: self.from,
            to: self.to,
        };
        let reversed = "a range ends after it begins: --to must be later than --from";
        if span.is_reversed() {
            return Err(Trouble::NoPart(reversed.to_owned()));
        }
        // Where the journal cannot be read, the reading that follows tells why.
        let mut positions = span.positions().peekable();
        if positions.peek().is_some()
            && let Ok(Some(newest)) = newest_sequence(directory)
            && let Some((flag, _)) = positions.find(|(_, position)| *position > newest)
        {
            return Err(Trouble::NoPart(no_record(flag, newest)));
        }
        drop(positions);
        if let Some(position) = span.position_beside_time() {
            let mut edge = Edge {
                span,
                // The first record is 1.
                position: position.max(1),
                is_outside: false,
            };
            if let Ok((replay, _)) = Replay::of(directory) {
                let _ = replay.read(&mut |record, _| edge.take(record), &mut |_| {});
            }
            if edge.is_outside {
                return Err(Trouble::NoPart(reversed.to_owned()));
            }
        }
        Ok(Part {
            accounts: self.accounts.into_iter().collect(),
            span,
        })
    }
}

/// Looks whether the record at an edge of a span is outside it.
struct Edge {
    span: Span,
    position: u64,
    is_outside: bool,
}

impl Edge {
    fn take(&mut self, record: &Record) -> Result<(), String> {
        if record.sequence < self.position {
            return Ok(());
        }
        // A later one says nothing of it: those before may have been taken away.
        self.is_outside = record.sequence == self.position && !self.span.has(record);
        Err("found".to_owned())
    }
}

/// Why a command did not do what it was asked for.
enum Trouble {
    /// There is nothing to look at.
    NoJournal(String),
    /// The part that was asked for cannot be meant.
    NoPart(String),
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
        Err(Trouble::NoJournal(what) | Trouble::NoPart(what)) => {
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

/// Says where the records begin, if those before were taken away.
fn tell_begin(sequence: Option<u64>) {
    if let Some(sequence) = sequence {
        super::tell(format_args!(
            "note: the segments before record {sequence} were taken away; a snapshot says what was on the accounts then"
        ));
    }
}

/// The directory holds no journal.
fn no_journal(path: &Path) -> Trouble {
    Trouble::NoJournal(format!(
        "{} holds no journal: there is no segment (*.journal) in it",
        path.display()
    ))
}
