//! Has the phases take place, one after another.

use std::num::NonZeroU32;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use http::Uri;

use super::checker::OPEN_MAX;
use super::engine::EngineSubject;
use super::forecast::{Forecast, PART_MAX, SHORT_PART_MAX};
use super::histories::{self, Setup};
use super::pace::Pace;
use super::recorder::Recorder;
use super::report::{PhaseReport, Verdict, VerifyReport};
use super::restart::{self, Keeper, Restarts};
use super::server::Server;
use super::subject::Subject;
use super::sums::Sums;
use super::{limit, restart::NAME as RESTART, rules};
use crate::client::{Address, Broken, OwnServer};
use crate::present::notice::tell;
use crate::present::quantity::grouped;

/// How many accounts the engine may hold, and a server of our own, beside those under load.
const ROOM: usize = 1_000;

/// What is done by default: so many operations on so many accounts.
const OPERATIONS: u64 = 1_000_000;
const ACCOUNTS: usize = 100;

/// The most clients at a time for each account: the checker follows twice as many open operations, and some are
/// never answered.
const WORKERS_PER_ACCOUNT_MAX: usize = OPEN_MAX / 2;

/// How many operations move large sums: this part of all, and so many at least if there are so many. What they are for shows
/// soon.
const LARGE_PART: u64 = 20;
const LARGE_OPERATIONS_MIN: u64 = 6_000;

/// A part of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Every rule of the REST contract.
    Contract,
    /// Histories on many accounts and on one.
    Histories,
    /// The limit of accounts.
    Limit,
    /// Kill and restart.
    Restart,
}

/// What is to be verified, and how.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) phases: Vec<Phase>,
    /// How many accounts are under load. `None` for [`ACCOUNTS`], or fewer of a server that is slow.
    pub(crate) accounts: Option<usize>,
    /// How many clients at a time.
    pub(crate) workers: usize,
    /// How many operations in all. `None` for [`OPERATIONS`], or as many as there is time for.
    pub(crate) operations: Option<u64>,
    /// How many requests a second at most.
    pub(crate) rate: Option<NonZeroU32>,
    pub(crate) seed: u64,
    /// How long an answer may take.
    pub(crate) timeout: Duration,
    /// Where the histories are written to.
    pub(crate) recorder: Option<Recorder>,
}

impl Plan {
    fn settings(&self, workers: &str) -> Vec<(String, String)> {
        [
            ("operations", grouped(self.operations())),
            ("accounts", grouped(self.accounts() as u64)),
            (workers, self.workers.to_string()),
            ("seed", self.seed.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    fn operations(&self) -> u64 {
        self.operations.unwrap_or(OPERATIONS)
    }

    fn accounts(&self) -> usize {
        self.accounts.unwrap_or(ACCOUNTS)
    }

    /// How many accounts our own subjects may hold: little enough for the limit to be reached.
    fn limit(&self) -> usize {
        2 * self.accounts() + self.workers + ROOM
    }

    fn includes(&self, phase: Phase) -> bool {
        self.phases.contains(&phase)
    }
}

/// Verifies the engine in this process.
pub(crate) fn verify_engine(plan: &Plan, stop: &AtomicBool) -> VerifyReport {
    let subject = "the engine in this process".to_owned();
    let mut report = VerifyReport::new(subject, plan.settings("threads"));
    let engine = EngineSubject::new(plan.limit());
    let scale = Scale::of(&engine, plan.accounts());
    run_under_load(&mut report, &engine, plan, scale, false, stop);
    report
}

/// Verifies the server at `url`; without one, a server of our own. When `stop` is set it comes to an early end,
/// with a report of what was seen until then.
pub(crate) fn verify_http(
    url: Option<&Uri>,
    restarts: Option<&Restarts>,
    plan: &Plan,
    stop: &AtomicBool,
) -> Result<VerifyReport, Broken> {
    match url {
        Some(url) => {
            let address = Address::resolve(url)?;
            verify_server(address.url.clone(), address, restarts, plan, stop)
        }
        None => {
            let own = OwnServer::start(plan.limit(), None)?;
            let subject = "a cashpoint server of its own, in memory".to_owned();
            verify_server(subject, own.address()?, restarts, plan, stop)
        }
    }
}

fn verify_server(
    subject: String,
    address: Address,
    restarts: Option<&Restarts>,
    plan: &Plan,
    stop: &AtomicBool,
) -> Result<VerifyReport, Broken> {
    let mut settings = plan.settings("connections");
    settings.push(("timeout".to_owned(), format!("{:?}", plan.timeout)));
    if let Some(rate) = plan.rate {
        settings.push(("requests a second at most".to_owned(), rate.to_string()));
    }
    let mut report = VerifyReport::new(subject, settings);
    let mut server = Server::new(address, plan.timeout, Pace::new(plan.rate));

    let mut keeper = match restarts {
        Some(restarts) => Some(Keeper::new(restarts, &server, stop)?),
        None => None,
    };
    // Nobody there is no verdict, and no list of rules that were broken; nor is somebody else.
    server.reach()?;
    server.speak()?;
    let forecast = Forecast::ask(&server);
    server.usual = forecast.answer;
    let accounts = match plan.accounts {
        Some(asked) => asked,
        None => forecast.accounts(ACCOUNTS),
    };
    if forecast.is_slow() {
        let takes = format!("{} ms", forecast.answer.as_millis());
        tell(announcement(forecast, &takes, accounts, plan));
        report.settings.push(("an answer takes".to_owned(), takes));
    }
    let mut is_convicted = false;
    if plan.includes(Phase::Contract) {
        let held = rules::run(&server, stop);
        is_convicted = held.is_convicted;
        report.add(held.phase);
    }
    let scale = Scale::of(&server, accounts);
    run_under_load(&mut report, &server, plan, scale, is_convicted, stop);
    match &mut keeper {
        Some(keeper) if plan.includes(Phase::Restart) => {
            let setup = setup(plan, scale, report.loose());
            let run = || restart::run(&server, setup, keeper, stop);
            report.add(phase(RESTART, stop, run));
        }
        None if plan.includes(Phase::Restart) => {
            let why = "asked for with --restart-cmd or --pid, for servers that promise to remember";
            report.add(PhaseReport::skipped(RESTART, why));
        }
        _ => {}
    }
    Ok(report)
}

/// What the user of a slow server is told at the beginning.
fn announcement(forecast: Forecast, takes: &str, accounts: usize, plan: &Plan) -> String {
    if plan.operations.is_some() {
        return format!("an answer takes {takes}; without --operations the run would be shorter");
    }
    let parts = [(Phase::Histories, 3), (Phase::Limit, 1)].into_iter();
    let parts = parts.filter(|(phase, _)| plan.includes(*phase));
    let parts = parts.map(|(_, parts)| parts).sum();
    let time = forecast.time(plan.includes(Phase::Contract), parts, accounts);
    let minutes = time.as_secs().div_ceil(60);
    format!(
        "an answer takes {takes}, so the run takes up to {minutes} min and does fewer operations than usual"
    )
}

/// How much a subject takes.
#[derive(Clone, Copy, Debug)]
struct Scale {
    /// How many accounts there are under load.
    accounts: usize,
    /// The largest sum that moves at a time, in cents.
    largest: i64,
}

impl Scale {
    /// With so many accounts, or as many as there is room for while others are opened in the place of those that are closed.
    fn of(subject: &dyn Subject, accounts: usize) -> Self {
        let room = subject.room().map(|it| it.limit.saturating_sub(it.count));
        let room = room.map_or(accounts, |it| usize::try_from(it).unwrap_or(0));
        Self {
            accounts: accounts.min(room.div_ceil(2)).max(1),
            largest: subject.largest(),
        }
    }
}

/// The phases that are the same for the engine and a server, which is already convicted or not.
fn run_under_load(
    report: &mut VerifyReport,
    subject: &dyn Subject,
    plan: &Plan,
    scale: Scale,
    is_convicted: bool,
    stop: &AtomicBool,
) {
    // What takes little time comes first. Once somebody is convicted, the rest need not last long.
    let before = report.phases.len();
    let is_convicted = |report: &VerifyReport| {
        let mut parts = report.phases.iter().skip(before);
        is_convicted || parts.any(|part| part.verdict == Verdict::Convicted)
    };
    if plan.includes(Phase::Limit) {
        let setup = Setup {
            workers: plan.workers,
            ..setup(plan, scale, report.loose())
        };
        let run = || limit::run(subject, setup, stop);
        report.add(phase(limit::NAME, stop, run));
    }
    if plan.includes(Phase::Histories) {
        for (name, accounts, is_large) in [
            ("large sums", 1, true),
            ("many accounts", scale.accounts, false),
            ("one hot account", 1, false),
        ] {
            let scale = Scale { accounts, ..scale };
            let mut setup = setup(plan, scale, report.loose());
            if is_large {
                setup.sums = Sums::Large(scale.largest);
                setup.operations = LARGE_OPERATIONS_MIN
                    .min(plan.operations())
                    .max(plan.operations() / LARGE_PART);
            }
            if is_large || is_convicted(report) {
                setup.time_max = setup.time_max.map(|_| SHORT_PART_MAX);
            }
            let run = || histories::run(name, subject, setup, stop);
            report.add(phase(name, stop, run));
        }
    }
}

/// Has a phase take place. One that cannot says why, and takes nothing from what the others have found.
fn phase(
    name: &str,
    stop: &AtomicBool,
    run: impl FnOnce() -> Result<PhaseReport, Broken>,
) -> PhaseReport {
    let result = if stop.load(Relaxed) {
        Err(Broken::new("stopped before it began"))
    } else {
        run()
    };
    result.unwrap_or_else(|Broken(why)| {
        let mut phase = PhaseReport::new(name);
        phase.undecided(why);
        phase
    })
}

fn setup(plan: &Plan, scale: Scale, loose: u64) -> Setup<'_> {
    let Scale { accounts, largest } = scale;
    Setup {
        accounts,
        workers: plan
            .workers
            .min(WORKERS_PER_ACCOUNT_MAX.saturating_mul(accounts)),
        operations: plan.operations().div_ceil(2),
        time_max: plan.operations.is_none().then_some(PART_MAX),
        sums: Sums::Small(largest),
        seed: plan.seed,
        loose,
        recorder: plan.recorder.as_ref(),
    }
}
