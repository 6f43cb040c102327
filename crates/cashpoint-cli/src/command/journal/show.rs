//! `cashpoint journal show`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use cashpoint::journal::{Kind, Record, Replay};
use cashpoint::{Cents, IdempotencyKey};
use cashpoint_server::moment::time_text;
use clap::{Args, ValueEnum};

use super::{PartArguments, Trouble};
use crate::command::output;
use crate::export::{Line, Part};
use crate::present::quantity::money;

/// Print records, one a line, in the order in which they happened.
///
/// Reads from the first segment on and checks it on the way. Times are in UTC; amounts have two decimals here, and are with
/// --json as the service prints them. A refusal is in the journal only if it is
/// kept under an idempotency key.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The directory that `cashpoint serve --data` keeps.
    directory: PathBuf,

    #[command(flatten)]
    part: PartArguments,

    /// Only records of these kinds, with commas between.
    #[arg(long = "kind", value_delimiter = ',', value_name = "KINDS")]
    kinds: Vec<KindName>,

    /// Only records with this idempotency key.
    #[arg(long, value_name = "KEY")]
    key: Option<IdempotencyKey>,

    /// Only refusals.
    #[arg(long)]
    refusals: bool,

    /// At most this many records.
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u64>,

    /// Print JSON, an object a line, for programs.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  cashpoint journal show data --limit 10
  cashpoint journal show data --account 0f8fad5b-d9cb-469f-a165-70867728950e --kind deposit,withdrawal
  cashpoint journal show data --from 2026-01-31 --to 2026-01-31T12:00:00
  cashpoint journal show data --from 1000 --to 2000
  cashpoint journal show data --key order-4711       what came of this request?
  cashpoint journal show data --refusals --json";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KindName {
    #[value(alias = "open")]
    Opening,
    Deposit,
    #[value(alias = "withdraw")]
    Withdrawal,
    #[value(alias = "close")]
    Closing,
}

impl From<KindName> for Kind {
    fn from(name: KindName) -> Self {
        match name {
            KindName::Opening => Self::Opening,
            KindName::Deposit => Self::Deposit,
            KindName::Withdrawal => Self::Withdrawal,
            KindName::Closing => Self::Closing,
        }
    }
}

pub(super) fn run(arguments: Arguments) -> Result<(), Trouble> {
    let directory = super::open(&arguments.directory)?;
    let (replay, _) = Replay::of(&directory)?;
    let path = arguments.directory;
    let mut shower = Shower {
        part: arguments.part.part(&directory)?,
        kinds: arguments.kinds.into_iter().map(Kind::from).collect(),
        key: arguments.key,
        refusals: arguments.refusals,
        left: arguments.limit.unwrap_or(u64::MAX),
        json: arguments.json,
        out: output::standard().map_err(|error| Trouble::output("standard output", &error))?,
        stopped: None,
    };
    super::tell_begin(replay.begins_at());
    let read = shower.begin().and_then(|()| {
        let read = replay.read(&mut |record, _| shower.take(record), &mut |_| {});
        match shower.stopped.take() {
            Some(stopped) => stopped.map(|()| Ok(true)),
            None => Ok(read),
        }
    });
    // What is whole before damage is shown.
    let read = read.and_then(|read| shower.out.flush().map(|()| read));
    match read {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err(super::no_journal(&path)),
        Ok(Err(error)) => Err(error.into()),
        Err(error) => Err(Trouble::output("standard output", &error)),
    }
}

struct Shower {
    part: Part,
    kinds: Vec<Kind>,
    key: Option<IdempotencyKey>,
    refusals: bool,
    /// How many records may still be shown.
    left: u64,
    json: bool,
    out: BufWriter<File>,
    /// Is there once no more records are wanted.
    stopped: Option<io::Result<()>>,
}

impl Shower {
    fn begin(&mut self) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        writeln!(
            self.out,
            "{:>10}  {:26}  {:10}  {:36}  {:>16}  {:>16}  KEY",
            "SEQUENCE", "TIME", "KIND", "ACCOUNT", "AMOUNT", "BALANCE"
        )
    }

    fn is_wanted(&self, record: &Record) -> bool {
        !self.part.span.begins_after(record)
            && self.part.has(record.number())
            && (self.kinds.is_empty() || self.kinds.contains(&record.change.into()))
            && (self.key.is_none() || self.key == record.key)
            && (!self.refusals || record.outcome.is_err())
    }

    fn show(&mut self, record: &Record) -> io::Result<()> {
        if self.json {
            return Line::new(record).write(&mut self.out);
        }
        let money_text = |amount: Cents| money(amount.get().unsigned_abs());
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        write!(
            self.out,
            "{:>10}  {}  {:10}  {:36}  {:>16}  {:>16}  {}",
            record.sequence,
            time_text(record.at),
            Kind::from(record.change),
            or_dash(record.number().map(|number| number.to_string())),
            money_text(record.amount()),
            or_dash(record.balance_after().map(money_text)),
            record.key.as_ref().map_or("-", IdempotencyKey::as_str),
        )?;
        match record.outcome {
            Ok(_) => writeln!(self.out),
            Err(refusal) => writeln!(self.out, "  refused: {refusal}"),
        }
    }

    fn stop(&mut self, why: io::Result<()>) -> String {
        self.stopped = Some(why);
        "stopped".to_owned()
    }

    fn take(&mut self, record: &Record) -> Result<(), String> {
        if self.left == 0 || self.part.span.ends_before(record) {
            return Err(self.stop(Ok(())));
        }
        if !self.is_wanted(record) {
            return Ok(());
        }
        self.left -= 1;
        self.show(record).map_err(|error| self.stop(Err(error)))
    }
}
