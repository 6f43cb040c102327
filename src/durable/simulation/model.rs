//! What a durable ledger has to say, if one command comes after another.
//!
//! Whole cents in a list, and nothing of the code that it is held against: its rules are written down a second
//! time on purpose.

use std::time::Duration;

use crate::durable::submission::Answer;
use crate::values::account_number::AccountNumber;
use crate::values::change::{Change, Command, CommandError, Effect, NotDone, Receipt, Refusal};
use crate::values::error::UnknownAccount;
use crate::values::money::Cents;
use crate::values::timestamp::Timestamp;

const BALANCE_MAX: i64 = 999_999_999_999_999;

/// Times are whole microseconds.
pub(super) type Micros = i64;

/// What the ledger was told to keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) accounts_max: usize,
    pub(super) keys_max: usize,
    pub(super) window: Micros,
}

/// What happened to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) change: Change,
    pub(super) balance: i64,
    pub(super) at: Micros,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) number: AccountNumber,
    /// None once it is closed.
    pub(super) balance: Option<i64>,
    pub(super) entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UsedKey {
    pub(super) key: String,
    change: Change,
    pub(super) outcome: Result<Effect, Refusal>,
    at: Micros,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Model {
    rules: Rules,
    /// In the order of creation.
    pub(super) accounts: Vec<Account>,
    /// In the order of use.
    keys: Vec<UsedKey>,
    pub(super) records: u64,
    pub(super) last_at: Micros,
}

impl Model {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            accounts: Vec::new(),
            keys: Vec::new(),
            records: 0,
            last_at: 0,
        }
    }

    /// The open accounts with their balances, in the order of creation.
    pub(super) fn open(&self) -> Vec<(AccountNumber, i64)> {
        let accounts = self.accounts.iter();
        accounts
            .filter_map(|account| Some((account.number, account.balance?)))
            .collect()
    }

    /// The keys that still answer at the time of the last record.
    pub(super) fn live_keys(&self) -> Vec<&UsedKey> {
        self.keys_at(self.last_at)
    }

    fn keys_at(&self, now: Micros) -> Vec<&UsedKey> {
        let keys = self.keys.iter();
        keys.filter(|used| now - used.at < self.rules.window)
            .collect()
    }

    /// Does a command and says what is to be answered. `answer` is what was: it is asked for the number of a
    /// new account and for nothing else.
    pub(super) fn answer(&mut self, command: &Command, now: Micros, answer: &Answer) -> Answer {
        let at = now.max(self.last_at);
        let key = command.key.as_ref().map(|key| key.as_str());
        if let Some(key) = key {
            let live = self.keys_at(at);
            match live.iter().find(|used| used.key == key) {
                Some(used) if used.change == command.change => {
                    return answer_of(used.outcome, used.at, true);
                }
                Some(_) => return Err(NotDone::KeyReused.into()),
                None if live.len() >= self.rules.keys_max => {
                    let oldest = live.first().map_or(at, |used| used.at);
                    let left_us = self.rules.window - (at - oldest);
                    let retry_after = Duration::from_micros(left_us.unsigned_abs());
                    return Err(NotDone::TooManyKeys { retry_after }.into());
                }
                None => {}
            }
        }
        let drawn = answer.ok().map(|receipt| receipt.number);
        let outcome = self.change(command.change, at, drawn);
        // What depends on the moment, or on nothing, is not kept: neither the refusal nor its key.
        let is_kept = !matches!(
            outcome,
            Err(Refusal::AccountLimit { .. } | Refusal::UnknownAccount)
        );
        if outcome.is_ok() || key.is_some() && is_kept {
            self.records += 1;
            self.last_at = at;
        }
        if let Some(key) = key.filter(|_| is_kept) {
            self.keys.push(UsedKey {
                key: key.to_owned(),
                change: command.change,
                outcome,
                at,
            });
        }
        answer_of(outcome, at, false)
    }

    fn change(
        &mut self,
        change: Change,
        at: Micros,
        drawn: Option<AccountNumber>,
    ) -> Result<Effect, Refusal> {
        let number = match change {
            Change::Open { initial } => {
                let limit = self.rules.accounts_max;
                if self.open().len() >= limit {
                    return Err(Refusal::AccountLimit { limit });
                }
                let number = drawn.expect("an account is opened where there is room");
                let is_new = self.accounts.iter().all(|it| it.number != number);
                assert!(is_new, "{number} is not given twice");
                self.accounts.push(Account {
                    number,
                    balance: Some(initial.get()),
                    entries: Vec::new(),
                });
                number
            }
            Change::Deposit { number, .. }
            | Change::Withdraw { number, .. }
            | Change::Close { number } => number,
        };
        let accounts = self.accounts.iter_mut();
        let account = accounts.rev().find(|it| it.number == number);
        let Some((account, balance)) = account.and_then(|it| it.balance.map(|held| (it, held)))
        else {
            return Err(UnknownAccount.into());
        };
        let cents = |value| Cents::new(value).unwrap();
        let (told, left) = match change {
            Change::Deposit { amount, .. } if balance + amount.cents().get() > BALANCE_MAX => {
                return Err(Refusal::BalanceLimit {
                    balance: cents(balance),
                });
            }
            Change::Withdraw { amount, .. } if amount.cents().get() > balance => {
                return Err(Refusal::InsufficientFunds {
                    available: cents(balance),
                });
            }
            Change::Open { .. } => (balance, Some(balance)),
            Change::Deposit { amount, .. } => {
                let after = balance + amount.cents().get();
                (after, Some(after))
            }
            Change::Withdraw { amount, .. } => {
                let after = balance - amount.cents().get();
                (after, Some(after))
            }
            Change::Close { .. } => (balance, None),
        };
        account.balance = left;
        account.entries.push(Entry {
            change,
            balance: told,
            at,
        });
        Ok(Effect {
            number,
            balance: cents(told),
        })
    }
}

/// The answer where this came of a command at this time.
pub(super) fn answer_of(outcome: Result<Effect, Refusal>, at: Micros, replayed: bool) -> Answer {
    let refused = |refusal| CommandError::Refused { refusal, replayed };
    let Effect { number, balance } = outcome.map_err(refused)?;
    Ok(Receipt {
        number,
        balance,
        at: Timestamp::from_micros(at),
        replayed,
    })
}
