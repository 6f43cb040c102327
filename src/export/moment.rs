//! Places in the journal, as people name them: by sequence number or by time, in UTC.

use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

use crate::journal::Record;
use crate::timestamp::Timestamp;

/// The time as a clock on the wall shows it, in UTC.
pub(crate) fn wall_clock(at: Timestamp) -> DateTime {
    // Only a clock set beyond the year 9999 is out of range.
    let at = jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or(jiff::Timestamp::MAX);
    Offset::UTC.to_datetime(at)
}

/// The time as ISO 8601 without a zone, with six digits of microseconds: as the service prints it.
pub(crate) fn time_text(at: Timestamp) -> String {
    format!("{:.6}", wall_clock(at))
}

/// A place in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The record of this sequence number.
    Sequence(u64),
    /// A time.
    Time(DateTime),
    /// All of a day.
    Day(Date),
}

/// The text names no place in a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is a sequence number, a day such as 2026-01-31, or a time in UTC such as 2026-01-31T08:30:00.25"
)]
pub(crate) struct ParseMomentError;

impl FromStr for Moment {
    type Err = ParseMomentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const DAY_LEN: usize = "2026-01-31".len();
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text
                .parse()
                .map(Self::Sequence)
                .map_err(|_| ParseMomentError);
        }
        if text.len() == DAY_LEN {
            return text.parse().map(Self::Day).map_err(|_| ParseMomentError);
        }
        // With a zone it may be that of any place on earth.
        match text.parse::<jiff::Timestamp>() {
            Ok(time) => Ok(Self::Time(Offset::UTC.to_datetime(time))),
            Err(_) => text.parse().map(Self::Time).map_err(|_| ParseMomentError),
        }
    }
}

impl Moment {
    fn is_after(self, record: &Record) -> bool {
        match self {
            Self::Sequence(sequence) => record.sequence < sequence,
            Self::Time(time) => wall_clock(record.at) < time,
            Self::Day(day) => wall_clock(record.at).date() < day,
        }
    }

    fn is_before(self, record: &Record) -> bool {
        match self {
            Self::Sequence(sequence) => record.sequence > sequence,
            Self::Time(time) => wall_clock(record.at) > time,
            Self::Day(day) => wall_clock(record.at).date() > day,
        }
    }
}

/// A part of the journal, from one place to another, both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Option<Moment>,
    pub(crate) to: Option<Moment>,
}

impl Span {
    /// Whether it begins after a record.
    pub(crate) fn begins_after(&self, record: &Record) -> bool {
        self.from.is_some_and(|from| from.is_after(record))
    }

    /// Whether it ends before a record, and so before all that follow.
    pub(crate) fn ends_before(&self, record: &Record) -> bool {
        self.to.is_some_and(|to| to.is_before(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_named_by_number_day_and_time() {
        let time = |text: &str| Moment::Time(text.parse().unwrap());
        assert_eq!("42".parse(), Ok(Moment::Sequence(42)));
        assert_eq!(
            "2026-01-31".parse(),
            Ok(Moment::Day("2026-01-31".parse().unwrap()))
        );
        for (text, plain) in [
            ("2026-01-31T08:30:00", "2026-01-31T08:30:00"),
            ("2026-01-31T08:30", "2026-01-31T08:30:00"),
            ("2026-01-31 08:30:00.25", "2026-01-31T08:30:00.25"),
            ("2026-01-31T08:30:00Z", "2026-01-31T08:30:00"),
            ("2026-01-31T08:30:00+02:00", "2026-01-31T06:30:00"),
        ] {
            assert_eq!(text.parse(), Ok(time(plain)), "{text}");
        }
        for text in [
            "",
            "-1",
            "yesterday",
            "2026-02-30",
            "99999999999999999999",
            "2026-01-31T25:00",
        ] {
            assert_eq!(text.parse::<Moment>(), Err(ParseMomentError), "{text}");
        }
    }

    #[test]
    fn times_print_as_the_service_prints_them() {
        for (microseconds, text) in [
            (0, "1970-01-01T00:00:00.000000"),
            (1_701_945_000_123_456, "2023-12-07T10:30:00.123456"),
            (1_701_945_000_000_000, "2023-12-07T10:30:00.000000"),
        ] {
            assert_eq!(time_text(Timestamp::from_micros(microseconds)), text);
        }
    }
}
