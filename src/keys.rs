//! The idempotency keys that are kept, with what was answered.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::change::{Answer, Answered, Change, ChangeOutcome, NotDone};
use crate::idempotency_key::IdempotencyKey;
use crate::key_policy::KeyPolicy;
use crate::timestamp::Timestamp;

/// How many keys are dropped at a time. More than one, so that they become fewer; and few, because all that
/// is to be decided waits for it.
const EXPIRED_MAX: usize = 4;

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
            None => {
                let retry_after = self.room_after(now)?;
                Some(Err(NotDone::TooManyKeys { retry_after }))
            }
        }
    }

    /// How long until one more may be kept. `None` if it may be now: there is room, or the oldest is past its time and
    /// will be dropped for it.
    fn room_after(&self, now: Timestamp) -> Option<Duration> {
        if self.kept.len() < self.policy.keys_max {
            return None;
        }
        // Without a key there is nothing to wait for: none may be kept at all.
        let oldest = self.by_age.front();
        let left = oldest.map_or(self.policy.window, |(at, _)| self.policy.left(*at, now));
        (!left.is_zero()).then_some(left)
    }

    /// When the oldest key makes room, if as many are kept as may be.
    pub(crate) fn full_until(&self) -> Option<Timestamp> {
        let (oldest, _) = self.by_age.front()?;
        let window = i64::try_from(self.policy.window.as_micros()).unwrap_or(i64::MAX);
        let until = Timestamp::from_micros(oldest.as_micros().saturating_add(window));
        (self.kept.len() >= self.policy.keys_max).then_some(until)
    }

    pub(crate) fn find(&self, key: &IdempotencyKey, now: Timestamp) -> Option<&Kept> {
        self.kept
            .get(key)
            .filter(|kept| !self.policy.is_over(kept.at, now))
    }

    /// Keeps a key. One of the same name is past its time.
    pub(crate) fn keep(&mut self, key: IdempotencyKey, kept: Kept) {
        self.by_age.push_back((kept.at, key.clone()));
        self.kept.insert(key, kept);
    }

    /// Drops some of what is past its time, the oldest first, as a record of `now` is entered: before its own key
    /// is kept. At no other time: the clock may jump ahead and back, and only what is recorded moves the time
    /// of the books on.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        for _ in 0..EXPIRED_MAX {
            match self.by_age.front() {
                Some((at, _)) if self.policy.is_over(*at, now) => {}
                _ => return,
            }
            let Some((at, key)) = self.by_age.pop_front() else {
                return;
            };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::UnknownAccount;
    use crate::money::Cents;

    const CHANGE: Change = Change::Open {
        initial: Cents::ZERO,
    };

    fn keep(keys: &mut Keys, number: usize, at: Timestamp) -> Option<Answer> {
        let key: IdempotencyKey = format!("key-{number}").parse().unwrap();
        keys.expire(at);
        let answer = keys.answer(&key, CHANGE, at);
        if answer.is_none() {
            let kept = Kept {
                change: CHANGE,
                outcome: Err(UnknownAccount.into()),
                at,
            };
            keys.keep(key, kept);
        }
        answer
    }

    #[test]
    fn keys_that_are_over_make_room_a_few_at_a_time() {
        let mut keys = Keys::new(KeyPolicy {
            window: Duration::from_micros(10),
            keys_max: 100,
        });
        let at = Timestamp::from_micros;
        for number in 0..100 {
            assert_eq!(keep(&mut keys, number, at(0)), None);
        }
        for (now, left_us) in [(0, 10), (9, 1)] {
            let retry_after = Duration::from_micros(left_us);
            let full = Some(Err(NotDone::TooManyKeys { retry_after }));
            assert_eq!(keep(&mut keys, 100, at(now)), full);
        }
        // One that is kept is used anew: its old place in the queue takes nothing from it.
        assert_eq!(keep(&mut keys, 99, at(10)), None);
        for number in 100..133 {
            assert_eq!(keep(&mut keys, number, at(10)), None, "{number}");
            assert!(keys.len() <= 100);
        }
        assert_eq!(
            (keys.len(), keys.by_age.len(), keys.iter().count()),
            (34, 34, 34)
        );
        let again = keep(&mut keys, 99, at(19));
        assert!(
            matches!(again, Some(Ok(Answered { replayed: true, .. }))),
            "{again:?}"
        );
    }
}
