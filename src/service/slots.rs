//! The idempotency keys of a service in memory, and what was answered to them.
//!
//! A key leads to a slot, which holds the change that was asked for first and, once there is one, the outcome.
//! Whoever comes first makes the change *inside* the slot; whoever comes meanwhile waits there for its outcome.
//!
//! Invariants:
//!
//! 1. *One effect.* While a key is kept, one change is made with it, whoever asks and how often. All get its
//!    outcome, and one alone is told that it is not a replay.
//! 2. *Kept for its time.* A key is dropped, or used anew, only if its change has been answered and was asked for
//!    as long ago as [`KeyPolicy::window`]. The time is the machine's uptime, which nobody sets: a clock that is
//!    put forward drops no key.
//! 3. *Bounded.* There are never more slots than [`KeyPolicy::keys_max`]. What would be one more is turned away,
//!    before it has done anything.
//!
//! A request with a key that is kept looks it up, and no more. One with a new key drops a few that are past
//! their time, so that none ever pays for a whole day of them. Only where there is no room does it wait for
//! others that do so.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use crossbeam::queue::SegQueue;
use papaya::{Compute, HashMap, Operation};

use crate::capacity::{Capacity, Reservation};
use crate::change::{Answer, Answered, Change, ChangeOutcome, NotDone};
use crate::idempotency_key::IdempotencyKey;
use crate::key_policy::KeyPolicy;

/// How many keys a request with a new one drops at most. More than one, so that they become fewer.
const DROPPED_MAX: usize = 4;

/// Keys, with what was answered to them.
#[derive(Debug)]
pub(super) struct Slots {
    policy: KeyPolicy,
    /// Clients choose the keys: the map's own hasher has a secret.
    by_key: HashMap<IdempotencyKey, Arc<Slot>>,
    /// A place for each slot, also for one whose key was used anew and that is not dropped yet.
    room: Capacity,
    /// All slots but the oldest in the order in which they were made, give or take those made at one time.
    by_age: SegQueue<Arc<Slot>>,
    /// The oldest slot, once it has been looked at. Whoever holds it drops what is past its time.
    oldest: Mutex<Option<Arc<Slot>>>,
}

/// What a key stands for.
#[derive(Debug)]
struct Slot {
    key: IdempotencyKey,
    change: Change,
    /// When it was asked for.
    asked: Instant,
    outcome: OnceLock<ChangeOutcome>,
}

impl Slots {
    pub(super) fn new(policy: KeyPolicy) -> Self {
        Self {
            policy,
            by_key: HashMap::new(),
            room: Capacity::new(policy.keys_max),
            by_age: SegQueue::new(),
            oldest: Mutex::new(None),
        }
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
        make: impl FnOnce() -> ChangeOutcome,
    ) -> Answer {
        let slot = self.slot(key, change, now)?;
        if slot.change != change {
            return Err(NotDone::KeyReused);
        }
        let mut replayed = true;
        let outcome = *slot.outcome.get_or_init(|| {
            replayed = false;
            make()
        });
        Ok(Answered { outcome, replayed })
    }

    /// The slot of a key: a new one, if there is none or it is past its time.
    fn slot(
        &self,
        key: &IdempotencyKey,
        change: Change,
        now: Instant,
    ) -> Result<Arc<Slot>, NotDone> {
        let by_key = self.by_key.pin();
        if let Some(kept) = by_key.get(key).filter(|kept| !self.is_over(kept, now)) {
            return Ok(Arc::clone(kept));
        }
        let room = self.make_room(now)?;
        let new = Arc::new(Slot {
            key: key.clone(),
            change,
            asked: now,
            outcome: OnceLock::new(),
        });
        let entered = by_key.compute(key.clone(), |kept| match kept {
            // Somebody else was faster.
            Some((_, kept)) if !self.is_over(kept, now) => Operation::Abort(Arc::clone(kept)),
            _ => Operation::Insert(Arc::clone(&new)),
        });
        if let Compute::Aborted(kept) = entered {
            return Ok(kept);
        }
        room.keep();
        self.by_age.push(Arc::clone(&new));
        Ok(new)
    }

    /// Room for one more slot.
    fn make_room(&self, now: Instant) -> Result<Reservation<'_>, NotDone> {
        // Whoever holds it drops already what is to be dropped.
        if let Ok(oldest) = self.oldest.try_lock() {
            self.drop_some(oldest, now);
        }
        if let Ok(room) = self.room.reserve() {
            return Ok(room);
        }
        let oldest = self.oldest.lock();
        self.drop_some(oldest.unwrap_or_else(PoisonError::into_inner), now);
        self.room.reserve().map_err(|_| NotDone::TooManyKeys)
    }

    /// Drops some of the keys that are past their time, the oldest first.
    fn drop_some(&self, mut oldest: MutexGuard<'_, Option<Arc<Slot>>>, now: Instant) {
        let by_key = self.by_key.pin();
        for _ in 0..DROPPED_MAX {
            let Some(slot) = oldest.take().or_else(|| self.by_age.pop()) else {
                return;
            };
            if !self.is_over(&slot, now) {
                *oldest = Some(slot);
                return;
            }
            // The key may have been used anew: then it leads to another slot, which stays.
            let _ = by_key.remove_if(&slot.key, |_, kept| Arc::ptr_eq(kept, &slot));
            self.room.release();
        }
    }

    /// Whether a key has been answered, and is past its time.
    fn is_over(&self, slot: &Slot, now: Instant) -> bool {
        slot.outcome.get().is_some()
            && now.saturating_duration_since(slot.asked) >= self.policy.window
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::Relaxed;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::change::{Receipt, Refusal};
    use crate::error::UnknownAccount;
    use crate::money::Cents;
    use crate::timestamp::Timestamp;

    const WINDOW: Duration = Duration::from_secs(10);

    fn slots(keys_max: usize) -> Slots {
        Slots::new(KeyPolicy {
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
    fn granted(at: i64) -> ChangeOutcome {
        Ok(Receipt {
            number: "00000000-0000-4000-8000-000000000000".parse().unwrap(),
            balance: Cents::ZERO,
            at: Timestamp::from_micros(at),
        })
    }

    fn never() -> ChangeOutcome {
        panic!("it was done again")
    }

    fn first(outcome: ChangeOutcome) -> Answer {
        Ok(outcome.into())
    }

    fn replay(outcome: ChangeOutcome) -> Answer {
        let replayed = true;
        Ok(Answered { outcome, replayed })
    }

    #[test]
    fn a_change_is_made_once_for_its_key_whether_granted_or_refused() {
        let slots = slots(10);
        let now = Instant::now();
        let refused = Err(Refusal::UnknownAccount(UnknownAccount));
        for (number, outcome) in [(1, granted(7)), (2, refused)] {
            let key = key(number);
            assert_eq!(slots.answer(&key, open(1), now, || outcome), first(outcome));
            assert_eq!(slots.answer(&key, open(1), now, never), replay(outcome));
            let other = slots.answer(&key, open(2), now, never);
            assert_eq!(other, Err(NotDone::KeyReused));
        }
    }

    #[test]
    fn a_key_is_kept_to_the_end_of_its_window_and_not_a_moment_longer() {
        let slots = slots(10);
        let asked = Instant::now();
        let moment = Duration::from_nanos(1);
        let _ = slots.answer(&key(1), open(1), asked, || granted(1));
        for now in [asked, asked + WINDOW - moment, asked - moment] {
            let again = slots.answer(&key(1), open(1), now, never);
            assert_eq!(again, replay(granted(1)));
            let other = slots.answer(&key(1), open(2), now, never);
            assert_eq!(other, Err(NotDone::KeyReused));
        }
        let later = asked + WINDOW;
        let anew = slots.answer(&key(1), open(2), later, || granted(2));
        assert_eq!(anew, first(granted(2)));
        let again = slots.answer(&key(1), open(2), later + WINDOW - moment, never);
        assert_eq!(again, replay(granted(2)));
    }

    #[test]
    fn what_drops_an_old_slot_leaves_the_new_one_of_its_key_alone() {
        let slots = slots(100);
        let begun = Instant::now();
        for number in 0..10 {
            let _ = slots.answer(&key(number), open(1), begun, || granted(1));
        }
        let later = begun + WINDOW;
        // Four others go first: the old slot is still there.
        let anew = slots.answer(&key(9), open(1), later, || granted(2));
        assert_eq!(anew, first(granted(2)));
        assert_eq!((slots.room.in_use(), slots.by_key.len()), (7, 6));
        for number in 10..13 {
            let _ = slots.answer(&key(number), open(1), later, || granted(1));
        }
        assert_eq!((slots.room.in_use(), slots.by_key.len()), (4, 4));
        let again = slots.answer(&key(9), open(1), later, never);
        assert_eq!(again, replay(granted(2)));
    }

    #[test]
    fn a_new_key_beyond_the_bound_is_turned_away_until_one_is_over() {
        let slots = slots(3);
        let begun = Instant::now();
        let second = Duration::from_secs(1);
        for number in 0..3_u32 {
            let _ = slots.answer(
                &key(number as usize),
                open(1),
                begun + second * number,
                || granted(1),
            );
        }
        let full = begun + WINDOW - Duration::from_nanos(1);
        let turned_away = slots.answer(&key(9), open(1), full, never);
        assert_eq!(turned_away, Err(NotDone::TooManyKeys));
        let again = slots.answer(&key(0), open(1), full, never);
        assert_eq!(again, replay(granted(1)));
        // One is over: there is room for one.
        let taken = slots.answer(&key(9), open(1), begun + WINDOW, || granted(2));
        assert_eq!(taken, first(granted(2)));
        let turned_away = slots.answer(&key(0), open(1), begun + WINDOW, never);
        assert_eq!(turned_away, Err(NotDone::TooManyKeys));
    }

    #[test]
    fn what_is_over_is_dropped_a_little_at_a_time() {
        let slots = slots(1_000);
        let begun = Instant::now();
        for number in 0..1_000 {
            let _ = slots.answer(&key(number), open(1), begun, || granted(1));
        }
        assert_eq!(slots.room.in_use(), 1_000);
        for number in 1_000..1_300 {
            let _ = slots.answer(&key(number), open(1), begun + WINDOW, || granted(2));
        }
        // Four went for each that came; then all that were over had gone.
        assert_eq!((slots.room.in_use(), slots.by_key.len()), (300, 300));
    }

    #[test]
    fn a_slow_change_holds_its_key_beyond_the_window() {
        let slots = slots(10);
        let asked = Instant::now();
        let begun = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                let slow = slots.answer(&key(1), open(1), asked, || {
                    begun.wait();
                    thread::sleep(Duration::from_millis(100));
                    granted(1)
                });
                assert_eq!(slow, first(granted(1)));
            });
            begun.wait();
            // It is past its time, but not answered yet; and it keeps its place.
            let later = asked + WINDOW;
            let _ = slots.answer(&key(2), open(1), later, || granted(2));
            let again = slots.answer(&key(1), open(1), later, never);
            assert_eq!(again, replay(granted(1)));
        });
    }

    #[test]
    fn of_threads_that_race_for_a_key_one_makes_the_change_and_all_get_its_outcome() {
        const KEYS: usize = 20_000;
        // So short a window that keys are over, dropped and used anew while others ask for them.
        for window in [WINDOW, Duration::from_micros(20)] {
            let slots = Slots::new(KeyPolicy {
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
                slots.answer(&key(number), change, Instant::now(), || {
                    granted(made.fetch_add(1, Relaxed) as i64)
                })
            };
            let race = || -> Vec<Answer> {
                let each = made.iter().enumerate();
                each.map(|(number, made)| ask(number, made)).collect()
            };
            let answers = thread::scope(|scope| {
                let both = [scope.spawn(race), scope.spawn(race)];
                both.map(|thread| thread.join().unwrap())
            });
            for answers in answers {
                for (answer, made) in answers.into_iter().zip(&made) {
                    let Answered { outcome, replayed } = answer.unwrap();
                    let outcome = outcome.unwrap().at.as_micros() as usize;
                    assert!(outcome < made.load(Relaxed));
                    firsts.fetch_add(usize::from(!replayed), Relaxed);
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
