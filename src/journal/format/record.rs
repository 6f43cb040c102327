//! A record: one change and what came of it.
//!
//! | bytes | field |
//! |---|---|
//! | 0 | what was asked for: 1 open, 2 deposit, 3 withdraw, 4 close |
//! | 1 | what came of it: 0 granted, 1 unknown account, 2 insufficient funds, 3 largest balance, 4 largest number of accounts |
//! | 2 | length of the idempotency key, 0 if there is none |
//! | 3 | 0 |
//! | 4..8 | 0 |
//! | 8..16 | sequence number, from 1, without gaps |
//! | 16..24 | time, microseconds since 1970-01-01 00:00 UTC; never before that of the record before |
//! | 24..40 | account number; 0 where none was opened |
//! | 40..48 | amount in cents: the initial balance, the amount moved, what was left on a closed account |
//! | 48..56 | the account's balance after it, in cents; of a refusal, the balance or limit that it was decided on |
//! | 56..64 | entry number: the account's records that were granted, from 1; 0 of a refusal |
//! | 64..72 | position of the account's entry before, 0 if there is none |
//! | 72..80 | position of an entry further back, 0 if there is none; see [`EntryLinks`](super::entry_links::EntryLinks) |
//! | 80.. | the idempotency key, filled up with zeros to a multiple of 8 |
//!
//! A refusal is recorded only if its request had a key, and only if it is kept under it: outcomes 1 and 4 are in journals
//! of earlier versions alone.
//!
//! What can be read has one form: a field that its kind and outcome do not use is 0, and an outcome that its kind cannot
//! have is no record. So nothing is in a journal that no tool shows.

use super::fields::{Fields, PutFields as _};
use crate::journal::Position;
use crate::journal::state::keys::Kept;
use crate::values::account_number::AccountNumber;
use crate::values::change::{Change, Effect, Refusal};
use crate::values::error::UnknownAccount;
use crate::values::idempotency_key::IdempotencyKey;
use crate::values::money::{Amount, Cents};
use crate::values::timestamp::Timestamp;

/// A record without a key.
const RECORD_BYTES: usize = 80;

/// The longest record.
pub(in crate::journal) const RECORD_BYTES_MAX: usize =
    RECORD_BYTES + padded(IdempotencyKey::LEN_MAX);

/// One change, what came of it, and where the account's earlier entries are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// Its place in the one order of all records, from 1, without gaps.
    pub sequence: u64,
    /// When it happened: never before the record before.
    pub at: Timestamp,
    /// What was asked for.
    pub change: Change,
    /// What came of it.
    pub outcome: Result<Effect, Refusal>,
    /// Where it stands among the account's entries.
    pub link: Link,
    /// The key that guards it.
    pub key: Option<IdempotencyKey>,
}

/// Where a record stands among its account's entries. All 0 for a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// Which entry of the account it is, from 1.
    pub entry: u64,
    /// Where the entry before is; 0 if there is none.
    pub previous: Position,
    /// Where an entry further back is; 0 if there is none.
    pub jump: Position,
}

const fn padded(length: usize) -> usize {
    length.next_multiple_of(8)
}

/// How many bytes a record with this key takes.
pub(crate) fn encoded_bytes(key: Option<&IdempotencyKey>) -> usize {
    RECORD_BYTES + key.map_or(0, |key| padded(key.as_str().len()))
}

impl Record {
    /// The account that it belongs to. None where the opening of one was refused.
    #[must_use]
    pub fn number(&self) -> Option<AccountNumber> {
        let opened = || self.outcome.ok().map(|effect| effect.number);
        self.change.number().or_else(opened)
    }

    /// How much money was asked to be moved: the initial balance, the amount, what was left at the end.
    #[must_use]
    pub fn amount(&self) -> Cents {
        match (self.change, self.outcome) {
            (Change::Open { initial }, _) => initial,
            (Change::Deposit { amount, .. } | Change::Withdraw { amount, .. }, _) => amount.cents(),
            (Change::Close { .. }, Ok(effect)) => effect.balance,
            (Change::Close { .. }, Err(_)) => Cents::ZERO,
        }
    }

    /// The account's balance after it. None of a refusal.
    #[must_use]
    pub fn balance_after(&self) -> Option<Cents> {
        let effect = self.outcome.ok()?;
        Some(match self.change {
            Change::Close { .. } => Cents::ZERO,
            _ => effect.balance,
        })
    }

    /// What its key stands for from now on.
    pub(in crate::journal) fn kept(&self) -> Kept {
        Kept {
            change: self.change,
            outcome: self.outcome,
            at: self.at,
        }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let kind = match self.change {
            Change::Open { .. } => 1,
            Change::Deposit { .. } => 2,
            Change::Withdraw { .. } => 3,
            Change::Close { .. } => 4,
        };
        let (outcome, balance) = match self.outcome {
            Ok(_) => (0, self.balance_after().unwrap_or_default().get()),
            Err(Refusal::UnknownAccount) => (1, 0),
            Err(Refusal::InsufficientFunds { available }) => (2, available.get()),
            Err(Refusal::BalanceLimit { balance }) => (3, balance.get()),
            Err(Refusal::AccountLimit { limit }) => (4, i64::try_from(limit).unwrap_or(i64::MAX)),
        };
        let key = self.key.as_ref().map_or("", IdempotencyKey::as_str);
        let (first, second) = self.number().map_or((0, 0), AccountNumber::halves);
        // A key is at most 255 bytes long.
        out.extend_from_slice(&[kind, outcome, key.len() as u8, 0, 0, 0, 0, 0]);
        out.put_u64(self.sequence);
        out.put_i64(self.at.as_micros());
        out.put_u64(first);
        out.put_u64(second);
        out.put_i64(self.amount().get());
        out.put_i64(balance);
        out.put_u64(self.link.entry);
        out.put_u64(self.link.previous);
        out.put_u64(self.link.jump);
        out.extend_from_slice(key.as_bytes());
        out.resize(out.len() + padded(key.len()) - key.len(), 0);
    }

    /// Reads the record at the front of `bytes`, and returns how long it is.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for a person.
    pub(crate) fn decode(bytes: &[u8]) -> Result<(Self, usize), &'static str> {
        let mut fields = Fields(bytes);
        let raw = Raw::read(&mut fields).ok_or("a record breaks off")?;
        if raw.zeros != [0; 5] {
            return Err("a record has something where nothing may be");
        }
        let key = key(&mut fields, raw.key_len.into())?;
        let (change, outcome) = raw.change()?;
        if outcome.is_err() && raw.link != Link::default() {
            return Err("a refusal is no entry of an account, and has the number or a link of one");
        }
        let record = Self {
            sequence: raw.sequence,
            at: raw.at,
            change,
            outcome,
            link: raw.link,
            key,
        };
        Ok((record, bytes.len() - fields.0.len()))
    }
}

fn key(fields: &mut Fields<'_>, len: usize) -> Result<Option<IdempotencyKey>, &'static str> {
    if len == 0 {
        return Ok(None);
    }
    let padded = fields.bytes(padded(len)).ok_or("a record breaks off")?;
    let (text, padding) = padded.split_at_checked(len).unwrap_or_default();
    if padding.iter().any(|byte| *byte != 0) {
        return Err("a record has something where nothing may be");
    }
    let key = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    key.ok_or("a record has an invalid idempotency key")
        .map(Some)
}

/// The fields of a record as they are written.
struct Raw {
    kind: u8,
    outcome: u8,
    key_len: u8,
    zeros: [u8; 5],
    sequence: u64,
    at: Timestamp,
    number: (u64, u64),
    amount: i64,
    balance: i64,
    link: Link,
}

impl Raw {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            kind: fields.u8()?,
            outcome: fields.u8()?,
            key_len: fields.u8()?,
            zeros: fields.array()?,
            sequence: fields.u64()?,
            at: Timestamp::from_micros(fields.i64()?),
            number: (fields.u64()?, fields.u64()?),
            amount: fields.i64()?,
            balance: fields.i64()?,
            link: Link {
                entry: fields.u64()?,
                previous: fields.u64()?,
                jump: fields.u64()?,
            },
        })
    }

    fn change(&self) -> Result<(Change, Result<Effect, Refusal>), &'static str> {
        let number = AccountNumber::from_halves(self.number);
        let sum = |cents| Cents::new(cents).ok_or("a record has an amount out of range");
        let amount = || Amount::new(sum(self.amount)?).ok_or("a record moves nothing");
        let change = match self.kind {
            1 => Change::Open {
                initial: sum(self.amount)?,
            },
            2 => Change::Deposit {
                number,
                amount: amount()?,
            },
            3 => Change::Withdraw {
                number,
                amount: amount()?,
            },
            4 => Change::Close { number },
            _ => return Err("a record is of an unknown kind"),
        };
        let outcome = match self.outcome {
            0 => Ok(self.effect(change, number)?),
            _ => Err(self.refusal(change)?),
        };
        Ok((change, outcome))
    }

    fn effect(&self, change: Change, number: AccountNumber) -> Result<Effect, &'static str> {
        let sum = |cents| Cents::new(cents).ok_or("a record has an amount out of range");
        let after = sum(self.balance)?;
        let balance = match change {
            Change::Open { .. } if !number.may_be_drawn() => {
                return Err("an account is opened with a number that is no UUID of version 4");
            }
            Change::Close { .. } if after != Cents::ZERO => {
                return Err("a closed account has a balance");
            }
            Change::Close { .. } => sum(self.amount)?,
            _ => after,
        };
        Ok(Effect { number, balance })
    }

    fn refusal(&self, change: Change) -> Result<Refusal, &'static str> {
        let balance = || Cents::new(self.balance).ok_or("a record has an amount out of range");
        let is_unused = match change {
            Change::Open { .. } => self.number == (0, 0),
            Change::Close { .. } => self.amount == 0,
            Change::Deposit { .. } | Change::Withdraw { .. } => true,
        };
        if !is_unused || self.outcome == 1 && self.balance != 0 {
            return Err("a refusal has something in a field that it does not use");
        }
        match (self.outcome, change) {
            (1, Change::Open { .. }) => Err("a record has an outcome that its kind cannot have"),
            (1, _) => Ok(UnknownAccount.into()),
            (2, Change::Withdraw { .. }) => Ok(Refusal::InsufficientFunds {
                available: balance()?,
            }),
            (3, Change::Deposit { .. }) => Ok(Refusal::BalanceLimit {
                balance: balance()?,
            }),
            (4, Change::Open { .. }) => Ok(Refusal::AccountLimit {
                limit: usize::try_from(self.balance)
                    .map_err(|_| "a record has a negative limit")?,
            }),
            (2..=4, _) => Err("a record has an outcome that its kind cannot have"),
            _ => Err("a record is of an unknown outcome"),
        }
    }
}
