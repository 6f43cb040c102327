//! The smallest part of a history that shows what is wrong with it.
//!
//! A history cannot be made smaller by leaving out just any operations: what is left would be wrong for want
//! of them. Two ways are sound. To begin later, at a time when only one state was possible: whatever explains
//! the whole explains the rest from there. And to leave out operations that leave the account as it was:
//! whatever explains the others with them explains them without.

use schemars::JsonSchema;
use serde::Serialize;

use super::diagnosis::{Diagnosis, diagnose};
use super::events::Event;
use super::followed::{Course, Followed, follow};
use super::history::{Action, Call, Outcome};
use super::specification::{Effect, State};

/// What convicts a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Evidence {
    /// What the server calls the account.
    pub(super) number: String,
    /// Its number in this run.
    pub(super) account: u32,
    /// The state before the records. `None` if unknown outcomes leave several possible: then the records are
    /// what overlapped, and no proof by themselves.
    pub(super) start: Option<State>,
    /// What changed the account last before that, so that a person sees where its state is from.
    pub(super) context: Vec<Call>,
    /// In the order of their calls.
    pub(super) records: Vec<Call>,
    /// Which of them has the answer that fits no order.
    pub(super) last: usize,
    /// What must have become of one of them for the others to fit, if there is one.
    pub(super) diagnosis: Option<Diagnosis>,
}

/// How much is shown of what came before.
const CONTEXT_MAX: usize = 4;

/// How many operations are shown where they are no proof, and how many are left out one by one.
const SHOWN_MAX: usize = 100;

/// Gathers the evidence: `records` followed on `before` come to a violation at the answer to `last`.
pub(super) fn gather(before: &Followed, records: &[Call], last: usize) -> Option<Evidence> {
    let wrong = *records.get(last)?;

    let Some((state, event)) = begin(before, records, last) else {
        return Some(without_proof(before, records, wrong));
    };

    let mut chosen = open_at(before, records, event);
    let later = records.iter().enumerate().filter(|(index, record)| {
        (record.called, Event::Call, *index) >= event && record.called <= wrong.answered
    });
    chosen.extend(later.map(|(_, record)| *record));
    chosen.sort_by_key(|record| record.called);
    let start = Followed::new(before.number, state);
    let records_shown = without_harmless(&start, chosen, &wrong);
    Some(Evidence {
        number: before.number.to_string(),
        account: wrong.account,
        start: Some(state),
        context: context(records, &records_shown),
        last: position(&records_shown, &wrong),
        diagnosis: match records_shown.len() <= SHOWN_MAX {
            true => diagnose(&start, &records_shown, &wrong),
            false => None,
        },
        records: records_shown,
    })
}

/// Where to begin: at the latest event before the wrong operation was called at which only one state was possible, and
/// everything that was under way had yet to take effect. What had, and was not answered yet, may be what clashes with the
/// wrong one: without it the proof is sound, and explains nothing. Only if that is too long ago it is left out.
fn begin(before: &Followed, records: &[Call], last: usize) -> Option<(State, (u64, Event, usize))> {
    let wrong = records.get(last)?;
    let call = (wrong.called, Event::Call, last);
    let (mut latest, mut clean) = (None, None);
    let mut under_way: Vec<usize> = Vec::new();
    follow(&mut before.clone(), records, |followed, slots, event| {
        if event <= call
            && let Some((state, is_open)) = followed.checker.certain()
        {
            latest = Some((state, event));
            let slot_of = |index: &usize| slots.get(*index).copied().flatten();
            if under_way.iter().filter_map(slot_of).all(&is_open) {
                clean = latest;
            }
        }
        match event {
            // What is never answered would be under way for ever.
            (_, Event::Call, index) if is_answered(records, index) => under_way.push(index),
            (_, Event::Call, _) => {}
            (_, Event::Answer, index) => under_way.retain(|it| *it != index),
        }
    });
    let is_short = |(_, (time, ..)): &(State, (u64, Event, usize))| {
        let since = records.iter().filter(|it| it.called >= *time);
        since.filter(|it| it.called <= wrong.answered).count() <= SHOWN_MAX
    };
    clean.filter(is_short).or(latest)
}

fn is_answered(records: &[Call], index: usize) -> bool {
    let record = records.get(index);
    record.is_some_and(|it| it.outcome != Outcome::Unknown)
}

/// What was open at an event and had not taken effect, where only one state was possible.
fn open_at(before: &Followed, records: &[Call], at: (u64, Event, usize)) -> Vec<Call> {
    let mut found = Vec::new();
    follow(&mut before.clone(), records, |followed, slots, event| {
        if event != at {
            return;
        }
        let Some((_, is_open)) = followed.checker.certain() else {
            return;
        };
        let slots = slots.iter().zip(records);
        let answered = slots.filter_map(|(slot, record)| Some(((*slot)?, *record)));
        // Those of unknown outcome stand among the unknown, whatever slice they are of.
        let answered = answered.filter(|(_, record)| record.outcome != Outcome::Unknown);
        let open = answered.chain(followed.unknown.iter().copied());
        found.extend(open.filter(|(slot, _)| is_open(*slot)).map(|(_, it)| it));
    });
    found
}

fn leaves_as_it_was(record: &Call) -> bool {
    Effect::of(record.action, record.outcome).leaves_as_it_was()
}

/// Leaves out what leaves the account as it was, as far as `wrong` stays wrong without it.
fn without_harmless(start: &Followed, mut chosen: Vec<Call>, wrong: &Call) -> Vec<Call> {
    let is_needed = |it: &Call| it == wrong || !leaves_as_it_was(it);
    let needed: Vec<_> = chosen.iter().filter(|it| is_needed(it)).copied().collect();
    if is_wrong(start, &needed, wrong) {
        return needed;
    }
    let mut index = 0;
    while chosen.len() <= SHOWN_MAX
        && let Some(record) = chosen.get(index).copied()
    {
        if !is_needed(&record) {
            chosen.remove(index);
            if is_wrong(start, &chosen, wrong) {
                continue;
            }
            chosen.insert(index, record);
        }
        index += 1;
    }
    chosen
}

/// What overlapped with the wrong operation, where nothing smaller than the whole history is a proof.
fn without_proof(before: &Followed, records: &[Call], wrong: Call) -> Evidence {
    let overlap = records
        .iter()
        .filter(|it| it.called <= wrong.answered && it.answered >= wrong.called && **it != wrong);
    let mut shown: Vec<_> = overlap.copied().take(SHOWN_MAX).chain([wrong]).collect();
    shown.sort_by_key(|record| record.called);
    Evidence {
        number: before.number.to_string(),
        account: wrong.account,
        start: None,
        context: context(records, &shown),
        last: position(&shown, &wrong),
        diagnosis: None,
        records: shown,
    }
}

fn position(records: &[Call], wrong: &Call) -> usize {
    let found = records.iter().position(|record| record == wrong);
    found.unwrap_or_default()
}

/// What changed the account last before `chosen`.
fn context(records: &[Call], chosen: &[Call]) -> Vec<Call> {
    let Some(first) = chosen.first() else {
        return Vec::new();
    };
    let mut earlier: Vec<Call> = records
        .iter()
        .filter(|record| {
            !leaves_as_it_was(record)
                && record.outcome != Outcome::Unknown
                && record.answered < first.called
        })
        .copied()
        .collect();
    earlier.sort_by_key(|record| record.answered);
    earlier.split_off(earlier.len().saturating_sub(CONTEXT_MAX))
}

/// Whether no order explains `records` from `start` on, up to the answer to `wrong`.
fn is_wrong(start: &Followed, records: &[Call], wrong: &Call) -> bool {
    let course = follow(&mut start.clone(), records, |_, _, _| ());
    matches!(course, Course::Violation(index) if records.get(index) == Some(wrong))
}

impl Evidence {
    /// What is wrong, in words.
    pub(super) fn explanation(&self) -> String {
        let Some(wrong) = self.records.get(self.last) else {
            return String::new();
        };
        let never = |what: String| {
            format!(
                "{what}; but in no order of the operations below was that so at any time between its call and \
                 its answer"
            )
        };
        match (wrong.action, wrong.outcome) {
            (Action::Balance, Outcome::Balance(told)) => {
                never(format!("a client was told a balance of {}", money(told)))
            }
            (Action::List, Outcome::Balance(told)) => never(format!(
                "a listing showed the account with a balance of {}",
                money(told)
            )),
            (Action::List, Outcome::UnknownAccount) => {
                never("a listing did not show the account".to_owned())
            }
            (Action::Deposit(sum), Outcome::Balance(told)) => never(format!(
                "a deposit of {} was answered with a new balance of {}, so it found {} on the account",
                money(sum),
                money(told),
                money(told.saturating_sub(sum))
            )),
            (Action::Withdraw(sum), Outcome::Balance(told)) => never(format!(
                "a withdrawal of {} was answered with a new balance of {}, so it found {} on the account",
                money(sum),
                money(told),
                money(told.saturating_add(sum))
            )),
            (Action::Withdraw(sum), Outcome::InsufficientFunds) => never(format!(
                "a withdrawal of {} was refused for want of funds, so there was less than that on the account",
                money(sum)
            )),
            (_, Outcome::UnknownAccount) => {
                never("a client was told that the account does not exist".to_owned())
            }
            (_, Outcome::Closed) => {
                never("the account was closed, so it was open before".to_owned())
            }
            _ => never("an operation was answered as no account can".to_owned()),
        }
    }
}

/// A sum as people write it.
pub(super) fn money(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::judge::Judge;
    use cashpoint::AccountNumber;

    fn record(worker: u32, action: Action, outcome: Outcome, called: u64, answered: u64) -> Call {
        Call {
            account: 7,
            worker,
            action,
            outcome,
            called,
            answered,
            told_at: None,
        }
    }

    /// A thousand operations before, reads beside, and two withdrawals of the same money.
    #[test]
    fn of_a_long_history_only_what_shows_the_fault_is_left() {
        let mut records: Vec<_> = (0..1_000)
            .map(|step| {
                let balance = Outcome::Balance(101 + step);
                record(
                    0,
                    Action::Deposit(1),
                    balance,
                    10 * step as u64,
                    10 * step as u64 + 5,
                )
            })
            .collect();
        let balance = Outcome::Balance;
        records.extend([
            record(1, Action::Withdraw(1_000), balance(100), 20_000, 20_050),
            record(2, Action::Withdraw(900), balance(200), 20_010, 20_060),
            record(3, Action::Balance, balance(1_100), 20_001, 20_020),
            record(
                3,
                Action::Withdraw(9_999),
                Outcome::InsufficientFunds,
                20_021,
                20_055,
            ),
            record(3, Action::Deposit(5), balance(105), 30_000, 30_010),
        ]);
        let mut judge = Judge::default();
        judge.opened(7, AccountNumber::random(), 100);
        let found = judge.hear(&mut records);
        let [evidence] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(evidence.start, Some(State::Open(1_100)));
        let workers: Vec<_> = evidence.records.iter().map(|it| it.worker).collect();
        assert_eq!(workers, [1, 2]);
        assert_eq!(evidence.last, 1);
        assert_eq!(evidence.context.len(), CONTEXT_MAX);
        assert!(
            evidence
                .explanation()
                .contains("a withdrawal of 9.00 was answered with a new balance of 2.00"),
            "{}",
            evidence.explanation()
        );
    }

    /// The deposit of 10 has taken effect, or else nobody could have found 250, when the one that is wrong is called; it is what
    /// was overwritten.
    #[test]
    fn what_took_effect_and_was_not_answered_belongs_to_the_evidence() {
        let balance = Outcome::Balance;
        let mut records = vec![
            record(0, Action::Withdraw(10), balance(240), 10, 20),
            record(0, Action::Deposit(10), balance(250), 21, 60),
            record(1, Action::Deposit(2), balance(252), 22, 30),
            record(1, Action::Withdraw(1), balance(251), 31, 40),
            record(1, Action::Withdraw(2), balance(238), 41, 50),
        ];
        let mut judge = Judge::default();
        judge.opened(7, AccountNumber::random(), 250);
        let found = judge.hear(&mut records);
        let [evidence] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(evidence.start, Some(State::Open(240)));
        let sums: Vec<_> = evidence.records.iter().map(|it| it.outcome).collect();
        assert_eq!(sums, [250, 252, 251, 238].map(balance));
    }

    #[test]
    fn an_operation_begun_before_a_certain_state_belongs_to_the_evidence() {
        let balance = Outcome::Balance;
        let mut records = vec![
            record(1, Action::Deposit(50), balance(150), 0, 100),
            record(2, Action::Balance, balance(100), 10, 20),
            record(3, Action::Balance, balance(120), 30, 40),
        ];
        let mut judge = Judge::default();
        judge.opened(7, AccountNumber::random(), 100);
        let found = judge.hear(&mut records);
        let [evidence] = found.as_slice() else {
            panic!("{found:?}");
        };
        let workers: Vec<_> = evidence.records.iter().map(|it| it.worker).collect();
        assert_eq!(
            workers,
            [1, 3],
            "the deposit explains 100 and 150, but not 120"
        );
    }
}
