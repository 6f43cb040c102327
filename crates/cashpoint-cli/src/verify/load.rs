//! Puts a subject under load, and records what came of it.
//!
//! The accounts sit on *seats*. A worker draws a seat and does something to the account that it finds there,
//! now and then to the one that was there before. Who closes an account opens another and puts it on the seat,
//! while others are still on their way to the old one, some of them to close it as well: closing races with
//! everything, itself included, and the account that is gone is asked about on and on.
//!
//! A [`Slice`] is everything between two times at which nothing is under way but what was never answered. So
//! what is held in memory does not grow with the run.

mod again;

use std::slice;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use cashpoint::AccountNumber;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

use super::history::{Action, Call, Outcome};
use super::known::Known;
use super::repeats::Repeats;
use super::subject::{Answered, Created, Listed, Oddities, Session, Subject, is_answered};
use super::sums::Sums;
use crate::client::Broken;

/// One operation of so many is on the account that was on the seat before.
const FORMER_ONE_IN: u32 = 50;

/// One operation of so many closes the account, if there are several seats.
const CLOSE_ONE_IN: u32 = 200;

/// The same for the one hot account, whose history should grow long.
const CLOSE_HOT_ONE_IN: u32 = 5_000;

/// One operation of so many closes an account that somebody else is about to close: two closings at a time.
const CLOSE_DOOMED_ONE_IN: u32 = 3;

/// One movement of money of so many has an idempotency key, where there are keys.
const KEY_ONE_IN: u32 = 8;

/// One movement of money of so many is asked for by a client that hangs up, if there are several seats; and the same for
/// the one hot account, whose history should grow long.
const HANG_UP_ONE_IN: u32 = 500;
const HANG_UP_HOT_ONE_IN: u32 = 2_000;

/// How many requests are sent again after a restart.
const AFTER_RESTART_MAX: usize = 100;

/// How many operations a worker takes on at a time.
const PORTION: i64 = 16;

/// After so many operations in a row without an answer a worker takes it that nobody is there.
const SILENCE: u32 = 20;

/// How often each is tried that happens when nothing else is under way.
const TRIES: u32 = 4;

/// After so many of these without an answer the rest is given up.
const SILENCE_AT_END: u32 = 3;

/// The most records that listings add to a slice.
const LISTED_MAX: usize = 1 << 17;

/// How long one listing waits for the next. One that takes long waits longer.
const LISTING_PAUSE: Duration = Duration::from_millis(20);

/// How much is done in one go: so many operations by so many clients, or fewer once it is too late.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portion {
    pub(super) clients: usize,
    pub(super) operations: u64,
    pub(super) until: Option<Instant>,
}

/// An account that is or was on a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tenant {
    pub(super) account: u32,
    pub(super) number: AccountNumber,
}

#[derive(Clone, Copy, Debug)]
struct Seat {
    current: Tenant,
    former: Option<Tenant>,
    /// Somebody is about to close it.
    doomed: bool,
}

/// What happened between two times at which nothing was under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Slice {
    /// Accounts, and how many cents they were opened with.
    pub(super) opened: Vec<(Tenant, i64)>,
    pub(super) records: Vec<Call>,
    /// Accounts to which nothing will be done after this slice.
    pub(super) left: Vec<u32>,
}

impl Slice {
    fn append(&mut self, mut other: Self) {
        self.opened.append(&mut other.opened);
        self.records.append(&mut other.records);
        self.left.append(&mut other.left);
    }
}

/// The accounts, and what all workers share.
#[derive(Debug)]
pub(super) struct Load {
    seats: Vec<Mutex<Seat>>,
    known: Mutex<Known>,
    /// How many creations of earlier parts of the run may yet take effect.
    loose: u64,
    sums: Sums,
    /// `None` if accounts are not closed.
    close_one_in: Option<u32>,
    /// `None` if there are no keys.
    repeats: Option<Repeats>,
    /// `None` if clients cannot.
    hang_up_one_in: Option<u32>,
    next_account: AtomicU32,
    began: Instant,
    /// How many operations were done.
    pub(super) done: AtomicU64,
    /// Nobody answers any more.
    silent: AtomicBool,
}

/// What was found when nothing was under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Inventory {
    /// Accounts that are open, and their balances in cents.
    pub(super) balances: Vec<(u32, i64)>,
    /// Accounts that were read, also those that are closed.
    pub(super) read: Vec<u32>,
    /// How many could not be read.
    pub(super) unread: usize,
    /// How many could not be closed in the end.
    pub(super) left_open: u64,
}

/// Who does it.
pub(super) struct Worker<'a> {
    index: u32,
    session: Box<dyn Session + 'a>,
    random: Xoshiro256PlusPlus,
    slice: Slice,
    oddities: Oddities,
    /// How many creations may yet take effect.
    loose: u64,
    /// Accounts whose closing was not answered.
    perhaps_open: Vec<AccountNumber>,
    /// How many operations in a row were not answered.
    unanswered: u32,
}

impl<'a> Worker<'a> {
    /// So many, and one more that lists.
    pub(super) fn crew(subject: &'a dyn Subject, workers: usize, seed: u64) -> Vec<Self> {
        (0..=workers as u32)
            .map(|index| Self {
                index,
                session: subject.session(),
                random: Xoshiro256PlusPlus::seed_from_u64(seed.wrapping_add(u64::from(index))),
                slice: Slice::default(),
                oddities: Oddities::default(),
                loose: 0,
                perhaps_open: Vec::new(),
                unanswered: 0,
            })
            .collect()
    }

    pub(super) fn take_oddities(&mut self) -> Oddities {
        let mut oddities = std::mem::take(&mut self.oddities);
        oddities.add(self.session.take_oddities());
        oddities
    }

    /// How many of its creations and closings may yet take effect.
    pub(super) fn loose(&self) -> u64 {
        self.loose + self.perhaps_open.len() as u64
    }

    pub(super) fn take_slice(&mut self) -> Slice {
        std::mem::take(&mut self.slice)
    }

    /// Closes what may still be open, until nobody answers. Those accounts are not followed any more.
    fn close_again(&mut self) {
        let mut failures = 0;
        for number in std::mem::take(&mut self.perhaps_open) {
            let is_closed = failures < SILENCE_AT_END
                && (0..TRIES).any(|_| {
                    let answered = self.session.call(number, Action::Close);
                    is_answered(answered.map(|it| it.outcome))
                });
            if is_closed {
                failures = 0;
            } else {
                if failures < SILENCE_AT_END {
                    self.tell_out_of_reach(number);
                }
                failures += 1;
                self.perhaps_open.push(number);
            }
        }
    }

    /// When something is called: now, or once it is time to.
    fn begin(&mut self, load: &Load) -> u64 {
        self.session.ready();
        load.now()
    }

    /// Does something to an account, and writes it down.
    fn perform(&mut self, load: &Load, tenant: Tenant, action: Action) -> Option<Outcome> {
        let called = self.begin(load);
        let answered = self.session.call(tenant.number, action);
        self.record(load, tenant, action, called, answered)
    }

    /// Writes down what was done to an account.
    fn record(
        &mut self,
        load: &Load,
        tenant: Tenant,
        action: Action,
        called: u64,
        answered: Option<Answered>,
    ) -> Option<Outcome> {
        let is_answered = is_answered(answered.map(|it| it.outcome));
        self.unanswered = if is_answered { 0 } else { self.unanswered + 1 };
        let Answered { outcome, told_at } = answered?;
        if action == Action::Close && outcome == Outcome::Unknown {
            self.perhaps_open.push(tenant.number);
        }
        self.slice.records.push(Call {
            account: tenant.account,
            worker: self.index,
            action,
            outcome,
            called,
            answered: load.now(),
            told_at,
        });
        Some(outcome)
    }

    /// Opens an account.
    fn open(&mut self, load: &Load) -> Result<Tenant, Created> {
        let initial = load.sums.initial();
        let called = self.begin(load);
        match self.session.create(initial) {
            Created::Opened(number) => {
                lock(&load.known).opened(number, called, load.now());
                let account = load.next_account.fetch_add(1, Relaxed);
                let tenant = Tenant { account, number };
                self.slice.opened.push((tenant, initial.get()));
                Ok(tenant)
            }
            other => {
                self.loose += u64::from(other == Created::Unknown);
                Err(other)
            }
        }
    }

    fn step(&mut self, load: &Load) {
        if let Some(repeats) = &load.repeats {
            self.repeat(load, repeats);
        }
        let index = self.random.random_range(0..load.seats.len());
        let Some(seat) = load.seats.get(index) else {
            return;
        };
        let Seat {
            current,
            former,
            doomed,
        } = *lock(seat);
        let tenant = match former {
            Some(former) if self.random.random_ratio(1, FORMER_ONE_IN) => former,
            _ => current,
        };
        let close_one_in = match doomed {
            true => Some(CLOSE_DOOMED_ONE_IN),
            false => load.close_one_in,
        };
        let action = match close_one_in {
            Some(one_in) if self.random.random_ratio(1, one_in) => Action::Close,
            _ => load.sums.draw(&mut self.random),
        };
        if action == Action::Close {
            doom(seat, tenant);
        }
        let moves = matches!(action, Action::Deposit(_) | Action::Withdraw(_));
        if moves
            && let Some(one_in) = load.hang_up_one_in
            && self.random.random_ratio(1, one_in)
        {
            self.misbehave(load, seat, tenant, action);
            return;
        }
        let outcome = match &load.repeats {
            Some(repeats) if moves && self.random.random_ratio(1, KEY_ONE_IN) => {
                self.perform_with_key(load, repeats, tenant, action)
            }
            _ => self.perform(load, tenant, action),
        };
        if outcome == Some(Outcome::Unknown) {
            // Many unknown outcomes on one account leave too many orders possible: another takes its place.
            doom(seat, tenant);
        }
        if action == Action::Close && outcome.is_some() {
            self.replace(load, seat, tenant);
        }
    }

    /// Puts another account on the seat, in the place of one that was closed.
    fn replace(&mut self, load: &Load, seat: &Mutex<Seat>, closed: Tenant) {
        if lock(seat).current.account != closed.account {
            return;
        }
        let Ok(next) = self.open(load) else {
            return;
        };
        let superfluous = {
            let mut seat = lock(seat);
            if seat.current.account == closed.account {
                seat.current = next;
                seat.doomed = false;
                seat.former.replace(closed)
            } else {
                // Somebody else, whose closing was called at the same time, has put one there.
                Some(next)
            }
        };
        if let Some(superfluous) = superfluous {
            if superfluous.account == next.account {
                self.perform(load, next, Action::Close);
            }
            self.slice.left.push(superfluous.account);
        }
    }

    /// Lists the accounts: a read of each that was on a seat before. `is_quiet` if nothing else is under way.
    fn list(&mut self, load: &Load, is_quiet: bool) {
        self.session.ready();
        let expected = load.tenants();
        let called = load.now();
        let Some(listed) = self.session.list() else {
            return;
        };
        let answered = load.now();
        lock(&load.known).look(&listed, is_quiet, &mut self.oddities);
        let mut listed = listed.rows;
        listed.sort_unstable();
        for tenant in expected {
            let first = listed.partition_point(|(number, _)| *number < tenant.number);
            let found = listed.get(first..).unwrap_or_default();
            let found = found
                .iter()
                .take_while(|(number, _)| *number == tenant.number);
            let mut balances = found.map(|(_, cents)| *cents);
            let outcome = balances
                .next()
                .map_or(Outcome::UnknownAccount, Outcome::Balance);
            self.slice.records.push(Call {
                account: tenant.account,
                worker: self.index,
                action: Action::List,
                outcome,
                called,
                answered,
                told_at: None,
            });
            if balances.next().is_some() {
                let example = || format!("account {}", tenant.number);
                self.oddities
                    .wrong("an account that one listing shows twice", example);
            }
        }
    }
}

impl Load {
    /// Opens so many accounts, beside those that were `listed` before, while `loose` creations of earlier parts of the run may yet
    /// take effect.
    pub(super) fn open(
        subject: &dyn Subject,
        accounts: usize,
        sums: Sums,
        loose: u64,
        listed: Option<&Listed>,
        worker: &mut Worker<'_>,
    ) -> Result<Self, Broken> {
        let mut load = Self {
            seats: Vec::with_capacity(accounts),
            known: Mutex::new(Known::new(listed)),
            loose,
            sums,
            close_one_in: match accounts {
                _ if !sums.closes() => None,
                1 => Some(CLOSE_HOT_ONE_IN),
                _ => Some(CLOSE_ONE_IN),
            },
            repeats: subject.keeps_keys().then(Repeats::default),
            // What is not known in the end has an account closed.
            hang_up_one_in: (subject.can_hang_up() && sums.closes()).then_some(match accounts {
                1 => HANG_UP_HOT_ONE_IN,
                _ => HANG_UP_ONE_IN,
            }),
            next_account: AtomicU32::new(0),
            began: Instant::now(),
            done: AtomicU64::new(0),
            silent: AtomicBool::new(false),
        };
        for opened in 0..accounts {
            let mut opened_now = worker.open(&load);
            // It may have been opened under a number that nobody was told: another one will do.
            for _ in 1..TRIES {
                if opened_now != Err(Created::Unknown) {
                    break;
                }
                opened_now = worker.open(&load);
            }
            let current = match opened_now {
                Ok(current) => current,
                Err(created) => {
                    load.close_all(slice::from_mut(worker));
                    return Err(match created {
                        Created::LimitReached => Broken(format!(
                            "there is room for {opened} more accounts only, and {accounts} are asked for: raise \
                             MAX_ACCOUNTS, or lower --accounts"
                        )),
                        _ => Broken(format!(
                            "only {opened} accounts of {accounts} could be opened"
                        )),
                    });
                }
            };
            load.seats.push(Mutex::new(Seat {
                current,
                former: None,
                doomed: false,
            }));
        }
        Ok(load)
    }

    /// Nanoseconds since the beginning, by the clock that all workers share.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Has workers do a portion, less of it if `stop` is set, and returns what happened.
    pub(super) fn run(
        &self,
        workers: &mut [Worker<'_>],
        portion: Portion,
        stop: &AtomicBool,
    ) -> Slice {
        let budget = AtomicI64::new(i64::try_from(portion.operations).unwrap_or(i64::MAX));
        self.silent.store(false, Relaxed);
        for worker in workers.iter_mut() {
            worker.unanswered = 0;
        }
        let Some((lister, workers)) = workers.split_last_mut() else {
            return Slice::default();
        };
        let mut slice = thread::scope(|scope| {
            let (over, wait) = mpsc::channel::<()>();
            let listing = scope.spawn(move || {
                while lister.slice.records.len() < LISTED_MAX {
                    let began = Instant::now();
                    lister.list(self, false);
                    let pause = LISTING_PAUSE.max(10 * began.elapsed());
                    // Until the others are done: then nothing is sent, but the channel is closed.
                    if wait.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                        break;
                    }
                }
                lister
            });
            let working: Vec<_> = workers
                .iter_mut()
                .take(portion.clients)
                .map(|worker| scope.spawn(|| self.work(worker, &budget, portion.until, stop)))
                .collect();
            for thread in working {
                // A worker that panicked has recorded what it did until then.
                let _ = thread.join();
            }
            drop(over);
            listing.join().map(Worker::take_slice).unwrap_or_default()
        });
        for worker in workers {
            slice.append(worker.take_slice());
        }
        slice
    }

    fn work(
        &self,
        worker: &mut Worker<'_>,
        budget: &AtomicI64,
        until: Option<Instant>,
        stop: &AtomicBool,
    ) {
        loop {
            let portion = budget.fetch_sub(PORTION, Relaxed).min(PORTION);
            for _ in 0..portion {
                let is_late = until.is_some_and(|until| Instant::now() >= until);
                if is_late || stop.load(Relaxed) || self.is_silent() {
                    return;
                }
                worker.step(self);
                self.done.fetch_add(1, Relaxed);
                if worker.unanswered >= SILENCE {
                    self.silent.store(true, Relaxed);
                }
            }
            if portion <= 0 {
                return;
            }
        }
    }

    /// Whether nobody answers any more.
    pub(super) fn is_silent(&self) -> bool {
        self.silent.load(Relaxed)
    }

    /// Reads the balance of every account that is or was on a seat.
    pub(super) fn read_all(&self, worker: &mut Worker<'_>) -> Inventory {
        let mut inventory = Inventory::default();
        let mut failures = 0;
        for tenant in self.tenants() {
            let outcome = match failures {
                0..SILENCE_AT_END => self.patiently(worker, tenant, Action::Balance),
                _ => None,
            };
            if !is_answered(outcome) {
                if failures < SILENCE_AT_END {
                    worker.tell_out_of_reach(tenant.number);
                }
                failures += 1;
                inventory.unread += 1;
                continue;
            }
            if let Some(Outcome::Balance(cents)) = outcome {
                inventory.balances.push((tenant.account, cents));
            }
            failures = 0;
            inventory.read.push(tenant.account);
        }
        worker.list(self, true);
        inventory
    }

    /// Closes every account, and sees to it that it is gone: the first of the workers does, for all. Returns how many may
    /// still be open.
    pub(super) fn close_all(&self, workers: &mut [Worker<'_>]) -> u64 {
        let Some((worker, others)) = workers.split_first_mut() else {
            return 0;
        };
        for other in others {
            worker.perhaps_open.append(&mut other.perhaps_open);
        }
        let (mut failures, mut left) = (0, 0);
        let tenants = self.tenants();
        for (index, tenant) in tenants.iter().enumerate() {
            let closed = is_answered(self.patiently(worker, *tenant, Action::Close));
            left += u64::from(!closed);
            failures = if closed { 0 } else { failures + 1 };
            if failures == SILENCE_AT_END {
                return left + (tenants.len() - index) as u64;
            }
            self.patiently(worker, *tenant, Action::Balance);
        }
        worker.list(self, true);
        worker.close_again();
        self.tell_strangers(workers);
        left
    }

    /// When nothing is under way: whether accounts were listed that nobody has opened.
    pub(super) fn tell_strangers(&self, workers: &mut [Worker<'_>]) {
        let unanswered = workers.iter().map(Worker::loose).sum::<u64>() + self.loose;
        if let Some(worker) = workers.first_mut() {
            lock(&self.known).tell_strangers(unanswered, &mut worker.oddities);
        }
    }

    /// Sends again what was answered last before a restart.
    pub(super) fn ask_again(&self, worker: &mut Worker<'_>) {
        let Some(repeats) = &self.repeats else {
            return;
        };
        for (keyed, first) in repeats.newest(AFTER_RESTART_MAX) {
            worker.ask_again(&keyed, &first, "after a restart");
        }
    }

    /// All that are or were on a seat.
    fn tenants(&self) -> Vec<Tenant> {
        let seats = self.seats.iter().map(|seat| *lock(seat));
        seats
            .flat_map(|seat| seat.former.into_iter().chain([seat.current]))
            .collect()
    }

    /// Again where nothing was sent, or nothing came back, as after a server closed its connections.
    fn patiently(
        &self,
        worker: &mut Worker<'_>,
        tenant: Tenant,
        action: Action,
    ) -> Option<Outcome> {
        let mut outcome = None;
        for _ in 0..TRIES {
            outcome = worker.perform(self, tenant, action);
            if is_answered(outcome) {
                break;
            }
        }
        outcome
    }
}

/// Others are to help with closing an account, if it is still on its seat.
fn doom(seat: &Mutex<Seat>, tenant: Tenant) {
    let mut seat = lock(seat);
    seat.doomed |= seat.current.account == tenant.account;
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
