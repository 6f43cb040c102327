//! The times that answers tell.
//!
//! By which clock a server goes is its own affair, and so is how far that clock is off. But the times of one account
//! never fall: what was answered before another operation was called is not the later of the two. And a clock goes:
//! while seconds pass here, seconds pass there.

#![expect(clippy::float_arithmetic, reason = "times, not money")]

use std::num::NonZeroI64;

use super::history::Call;

/// Two operations, the first of which was answered before the other was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fall {
    pub(super) first: NonZeroI64,
    pub(super) then: NonZeroI64,
}

/// The first operation of an account whose time is before that of one that was over when it was called. `records` are
/// in the order of their calls; `latest` is the latest time told before all of them, and then that of them, too.
pub(super) fn fall(records: &[Call], latest: &mut Option<NonZeroI64>) -> Option<Fall> {
    let before = *latest;
    let mut found = None;
    // Up to each record, the latest time told.
    let mut latest_up_to = Vec::with_capacity(records.len());
    for (index, record) in records.iter().enumerate() {
        let up_to = latest_up_to.last().copied().unwrap_or(before);
        if let Some(then) = record.told_at
            && found.is_none()
            && up_to > Some(then)
        {
            // Nearly always it is one that was under way at the same time, and there are few of these.
            let earlier = records.iter().zip(&latest_up_to).take(index).rev();
            let mut earlier = earlier.take_while(|(_, up_to)| **up_to > Some(then));
            let over = earlier.find_map(|(it, _)| {
                let first = it.told_at?;
                (it.answered < record.called && first > then).then_some(first)
            });
            let first = before.filter(|first| *first > then).or(over);
            found = first.map(|first| Fall { first, then });
        }
        latest_up_to.push(up_to.max(record.told_at));
    }
    *latest = latest_up_to.last().copied().unwrap_or(before);
    found
}

/// How far the times go that a server tells, and the clock here meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    told: Option<(NonZeroI64, NonZeroI64)>,
    /// In nanoseconds: when the first of them was called, and the last.
    called: Option<(u64, u64)>,
}

/// For how long, in nanoseconds, it has to be looked before a clock can be said to stand.
const LOOKED_AT_LEAST: u64 = 1_000_000_000;

impl Span {
    pub(super) fn see(&mut self, record: &Call) {
        let Some(told_at) = record.told_at else {
            return;
        };
        let (least, most) = self.told.unwrap_or((told_at, told_at));
        self.told = Some((least.min(told_at), most.max(told_at)));
        let (first, last) = self.called.unwrap_or((record.called, record.called));
        self.called = Some((first.min(record.called), last.max(record.called)));
    }

    /// The seconds that passed here and there, if the clock there does not go.
    pub(super) fn stands_still(self) -> Option<(f64, f64)> {
        let ((least, most), (first, last)) = (self.told?, self.called?);
        let here = last.saturating_sub(first);
        let there = u64::try_from(most.get().saturating_sub(least.get())).ok()?;
        let there = there.saturating_mul(1_000);
        (here >= LOOKED_AT_LEAST && there < here / 2)
            .then_some((here as f64 / 1e9, there as f64 / 1e9))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::history::{Action, Outcome};
    use proptest::prelude::*;

    fn call(called: u64, answered: u64, told_at: i64) -> Call {
        Call {
            account: 1,
            worker: 0,
            action: Action::Deposit(1),
            outcome: Outcome::Balance(1),
            called,
            answered,
            told_at: NonZeroI64::new(told_at),
        }
    }

    fn fall_of(first: i64, then: i64) -> Option<Fall> {
        let [first, then] = [first, then].map(|it| NonZeroI64::new(it).unwrap());
        Some(Fall { first, then })
    }

    #[test]
    fn times_fall_only_between_what_does_not_overlap() {
        let mut latest = None;
        assert_eq!(fall(&[call(0, 9, 7), call(5, 8, 6)], &mut latest), None);
        assert_eq!(latest, NonZeroI64::new(7));
        assert_eq!(fall(&[call(10, 12, 7), call(13, 15, 7)], &mut latest), None);
        let found = fall(
            &[call(20, 22, 9), call(21, 30, 0), call(23, 24, 8)],
            &mut latest,
        );
        assert_eq!(found, fall_of(9, 8));
        // Also from one slice to the next.
        assert_eq!(fall(&[call(40, 41, 8)], &mut latest), fall_of(9, 8));
    }

    proptest! {
        #[test]
        fn a_fall_is_found_if_there_is_one(mut records in prop::collection::vec((0..40_u64, 0..9_u64, 0..9_i64), 0..20)) {
            records.sort_unstable();
            let records: Vec<_> = records.into_iter().map(|(at, long, told)| call(at, at + long, told)).collect();
            let falls = |first: &Call, then: &Call| {
                first.answered < then.called && then.told_at.is_some() && first.told_at > then.told_at
            };
            let expected = records.iter().any(|first| records.iter().any(|then| falls(first, then)));
            prop_assert_eq!(fall(&records, &mut None).is_some(), expected);
        }
    }

    #[test]
    fn a_clock_that_goes_wrong_still_goes() {
        let mut span = Span::default();
        for second in 0..5 {
            span.see(&call(
                second * 1_000_000_000,
                0,
                1 + second as i64 * 1_000_000,
            ));
        }
        assert_eq!(span.stands_still(), None);
        let mut span = Span::default();
        for second in 0..5 {
            span.see(&call(second * 1_000_000_000, 0, 1));
        }
        assert_eq!(span.stands_still(), Some((4.0, 0.0)));
    }
}
