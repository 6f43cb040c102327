//! Has the cases measured by turns, checks the books, and tells the user how far it is.

use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use http::Uri;

use super::books::{Check, Tally};
use super::durable::{Durable, Submissions};
use super::engine::{Calls, EngineTarget};
use super::http::{HttpTarget, Manner};
use super::meter::Meter;
use super::record::{Measurements, Round, add_histogram, new_histogram};
use super::report::{BenchReport, CaseReport, Latency, Reconciliation, RoundReport, percentiles};
use super::target::{Case, Target};
use crate::client::Broken;
use crate::present::progress::Progress;
use crate::present::quantity;

/// What is to be measured, and how.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The cases, in the order of the report.
    pub(crate) cases: Vec<Case>,
    /// How often each is measured.
    pub(crate) rounds: usize,
    /// How long each round lasts.
    pub(crate) duration: Duration,
    /// How long a target is driven before each measurement.
    pub(crate) warm_up: Duration,
    /// How many accounts are opened.
    pub(crate) accounts: usize,
    /// What fixes the operations.
    pub(crate) seed: u64,
    /// Settings that belong to the target, as pairs of a name and a value for the report.
    pub(crate) settings: Vec<(String, String)>,
}

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    /// The engine in this process.
    Engine(Calls),
    /// The durable ledger in this process.
    Durable(Submissions),
    /// The server at this address; without one, a server of our own.
    Server(Option<Uri>, Manner),
}

impl Subject {
    /// What is left behind when the process is ended at once, if anything is.
    pub(crate) fn leaves(&self) -> Option<String> {
        let ledger = |directory: &Path| format!("the ledger in {}", directory.display());
        match self {
            Self::Engine(_) => None,
            Self::Durable(submissions) => Some(ledger(&submissions.directory)),
            Self::Server(Some(url), _) => Some(format!("the accounts that were opened on {url}")),
            Self::Server(None, manner) => manner.data.as_deref().map(ledger),
        }
    }
}

/// How often the target is looked at and the user told.
const LOOKING_PAUSE: Duration = Duration::from_millis(100);

/// Measures. When `stop` is set it comes to an early end, with a report of what was measured until then.
pub(crate) fn run(subject: Subject, plan: &Plan, stop: &AtomicBool) -> Result<BenchReport, Broken> {
    let opening = Progress::new("opening accounts", plan.accounts as u64);
    let opened = |count| opening.advance(count);
    let mut target: Box<dyn Target> = match subject {
        Subject::Engine(calls) => Box::new(EngineTarget::open(plan.accounts, calls, &opened)?),
        Subject::Durable(submissions) => {
            Box::new(Durable::open(plan.accounts, submissions, &opened)?)
        }
        Subject::Server(None, manner) => {
            Box::new(HttpTarget::start(plan.accounts, manner, &opened)?)
        }
        Subject::Server(Some(url), manner) => {
            Box::new(HttpTarget::open(&url, plan.accounts, manner, &opened)?)
        }
    };
    opening.finish();

    let mut run = Run::new(plan, target.as_ref(), stop);
    run.measure()?;
    let Run {
        mut report, tally, ..
    } = run;
    report.interrupted = stop.load(Relaxed);

    let checked = target.rest().and_then(|seen| {
        report.seen = seen;
        check_books(target.as_ref(), &tally)
    });
    report.books = match checked {
        Ok(check) => Reconciliation::Checked(check),
        Err(Broken(why)) => Reconciliation::Unchecked(why),
    };
    // A target that does not even answer for its balances keeps its accounts as well.
    if matches!(report.books, Reconciliation::Checked(_)) {
        let closing = Progress::new("closing accounts", plan.accounts as u64);
        let closed = target.close(&|count| closing.advance(count));
        closing.finish();
        closed?;
    }
    Ok(report)
}

fn check_books(target: &dyn Target, tally: &Tally) -> Result<Check, Broken> {
    let checking = Progress::new("checking the books", target.accounts() as u64);
    let balances = target.balances(&|count| checking.advance(count));
    checking.finish();
    Ok(tally.check(target.initial_cents(), &balances?))
}

/// A run that is under way.
struct Run<'a> {
    plan: &'a Plan,
    target: &'a dyn Target,
    stop: &'a AtomicBool,
    began: Instant,
    /// The latencies of each case.
    latencies: Vec<Histogram<u64>>,
    tally: Tally,
    report: BenchReport,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, target: &'a dyn Target, stop: &'a AtomicBool) -> Self {
        let mut settings = vec![
            (
                "accounts".to_owned(),
                quantity::grouped(plan.accounts as u64),
            ),
            (
                "rounds".to_owned(),
                format!("{} of {:?}", plan.rounds, plan.duration),
            ),
            ("warm-up".to_owned(), format!("{:?}", plan.warm_up)),
            ("seed".to_owned(), plan.seed.to_string()),
        ];
        settings.extend_from_slice(&plan.settings);
        let mut report = BenchReport::new(target.description(), target.workers(), settings);
        report.cases = plan.cases.iter().map(CaseReport::new).collect();
        Self {
            plan,
            target,
            stop,
            began: Instant::now(),
            latencies: plan.cases.iter().map(|_| new_histogram()).collect(),
            tally: Tally::new(plan.accounts),
            report,
        }
    }

    /// Every round measures each case once.
    fn measure(&mut self) -> Result<(), Broken> {
        let plan = self.plan;
        let one = plan.warm_up + plan.duration;
        let all = one * (plan.rounds * plan.cases.len()) as u32;
        let template = "{elapsed_precise} {wide_bar} {eta} left  {msg}";
        let progress = Progress::with_template(template, all.as_millis() as u64);
        for round in 0..plan.rounds {
            for (index, case) in plan.cases.iter().enumerate() {
                if self.stop.load(Relaxed) {
                    break;
                }
                self.measure_once(round, index, case, &progress)?;
            }
        }
        progress.finish();
        Ok(())
    }

    fn measure_once(
        &mut self,
        number: usize,
        index: usize,
        case: &Case,
        progress: &Progress,
    ) -> Result<(), Broken> {
        let live = AtomicU64::new(0);
        let start = Instant::now() + self.plan.warm_up;
        let round = Round {
            start,
            end: start + self.plan.duration,
            // Far from the seeds of the threads, which are counted up from it.
            seed: self.plan.seed.wrapping_add((number as u64) << 32),
            stop: self.stop,
            live: &live,
        };
        let name = CaseReport::new(case).name(self.target.workers());
        let said = format!("round {} of {}: {name}", number + 1, self.plan.rounds);
        let done_before = progress.position();
        let mut watched = Watched::default();
        let record = thread::scope(|scope| {
            let driver = scope.spawn(|| self.target.drive(case, &round));
            watched = self.watch(
                &round,
                &|since, per_second| {
                    progress.set_position(done_before + since.as_millis() as u64);
                    progress.say(format!("{said}: {}/s", quantity::rate(per_second)));
                },
                &|| driver.is_finished(),
            );
            driver.join().map_err(|_| Broken::new("a thread panicked"))
        })??;
        self.keep(index, &record, &round, watched);
        Ok(())
    }

    /// Looks at the target until the driver is done.
    #[expect(clippy::float_arithmetic, reason = "a rate, not money")]
    fn watch(
        &self,
        round: &Round<'_>,
        tell: &dyn Fn(Duration, f64),
        finished: &dyn Fn() -> bool,
    ) -> Watched {
        let begun = Instant::now();
        let mut meter = self.target.process().map(Meter::new);
        let mut watched = Watched::default();
        let (mut last, mut last_count) = (begun, 0);
        let mut measuring = false;
        while !finished() {
            thread::sleep(LOOKING_PAUSE.min(self.plan.duration / 2));
            let now = Instant::now();
            let count = round.live.load(Relaxed);
            let elapsed = (now - last).as_secs_f64();
            tell(now - begun, (count - last_count) as f64 / elapsed);
            (last, last_count) = (now, count);
            let Some(meter) = &mut meter else { continue };
            if round.counts(now) {
                if measuring {
                    watched.processors = meter.processors();
                } else {
                    meter.start();
                    measuring = true;
                }
                watched.memory = meter.memory_peak();
            }
        }
        watched
    }

    #[expect(clippy::float_arithmetic, reason = "a time, not money")]
    fn keep(&mut self, index: usize, record: &Measurements, round: &Round<'_>, watched: Watched) {
        self.tally.add(&record.tally);
        // A round that was broken off is too short to be compared with others.
        let whole = Instant::now() >= round.end;
        let (Some(case), Some(latencies)) = (
            self.report.cases.get_mut(index),
            self.latencies.get_mut(index),
        ) else {
            return;
        };
        for (kind, count) in &record.errors {
            *case.errors.entry(kind.clone()).or_default() += count;
        }
        if !whole {
            return;
        }
        case.refused += record.refused;
        add_histogram(latencies, &record.latencies);
        case.latency = Latency::new(latencies);
        case.percentiles = percentiles(latencies);
        case.rounds.push(RoundReport {
            began_s: (round.start - self.began).as_secs_f64(),
            per_second: record.operations as f64 / self.plan.duration.as_secs_f64(),
            latency: Latency::new(&record.latencies),
            slices: record.slices.clone(),
            processors: watched.processors,
            memory: watched.memory,
        });
    }
}

/// What the target's process was seen to use.
#[derive(Clone, Copy, Debug, Default)]
struct Watched {
    processors: Option<f64>,
    memory: Option<u64>,
}
