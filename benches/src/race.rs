//! How a contestant is run: all threads at once, on steps that were prepared, with the books checked.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::workload::{Step, Workload, steps};

/// What an account begins with, in cents: so much that no withdrawal is ever refused.
pub(crate) const INITIAL_CENTS: i64 = 100_000_000_000;

/// Something that keeps balances.
pub trait Contestant: Sync + Sized {
    /// Its name in results.
    const NAME: &'static str;

    /// What an account is addressed by.
    type Key: Copy + Sync;

    /// A thread's way to it.
    type Worker<'a>: Worker<Self::Key>
    where
        Self: 'a;

    /// One with so many accounts.
    fn open(accounts: usize) -> (Self, Vec<Self::Key>);

    /// A thread's way to it.
    fn worker(&self) -> Self::Worker<'_>;

    /// All its money, in cents, while nothing moves.
    fn total(&self) -> i64;
}

/// What one thread does to a contestant. Each operation returns a balance.
pub trait Worker<Key: Copy> {
    /// Reads a balance.
    fn balance(&mut self, key: Key) -> i64;

    /// Adds a cent.
    fn deposit(&mut self, key: Key) -> i64;

    /// Takes a cent, if there is one.
    fn withdraw(&mut self, key: Key) -> i64;

    /// Does `steps` one by one, and returns how many cents were put in, less those taken out.
    fn work(&mut self, steps: &[(Key, Step)]) -> i64 {
        let mut moved = 0;
        for (key, step) in steps {
            match step {
                Step::Balance => {
                    black_box(self.balance(*key));
                }
                Step::Deposit => {
                    black_box(self.deposit(*key));
                    moved += 1;
                }
                Step::Withdraw => {
                    black_box(self.withdraw(*key));
                    moved -= 1;
                }
            }
        }
        moved
    }
}

/// A contestant with its accounts, and what must be on them.
#[derive(Debug)]
pub struct Race<C: Contestant> {
    contestant: C,
    keys: Vec<C::Key>,
    expected_cents: i64,
}

impl<C: Contestant> Race<C> {
    /// Opens the accounts.
    #[must_use]
    pub fn new(accounts: usize) -> Self {
        let (contestant, keys) = C::open(accounts);
        let expected_cents = contestant.total();
        Self {
            contestant,
            keys,
            expected_cents,
        }
    }

    /// What each of `threads` is to do.
    #[must_use]
    pub fn prepare(&self, workload: Workload, threads: usize) -> Vec<Vec<(C::Key, Step)>> {
        (0..threads)
            .map(|thread| steps(workload, &self.keys, thread))
            .collect()
    }

    /// Has each thread do `iterations` steps, and returns the time from the first start to the last end.
    ///
    /// # Panics
    ///
    /// If a thread panics.
    pub fn run(&mut self, steps: &[Vec<(C::Key, Step)>], iterations: u64) -> Duration {
        let barrier = Barrier::new(steps.len());
        let contestant = &self.contestant;
        let results: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = steps
                .iter()
                .map(|steps| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        let mut worker = contestant.worker();
                        barrier.wait();
                        let start = Instant::now();
                        let moved = cycle(&mut worker, steps, iterations);
                        (start, Instant::now(), moved)
                    })
                })
                .collect();
            let results = threads.into_iter().filter_map(|thread| thread.join().ok());
            results.collect()
        });
        assert_eq!(results.len(), steps.len(), "a thread panicked");
        self.expected_cents += results.iter().map(|(.., moved)| moved).sum::<i64>();
        let start = results.iter().map(|(start, ..)| *start).min();
        let end = results.iter().map(|(_, end, _)| *end).max();
        let elapsed = start.zip(end).map(|(start, end)| end - start);
        elapsed.unwrap_or_default()
    }

    /// Sees to it that no cent was lost or created.
    ///
    /// # Panics
    ///
    /// If one was.
    pub fn check_books(&self) {
        assert_eq!(
            self.contestant.total(),
            self.expected_cents,
            "{} lost money, or made some",
            C::NAME
        );
    }
}

/// Does `steps` over and over, `iterations` of them in all.
fn cycle<Key: Copy>(worker: &mut impl Worker<Key>, steps: &[(Key, Step)], iterations: u64) -> i64 {
    let mut left = usize::try_from(iterations).unwrap_or(usize::MAX);
    let mut moved = 0;
    while left > 0 {
        let now = steps.get(..left).unwrap_or(steps);
        moved += worker.work(now);
        left -= now.len();
    }
    moved
}
