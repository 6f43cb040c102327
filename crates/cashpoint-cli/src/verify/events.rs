//! The calls and answers of one account, in the order of their times.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::iter::{Enumerate, Peekable};
use std::slice;

use super::history::{Action, Call, Outcome};

/// Something that happened to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    // At equal times what is called comes before what is answered: the two may have overlapped.
    Call,
    Answer,
}

/// Goes through the events of records that are in the order of their calls. Each is a time, what happened, and
/// the place of its record.
///
/// Only answers have to be put in order, and only among what is open: that is a few, however many records.
#[derive(Clone, Debug)]
pub(super) struct Events<'a> {
    calls: Peekable<Enumerate<slice::Iter<'a, Call>>>,
    /// The answers to what was called, the next on top.
    answers: BinaryHeap<Reverse<(u64, usize)>>,
}

impl<'a> Events<'a> {
    pub(super) fn of(records: &'a [Call]) -> Self {
        Self {
            calls: records.iter().enumerate().peekable(),
            answers: BinaryHeap::new(),
        }
    }
}

impl Iterator for Events<'_> {
    type Item = (u64, Event, usize);

    fn next(&mut self) -> Option<Self::Item> {
        while self
            .calls
            .next_if(|(_, record)| says_nothing(record))
            .is_some()
        {}
        let is_due = |&Reverse((time, _)): &Reverse<(u64, usize)>| {
            let call = self.calls.peek();
            call.is_none_or(|(_, record)| time < record.called)
        };
        if self.answers.peek().is_some_and(is_due) {
            let Reverse((time, index)) = self.answers.pop()?;
            return Some((time, Event::Answer, index));
        }
        let (index, record) = self.calls.next()?;
        if record.outcome != Outcome::Unknown {
            self.answers.push(Reverse((record.answered, index)));
        }
        Some((record.called, Event::Call, index))
    }
}

/// Whether this is a read without an answer: it has no effect, whenever it was done.
fn says_nothing(record: &Call) -> bool {
    record.outcome == Outcome::Unknown && matches!(record.action, Action::Balance | Action::List)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Times are few, so that many are equal.
    fn record() -> impl Strategy<Value = Call> {
        let outcome = prop_oneof![Just(Outcome::Balance(1)), Just(Outcome::Unknown)];
        let action = prop_oneof![Just(Action::Balance), Just(Action::Deposit(1))];
        (0..10_u64, 0..6_u64, action, outcome).prop_map(|(called, length, action, outcome)| Call {
            account: 0,
            worker: 0,
            action,
            outcome,
            called,
            answered: called + length,
            told_at: None,
        })
    }

    proptest! {
        #[test]
        fn events_come_in_the_order_of_their_times(mut records in prop::collection::vec(record(), 0..20)) {
            records.sort_by_key(|record| record.called);
            let told = |(_, record): &(usize, &Call)| record.outcome != Outcome::Unknown;
            let calls = records.iter().enumerate().filter(|it| told(it) || it.1.action == Action::Deposit(1));
            let mut expected: Vec<_> = calls
                .map(|(index, record)| (record.called, Event::Call, index))
                .collect();
            let answers = records.iter().enumerate().filter(told);
            expected.extend(answers.map(|(index, record)| (record.answered, Event::Answer, index)));
            expected.sort();
            prop_assert_eq!(Events::of(&records).collect::<Vec<_>>(), expected);
        }
    }
}
