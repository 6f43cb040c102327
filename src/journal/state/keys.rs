//! The idempotency keys that are kept, with what was answered.

use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::HashTable;

use crate::values::change::{Change, CommandError, Effect, NotDone, Receipt, Refusal, answer};
use crate::values::idempotency_key::IdempotencyKey;
use crate::values::key_digest::KeyDigest;
use crate::values::key_policy::KeyPolicy;
use crate::values::timestamp::Timestamp;

/// How many keys are dropped at a time. More than one, so that they become fewer; and few, because all that
/// is to be decided waits for it.
const EXPIRED_MAX: usize = 4;

/// What a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) change: Change,
    pub(crate) outcome: Result<Effect, Refusal>,
    pub(crate) at: Timestamp,
}

impl Kept {
    /// The answer to its command, given again.
    fn answer(&self) -> Result<Receipt, CommandError> {
        answer(self.outcome.map(|effect| effect.at(self.at)), true)
    }
}

/// A key, and what it stands for.
#[derive(Clone, Debug)]
struct Entry {
    key: KeyDigest,
    kept: Kept,
}

/// Keys in the order of their requests, and an index of them. Times never run backwards, so the first is the oldest.
///
/// All entries are of one size, however long the keys. The index holds only places in the queue: a hash table has up
/// to twice as many places as entries, and these are small.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    policy: KeyPolicy,
    /// The oldest first. A key that was used anew has an older entry, too, until that is dropped.
    queue: VecDeque<Entry>,
    /// For each key, the place of its newest entry: how many entries came before it since the first of all, modulo 2^32.
    places: HashTable<u32>,
    /// How many have been dropped from the front of the queue, modulo 2^32.
    dropped: u32,
}

/// How many keys are dropped as a record of `now` is entered, if the `oldest` are of these times.
pub(crate) fn expired(
    policy: KeyPolicy,
    now: Timestamp,
    oldest: impl Iterator<Item = Timestamp>,
) -> usize {
    let oldest = oldest.take(EXPIRED_MAX);
    oldest.take_while(|at| policy.is_over(*at, now)).count()
}

impl Keys {
    pub(crate) fn new(policy: KeyPolicy) -> Self {
        // The queue grows only while none in it is past its time, so it is never longer than this, and no two places
        // are the same.
        let keys_max = policy.keys_max.min(u32::MAX as usize);
        Self {
            policy: KeyPolicy { keys_max, ..policy },
            queue: VecDeque::new(),
            places: HashTable::new(),
            dropped: 0,
        }
    }

    /// Makes room for so many more, if there is memory for it.
    pub(crate) fn make_room(&mut self, more: usize) {
        let hash = |place: &u32| hash(at(&self.queue, self.dropped, *place));
        // Where there is none, it is made as it is needed.
        let _ = self.places.try_reserve(more, hash);
        let _ = self.queue.try_reserve(more);
    }

    /// Whether a key of this time need not be kept at `now`.
    pub(crate) fn is_over(&self, at: Timestamp, now: Timestamp) -> bool {
        self.policy.is_over(at, now)
    }

    /// What a request with `key` is answered at `now` without doing anything, if it is to be.
    pub(crate) fn answer(
        &self,
        key: &IdempotencyKey,
        change: Change,
        now: Timestamp,
    ) -> Option<Result<Receipt, CommandError>> {
        match self.find(KeyDigest::of(key), now) {
            Some(kept) if kept.change == change => Some(kept.answer()),
            Some(_) => Some(Err(NotDone::KeyReused.into())),
            None => {
                let retry_after = self.room_after(now)?;
                Some(Err(NotDone::TooManyKeys { retry_after }.into()))
            }
        }
    }

    /// How long until one more may be kept. `None` if it may be now: there is room, or the oldest is past its time and
    /// will be dropped for it.
    fn room_after(&self, now: Timestamp) -> Option<Duration> {
        if self.len() < self.policy.keys_max {
            return None;
        }
        // Without a key there is nothing to wait for: none may be kept at all.
        let oldest = self.queue.front();
        let left = oldest.map_or(self.policy.window, |it| self.policy.left(it.kept.at, now));
        (!left.is_zero()).then_some(left)
    }

    /// When the oldest key makes room, if as many are kept as may be.
    pub(crate) fn full_until(&self) -> Option<Timestamp> {
        let oldest = self.queue.front()?.kept.at;
        let window = i64::try_from(self.policy.window.as_micros()).unwrap_or(i64::MAX);
        let until = Timestamp::from_micros(oldest.as_micros().saturating_add(window));
        (self.len() >= self.policy.keys_max).then_some(until)
    }

    pub(crate) fn find(&self, key: KeyDigest, now: Timestamp) -> Option<&Kept> {
        let is_it =
            |place: &u32| at(&self.queue, self.dropped, *place).is_some_and(|it| it.key == key);
        let place = self.places.find(key.half(), is_it)?;
        let kept = &at(&self.queue, self.dropped, *place)?.kept;
        (!self.policy.is_over(kept.at, now)).then_some(kept)
    }

    /// Keeps a key. If it was kept before, that is past its time.
    pub(crate) fn keep(&mut self, key: &IdempotencyKey, kept: Kept) {
        let key = KeyDigest::of(key);
        let new_place = self.dropped.wrapping_add(self.queue.len() as u32);
        let entry = |place: &u32| at(&self.queue, self.dropped, *place);
        let is_it = |place: &u32| entry(place).is_some_and(|it| it.key == key);
        match self.places.find_mut(key.half(), is_it) {
            Some(place) => *place = new_place,
            None => {
                let hash = |place: &u32| hash(entry(place));
                self.places.insert_unique(key.half(), new_place, hash);
            }
        }
        self.queue.push_back(Entry { key, kept });
    }

    /// Drops some of what is past its time, the oldest first, as a record of `now` is entered: before its own key
    /// is kept. At no other time: the clock may jump ahead and back, and only what is recorded moves the time
    /// of the books on.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        let times = self.queue.iter().map(|entry| entry.kept.at);
        for _ in 0..expired(self.policy, now, times) {
            let Some(oldest) = self.queue.pop_front() else {
                return;
            };
            let its_place = self.dropped;
            self.dropped = self.dropped.wrapping_add(1);
            // It may have been used anew: then its place is another one.
            let is_it = |place: &u32| *place == its_place;
            if let Ok(place) = self.places.find_entry(oldest.key.half(), is_it) {
                place.remove();
            }
        }
    }

    /// All of them, the oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (KeyDigest, &Kept)> {
        let entries = self.queue.iter().enumerate();
        entries.filter_map(|(index, Entry { key, kept })| {
            let its_place = self.dropped.wrapping_add(index as u32);
            self.places.find(key.half(), |place| *place == its_place)?;
            Some((*key, kept))
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }
}

/// The entry at a place, after so many were dropped.
fn at(queue: &VecDeque<Entry>, dropped: u32, place: u32) -> Option<&Entry> {
    queue.get(place.wrapping_sub(dropped) as usize)
}

/// The hash of an entry's key. There is one at each place.
fn hash(entry: Option<&Entry>) -> u64 {
    entry.map_or(0, |entry| entry.key.half())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::error::UnknownAccount;
    use crate::values::money::Cents;

    const CHANGE: Change = Change::Open {
        initial: Cents::ZERO,
    };

    fn key(number: usize) -> IdempotencyKey {
        format!("key-{number}").parse().unwrap()
    }

    fn keep(
        keys: &mut Keys,
        number: usize,
        at: Timestamp,
    ) -> Option<Result<Receipt, CommandError>> {
        let key = key(number);
        keys.expire(at);
        let answer = keys.answer(&key, CHANGE, at);
        if answer.is_none() {
            let kept = Kept {
                change: CHANGE,
                outcome: Err(UnknownAccount.into()),
                at,
            };
            keys.keep(&key, kept);
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
            let full = Some(Err(NotDone::TooManyKeys { retry_after }.into()));
            assert_eq!(keep(&mut keys, 100, at(now)), full);
        }
        // One that is kept is used anew: its old place in the queue takes nothing from it.
        assert_eq!(keep(&mut keys, 99, at(10)), None);
        for number in 100..133 {
            assert_eq!(keep(&mut keys, number, at(10)), None, "{number}");
            assert!(keys.len() <= 100);
        }
        assert_eq!(
            (keys.len(), keys.queue.len(), keys.iter().count()),
            (34, 34, 34)
        );
        let again = keep(&mut keys, 99, at(19));
        assert!(
            matches!(
                again,
                Some(Err(CommandError::Refused { replayed: true, .. }))
            ),
            "{again:?}"
        );
    }
    /// Places are counted modulo 2^32. The index is held against a plain list, over that end and through growth.
    #[test]
    fn places_begin_again_from_zero() {
        const WINDOW_US: i64 = 50;
        for before_the_end in [0, 1, 7, 200, 1_000] {
            let mut keys = Keys::new(KeyPolicy {
                window: Duration::from_micros(WINDOW_US as u64),
                keys_max: usize::MAX,
            });
            assert_eq!(keys.policy.keys_max, u32::MAX as usize);
            keys.dropped = u32::MAX - before_the_end;
            let mut list = VecDeque::new();
            for step in 0..1_500_i64 {
                // Long quiet times, in which all get old; then more than are dropped, and some anew.
                let now = step + step / 400 * 2 * WINDOW_US;
                let number = (step % 400 * 7_919 % 97) as usize;
                let at = Timestamp::from_micros(now);
                let is_kept = list.iter().any(|it: &(usize, i64)| {
                    let (name, then) = *it;
                    name == number && now - then < WINDOW_US
                });
                assert_eq!(keep(&mut keys, number, at).is_some(), is_kept, "{step}");
                for _ in 0..EXPIRED_MAX {
                    if list
                        .front()
                        .is_some_and(|(_, then)| now - then >= WINDOW_US)
                    {
                        list.pop_front();
                    }
                }
                if !is_kept {
                    list.push_back((number, now));
                }
                let newest = |(index, it): (usize, &(usize, i64))| {
                    let again = list.iter().skip(index + 1).any(|(name, _)| *name == it.0);
                    (!again).then_some(*it)
                };
                let expected: Vec<_> = list.iter().enumerate().filter_map(newest).collect();
                let held = keys.iter().map(|(key, kept)| (key, kept.at.as_micros()));
                let expected: Vec<_> = expected
                    .into_iter()
                    .map(|(number, then)| (KeyDigest::of(&key(number)), then))
                    .collect();
                assert_eq!(held.collect::<Vec<_>>(), expected, "{step}");
                assert_eq!(keys.len(), expected.len());
            }
            assert!(keys.dropped < 2_000);
        }
    }
}
