//! What all records add up to.

use std::fmt;

use crate::journal::format::kind::Kind;
use crate::journal::format::record::Record;
use crate::values::change::Refusal;
use crate::values::timestamp::Timestamp;

/// A sum of any number of [`Cents`](crate::Cents), in cents. It prints as they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(pub i128);

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (units, cents) = (self.0.unsigned_abs() / 100, self.0.unsigned_abs() % 100);
        if cents.is_multiple_of(10) {
            write!(f, "{sign}{units}.{}", cents / 10)
        } else {
            write!(f, "{sign}{units}.{cents:02}")
        }
    }
}

/// Granted records of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Total {
    /// How many there are.
    pub count: u64,
    /// How much money they moved.
    pub moved: Sum,
}

/// Refusals that were recorded, because their requests had a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusals {
    /// The account was not open.
    pub unknown_account: u64,
    /// The balance was below the amount.
    pub insufficient_funds: u64,
    /// The balance would have grown too large.
    pub balance_limit: u64,
    /// There were as many accounts as allowed.
    pub account_limit: u64,
}

impl Refusals {
    /// How many there are in all.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.unknown_account + self.insufficient_funds + self.balance_limit + self.account_limit
    }

    fn add(&mut self, refusal: Refusal) {
        *match refusal {
            Refusal::UnknownAccount => &mut self.unknown_account,
            Refusal::InsufficientFunds { .. } => &mut self.insufficient_funds,
            Refusal::BalanceLimit { .. } => &mut self.balance_limit,
            Refusal::AccountLimit { .. } => &mut self.account_limit,
        } += 1;
    }
}

/// What the records add up to, by themselves: nothing here is taken from balances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Accounts opened, with their initial balances.
    pub openings: Total,
    /// Deposits.
    pub deposits: Total,
    /// Withdrawals.
    pub withdrawals: Total,
    /// Accounts closed, with what was left on them and was paid out.
    pub closings: Total,
    /// Refusals.
    pub refusals: Refusals,
    /// How many records carry an idempotency key.
    pub keys: u64,
    /// The times of the first and of the last record.
    pub times: Option<(Timestamp, Timestamp)>,
}

impl Totals {
    /// How many records there are.
    #[must_use]
    pub fn records(&self) -> u64 {
        let granted = self.openings.count
            + self.deposits.count
            + self.withdrawals.count
            + self.closings.count;
        granted + self.refusals.count()
    }

    /// What is to be on all accounts together, if no cent was made or lost.
    #[must_use]
    pub fn remaining(&self) -> Sum {
        let came = self.openings.moved.0 + self.deposits.moved.0;
        let went = self.withdrawals.moved.0 + self.closings.moved.0;
        Sum(came - went)
    }

    pub(in crate::journal) fn add(&mut self, record: &Record) {
        let (first_at, _) = self.times.unwrap_or((record.at, record.at));
        self.times = Some((first_at, record.at));
        self.keys += u64::from(record.key.is_some());
        if let Err(refusal) = record.outcome {
            return self.refusals.add(refusal);
        }
        let total = match Kind::from(record.change) {
            Kind::Opening => &mut self.openings,
            Kind::Deposit => &mut self.deposits,
            Kind::Withdrawal => &mut self.withdrawals,
            Kind::Closing => &mut self.closings,
        };
        total.count += 1;
        total.moved.0 += i128::from(record.amount().get());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::money::Cents;

    #[test]
    fn a_sum_prints_as_cents_do() {
        for cents in [0, 1, 9, 10, 12, 100, 1234, 100_000, Cents::MAX.get()] {
            let text = Cents::new(cents).unwrap().to_string();
            assert_eq!(Sum(cents.into()).to_string(), text);
            if cents > 0 {
                assert_eq!(Sum(-i128::from(cents)).to_string(), format!("-{text}"));
            }
        }
        assert_eq!(
            Sum(i128::from(i64::MAX) * 100).to_string(),
            "9223372036854775807.0"
        );
    }
}
