//! A history as a person reads it: a line for each operation, with a bar from its call to its answer.

use std::slice;

use super::diagnosis::Diagnosis;
use super::evidence::{Evidence, money};
use super::history::{Action, Call, Outcome};
use super::specification::State;
use crate::present::quantity::time;

/// How wide the bars are drawn in text, in characters.
const WIDTH: u64 = 40;

/// An operation, drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) who: String,
    pub(super) asked: String,
    pub(super) told: String,
    /// From its call to its answer, in parts per ten thousand of the whole.
    pub(super) from: u64,
    pub(super) until: u64,
    /// How long it took.
    pub(super) took: String,
    /// This is the one whose answer fits no order.
    pub(super) wrong: bool,
}

/// The rows of a history, in the order of their calls.
pub(super) fn rows(evidence: &Evidence) -> Vec<Row> {
    let records = &evidence.records;
    // What was never answered may be from long ago; the others say which time is shown.
    let answered = || records.iter().filter(|it| it.outcome != Outcome::Unknown);
    let first = answered().map(|record| record.called).min();
    let last = answered().map(|record| record.answered).max();
    let (first, last) = (first.unwrap_or(0), last.unwrap_or(0));
    let whole = (last - first).max(1);
    let part = |time: u64| 10_000 * (time.clamp(first, last) - first) / whole;
    let rows = records.iter().enumerate().map(|(index, record)| Row {
        who: who(record),
        asked: asked(record.action),
        told: told(record),
        from: part(record.called),
        until: match record.outcome {
            Outcome::Unknown => 10_000,
            _ => part(record.answered),
        },
        took: time(record.answered - record.called),
        wrong: index == evidence.last,
    });
    rows.collect()
}

/// What came before the history, in words.
pub(super) fn before(evidence: &Evidence) -> Vec<String> {
    let mut lines: Vec<_> = evidence
        .context
        .iter()
        .map(|record| {
            format!(
                "before that: {}, {} → {}",
                who(record),
                asked(record.action),
                told(record)
            )
        })
        .collect();
    let number = &evidence.number;
    lines.push(match evidence.start {
        Some(State::Open(cents)) => format!("account {number} held {}", money(cents)),
        Some(State::Closed) => format!("account {number} was closed"),
        None => format!(
            "account {number}: unanswered operations left several balances possible; this is what overlapped, \
             and no proof by itself"
        ),
    });
    lines
}

/// What must have gone wrong, in words, if that can be told.
pub(super) fn after(evidence: &Evidence) -> Option<String> {
    let (which, became) = match evidence.diagnosis.as_ref()? {
        Diagnosis::Lost(which) => (which.as_slice(), "lost, or not seen"),
        Diagnosis::DoneTwice(index) => (slice::from_ref(index), "done twice"),
    };
    let records = which.iter().filter_map(|it| evidence.records.get(*it));
    let described = records.map(|it| format!("{}, {} → {}", who(it), asked(it.action), told(it)));
    let described: Vec<_> = described.collect();
    Some(format!(
        "it fits if this was {became}: {}",
        described.join("; ")
    ))
}

/// A history as lines of text.
pub(super) fn lines(evidence: &Evidence) -> Vec<String> {
    let rows = rows(evidence);
    let width = |of: fn(&Row) -> &str| {
        let widths = rows.iter().map(|row| of(row).chars().count());
        widths.max().unwrap_or(0)
    };
    let (who, asked, told) = (
        width(|row| &row.who),
        width(|row| &row.asked),
        width(|row| &row.told),
    );
    let mut lines = before(evidence);
    lines.extend(rows.iter().map(|row| {
        let from = (row.from * WIDTH / 10_000).min(WIDTH - 1);
        let length = (row.until * WIDTH / 10_000).saturating_sub(from).max(1);
        let bar = "━".repeat(length as usize);
        let space = " ".repeat(from as usize);
        let end = " ".repeat((WIDTH - from - length.min(WIDTH - from)) as usize);
        let mark = if row.wrong { "✗" } else { " " };
        format!(
            "{mark} {:<who$}  {:<asked$} → {:<told$}  │{space}{bar}{end}│ {}",
            row.who, row.asked, row.told, row.took
        )
    }));
    lines.extend(after(evidence));
    lines
}

fn who(record: &Call) -> String {
    format!("client {}", record.worker)
}

fn asked(action: Action) -> String {
    match action {
        Action::Balance => "balance".to_owned(),
        Action::List => "listing".to_owned(),
        Action::Deposit(sum) => format!("deposit {}", money(sum)),
        Action::Withdraw(sum) => format!("withdraw {}", money(sum)),
        Action::Close => "delete".to_owned(),
    }
}

fn told(record: &Call) -> String {
    match record.outcome {
        Outcome::Balance(cents) => money(cents),
        Outcome::Closed => "deleted".to_owned(),
        Outcome::InsufficientFunds => "insufficient funds".to_owned(),
        Outcome::UnknownAccount if record.action == Action::List => "not listed".to_owned(),
        Outcome::UnknownAccount => "account not found".to_owned(),
        Outcome::Unknown => "no answer".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_lie_where_their_operations_do() {
        let record = |action, outcome, called, answered| Call {
            account: 1,
            worker: 2,
            action,
            outcome,
            called,
            answered,
            told_at: None,
        };
        let evidence = Evidence {
            number: "0b0e6c1c-8a2f-4f0e-9a64-3e1d8a1f7c55".to_owned(),
            account: 1,
            start: Some(State::Open(100)),
            context: vec![record(Action::Deposit(100), Outcome::Balance(100), 0, 900)],
            records: vec![
                record(Action::Withdraw(70), Outcome::Balance(30), 1_000, 1_500),
                record(Action::Close, Outcome::Unknown, 1_250, 1_300),
                record(Action::Withdraw(80), Outcome::Balance(20), 1_500, 2_000),
            ],
            last: 2,
            diagnosis: Some(Diagnosis::Lost(vec![0])),
        };
        assert_eq!(
            lines(&evidence),
            [
                "before that: client 2, deposit 1.00 → 1.00",
                "account 0b0e6c1c-8a2f-4f0e-9a64-3e1d8a1f7c55 held 1.00",
                "  client 2  withdraw 0.70 → 0.30       │━━━━━━━━━━━━━━━━━━━━                    │ 500 ns",
                "  client 2  delete        → no answer  │          ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━│ 50 ns",
                "✗ client 2  withdraw 0.80 → 0.20       │                    ━━━━━━━━━━━━━━━━━━━━│ 500 ns",
                "it fits if this was lost, or not seen: client 2, withdraw 0.70 → 0.30",
            ]
        );
    }
}
