//! Which keys are still kept after many records, from sixteen bytes a key.
//!
//! Keys stand in a queue, in the order of their requests. As records are entered, those that are past their time leave it
//! at the front; their times alone decide which. A key that was used anew stands in it twice until the older entry
//! leaves, and only the newer one counts. To find such keys, half of each key's digest is noted. If no two halves are the
//! same, no two keys are; if some are, the whole digests are [compared](Survivors::settle).

use std::collections::{HashMap, HashSet, VecDeque};

use crate::journal::format::record::Record;
use crate::journal::state::keys;
use crate::values::idempotency_key::IdempotencyKey;
use crate::values::key_digest::{KeyDigest, KeyDigestHash};
use crate::values::key_policy::KeyPolicy;
use crate::values::timestamp::Timestamp;

/// The queue of keys.
pub(super) struct Queue {
    policy: KeyPolicy,
    /// The time of each, and half of its digest.
    entries: VecDeque<(Timestamp, u64)>,
    /// How many have left.
    left: u64,
}

impl Queue {
    pub(super) fn new(policy: KeyPolicy) -> Self {
        Self {
            policy,
            entries: VecDeque::new(),
            left: 0,
        }
    }

    /// Adds a key at the end.
    pub(super) fn push(&mut self, key: &IdempotencyKey, at: Timestamp) {
        self.entries.push_back((at, KeyDigest::of(key).half()));
    }

    /// Enters a record, as [`LedgerState::apply`](crate::journal::state::ledger_state::LedgerState::apply) does it.
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
        entries.sort_unstable_by_key(|(_, half)| *half);
        let neighbours = entries.iter().zip(entries.iter().skip(1));
        let same = neighbours.filter(|((_, one), (_, other))| one == other);
        let suspects: HashSet<u64> = same.map(|((_, half), _)| *half).collect();
        Survivors {
            range: self.left..self.left + entries.len() as u64,
            suspects,
            newest: HashMap::default(),
            older: 0,
        }
    }
}

/// Which keys of the queue are still kept. They are counted from the first that was ever in it.
pub(super) struct Survivors {
    range: std::ops::Range<u64>,
    /// The halves that occur more than once.
    suspects: HashSet<u64>,
    /// For each key with such a half, where its newest entry is.
    newest: HashMap<KeyDigest, u64, KeyDigestHash>,
    /// How many entries are not the newest of their key.
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

    /// Whether some entries may be of one key.
    pub(super) fn has_suspects(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// The digest of a key, if it is a suspect.
    fn suspect(&self, key: &IdempotencyKey) -> Option<KeyDigest> {
        let digest = self.has_suspects().then(|| KeyDigest::of(key));
        digest.filter(|digest| self.suspects.contains(&digest.half()))
    }

    /// Notes that `key` is at `index`. If there are suspects, this is to be called for every key, in their order.
    pub(super) fn settle(&mut self, index: u64, key: &IdempotencyKey) {
        if !self.range.contains(&index) {
            return;
        }
        if let Some(suspect) = self.suspect(key) {
            let older = self.newest.insert(suspect, index);
            self.older += u64::from(older.is_some());
        }
    }

    /// Whether `key` at `index` is kept.
    pub(super) fn has(&self, index: u64, key: &IdempotencyKey) -> bool {
        let is_newest = |suspect| self.newest.get(&suspect) == Some(&index);
        self.range.contains(&index) && self.suspect(key).is_none_or(is_newest)
    }
}
