//! The books: what all records together say, in memory.
//!
//! One thread owns them. The sequencer decides on them, a step ahead of what is published; recovery,
//! snapshots and the tools rebuild them from the records. [`decide`](LedgerState::decide) says what a request comes
//! to and changes nothing; [`apply`](LedgerState::apply) is the only way in which books change, for all of them. So what is
//! rebuilt is what was decided on.

use std::collections::HashMap;
use std::ops::Range;

use super::accounts::{AccountState, Accounts};
use super::keys::Keys;
use crate::engine::creation_index::CreationNumber;
use crate::journal::Position;
use crate::journal::format::entry_links::EntryLinks;
use crate::journal::format::record::{Link, Record};
use crate::values::account_number::{AccountNumber, AccountNumberHash};
use crate::values::change::{Change, CommandError, Effect, Receipt, Refusal, answer};
use crate::values::idempotency_key::IdempotencyKey;
use crate::values::key_policy::KeyPolicy;
use crate::values::rules::effect_on;
use crate::values::timestamp::Timestamp;

/// What a request comes to.
#[derive(Clone, Debug)]
pub(crate) enum Decision {
    /// Something happened, to be recorded and applied before the next decision.
    Record(Record),
    /// Nothing happens: it is refused and that is not kept, it was answered before, or it comes to no answer.
    Answer(Result<Receipt, CommandError>),
}

/// The state that the records lead to.
#[derive(Clone, Debug)]
pub(crate) struct LedgerState {
    pub(crate) accounts: Accounts,
    /// Where the last entries of closed accounts are.
    pub(crate) closed: HashMap<AccountNumber, Position, AccountNumberHash>,
    pub(crate) keys: Keys,
    /// How many accounts were ever opened.
    pub(crate) opened: u64,
    /// The sequence number of the next record.
    pub(crate) next_sequence: u64,
    /// The time of the last record.
    pub(crate) last_at: Timestamp,
}

impl LedgerState {
    pub(crate) fn new(policy: KeyPolicy) -> Self {
        Self {
            accounts: Accounts::default(),
            closed: HashMap::default(),
            keys: Keys::new(policy),
            opened: 0,
            next_sequence: 1,
            last_at: Timestamp::from_micros(0),
        }
    }

    /// Begins again as a copy of `other`, which holds no accounts, and keeps the memory that it has.
    pub(in crate::journal) fn begin_anew(&mut self, other: &Self) {
        self.accounts.clear();
        self.closed.clear();
        self.opened = other.opened;
        self.next_sequence = other.next_sequence;
        self.last_at = other.last_at;
    }

    /// The time to record at `now`: never before the last one, whatever the clock does.
    pub(crate) fn time(&self, now: Timestamp) -> Timestamp {
        now.max(self.last_at)
    }

    /// What `change` comes to at `now`. `draw` makes the number of a new account.
    ///
    /// A refusal is recorded only if it [is kept](Refusal::is_kept) under a key. Journals from before that rule hold
    /// others: [`apply`](Self::apply) enters them as ever, so that what is rebuilt is what it was.
    pub(crate) fn decide(
        &self,
        change: Change,
        key: Option<&IdempotencyKey>,
        now: Timestamp,
        account_limit: usize,
        draw: impl FnMut() -> AccountNumber,
    ) -> Decision {
        let at = self.time(now);
        if let Some(key) = key
            && let Some(answer) = self.keys.answer(key, change, at)
        {
            return Decision::Answer(answer);
        }
        let (outcome, link) = match self.rule(change, account_limit, draw) {
            Ok((effect, link)) => (Ok(effect), link),
            Err(refusal) if key.is_none() || !refusal.is_kept() => {
                return Decision::Answer(answer(Err(refusal), false));
            }
            Err(refusal) => (Err(refusal), Link::default()),
        };
        Decision::Record(Record {
            sequence: self.next_sequence,
            at,
            change,
            outcome,
            link,
            key: key.cloned(),
        })
    }

    /// What `change` does, and where its entry stands among the account's.
    fn rule(
        &self,
        change: Change,
        account_limit: usize,
        draw: impl FnMut() -> AccountNumber,
    ) -> Result<(Effect, Link), Refusal> {
        let account = change.number().and_then(|it| self.accounts.get(it));
        let balance = effect_on(account.map(|it| it.balance), change)?;
        let number = match change.number() {
            Some(number) => number,
            None if self.accounts.len() >= account_limit => {
                let limit = account_limit;
                return Err(Refusal::AccountLimit { limit });
            }
            None => self.unused(draw),
        };
        let link = match account {
            Some(account) => account.links.next(),
            None => EntryLinks::default().next(),
        };
        Ok((Effect { number, balance }, link))
    }

    /// A number that no account has or had.
    fn unused(&self, mut draw: impl FnMut() -> AccountNumber) -> AccountNumber {
        loop {
            let number = draw();
            if !self.accounts.contains(number) && !self.closed.contains_key(&number) {
                return number;
            }
        }
    }

    /// Enters a record that is at `position`.
    ///
    /// # Errors
    ///
    /// What is wrong, if the record does not follow from those before it. The books are of no use then.
    pub(crate) fn apply(&mut self, record: &Record, position: Position) -> Result<(), String> {
        self.go_on(record)?;
        match record.outcome {
            Ok(effect) => self.enter(record, effect, position)?,
            Err(refusal) => self.hold(record.change, refusal)?,
        }
        self.keys.expire(record.at);
        if let Some(key) = &record.key {
            self.keys.keep(key, record.kept());
        }
        Ok(())
    }

    /// Enters a record that is at `position`, in books that hold some of the accounts and no keys: those that are in
    /// them, and those that are opened as one of `wanted`. Returns whether it is of such an account.
    ///
    /// # Errors
    ///
    /// Those of [`apply`](Self::apply), except that an account may be missing: it may be in other books.
    pub(in crate::journal) fn apply_to_some(
        &mut self,
        record: &Record,
        position: Position,
        wanted: &Range<u64>,
    ) -> Result<bool, String> {
        self.go_on(record)?;
        let Ok(effect) = record.outcome else {
            return Ok(false);
        };
        let is_here = self.accounts.contains(effect.number);
        let is_opened = matches!(record.change, Change::Open { .. });
        if is_here || is_opened && wanted.contains(&(self.opened + 1)) {
            return self.enter(record, effect, position).map(|()| true);
        }
        self.opened += u64::from(is_opened);
        Ok(false)
    }

    /// Moves on to the next record.
    fn go_on(&mut self, record: &Record) -> Result<(), String> {
        if record.sequence != self.next_sequence || record.at < self.last_at {
            return Err("a record is not behind the one before it".to_owned());
        }
        self.next_sequence += 1;
        self.last_at = record.at;
        Ok(())
    }

    /// Holds a refusal against the account that it is of.
    fn hold(&self, change: Change, refusal: Refusal) -> Result<(), String> {
        // How many accounts there could be is a setting, and no account tells it.
        let Some(number) = change.number() else {
            return Ok(());
        };
        let balance = self.accounts.get(number).map(|account| account.balance);
        let follows = effect_on(balance, change) == Err(refusal);
        follows
            .then_some(())
            .ok_or_else(|| format!("account {number} cannot have been refused like this"))
    }

    fn enter(&mut self, record: &Record, effect: Effect, position: Position) -> Result<(), String> {
        let number = effect.number;
        if let Change::Open { initial } = record.change {
            if self.closed.contains_key(&number) {
                return Err(format!(
                    "account {number} was closed, and a number is never opened twice"
                ));
            }
            let mut links = EntryLinks::default();
            let is_consistent = record.link == links.next() && effect.balance == initial;
            links.advance(position);
            self.opened += 1;
            let opened = AccountState {
                balance: initial,
                created: CreationNumber::from_u64(self.opened),
                created_at: record.at,
                last_updated: record.at,
                links,
            };
            let is_new = self.accounts.insert(number, opened);
            return (is_consistent && is_new)
                .then_some(())
                .ok_or_else(|| format!("account {number} cannot have been opened like this"));
        }
        let account = self
            .accounts
            .get_mut(number)
            .ok_or_else(|| format!("account {number} is not open"))?;
        let balance = effect_on(Some(account.balance), record.change);
        if balance != Ok(effect.balance) || record.link != account.links.next() {
            return Err(format!(
                "the balance or the link of account {number} does not follow from its entry before"
            ));
        }
        account.balance = effect.balance;
        account.last_updated = record.at;
        account.links.advance(position);
        if let Change::Close { .. } = record.change {
            self.accounts.remove(number);
            self.closed.insert(number, position);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::change::NotDone;
    use crate::values::money::Cents;

    #[test]
    fn nothing_is_recorded_at_a_time_before_the_last_record() {
        let mut books = LedgerState::new(KeyPolicy::default());
        let change = Change::Open {
            initial: Cents::ZERO,
        };
        for (now, at) in [(7, 7), (3, 7), (8, 8)] {
            let now = Timestamp::from_micros(now);
            let decided = books.decide(change, None, now, 9, AccountNumber::random);
            let Decision::Record(record) = decided else {
                panic!("{decided:?}");
            };
            assert_eq!(record.at.as_micros(), at);
            books.apply(&record, 512 * books.next_sequence).unwrap();
        }
    }

    /// A journal of an earlier version may hold keyed refusals that are not recorded any more. They are entered as
    /// they were then, keys and all, so that the books are those of its snapshots.
    #[test]
    fn refusals_of_earlier_versions_are_entered_as_they_were() {
        let mut books = LedgerState::new(KeyPolicy::default());
        let at = Timestamp::from_micros(7);
        let number = AccountNumber::random();
        let open = Change::Open {
            initial: Cents::ZERO,
        };
        let old = [
            (open, Refusal::AccountLimit { limit: 1 }, "full"),
            (Change::Close { number }, Refusal::UnknownAccount, "nobody"),
        ];
        for (index, (change, refusal, key)) in old.into_iter().enumerate() {
            let record = Record {
                sequence: index as u64 + 1,
                at,
                change,
                outcome: Err(refusal),
                link: Link::default(),
                key: Some(key.parse().unwrap()),
            };
            books.apply(&record, 512 + 128 * index as u64).unwrap();
        }
        assert_eq!((books.keys.len(), books.next_sequence), (2, 3));
        // They are answered as they were until their time is over, and hold their keys.
        let decide = |change, key: &str| {
            let key = key.parse().unwrap();
            books.decide(change, Some(&key), at, 1, AccountNumber::random)
        };
        for (change, refusal, key) in old {
            let decided = decide(change, key);
            let again = answer(Err(refusal), true);
            assert!(
                matches!(decided, Decision::Answer(given) if given == again),
                "{decided:?}"
            );
        }
        let reused = decide(open, "nobody");
        let key_reused = CommandError::NotDone(NotDone::KeyReused);
        assert!(matches!(reused, Decision::Answer(Err(error)) if error == key_reused));
        // The same refusals of now are no records.
        let full = Refusal::AccountLimit { limit: 0 };
        let close = Change::Close { number };
        for (change, limit, refusal) in [(open, 0, full), (close, 1, Refusal::UnknownAccount)] {
            let key = "new".parse().unwrap();
            let decided = books.decide(change, Some(&key), at, limit, AccountNumber::random);
            let refused = CommandError::Refused {
                refusal,
                replayed: false,
            };
            assert!(
                matches!(decided, Decision::Answer(Err(error)) if error == refused),
                "{decided:?}"
            );
        }
        // Others are, under their keys.
        let amount = crate::values::money::Amount::from_cents(1).unwrap();
        let opened = decide(open, "open");
        let Decision::Record(opened) = opened else {
            panic!("{opened:?}");
        };
        let number = opened.outcome.unwrap().number;
        books.apply(&opened, 1024).unwrap();
        let key = "poor".parse().unwrap();
        let poor = Change::Withdraw { number, amount };
        let decided = books.decide(poor, Some(&key), at, 1, AccountNumber::random);
        assert!(matches!(decided, Decision::Record(record) if record.outcome.is_err()));
    }
}
