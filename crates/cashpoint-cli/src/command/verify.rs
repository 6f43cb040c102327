//! `cashpoint verify`.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use http::Uri;

use super::{Failure, files, output, settings};
use crate::client::Broken;
use crate::present::colour;
use crate::verify::{self, Phase, Plan, Recorder, Restarts, Verdict};

/// The exit code where there is no verdict: the server could not be reached, the run was stopped, or the report
/// could not be written.
const NO_VERDICT: u8 = 3;

/// Find out whether a server, or the engine, loses money or tells lies.
///
/// Records what many clients were told at the same time, and looks for an order of their operations that
/// explains it: the history must be linearizable, account by account, and every cent must be where it was
/// acknowledged. Timeouts and broken connections convict nobody.
///
/// The exit code is 0 for an acquittal, 1 for a conviction, 3 where there is no verdict, or where a report could not be
/// written.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Engine(EngineArgs),
    Http(Http),
}

const EXAMPLES: &str = "\
Examples:
  cashpoint verify engine                                    the engine in this process
  cashpoint verify http                                      a server of its own
  cashpoint verify http http://localhost:8000 --html report.html
                                                             a server that runs, ours or another";

/// Verify the engine in this process, without HTTP.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cashpoint verify engine --operations 10000000")]
struct EngineArgs {
    /// How many threads use it at a time.
    #[arg(long, default_value = "4", value_name = "NUMBER", value_parser = workers)]
    threads: usize,

    #[command(flatten)]
    common: Common,
}

/// Verify a server over HTTP: any that speaks the contract, or one of its own.
///
/// Without an address it starts `cashpoint serve` in a process of its own, and stops it afterwards. The
/// accounts that it opens on a server it closes again. Nobody else should use the server meanwhile. Of a server that offers
/// idempotency keys it uses 200,000 at most, which the server may keep for a day.
///
/// Phases: contract (each rule of the REST contract), limit (creations race for the last place; where that is within reach),
/// histories (under load), restart (with --restart-cmd or --pid).
#[derive(Debug, Args)]
#[command(after_help = HTTP_EXAMPLES)]
#[command(group = ArgGroup::new("restarts").args(["restart_cmd", "pid"]).multiple(true))]
struct Http {
    /// The server's address, such as http://localhost:8000 [default: a server of its own].
    #[arg(value_parser = settings::url)]
    url: Option<Uri>,

    /// How many connections use it at a time, each with one request under way; 64 at most for each account.
    #[arg(long, default_value = "32", value_name = "NUMBER", value_parser = workers)]
    connections: usize,

    /// How long an answer may take. What takes longer counts as unknown: done, or not.
    #[arg(long, default_value = "5", value_name = "SECONDS", value_parser = settings::timeout)]
    timeout: Duration,

    /// Send at most so many requests a second, in all [default: as many as the server answers].
    #[arg(long, value_name = "NUMBER", value_parser = rate)]
    rate: Option<NonZeroU32>,

    /// Print what is checked and what is not, and verify nothing.
    #[arg(long)]
    list_rules: bool,

    /// Verify only these phases, with commas between.
    #[arg(long, value_delimiter = ',', value_name = "PHASES")]
    only: Vec<PhaseName>,

    /// Kill the server with SIGKILL under load, start it again with this command, and look what it remembers.
    /// Without --pid the command also starts it the first time. The server is to be the command's own process, or
    /// a child of it: all of them are killed. What it logs is shown only if it fails; redirect it to keep it.
    #[arg(long, value_name = "COMMAND", requires = "url")]
    restart_cmd: Option<String>,

    /// The server's process, to be killed. Without --restart-cmd somebody else must start it again.
    #[arg(long, value_name = "PROCESS", requires = "url")]
    pid: Option<u32>,

    /// How many times to kill it [default: 5, or 1 without --restart-cmd].
    #[arg(
        long,
        value_name = "NUMBER",
        requires = "restarts",
        value_parser = clap::value_parser!(u32).range(1..=100_000)
    )]
    kills: Option<u32>,

    #[command(flatten)]
    common: Common,
}

const HTTP_EXAMPLES: &str = "\
Examples:
  cashpoint verify http
  cashpoint verify http http://localhost:8000 --operations 10000000 --html report.html
  cashpoint verify http http://localhost:8000 --only histories --connections 128
  cashpoint verify http http://localhost:9000 --only restart --kills 20 \\
            --restart-cmd 'exec cashpoint serve --port 9000 --data ledger'";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PhaseName {
    Contract,
    Limit,
    Histories,
    Restart,
}

/// What the engine and a server are verified with alike.
#[derive(Debug, Args)]
struct Common {
    /// How many operations, in all: half of them on many accounts, half on one [default: 1000000, or fewer if a half takes
    /// longer than 15 s].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    operations: Option<u64>,

    /// How many accounts there are at a time where there are many [default: 100, or fewer if answers take long].
    #[arg(long, value_name = "NUMBER", value_parser = accounts)]
    accounts: Option<usize>,

    /// The seed that the operations are drawn from. How they interleave is up to the machine.
    #[arg(long, default_value = "1", value_name = "NUMBER")]
    seed: u64,

    /// Write the report to this file, for programs.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write every operation under load to this file, JSON, one a line: call and return in nanoseconds, input, output. For
    /// whoever wants to check the verdict with other tools.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,

    /// Write the report to this file as a page, with what convicts drawn along time.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    if let What::Http(Http {
        list_rules: true, ..
    }) = arguments.what
    {
        return output::print(&verify::rules_text()).map(|()| ExitCode::SUCCESS);
    }
    let verified = match arguments.what {
        What::Engine(engine) => engine.run(),
        What::Http(http) => http.run(),
    };
    match verified {
        Ok(verdict) => Ok(match verdict {
            Verdict::Acquitted => ExitCode::SUCCESS,
            Verdict::Convicted => ExitCode::FAILURE,
            Verdict::Undecided | Verdict::Skipped => ExitCode::from(NO_VERDICT),
        }),
        Err(failure) => {
            super::tell(format_args!("error: {failure}"));
            Ok(ExitCode::from(NO_VERDICT))
        }
    }
}

impl EngineArgs {
    fn run(self) -> Result<Verdict, Failure> {
        let phases = vec![Phase::Histories, Phase::Limit];
        let plan = self
            .common
            .plan(phases, self.threads, Duration::ZERO, None)?;
        self.common.report(&plan, || {
            Ok(verify::verify_engine(
                &plan,
                &*super::stop_at_interrupt(None)?,
            ))
        })
    }
}

impl Http {
    fn run(self) -> Result<Verdict, Failure> {
        let phases = if self.only.is_empty() {
            PhaseName::value_variants()
        } else {
            &self.only
        };
        let phases = phases.iter().map(|phase| match phase {
            PhaseName::Contract => Phase::Contract,
            PhaseName::Histories => Phase::Histories,
            PhaseName::Limit => Phase::Limit,
            PhaseName::Restart => Phase::Restart,
        });
        let plan = self
            .common
            .plan(phases.collect(), self.connections, self.timeout, self.rate)?;
        let kills_default = if self.restart_cmd.is_some() { 5 } else { 1 };
        let restarts = (self.restart_cmd.is_some() || self.pid.is_some()).then(|| Restarts {
            process: self.pid,
            command: self.restart_cmd.clone(),
            kills: self.kills.unwrap_or(kills_default),
        });
        self.common.report(&plan, || {
            let leaves = self.url.as_ref();
            let leaves = leaves.map(|url| format!("the accounts that were opened on {url}"));
            let stop = super::stop_at_interrupt(leaves)?;
            verify::verify_http(self.url.as_ref(), restarts.as_ref(), &plan, &stop)
        })
    }
}

impl Common {
    fn plan(
        &self,
        phases: Vec<Phase>,
        workers: usize,
        timeout: Duration,
        rate: Option<NonZeroU32>,
    ) -> Result<Plan, Failure> {
        let files = self.json.iter().chain(&self.html).chain(&self.history);
        files::check_all(&files.collect::<Vec<_>>())?;
        let recorder = self.history.as_deref().map(Recorder::create).transpose()?;
        Ok(Plan {
            phases,
            accounts: self.accounts,
            workers,
            operations: self.operations,
            rate,
            seed: self.seed,
            timeout,
            recorder,
        })
    }

    fn report(
        &self,
        plan: &Plan,
        verify: impl FnOnce() -> Result<verify::VerifyReport, Broken>,
    ) -> Result<Verdict, Failure> {
        let report = verify()?;
        if let (Some(recorder), Some(file)) = (&plan.recorder, &self.history) {
            recorder.finish()?;
            super::tell(format_args!("written: {}", file.display()));
        }
        // First of all, for a file may not be writable any more.
        let text = verify::text(&report);
        let printed = output::print(&match colour::is_wanted() {
            true => colour::painted(&text),
            false => text,
        });
        let json = match &self.json {
            Some(file) => files::write(file, &report.json()?),
            None => Ok(()),
        };
        if let Some(file) = &self.html {
            files::write(file, &verify::page(&report))?;
        }
        json?;
        printed?;
        Ok(report.verdict())
    }
}

fn accounts(text: &str) -> Result<usize, String> {
    settings::count(text, 10_000_000)
}

fn rate(text: &str) -> Result<NonZeroU32, String> {
    text.parse()
        .map_err(|_| format!("must be a whole number from 1 to {}", u32::MAX))
}

fn workers(text: &str) -> Result<usize, String> {
    settings::count(text, 1_000)
}
