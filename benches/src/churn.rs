//! Accounts that come and go, and listings while money moves.

use std::hash::BuildHasher;
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use cashpoint::{AccountNumber, Cents};
use uuid::Uuid;

use crate::contestants::engine::PerOperation;
use crate::contestants::locks::{GlobalLock, MutexPerAccount, ShardedLock};
use crate::contestants::maps::{InDashMap, PapayaDefault, SccDefault};
use crate::race::{Contestant, INITIAL_CENTS, Worker};
use crate::workload::{Workload, steps};

/// How often the clock is looked at.
const PAIRS_PER_LOOK: u64 = 64;

/// A contestant in which accounts can be opened and closed.
pub trait Churn: Contestant {
    /// Opens an account.
    fn create(&self) -> Self::Key;

    /// Closes one, and returns whether it was there.
    fn close(&self, key: Self::Key) -> bool;
}

/// Nanoseconds to close an account and open another, on one of as many threads as there are `keys`. Each
/// thread has a key of its own, and keeps that of the account that it opened last there.
///
/// # Panics
///
/// If an account is not there to be closed.
pub fn close_and_create<C>(contestant: &C, keys: &mut [C::Key], turn: Duration) -> f64
where
    C: Churn,
    C::Key: Send,
{
    let barrier = Barrier::new(keys.len());
    let taken: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = keys
            .iter_mut()
            .map(|key| {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    ns_each(turn, || {
                        assert!(contestant.close(*key), "an account vanished");
                        *key = contestant.create();
                    })
                })
            })
            .collect();
        threads
            .into_iter()
            .filter_map(|it| it.join().ok())
            .collect()
    });
    assert_eq!(taken.len(), keys.len(), "a thread panicked");
    mean(&taken)
}

/// Nanoseconds to read an account in a listing of all, while another thread deposits.
pub fn list_beside_deposits<C: Contestant>(contestant: &C, keys: &[C::Key], turn: Duration) -> f64 {
    let (listing, _) = list_and_deposit(contestant, keys, turn);
    listing
}

/// Nanoseconds for a deposit, while another thread lists all accounts over and over.
pub fn deposit_beside_listings<C: Contestant>(
    contestant: &C,
    keys: &[C::Key],
    turn: Duration,
) -> f64 {
    let (_, deposit) = list_and_deposit(contestant, keys, turn);
    deposit
}

#[expect(clippy::float_arithmetic, reason = "nanoseconds, not money")]
fn list_and_deposit<C: Contestant>(contestant: &C, keys: &[C::Key], turn: Duration) -> (f64, f64) {
    let steps = steps(Workload::Deposit, keys, 0);
    let over = AtomicBool::new(false);
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        let depositor = scope.spawn(|| {
            let mut worker = contestant.worker();
            barrier.wait();
            let start = Instant::now();
            let mut deposits = 0_u64;
            'turn: loop {
                for steps in steps.chunks(256) {
                    if over.load(Relaxed) {
                        break 'turn;
                    }
                    black_box(worker.work(steps));
                    deposits += steps.len() as u64;
                }
            }
            start.elapsed().as_secs_f64() * 1e9 / deposits as f64
        });
        barrier.wait();
        let start = Instant::now();
        let mut listings = 0_u64;
        while start.elapsed() < turn {
            black_box(contestant.total());
            listings += 1;
        }
        let taken = start.elapsed();
        over.store(true, Relaxed);
        let listed = listings * keys.len() as u64;
        let listing = taken.as_secs_f64() * 1e9 / listed as f64;
        (listing, depositor.join().unwrap_or(f64::NAN))
    })
}

/// Does `pair` over and over for as long as `turn`, and returns the nanoseconds that each took.
#[expect(clippy::float_arithmetic, reason = "nanoseconds, not money")]
fn ns_each(turn: Duration, mut pair: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut pairs = 0;
    while start.elapsed() < turn {
        for _ in 0..PAIRS_PER_LOOK {
            pair();
        }
        pairs += PAIRS_PER_LOOK;
    }
    start.elapsed().as_secs_f64() * 1e9 / pairs as f64
}

#[expect(clippy::float_arithmetic, reason = "nanoseconds, not money")]
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

impl Churn for PerOperation {
    /// # Panics
    ///
    /// If there are as many accounts as allowed.
    fn create(&self) -> AccountNumber {
        let initial = Cents::new(INITIAL_CENTS).unwrap_or_default();
        match self.0.create(initial) {
            Ok(number) => number,
            Err(error) => unreachable!("{error}"),
        }
    }

    fn close(&self, key: AccountNumber) -> bool {
        self.0.close(key).is_ok()
    }
}

impl<S: BuildHasher + Clone> Churn for InDashMap<S>
where
    Self: Contestant<Key = Uuid>,
{
    fn create(&self) -> Uuid {
        let number = Uuid::new_v4();
        self.0.insert(number, INITIAL_CENTS);
        number
    }

    fn close(&self, key: Uuid) -> bool {
        self.0.remove(&key).is_some()
    }
}

impl Churn for SccDefault {
    fn create(&self) -> Uuid {
        let number = Uuid::new_v4();
        // Two random numbers are never the same.
        let _ = self.0.insert_sync(number, INITIAL_CENTS);
        number
    }

    fn close(&self, key: Uuid) -> bool {
        self.0.remove_sync(&key).is_some()
    }
}

impl Churn for PapayaDefault {
    fn create(&self) -> Uuid {
        let number = Uuid::new_v4();
        self.0.pin().insert(number, AtomicI64::new(INITIAL_CENTS));
        number
    }

    fn close(&self, key: Uuid) -> bool {
        self.0.pin().remove(&key).is_some()
    }
}

impl Churn for GlobalLock {
    fn create(&self) -> Uuid {
        let number = Uuid::new_v4();
        self.insert(number);
        number
    }

    fn close(&self, key: Uuid) -> bool {
        self.remove(key)
    }
}

impl Churn for ShardedLock {
    fn create(&self) -> Uuid {
        let number = Uuid::new_v4();
        if let Some(shard) = self.shard(number) {
            shard.insert(number);
        }
        number
    }

    fn close(&self, key: Uuid) -> bool {
        self.shard(key).is_some_and(|shard| shard.remove(key))
    }
}

impl Churn for MutexPerAccount {
    fn create(&self) -> Uuid {
        let number = Uuid::new_v4();
        self.insert(number);
        number
    }

    fn close(&self, key: Uuid) -> bool {
        self.remove(key)
    }
}
