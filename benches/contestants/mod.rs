//! What is compared, and how: every contestant does the same steps on the same number of accounts.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use cashpoint::{AccountNumber, Amount, Cents, Ledger, Session};
use criterion::{BenchmarkId, Criterion, Throughput};
use crossbeam::utils::CachePadded;
use uuid::Uuid;

/// What an account begins with, in cents: so much that no withdrawal is ever refused.
const INITIAL_CENTS: i64 = 1_000_000_000_000;

/// How many steps each thread prepares, and then does over and over: enough to touch a million accounts.
const STEPS: usize = 1 << 20;

/// How many operations a session does before it lets go of what it held up.
const OPERATIONS_PER_REFRESH: u32 = 1024;

/// One cent: what each deposit and withdrawal moves.
const CENT: Amount = match Amount::from_cents(1) {
    Some(amount) => amount,
    None => Amount::MAX,
};

/// Something that keeps balances.
pub(crate) trait Contestant: Sync + Sized {
    const NAME: &'static str;

    /// What an account is addressed by.
    type Key: Copy + Sync;

    /// A thread's way to it.
    type Worker<'a>: Worker<Self::Key>
    where
        Self: 'a;

    fn open(accounts: usize) -> (Self, Vec<Self::Key>);
    fn worker(&self) -> Self::Worker<'_>;
    /// All its money, while nothing moves.
    fn total(&self) -> i64;
}

/// What one thread does to a contestant. Each returns the balance.
pub(crate) trait Worker<Key> {
    fn balance(&mut self, key: Key) -> i64;
    fn deposit(&mut self, key: Key) -> i64;
    fn withdraw(&mut self, key: Key) -> i64;
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Workload {
    /// Balances are read.
    Read,
    /// Deposits and withdrawals by turns.
    Write,
    /// Of ten operations eight are reads, one a deposit, one a withdrawal.
    Mixed,
}

impl Workload {
    pub(crate) const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Mixed];

    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "deposit-withdraw",
            Self::Mixed => "mixed",
        }
    }

    fn operation(self, number: usize) -> Operation {
        match (self, number % 10) {
            (Self::Read, _) | (Self::Mixed, 0..8) => Operation::Balance,
            (Self::Mixed, 8) => Operation::Deposit,
            (Self::Write, digit) if digit % 2 == 0 => Operation::Deposit,
            _ => Operation::Withdraw,
        }
    }
}

#[derive(Clone, Copy)]
enum Operation {
    Balance,
    Deposit,
    Withdraw,
}

/// Benchmarks one contestant: every workload, on one thread and on all.
pub(crate) fn bench<C: Contestant>(criterion: &mut Criterion, group: &str, accounts: usize) {
    let (contestant, keys) = C::open(accounts);
    let mut expected = contestant.total();
    let threads_max = thread::available_parallelism().map_or(1, usize::from);
    for workload in Workload::ALL {
        for threads in [1, threads_max] {
            let name = format!("{group}/{}/{threads}-threads", workload.name());
            let steps: Vec<_> = (0..threads)
                .map(|thread| steps(workload, &keys, thread))
                .collect();
            let mut group = criterion.benchmark_group(name);
            group
                .warm_up_time(Duration::from_millis(200))
                .measurement_time(Duration::from_secs(1))
                .sample_size(20)
                .throughput(Throughput::Elements(threads as u64));
            group.bench_function(BenchmarkId::from_parameter(C::NAME), |bencher| {
                bencher.iter_custom(|iterations| {
                    let (elapsed, moved) = run(&contestant, &steps, iterations);
                    expected += moved;
                    elapsed
                });
            });
            group.finish();
            assert_eq!(contestant.total(), expected, "{} lost money", C::NAME);
        }
    }
}

/// A thread's steps: accounts that look random, the same for every contestant.
fn steps<Key: Copy>(workload: Workload, keys: &[Key], thread: usize) -> Vec<(Key, Operation)> {
    let mut state = thread as u64;
    (0..STEPS)
        .filter_map(|number| {
            let account = usize::try_from(splitmix64(&mut state) % keys.len() as u64).ok()?;
            Some((*keys.get(account)?, workload.operation(number)))
        })
        .collect()
}

/// The next of a sequence of numbers that look random (Steele, Lea and Flood, 2014).
fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// Has each thread do `iterations` steps. Returns the time from the first start to the last end, and how
/// many cents were put in, less those taken out.
fn run<C: Contestant>(
    contestant: &C,
    steps: &[Vec<(C::Key, Operation)>],
    iterations: u64,
) -> (Duration, i64) {
    let barrier = Barrier::new(steps.len());
    let results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = steps
            .iter()
            .map(|steps| {
                let barrier = &barrier;
                scope.spawn(move || {
                    let mut worker = contestant.worker();
                    barrier.wait();
                    let start = Instant::now();
                    let moved = work(&mut worker, steps, iterations);
                    (start, Instant::now(), moved)
                })
            })
            .collect();
        let results = threads.into_iter().filter_map(|thread| thread.join().ok());
        results.collect()
    });
    assert_eq!(results.len(), steps.len(), "a thread panicked");
    let start = results.iter().map(|(start, ..)| *start).min();
    let end = results.iter().map(|(_, end, _)| *end).max();
    let elapsed = start.zip(end).map(|(start, end)| end - start);
    let moved = results.iter().map(|(.., moved)| moved).sum();
    (elapsed.unwrap_or_default(), moved)
}

fn work<Key: Copy>(
    worker: &mut impl Worker<Key>,
    steps: &[(Key, Operation)],
    iterations: u64,
) -> i64 {
    let mut moved = 0;
    let mut left = iterations;
    while left > 0 {
        for (key, operation) in steps {
            if left == 0 {
                break;
            }
            left -= 1;
            match operation {
                Operation::Balance => {
                    black_box(worker.balance(*key));
                }
                Operation::Deposit => {
                    black_box(worker.deposit(*key));
                    moved += 1;
                }
                Operation::Withdraw => {
                    black_box(worker.withdraw(*key));
                    moved -= 1;
                }
            }
        }
    }
    moved
}

/// The limit: an array by index, without a directory and without closing.
pub(crate) struct Bare<Cell>(Vec<Cell>);

/// A balance next to its neighbours, or on a cache line of its own.
pub(crate) trait BareCell: Sync {
    const NAME: &'static str;
    fn new(balance: i64) -> Self;
    fn atomic(&self) -> &AtomicI64;
}

impl BareCell for AtomicI64 {
    const NAME: &'static str = "limit-bare-atomics";

    fn new(balance: i64) -> Self {
        Self::new(balance)
    }

    fn atomic(&self) -> &AtomicI64 {
        self
    }
}

impl BareCell for CachePadded<AtomicI64> {
    const NAME: &'static str = "limit-bare-atomics-padded";

    fn new(balance: i64) -> Self {
        Self::new(AtomicI64::new(balance))
    }

    fn atomic(&self) -> &AtomicI64 {
        self
    }
}

impl<Cell: BareCell> Contestant for Bare<Cell> {
    const NAME: &'static str = Cell::NAME;
    type Key = usize;
    type Worker<'a>
        = &'a [Cell]
    where
        Cell: 'a;

    fn open(accounts: usize) -> (Self, Vec<usize>) {
        let cells = (0..accounts).map(|_| Cell::new(INITIAL_CENTS)).collect();
        (Self(cells), (0..accounts).collect())
    }

    fn worker(&self) -> &[Cell] {
        &self.0
    }

    fn total(&self) -> i64 {
        self.0.iter().map(|cell| cell.atomic().load(Relaxed)).sum()
    }
}

impl<Cell: BareCell> Worker<usize> for &[Cell] {
    fn balance(&mut self, key: usize) -> i64 {
        self.get(key).map_or(0, |cell| cell.atomic().load(Acquire))
    }

    fn deposit(&mut self, key: usize) -> i64 {
        self.get(key)
            .map_or(0, |cell| cell.atomic().fetch_add(1, AcqRel))
    }

    fn withdraw(&mut self, key: usize) -> i64 {
        let covered = |balance: i64| balance.checked_sub(1).filter(|left| *left >= 0);
        self.get(key)
            .and_then(|cell| cell.atomic().fetch_update(AcqRel, Acquire, covered).ok())
            .unwrap_or_default()
    }
}

/// This engine, each operation on its own.
pub(crate) struct PerOperation(Ledger);

impl Contestant for PerOperation {
    const NAME: &'static str = "cashpoint";
    type Key = AccountNumber;
    type Worker<'a> = &'a Ledger;

    fn open(accounts: usize) -> (Self, Vec<AccountNumber>) {
        let (ledger, numbers) = open_ledger(accounts);
        (Self(ledger), numbers)
    }

    fn worker(&self) -> &Ledger {
        &self.0
    }

    fn total(&self) -> i64 {
        total(&self.0)
    }
}

impl Worker<AccountNumber> for &Ledger {
    fn balance(&mut self, key: AccountNumber) -> i64 {
        Ledger::balance(self, key).map_or(0, Cents::get)
    }

    fn deposit(&mut self, key: AccountNumber) -> i64 {
        Ledger::deposit(self, key, CENT).map_or(0, Cents::get)
    }

    fn withdraw(&mut self, key: AccountNumber) -> i64 {
        Ledger::withdraw(self, key, CENT).map_or(0, Cents::get)
    }
}

/// This engine, each thread in a session.
pub(crate) struct InSession(Ledger);

impl Contestant for InSession {
    const NAME: &'static str = "cashpoint-session";
    type Key = AccountNumber;
    type Worker<'a> = SessionWorker<'a>;

    fn open(accounts: usize) -> (Self, Vec<AccountNumber>) {
        let (ledger, numbers) = open_ledger(accounts);
        (Self(ledger), numbers)
    }

    fn worker(&self) -> SessionWorker<'_> {
        SessionWorker {
            session: self.0.pin(),
            operations: 0,
        }
    }

    fn total(&self) -> i64 {
        total(&self.0)
    }
}

pub(crate) struct SessionWorker<'a> {
    session: Session<'a>,
    operations: u32,
}

impl SessionWorker<'_> {
    fn session(&mut self) -> &Session<'_> {
        self.operations += 1;
        if self.operations.is_multiple_of(OPERATIONS_PER_REFRESH) {
            self.session.refresh();
        }
        &self.session
    }
}

impl Worker<AccountNumber> for SessionWorker<'_> {
    fn balance(&mut self, key: AccountNumber) -> i64 {
        self.session().balance(key).map_or(0, Cents::get)
    }

    fn deposit(&mut self, key: AccountNumber) -> i64 {
        let posting = self.session().deposit(key, CENT);
        posting.map_or(0, |posting| posting.balance.get())
    }

    fn withdraw(&mut self, key: AccountNumber) -> i64 {
        let posting = self.session().withdraw(key, CENT);
        posting.map_or(0, |posting| posting.balance.get())
    }
}

fn open_ledger(accounts: usize) -> (Ledger, Vec<AccountNumber>) {
    let ledger = Ledger::new(accounts);
    let initial = Cents::new(INITIAL_CENTS).unwrap_or_default();
    let numbers: Vec<_> = (0..accounts)
        .filter_map(|_| ledger.create(initial).ok())
        .collect();
    assert_eq!(numbers.len(), accounts, "an account was not created");
    (ledger, numbers)
}

fn total(ledger: &Ledger) -> i64 {
    let session = ledger.pin();
    let accounts = session.accounts_after(None);
    accounts.map(|account| account.balance.get()).sum()
}

/// The design of the service that Cashpoint replaces: a directory behind one lock, and a lock for each
/// account.
pub(crate) struct Mutexes(Mutex<HashMap<Uuid, Arc<Mutex<i64>>>>);

impl Mutexes {
    fn with_balance<T>(&self, number: Uuid, operation: impl FnOnce(&mut i64) -> T) -> Option<T> {
        // The directory is let go of before the account is locked.
        let account = {
            let directory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(directory.get(&number)?)
        };
        let mut balance = account.lock().unwrap_or_else(PoisonError::into_inner);
        Some(operation(&mut balance))
    }
}

impl Contestant for Mutexes {
    const NAME: &'static str = "mutex-per-account";
    type Key = Uuid;
    type Worker<'a> = &'a Self;

    fn open(accounts: usize) -> (Self, Vec<Uuid>) {
        let numbers: Vec<_> = (0..accounts).map(|_| Uuid::new_v4()).collect();
        let directory = numbers
            .iter()
            .map(|number| (*number, Arc::new(Mutex::new(INITIAL_CENTS))));
        (Self(Mutex::new(directory.collect())), numbers)
    }

    fn worker(&self) -> &Self {
        self
    }

    fn total(&self) -> i64 {
        let directory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let accounts = directory.values();
        accounts
            .map(|account| *account.lock().unwrap_or_else(PoisonError::into_inner))
            .sum()
    }
}

impl Worker<Uuid> for &Mutexes {
    fn balance(&mut self, key: Uuid) -> i64 {
        self.with_balance(key, |balance| *balance)
            .unwrap_or_default()
    }

    fn deposit(&mut self, key: Uuid) -> i64 {
        let deposit = |balance: &mut i64| {
            *balance += 1;
            *balance
        };
        self.with_balance(key, deposit).unwrap_or_default()
    }

    fn withdraw(&mut self, key: Uuid) -> i64 {
        let withdraw = |balance: &mut i64| {
            if *balance > 0 {
                *balance -= 1;
            }
            *balance
        };
        self.with_balance(key, withdraw).unwrap_or_default()
    }
}
