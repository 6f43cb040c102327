//! `cashpoint journal export`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use cashpoint::journal::Directory;
use clap::{Args, ValueEnum};

use super::{PartArguments, Trouble};
use crate::command::output;
use crate::export::{self, Beancount, CURRENCY, Csv, ExportError, Hledger, JsonLines, Part, Sheet};
use crate::present::progress::ReadingBar;

/// How large pieces are written.
const PIECE_BYTES: usize = 1 << 16;

/// Write the journal in a format that other programs read.
///
/// Every movement is there once, in its order, exact to the cent; refusals moved nothing and are left out. For hledger
/// and beancount it is double entry: each account against the cash outside (equity:cash), with the balances asserted.
/// A part that begins later carries the balances forward. Dates and times are in UTC.
///
/// Idempotency keys come from clients and may be any visible characters. CSV, JSON and beancount have them quoted,
/// hledger percent-encoded. A spreadsheet must be told that their column is text, or takes =1+1 for a formula.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The directory that `cashpoint serve --data` keeps.
    directory: PathBuf,

    /// The format.
    #[arg(long, value_name = "FORMAT")]
    format: Format,

    /// Write to this file [default: standard output]. It is there only once it is whole.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    part: PartArguments,

    /// The currency, for hledger and beancount: 2 to 24 capital letters. A ledger has none of its own, and XXX is
    /// ISO 4217's code for that.
    #[arg(long, default_value = CURRENCY, value_name = "CODE", value_parser = currency)]
    currency: String,
}

const EXAMPLES: &str = "\
Examples:
  cashpoint journal export data --format csv --output movements.csv
  cashpoint journal export data --format jsonl | jq 'select(.type == \"closing\")'
  cashpoint journal export data --format hledger --currency EUR --output books.journal
      hledger --file books.journal check --strict
      hledger --file books.journal balance
  cashpoint journal export data --format beancount --from 2026-01-01 --to 2026-12-31 --output books.beancount
      bean-check books.beancount";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Comma-separated values, with a header
    Csv,
    /// JSON, an object a line
    Jsonl,
    /// A journal for hledger
    Hledger,
    /// A file for beancount
    Beancount,
}

fn currency(text: &str) -> Result<String, String> {
    if (2..=24).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(text.to_owned())
    } else {
        Err("it is 2 to 24 capital letters, such as EUR".to_owned())
    }
}

pub(super) fn run(arguments: Arguments) -> Result<(), Trouble> {
    let directory = super::open(&arguments.directory)?;
    let job = Job {
        part: arguments.part.part(&directory)?,
        format: arguments.format,
        currency: arguments.currency,
        path: arguments.directory,
    };
    let Some(file) = arguments.output else {
        let place = "standard output";
        let out = output::standard().map_err(|error| Trouble::output(place, &error))?;
        return job.export(&directory, place, out);
    };
    let place = file.display().to_string();
    let failed = |error: io::Error| Trouble::output(&place, &error);
    if fs::metadata(&file).is_ok_and(|it| !it.is_file() && !it.is_dir()) {
        // A device or a pipe stays what it is.
        let out = File::options().write(true).open(&file).map_err(failed)?;
        return job.export(
            &directory,
            &place,
            BufWriter::with_capacity(PIECE_BYTES, out),
        );
    }
    // A part of an export looks like a whole one. So it gets its name when it is whole.
    let unfinished = unfinished(&file);
    let out = create_anew(&unfinished).map_err(failed)?;
    let out = BufWriter::with_capacity(PIECE_BYTES, out);
    let exported = job
        .export(&directory, &place, out)
        .and_then(|()| fs::rename(&unfinished, &file).map_err(failed));
    if exported.is_err() {
        // There may be no room even for that.
        let _ = fs::remove_file(&unfinished);
        return exported;
    }
    crate::command::tell(format_args!("written: {place}"));
    Ok(())
}

/// Makes a file of a name that nobody has given: where somebody else may write, there could be a link to any file.
fn create_anew(file: &Path) -> io::Result<File> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::create_new(file)
}

/// The name of a file until it is whole.
fn unfinished(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".unfinished");
    name.into()
}

/// What is to be exported, and how.
struct Job {
    part: Part,
    format: Format,
    currency: String,
    path: PathBuf,
}

impl Job {
    fn export(&self, directory: &Directory, place: &str, out: impl Write) -> Result<(), Trouble> {
        let mut sheet = sheet(self.format, out, &self.currency)
            .map_err(|error| Trouble::output(place, &error))?;
        let begins = write(directory, &self.part, &mut *sheet).map_err(|error| match error {
            ExportError::Nothing => super::no_journal(&self.path),
            ExportError::Journal(error) => error.into(),
            ExportError::Output(error) => Trouble::output(place, &error),
        })?;
        super::tell_begin(begins);
        Ok(())
    }
}

fn sheet<'a>(
    format: Format,
    out: impl Write + 'a,
    currency: &str,
) -> io::Result<Box<dyn Sheet + 'a>> {
    Ok(match format {
        Format::Csv => Box::new(Csv::new(out)?),
        Format::Jsonl => Box::new(JsonLines(out)),
        Format::Hledger => Box::new(Hledger::new(out, currency)?),
        Format::Beancount => Box::new(Beancount::new(out, currency)?),
    })
}

fn write(
    directory: &Directory,
    part: &Part,
    sheet: &mut dyn Sheet,
) -> Result<Option<u64>, ExportError> {
    let mut bar = ReadingBar::new("exporting");
    export::export(directory, part, sheet, &mut |progress| {
        bar.show(progress.position, progress.end)
    })
}
