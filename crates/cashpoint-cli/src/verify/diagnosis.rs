//! What must have gone wrong in a history that no order explains: which operations were lost, or which was done twice.
//!
//! It is looked for by trying: if the rest is explained once some operations are left out, or one is done once more, those
//! are named. There may be none such.

use schemars::JsonSchema;
use serde::Serialize;

use super::followed::{Course, Followed, follow};
use super::history::{Action, Call, Outcome};
use super::specification::Effect;

/// The most operations that are named as lost: of more the reader learns nothing.
const LOST_MAX: usize = 4;

/// Which operations of a history, by their places in it, and what must have become of them for the rest to fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Diagnosis {
    /// They were answered, and their effect is not there, or is not seen.
    Lost(Vec<usize>),
    /// It was done once more than it was answered.
    DoneTwice(usize),
}

/// Tries what explains the answer to `wrong`, which no order of `records` explains from `start` on.
pub(super) fn diagnose(start: &Followed, records: &[Call], wrong: &Call) -> Option<Diagnosis> {
    let changes = |record: &Call| {
        record.outcome != Outcome::Unknown
            && !Effect::of(record.action, record.outcome).leaves_as_it_was()
    };
    let suspects = records.iter().enumerate().rev();
    let suspects: Vec<_> = suspects.filter(|(_, it)| changes(it)).collect();
    let lost = lost(start, records, wrong, &suspects);
    let twice = || {
        suspects.iter().find(|(index, record)| {
            let mut more = records.to_vec();
            let again = Call {
                outcome: Outcome::Unknown,
                ..**record
            };
            more.insert(*index, again);
            let moves = matches!(record.action, Action::Deposit(_) | Action::Withdraw(_));
            moves && is_explained(start, &more, wrong)
        })
    };
    if lost.len() == 1 {
        return Some(Diagnosis::Lost(lost));
    }
    if let Some((index, _)) = twice() {
        return Some(Diagnosis::DoneTwice(*index));
    }
    (2..=LOST_MAX)
        .contains(&lost.len())
        .then_some(Diagnosis::Lost(lost))
}

/// Operations without which the rest is explained: one, if there is one such, the latest; else a set none of which can be put
/// back. Empty if there is none.
fn lost(
    start: &Followed,
    records: &[Call],
    wrong: &Call,
    suspects: &[(usize, &Call)],
) -> Vec<usize> {
    let suspects = suspects.iter().filter(|(_, record)| *record != wrong);
    let mut lost: Vec<usize> = suspects.map(|(index, _)| *index).collect();
    let without = |lost: &[usize]| {
        let left = records.iter().enumerate();
        let left = left.filter(|(index, _)| !lost.contains(index));
        let left: Vec<_> = left.map(|(_, record)| *record).collect();
        is_explained(start, &left, wrong)
    };
    if let Some(one) = lost.iter().find(|it| without(&[**it])) {
        return vec![*one];
    }
    if !without(&lost) {
        return Vec::new();
    }
    // The earliest first, so that the latest stay.
    for index in lost.clone().into_iter().rev() {
        let fewer: Vec<_> = lost.iter().copied().filter(|it| *it != index).collect();
        if without(&fewer) {
            lost = fewer;
        }
    }
    lost.reverse();
    lost
}

/// Whether some order explains `records`, as far as what was answered by the time that `wrong` was.
fn is_explained(start: &Followed, records: &[Call], wrong: &Call) -> bool {
    match follow(&mut start.clone(), records, |_, _, _| ()) {
        Course::Linearizable => true,
        Course::Violation(index) => records
            .get(index)
            .is_some_and(|it| it.answered > wrong.answered),
        Course::GaveUp => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::specification::State;
    use cashpoint::AccountNumber;

    fn diagnosed(cents: i64, steps: &[(Action, Outcome, u64, u64)]) -> Option<Diagnosis> {
        let records = steps.iter().enumerate();
        let records = records.map(|(worker, (action, outcome, called, answered))| Call {
            account: 1,
            worker: worker as u32,
            action: *action,
            outcome: *outcome,
            called: *called,
            answered: *answered,
            told_at: None,
        });
        let records: Vec<_> = records.collect();
        let start = Followed::new(AccountNumber::random(), State::Open(cents));
        let course = follow(&mut start.clone(), &records, |_, _, _| ());
        let Course::Violation(wrong) = course else {
            panic!("{course:?}");
        };
        diagnose(&start, &records, &records[wrong])
    }

    #[test]
    fn what_was_lost_and_what_was_done_twice_is_found() {
        use Action::{Balance, Close, Deposit, Withdraw};
        let told = Outcome::Balance;
        // Two that found the same balance.
        let clash = [
            (Deposit(1), told(101), 0, 10),
            (Withdraw(2), told(98), 5, 12),
        ];
        assert_eq!(diagnosed(100, &clash), Some(Diagnosis::Lost(vec![0])));
        let stale = [
            (Deposit(1), told(101), 0, 1),
            (Deposit(5), told(106), 2, 3),
            (Balance, told(101), 4, 5),
        ];
        assert_eq!(diagnosed(100, &stale), Some(Diagnosis::Lost(vec![1])));
        let long_stale = [
            (Deposit(1), told(101), 0, 1),
            (Deposit(5), told(106), 2, 3),
            (Balance, told(100), 4, 5),
        ];
        assert_eq!(
            diagnosed(100, &long_stale),
            Some(Diagnosis::Lost(vec![0, 1]))
        );
        let twice = [(Deposit(7), told(107), 0, 1), (Balance, told(114), 2, 3)];
        assert_eq!(diagnosed(100, &twice), Some(Diagnosis::DoneTwice(0)));
        let undone = [(Close, Outcome::Closed, 0, 1), (Balance, told(100), 2, 3)];
        assert_eq!(diagnosed(100, &undone), Some(Diagnosis::Lost(vec![0])));
        // Nothing that was done explains a sum from nowhere.
        assert_eq!(
            diagnosed(
                100,
                &[(Deposit(7), told(107), 0, 1), (Balance, told(3), 2, 3)]
            ),
            None
        );
    }
}
