//! The idempotency keys of a service in memory, and what was answered to them.
//!
//! A key leads to a slot, which holds the change that was asked for first and, once there is one, the outcome.
//! Whoever comes first makes the change *inside* the slot; whoever comes meanwhile waits there for its outcome.
//!
//! Invariants:
//!
//! 1. *One effect.* While a key is kept, one change is made with it, whoever asks and how often. All get its
//!    outcome, and one alone is told that it is not a replay.
//!    A refusal that [is not kept](Refusal::is_kept) had no effect: its slot is taken away at once, and whoever waited
//!    there, with whatever change, asks anew, in a slot of its own.
//! 2. *Kept for its time.* A key is dropped, or used anew, only if its change has been answered and was asked for
//!    as long ago as [`KeyPolicy::window`]. The time is the machine's uptime, which nobody sets: a clock that is
//!    put forward drops no key.
//! 3. *Bounded.* There are never more slots than [`KeyPolicy::keys_max`], and all are of one size, however long the
//!    keys. What would be one more is turned away, before it has done anything.
//!
//! A request with a key that is kept looks it up, and no more. One with a new key drops a few that are past
//! their time, so that none ever pays for a whole day of them. Only where there is no room does it wait for
//! others that do so.

use std::ptr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_queue::SegQueue;
use papaya::{Compute, HashMap, HashMapRef, LocalGuard, Operation};

use crate::engine::capacity::{Capacity, Reservation};
use crate::values::change::{Change, CommandError, NotDone, Receipt, Refusal, answer};
use crate::values::idempotency_key::IdempotencyKey;
use crate::values::key_digest::{KeyDigest, KeyDigestHash};
use crate::values::key_policy::KeyPolicy;

/// How many keys a request with a new one drops at most. More than one, so that they become fewer.
const DROPPED_MAX: usize = 4;

/// Keys, with what was answered to them.
#[derive(Debug)]
pub(super) struct MemoryKeys {
    policy: KeyPolicy,
    by_key: HashMap<KeyDigest, Slot, KeyDigestHash>,
    /// A place for each slot, also for one whose key was used anew and that is not dropped yet.
    room: Capacity,
    /// All slots whose outcome is kept, but the oldest, in the order in which they were made, give or take those made
    /// at one time.
    by_age: SegQueue<Aging>,
    /// The oldest slot, once it has been looked at. Whoever holds it drops what is past its time.
    oldest: Mutex<Option<Aging>>,
    begun: Instant,
}

/// The map, with what was found in it kept in place.
type Pinned<'map> = HashMapRef<'map, KeyDigest, Slot, KeyDigestHash, LocalGuard<'map>>;

/// What a key stands for.
#[derive(Debug)]
struct Slot {
    change: Change,
    asked: Uptime,
    outcome: OnceLock<Result<Receipt, Refusal>>,
}

/// A slot that will be past its time one day.
#[derive(Clone, Copy, Debug)]
struct Aging {
    key: KeyDigest,
    asked: Uptime,
}

/// Nanoseconds since the service began. An `Instant` takes twice the room.
#[derive(Clone, Copy, Debug)]
struct Uptime(u64);

impl MemoryKeys {
    pub(super) fn new(policy: KeyPolicy) -> Self {
        Self {
            policy,
            by_key: HashMap::default(),
            room: Capacity::new(policy.keys_max),
            by_age: SegQueue::new(),
            oldest: Mutex::new(None),
            begun: Instant::now(),
        }
    }

    fn uptime(&self, now: Instant) -> Uptime {
        let passed = now.saturating_duration_since(self.begun);
        Uptime(u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Makes `change` by `make`, unless that was done with this key before. Then it is answered as it was.
    ///
    /// # Errors
    ///
    /// [`NotDone::KeyReused`] if the key stands for another change; [`NotDone::TooManyKeys`] if it is new and
    /// there is no room. `make` is not called then.
    pub(super) fn answer(
        &self,
        key: &IdempotencyKey,
        change: Change,
        now: Instant,
        make: impl Fn() -> Result<Receipt, Refusal>,
    ) -> Result<Receipt, CommandError> {
        let (key, now) = (KeyDigest::of(key), self.uptime(now));
        let by_key = self.by_key.pin();
        loop {
            let slot = self.slot(&by_key, key, change, now)?;
            if slot.change != change {
                // Whether the key is the other's, its answer tells.
                match is_kept(slot.outcome.wait()) {
                    true => return Err(NotDone::KeyReused.into()),
                    false => continue,
                }
            }
            let mut replayed = true;
            let outcome = *slot.outcome.get_or_init(|| {
                replayed = false;
                make()
            });
            if !replayed {
                self.settle(&by_key, key, slot, &outcome);
            } else if !is_kept(&outcome) {
                // Somebody else was refused here, at another moment.
                continue;
            }
            return answer(outcome, replayed);
        }
    }

    /// Gives a slot whose change was made its place among the others, or takes it away.
    fn settle(
        &self,
        by_key: &Pinned<'_>,
        key: KeyDigest,
        slot: &Slot,
        outcome: &Result<Receipt, Refusal>,
    ) {
        if is_kept(outcome) {
            let asked = slot.asked;
            return self.by_age.push(Aging { key, asked });
        }
        // The key may have been used anew: then it leads to another slot, which stays.
        let _ = by_key.remove_if(&key, |_, found| ptr::eq(found, slot));
        self.room.release();
    }

    /// The slot of a key: a new one, if there is none, or it is past its time or not kept.
    fn slot<'map>(
        &self,
        by_key: &'map Pinned<'_>,
        key: KeyDigest,
        change: Change,
        now: Uptime,
    ) -> Result<&'map Slot, NotDone> {
        if let Some(kept) = by_key.get(&key).filter(|kept| !self.is_over(kept, now)) {
            return Ok(kept);
        }
        let room = self.make_room(by_key, now)?;
        let entered = by_key.compute(key, |kept| match kept {
            // Somebody else was faster.
            Some((_, kept)) if !self.is_over(kept, now) => Operation::Abort(kept),
            _ => Operation::Insert(Slot {
                change,
                asked: now,
                outcome: OnceLock::new(),
            }),
        });
        Ok(match entered {
            Compute::Inserted(_, new) | Compute::Updated { new: (_, new), .. } => {
                room.keep();
                new
            }
            Compute::Aborted(kept) | Compute::Removed(_, kept) => kept,
        })
    }

    /// Room for one more slot.
    fn make_room(&self, by_key: &Pinned<'_>, now: Uptime) -> Result<Reservation<'_>, NotDone> {
        // Whoever holds it drops already what is to be dropped.
        if let Ok(oldest) = self.oldest.try_lock() {
            self.drop_some(by_key, oldest, now);
        }
        if let Ok(room) = self.room.reserve() {
            return Ok(room);
        }
        let oldest = self.oldest.lock();
        let oldest = oldest.unwrap_or_else(PoisonError::into_inner);
        let retry_after = self.drop_some(by_key, oldest, now);
        self.room
            .reserve()
            .map_err(|_| NotDone::TooManyKeys { retry_after })
    }

    /// How long there will be no room for one more key, if there is none.
    pub(super) fn full_for(&self, now: Instant) -> Option<Duration> {
        let is_full = || self.room.in_use() >= self.policy.keys_max;
        if !is_full() {
            return None;
        }
        // As for a request that finds no room: whoever holds it drops a few keys, and lets it go.
        let oldest = self.oldest.lock();
        let oldest = oldest.unwrap_or_else(PoisonError::into_inner);
        let left = self.drop_some(&self.by_key.pin(), oldest, self.uptime(now));
        (is_full() && !left.is_zero()).then_some(left)
    }

    /// Drops some of the keys that are past their time, the oldest first. Returns how long the oldest of the others is
    /// to be kept still: nothing where all are on their way.
    fn drop_some(
        &self,
        by_key: &Pinned<'_>,
        mut oldest: MutexGuard<'_, Option<Aging>>,
        now: Uptime,
    ) -> Duration {
        for _ in 0..DROPPED_MAX {
            let Some(aging) = oldest.take().or_else(|| self.by_age.pop()) else {
                return Duration::ZERO;
            };
            let left = self.left(aging.asked, now);
            if !left.is_zero() {
                *oldest = Some(aging);
                return left;
            }
            // Its key may have been used anew: that slot stays, unless it is over as well.
            let _ = by_key.remove_if(&aging.key, |_, slot| self.is_over(slot, now));
            self.room.release();
        }
        Duration::ZERO
    }

    /// Whether a key has been answered, and is past its time or not kept at all.
    fn is_over(&self, slot: &Slot, now: Uptime) -> bool {
        let outcome = slot.outcome.get();
        outcome.is_some_and(|outcome| !is_kept(outcome) || self.left(slot.asked, now).is_zero())
    }

    /// For how long what was asked then is to be kept still.
    fn left(&self, asked: Uptime, now: Uptime) -> Duration {
        let age = Duration::from_nanos(now.0.saturating_sub(asked.0));
        self.policy.window.saturating_sub(age)
    }
}

fn is_kept(outcome: &Result<Receipt, Refusal>) -> bool {
    outcome.as_ref().err().is_none_or(Refusal::is_kept)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::Relaxed;
    use std::thread;

    use super::*;
    use crate::values::change::Receipt;
    use crate::values::money::Cents;
    use crate::values::timestamp::Timestamp;

    const WINDOW: Duration = Duration::from_secs(10);

    fn keys(keys_max: usize) -> MemoryKeys {
        MemoryKeys::new(KeyPolicy {
            window: WINDOW,
            keys_max,
        })
    }

    fn key(number: usize) -> IdempotencyKey {
        format!("key-{number}").parse().unwrap()
    }

    fn open(initial: i64) -> Change {
        let initial = Cents::new(initial).unwrap();
        Change::Open { initial }
    }

    /// An outcome that can be told from those of other calls.
    fn granted(at: i64) -> Result<Receipt, Refusal> {
        Ok(Receipt {
            number: "00000000-0000-4000-8000-000000000000".parse().unwrap(),
            balance: Cents::ZERO,
            at: Timestamp::from_micros(at),
            replayed: false,
        })
    }

    fn never() -> Result<Receipt, Refusal> {
        panic!("it was done again")
    }

    fn full(left: Duration) -> Result<Receipt, CommandError> {
        let retry_after = left;
        Err(NotDone::TooManyKeys { retry_after }.into())
    }

    /// The refusals that no key keeps.
    fn passing() -> [Result<Receipt, Refusal>; 2] {
        let full = Refusal::AccountLimit { limit: 3 };
        [Err(Refusal::UnknownAccount), Err(full)]
    }

    fn first(outcome: Result<Receipt, Refusal>) -> Result<Receipt, CommandError> {
        answer(outcome, false)
    }

    fn replay(outcome: Result<Receipt, Refusal>) -> Result<Receipt, CommandError> {
        answer(outcome, true)
    }

    #[test]
    fn a_change_is_made_once_for_its_key_whether_granted_or_refused() {
        let keys = keys(10);
        let now = Instant::now();
        let available = Cents::ZERO;
        let refused = Err(Refusal::InsufficientFunds { available });
        for (number, outcome) in [(1, granted(7)), (2, refused)] {
            let key = key(number);
            assert_eq!(keys.answer(&key, open(1), now, || outcome), first(outcome));
            assert_eq!(keys.answer(&key, open(1), now, never), replay(outcome));
            let other = keys.answer(&key, open(2), now, never);
            assert_eq!(other, Err(NotDone::KeyReused.into()));
        }
    }

    #[test]
    fn a_key_is_kept_to_the_end_of_its_window_and_not_a_moment_longer() {
        let keys = keys(10);
        let asked = Instant::now();
        let moment = Duration::from_nanos(1);
        let _ = keys.answer(&key(1), open(1), asked, || granted(1));
        for now in [asked, asked + WINDOW - moment, asked - moment] {
            let again = keys.answer(&key(1), open(1), now, never);
            assert_eq!(again, replay(granted(1)));
            let other = keys.answer(&key(1), open(2), now, never);
            assert_eq!(other, Err(NotDone::KeyReused.into()));
        }
        let later = asked + WINDOW;
        let anew = keys.answer(&key(1), open(2), later, || granted(2));
        assert_eq!(anew, first(granted(2)));
        let again = keys.answer(&key(1), open(2), later + WINDOW - moment, never);
        assert_eq!(again, replay(granted(2)));
    }

    #[test]
    fn what_drops_an_old_slot_leaves_the_new_one_of_its_key_alone() {
        let keys = keys(100);
        let begun = Instant::now();
        for number in 0..10 {
            let _ = keys.answer(&key(number), open(1), begun, || granted(1));
        }
        let later = begun + WINDOW;
        // Four others go first: the old slot is still there.
        let anew = keys.answer(&key(9), open(1), later, || granted(2));
        assert_eq!(anew, first(granted(2)));
        assert_eq!((keys.room.in_use(), keys.by_key.len()), (7, 6));
        for number in 10..13 {
            let _ = keys.answer(&key(number), open(1), later, || granted(1));
        }
        assert_eq!((keys.room.in_use(), keys.by_key.len()), (4, 4));
        let again = keys.answer(&key(9), open(1), later, never);
        assert_eq!(again, replay(granted(2)));
    }

    #[test]
    fn a_new_key_beyond_the_bound_is_turned_away_until_one_is_over() {
        let keys = keys(3);
        let begun = Instant::now();
        let second = Duration::from_secs(1);
        for number in 0..3_u32 {
            let _ = keys.answer(
                &key(number as usize),
                open(1),
                begun + second * number,
                || granted(1),
            );
        }
        let almost = begun + WINDOW - Duration::from_nanos(1);
        assert_eq!(keys.full_for(almost), Some(Duration::from_nanos(1)));
        // Also while a request looks for room.
        let oldest = keys.oldest.lock().unwrap();
        thread::scope(|scope| {
            let asking = scope.spawn(|| keys.full_for(almost));
            thread::sleep(Duration::from_millis(20));
            drop(oldest);
            assert_eq!(asking.join().unwrap(), Some(Duration::from_nanos(1)));
        });
        let turned_away = keys.answer(&key(9), open(1), almost, never);
        assert_eq!(turned_away, full(Duration::from_nanos(1)));
        let earlier = keys.answer(&key(9), open(1), begun, never);
        assert_eq!(earlier, full(WINDOW));
        let again = keys.answer(&key(0), open(1), almost, never);
        assert_eq!(again, replay(granted(1)));
        // One is over: there is room for one.
        assert_eq!(keys.full_for(begun + WINDOW), None);
        let taken = keys.answer(&key(9), open(1), begun + WINDOW, || granted(2));
        assert_eq!(taken, first(granted(2)));
        let turned_away = keys.answer(&key(0), open(1), begun + WINDOW, never);
        assert_eq!(turned_away, full(second));
    }

    #[test]
    fn a_refusal_of_the_moment_leaves_nothing_behind() {
        let keys = keys(1);
        let now = Instant::now();
        for number in 0..100 {
            for refused in passing() {
                let asked = keys.answer(&key(number % 3), open(1), now, || refused);
                assert_eq!(asked, first(refused));
                assert_eq!((keys.room.in_use(), keys.by_key.len()), (0, 0));
            }
        }
        assert!(keys.by_age.is_empty());
        // The same key with the same change succeeds once it can, and with another one.
        let later = keys.answer(&key(1), open(2), now, || granted(1));
        assert_eq!(later, first(granted(1)));
        assert_eq!(
            keys.answer(&key(1), open(2), now, never),
            replay(granted(1))
        );
        assert_eq!(keys.answer(&key(2), open(2), now, never), full(WINDOW));
    }

    #[test]
    fn whoever_waits_for_a_refusal_of_the_moment_asks_for_itself() {
        let keys = keys(2);
        let now = Instant::now();
        let begun = Barrier::new(2);
        let [refused, _] = passing();
        thread::scope(|scope| {
            scope.spawn(|| {
                let asked = keys.answer(&key(1), open(1), now, || {
                    begun.wait();
                    thread::sleep(Duration::from_millis(100));
                    refused
                });
                assert_eq!(asked, first(refused));
            });
            begun.wait();
            // It comes to the slot of the other one, or after it.
            let own = keys.answer(&key(1), open(1), now, || granted(2));
            assert_eq!(own, first(granted(2)));
        });
        assert_eq!(
            keys.answer(&key(1), open(1), now, never),
            replay(granted(2))
        );
        assert_eq!((keys.room.in_use(), keys.by_key.len()), (1, 1));
    }

    /// A key that names no account is nobody's: it must not stand in the way of another request, not even while it is
    /// being refused.
    #[test]
    fn another_request_is_not_refused_for_a_key_that_is_not_kept() {
        for refused in passing() {
            let keys = keys(2);
            let now = Instant::now();
            let begun = Barrier::new(2);
            thread::scope(|scope| {
                scope.spawn(|| {
                    let asked = keys.answer(&key(1), open(1), now, || {
                        begun.wait();
                        thread::sleep(Duration::from_millis(100));
                        refused
                    });
                    assert_eq!(asked, first(refused));
                });
                begun.wait();
                let other = keys.answer(&key(1), open(2), now, || granted(2));
                assert_eq!(other, first(granted(2)));
            });
            let again = keys.answer(&key(1), open(2), now, never);
            assert_eq!(again, replay(granted(2)));
            assert_eq!((keys.room.in_use(), keys.by_key.len()), (1, 1));
        }
    }

    #[test]
    fn of_threads_that_race_for_a_key_that_is_refused_at_first_one_has_the_effect() {
        for round in 0..2_000_i64 {
            let keys = keys(8);
            let tries = AtomicUsize::new(0);
            let [refused, _] = passing();
            let ask = || {
                keys.answer(&key(1), open(1), Instant::now(), || {
                    match tries.fetch_add(1, Relaxed) {
                        0 | 1 => refused,
                        made => granted(made as i64 + round),
                    }
                })
            };
            let answers = thread::scope(|scope| {
                let threads = [0, 1, 2, 3].map(|_| scope.spawn(ask));
                threads.map(|thread| thread.join().unwrap())
            });
            // Two are refused, and no more; of the others one did it, and the other was told.
            let count = |expected| answers.iter().filter(|it| **it == expected).count();
            assert_eq!(count(first(refused)), 2);
            assert_eq!(count(first(granted(2 + round))), 1);
            assert_eq!(count(replay(granted(2 + round))), 1);
            assert_eq!((keys.room.in_use(), keys.by_key.len()), (1, 1));
        }
    }

    #[test]
    fn what_is_over_is_dropped_a_little_at_a_time() {
        let keys = keys(1_000);
        let begun = Instant::now();
        for number in 0..1_000 {
            let _ = keys.answer(&key(number), open(1), begun, || granted(1));
        }
        assert_eq!(keys.room.in_use(), 1_000);
        for number in 1_000..1_300 {
            let _ = keys.answer(&key(number), open(1), begun + WINDOW, || granted(2));
        }
        // Four went for each that came; then all that were over had gone.
        assert_eq!((keys.room.in_use(), keys.by_key.len()), (300, 300));
    }

    #[test]
    fn a_slow_change_holds_its_key_beyond_the_window() {
        let keys = keys(10);
        let asked = Instant::now();
        let begun = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                let slow = keys.answer(&key(1), open(1), asked, || {
                    begun.wait();
                    thread::sleep(Duration::from_millis(100));
                    granted(1)
                });
                assert_eq!(slow, first(granted(1)));
            });
            begun.wait();
            // It is past its time, but not answered yet; and it keeps its place.
            let later = asked + WINDOW;
            let _ = keys.answer(&key(2), open(1), later, || granted(2));
            let again = keys.answer(&key(1), open(1), later, never);
            assert_eq!(again, replay(granted(1)));
        });
    }

    #[test]
    fn of_threads_that_race_for_a_key_one_makes_the_change_and_all_get_its_outcome() {
        const KEYS: usize = 20_000;
        // So short a window that keys are over, dropped and used anew while others ask for them.
        for window in [WINDOW, Duration::from_micros(20)] {
            let keys = MemoryKeys::new(KeyPolicy {
                window,
                keys_max: 3 * KEYS,
            });
            let made: Vec<AtomicUsize> = (0..KEYS).map(|_| AtomicUsize::new(0)).collect();
            let firsts = AtomicUsize::new(0);
            let arrived = AtomicUsize::new(0);
            let ask = |number: usize, made: &AtomicUsize| {
                // Both at once, as a barrier that puts threads to sleep would not have it.
                arrived.fetch_add(1, Relaxed);
                while arrived.load(Relaxed) < 2 * (number + 1) {
                    thread::yield_now();
                }
                let change = open(number as i64);
                keys.answer(&key(number), change, Instant::now(), || {
                    granted(made.fetch_add(1, Relaxed) as i64)
                })
            };
            let race = || -> Vec<Result<Receipt, CommandError>> {
                let each = made.iter().enumerate();
                each.map(|(number, made)| ask(number, made)).collect()
            };
            let answers = thread::scope(|scope| {
                let both = [scope.spawn(race), scope.spawn(race)];
                both.map(|thread| thread.join().unwrap())
            });
            for answers in answers {
                for (answer, made) in answers.into_iter().zip(&made) {
                    let receipt = answer.unwrap();
                    assert!((receipt.at.as_micros() as usize) < made.load(Relaxed));
                    firsts.fetch_add(usize::from(!receipt.replayed), Relaxed);
                }
            }
            let made = made.iter().map(|made| made.load(Relaxed));
            assert_eq!(made.clone().sum::<usize>(), firsts.load(Relaxed));
            if window == WINDOW {
                assert!(made.into_iter().all(|times| times == 1));
            }
        }
    }
}
