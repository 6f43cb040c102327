//! `cashpoint bench`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use cashpoint::durable::SUBMISSION_MAX;
use cashpoint::{Amount, Cents};
use clap::{Args, Subcommand, ValueEnum};
use http::Uri;

use super::{Failure, files, output, settings, stop_at_interrupt};
use crate::bench::{
    self, BenchReport, Calls, Case, Comparison, Manner, Mix, Plan, Skew, Subject, Submissions,
    file_system, page, table,
};

/// Measure the engine, the durable ledger or a server, look at the result, and compare two of them.
///
/// Every case is measured in several rounds, and the cases take turns; what counts is the median round.
/// Afterwards the books are checked: each balance must be what was acknowledged, to the cent.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Engine(EngineArgs),
    Durable(Durable),
    Http(Http),
    Compare(Compare),
}

const EXAMPLES: &str = "\
Examples:
  cashpoint bench http --html report.html        a server of its own, measured, with plots
  cashpoint bench http http://localhost:8000     a server that runs, ours or another of the contract
  cashpoint bench engine --threads 1,2,4         the engine in this process
  cashpoint bench durable                        the durable ledger in this process, on this disk
  cashpoint bench compare before.json after.json";

/// Measure the engine in this process, without HTTP.
///
/// Latencies are of one operation in about a thousand (with --rate, of each) and include reading the clock.
#[derive(Debug, Args)]
#[command(after_help = ENGINE_EXAMPLES)]
struct EngineArgs {
    /// How many threads. Several numbers, separated by commas, are measured by turns [default: 1, 2, 4, …, all].
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
    threads: Vec<NonZeroUsize>,

    /// How a thread calls the ledger.
    #[arg(long, default_value = "session")]
    calls: CallsKind,

    /// How many operations a batch has, with --calls batch.
    #[arg(long, default_value = "256", value_name = "NUMBER")]
    batch: NonZeroUsize,

    /// What to do: read, deposit, withdraw, transact (deposits and withdrawals), mixed (8:1:1), or parts
    /// of reads, deposits and withdrawals such as 90:5:5. Several are measured by turns.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "read,transact",
        value_name = "MIXES"
    )]
    mix: Vec<Mix>,

    #[command(flatten)]
    pace: Pace,

    #[command(flatten)]
    common: Common,
}

const ENGINE_EXAMPLES: &str = "\
Examples:
  cashpoint bench engine
  cashpoint bench engine --accounts 1000000 --mix transact --html report.html
  cashpoint bench engine --skew hot --calls batch --mix withdraw";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CallsKind {
    /// In sessions, which share the cost of pinning the map.
    Session,
    /// One operation at a time.
    Single,
    /// In batches, of which operations in a row on one account share an atomic step.
    Batch,
}

/// Measure the durable ledger in this process, without HTTP, on a disk.
///
/// Withdrawals, each checked against its balance, and each counted once it is on disk. Afterwards the ledger is
/// closed and opened again, with its snapshots and without, and the books are checked on what is read back.
/// Latencies are those of submissions.
#[derive(Debug, Args)]
#[command(after_help = DURABLE_EXAMPLES)]
struct Durable {
    /// Keep the ledger in this directory, which must be empty or not be there, and leave it there [default: a
    /// new one in the current directory, which is removed afterwards].
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<PathBuf>,

    /// How many threads call it. Several numbers, separated by commas, are measured by turns.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "2",
        value_name = "NUMBERS"
    )]
    callers: Vec<NonZeroUsize>,

    /// How many withdrawals a submission has.
    #[arg(long, default_value = "4096", value_name = "NUMBER", value_parser = batch)]
    batch: usize,

    /// How many submissions a caller has under way at a time.
    #[arg(long, default_value = "4", value_name = "NUMBER")]
    in_flight: NonZeroUsize,

    #[command(flatten)]
    common: Common,
}

const DURABLE_EXAMPLES: &str = "\
Examples:
  cashpoint bench durable
  cashpoint bench durable --accounts 1000000 --callers 1,2,4 --json run.json
  cashpoint bench durable --batch 1 --in-flight 1000 --skew hot
  cashpoint bench durable --data /var/lib/bench     then: cashpoint journal check /var/lib/bench";

/// Measure a server over HTTP: any that speaks the contract, or one of its own.
///
/// Without an address it starts `cashpoint serve` in a process of its own, and stops it afterwards. The
/// accounts that it opens on a server it closes again.
#[derive(Debug, Args)]
#[command(after_help = HTTP_EXAMPLES)]
struct Http {
    /// The server's address, such as http://localhost:8000 [default: a server of its own].
    #[arg(value_parser = settings::url)]
    url: Option<Uri>,

    /// How many connections. Several numbers, separated by commas, are measured by turns.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1,8,32",
        value_name = "NUMBERS"
    )]
    connections: Vec<NonZeroUsize>,

    /// How many requests a connection has under way at a time.
    #[arg(long, default_value = "1", value_name = "NUMBER")]
    pipelining: NonZeroUsize,

    /// The threads that drive the connections [default: as many as processors].
    #[arg(long, value_name = "NUMBER")]
    client_threads: Option<NonZeroUsize>,

    /// What to do: read, deposit, withdraw, transact (deposits and withdrawals), mixed (8:1:1), or parts
    /// of reads, deposits and withdrawals such as 90:5:5. Several are measured by turns.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "read,deposit",
        value_name = "MIXES"
    )]
    mix: Vec<Mix>,

    /// What each account is opened with. It must be within the server's limits.
    #[arg(long, default_value = "10000.0", value_name = "AMOUNT", value_parser = amount)]
    initial_balance: Amount,

    /// How long an answer may take before it counts as an error.
    #[arg(long, default_value = "5", value_name = "SECONDS", value_parser = settings::timeout)]
    timeout: Duration,

    /// The server's process, for its processor time and memory.
    #[arg(long, value_name = "PROCESS")]
    pid: Option<u32>,

    /// Have the server of its own keep its ledger in this directory, which must be empty or not be there, and leave it
    /// there.
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "url")]
    data: Option<PathBuf>,

    #[command(flatten)]
    pace: Pace,

    #[command(flatten)]
    common: Common,
}

const HTTP_EXAMPLES: &str = "\
Examples:
  cashpoint bench http --html report.html
  cashpoint bench http http://localhost:8000 --pid $(pgrep -x cashpoint) --json run.json
  cashpoint bench http --connections 32 --mix mixed --skew zipf --rate 20000
  cashpoint bench http --data bench-ledger --mix withdraw     durable, on this disk";

/// Compare two reports that were written with --json.
///
/// Shows how many times faster B is than A, with the spread over the rounds, and whether that is more than
/// noise.
#[derive(Debug, Args)]
#[command(after_help = COMPARE_EXAMPLES)]
struct Compare {
    /// The report to compare with.
    a: PathBuf,

    /// The report that is compared.
    b: PathBuf,

    /// Fail, with exit code 1, if a median of B is worse than that of A by more than this, beyond the noise.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    threshold: Option<f64>,

    /// Print the comparison as JSON, for programs.
    #[arg(long)]
    json: bool,
}

const COMPARE_EXAMPLES: &str = "\
Examples:
  cashpoint bench compare before.json after.json
  cashpoint bench compare before.json after.json --threshold 10     in a pipeline";

/// How fast operations are begun.
#[derive(Debug, Args)]
struct Pace {
    /// Start this many operations a second, whether or not earlier ones are done, and measure latency from when
    /// each was to begin. Without it each worker begins the next when it has the answer to the last.
    #[arg(long, value_name = "PER_SECOND", value_parser = rate)]
    rate: Option<f64>,
}

/// What all are measured with alike.
#[derive(Debug, Args)]
struct Common {
    /// How many accounts to open.
    #[arg(long, default_value = "500", value_name = "NUMBER", value_parser = accounts)]
    accounts: usize,

    /// How operations are spread over the accounts: uniform, zipf, zipf:EXPONENT, or hot (one account).
    #[arg(long, default_value = "uniform")]
    skew: Skew,

    /// How many rounds each case is measured for.
    #[arg(long, default_value = "5", value_name = "NUMBER", value_parser = rounds)]
    rounds: usize,

    /// How long each round lasts.
    #[arg(long, default_value = "1", value_name = "SECONDS", value_parser = duration)]
    duration: Duration,

    /// How long to run the load before each round.
    #[arg(long, default_value = "0.3", value_name = "SECONDS", value_parser = settings::delay)]
    warm_up: Duration,

    /// The seed that the operations are drawn from: equal seeds, equal operations.
    #[arg(long, default_value = "1", value_name = "NUMBER")]
    seed: u64,

    /// Write the report to this file, for programs and for `bench compare`.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write the report to this file as a page with plots.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Write the cases to this file as comma-separated values, in plain numbers.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,

    /// Write the cases to this file as a table of Markdown.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.what {
        What::Engine(engine) => engine.run(),
        What::Durable(durable) => durable.run(),
        What::Http(http) => http.run(),
        What::Compare(files) => {
            let (a, b) = (BenchReport::read(&files.a)?, BenchReport::read(&files.b)?);
            files.show(&Comparison::new(&a, &b)?)
        }
    }
}

impl Compare {
    fn show(&self, compared: &Comparison) -> Result<(), Failure> {
        output::print(&match self.json {
            true => compared.json()?,
            false => compared.text(),
        })?;
        let worse = self.threshold.map(|it| compared.worse_by_more_than(it));
        match worse.filter(|it| !it.is_empty()) {
            Some(worse) => Err(Failure(format!(
                "B is worse by more than the threshold:\n  {}",
                worse.join("\n  ")
            ))),
            None => Ok(()),
        }
    }
}

impl EngineArgs {
    fn run(self) -> Result<(), Failure> {
        let calls = match self.calls {
            CallsKind::Session => Calls::Session,
            CallsKind::Single => Calls::Single,
            CallsKind::Batch => Calls::Batch(self.batch.get()),
        };
        let threads = if self.threads.is_empty() {
            doublings(available_parallelism().map_or(1, usize::from))
        } else {
            self.threads.into_iter().map(NonZeroUsize::get).collect()
        };
        let subject = Subject::Engine(calls);
        self.common
            .run(subject, &self.mix, &threads, self.pace.rate, Vec::new())
    }
}

impl Durable {
    fn run(self) -> Result<(), Failure> {
        let unusable = |error| Failure(format!("no directory for the ledger: {error}"));
        // Removed when it is dropped, also after Ctrl-C.
        let mut temporary = None;
        let directory = match self.data {
            Some(directory) => directory,
            None => {
                let here = std::env::current_dir().map_err(unusable)?;
                let mut named = tempfile::Builder::new();
                let made = named.prefix("cashpoint-bench-").tempdir_in(here);
                let made = made.map_err(unusable)?;
                temporary.insert(made).path().to_owned()
            }
        };
        let callers: Vec<_> = self.callers.into_iter().map(NonZeroUsize::get).collect();
        let submissions = Submissions {
            batch: self.batch,
            in_flight: self.in_flight.get(),
            callers_max: callers.iter().copied().max().unwrap_or(1),
            directory,
        };
        let disk = file_system(&submissions.directory).map_err(unusable)?;
        let settings = vec![("file system".to_owned(), disk)];
        let subject = Subject::Durable(submissions);
        self.common
            .run(subject, &[Mix::WITHDRAW], &callers, None, settings)
    }
}

impl Http {
    fn run(self) -> Result<(), Failure> {
        let processors = available_parallelism().map_or(1, usize::from);
        let manner = Manner {
            pipelining: self.pipelining.get(),
            threads: self.client_threads.map_or(processors, NonZeroUsize::get),
            timeout: self.timeout,
            initial: self.initial_balance,
            process: self.pid,
            data: self.data,
        };
        let mut settings = vec![
            ("pipelining".to_owned(), manner.pipelining.to_string()),
            ("client threads".to_owned(), manner.threads.to_string()),
        ];
        if let Some(directory) = &manner.data {
            std::fs::create_dir_all(directory)
                .and_then(|()| file_system(directory))
                .map(|disk| settings.push(("file system".to_owned(), disk)))
                .map_err(|error| Failure(format!("{}: {error}", directory.display())))?;
        }
        let connections: Vec<_> = self
            .connections
            .into_iter()
            .map(NonZeroUsize::get)
            .collect();
        let subject = Subject::Server(self.url, manner);
        self.common
            .run(subject, &self.mix, &connections, self.pace.rate, settings)
    }
}

impl Common {
    fn run(
        self,
        subject: Subject,
        mixes: &[Mix],
        workers: &[usize],
        rate: Option<f64>,
        mut settings: Vec<(String, String)>,
    ) -> Result<(), Failure> {
        let files = [&self.json, &self.html, &self.csv, &self.markdown];
        files::check_all(&files.into_iter().flatten().collect::<Vec<_>>())?;
        settings.push(("skew".to_owned(), self.skew.to_string()));
        if let Some(rate) = rate {
            settings.push(("rate".to_owned(), format!("{rate}/s")));
        }
        let case = |mix: Mix, workers| Case {
            mix,
            skew: self.skew,
            workers,
            rate,
        };
        let plan = Plan {
            cases: mixes
                .iter()
                .flat_map(|mix| workers.iter().map(move |workers| case(*mix, *workers)))
                .collect(),
            rounds: self.rounds,
            duration: self.duration,
            warm_up: self.warm_up,
            accounts: self.accounts,
            seed: self.seed,
            settings,
        };
        let stop = stop_at_interrupt(subject.leaves())?;
        let report = bench::run(subject, &plan, &stop)?;
        // The files are worth more than what is on the screen: they are written in any case.
        let printed = output::print(&table(&report, output::columns()));
        if let Some(file) = &self.json {
            files::write(file, &report.json()?)?;
        }
        if let Some(file) = &self.html {
            files::write(file, &page(&report)?)?;
        }
        if let Some(file) = &self.csv {
            files::write(file, &bench::csv(&report)?)?;
        }
        if let Some(file) = &self.markdown {
            files::write(file, &bench::markdown(&report))?;
        }
        printed?;
        report.verdict().map_err(Failure::from)
    }
}

/// 1, 2, 4 and so on, and `most`.
fn doublings(most: usize) -> Vec<usize> {
    let powers = (0..usize::BITS).map(|power| 1 << power);
    powers
        .take_while(|power| *power < most)
        .chain([most])
        .collect()
}

fn accounts(text: &str) -> Result<usize, String> {
    settings::count(text, 100_000_000)
}

fn rounds(text: &str) -> Result<usize, String> {
    settings::count(text, 1_000)
}

fn duration(text: &str) -> Result<Duration, String> {
    settings::delay(text)
        .ok()
        .filter(|duration| *duration >= Duration::from_millis(100))
        .ok_or_else(|| "must be a number of seconds from 0.1".to_owned())
}

fn batch(text: &str) -> Result<usize, String> {
    settings::count(text, SUBMISSION_MAX)
}

fn percent(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|percent| (0.0..100.0).contains(percent))
        .ok_or_else(|| "must be a number from 0 to below 100".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|rate| (0.1..=1e9).contains(rate))
        .ok_or_else(|| "must be a number from 0.1 to 1000000000".to_owned())
}

fn amount(text: &str) -> Result<Amount, String> {
    let cents = text.parse().ok().and_then(Amount::new);
    cents.ok_or_else(|| format!("must be an amount from 0.01 to {}", Cents::MAX))
}
