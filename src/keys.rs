//! The idempotency keys that are kept, with what was answered.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::change::{Answer, Answered, Change, ChangeOutcome, NotDone};
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

impl KeyPolicy {
    /// Whether a key of this time need not be kept any more.
    fn is_over(&self, at: Timestamp, now: Timestamp) -> bool {
        let age_us = now.as_micros().saturating_sub(at.as_micros());
        u128::try_from(age_us).is_ok_and(|age_us| age_us >= self.window.as_micros())
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

    /// What a request with `key` is answered at `now` without doing anything, if it is to be.
    pub(crate) fn answer(
        &self,
        key: &IdempotencyKey,
        change: Change,
        now: Timestamp,
    ) -> Option<Answer> {
        match self.find(key, now) {
            Some(kept) if kept.change == change => Some(Ok(Answered {
                outcome: kept.outcome,
                replayed: true,
            })),
            Some(_) => Some(Err(NotDone::KeyReused)),
            None if self.kept.len() >= self.policy.keys_max => Some(Err(NotDone::TooManyKeys)),
            None => None,
        }
    }

    fn find(&self, key: &IdempotencyKey, now: Timestamp) -> Option<&Kept> {
        self.kept
            .get(key)
            .filter(|kept| !self.policy.is_over(kept.at, now))
    }

    /// Keeps a key. One of the same name is past its time.
    pub(crate) fn keep(&mut self, key: IdempotencyKey, kept: Kept) {
        self.by_age.push_back((kept.at, key.clone()));
        self.kept.insert(key, kept);
    }

    /// Drops what is past its time.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        let policy = self.policy;
        while let Some((at, key)) = self.by_age.pop_front_if(|(at, _)| policy.is_over(*at, now)) {
            // It may have been used anew.
            if self.kept.get(&key).is_some_and(|kept| kept.at == at) {
                self.kept.remove(&key);
            }
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
}
