//! Whether all money is where it must be: what clients were told, account by account, against what is there.
//!
//! The checker finds more, and finds it sooner. This says by how much money a server is wrong.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::history::{Action, Call, Outcome};

/// What clients were told of one account, in cents.
#[derive(Clone, Copy, Debug, Default)]
struct Sheet {
    initial: i64,
    credited: i64,
    debited: i64,
    /// Asked for, and not answered for: it may have happened or not.
    maybe_credited: i64,
    maybe_debited: i64,
}

/// All that clients were told of money.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    sheets: HashMap<u32, Sheet>,
}

impl Books {
    pub(super) fn opened(&mut self, account: u32, cents: i64) {
        let initial = cents;
        self.sheets.insert(
            account,
            Sheet {
                initial,
                ..Sheet::default()
            },
        );
    }

    pub(super) fn forget(&mut self, account: u32) {
        self.sheets.remove(&account);
    }

    /// Enters what was done to one account.
    pub(super) fn enter(&mut self, account: u32, records: &[Call]) {
        let Some(sheet) = self.sheets.get_mut(&account) else {
            return;
        };
        for record in records {
            match (record.action, record.outcome) {
                (Action::Deposit(sum), Outcome::Balance(_)) => sheet.credited += sum,
                (Action::Deposit(sum), Outcome::Unknown) => sheet.maybe_credited += sum,
                (Action::Withdraw(sum), Outcome::Balance(_)) => sheet.debited += sum,
                (Action::Withdraw(sum), Outcome::Unknown) => sheet.maybe_debited += sum,
                _ => {}
            }
        }
    }

    /// Holds the balances that are there against what was told.
    pub(super) fn check(&self, balances: impl Iterator<Item = (u32, i64)>) -> Totals {
        let mut totals = Totals::default();
        for (account, found) in balances {
            let Some(sheet) = self.sheets.get(&account) else {
                continue;
            };
            let expected = sheet.initial + sheet.credited - sheet.debited;
            let lowest = expected - sheet.maybe_debited;
            let highest = expected + sheet.maybe_credited;
            totals.accounts += 1;
            totals.initial_cents += sheet.initial;
            totals.credited_cents += sheet.credited;
            totals.debited_cents += sheet.debited;
            totals.unknown_cents += sheet.maybe_credited + sheet.maybe_debited;
            totals.found_cents = totals.found_cents.saturating_add(found);
            let lost = lowest.saturating_sub(found).max(0);
            totals.lost_cents = totals.lost_cents.saturating_add(lost);
            let created = found.saturating_sub(highest).max(0);
            totals.created_cents = totals.created_cents.saturating_add(created);
        }
        totals
    }
}

/// The sums over all accounts that were open at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Totals {
    pub(super) accounts: u64,
    pub(super) initial_cents: i64,
    pub(super) credited_cents: i64,
    pub(super) debited_cents: i64,
    /// Of unknown outcome: so much leeway the check left.
    pub(super) unknown_cents: i64,
    pub(super) found_cents: i64,
    /// What is missing from accounts.
    pub(super) lost_cents: i64,
    /// What accounts have too much.
    pub(super) created_cents: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(action: Action, outcome: Outcome) -> Call {
        Call {
            account: 1,
            worker: 0,
            action,
            outcome,
            called: 0,
            answered: 1,
            told_at: None,
        }
    }

    #[test]
    fn a_cent_too_many_or_too_few_is_found_beyond_what_is_unknown() {
        let mut books = Books::default();
        books.opened(1, 1_000);
        let records = [
            record(Action::Deposit(50), Outcome::Balance(1_050)),
            record(Action::Withdraw(30), Outcome::Balance(1_020)),
            record(Action::Withdraw(9_999), Outcome::InsufficientFunds),
            record(Action::Deposit(7), Outcome::Unknown),
            record(Action::Withdraw(5), Outcome::Unknown),
        ];
        books.enter(1, &records);
        for (found, lost, created) in [
            (1_014, 1, 0),
            (1_015, 0, 0),
            (1_020, 0, 0),
            (1_027, 0, 0),
            (1_028, 0, 1),
        ] {
            let totals = books.check([(1, found)].into_iter());
            assert_eq!(
                (totals.lost_cents, totals.created_cents),
                (lost, created),
                "{found}"
            );
            assert_eq!(totals.unknown_cents, 12);
        }
    }
}
