//! Answers in JSON, written piece by piece.
//!
//! By hand, for two reasons: a JSON library knows a number with decimals only as a binary float, and
//! formatting took a tenth of the instructions of a balance read.

use std::cell::Cell;
use std::fmt::Write as _;

use cashpoint::service::Timestamp;
use cashpoint::{AccountNumber, Cents};

use crate::moment::wall_clock;

/// As much as most answers take.
const CAPACITY: usize = 256;

/// JSON text that is being written. What is given as text must be JSON already.
#[derive(Debug)]
pub(super) struct Json(String);

impl Json {
    /// Begins with `text`.
    pub(super) fn new(text: &str) -> Self {
        Self::with_capacity(CAPACITY).text(text)
    }

    /// Begins with nothing, and has room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    pub(super) fn text(mut self, text: &str) -> Self {
        self.0.push_str(text);
        self
    }

    /// A text, quoted.
    pub(super) fn string(self, text: &str) -> Self {
        self.text(&serde_json::Value::from(text).to_string())
    }

    pub(super) fn number(self, number: AccountNumber) -> Self {
        self.text(number.encode(&mut [0; AccountNumber::TEXT_LEN]))
    }

    pub(super) fn money(self, sum: Cents) -> Self {
        self.text(sum.encode(&mut [0; Cents::TEXT_LEN_MAX]))
    }

    pub(super) fn count(self, count: u64) -> Self {
        self.text(itoa::Buffer::new().format(count))
    }

    /// A time as ISO 8601 without a zone, in UTC, with six digits of microseconds.
    pub(super) fn time(mut self, time: Timestamp) -> Self {
        const SECOND: i64 = 1_000_000;
        push_second(&mut self.0, time.as_micros().div_euclid(SECOND));
        self.0.push('.');
        let microseconds = time.as_micros().rem_euclid(SECOND);
        for place in [100_000, 10_000, 1_000, 100, 10, 1] {
            // A digit, so it fits.
            self.0
                .push((b'0' + (microseconds / place % 10) as u8).into());
        }
        self
    }

    pub(super) fn done(self) -> String {
        self.0
    }
}

/// Writes what a time has up to its seconds. A thread keeps the last one, which most answers share.
fn push_second(out: &mut String, second: i64) {
    const LENGTH: usize = "2023-12-07T10:30:00".len();
    thread_local! {
        static LAST: Cell<(i64, [u8; LENGTH])> = const { Cell::new((i64::MIN, [0; LENGTH])) };
    }
    let (last, text) = LAST.get();
    if last == second
        && let Ok(text) = str::from_utf8(&text)
    {
        return out.push_str(text);
    }
    let start = out.len();
    let time = Timestamp::from_micros(second.saturating_mul(1_000_000));
    // Writing to a `String` cannot fail.
    let _ = write!(out, "{:.0}", wall_clock(time));
    if let Some(Ok(text)) = out.as_bytes().get(start..).map(TryInto::try_into) {
        LAST.set((second, text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(microseconds: i64) -> String {
        Json::new("")
            .time(Timestamp::from_micros(microseconds))
            .done()
    }

    #[test]
    fn times_have_six_decimals_and_no_zone() {
        for (microseconds, text) in [
            (0, "1970-01-01T00:00:00.000000"),
            (1_701_945_000_123_456, "2023-12-07T10:30:00.123456"),
            (1_701_945_000_000_001, "2023-12-07T10:30:00.000001"),
            (1_701_945_000_999_999, "2023-12-07T10:30:00.999999"),
            (1_701_945_001_000_000, "2023-12-07T10:30:01.000000"),
            (951_782_399_000_000, "2000-02-28T23:59:59.000000"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000"),
            (-1, "1969-12-31T23:59:59.999999"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999"),
        ] {
            assert_eq!(time(microseconds), text);
        }
    }
}
