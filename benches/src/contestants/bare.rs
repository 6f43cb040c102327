//! The limit: an array of atomics by index, without a directory and without closing.

use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use crossbeam_utils::CachePadded;

use crate::race::{Contestant, INITIAL_CENTS, Worker};

/// Atomics, each on a cache line of its own. Deposits are a `fetch_add`, withdrawals a loop of
/// compare-and-swap.
#[derive(Debug)]
pub struct Bare(Vec<CachePadded<AtomicI64>>);

/// As [`Bare`], with a loop of compare-and-swap for deposits as well: what an engine pays that has a
/// bound to check.
#[derive(Debug)]
pub struct BareLoop(Bare);

impl Contestant for Bare {
    const NAME: &'static str = "limit: padded atomics";
    type Key = usize;
    type Worker<'a> = &'a Self;

    fn open(accounts: usize) -> (Self, Vec<usize>) {
        let cells = (0..accounts).map(|_| CachePadded::new(AtomicI64::new(INITIAL_CENTS)));
        (Self(cells.collect()), (0..accounts).collect())
    }

    fn worker(&self) -> &Self {
        self
    }

    fn total(&self) -> i64 {
        self.0.iter().map(|cell| cell.load(Relaxed)).sum()
    }
}

impl Worker<usize> for &Bare {
    fn balance(&mut self, key: usize) -> i64 {
        self.0.get(key).map_or(0, |cell| cell.load(Acquire))
    }

    fn deposit(&mut self, key: usize) -> i64 {
        self.0.get(key).map_or(0, |cell| cell.fetch_add(1, AcqRel))
    }

    fn withdraw(&mut self, key: usize) -> i64 {
        self.replace(key, |balance| {
            balance.checked_sub(1).filter(|left| *left >= 0)
        })
    }
}

impl Bare {
    fn replace(&self, key: usize, next: impl FnMut(i64) -> Option<i64>) -> i64 {
        self.0
            .get(key)
            .and_then(|cell| cell.fetch_update(AcqRel, Acquire, next).ok())
            .unwrap_or_default()
    }
}

impl Contestant for BareLoop {
    const NAME: &'static str = "limit: padded atomics, compare-and-swap only";
    type Key = usize;
    type Worker<'a> = &'a Self;

    fn open(accounts: usize) -> (Self, Vec<usize>) {
        let (bare, keys) = Bare::open(accounts);
        (Self(bare), keys)
    }

    fn worker(&self) -> &Self {
        self
    }

    fn total(&self) -> i64 {
        self.0.total()
    }
}

impl Worker<usize> for &BareLoop {
    fn balance(&mut self, key: usize) -> i64 {
        (&self.0).balance(key)
    }

    fn deposit(&mut self, key: usize) -> i64 {
        self.0.replace(key, |balance| balance.checked_add(1))
    }

    fn withdraw(&mut self, key: usize) -> i64 {
        (&self.0).withdraw(key)
    }
}
