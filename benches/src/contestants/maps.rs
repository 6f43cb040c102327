//! Concurrent maps that hold a balance for each account, as one would use them without this engine.

use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

use dashmap::DashMap;
use uuid::Uuid;

use crate::race::{Contestant, INITIAL_CENTS, Worker};

fn numbers(accounts: usize) -> Vec<Uuid> {
    (0..accounts).map(|_| Uuid::new_v4()).collect()
}

fn put_in(balance: &mut i64) -> i64 {
    *balance += 1;
    *balance
}

fn take_out(balance: &mut i64) -> i64 {
    if *balance > 0 {
        *balance -= 1;
    }
    *balance
}

/// Passes on what a random UUID hashes: its length, which is left out, and its 16 bytes, folded. What the
/// engine does to its account numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct FoldedUuid(u64);

impl Hasher for FoldedUuid {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some((high, low)) = bytes.split_first_chunk::<8>()
            && let Some(low) = low.first_chunk::<8>()
        {
            self.0 = u64::from_ne_bytes(*high) ^ u64::from_ne_bytes(*low);
        }
    }

    fn write_usize(&mut self, _: usize) {}
}

/// dashmap with its default settings.
pub type DashMapDefault = InDashMap<std::hash::RandomState>;

/// dashmap with the hash that this engine has for account numbers.
pub type DashMapSameHash = InDashMap<BuildHasherDefault<FoldedUuid>>;

/// Balances in a dashmap, changed under its shard's lock.
#[derive(Debug)]
pub struct InDashMap<S: BuildHasher + Clone>(pub(crate) DashMap<Uuid, i64, S>);

/// How a variant of dashmap is called.
pub trait DashMapName {
    /// The name in results.
    const NAME: &'static str;
}

impl DashMapName for std::hash::RandomState {
    const NAME: &'static str = "dashmap";
}

impl DashMapName for BuildHasherDefault<FoldedUuid> {
    const NAME: &'static str = "dashmap, hash as here";
}

impl<S: BuildHasher + Clone + Default + Sync + DashMapName> Contestant for InDashMap<S> {
    const NAME: &'static str = S::NAME;
    type Key = Uuid;
    type Worker<'a>
        = &'a Self
    where
        S: 'a;

    fn open(accounts: usize) -> (Self, Vec<Uuid>) {
        let numbers = numbers(accounts);
        let map = DashMap::with_capacity_and_hasher(accounts, S::default());
        for number in &numbers {
            map.insert(*number, INITIAL_CENTS);
        }
        (Self(map), numbers)
    }

    fn worker(&self) -> &Self {
        self
    }

    fn total(&self) -> i64 {
        self.0.iter().map(|entry| *entry.value()).sum()
    }
}

impl<S: BuildHasher + Clone> Worker<Uuid> for &InDashMap<S> {
    fn balance(&mut self, key: Uuid) -> i64 {
        self.0.get(&key).map_or(0, |balance| *balance)
    }

    fn deposit(&mut self, key: Uuid) -> i64 {
        self.0.get_mut(&key).map_or(0, |mut it| put_in(&mut it))
    }

    fn withdraw(&mut self, key: Uuid) -> i64 {
        self.0.get_mut(&key).map_or(0, |mut it| take_out(&mut it))
    }
}

/// Balances in scc's map with default settings, changed under its bucket's lock.
#[derive(Debug)]
pub struct SccDefault(pub(crate) scc::HashMap<Uuid, i64>);

impl Contestant for SccDefault {
    const NAME: &'static str = "scc";
    type Key = Uuid;
    type Worker<'a> = &'a Self;

    fn open(accounts: usize) -> (Self, Vec<Uuid>) {
        let numbers = numbers(accounts);
        let map = scc::HashMap::with_capacity(accounts);
        let inserted = numbers
            .iter()
            .filter(|number| map.insert_sync(**number, INITIAL_CENTS).is_ok());
        assert_eq!(inserted.count(), accounts);
        (Self(map), numbers)
    }

    fn worker(&self) -> &Self {
        self
    }

    fn total(&self) -> i64 {
        let mut total = 0;
        self.0.iter_sync(|_, balance| {
            total += balance;
            true
        });
        total
    }
}

impl Worker<Uuid> for &SccDefault {
    fn balance(&mut self, key: Uuid) -> i64 {
        let balance = self.0.read_sync(&key, |_, balance| *balance);
        balance.unwrap_or_default()
    }

    fn deposit(&mut self, key: Uuid) -> i64 {
        let balance = self.0.update_sync(&key, |_, balance| put_in(balance));
        balance.unwrap_or_default()
    }

    fn withdraw(&mut self, key: Uuid) -> i64 {
        let balance = self.0.update_sync(&key, |_, balance| take_out(balance));
        balance.unwrap_or_default()
    }
}

/// Atomics in papaya's map with default settings: SipHash, a pin for each operation.
#[derive(Debug)]
pub struct PapayaDefault(pub(crate) papaya::HashMap<Uuid, AtomicI64>);

impl Contestant for PapayaDefault {
    const NAME: &'static str = "papaya";
    type Key = Uuid;
    type Worker<'a> = &'a Self;

    fn open(accounts: usize) -> (Self, Vec<Uuid>) {
        let numbers = numbers(accounts);
        let map = papaya::HashMap::new();
        for number in &numbers {
            map.pin().insert(*number, AtomicI64::new(INITIAL_CENTS));
        }
        (Self(map), numbers)
    }

    fn worker(&self) -> &Self {
        self
    }

    fn total(&self) -> i64 {
        let map = self.0.pin();
        map.values().map(|balance| balance.load(Acquire)).sum()
    }
}

impl PapayaDefault {
    fn replace(&self, key: Uuid, next: impl FnMut(i64) -> Option<i64>) -> i64 {
        self.0
            .pin()
            .get(&key)
            .and_then(|balance| balance.fetch_update(AcqRel, Acquire, next).ok())
            .unwrap_or_default()
    }
}

impl Worker<Uuid> for &PapayaDefault {
    fn balance(&mut self, key: Uuid) -> i64 {
        let map = self.0.pin();
        map.get(&key).map_or(0, |balance| balance.load(Acquire))
    }

    fn deposit(&mut self, key: Uuid) -> i64 {
        self.replace(key, |balance| balance.checked_add(1))
    }

    fn withdraw(&mut self, key: Uuid) -> i64 {
        self.replace(key, |balance| {
            balance.checked_sub(1).filter(|left| *left >= 0)
        })
    }
}
