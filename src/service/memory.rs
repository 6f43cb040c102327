//! The ledger in memory, with the times that belong to it, and the keys of requests.

use std::sync::{Mutex, PoisonError};

use crate::account_times::AccountTimes;
use crate::change::{Answer, Change, ChangeOutcome, Receipt};
use crate::idempotency_key::IdempotencyKey;
use crate::keys::{Kept, KeyPolicy, Keys};
use crate::ledger::Ledger;
use crate::timestamp::Timestamp;

/// A ledger that lives as long as the process.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) ledger: Ledger<AccountTimes>,
    /// Requests with a key go through here one by one, so of two with the same one the second finds the first
    /// one's answer. Those without a key never come here.
    keys: Mutex<Keys>,
}

impl Memory {
    pub(super) fn new(account_limit: usize, keys: KeyPolicy) -> Self {
        Self {
            ledger: Ledger::with_facts(account_limit),
            keys: Mutex::new(Keys::new(keys)),
        }
    }

    #[inline]
    pub(super) fn change(&self, change: Change, key: Option<&IdempotencyKey>) -> Answer {
        match key {
            None => Ok(self.apply(change).into()),
            Some(key) => self.change_once(change, key),
        }
    }

    fn change_once(&self, change: Change, key: &IdempotencyKey) -> Answer {
        // Nothing in here panics.
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let at = Timestamp::now();
        keys.expire(at);
        if let Some(answer) = keys.answer(key, change, at) {
            return answer;
        }
        let outcome = self.apply(change);
        let kept = Kept {
            change,
            outcome,
            at,
        };
        keys.keep(key.clone(), kept);
        Ok(outcome.into())
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
                let posting = session.deposit(number, amount)?;
                Ok(Receipt {
                    number,
                    balance: posting.balance,
                    at: posting.facts.touch(Timestamp::now()),
                })
            }
            Change::Withdraw { number, amount } => {
                let posting = session.withdraw(number, amount)?;
                Ok(Receipt {
                    number,
                    balance: posting.balance,
                    at: posting.facts.touch(Timestamp::now()),
                })
            }
            Change::Close { number } => Ok(Receipt {
                number,
                balance: session.close(number)?,
                at: Timestamp::now(),
            }),
        }
    }
}
