//! The durable ledger in this process, without HTTP.
//!
//! Each caller keeps several submissions under way, waits for the oldest, and begins another. A withdrawal counts
//! once its answer is there, so it is on disk; a latency is that of a whole submission, from its call to its
//! answers.
//!
//! # Invariants
//!
//! - The books are checked on what is read back from the disk: at rest the ledger is closed and opened again, once
//!   with its snapshots and once without, and both must agree.
//! - A caller ends its part of a round with nothing under way.
//! - The directory is new, and no tmpfs unless the user names it: the report says which file system it is on.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cashpoint::durable::{DurableConfig, DurableLedger, PendingAll, SUBMISSION_MAX};
use cashpoint::journal::{self, is_snapshot};
use cashpoint::{AccountNumber, Cents, Change, Command, CommandError, NotDone};

use super::file_system::needs_empty;
use super::record::{Measurements, Round, in_threads};
use super::target::{Case, Target};
use super::workload::{AMOUNT, Action, Step, Steps};
use crate::client::Broken;
use crate::present::progress::ReadingBar;
use crate::present::quantity::{grouped, rate, size, time};

/// What is on each account at first: no withdrawal is refused within an hour, and no sum overflows.
const INITIAL: Cents = match Cents::new(10_000_000_000) {
    Some(cents) => cents,
    None => Cents::ZERO,
};

/// How the ledger is kept, and called.
#[derive(Clone, Debug)]
pub(crate) struct Submissions {
    /// Where its files go: a directory that is empty or not there.
    pub(crate) directory: PathBuf,
    /// How many commands a submission has.
    pub(crate) batch: usize,
    /// How many submissions a caller has under way.
    pub(crate) in_flight: usize,
    /// The largest number of callers.
    pub(crate) callers_max: usize,
}

/// A ledger of its own, with its accounts.
#[derive(Debug)]
pub(super) struct Durable {
    /// Open, other than between closing and opening again.
    ledger: Option<DurableLedger>,
    numbers: Vec<AccountNumber>,
    submissions: Submissions,
    /// What the rounds put on disk, by the number of callers.
    written: Mutex<BTreeMap<usize, Written>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Written {
    commands: u64,
    batches: u64,
}

impl Durable {
    pub(super) fn open(
        accounts: usize,
        submissions: Submissions,
        done: &dyn Fn(u64),
    ) -> Result<Self, Broken> {
        needs_empty(&submissions.directory)?;
        let mut durable = Self {
            ledger: None,
            numbers: Vec::with_capacity(accounts),
            submissions,
            written: Mutex::default(),
        };
        let ledger = durable.open_ledger(accounts, &mut |_| {})?;
        while durable.numbers.len() < accounts {
            let count = SUBMISSION_MAX.min(accounts - durable.numbers.len());
            let open = Command::from(Change::Open { initial: INITIAL });
            for answer in ledger.submit(vec![open; count]).wait() {
                durable.numbers.push(answer.map_err(Broken::new)?.number);
            }
            done(count as u64);
        }
        durable.ledger = Some(ledger);
        Ok(durable)
    }

    fn open_ledger(
        &self,
        accounts: usize,
        progress: &mut dyn FnMut(journal::Progress),
    ) -> Result<DurableLedger, Broken> {
        let Submissions {
            directory,
            batch,
            in_flight,
            callers_max,
        } = &self.submissions;
        let mut config = DurableConfig::new(accounts);
        // It is worth nothing, and may be measured anywhere.
        config.insecure_data = true;
        // None is turned away.
        config.waiting_max = config.waiting_max.max(batch * in_flight * callers_max);
        DurableLedger::open_with_progress(directory, config, progress).map_err(Broken::new)
    }

    fn ledger(&self) -> Result<&DurableLedger, Broken> {
        let ledger = self.ledger.as_ref();
        ledger.ok_or_else(|| Broken::new("the ledger could not be opened again"))
    }

    /// Closes the ledger and opens it again.
    fn reopen(&mut self) -> Result<Replay, Broken> {
        drop(self.ledger.take());
        let mut bar = ReadingBar::new("opening the ledger again");
        let start = Instant::now();
        let ledger = self.open_ledger(self.numbers.len(), &mut |progress| {
            bar.show(progress.position, progress.end)
        })?;
        let took = start.elapsed();
        drop(bar);
        let replay = Replay {
            records: ledger.recovery().records,
            from_snapshot: ledger.recovery().snapshot.is_some(),
            took,
        };
        self.ledger = Some(ledger);
        Ok(replay)
    }

    /// One caller's part of a round.
    fn call(&self, case: &Case, round: &Round<'_>, seed: u64) -> Result<Measurements, Broken> {
        let ledger = self.ledger()?;
        let mut steps = Steps::new(case.mix, case.skew, self.numbers.len(), seed);
        let mut record = Measurements::new(self.numbers.len());
        let mut under_way = VecDeque::with_capacity(self.submissions.in_flight);
        loop {
            let goes_on = Instant::now() < round.end && !round.stop.load(Relaxed);
            if goes_on && under_way.len() < self.submissions.in_flight {
                under_way.push_back(self.submit(ledger, &mut steps));
                continue;
            }
            let Some(submitted) = under_way.pop_front() else {
                return Ok(record);
            };
            submitted.settle(&mut record, round);
        }
    }

    fn submit(&self, ledger: &DurableLedger, steps: &mut Steps) -> Submitted {
        let mut drawn = Vec::with_capacity(self.submissions.batch);
        let mut commands = Vec::with_capacity(self.submissions.batch);
        while commands.len() < self.submissions.batch {
            let step = steps.next();
            let amount = AMOUNT;
            let Some(&number) = self.numbers.get(step.account) else {
                continue;
            };
            let change = match step.action {
                Action::Deposit => Change::Deposit { number, amount },
                // Reads are no changes: no case has any.
                Action::Withdraw | Action::Read => Change::Withdraw { number, amount },
            };
            drawn.push(step);
            commands.push(Command::from(change));
        }
        Submitted {
            at: Instant::now(),
            answers: ledger.submit(commands),
            steps: drawn,
        }
    }

    /// How large batches were, by the number of callers.
    #[expect(clippy::float_arithmetic, reason = "an average, not money")]
    fn batches(&self) -> Vec<(String, String)> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let average = |(callers, written): (&usize, &Written)| {
            let each = written.commands as f64 / written.batches.max(1) as f64;
            let text = format!(
                "{} synced, {each:.1} withdrawals each on average",
                grouped(written.batches)
            );
            let callers = match callers {
                1 => "1 caller".to_owned(),
                _ => format!("{callers} callers"),
            };
            (format!("batches, {callers}"), text)
        };
        written.iter().map(average).collect()
    }

    /// How much memory the bench needs beside the ledger: the numbers of accounts, and each caller's books.
    fn own_memory(&self) -> (String, String) {
        let books = (self.submissions.callers_max + 2) * size_of::<i64>();
        let bytes = self.numbers.len() * (size_of::<AccountNumber>() + books);
        let text = format!("{} of it are the bench's own books", size(bytes as u64));
        ("memory".to_owned(), text)
    }
}

impl Target for Durable {
    fn description(&self) -> String {
        format!(
            "the durable ledger in this process, {} submissions of {} in flight for each caller",
            self.submissions.in_flight, self.submissions.batch
        )
    }

    fn workers(&self) -> &'static str {
        "callers"
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
        let ledger = self.ledger()?;
        let before = ledger.batches();
        let callers = (0..case.workers as u64).map(|caller| {
            let seed = round.seed.wrapping_add(caller);
            move || self.call(case, round, seed)
        });
        let record = in_threads(self.numbers.len(), callers)?;
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let written = written.entry(case.workers).or_default();
        written.batches += ledger.batches() - before;
        written.commands += round.live.load(Relaxed);
        Ok(record)
    }

    /// Closes the ledger, and opens it with its snapshots, and without.
    fn rest(&mut self) -> Result<Vec<(String, String)>, Broken> {
        let mut seen = self.batches();
        seen.push(self.own_memory());
        let replay = self.reopen()?;
        if replay.from_snapshot {
            seen.push(("opened from a snapshot".to_owned(), replay.to_string()));
            let balances = self.balances(&|_| {})?;
            remove_snapshots(&self.submissions.directory)?;
            seen.push(("opened without it".to_owned(), self.reopen()?.to_string()));
            if balances != self.balances(&|_| {})? {
                return Err(Broken::new(
                    "the ledger opened from a snapshot differs from the one that was read from the journal alone",
                ));
            }
        } else {
            let text = format!("{replay}; there was no snapshot yet");
            seen.push(("opened again".to_owned(), text));
        }
        Ok(seen)
    }

    fn balances(&self, done: &(dyn Fn(u64) + Sync)) -> Result<Vec<i64>, Broken> {
        let ledger = self.ledger()?;
        let balance = |number: &AccountNumber| {
            done(1);
            ledger.balance(*number).map(Cents::get).map_err(Broken::new)
        };
        self.numbers.iter().map(balance).collect()
    }

    fn close(&mut self, _done: &(dyn Fn(u64) + Sync)) -> Result<(), Broken> {
        drop(self.ledger.take());
        Ok(())
    }
}

/// A submission under way.
struct Submitted {
    at: Instant,
    steps: Vec<Step>,
    answers: PendingAll,
}

impl Submitted {
    /// Waits for the answers, and writes down what they say.
    fn settle(self, record: &mut Measurements, round: &Round<'_>) {
        let answers = self.answers.wait();
        let now = Instant::now();
        let (mut done, mut refused) = (0, 0);
        for (step, answer) in self.steps.into_iter().zip(answers) {
            match answer {
                Ok(_) => {
                    record.tally.acknowledged(step, 1);
                    done += 1;
                }
                Err(CommandError::Refused { .. }) => refused += 1,
                Err(CommandError::NotDone(not_done)) => {
                    record.error(&not_done.to_string());
                    if not_done == NotDone::Failed {
                        record.tally.unanswered(step);
                    }
                }
            }
        }
        round.live.fetch_add(done + refused, Relaxed);
        record.operations(round, now, done + refused);
        if round.counts(now) {
            record.refused += refused;
            record.latency(now - self.at);
        }
    }
}

/// How a ledger was opened.
struct Replay {
    records: u64,
    from_snapshot: bool,
    took: Duration,
}

impl std::fmt::Display for Replay {
    #[expect(clippy::float_arithmetic, reason = "a rate, not money")]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let took = u64::try_from(self.took.as_nanos()).unwrap_or(u64::MAX);
        write!(
            f,
            "in {}, reading {} records: {}/s",
            time(took),
            grouped(self.records),
            rate(self.records as f64 / self.took.as_secs_f64())
        )
    }
}

fn remove_snapshots(directory: &Path) -> Result<(), Broken> {
    let remove = || {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if is_snapshot(&entry.file_name().to_string_lossy()) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    remove()
        .map_err(|error: std::io::Error| Broken(format!("a snapshot cannot be removed: {error}")))
}
