//! The phase that holds a subject to its limit of accounts, while creations and closings race.
//!
//! An account is *surely open* from the answer to its creation until its closing is called. The number of
//! those must never exceed the room that there was. And once creations alone have gone on until nobody gets
//! one, there must be exactly as many as there was room for: with nothing being closed, a refusal means that
//! every place is taken.
//!
//! Creations and closings of earlier phases that were never answered may take effect meanwhile: by so many the
//! count may be off, and nobody is convicted for it.

use std::collections::HashSet;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use std::thread;
use std::time::Instant;

use cashpoint::{AccountNumber, Cents};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

use super::histories::Setup;
use super::history::{Action, Outcome};
use super::report::{Finding, PhaseReport};
use super::subject::{Created, Oddities, Room, Session, Subject, is_answered};
use crate::client::Broken;
use crate::present::progress::Progress;
use crate::present::quantity::grouped;

/// The most room that is filled up to reach the limit.
const ROOM_MAX: i64 = 20_000;

/// How many creations and closings race at the limit, for each worker.
const STEPS_PER_WORKER: u64 = 500;

/// After so many refusals in a row a worker takes it that there is no room.
const REFUSALS: usize = 3;

/// After so many creations or closings without an answer it takes it that nobody is there.
const SILENCE: usize = 10;

/// How often it is tried to close what may still be open.
const ROUNDS: usize = 8;

pub(super) const NAME: &str = "account limit";

pub(super) fn run(
    subject: &dyn Subject,
    setup: Setup<'_>,
    stop: &AtomicBool,
) -> Result<PhaseReport, Broken> {
    let Setup { workers, seed, .. } = setup;
    let Room { count, limit } = subject.room()?;
    let Some(room @ 1..=ROOM_MAX) = limit.checked_sub(count) else {
        let why = format!(
            "{} accounts of {} exist: between 1 and {} must be free to get to the limit (MAX_ACCOUNTS sets it)",
            count,
            limit,
            grouped(ROOM_MAX.unsigned_abs())
        );
        return Ok(PhaseReport::skipped(NAME, why));
    };

    let mut report = PhaseReport::new(NAME);
    let race = Race::new(room);
    let racers = (0..workers as u64).map(|worker| Racer::new(subject, seed.wrapping_add(worker)));
    let mut racers: Vec<_> = racers.collect();
    let steps = STEPS_PER_WORKER * workers as u64;
    let progress = Progress::new(NAME, room.unsigned_abs() + steps);

    let until = setup.time_max.map(|it| Instant::now() + it);
    progress.watch(&race.done, || {
        every(&mut racers, |racer| racer.fill(&race, until, stop));
    });
    if race.late.load(Relaxed) {
        progress.finish();
        return Ok(out_of_reach(&race, &mut racers, setup));
    }
    if race.is_full() {
        ask_for_nonsense(&mut racers, &mut report);
        look_back(&mut racers, stop, &mut report);
    }
    let filled = race.open.load(SeqCst);
    let unknown = race.unknown.load(SeqCst);
    let done = race.done.load(Relaxed);
    let until = setup.time_max.map(|it| Instant::now() + it);
    progress.watch(&race.done, || {
        every(&mut racers, |racer| racer.come_and_go(&race, until, stop));
    });
    let raced = race.done.load(Relaxed) - done;
    let most = race.most.load(SeqCst);
    every(&mut racers, |racer| racer.leave(&race));
    progress.finish();

    report.fact(format!(
        "{} accounts were opened, of {} that there was room for; then {} creations and closings raced there",
        grouped(filled.unsigned_abs()),
        grouped(room.unsigned_abs()),
        grouped(raced)
    ));
    let loose = i64::try_from(setup.loose).unwrap_or(i64::MAX);
    judge(
        &race,
        room,
        most,
        filled + unknown,
        loose,
        stop,
        &mut report,
    );
    take_oddities(&mut racers, &mut report);
    if stop.load(Relaxed) {
        report.undecided("stopped before the end");
    }
    Ok(report)
}

/// It took too long to fill up: what was opened is closed again.
fn out_of_reach(race: &Race, racers: &mut [Racer<'_>], setup: Setup<'_>) -> PhaseReport {
    let why = format!(
        "only {} accounts of {} could be opened within {} s: lower MAX_ACCOUNTS, or give --operations, which sets no time",
        grouped(race.open.load(SeqCst).unsigned_abs()),
        grouped(race.room.unsigned_abs()),
        setup.time_max.unwrap_or_default().as_secs()
    );
    let mut report = PhaseReport::skipped(NAME, why);
    every(racers, |racer| racer.leave(race));
    take_oddities(racers, &mut report);
    report
}

fn take_oddities(racers: &mut [Racer<'_>], report: &mut PhaseReport) {
    let mut oddities = Oddities::default();
    for racer in racers {
        oddities.add(racer.session.take_oddities());
        let left = racer.open.len() + racer.perhaps_open.len();
        report.loose += racer.loose + left as u64;
    }
    report.oddities(oddities);
}

/// Once there is no room, each account that was opened is there, one by one and in a listing.
fn look_back(racers: &mut [Racer<'_>], stop: &AtomicBool, report: &mut PhaseReport) {
    every(racers, |racer| racer.read_all(stop));
    let missing = racers.iter().flat_map(|it| &it.missing);
    tell_lost(missing, "there with its balance", report);
    let listed = racers.first_mut().and_then(|it| it.session.list());
    let Some(listed) = listed else {
        return;
    };
    let shown: HashSet<_> = listed.rows.iter().map(|(number, _)| *number).collect();
    let opened = racers.iter().flat_map(|it| &it.open);
    let unlisted = opened.filter(|it| !shown.contains(it));
    tell_lost(unlisted, "in the listing", report);
    report.fact(format!(
        "once there was no room, {} accounts were listed, and those that were opened read one by one",
        grouped(listed.rows.len() as u64)
    ));
}

/// Convicts if there are any accounts that were opened and are not `where_expected`.
fn tell_lost<'a>(
    mut lost: impl Iterator<Item = &'a AccountNumber>,
    where_expected: &str,
    report: &mut PhaseReport,
) {
    if let Some(number) = lost.next() {
        report.finding(Finding {
            count: 1 + lost.count() as u64,
            ..Finding::new(format!(
                "once there is no room, an account that was opened is not {where_expected}: {number}"
            ))
        });
    }
}

/// What is invalid is refused as such, also once there is no room.
fn ask_for_nonsense(racers: &mut [Racer<'_>], report: &mut PhaseReport) {
    let answered = racers
        .first_mut()
        .map(|racer| racer.session.create_nonsense());
    if answered.flatten() == Some(507) {
        report.finding(Finding::new(
            "once there is no room, an invalid creation is refused for want of room: 422 comes before 507",
        ));
    }
}

/// Whether too many accounts were open at a time, or too few when a creation was refused.
fn judge(
    race: &Race,
    room: i64,
    most: i64,
    opened: i64,
    loose: i64,
    stop: &AtomicBool,
    report: &mut PhaseReport,
) {
    if most > room.saturating_add(loose) {
        report.finding(Finding::new(format!(
            "{} accounts were open at a time, and there was room for {room}",
            grouped(most.unsigned_abs())
        )));
    }
    if race.unsure.load(Relaxed) {
        report.undecided("nobody answered any more");
    } else if opened.saturating_add(loose) < room && !stop.load(Relaxed) {
        report.finding(Finding::new(format!(
            "a creation was refused although {} more accounts had room and none was being closed",
            room - opened
        )));
    }
}

/// What all racers share.
#[derive(Debug)]
struct Race {
    room: i64,
    /// How many accounts are surely open, and the most there ever were.
    open: AtomicI64,
    most: AtomicI64,
    /// How many may be open under a number that nobody was told.
    unknown: AtomicI64,
    /// How many creations and closings were done, for the progress bar.
    done: AtomicU64,
    /// Somebody stopped because nobody answered, not because there was no room.
    unsure: AtomicBool,
    /// Somebody stopped because it took too long to get there.
    late: AtomicBool,
}

impl Race {
    fn new(room: i64) -> Self {
        Self {
            room,
            open: AtomicI64::new(0),
            most: AtomicI64::new(0),
            unknown: AtomicI64::new(0),
            done: AtomicU64::new(0),
            unsure: AtomicBool::new(false),
            late: AtomicBool::new(false),
        }
    }

    /// Whether there is no room any more.
    fn is_full(&self) -> bool {
        self.open.load(SeqCst) >= self.room
    }
}

struct Racer<'a> {
    session: Box<dyn Session + 'a>,
    random: Xoshiro256PlusPlus,
    open: Vec<AccountNumber>,
    /// Those that were not there any more when they were read.
    missing: Vec<AccountNumber>,
    /// Those whose closing was not answered.
    perhaps_open: Vec<AccountNumber>,
    /// How many of its creations were not answered.
    loose: u64,
}

impl<'a> Racer<'a> {
    fn new(subject: &'a dyn Subject, seed: u64) -> Self {
        Self {
            session: subject.session(),
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            open: Vec::new(),
            missing: Vec::new(),
            perhaps_open: Vec::new(),
            loose: 0,
        }
    }

    /// Opens accounts until there is no room.
    fn fill(&mut self, race: &Race, until: Option<Instant>, stop: &AtomicBool) {
        let (mut refused, mut unanswered) = (0, 0);
        // A subject without a limit would be filled for ever.
        while refused < REFUSALS && !stop.load(Relaxed) && race.open.load(Relaxed) <= 2 * race.room
        {
            match self.create(race) {
                Created::Opened(_) => (refused, unanswered) = (0, 0),
                Created::LimitReached => refused += 1,
                Created::Unknown | Created::NotOpened => unanswered += 1,
            }
            if unanswered == SILENCE {
                race.unsure.store(true, Relaxed);
                return;
            }
            if is_over(until) {
                race.late.store(true, Relaxed);
                return;
            }
        }
    }

    /// Reads each of its accounts.
    fn read_all(&mut self, stop: &AtomicBool) {
        for number in &self.open {
            if stop.load(Relaxed) {
                return;
            }
            let answered = self.session.call(*number, Action::Balance);
            let outcome = answered.map(|it| it.outcome);
            if is_answered(outcome) && outcome != Some(Outcome::Balance(0)) {
                self.missing.push(*number);
            }
        }
    }

    /// Opens and closes, at the limit.
    fn come_and_go(&mut self, race: &Race, until: Option<Instant>, stop: &AtomicBool) {
        let mut unanswered = 0;
        for _ in 0..STEPS_PER_WORKER {
            if is_over(until) || stop.load(Relaxed) || race.unsure.load(Relaxed) {
                return;
            }
            let is_answered = if !self.open.is_empty() && self.random.random_bool(0.5) {
                self.close(race)
            } else {
                let created = self.create(race);
                matches!(created, Created::Opened(_) | Created::LimitReached)
            };
            unanswered = if is_answered { 0 } else { unanswered + 1 };
            if unanswered == SILENCE {
                race.unsure.store(true, Relaxed);
            }
        }
    }

    /// Closes what is open, and what may be, several times over unless nobody answers.
    fn leave(&mut self, race: &Race) {
        let mut unanswered = 0;
        while !self.open.is_empty() && unanswered < SILENCE {
            unanswered = if self.close(race) { 0 } else { unanswered + 1 };
        }
        for _ in 0..ROUNDS {
            for number in std::mem::take(&mut self.perhaps_open) {
                let is_closed = unanswered < SILENCE && self.is_closed_now(number);
                unanswered = if is_closed { 0 } else { unanswered + 1 };
                if !is_closed {
                    self.perhaps_open.push(number);
                }
            }
        }
    }

    /// Closes an account. Whether that was answered.
    fn is_closed_now(&mut self, number: AccountNumber) -> bool {
        let answered = self.session.call(number, Action::Close);
        is_answered(answered.map(|it| it.outcome))
    }

    fn create(&mut self, race: &Race) -> Created {
        let created = self.session.create(Cents::ZERO);
        match created {
            Created::Opened(number) => {
                self.open.push(number);
                let open = race.open.fetch_add(1, SeqCst) + 1;
                race.most.fetch_max(open, SeqCst);
            }
            Created::Unknown => {
                race.unknown.fetch_add(1, SeqCst);
                self.loose += 1;
            }
            Created::LimitReached | Created::NotOpened => {}
        }
        race.done.fetch_add(1, Relaxed);
        created
    }

    /// Closes one of its accounts, if it has any. Whether nothing went unanswered.
    fn close(&mut self, race: &Race) -> bool {
        let Some(number) = self.open.pop() else {
            return true;
        };
        race.open.fetch_sub(1, SeqCst);
        race.done.fetch_add(1, Relaxed);
        // Once more where that may not have been done.
        let is_closed = self.is_closed_now(number) || self.is_closed_now(number);
        if !is_closed {
            self.perhaps_open.push(number);
        }
        is_closed
    }
}

fn is_over(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() >= until)
}

/// Has all racers do something at once.
fn every<'a>(racers: &mut [Racer<'a>], work: impl Fn(&mut Racer<'a>) + Sync) {
    thread::scope(|scope| {
        for racer in racers {
            let work = &work;
            scope.spawn(move || work(racer));
        }
    });
}
