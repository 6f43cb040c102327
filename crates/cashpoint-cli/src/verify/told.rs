//! What an answer tells, field by field, each as the contract writes it.

use std::borrow::Cow;
use std::num::NonZeroI64;

use cashpoint::Cents;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::value::RawValue;

/// An object of an answer. Sums as they were written.
#[derive(Deserialize)]
pub(super) struct Told<'a> {
    #[serde(borrow)]
    pub(super) account_number: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) balance: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) new_balance: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) transaction_amount: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) transaction_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) timestamp: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) created_at: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) last_updated: Option<Cow<'a, str>>,
}

/// What a listing says.
#[derive(Deserialize)]
pub(super) struct Listing<'a> {
    pub(super) total_accounts: u64,
    #[serde(borrow)]
    pub(super) accounts: Vec<Told<'a>>,
}

/// The object that a body is.
pub(super) fn read(body: &[u8]) -> Option<Told<'_>> {
    serde_json::from_slice(body).ok()
}

/// A sum in cents, if its decimals are those of whole cents.
pub(super) fn exact_cents(text: &str) -> Option<i64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let decimals = decimals.trim_end_matches('0');
    if decimals.len() > 2 || text.contains(['e', 'E']) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let cents: i64 = format!("{decimals:0<2}").parse().ok()?;
    let sum = whole.checked_mul(100)?;
    if text.starts_with('-') {
        sum.checked_sub(cents)
    } else {
        sum.checked_add(cents)
    }
}

/// Whether a sum is written as the contract writes it: at least one decimal, and no needless zero.
pub(super) fn is_plain(text: &str, cents: i64) -> bool {
    // No account holds less than nothing; that is told where it is seen.
    Cents::new(cents).is_none_or(|sum| sum.to_string() == text)
}

/// A time as the contract writes it, in microseconds since 1970. The first of them counts as the second.
pub(super) fn time(text: &str) -> Option<NonZeroI64> {
    const FORM: &[u8] = b"0000-00-00T00:00:00.000000";
    let is_written_so = text.len() == FORM.len()
        && text.bytes().zip(FORM).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            _ => byte == *form,
        });
    if !is_written_so {
        return None;
    }
    let instant = TimeZone::UTC
        .to_timestamp(text.parse::<DateTime>().ok()?)
        .ok()?;
    NonZeroI64::new(instant.as_microsecond()).or(NonZeroI64::new(1))
}

/// A time as it is written.
pub(super) fn written(microseconds: NonZeroI64) -> String {
    let instant = jiff::Timestamp::from_microsecond(microseconds.get());
    instant.map_or_else(
        |_| format!("{microseconds} µs"),
        |it| it.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_cents_are_exact() {
        for (text, cents) in [
            ("0", Some(0)),
            ("0.0", Some(0)),
            ("0.1", Some(10)),
            ("12.34", Some(1_234)),
            ("1000.00", Some(100_000)),
            ("-0.05", Some(-5)),
            ("-3.5", Some(-350)),
            ("0.30000000000000004", None),
            ("0.001", None),
            ("1e3", None),
            ("null", None),
            ("\"1\"", None),
        ] {
            assert_eq!(exact_cents(text), cents, "{text}");
        }
    }

    #[test]
    fn sums_are_written_in_one_way() {
        for (text, cents, plain) in [
            ("0.0", 0, true),
            ("0", 0, false),
            ("12.5", 1_250, true),
            ("12.50", 1_250, false),
            ("12.34", 1_234, true),
            ("1000000.0", 100_000_000, true),
            ("-0.05", -5, true),
        ] {
            assert_eq!(is_plain(text, cents), plain, "{text}");
        }
    }

    #[test]
    fn times_are_written_in_one_way() {
        for (text, micros) in [
            ("1970-01-01T00:00:00.000000", Some(1)),
            ("1970-01-01T00:00:01.000002", Some(1_000_002)),
            ("2023-12-07T10:30:00.123456", Some(1_701_945_000_123_456)),
            ("2023-12-07T10:30:00.123456Z", None),
            ("2023-12-07 10:30:00.123456", None),
            ("2023-12-07T10:30:00.123", None),
            ("2023-02-30T10:30:00.123456", None),
            ("", None),
        ] {
            assert_eq!(time(text).map(NonZeroI64::get), micros, "{text}");
        }
    }
}
