//! Requests that are sent again with their idempotency key: at once over another connection, soon, after thousands of other
//! keys, after the client hung up, after a restart.
//!
//! To the history all of them are one operation, from the first call to its answer. What they add is this: whoever
//! sends it again is told the same, and with another request the key is refused.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cashpoint::AccountNumber;
use rand::RngExt as _;
use rand::rngs::Xoshiro256PlusPlus;

use super::history::Action;
use super::keyed::{Keyed, Verbatim};
use super::subject::Oddities;

/// How many requests are remembered, to be sent again: more than ten thousand keys are used meanwhile.
const REMEMBERED_MAX: usize = 16_384;

/// How many keys a part of a run uses: a server keeps them for a day, and has room for a million.
const USED_MAX: u64 = 50_000;

/// How many answers wait to be held against that of another connection.
const RACED_MAX: usize = 4_096;

/// The requests with keys of all workers.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    answered: Mutex<VecDeque<(Keyed, Verbatim)>>,
    used: AtomicU64,
    /// One that is about to be sent: whoever sees it sends it, too.
    offered: Mutex<Option<Keyed>>,
    is_offered: AtomicBool,
    /// What was answered to those.
    raced: Mutex<HashMap<String, Verbatim>>,
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Repeats {
    /// A request with a key of its own, unless enough were used.
    pub(super) fn key(&self, number: AccountNumber, action: Action) -> Option<Keyed> {
        let is_left = self.used.fetch_add(1, Relaxed) < USED_MAX;
        is_left.then(|| Keyed::new(number, action))
    }

    /// Has another worker send it as well.
    pub(super) fn offer(&self, keyed: &Keyed) {
        *lock(&self.offered) = Some(keyed.clone());
        self.is_offered.store(true, Relaxed);
    }

    /// One that another worker is about to send.
    pub(super) fn take_offered(&self) -> Option<Keyed> {
        self.is_offered
            .swap(false, Relaxed)
            .then(|| lock(&self.offered).take())?
    }

    /// Holds what was answered to one that was sent by two at a time against what the other was told.
    pub(super) fn raced(&self, keyed: &Keyed, answer: &Verbatim, oddities: &mut Oddities) {
        if !answer.is_kept() {
            return;
        }
        let mut raced = lock(&self.raced);
        match raced.remove(keyed.key.as_str()) {
            Some(other) => hold(keyed, &other, answer, "at the same time", oddities),
            None => {
                if raced.len() >= RACED_MAX {
                    raced.clear();
                }
                raced.insert(keyed.key.as_str().to_owned(), answer.clone());
            }
        }
    }

    /// Remembers what was answered, to ask again.
    pub(super) fn remember(&self, keyed: Keyed, answer: Verbatim) {
        if answer.is_kept() {
            let mut answered = lock(&self.answered);
            if answered.len() >= REMEMBERED_MAX {
                answered.pop_front();
            }
            answered.push_back((keyed, answer));
        }
    }

    /// Draws one to ask again, and what was answered to it.
    pub(super) fn draw(&self, random: &mut Xoshiro256PlusPlus) -> Option<(Keyed, Verbatim)> {
        let answered = lock(&self.answered);
        match answered.len() {
            0 => None,
            many => answered.get(random.random_range(0..many)).cloned(),
        }
    }

    /// The newest ones, at most so many.
    pub(super) fn newest(&self, most: usize) -> Vec<(Keyed, Verbatim)> {
        lock(&self.answered)
            .iter()
            .rev()
            .take(most)
            .cloned()
            .collect()
    }
}

/// Holds the answer to a repetition against the first.
pub(super) fn hold(
    keyed: &Keyed,
    first: &Verbatim,
    again: &Verbatim,
    when: &str,
    oddities: &mut Oddities,
) {
    if again.is_kept() && again != first {
        let kind = format!(
            "a request that was sent again with its idempotency key, {when}, and was not answered as before: it was done again, or \
             the answer got lost"
        );
        oddities.wrong(&kind, || {
            format!(
                "account {}, {:?}, key {}: first {}, then {}",
                keyed.number,
                keyed.action,
                keyed.key.as_str(),
                first.line(),
                again.line()
            )
        });
    }
}

/// Holds the answer to another request with a key that was used against the contract.
pub(super) fn hold_other(keyed: &Keyed, other: &Keyed, answer: &Verbatim, oddities: &mut Oddities) {
    if answer.is_kept() {
        let kind = "an idempotency key that was taken for another request than its own";
        oddities.wrong(kind, || {
            format!(
                "key {}: used for {:?} on account {}, then for {:?} on account {}: {}",
                keyed.key.as_str(),
                keyed.action,
                keyed.number,
                other.action,
                other.number,
                answer.line()
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    fn verbatim(status: u16, body: &str) -> Verbatim {
        Verbatim {
            status,
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn only_what_is_done_twice_or_told_otherwise_convicts() {
        let keyed = Keyed::new(AccountNumber::random(), Action::Deposit(1));
        let first = verbatim(200, "1.0");
        for (again, is_wrong) in [
            (verbatim(200, "1.0"), false),
            (verbatim(200, "2.0"), true),
            (verbatim(400, "1.0"), true),
            // Busy, being done, or gone: nobody is told that it was done again.
            (verbatim(503, ""), false),
            (verbatim(409, ""), false),
            (verbatim(404, ""), false),
        ] {
            let mut oddities = Oddities::default();
            hold(&keyed, &first, &again, "later", &mut oddities);
            assert_eq!(!oddities.wrong.is_empty(), is_wrong, "{again:?}");
            let (repeats, mut oddities) = (Repeats::default(), Oddities::default());
            repeats.raced(&keyed, &first, &mut oddities);
            repeats.raced(&keyed, &again, &mut oddities);
            assert_eq!(!oddities.wrong.is_empty(), is_wrong, "{again:?}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_reaches_far_back() {
        let (repeats, mut random) = (Repeats::default(), Xoshiro256PlusPlus::seed_from_u64(1));
        assert!(repeats.draw(&mut random).is_none());
        for n in 0..REMEMBERED_MAX + 10 {
            let keyed = Keyed::new(AccountNumber::random(), Action::Deposit(n as i64));
            repeats.remember(keyed, verbatim(200, ""));
        }
        let answered = lock(&repeats.answered);
        assert_eq!(answered.len(), REMEMBERED_MAX);
        assert_eq!(answered[0].0.action, Action::Deposit(10));
    }

    #[test]
    fn keys_are_used_up_to_a_bound() {
        let (repeats, number) = (Repeats::default(), AccountNumber::random());
        let draws = (0..2 * USED_MAX).filter_map(|_| repeats.key(number, Action::Deposit(1)));
        assert_eq!(draws.count() as u64, USED_MAX);
    }

    #[test]
    fn one_worker_takes_what_is_offered() {
        let repeats = Repeats::default();
        let keyed = Keyed::new(AccountNumber::random(), Action::Deposit(1));
        repeats.offer(&keyed);
        assert_eq!(repeats.take_offered().map(|it| it.key), Some(keyed.key));
        assert!(repeats.take_offered().is_none());
    }
}
