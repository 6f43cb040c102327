//! Reads cents from decimal text, exactly.
//!
//! The text is a JSON number: sign, digits, fraction, exponent. It is taken apart as text. No value on
//! the way is a binary float, and no length of digits or exponent costs more than one pass.

use std::str::FromStr;

use super::Cents;

/// How many decimal places lie between a unit of currency and its cents.
const CENT_PLACES: i64 = 2;

/// Digits of the largest sum in cents. They are all nines, so that a sum's length tells if it is larger.
const CENTS_DIGITS_MAX: i64 = 15;

/// How many further places must be all zeros or all nines for a sum to mean the nearest cent.
///
/// Clients that compute in binary floats send `0.30000000000000004` for 0.30. A value within one
/// millionth of a cent of a whole cent means that cent.
const FLOAT_NOISE_PLACES: i64 = 6;

/// Those places, all nines.
const FLOAT_NOISE_NINES: i64 = 999_999;

/// The size at which an exponent settles the matter whatever the digits are: no text has as many.
const EXPONENT_MAX: i64 = 1 << 56;

/// Why a text is no sum of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseCentsError {
    /// It is no decimal number as JSON writes them.
    #[error("not a decimal number")]
    NotANumber,
    /// It is below zero.
    #[error("below zero")]
    Negative,
    /// It is above [`Cents::MAX`].
    #[error("above the largest sum, {}", Cents::MAX)]
    TooLarge,
    /// It has more than two decimal places.
    #[error("more than two decimal places")]
    FractionOfCent,
}

impl FromStr for Cents {
    type Err = ParseCentsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let decimal = Decimal::scan(text).ok_or(ParseCentsError::NotANumber)?;
        if decimal.digits.is_empty() {
            return Ok(Self::ZERO);
        }
        if decimal.negative {
            return Err(ParseCentsError::Negative);
        }
        decimal.to_cents()
    }
}

/// A decimal number, `digits × 10^exponent`. The digits neither begin nor end with a zero; zero has
/// none.
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// Reads the grammar of RFC 8259, section 6. `None` if the text does not follow it.
    fn scan(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, scan_exponent(exponent)?),
            None => (rest, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let well_formed = is_digits(whole)
            && (whole == "0" || !whole.starts_with('0'))
            && fraction.is_none_or(is_digits);
        if !well_formed {
            return None;
        }

        let fraction = fraction.unwrap_or("");
        let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let mut exponent = exponent - i64::try_from(fraction.len()).ok()?;
        while digits.pop_if(|digit| *digit == b'0').is_some() {
            exponent += 1;
        }
        let leading_zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..leading_zeros);
        Some(Self {
            negative,
            digits,
            exponent,
        })
    }

    /// The value in cents, of a number above zero.
    fn to_cents(&self) -> Result<Cents, ParseCentsError> {
        // The place of the first digit below a cent; negative if there are zeros before `digits`.
        let split = place(self.digits.len()) + self.exponent + CENT_PLACES;
        if split > CENTS_DIGITS_MAX {
            return Err(ParseCentsError::TooLarge);
        }
        let whole = self.places(0, split);
        let noise = self.places(split, split + FLOAT_NOISE_PLACES);
        let exact_noise = split + FLOAT_NOISE_PLACES >= place(self.digits.len());
        let cents = match noise {
            0 => whole,
            1 if exact_noise => whole,
            FLOAT_NOISE_NINES => whole + 1,
            _ => return Err(ParseCentsError::FractionOfCent),
        };
        if cents == 0 {
            // Something, but nearly nothing: no cent is near enough to be meant.
            return Err(ParseCentsError::FractionOfCent);
        }
        Cents::new(cents).ok_or(ParseCentsError::TooLarge)
    }

    /// The digits at the places `from..to` as a number. There are zeros on either side of `digits`.
    fn places(&self, from: i64, to: i64) -> i64 {
        (from..to).fold(0, |number, place| {
            let digit = usize::try_from(place)
                .ok()
                .and_then(|index| self.digits.get(index));
            number * 10 + digit.map_or(0, |digit| i64::from(digit - b'0'))
        })
    }
}

/// A length of text as a place among digits.
fn place(length: usize) -> i64 {
    // No text is longer than `isize::MAX` bytes.
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// An exponent with its sign. It saturates, because beyond `EXPONENT_MAX` its size does not matter.
fn scan_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !is_digits(digits) {
        return None;
    }
    let size = digits.bytes().fold(0, |size, digit| {
        (size * 10 + i64::from(digit - b'0')).min(EXPONENT_MAX)
    });
    Some(if text.starts_with('-') { -size } else { size })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::ParseCentsError::{FractionOfCent, Negative, NotANumber, TooLarge};
    use super::*;

    fn read(text: &str) -> Result<i64, ParseCentsError> {
        text.parse().map(Cents::get)
    }

    #[test]
    fn every_notation_of_json_is_read() {
        for (text, cents) in [
            ("0", 0),
            ("-0.0", 0),
            ("0e99999999999999999999", 0),
            ("1000", 100_000),
            ("1e3", 100_000),
            ("1E+3", 100_000),
            ("5.5000", 550),
            ("0.1", 10),
            ("12.34", 1234),
            ("1234e-2", 1234),
            ("0.0001e4", 100),
            ("9999999999999.99", Cents::MAX.get()),
            ("0.00000000000000999999999999999e27", Cents::MAX.get()),
        ] {
            assert_eq!(read(text), Ok(cents), "{text}");
        }
    }

    #[test]
    fn float_noise_means_the_cent_that_it_is_near_to() {
        for (text, cents) in [
            ("0.30000000000000004", 30),
            ("0.29999999999999998", 30),
            ("0.30000001", 30),
            ("0.29999999", 30),
            ("0.00999999", 1),
            ("999.99999999999", 100_000),
        ] {
            assert_eq!(read(text), Ok(cents), "{text}");
        }
        for text in [
            "0.300000010000001",
            "0.30000002",
            "0.29999998",
            "0.001",
            "1.005",
            "1e-300",
        ] {
            assert_eq!(read(text), Err(FractionOfCent), "{text}");
        }
    }

    #[test]
    fn what_is_no_sum_of_money_is_refused_for_its_reason() {
        for (text, reason) in [
            ("-0.01", Negative),
            ("-1e-300", Negative),
            ("-1e400", Negative),
            ("1e400", TooLarge),
            ("1e99999999999999999999", TooLarge),
            ("10000000000000", TooLarge),
            ("9999999999999.999999999", TooLarge),
            ("1e-99999999999999999999", FractionOfCent),
        ] {
            assert_eq!(read(text), Err(reason), "{text}");
        }
        for text in [
            "",
            "-",
            "+1",
            ".5",
            "5.",
            "01",
            "1e",
            "1e+",
            "1.e3",
            "0x10",
            "1_000",
            "1,5",
            " 1",
            "1 ",
            "NaN",
            "Infinity",
            "-Infinity",
            "--1",
            "1e3.5",
            "1e--3",
            "\u{661}",
        ] {
            assert_eq!(read(text), Err(NotANumber), "{text:?}");
        }
    }

    #[test]
    fn a_text_of_a_million_digits_is_read_in_one_pass() {
        let zeros = "0".repeat(1_000_000);
        assert_eq!(read(&format!("0.{zeros}1e1000001")), Ok(100));
        assert_eq!(read(&format!("1{zeros}e-1000000")), Ok(100));
        assert_eq!(read(&format!("1{zeros}")), Err(TooLarge));
    }
}
