//! Holds the histories of all accounts against the specification, slice by slice.
//!
//! A slice is a time after which no operation is under way, except those whose outcome is unknown. What is
//! remembered from one slice to the next is what each account's checker remembers.

use std::collections::HashMap;

use cashpoint::AccountNumber;

use super::books::Books;
use super::checker::Slot;
use super::evidence::{self, Evidence};
use super::followed::{Course, Followed, follow};
use super::history::Call;
use super::specification::State;
use super::times::{self, Fall, Span};

/// Follows all accounts.
#[derive(Debug, Default)]
pub(super) struct Judge {
    accounts: HashMap<u32, Followed>,
    pub(super) books: Books,
    /// Accounts whose times fell.
    pub(super) falls: Vec<(AccountNumber, Fall)>,
    /// How far the times go that were told.
    pub(super) span: Span,
    /// How many operations were judged.
    pub(super) operations: u64,
    /// Accounts whose operations of unknown outcome leave too many orders to look at.
    pub(super) given_up: u64,
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
            records.iter().for_each(|record| self.span.see(record));
            let Some(followed) = self.accounts.get_mut(&account) else {
                continue;
            };
            if let Some(fall) = times::fall(records, &mut followed.latest) {
                let number = followed.number;
                self.falls.push((number, fall));
            }
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
