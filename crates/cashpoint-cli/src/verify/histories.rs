//! The phase that records what clients were told under load, and looks for an order that explains it.
//!
//! The workers produce slices, and a thread of its own judges them meanwhile: at most two slices wait, so
//! memory does not grow with the run. It ends early once a slice convicts: more of the same shows nothing new.

use std::collections::HashMap;
use std::io;
use std::iter;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use cashpoint::AccountNumber;

use super::books::Totals;
use super::census::Census;
use super::evidence::{Evidence, money};
use super::history::Outcome;
use super::judge::Judge;
use super::load::{Inventory, Load, Portion, Slice, Worker};
use super::processor_time;
use super::recorder::Recorder;
use super::report::{Finding, PhaseReport, Recorded};
use super::subject::{Listed, Oddities, Subject};
use super::sums::Sums;
use super::times::Fall;
use super::told;
use crate::client::Broken;
use crate::present::progress::Progress;
use crate::present::quantity::{counted, grouped, rate};

/// How many operations a slice has, and listings may add as many. A record is 56 bytes, and three slices are held
/// at most.
const SLICE_OPERATIONS: u64 = 1 << 17;

/// How few clients begin, and how much each of these numbers of clients has: this part of all operations and all of the time,
/// and no more than so many.
const FEW_CLIENTS: [usize; 2] = [2, 8];
const FEW_PART: u32 = 10;
const FEW_OPERATIONS_MAX: u64 = 10_000;

/// How many histories that convict are shown.
const SHOWN_MAX: usize = 3;

/// How a subject is put under load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup<'a> {
    pub(super) accounts: usize,
    pub(super) workers: usize,
    pub(super) operations: u64,
    /// How long it may take. `None` for as long as the operations do.
    pub(super) time_max: Option<Duration>,
    pub(super) sums: Sums,
    pub(super) seed: u64,
    /// How many creations and closings of earlier phases were never answered, and may yet take effect.
    pub(super) loose: u64,
    /// Where the histories are written to.
    pub(super) recorder: Option<&'a Recorder>,
}

/// Puts the subject under load, and judges what came of it.
pub(super) fn run(
    name: &str,
    subject: &dyn Subject,
    setup: Setup<'_>,
    stop: &AtomicBool,
) -> Result<PhaseReport, Broken> {
    let mut report = PhaseReport::new(name);
    let before = Census::take(subject);
    let listed = before.as_ref().and_then(|it| it.listed.as_ref());
    let Some((load, mut workers)) = open(subject, setup, listed, &mut report) else {
        return Ok(report);
    };
    let census = |opened, loose, when, report: &mut PhaseReport| {
        if let (Some(before), Some(now)) = (&before, Census::take(subject)) {
            now.hold(before, opened, loose, when, report);
        }
    };
    let loose = setup.loose + workers.first().map_or(0, Worker::loose);
    census(
        setup.accounts as i64,
        loose,
        "once they were opened",
        &mut report,
    );

    let began = Instant::now();
    let Loaded {
        heard,
        inventory,
        mut oddities,
    } = load_and_judge(name, &load, &mut workers, setup, stop)?;
    let elapsed = began.elapsed();
    if load.done.load(Relaxed) < setup.operations
        && let Some(time) = setup.time_max.filter(|it| elapsed >= *it)
    {
        report.fact(format!(
            "ended after {} s, before all {} operations were done: give --operations to have them all done",
            time.as_secs(),
            grouped(setup.operations)
        ));
    }

    for worker in &mut workers {
        oddities.add(worker.take_oddities());
        report.loose += worker.loose();
    }
    if !load.is_silent() {
        let loose = setup.loose + report.loose + inventory.left_open;
        census(0, loose, "after all were closed again", &mut report);
    }
    let totals = heard.judge.books.check(inventory.balances.into_iter());
    heard.tell(&mut report, elapsed);
    tell_totals(&mut report, &totals);
    if load.is_silent() {
        report.undecided("nobody answered any more");
    }
    if inventory.unread > 0 {
        let unread = counted(inventory.unread as u64, "account");
        report.undecided(format!("{unread} could not be read at the end"));
    }
    report.oddities(oddities);
    if stop.load(Relaxed) {
        report.undecided("stopped before the end");
    }
    Ok(report)
}

/// What came of putting a subject under load.
struct Loaded<'a> {
    heard: Heard<'a>,
    inventory: Inventory,
    oddities: Oddities,
}

/// Puts the subject under load until all is done, somebody is convicted, or nobody answers any more. Each slice is judged
/// while the next one is made. Then all accounts are read and closed.
fn load_and_judge<'a>(
    name: &'a str,
    load: &Load,
    workers: &mut [Worker<'_>],
    setup: Setup<'a>,
    stop: &AtomicBool,
) -> Result<Loaded<'a>, Broken> {
    let progress = Progress::new(name, setup.operations);
    let began = Instant::now();
    let convicted = AtomicBool::new(false);
    let judged = thread::scope(|scope| {
        let (slices, receiver) = sync_channel::<Slice>(1);
        let judging = scope.spawn(|| {
            let mut heard = Heard::new(name, setup.recorder);
            for slice in receiver {
                heard.hear(slice);
                convicted.store(heard.convicts(), Relaxed);
            }
            heard
        });
        let mut oddities = Oddities::default();
        for mut portion in portions(setup) {
            let is_late = setup.time_max.is_some_and(|it| began.elapsed() >= it);
            if is_late || stop.load(Relaxed) || convicted.load(Relaxed) || load.is_silent() {
                break;
            }
            if !oddities.wrong.is_empty() {
                portion.operations = portion.operations.min(FEW_OPERATIONS_MAX);
            }
            let slice = progress.watch(&load.done, || load.run(workers, portion, stop));
            // Nobody listens any more only if the judge has panicked, and that comes out below.
            let _ = slices.send(slice);
            load.tell_strangers(workers);
            for worker in workers.iter_mut() {
                oddities.add(worker.take_oddities());
            }
            // An oddity may be a small thing: all clients together get their chance to show a greater one.
            if !oddities.wrong.is_empty() && portion.clients == setup.workers {
                break;
            }
        }
        let mut inventory = Inventory::default();
        if let Some(worker) = workers.first_mut() {
            inventory = load.read_all(worker);
            let _ = slices.send(worker.take_slice());
        }
        inventory.left_open = load.close_all(workers);
        if let Some(worker) = workers.first_mut() {
            let _ = slices.send(worker.take_slice());
        }
        drop(slices);
        let heard = judging
            .join()
            .map_err(|_| Broken::new("the checker panicked"))?;
        Ok(Loaded {
            heard,
            inventory,
            oddities,
        })
    });
    progress.finish();
    judged
}

/// What is done one after another: a little by few clients, then most of it by all. What goes wrong between two clients is
/// told best by a history of two.
fn portions(setup: Setup<'_>) -> impl Iterator<Item = Portion> {
    let until = setup.time_max.map(|it| Instant::now() + it);
    let mut left = setup.operations;
    let few = FEW_CLIENTS
        .into_iter()
        .filter(move |it| *it < setup.workers);
    let all = iter::repeat(setup.workers);
    few.chain(all).map_while(move |clients| {
        let (operations, until) = if clients == setup.workers {
            (SLICE_OPERATIONS, until)
        } else {
            let soon = setup.time_max.map(|it| Instant::now() + it / FEW_PART);
            let few = (setup.operations / u64::from(FEW_PART)).clamp(1, FEW_OPERATIONS_MAX);
            (few, soon)
        };
        let operations = operations.min(left);
        left -= operations;
        (operations > 0).then_some(Portion {
            clients,
            operations,
            until,
        })
    })
}

/// Gathers the workers and opens the accounts, beside those that were `listed` before. Where that fails the report says why.
pub(super) fn open<'a>(
    subject: &'a dyn Subject,
    setup: Setup<'_>,
    listed: Option<&Listed>,
    report: &mut PhaseReport,
) -> Option<(Load, Vec<Worker<'a>>)> {
    let mut workers = Worker::crew(subject, setup.workers, setup.seed);
    let first = workers.first_mut()?;
    let Setup {
        accounts,
        sums,
        loose,
        ..
    } = setup;
    match Load::open(subject, accounts, sums, loose, listed, first) {
        Ok(load) => Some((load, workers)),
        Err(broken) => {
            report.undecided(broken.0);
            report.oddities(first.take_oddities());
            report.loose += first.loose();
            None
        }
    }
}

/// What was judged so far.
#[derive(Debug)]
pub(super) struct Heard<'a> {
    phase: &'a str,
    recorder: Option<&'a Recorder>,
    /// What the accounts are called that are under way, where it is recorded.
    numbers: HashMap<u32, AccountNumber>,
    /// Why not all of it was recorded.
    unrecorded: Option<io::Error>,
    pub(super) judge: Judge,
    pub(super) evidence: Vec<Evidence>,
    accounts: u64,
    unknown: u64,
    refused: u64,
    /// How much time of a processor judging took.
    spent: Duration,
}

impl<'a> Heard<'a> {
    pub(super) fn new(phase: &'a str, recorder: Option<&'a Recorder>) -> Self {
        Self {
            phase,
            recorder,
            numbers: HashMap::new(),
            unrecorded: None,
            judge: Judge::default(),
            evidence: Vec::new(),
            accounts: 0,
            unknown: 0,
            refused: 0,
            spent: Duration::ZERO,
        }
    }

    pub(super) fn hear(&mut self, mut slice: Slice) {
        if let Some(recorder) = self.recorder
            && self.unrecorded.is_none()
        {
            let written = recorder.write(self.phase, &slice, &mut self.numbers);
            self.unrecorded = written.err();
        }
        let began = processor_time::of_this_thread();
        self.accounts += slice.opened.len() as u64;
        for (tenant, cents) in slice.opened {
            self.judge.opened(tenant.account, tenant.number, cents);
        }
        for record in &slice.records {
            self.unknown += u64::from(record.outcome == Outcome::Unknown);
            self.refused += u64::from(record.outcome == Outcome::InsufficientFunds);
        }
        self.evidence
            .append(&mut self.judge.hear(&mut slice.records));
        for account in slice.left {
            self.judge.forget(account);
        }
        self.spent += processor_time::of_this_thread().saturating_sub(began);
    }

    /// Whether something is wrong with what was heard.
    fn convicts(&self) -> bool {
        !self.evidence.is_empty() || !self.judge.falls.is_empty()
    }

    /// Says what was judged, and what is wrong with it: the smallest histories first.
    #[expect(clippy::float_arithmetic, reason = "rates, not money")]
    pub(super) fn tell(mut self, report: &mut PhaseReport, elapsed: Duration) {
        let recorded = Recorded {
            operations: self.judge.operations,
            accounts: self.accounts,
            refused: self.refused,
            unknown: self.unknown,
            seconds: elapsed.as_secs_f64(),
            processor_seconds: self.spent.as_secs_f64(),
        };
        let operations = recorded.operations;
        let per_second = |seconds: f64| rate(operations as f64 / seconds.max(1e-9));
        report.recorded = Some(recorded);
        report.fact(format!(
            "{} on {}, {} refused for want of funds, {} unknown",
            counted(operations, "operation"),
            counted(self.accounts, "account"),
            counted(self.refused, "withdrawal"),
            counted(self.unknown, "outcome")
        ));
        report.fact(format!(
            "recorded in {:.1} s ({}/s), checked at {} a second of one processor",
            recorded.seconds,
            per_second(recorded.seconds),
            per_second(recorded.processor_seconds)
        ));
        if self.judge.given_up > 0 {
            report.undecided(format!(
                "{} had too many operations open or unanswered at a time to be judged",
                counted(self.judge.given_up, "account")
            ));
        }
        if operations == self.unknown {
            report.undecided("nothing was answered");
        }
        if let Some(error) = &self.unrecorded {
            report.undecided(format!("the history could not be written: {error}"));
        }
        self.tell_times(report);
        self.evidence.sort_by_key(|evidence| evidence.records.len());
        let accounts = self.evidence.len();
        for evidence in self.evidence.into_iter().take(SHOWN_MAX) {
            report.finding(Finding {
                history: Some(evidence.clone()),
                ..Finding::new(evidence.explanation())
            });
        }
        if accounts > SHOWN_MAX {
            report.fact(format!(
                "{accounts} accounts have a history that no order explains; the {SHOWN_MAX} shortest are shown"
            ));
        }
    }
}

impl Heard<'_> {
    /// Says what is wrong with the times that were told.
    fn tell_times(&self, report: &mut PhaseReport) {
        if let Some((number, Fall { first, then })) = self.judge.falls.first() {
            let mut finding = Finding::new(
                "times ran backwards: a transaction tells of an earlier time than one that was over before it was \
                 asked for",
            );
            finding.count = self.judge.falls.len() as u64;
            let [first, then] = [first, then].map(|it| told::written(*it));
            finding.details = vec![format!("account {number}: first {first}, then {then}")];
            report.finding(finding);
        }
        if let Some((here, there)) = self.judge.span.stands_still() {
            report.finding(Finding::new(format!(
                "the clock of the server stood still: while {here:.1} s passed here, its times went on by {there:.1} s"
            )));
        }
    }
}

pub(super) fn tell_totals(report: &mut PhaseReport, totals: &Totals) {
    let &Totals {
        lost_cents,
        created_cents,
        ..
    } = totals;
    if totals.accounts == 0 {
        return;
    }
    report.totals = Some(*totals);
    report.fact(format!(
        "{} open at the end: opened with {}, {} paid in, {} taken out, {} unknown, {} there",
        counted(totals.accounts, "account"),
        money(totals.initial_cents),
        money(totals.credited_cents),
        money(totals.debited_cents),
        money(totals.unknown_cents),
        money(totals.found_cents)
    ));
    if lost_cents > 0 {
        report.finding(Finding::new(format!(
            "money was lost: {} less than was acknowledged",
            money(lost_cents)
        )));
    }
    if created_cents > 0 {
        report.finding(Finding::new(format!(
            "money was made: {} more than was acknowledged",
            money(created_cents)
        )));
    }
}
