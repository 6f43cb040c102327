//! Places in the order of everything that happened, as people write them: a position, an instant or a day. The
//! server's queries and the command line are read here, and nowhere else.
//!
//! As the end of a range, a day is the whole of it and a position its record; an instant is no part of what ends
//! with it. So `to` one instant and `from` the same one share nothing.

use std::str::FromStr;

use cashpoint::Timestamp;
use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, date, datetime};

/// How a time is written, for whoever wrote another one.
pub const WRITTEN: &str = "a time is written as 2026-01-31 or 2026-01-31T08:30:00.25, in UTC unless an offset such as \
     Z or +02:00 follows";

const EPOCH: DateTime = datetime(1970, 1, 1, 0, 0, 0, 0);

/// The first and the last time that can be written: those of the years 0000 and 9999, in UTC.
const FIRST_US: i64 = -62_167_219_200_000_000;
const LAST_US: i64 = 253_402_300_799_999_999;

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

/// A place in the order of everything that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The record of this sequence number, if there is one: only the ledger knows. The largest number stands for
    /// all that are larger.
    Position(u64),
    /// An instant.
    Instant(Timestamp),
    /// The day in UTC that begins then.
    Day(Timestamp),
}

/// Why a text names no moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseMomentError {
    /// It has no form that is known.
    #[error("{WRITTEN}")]
    Unreadable,
    /// There are more decimals than nanoseconds.
    #[error("a second has at most nine decimals: {WRITTEN}")]
    TooManyDecimals,
    /// The calendar or the clock does not have it.
    #[error("there is no such day or time of day: {WRITTEN}")]
    NoSuchTime,
    /// No place on earth is that far from UTC.
    #[error("an offset is at most 23:59: {WRITTEN}")]
    OffsetTooLarge,
    /// It could not be printed.
    #[error("it is after 9999-12-31T23:59:59.999999 in UTC: {WRITTEN}")]
    AfterLast,
}

use ParseMomentError::{AfterLast, NoSuchTime, OffsetTooLarge, TooManyDecimals, Unreadable};

impl FromStr for Moment {
    type Err = ParseMomentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_digits(text) {
            return Ok(Self::Position(text.parse().unwrap_or(u64::MAX)));
        }
        const DATE_LEN: usize = "2026-01-31".len();
        let (day, rest) = text.split_at_checked(DATE_LEN).ok_or(Unreadable)?;
        let day = read_date(day)?;
        if rest.is_empty() {
            return Ok(Self::Day(Timestamp::from_micros(since_epoch_us(day))));
        }
        let rest = rest.strip_prefix(['T', 't', ' ']).ok_or(Unreadable)?;
        let zone_at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
        let (clock, zone) = rest.split_at(zone_at);
        let in_day_us = read_clock(clock)?;
        let at_us = since_epoch_us(day) + in_day_us - read_offset_us(zone)?;
        if at_us > LAST_US {
            return Err(AfterLast);
        }
        // Nothing happened before that either.
        Ok(Self::Instant(Timestamp::from_micros(at_us.max(FIRST_US))))
    }
}

impl Moment {
    /// The first instant of a range that begins with it. `None` of a position.
    pub fn begin(self) -> Option<Timestamp> {
        match self {
            Self::Position(_) => None,
            Self::Instant(at) | Self::Day(at) => Some(at),
        }
    }

    /// The first instant after a range that ends with it. `None` of a position.
    pub fn end(self) -> Option<Timestamp> {
        match self {
            Self::Position(_) => None,
            Self::Instant(at) => Some(at),
            Self::Day(begin) => Some(Timestamp::from_micros(begin.as_micros() + DAY_US)),
        }
    }
}

/// Whether a time can be written.
pub fn is_writable(at: Timestamp) -> bool {
    (FIRST_US..=LAST_US).contains(&at.as_micros())
}

/// The time as a clock on the wall shows it, in UTC.
pub fn wall_clock(at: Timestamp) -> DateTime {
    // Only a clock set beyond the year 9999 is out of range.
    let since_epoch = SignedDuration::from_micros(at.as_micros());
    EPOCH.checked_add(since_epoch).unwrap_or(DateTime::MAX)
}

/// The time as ISO 8601 without a zone, with six digits of microseconds: as the service prints it.
pub fn time_text(at: Timestamp) -> String {
    format!("{:.6}", wall_clock(at))
}

fn since_epoch_us(day: Date) -> i64 {
    let seconds = day.duration_since(date(1970, 1, 1)).as_secs();
    seconds * SECOND_US
}

/// Reads `2026-01-31`.
fn read_date(text: &str) -> Result<Date, ParseMomentError> {
    let mut parts = text.splitn(3, '-');
    let mut part = |digits| number(parts.next().unwrap_or_default(), digits);
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    // A number of two or four digits fits.
    Date::new(year, month as i8, day as i8).map_err(|_| NoSuchTime)
}

/// Reads `08:30`, `08:30:00` or `08:30:00.25`, in microseconds since midnight. What is finer is cut off.
fn read_clock(text: &str) -> Result<i64, ParseMomentError> {
    let mut parts = text.splitn(3, ':');
    let mut part = || parts.next();
    let hour = number(part().unwrap_or_default(), 2)?;
    let minute = number(part().unwrap_or_default(), 2)?;
    let (second, within_us) = match part() {
        Some(text) => read_second(text)?,
        None => (0, 0),
    };
    // A leap second is no second of its own here: it is the end of the one before.
    let (second, within_us) = match second {
        60 => (59, SECOND_US - 1),
        second => (second, within_us),
    };
    if hour > 23 || minute > 59 || second > 59 {
        return Err(NoSuchTime);
    }
    let second = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
    Ok(second * SECOND_US + within_us)
}

/// Reads `00` or `00.25`: the second, and the microseconds within it.
fn read_second(text: &str) -> Result<(i16, i64), ParseMomentError> {
    const MICROSECOND_DIGITS: usize = 6;
    const NANOSECOND_DIGITS: usize = 9;
    let Some((second, decimals)) = text.split_once('.') else {
        return Ok((number(text, 2)?, 0));
    };
    if !is_digits(decimals) {
        return Err(Unreadable);
    }
    if decimals.len() > NANOSECOND_DIGITS {
        return Err(TooManyDecimals);
    }
    let digits = decimals.bytes().chain(std::iter::repeat(b'0'));
    let microseconds = digits
        .take(MICROSECOND_DIGITS)
        .fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
    Ok((number(second, 2)?, microseconds))
}

/// Reads ``, `Z`, `+02`, `+02:00` or `+0200`, in microseconds.
fn read_offset_us(text: &str) -> Result<i64, ParseMomentError> {
    if matches!(text, "" | "Z" | "z") {
        return Ok(0);
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').ok_or(Unreadable)?),
    };
    let (hours, minutes) = rest.split_at_checked(2).ok_or(Unreadable)?;
    let minutes = minutes.strip_prefix(':').unwrap_or(minutes);
    let hours = number(hours, 2)?;
    let minutes = match rest.len() {
        2 => 0,
        _ => number(minutes, 2)?,
    };
    if hours > 23 || minutes > 59 {
        return Err(OffsetTooLarge);
    }
    Ok(sign * (i64::from(hours) * 60 + i64::from(minutes)) * 60 * SECOND_US)
}

/// Reads a number of exactly so many digits, at most four.
fn number(text: &str, digits: usize) -> Result<i16, ParseMomentError> {
    if text.len() != digits || !is_digits(text) {
        return Err(Unreadable);
    }
    text.parse().map_err(|_| Unreadable)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> i64 {
        match text.parse() {
            Ok(Moment::Instant(at)) => at.as_micros(),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_number_is_a_position() {
        for (text, position) in [
            ("0", 0),
            ("42", 42),
            ("0042", 42),
            ("2026", 2026),
            ("18446744073709551615", u64::MAX),
            ("99999999999999999999", u64::MAX),
        ] {
            assert_eq!(text.parse(), Ok(Moment::Position(position)), "{text}");
        }
    }

    #[test]
    fn a_date_is_the_whole_day() {
        let day = Moment::Day(Timestamp::from_micros(1_701_907_200_000_000));
        assert_eq!("2023-12-07".parse(), Ok(day));
        let (begin, end) = (day.begin().unwrap(), day.end().unwrap());
        assert_eq!(begin.as_micros(), instant("2023-12-07T00:00"));
        assert_eq!(end.as_micros(), instant("2023-12-08T00:00"));
        assert!("2024-02-29".parse::<Moment>().is_ok());
        let last: Moment = "9999-12-31".parse().unwrap();
        assert!(is_writable(last.begin().unwrap()) && !is_writable(last.end().unwrap()));
    }

    #[test]
    fn a_time_may_be_short_or_have_an_offset() {
        for text in [
            "2023-12-07T10:30:00",
            "2023-12-07T10:30",
            "2023-12-07 10:30:00Z",
            "2023-12-07T10:30:00.0z",
            "2023-12-07t11:30:00+01:00",
            "2023-12-07T05:30-05",
            "2023-12-07T16:00+0530",
            "2023-12-08T10:29+23:59",
        ] {
            assert_eq!(instant(text), 1_701_945_000_000_000, "{text}");
        }
    }

    #[test]
    fn what_is_finer_than_a_microsecond_is_cut_towards_the_past() {
        let second = instant("2023-12-07T10:30:00");
        for (decimals, microseconds) in [
            ("1", 100_000),
            ("123456", 123_456),
            ("1234567", 123_456),
            ("123456999", 123_456),
            ("000000999", 0),
        ] {
            let text = format!("2023-12-07T10:30:00.{decimals}");
            assert_eq!(instant(&text), second + microseconds, "{text}");
        }
        assert_eq!(instant("1969-12-31T23:59:59.9999999"), -1);
        assert_eq!(instant("1969-12-31T23:59:59.000000999"), -1_000_000);
    }

    #[test]
    fn a_leap_second_is_the_end_of_the_second_before() {
        let last = instant("2016-12-31T23:59:59.999999");
        for text in [
            "2016-12-31T23:59:60",
            "2016-12-31T23:59:60.5Z",
            "2017-01-01T00:59:60+01:00",
        ] {
            assert_eq!(instant(text), last, "{text}");
        }
        assert_eq!(instant("9999-12-31T23:59:60"), LAST_US);
    }

    #[test]
    fn every_time_of_four_digit_years_is_read_and_printed() {
        assert_eq!(instant("0000-01-01T00:00"), FIRST_US);
        assert_eq!(instant("0000-01-01T00:00+01:00"), FIRST_US);
        assert_eq!(instant("9999-12-31T23:59:59.999999999"), LAST_US);
        assert_eq!(instant("9999-12-31T22:59:59.999999-01:00"), LAST_US);
        for us in [FIRST_US, -1, 0, 951_782_399_000_000, LAST_US] {
            let text = format!("{:.6}", wall_clock(Timestamp::from_micros(us)));
            assert_eq!(instant(&text), us, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_for_its_reason() {
        for (text, reason) in [
            ("", Unreadable),
            ("-1", Unreadable),
            ("+1", Unreadable),
            ("1e3", Unreadable),
            ("now", Unreadable),
            ("2026-11", Unreadable),
            ("2026-1-31", Unreadable),
            ("26-01-31T00:00", Unreadable),
            ("2026-01-31T", Unreadable),
            ("2026-01-31T08", Unreadable),
            ("2026-01-31T8:30", Unreadable),
            ("2026-01-31T08:30:", Unreadable),
            ("2026-01-31T08:30:00.", Unreadable),
            ("2026-01-31T08:30:00,5", Unreadable),
            ("2026-01-31T08:30:00 ", Unreadable),
            (" 2026-01-31", Unreadable),
            ("2026-01-31_08:30:00", Unreadable),
            ("2026-01-31Z", Unreadable),
            ("2026-01-31+01:00", Unreadable),
            ("2026-01-31T08:30:00 01:00", Unreadable),
            ("2026-01-31T08:30:00+1", Unreadable),
            ("2026-01-31T08:30:00+01:", Unreadable),
            ("2026-01-31T08:30:00+010", Unreadable),
            ("2026-01-31T08:30:00+01:00:00", Unreadable),
            ("2026-01-31T08:30:00Z[UTC]", Unreadable),
            ("10000-01-01", Unreadable),
            ("+010000-01-01", Unreadable),
            ("-000001-01-01", Unreadable),
            ("é026-01-31T08:30", Unreadable),
            ("2026-01-31T\u{661}8:30", Unreadable),
            ("2026-01-31T08:30:00.1234567890", TooManyDecimals),
            ("2026-13-01", NoSuchTime),
            ("2026-02-29", NoSuchTime),
            ("2026-00-01", NoSuchTime),
            ("2026-01-31T24:00", NoSuchTime),
            ("2026-01-31T08:60", NoSuchTime),
            ("2026-01-31T08:30:61", NoSuchTime),
            ("2026-01-31T08:30+24:00", OffsetTooLarge),
            ("2026-01-31T08:30-00:60", OffsetTooLarge),
            ("9999-12-31T23:59:59-00:01", AfterLast),
        ] {
            assert_eq!(text.parse::<Moment>(), Err(reason), "{text:?}");
        }
    }
}
