//! Which keys are still kept after many records, from sixteen bytes a key.
//!
//! Keys stand in a queue, in the order of their requests. As records are entered, those that are past their time leave it
//! at the front; their times alone decide which. A key that was used anew stands in it twice until the older entry
//! leaves, and only the newer one counts. To find such keys, a hash of each name is noted. If no two hashes are the same, no
//! two names are; if some are, the names themselves are [compared](Survivors::settle).

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};

use crate::idempotency_key::IdempotencyKey;
use crate::journal::record::Record;
use crate::key_policy::KeyPolicy;
use crate::keys;
use crate::timestamp::Timestamp;

/// The queue of keys, without names.
pub(super) struct Queue {
    policy: KeyPolicy,
    /// The time and the hash of each.
    entries: VecDeque<(Timestamp, u64)>,
    /// How many have left.
    left: u64,
    /// Clients choose the names.
    secret: RandomState,
}

impl Queue {
    pub(super) fn new(policy: KeyPolicy) -> Self {
        Self {
            policy,
            entries: VecDeque::new(),
            left: 0,
            secret: RandomState::new(),
        }
    }

    /// Adds a key at the end.
    pub(super) fn push(&mut self, key: &IdempotencyKey, at: Timestamp) {
        self.entries.push_back((at, self.secret.hash_one(key)));
    }

    /// Enters a record, as [`Books::apply`](crate::journal::books::Books::apply) does it.
    pub(super) fn follow(&mut self, record: &Record) {
        let times = self.entries.iter().map(|(at, _)| *at);
        let count = keys::expired(self.policy, record.at, times);
        self.entries.drain(..count);
        self.left += count as u64;
        if let Some(key) = &record.key {
            self.push(key, record.at);
        }
    }

    /// The keys that are still in the queue.
    pub(super) fn survivors(mut self) -> Survivors {
        let entries = self.entries.make_contiguous();
        entries.sort_unstable_by_key(|(_, hash)| *hash);
        let neighbours = entries.iter().zip(entries.iter().skip(1));
        let same = neighbours.filter(|((_, one), (_, other))| one == other);
        let suspects: HashSet<u64> = same.map(|((_, hash), _)| *hash).collect();
        Survivors {
            range: self.left..self.left + entries.len() as u64,
            secret: self.secret,
            suspects,
            newest: HashMap::new(),
            older: 0,
        }
    }
}

/// Which keys of the queue are still kept. They are counted from the first that was ever in it.
pub(super) struct Survivors {
    range: std::ops::Range<u64>,
    secret: RandomState,
    /// The hashes that occur more than once.
    suspects: HashSet<u64>,
    /// For each name with such a hash, where its newest entry is.
    newest: HashMap<IdempotencyKey, u64>,
    /// How many entries are not the newest of their name.
    older: u64,
}

impl Survivors {
    /// Where the queue ends.
    pub(super) fn end(&self) -> u64 {
        self.range.end
    }

    /// How many are kept.
    pub(super) fn count(&self) -> u64 {
        self.range.end - self.range.start - self.older
    }

    /// Whether some entries may have the same name.
    pub(super) fn has_suspects(&self) -> bool {
        !self.suspects.is_empty()
    }

    fn is_suspect(&self, key: &IdempotencyKey) -> bool {
        self.has_suspects() && self.suspects.contains(&self.secret.hash_one(key))
    }

    /// Notes that `key` is at `index`. If there are suspects, this is to be called for every key, in their order.
    pub(super) fn settle(&mut self, index: u64, key: &IdempotencyKey) {
        if self.range.contains(&index) && self.is_suspect(key) {
            let older = self.newest.insert(key.clone(), index);
            self.older += u64::from(older.is_some());
        }
    }

    /// Whether `key` at `index` is kept.
    pub(super) fn has(&self, index: u64, key: &IdempotencyKey) -> bool {
        self.range.contains(&index)
            && (!self.is_suspect(key) || self.newest.get(key) == Some(&index))
    }
}
