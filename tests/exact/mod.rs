//! What money means, by arithmetic of arbitrary precision. Random tests hold the engine against it
//! (`tests/engine/money.rs`), and so does fuzzing (`fuzz/fuzz_targets/amounts.rs`).

use std::str::FromStr as _;

use bigdecimal::{BigDecimal, RoundingMode, Zero as _};
use cashpoint::{Cents, ParseCentsError};
use serde_json::value::RawValue;

/// The largest exponent for which numbers are written out in full.
const EXPONENT_MAX: u32 = 1_000;

/// Reads a text, and prints what was read.
///
/// - It is a number exactly if JSON says so, and then means what [`meant`] says.
/// - What is printed reads back, and is as short as can be.
pub(crate) fn amount(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let read = text.parse::<Cents>();
    assert_eq!(
        read != Err(ParseCentsError::NotANumber),
        is_number(text),
        "{text:?}"
    );
    if is_number(text) && is_of_moderate_size(text) {
        assert_eq!(read.map(Cents::get), meant(text), "{text:?}");
    }
    if let Ok(cents) = read {
        assert_printed_exactly(cents);
    }
}

/// Whether a text is a number as JSON writes it, by serde's reading of the grammar.
pub(crate) fn is_number(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
        && text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && text.trim() == text
}

fn is_of_moderate_size(number: &str) -> bool {
    let exponent = number.split(['e', 'E']).nth(1).unwrap_or("0");
    exponent
        .trim_start_matches(['+', '-'])
        .parse::<u32>()
        .is_ok_and(|exponent| exponent <= EXPONENT_MAX)
}

/// What a JSON number means, by the rule: a value within a millionth of a cent of a whole cent means that
/// cent; nothing but zero means no money.
pub(crate) fn meant(number: &str) -> Result<i64, ParseCentsError> {
    let cents = BigDecimal::from_str(number).unwrap() * BigDecimal::from(100);
    if cents.is_zero() {
        return Ok(0);
    }
    if cents < BigDecimal::zero() {
        return Err(ParseCentsError::Negative);
    }
    let nearest = cents.with_scale_round(0, RoundingMode::HalfUp);
    let is_near = (&cents - &nearest).abs() <= BigDecimal::from_str("1e-6").unwrap();
    if !is_near || nearest.is_zero() {
        // A number of 16 digits and more is too large whatever follows.
        return Err(if cents >= 10_i64.pow(15) {
            ParseCentsError::TooLarge
        } else {
            ParseCentsError::FractionOfCent
        });
    }
    if nearest > Cents::MAX.get() {
        return Err(ParseCentsError::TooLarge);
    }
    Ok(nearest.to_string().parse().unwrap())
}

/// That a sum's text is exact and reads back, with at least one decimal and no needless zero.
pub(crate) fn assert_printed_exactly(cents: Cents) {
    let printed = cents.to_string();
    assert_eq!(printed.parse(), Ok(cents), "{printed}");
    let exact = BigDecimal::from_str(&printed).unwrap() * BigDecimal::from(100);
    assert_eq!(exact, BigDecimal::from(cents.get()), "{printed}");
    let (units, decimals) = printed.split_once('.').unwrap();
    assert!(units == "0" || !units.starts_with('0'), "{printed}");
    assert!(
        decimals.len() == 1 || (decimals.len() == 2 && !decimals.ends_with('0')),
        "{printed}"
    );
}
