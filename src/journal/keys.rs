//! The idempotency keys that are kept, with what was answered.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::change::{Change, ChangeOutcome};
use crate::idempotency_key::IdempotencyKey;
use crate::timestamp::Timestamp;

/// How long keys are kept, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPolicy {
    /// How long a key is kept after its request.
    pub window: Duration,
    /// The largest number of keys. A request with one more is turned away: to drop a key before its time
    /// could turn a retry into a second movement.
    pub keys_max: usize,
}

impl Default for KeyPolicy {
    /// A day, and a million keys.
    fn default() -> Self {
        Self {
            window: Duration::from_secs(24 * 60 * 60),
            keys_max: 1_000_000,
        }
    }
}

/// What a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) change: Change,
    pub(crate) outcome: ChangeOutcome,
    pub(crate) at: Timestamp,
}

/// Keys in the order of their requests, and by name. Times never run backwards, so the first is the oldest.
///
/// The names are the clients' choice: the map hashes them with a secret.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    policy: KeyPolicy,
    kept: HashMap<IdempotencyKey, Kept>,
    by_age: VecDeque<(Timestamp, IdempotencyKey)>,
}

impl Keys {
    pub(crate) fn new(policy: KeyPolicy) -> Self {
        Self {
            policy,
            kept: HashMap::new(),
            by_age: VecDeque::new(),
        }
    }

    /// What `key` stands for at `now`.
    pub(crate) fn find(&self, key: &IdempotencyKey, now: Timestamp) -> Option<&Kept> {
        self.kept
            .get(key)
            .filter(|kept| !self.is_over(kept.at, now))
    }

    /// Whether one more may be kept at `now`: there is room, or the oldest is past its time and will be dropped
    /// for it.
    pub(crate) fn has_room(&self, now: Timestamp) -> bool {
        let oldest = self.by_age.front();
        self.kept.len() < self.policy.keys_max
            || oldest.is_some_and(|(at, _)| self.is_over(*at, now))
    }

    /// Keeps a key. One of the same name is past its time.
    pub(crate) fn keep(&mut self, key: IdempotencyKey, kept: Kept) {
        self.by_age.push_back((kept.at, key.clone()));
        self.kept.insert(key, kept);
    }

    /// Drops what is past its time, as a record of `now` is entered. At no other time: the clock may jump ahead
    /// and back, and only what is recorded moves the time of the books on.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        while let Some((at, key)) = self.by_age.front().filter(|(at, _)| self.is_over(*at, now)) {
            // It may have been used anew.
            if self.kept.get(key).is_some_and(|kept| kept.at == *at) {
                self.kept.remove(key);
            }
            self.by_age.pop_front();
        }
    }

    /// All of them, the oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&IdempotencyKey, &Kept)> {
        self.by_age.iter().filter_map(|(at, key)| {
            let kept = self.kept.get(key).filter(|kept| kept.at == *at)?;
            Some((key, kept))
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    fn is_over(&self, at: Timestamp, now: Timestamp) -> bool {
        let age_us = now.as_micros().saturating_sub(at.as_micros());
        u128::try_from(age_us).is_ok_and(|age_us| age_us >= self.policy.window.as_micros())
    }
}
