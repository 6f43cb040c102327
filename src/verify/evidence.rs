//! The smallest part of a history that shows what is wrong with it.
//!
//! A history cannot be made smaller by leaving out just any operations: what is left would be wrong for want
//! of them. Two ways are sound. To begin later, at a time when only one state was possible: whatever explains
//! the whole explains the rest from there. And to leave out operations that leave the account as it was:
//! whatever explains the others with them explains them without.

use serde::Serialize;

use super::history::{Action, Outcome, Record};
use super::judge::{Course, Event, Followed, follow};
use super::specification::{State, leaves_as_it_was};

/// What convicts a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Evidence {
    /// The account's number in this run.
    pub(super) account: u32,
    /// The state before the records. `None` if unknown outcomes leave several possible.
    pub(super) start: Option<State>,
    /// What changed the account last before that, so that a person sees where its state is from.
    pub(super) context: Vec<Record>,
    /// In the order of their calls.
    pub(super) records: Vec<Record>,
    /// Which of them has the answer that fits no order.
    pub(super) last: usize,
}

/// How much is shown of what came before.
const CONTEXT_MAX: usize = 4;

/// Gathers the evidence: `records` followed on `before` come to a violation at the answer to `last`.
pub(super) fn gather(before: &Followed, records: &[Record], last: usize) -> Evidence {
    let Some(wrong) = records.get(last).copied() else {
        // There is no such record, so there is nothing to show.
        return Evidence {
            account: 0,
            start: None,
            context: Vec::new(),
            records: Vec::new(),
            last,
        };
    };

    // The latest event before the wrong operation was called at which only one state was possible.
    let call = (wrong.called, Event::Call, last);
    let mut certain: Option<(State, (u64, Event, usize))> = None;
    follow(&mut before.clone(), records, |followed, _, event| {
        if event <= call
            && let Some((state, _)) = followed.checker.certain()
        {
            certain = Some((state, event));
        }
    });
    // What was open then and had not taken effect.
    let mut begun = Vec::new();
    follow(&mut before.clone(), records, |followed, slots, event| {
        if certain.is_none_or(|(_, at)| at != event) {
            return;
        }
        let Some((_, is_open)) = followed.checker.certain() else {
            return;
        };
        let slots = slots.iter().zip(records);
        let called = slots.filter_map(|(slot, record)| Some(((*slot)?, *record)));
        let open = called.chain(followed.unknown.iter().copied());
        begun.extend(open.filter(|(slot, _)| is_open(*slot)).map(|(_, it)| it));
    });

    let (start, mut chosen) = match certain {
        Some((state, event)) => {
            let mut chosen = begun;
            let later = records.iter().enumerate().filter(|(index, record)| {
                (record.called, Event::Call, *index) >= event && record.called <= wrong.answered
            });
            chosen.extend(later.map(|(_, record)| *record));
            (Some(state), chosen)
        }
        None => {
            let until = records.iter().filter(|it| it.called <= wrong.answered);
            (None, until.copied().collect::<Vec<_>>())
        }
    };
    chosen.sort_by_key(|record| record.called);
    chosen.dedup();
    if let Some(state) = start {
        let mut index = 0;
        while let Some(record) = chosen.get(index).copied() {
            if record != wrong && leaves_as_it_was(record.action, record.outcome) {
                chosen.remove(index);
                if is_wrong(state, &chosen) {
                    continue;
                }
                chosen.insert(index, record);
            }
            index += 1;
        }
    }
    let last = chosen.iter().position(|record| *record == wrong);
    Evidence {
        account: wrong.account,
        start,
        context: context(records, &chosen),
        last: last.unwrap_or_default(),
        records: chosen,
    }
}

/// What changed the account last before `chosen`.
fn context(records: &[Record], chosen: &[Record]) -> Vec<Record> {
    let Some(first) = chosen.first() else {
        return Vec::new();
    };
    let mut earlier: Vec<Record> = records
        .iter()
        .filter(|record| {
            !leaves_as_it_was(record.action, record.outcome)
                && record.outcome != Outcome::Unknown
                && record.answered < first.called
        })
        .copied()
        .collect();
    earlier.sort_by_key(|record| record.answered);
    earlier.split_off(earlier.len().saturating_sub(CONTEXT_MAX))
}

/// Whether no order explains `records` from `state` on.
fn is_wrong(state: State, records: &[Record]) -> bool {
    let mut followed = Followed::new(state);
    matches!(
        follow(&mut followed, records, |_, _, _| ()),
        Course::Violation(_)
    )
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
                money(told - sum)
            )),
            (Action::Withdraw(sum), Outcome::Balance(told)) => never(format!(
                "a withdrawal of {} was answered with a new balance of {}, so it found {} on the account",
                money(sum),
                money(told),
                money(told + sum)
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

    fn record(worker: u32, action: Action, outcome: Outcome, called: u64, answered: u64) -> Record {
        Record {
            account: 7,
            worker,
            action,
            outcome,
            called,
            answered,
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
        judge.opened(7, 100);
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

    #[test]
    fn an_operation_begun_before_a_certain_state_belongs_to_the_evidence() {
        let balance = Outcome::Balance;
        let mut records = vec![
            record(1, Action::Deposit(50), balance(150), 0, 100),
            record(2, Action::Balance, balance(100), 10, 20),
            record(3, Action::Balance, balance(120), 30, 40),
        ];
        let mut judge = Judge::default();
        judge.opened(7, 100);
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
