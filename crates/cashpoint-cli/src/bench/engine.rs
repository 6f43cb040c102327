//! The engine in this process.
//!
//! An operation takes some nanoseconds, less than reading the clock. So the steps are drawn beforehand, the
//! clock is read once for many of them, and a latency is measured for one of many. Which account was
//! credited how often follows from how far each thread came.

use std::hint::{black_box, spin_loop};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use cashpoint::{AccountNumber, Cents, Ledger, Operation, Refusal, Session};

use super::record::{GRACE, Measurements, NOT_BEGUN, Round, in_threads};
use super::target::{Case, Target};
use super::workload::{AMOUNT, Action, Step, Steps};
use crate::client::Broken;

/// What is on each account at first: so much that no withdrawal is refused within an hour.
const INITIAL: Cents = match Cents::new(100_000_000_000_000) {
    Some(cents) => cents,
    None => Cents::ZERO,
};

/// How many steps are done between two looks at the clock. The first of them is timed by itself.
const STRIDE: usize = 1 << 10;

/// A thread draws so many steps, and does them over and over: at least as many as fit into its cache, at
/// most enough to come to a million accounts.
const STEPS_MIN: usize = 1 << 13;
const STEPS_MAX: usize = 1 << 20;

/// How a thread calls the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calls {
    /// In sessions of some thousand operations.
    Session,
    /// One by one.
    Single,
    /// In batches of so many.
    Batch(usize),
}

/// A ledger of its own, with its accounts.
#[derive(Debug)]
pub(super) struct EngineTarget {
    ledger: Ledger,
    numbers: Vec<AccountNumber>,
    calls: Calls,
}

impl EngineTarget {
    pub(super) fn open(accounts: usize, calls: Calls, done: &dyn Fn(u64)) -> Result<Self, Broken> {
        let ledger = Ledger::new(accounts);
        let mut numbers = Vec::with_capacity(accounts);
        for _ in 0..accounts {
            numbers.push(ledger.create(INITIAL).map_err(Broken::new)?);
            done(1);
        }
        Ok(Self {
            ledger,
            numbers,
            calls,
        })
    }

    /// What a thread is to do.
    fn steps(&self, case: &Case, seed: u64) -> Vec<Prepared> {
        let accounts = self.numbers.len();
        let mut steps = Steps::new(case.mix, case.skew, accounts, seed);
        (0..accounts.clamp(STEPS_MIN, STEPS_MAX))
            .filter_map(|_| {
                let step = steps.next();
                let number = *self.numbers.get(step.account)?;
                let operation = match step.action {
                    Action::Read => Operation::Balance,
                    Action::Deposit => Operation::Deposit(AMOUNT),
                    Action::Withdraw => Operation::Withdraw(AMOUNT),
                };
                let operation = (number, operation);
                Some(Prepared { operation, step })
            })
            .collect()
    }

    /// One thread's part of a round.
    fn work(&self, case: &Case, round: &Round<'_>, seed: u64) -> Measurements {
        let prepared = self.steps(case, seed);
        let (operations, steps): (Vec<_>, Vec<_>) = prepared
            .into_iter()
            .map(|prepared| (prepared.operation, prepared.step))
            .unzip();
        let mut lane = Lane {
            round,
            record: Measurements::new(self.numbers.len()),
            done: 0,
            refused_steps: Vec::new(),
            outcomes: Vec::new(),
        };
        match case.interval(case.workers) {
            None => lane.closed_loop(Access::new(self), &operations),
            Some(interval) => lane.open_loop(Access::new(self), &operations, interval),
        }
        lane.close_books(&steps)
    }
}

/// What the ledger takes.
type NumberedOperation = (AccountNumber, Operation);

/// A step in the form that the ledger takes, beside the one that the books take.
struct Prepared {
    operation: NumberedOperation,
    step: Step,
}

impl Target for EngineTarget {
    fn description(&self) -> String {
        match self.calls {
            Calls::Session => "the engine in this process, in sessions".to_owned(),
            Calls::Single => "the engine in this process, one operation at a time".to_owned(),
            Calls::Batch(size) => format!("the engine in this process, in batches of {size}"),
        }
    }

    fn workers(&self) -> &'static str {
        "threads"
    }

    fn process(&self) -> Option<u32> {
        Some(std::process::id())
    }

    fn accounts(&self) -> usize {
        self.numbers.len()
    }

    fn initial_cents(&self) -> i64 {
        INITIAL.get()
    }

    fn drive(&self, case: &Case, round: &Round<'_>) -> Result<Measurements, Broken> {
        let threads = (0..case.workers as u64).map(|worker| {
            let seed = round.seed.wrapping_add(worker);
            move || Ok(self.work(case, round, seed))
        });
        in_threads(self.numbers.len(), threads)
    }

    fn balances(&self, done: &(dyn Fn(u64) + Sync)) -> Result<Vec<i64>, Broken> {
        let session = self.ledger.pin();
        let balance = |number: &AccountNumber| {
            done(1);
            session
                .balance(*number)
                .map(Cents::get)
                .map_err(Broken::new)
        };
        self.numbers.iter().map(balance).collect()
    }

    fn close(&mut self, _done: &(dyn Fn(u64) + Sync)) -> Result<(), Broken> {
        Ok(())
    }
}

/// A thread's way to the ledger.
enum Access<'a> {
    Session(Session<'a>),
    /// Without a session: a thread that has one pins the map a second time at nearly no cost.
    Single(&'a Ledger),
    Batch(Session<'a>, usize),
}

impl<'a> Access<'a> {
    fn new(engine: &'a EngineTarget) -> Self {
        match engine.calls {
            Calls::Session => Self::Session(engine.ledger.pin()),
            Calls::Single => Self::Single(&engine.ledger),
            Calls::Batch(size) => Self::Batch(engine.ledger.pin(), size),
        }
    }

    fn refresh(self) -> Self {
        match self {
            Self::Session(session) => Self::Session(session.refresh()),
            Self::Single(ledger) => Self::Single(ledger),
            Self::Batch(session, size) => Self::Batch(session.refresh(), size),
        }
    }

    /// How many operations go into one call.
    fn size(&self) -> usize {
        match self {
            Self::Session(_) | Self::Single(_) => 1,
            Self::Batch(_, size) => *size,
        }
    }
}

/// A thread at work.
struct Lane<'a> {
    round: &'a Round<'a>,
    record: Measurements,
    /// How many operations were done since the first, over and over from the start.
    done: usize,
    /// Which of them were refused, by their place among the steps.
    refused_steps: Vec<usize>,
    outcomes: Vec<Result<Cents, Refusal>>,
}

impl Lane<'_> {
    /// Does the operations one after another until the round ends.
    fn closed_loop(&mut self, mut access: Access<'_>, operations: &[NumberedOperation]) {
        for (stride, place) in operations.chunks(STRIDE).zip((0..).step_by(STRIDE)).cycle() {
            let (first, rest) = stride.split_at(access.size().min(stride.len()));
            let begun = Instant::now();
            let refused = self.call(&access, first, place);
            let after_first = Instant::now();
            let refused = refused + self.call(&access, rest, place + first.len());
            self.done += stride.len();

            let now = Instant::now();
            if self.round.counts(now) {
                self.record.latency(after_first - begun);
                self.record.refused += refused;
            }
            self.record.operations(self.round, now, stride.len() as u64);
            self.round.live.fetch_add(stride.len() as u64, Relaxed);
            if now >= self.round.end || self.round.stop.load(Relaxed) {
                break;
            }
            access = access.refresh();
        }
    }

    /// Begins a call every so often, or as soon after that as the one before is done.
    fn open_loop(
        &mut self,
        mut access: Access<'_>,
        operations: &[NumberedOperation],
        interval: Duration,
    ) {
        let size = access.size();
        let interval = interval * u32::try_from(size).unwrap_or(u32::MAX);
        let mut intended = Instant::now();
        for (stride, place) in operations.chunks(size).zip((0..).step_by(size)).cycle() {
            if place % STRIDE == 0 {
                access = access.refresh();
            }
            let mut now = Instant::now();
            while now < intended {
                spin_loop();
                now = Instant::now();
            }
            if intended >= self.round.end || self.round.stop.load(Relaxed) {
                break;
            }
            if now >= self.round.end + GRACE {
                let calls = (self.round.end - intended).as_nanos() / interval.as_nanos().max(1) + 1;
                self.record
                    .errors_of_a_kind(NOT_BEGUN, calls as u64 * size as u64);
                break;
            }
            let refused = self.call(&access, stride, place);
            self.done += operations.len();
            let now = Instant::now();
            if intended >= self.round.start {
                self.record.latency(now - intended);
                self.record.refused += refused;
            }
            self.record
                .operations(self.round, now, operations.len() as u64);
            self.round.live.fetch_add(operations.len() as u64, Relaxed);
            intended += interval;
        }
    }

    /// Does `operations`, of which the first has this place among the steps. Returns how many were refused.
    #[inline]
    fn call(&mut self, access: &Access<'_>, operations: &[NumberedOperation], place: usize) -> u64 {
        let refused_before = self.refused_steps.len();
        match access {
            Access::Session(session) => {
                self.one_by_one(operations, place, |number, operation| match operation {
                    Operation::Balance => black_box(session.balance(number)).is_ok(),
                    Operation::Deposit(amount) => {
                        black_box(session.deposit(number, amount)).is_ok()
                    }
                    Operation::Withdraw(amount) => {
                        black_box(session.withdraw(number, amount)).is_ok()
                    }
                })
            }
            Access::Single(ledger) => {
                self.one_by_one(operations, place, |number, operation| match operation {
                    Operation::Balance => black_box(ledger.balance(number)).is_ok(),
                    Operation::Deposit(amount) => black_box(ledger.deposit(number, amount)).is_ok(),
                    Operation::Withdraw(amount) => {
                        black_box(ledger.withdraw(number, amount)).is_ok()
                    }
                })
            }
            Access::Batch(session, size) => {
                for (batch, place) in operations.chunks(*size).zip((place..).step_by(*size)) {
                    session.apply(batch, &mut self.outcomes);
                    let refused = self.outcomes.iter().zip(place..);
                    let refused = refused.filter(|(outcome, _)| outcome.is_err());
                    self.refused_steps.extend(refused.map(|(_, place)| place));
                }
            }
        }
        (self.refused_steps.len() - refused_before) as u64
    }

    #[inline]
    fn one_by_one(
        &mut self,
        operations: &[NumberedOperation],
        place: usize,
        succeeds: impl Fn(AccountNumber, Operation) -> bool,
    ) {
        for ((number, operation), place) in operations.iter().zip(place..) {
            if !succeeds(*number, *operation) {
                self.refused_steps.push(place);
            }
        }
    }

    /// Writes down what was done to which account.
    fn close_books(mut self, steps: &[Step]) -> Measurements {
        let (passes, rest) = (self.done / steps.len(), self.done % steps.len());
        for (place, step) in steps.iter().enumerate() {
            let times = passes + usize::from(place < rest);
            self.record.tally.acknowledged(*step, times as i64);
        }
        for place in self.refused_steps {
            if let Some(step) = steps.get(place) {
                self.record.tally.acknowledged(*step, -1);
            }
        }
        self.record
    }
}
