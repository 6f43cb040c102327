//! The ledger in memory, with the times that belong to it, and the keys of requests.

use std::time::Instant;

use super::memory_keys::MemoryKeys;
use crate::engine::account_times::AccountTimes;
use crate::engine::ledger::Ledger;
use crate::engine::session::Updated;
use crate::values::account_number::AccountNumber;
use crate::values::change::{Change, Command, CommandError, Effect, Receipt, Refusal, answer};
use crate::values::key_policy::KeyPolicy;
use crate::values::timestamp::Timestamp;
use crate::values::warning::Warning;

/// A ledger that lives as long as the process.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) ledger: Ledger<AccountTimes>,
    /// Requests without a key never come here.
    keys: MemoryKeys,
}

impl Memory {
    pub(super) fn new(account_limit: usize, keys: KeyPolicy) -> Self {
        Self {
            ledger: Ledger::with_metadata(account_limit),
            keys: MemoryKeys::new(keys),
        }
    }

    #[inline]
    pub(super) fn execute(&self, command: &Command) -> Result<Receipt, CommandError> {
        let change = command.change;
        match &command.key {
            None => answer(self.apply(change), false),
            Some(key) => self
                .keys
                .answer(key, change, Instant::now(), || self.apply(change)),
        }
    }

    /// What an operator should know of.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        let keys = self.keys.full_for(Instant::now());
        let keys = keys.map(|room_in| Warning::KeysFull { room_in });
        keys.into_iter().collect()
    }

    #[inline]
    fn apply(&self, change: Change) -> Result<Receipt, Refusal> {
        let session = self.ledger.pin();
        match change {
            Change::Open { initial } => {
                let at = Timestamp::now();
                let number = session.create(initial, AccountTimes::created(at))?;
                let balance = initial;
                Ok(Effect { number, balance }.at(at))
            }
            Change::Deposit { number, amount } => {
                Ok(receipt(number, session.deposit(number, amount)?))
            }
            Change::Withdraw { number, amount } => {
                Ok(receipt(number, session.withdraw(number, amount)?))
            }
            Change::Close { number } => {
                let balance = session.close(number)?;
                Ok(Effect { number, balance }.at(Timestamp::now()))
            }
        }
    }
}

fn receipt(number: AccountNumber, updated: Updated<'_, AccountTimes>) -> Receipt {
    let Updated { balance, metadata } = updated;
    Effect { number, balance }.at(metadata.touch(Timestamp::now()))
}
