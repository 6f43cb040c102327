//! Holds the histories of all accounts against the specification, slice by slice.
//!
//! A slice is a time after which no operation is under way, except those whose outcome is unknown. What is
//! remembered from one slice to the next is what each account's checker remembers.

use std::collections::HashMap;

use cashpoint::AccountNumber;

use super::books::Books;
use super::checker::{Checker, Judgement, Slot};
use super::events::{Event, Events};
use super::evidence::{self, Evidence};
use super::history::{Call, Outcome};
use super::specification::State;

/// Follows all accounts.
#[derive(Debug, Default)]
pub(super) struct Judge {
    accounts: HashMap<u32, Followed>,
    pub(super) books: Books,
    /// How many operations were judged.
    pub(super) operations: u64,
    /// Accounts whose operations of unknown outcome leave too many orders to look at.
    pub(super) given_up: u64,
}

/// An account, and its operations of unknown outcome.
#[derive(Clone, Debug)]
pub(super) struct Followed {
    /// What the server calls it.
    pub(super) number: AccountNumber,
    pub(super) checker: Checker,
    pub(super) unknown: Vec<(Slot, Call)>,
}

impl Followed {
    pub(super) fn new(number: AccountNumber, state: State) -> Self {
        Self {
            number,
            checker: Checker::new(state),
            unknown: Vec::new(),
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

impl Judge {
    /// An account was opened with so many cents on it.
    pub(super) fn opened(&mut self, account: u32, number: AccountNumber, cents: i64) {
        let followed = Followed::new(number, State::Open(cents));
        self.accounts.insert(account, followed);
        self.books.opened(account, cents);
    }

    /// Nothing more will be done to an account.
    pub(super) fn forget(&mut self, account: u32) {
        self.accounts.remove(&account);
        self.books.forget(account);
    }

    /// What was called before `time` on these accounts and never answered cannot take effect any more. To be
    /// called after each of them was read.
    pub(super) fn forget_unknown(&mut self, accounts: &[u32], time: u64) {
        for account in accounts {
            let Some(followed) = self.accounts.get_mut(account) else {
                continue;
            };
            let before = |(_, record): &(Slot, Call)| record.called < time;
            let over = followed.unknown.iter().filter(|it| before(it));
            followed.checker.forget(over.map(|(slot, _)| *slot));
            followed.unknown.retain(|it| !before(it));
        }
    }

    /// Judges the records of a slice, and returns what is wrong with them. An account with which something is
    /// wrong is not followed any further.
    pub(super) fn hear(&mut self, records: &mut [Call]) -> Vec<Evidence> {
        // By account and call. As one number, because that is compared without a branch.
        records.sort_unstable_by_key(|record| {
            u128::from(record.account) << 64 | u128::from(record.called)
        });
        let mut found = Vec::new();
        for records in records.chunk_by(|one, next| one.account == next.account) {
            let Some(account) = records.first().map(|record| record.account) else {
                continue;
            };
            self.operations += records.len() as u64;
            self.books.enter(account, records);
            let Some(followed) = self.accounts.get_mut(&account) else {
                continue;
            };
            let before = followed.clone();
            match follow(followed, records, |_, _, _| ()) {
                Course::Linearizable => {}
                Course::Violation(last) => {
                    found.extend(evidence::gather(&before, records, last));
                    self.accounts.remove(&account);
                }
                Course::GaveUp => {
                    self.given_up += 1;
                    self.accounts.remove(&account);
                }
            }
        }
        found
    }
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
