//! Bookkeeping of a run: what must be on each account, by what the target acknowledged.
//!
//! Invariant: an acknowledged deposit or withdrawal moved its amount, a refused one moved nothing, and one
//! without an answer did the one or the other. So every balance lies in a range, which is a single value
//! where every operation was answered.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::workload::Step;

/// What a driver's thread has seen happen, by the account's index.
#[derive(Debug)]
pub(super) struct Tally {
    /// What was acknowledged, deposits less withdrawals, in cents.
    moved_cents: Vec<i64>,
    /// What was sent and never answered. There is little of it or none.
    unanswered: BTreeMap<usize, Unanswered>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Unanswered {
    credit_cents: i64,
    debit_cents: i64,
}

impl Tally {
    pub(super) fn new(accounts: usize) -> Self {
        Self {
            moved_cents: vec![0; accounts],
            unanswered: BTreeMap::new(),
        }
    }

    /// The target says that it did `step`, so many times.
    pub(super) fn acknowledged(&mut self, step: Step, times: i64) {
        if let Some(moved) = self.moved_cents.get_mut(step.account) {
            *moved += step.action.cents() * times;
        }
    }

    /// The target may have done `step`, or not.
    pub(super) fn unanswered(&mut self, step: Step) {
        let cents = step.action.cents();
        if cents != 0 {
            let unanswered = self.unanswered.entry(step.account).or_default();
            unanswered.credit_cents += cents.max(0);
            unanswered.debit_cents += (-cents).max(0);
        }
    }

    /// Adds what another thread has seen.
    pub(super) fn add(&mut self, other: &Self) {
        for (moved, more) in self.moved_cents.iter_mut().zip(&other.moved_cents) {
            *moved += more;
        }
        for (account, more) in &other.unanswered {
            let unanswered = self.unanswered.entry(*account).or_default();
            unanswered.credit_cents += more.credit_cents;
            unanswered.debit_cents += more.debit_cents;
        }
    }

    /// In which range the balance of an account must be that began with `initial_cents`.
    fn expected(&self, account: usize, initial_cents: i64) -> RangeInclusive<i64> {
        let moved = self.moved_cents.get(account).copied().unwrap_or_default();
        let unanswered = self.unanswered.get(&account).copied().unwrap_or_default();
        let balance = initial_cents + moved;
        balance - unanswered.debit_cents..=balance + unanswered.credit_cents
    }

    /// Compares with the `balances` that the target gives, by the account's index.
    pub(super) fn check(&self, initial_cents: i64, balances: &[i64]) -> Check {
        let off = balances.iter().enumerate().filter_map(|(account, &found)| {
            let expected = self.expected(account, initial_cents);
            let beyond = found.clamp(*expected.start(), *expected.end()) - found;
            (beyond != 0).then_some(-beyond)
        });
        let (mut accounts_off, mut lost_cents, mut created_cents) = (0, 0, 0);
        for cents in off {
            accounts_off += 1;
            lost_cents += (-cents).max(0);
            created_cents += cents.max(0);
        }
        Check {
            accounts: balances.len() as u64,
            accounts_off,
            lost_cents,
            created_cents,
            unanswered_cents: self
                .unanswered
                .values()
                .map(|unanswered| unanswered.credit_cents + unanswered.debit_cents)
                .sum(),
        }
    }
}

/// What came of a check of the books.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema, serde::Deserialize,
)]
pub(crate) struct Check {
    /// How many accounts were looked at.
    pub(super) accounts: u64,
    /// How many of them do not have the balance that they must have.
    pub(super) accounts_off: u64,
    /// What is missing from accounts, in cents.
    pub(super) lost_cents: i64,
    /// What accounts have too much, in cents.
    pub(super) created_cents: i64,
    /// What was sent and not answered, in cents: so much leeway the check left.
    pub(super) unanswered_cents: i64,
}

impl Check {
    pub(super) fn balanced(&self) -> bool {
        self.accounts_off == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::workload::Action;

    fn step(account: usize, action: Action) -> Step {
        Step { account, action }
    }

    #[test]
    fn a_cent_too_many_or_too_few_is_found_on_its_account() {
        let mut tally = Tally::new(3);
        tally.acknowledged(step(0, Action::Deposit), 5);
        tally.acknowledged(step(1, Action::Withdraw), 2);
        tally.acknowledged(step(2, Action::Read), 9);
        assert!(tally.check(100, &[105, 98, 100]).balanced());

        // The total is right, and the accounts are not.
        let check = tally.check(100, &[104, 99, 100]);
        assert_eq!(
            (check.accounts_off, check.lost_cents, check.created_cents),
            (2, 1, 1)
        );
        assert!(!tally.check(100, &[105, 98, 101]).balanced());
    }

    #[test]
    fn an_operation_without_an_answer_may_have_happened_or_not() {
        let mut one = Tally::new(2);
        one.unanswered(step(0, Action::Deposit));
        let mut other = Tally::new(2);
        other.unanswered(step(0, Action::Withdraw));
        other.unanswered(step(1, Action::Read));
        one.add(&other);
        for balance in [99, 100, 101] {
            assert!(one.check(100, &[balance, 100]).balanced(), "{balance}");
        }
        for balance in [98, 102] {
            assert!(!one.check(100, &[balance, 100]).balanced(), "{balance}");
        }
        assert!(!one.check(100, &[100, 101]).balanced());
        assert_eq!(one.check(100, &[100, 100]).unanswered_cents, 2);
    }
}
