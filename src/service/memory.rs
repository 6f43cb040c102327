//! The ledger in memory, with the times that belong to it, and the keys of requests.

use std::time::Instant;

use super::slots::Slots;
use crate::engine::account_times::AccountTimes;
use crate::engine::ledger::Ledger;
use crate::engine::session::Posting;
use crate::values::account_number::AccountNumber;
use crate::values::change::{Answer, Change, ChangeOutcome, Receipt};
use crate::values::idempotency_key::IdempotencyKey;
use crate::values::key_policy::KeyPolicy;
use crate::values::timestamp::Timestamp;
use crate::values::warning::Warning;

/// A ledger that lives as long as the process.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) ledger: Ledger<AccountTimes>,
    /// Requests without a key never come here.
    slots: Slots,
}

impl Memory {
    pub(super) fn new(account_limit: usize, keys: KeyPolicy) -> Self {
        Self {
            ledger: Ledger::with_facts(account_limit),
            slots: Slots::new(keys),
        }
    }

    #[inline]
    pub(super) fn change(&self, change: Change, key: Option<&IdempotencyKey>) -> Answer {
        match key {
            None => Ok(self.apply(change).into()),
            Some(key) => self
                .slots
                .answer(key, change, Instant::now(), || self.apply(change)),
        }
    }

    /// What whoever runs it should know of.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        let keys = self.slots.full_for(Instant::now());
        let keys = keys.map(|room_in| Warning::KeysFull { room_in });
        keys.into_iter().collect()
    }

    #[inline]
    fn apply(&self, change: Change) -> ChangeOutcome {
        let session = self.ledger.pin();
        match change {
            Change::Open { initial } => {
                let at = Timestamp::now();
                let number = session.create(initial, AccountTimes::created(at))?;
                Ok(Receipt {
                    number,
                    balance: initial,
                    at,
                })
            }
            Change::Deposit { number, amount } => {
                Ok(receipt(number, session.deposit(number, amount)?))
            }
            Change::Withdraw { number, amount } => {
                Ok(receipt(number, session.withdraw(number, amount)?))
            }
            Change::Close { number } => Ok(Receipt {
                number,
                balance: session.close(number)?,
                at: Timestamp::now(),
            }),
        }
    }
}

fn receipt(number: AccountNumber, posting: Posting<'_, AccountTimes>) -> Receipt {
    Receipt {
        number,
        balance: posting.balance,
        at: posting.facts.touch(Timestamp::now()),
    }
}
