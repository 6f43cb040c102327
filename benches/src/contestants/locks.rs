//! Balances behind locks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::race::{Contestant, INITIAL_CENTS, Worker};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A way to one account's balance while nobody else has it.
trait Locked: Sync {
    fn with_balance<T>(&self, number: Uuid, operation: impl FnOnce(&mut i64) -> T) -> Option<T>;
}

/// Operations under a lock.
#[derive(Debug)]
pub struct LockWorker<'a, L>(&'a L);

impl<L: Locked> Worker<Uuid> for LockWorker<'_, L> {
    fn balance(&mut self, key: Uuid) -> i64 {
        let balance = self.0.with_balance(key, |balance| *balance);
        balance.unwrap_or_default()
    }

    fn deposit(&mut self, key: Uuid) -> i64 {
        let deposit = |balance: &mut i64| {
            *balance += 1;
            *balance
        };
        self.0.with_balance(key, deposit).unwrap_or_default()
    }

    fn withdraw(&mut self, key: Uuid) -> i64 {
        let withdraw = |balance: &mut i64| {
            if *balance > 0 {
                *balance -= 1;
            }
            *balance
        };
        self.0.with_balance(key, withdraw).unwrap_or_default()
    }
}

/// The design of the service that Cashpoint replaces: a directory behind one lock, and a lock for each
/// account.
#[derive(Debug)]
pub struct MutexPerAccount(Mutex<HashMap<Uuid, Arc<Mutex<i64>>>>);

impl Locked for MutexPerAccount {
    fn with_balance<T>(&self, number: Uuid, operation: impl FnOnce(&mut i64) -> T) -> Option<T> {
        // The directory is let go of before the account is locked.
        let account = Arc::clone(lock(&self.0).get(&number)?);
        let mut balance = lock(&account);
        Some(operation(&mut balance))
    }
}

impl MutexPerAccount {
    pub(crate) fn insert(&self, number: Uuid) {
        lock(&self.0).insert(number, Arc::new(Mutex::new(INITIAL_CENTS)));
    }

    pub(crate) fn remove(&self, number: Uuid) -> bool {
        lock(&self.0).remove(&number).is_some()
    }
}

impl Contestant for MutexPerAccount {
    const NAME: &'static str = "mutex for each account";
    type Key = Uuid;
    type Worker<'a> = LockWorker<'a, Self>;

    fn open(accounts: usize) -> (Self, Vec<Uuid>) {
        let numbers: Vec<_> = (0..accounts).map(|_| Uuid::new_v4()).collect();
        let directory = numbers
            .iter()
            .map(|number| (*number, Arc::new(Mutex::new(INITIAL_CENTS))));
        (Self(Mutex::new(directory.collect())), numbers)
    }

    fn worker(&self) -> LockWorker<'_, Self> {
        LockWorker(self)
    }

    fn total(&self) -> i64 {
        lock(&self.0).values().map(|account| *lock(account)).sum()
    }
}

/// All balances behind one lock.
#[derive(Debug)]
pub struct GlobalLock(Mutex<HashMap<Uuid, i64>>);

impl Locked for GlobalLock {
    fn with_balance<T>(&self, number: Uuid, operation: impl FnOnce(&mut i64) -> T) -> Option<T> {
        lock(&self.0).get_mut(&number).map(operation)
    }
}

impl GlobalLock {
    pub(crate) fn insert(&self, number: Uuid) {
        lock(&self.0).insert(number, INITIAL_CENTS);
    }

    pub(crate) fn remove(&self, number: Uuid) -> bool {
        lock(&self.0).remove(&number).is_some()
    }
}

impl Contestant for GlobalLock {
    const NAME: &'static str = "one lock";
    type Key = Uuid;
    type Worker<'a> = LockWorker<'a, Self>;

    fn open(accounts: usize) -> (Self, Vec<Uuid>) {
        let numbers: Vec<_> = (0..accounts).map(|_| Uuid::new_v4()).collect();
        let balances = numbers.iter().map(|number| (*number, INITIAL_CENTS));
        (Self(Mutex::new(balances.collect())), numbers)
    }

    fn worker(&self) -> LockWorker<'_, Self> {
        LockWorker(self)
    }

    fn total(&self) -> i64 {
        lock(&self.0).values().sum()
    }
}

/// How many locks [`ShardedLock`] has: many for a few threads, so that they rarely meet.
const SHARDS: usize = 64;

/// Balances in 64 maps with a lock each, chosen by a byte of the number.
#[derive(Debug)]
pub struct ShardedLock(Vec<GlobalLock>);

impl Locked for ShardedLock {
    fn with_balance<T>(&self, number: Uuid, operation: impl FnOnce(&mut i64) -> T) -> Option<T> {
        self.shard(number)?.with_balance(number, operation)
    }
}

impl ShardedLock {
    pub(crate) fn shard(&self, number: Uuid) -> Option<&GlobalLock> {
        let shard = usize::from(*number.as_bytes().first()?) % SHARDS;
        self.0.get(shard)
    }
}

impl Contestant for ShardedLock {
    const NAME: &'static str = "64 locks";
    type Key = Uuid;
    type Worker<'a> = LockWorker<'a, Self>;

    fn open(accounts: usize) -> (Self, Vec<Uuid>) {
        let shards = (0..SHARDS).map(|_| GlobalLock(Mutex::new(HashMap::new())));
        let ledger = Self(shards.collect());
        let numbers: Vec<_> = (0..accounts).map(|_| Uuid::new_v4()).collect();
        for number in &numbers {
            if let Some(shard) = ledger.shard(*number) {
                shard.insert(*number);
            }
        }
        (ledger, numbers)
    }

    fn worker(&self) -> LockWorker<'_, Self> {
        LockWorker(self)
    }

    fn total(&self) -> i64 {
        self.0.iter().map(Contestant::total).sum()
    }
}
