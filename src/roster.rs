//! The order of creation: which account came after which, so that a listing can be resumed anywhere.
//!
//! The map of accounts has no order, and walking it cannot be resumed. The roster is an ordered index
//! beside it, a lock-free skip list (crossbeam-skiplist) from creation numbers to account numbers. Only
//! creation, closing and listing touch it; no balance operation does.

use std::ops::Bound::{Excluded, Unbounded};
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_skiplist::SkipMap;

use crate::account_number::AccountNumber;

/// An account's place in the order of creation: later accounts have larger numbers, none is ever used
/// again, and there are gaps. It serves as a cursor that stays good when its account is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CreationNumber(u64);

impl CreationNumber {
    /// The creation number of this value, to come back to a place in a listing.
    #[must_use]
    pub const fn from_u64(value: u64) -> Self {
        Self(value)
    }

    /// This number's value.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Account numbers in the order of their creation.
#[derive(Debug)]
pub(crate) struct Roster {
    next: AtomicU64,
    entries: SkipMap<CreationNumber, AccountNumber>,
}

impl Roster {
    pub(crate) fn new() -> Self {
        Self {
            next: AtomicU64::new(1),
            entries: SkipMap::new(),
        }
    }

    /// Puts `number` at the end.
    pub(crate) fn enroll(&self, number: AccountNumber) -> CreationNumber {
        // ORDERING: Relaxed. The counter only hands out distinct numbers; the entry is published by the
        // skip list.
        let created = CreationNumber(self.next.fetch_add(1, Ordering::Relaxed));
        self.entries.insert(created, number);
        created
    }

    /// Takes an account off. Its creation number is not used again.
    pub(crate) fn strike(&self, created: CreationNumber) {
        self.entries.remove(&created);
    }

    /// The accounts created after `cursor`, in order; all of them without one. It takes a logarithm to
    /// get to the first, wherever it is. What is enrolled throughout appears exactly once; what comes or
    /// goes meanwhile, at most once.
    pub(crate) fn after(
        &self,
        cursor: Option<CreationNumber>,
    ) -> impl Iterator<Item = (CreationNumber, AccountNumber)> {
        let start = cursor.map_or(Unbounded, Excluded);
        self.entries
            .range((start, Unbounded))
            .map(|entry| (*entry.key(), *entry.value()))
    }
}
