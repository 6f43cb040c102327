//! Which part of a journal is wanted.

use cashpoint::journal::Record;
use cashpoint_server::moment::{Moment, WRITTEN};

/// A part of the journal, from one moment to another. At its end, a record or a day belongs to it as a whole, and an
/// instant does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Option<Moment>,
    pub(crate) to: Option<Moment>,
}

impl Span {
    /// Whether it begins after a record.
    pub(crate) fn begins_after(&self, record: &Record) -> bool {
        self.from.is_some_and(|from| match from {
            Moment::Position(sequence) => record.sequence < sequence,
            from => from.begin().is_some_and(|begin| record.at < begin),
        })
    }

    /// Whether it ends before a record, and so before all that follow.
    pub(crate) fn ends_before(&self, record: &Record) -> bool {
        self.to.is_some_and(|to| match to {
            Moment::Position(sequence) => record.sequence > sequence,
            to => to.end().is_some_and(|end| record.at >= end),
        })
    }

    /// Whether it can hold no record, whatever the journal is.
    pub(crate) fn is_reversed(&self) -> bool {
        match (self.from, self.to) {
            // Records are counted from 1.
            (_, Some(Moment::Position(0))) => true,
            (Some(Moment::Position(from)), Some(Moment::Position(to))) => to < from,
            (Some(from), Some(to)) => {
                (from.begin().zip(to.end())).is_some_and(|(from, to)| to <= from)
            }
            _ => false,
        }
    }

    /// Its edge that is a position, where the other one is a time: only the record there tells whether it is reversed.
    /// If it is, that record is no part of it.
    pub(crate) fn position_beside_time(&self) -> Option<u64> {
        let is_time = |edge: Moment| edge.begin().is_some();
        match (self.from?, self.to?) {
            (Moment::Position(position), time) | (time, Moment::Position(position)) => {
                is_time(time).then_some(position)
            }
            _ => None,
        }
    }

    /// Whether a record is part of it.
    pub(crate) fn has(&self, record: &Record) -> bool {
        !self.begins_after(record) && !self.ends_before(record)
    }

    /// Its edges that are positions, with their flags.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let edges = [("--from", self.from), ("--to", self.to)];
        edges.into_iter().filter_map(|(flag, edge)| match edge {
            Some(Moment::Position(position)) => Some((flag, position)),
            _ => None,
        })
    }
}

/// What is said of a number above the newest record: it may have been meant for a time.
pub(crate) fn no_record(flag: &str, newest: u64) -> String {
    format!("{flag}: the newest record is {newest}, and this is above it; {WRITTEN}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: &str, to: &str) -> Span {
        let edge = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        Span {
            from: edge(from),
            to: edge(to),
        }
    }

    #[test]
    fn a_span_ends_after_it_begins() {
        for (from, to) in [
            ("", "1"),
            ("0", "1"),
            ("5", "5"),
            ("5", "2026-01-31"),
            ("2026-01-31", "5"),
            ("2026-01-31", "2026-01-31"),
            ("2026-01-31T23:59:59.999999", "2026-01-31"),
            ("2026-01-31T08:30", "2026-01-31T08:30:00.000001"),
        ] {
            assert!(!span(from, to).is_reversed(), "{from} to {to}");
        }
        for (from, to) in [
            ("", "0"),
            ("6", "5"),
            ("2026-01-31", "2026-01-30"),
            ("2026-01-31", "2026-01-31T00:00"),
            ("2026-02-01T00:00", "2026-01-31"),
            ("2026-01-31T08:30", "2026-01-31T08:30"),
        ] {
            assert!(span(from, to).is_reversed(), "{from} to {to}");
        }
    }
}
