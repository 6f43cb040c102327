//! `cashpoint journal check`.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use cashpoint::Timestamp;
use cashpoint::journal::{Audit, ChainHash, audit};
use clap::Args;

use super::report::{self, JournalReport};
use super::{NOT_LOOKED_AT, Trouble};
use crate::command::output;
use crate::present::progress::ReadingBar;

/// Check everything in a journal: every byte, every hash, every balance.
///
/// Reads all segments from the first on, whatever snapshots there are: checksums, the chain of hashes, and whether
/// each record follows from those before it. Then each snapshot is compared with what the records lead to. Prints
/// what it all adds up to, and the hash that stands for the journal: noted elsewhere, it proves later, with --expect,
/// that nothing before was rewritten. Where old segments were taken away, it begins at the oldest snapshot whose segments
/// are all there, and says so.
///
/// Records from the future, by this machine's clock, are no damage. They are reported on standard error.
///
/// It only reads, also while a server writes. The exit code is 0 if all is whole, 1 if something is not, 2 if nothing
/// could be looked at, or if what was found could not be written.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The directory that `cashpoint serve --data` keeps.
    directory: PathBuf,

    /// A hash noted earlier. The check fails unless the journal had it at some time.
    #[arg(long, value_name = "HASH")]
    expect: Option<ChainHash>,

    /// Print the balance of every open account, too.
    #[arg(long)]
    balances: bool,

    /// Print it as JSON, for programs.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  cashpoint journal check data
  cashpoint journal check data --expect 5d5f7c…      was anything rewritten since this hash was noted?
  cashpoint journal check data --json | jq .head     the hash to note
  cashpoint journal check data --balances            every account";

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Trouble> {
    let directory = super::open(&arguments.directory)?;
    let mut bar = ReadingBar::new("checking");
    let audit = audit(&directory, arguments.expect, &mut |progress| {
        bar.show(progress.position, progress.end)
    })?
    .ok_or_else(|| super::no_journal(&arguments.directory))?;
    drop(bar);
    let printed = print(&audit, arguments);
    for problem in report::problems(&audit) {
        crate::command::tell(format_args!("error: {problem}"));
    }
    if let Err(error) = &printed {
        crate::command::tell(format_args!("error: {}", output::unwritten(error)));
    }
    if let Some(future) = report::from_the_future(&audit, Timestamp::now()) {
        crate::command::tell(format_args!("warning: {future}"));
    }
    Ok(match &audit.damage {
        Some(error) if super::is_unreadable(error) => ExitCode::from(NOT_LOOKED_AT),
        _ if !audit.is_whole() => ExitCode::FAILURE,
        // Whole, but not as it was to be told.
        _ if printed.is_err() => ExitCode::from(NOT_LOOKED_AT),
        _ => ExitCode::SUCCESS,
    })
}

/// Prints what was found. If nobody reads it any more, the exit code tells.
fn print(audit: &Audit, arguments: &Arguments) -> io::Result<()> {
    let mut out = output::standard()?;
    let written = if arguments.json {
        JournalReport::new(audit, arguments.balances).write(&mut out)
    } else {
        report::write_text(audit, arguments.balances, &mut out)
    };
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
