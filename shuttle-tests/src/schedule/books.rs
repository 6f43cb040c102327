//! What is known of a ledger from outside, and whether it adds up.

use std::fmt::Write as _;

use super::checker::{Checker, Judgement};
use super::history::{Action, Call, Outcome};
use super::specification::{Effect, State};
use crate::{AccountNumber, CreationNumber, Ledger};

/// How many accounts there may be: so few that creations are often refused.
pub(super) const ACCOUNT_LIMIT: usize = 4;

/// From a call to its answer, by the clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    pub(super) called: u64,
    pub(super) answered: u64,
}

/// An account that was opened. Records name it by its place in the books.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) number: AccountNumber,
    initial: i64,
    opened: Span,
    /// When it was closed, and what was left on it.
    pub(super) closed: Option<(Span, i64)>,
}

/// A listing of all accounts.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) span: Span,
    pub(super) views: Vec<View>,
}

/// An account in a listing.
#[derive(Debug)]
pub(super) struct View {
    pub(super) number: AccountNumber,
    pub(super) created: CreationNumber,
    pub(super) balance: i64,
    pub(super) span: Span,
}

/// Everything that was done.
#[derive(Debug, Default)]
pub(super) struct Books {
    clock: u64,
    pub(super) accounts: Vec<Kept>,
    records: Vec<Call>,
    /// The batches, as ranges of `records`, and how many commands each had.
    batches: Vec<(std::ops::Range<usize>, usize)>,
    /// Creations that were refused.
    pub(super) refused: Vec<Span>,
    pub(super) counts: Vec<(Span, usize)>,
    pub(super) listings: Vec<Listing>,
}

impl Books {
    /// The next time.
    pub(super) fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    pub(super) fn opened(&mut self, number: AccountNumber, initial: i64, opened: Span) {
        self.accounts.push(Kept {
            number,
            initial,
            opened,
            closed: None,
        });
    }

    pub(super) fn record(
        &mut self,
        account: u32,
        worker: u32,
        action: Action,
        outcome: Outcome,
        span: Span,
    ) {
        self.records.push(Call {
            account,
            worker,
            action,
            outcome,
            called: span.called,
            answered: span.answered,
            told_at: None,
        });
    }

    /// A batch of `asked` commands, and what came of them.
    pub(super) fn batch(
        &mut self,
        worker: u32,
        asked: usize,
        done: Vec<(u32, Action, Outcome)>,
        span: Span,
    ) {
        let start = self.records.len();
        for (account, action, outcome) in done {
            self.record(account, worker, action, outcome, span);
        }
        self.batches.push((start..self.records.len(), asked));
    }

    /// Checks everything. All threads have ended.
    pub(super) fn check(mut self, ledger: &Ledger) {
        if let Err(wrong) = self.find_what_is_wrong(ledger) {
            assert!(wrong.is_empty(), "{wrong}\n\n{}", self.story());
        }
    }

    fn find_what_is_wrong(&mut self, ledger: &Ledger) -> Result<(), String> {
        self.check_listings()?;
        self.check_accounts()?;
        self.check_batches()?;
        self.check_limit()?;
        self.check_at_rest(ledger)
    }

    /// Whether listings are complete and in order. The balances in them become records.
    fn check_listings(&mut self) -> Result<(), String> {
        for listing in std::mem::take(&mut self.listings) {
            let mut times_listed = vec![0; self.accounts.len()];
            for view in &listing.views {
                let place = self.accounts.iter().position(|it| it.number == view.number);
                let account = place.ok_or("an account is listed that was never opened")?;
                times_listed[account] += 1;
                let balance = Outcome::Balance(view.balance);
                self.record(
                    account as u32,
                    u32::MAX,
                    Action::Balance,
                    balance,
                    view.span,
                );
            }
            let in_order = |pair: &[View]| pair[0].created < pair[1].created;
            if !listing.views.windows(2).all(in_order) {
                return Err(format!("out of the order of creation: {listing:?}"));
            }
            for (account, kept) in self.accounts.iter().enumerate() {
                let is_throughout = kept.opened.answered < listing.span.called
                    && kept
                        .closed
                        .is_none_or(|(closed, _)| listing.span.answered < closed.called);
                let least = usize::from(is_throughout);
                if !(least..=1).contains(&times_listed[account]) {
                    return Err(format!(
                        "account {account} is listed {} times: {listing:?}",
                        times_listed[account]
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether each account is linearizable, and no cent of it is lost.
    fn check_accounts(&self) -> Result<(), String> {
        let mut events = Vec::new();
        let mut slots = vec![None; self.records.len()];
        for (account, kept) in self.accounts.iter().enumerate() {
            events.clear();
            for (index, record) in self.records.iter().enumerate() {
                if record.account as usize == account {
                    events.push((record.called, false, index));
                    events.push((record.answered, true, index));
                }
            }
            events.sort_unstable();
            let mut checker = Checker::new(State::Open(kept.initial));
            for &(_, is_answer, index) in &events {
                let record = &self.records[index];
                if !is_answer {
                    slots[index] = checker.call(record.action, record.outcome);
                    continue;
                }
                let slot = slots[index].ok_or("more operations at once than can be checked")?;
                match checker.answer(slot) {
                    Judgement::Linearizable => {}
                    Judgement::Violation => {
                        return Err(format!("no order explains the answer to {record:?}"));
                    }
                    Judgement::GaveUp => return Err("more orders than can be checked".into()),
                }
            }
        }
        Ok(())
    }

    /// Whether the commands of each batch that are in a row on one account follow from each other.
    fn check_batches(&self) -> Result<(), String> {
        for (range, asked) in &self.batches {
            let batch = &self.records[range.clone()];
            if batch.len() != *asked {
                return Err(format!("a batch of {asked} has {} outcomes", batch.len()));
            }
            for run in batch.chunk_by(|one, next| one.account == next.account) {
                let mut state = None;
                for Call {
                    action, outcome, ..
                } in run
                {
                    state = match (state, outcome) {
                        (None, Outcome::Balance(balance)) => Some(State::Open(*balance)),
                        (None, Outcome::UnknownAccount) => Some(State::Closed),
                        (None, _) => None,
                        (Some(State::Open(_) | State::Closed), _) => {
                            let after =
                                state.and_then(|state| state.after(&Effect::of(*action, *outcome)));
                            if after.is_none() {
                                return Err(format!("not done in one step: {run:?}"));
                            }
                            after
                        }
                    };
                }
            }
        }
        Ok(())
    }

    /// How many accounts certainly are open at a time.
    fn open_at_least(&self, time: u64) -> usize {
        let is_open = |kept: &&Kept| {
            kept.opened.answered <= time
                && kept.closed.is_none_or(|(closed, _)| time <= closed.called)
        };
        self.accounts.iter().filter(is_open).count()
    }

    /// How many accounts may hold a slot at a time.
    fn slots_at_most(&self, time: u64) -> usize {
        let has_slot = |kept: &&Kept| {
            kept.opened.called <= time
                && kept
                    .closed
                    .is_none_or(|(closed, _)| time <= closed.answered)
        };
        self.accounts.iter().filter(has_slot).count()
    }

    fn check_limit(&self) -> Result<(), String> {
        for kept in &self.accounts {
            let open = self.open_at_least(kept.opened.answered);
            if open > ACCOUNT_LIMIT {
                return Err(format!("{open} accounts with a limit of {ACCOUNT_LIMIT}"));
            }
        }
        for refused in &self.refused {
            let mut times = refused.called..=refused.answered;
            if !times.any(|time| self.slots_at_most(time) >= ACCOUNT_LIMIT) {
                return Err(format!(
                    "a creation is refused without a cause: {refused:?}"
                ));
            }
        }
        for (span, count) in &self.counts {
            let mut times = span.called..=span.answered;
            let is_so =
                |time| (self.open_at_least(time)..=self.slots_at_most(time)).contains(count);
            if *count > ACCOUNT_LIMIT || !times.any(is_so) {
                return Err(format!("a count of {count}: {span:?}"));
            }
        }
        Ok(())
    }

    /// Whether the ledger, now that nothing happens any more, has exactly what it should.
    fn check_at_rest(&self, ledger: &Ledger) -> Result<(), String> {
        let session = ledger.pin();
        let mut expected = Vec::new();
        for (account, kept) in self.accounts.iter().enumerate() {
            let balance = self.balance_by_the_books(account as u32, kept.initial);
            match kept.closed {
                None => expected.push((kept.number, balance)),
                Some((_, left)) if left != balance => {
                    return Err(format!(
                        "account {account} was closed with {left} on it; by the books it is {balance}"
                    ));
                }
                Some(_) => {}
            }
        }
        let listed = session.accounts_after(None);
        let mut found: Vec<_> = listed.map(|it| (it.number, it.balance.get())).collect();
        if ledger.count() != expected.len() {
            return Err(format!(
                "{} accounts are counted, not {}",
                ledger.count(),
                expected.len()
            ));
        }
        // What was opened at the same time is in either order.
        found.sort_unstable();
        expected.sort_unstable();
        if found != expected {
            return Err(format!(
                "at rest there is {found:?}, and should be {expected:?}"
            ));
        }
        if ledger.accounts.len() != expected.len() {
            let mapped = ledger.accounts.len();
            return Err(format!(
                "{mapped} accounts are in the map, not {}",
                expected.len()
            ));
        }
        for (number, balance) in expected {
            let left = session.close(number).map(crate::Cents::get);
            if left != Ok(balance) {
                return Err(format!("a last closing comes to {left:?}, not {balance}"));
            }
        }
        let left = (
            ledger.count(),
            ledger.accounts.len(),
            ledger.creation_index.after(None).count(),
        );
        if left != (0, 0, 0) {
            return Err(format!("of closed accounts this is left: {left:?}"));
        }
        Ok(())
    }

    /// What was on the account at first, and what came and went.
    fn balance_by_the_books(&self, account: u32, initial: i64) -> i64 {
        let records = self.records.iter().filter(|it| it.account == account);
        records.fold(initial, |balance, record| {
            match (record.action, record.outcome) {
                (Action::Deposit(sum), Outcome::Balance(_)) => balance + sum,
                (Action::Withdraw(sum), Outcome::Balance(_)) => balance - sum,
                _ => balance,
            }
        })
    }

    /// Everything that was done, for a person.
    fn story(&self) -> String {
        let mut lines = Vec::new();
        for (account, kept) in self.accounts.iter().enumerate() {
            let line = format!("account {account} is opened with {}", kept.initial);
            lines.push((kept.opened, line));
            if let Some((span, left)) = kept.closed {
                lines.push((
                    span,
                    format!("account {account} is closed with {left} on it"),
                ));
            }
        }
        for span in &self.refused {
            lines.push((*span, "a creation is refused".into()));
        }
        for (span, count) in &self.counts {
            lines.push((*span, format!("{count} accounts are counted")));
        }
        for record in &self.records {
            let Call {
                account,
                worker,
                action,
                outcome,
                called,
                answered,
                told_at: _,
            } = *record;
            let who = match worker {
                u32::MAX => "a listing".to_owned(),
                worker => format!("thread {worker}"),
            };
            let line = format!("{who} on account {account}: {action:?}, {outcome:?}");
            lines.push((Span { called, answered }, line));
        }
        lines.sort_by_key(|(span, _)| (span.called, span.answered));
        let mut story = String::from("from call to answer, what was done:\n");
        for (Span { called, answered }, line) in lines {
            let _ = writeln!(story, "{called:4} – {answered:4}  {line}");
        }
        story
    }
}
