//! An account that is followed through its operations.

use std::num::NonZeroI64;

use cashpoint::AccountNumber;

use super::checker::{Checker, Judgement, Slot};
use super::events::{Event, Events};
use super::history::{Call, Outcome};
use super::specification::State;

/// An account, and its operations of unknown outcome.
#[derive(Clone, Debug)]
pub(super) struct Followed {
    /// What the server calls it.
    pub(super) number: AccountNumber,
    pub(super) checker: Checker,
    pub(super) unknown: Vec<(Slot, Call)>,
    /// The latest time that an answer told so far.
    pub(super) latest: Option<NonZeroI64>,
}

impl Followed {
    pub(super) fn new(number: AccountNumber, state: State) -> Self {
        Self {
            number,
            checker: Checker::new(state),
            unknown: Vec::new(),
            latest: None,
        }
    }
}

/// How a history went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    Linearizable,
    /// The answer to this record fits no order.
    Violation(usize),
    GaveUp,
}

/// Follows an account through `records`, which are in the order of their calls. `look` is shown each event
/// before it is followed.
pub(super) fn follow(
    followed: &mut Followed,
    records: &[Call],
    mut look: impl FnMut(&Followed, &[Option<Slot>], (u64, Event, usize)),
) -> Course {
    let mut slots = vec![None; records.len()];
    for (time, event, index) in Events::of(records) {
        look(followed, &slots, (time, event, index));
        let (Some(record), Some(slot)) = (records.get(index), slots.get_mut(index)) else {
            continue;
        };
        match event {
            Event::Call => {
                let Some(taken) = followed.checker.call(record.action, record.outcome) else {
                    return Course::GaveUp;
                };
                *slot = Some(taken);
                if record.outcome == Outcome::Unknown {
                    followed.unknown.push((taken, *record));
                }
            }
            Event::Answer => {
                let Some(taken) = slot.take() else { continue };
                match followed.checker.answer(taken) {
                    Judgement::Linearizable => {}
                    Judgement::Violation => return Course::Violation(index),
                    Judgement::GaveUp => return Course::GaveUp,
                }
            }
        }
    }
    Course::Linearizable
}
