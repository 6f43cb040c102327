//! Money: whole cents, never a binary float on the way in or out.

// The path is spelled out because the loom models include this file from elsewhere.
mod decimal;

use std::fmt;
use std::str::FromStr;

pub use decimal::ParseCentsError;

/// A sum of money, or a balance: whole cents, `0..=Cents::MAX`.
///
/// Its text is a decimal number of currency units, read by [`FromStr`](std::str::FromStr) and printed
/// by [`Display`](fmt::Display) exactly: with at least one decimal and no needless zero.
///
/// ```
/// use cashpoint::Cents;
///
/// let price: Cents = "12.34".parse()?;
/// assert_eq!(price.get(), 1234);
/// assert_eq!(price.to_string(), "12.34");
/// assert_eq!("1e3".parse::<Cents>()?.to_string(), "1000.0");
/// # Ok::<(), cashpoint::ParseCentsError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cents(i64);

impl Cents {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The largest sum: one cent below ten trillion units, 15 decimal digits.
    ///
    /// A binary double tells any two decimal numbers of 15 digits apart. So a client that reads our
    /// JSON into floats, as most do, still gets the very cent; one digit more and it would not.
    pub const MAX: Self = Self(999_999_999_999_999);

    /// `cents`, if it is in `0..=Cents::MAX`.
    #[must_use]
    #[inline]
    pub const fn new(cents: i64) -> Option<Self> {
        if cents >= 0 && cents <= Self::MAX.0 {
            Some(Self(cents))
        } else {
            None
        }
    }

    /// The number of cents.
    #[must_use]
    #[inline]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The length of the longest sum's text, in bytes.
    pub const TEXT_LEN_MAX: usize = "9999999999999.99".len();

    /// Writes the sum's text into `buffer` and returns it.
    pub fn encode(self, buffer: &mut [u8; Self::TEXT_LEN_MAX]) -> &str {
        let cents = self.0;
        // From the last digit to the first: so the text stands at the end of the buffer.
        let mut places = buffer.iter_mut().rev();
        let mut length = 0;
        let mut put = |byte: u8| {
            if let Some(place) = places.next() {
                *place = byte;
                length += 1;
            }
        };
        // Each remainder is a digit, so it fits.
        let digit = |value: i64| b'0' + (value % 10) as u8;
        if cents % 10 != 0 {
            put(digit(cents));
        }
        put(digit(cents / 10));
        put(b'.');
        let mut units = cents / 100;
        loop {
            put(digit(units));
            units /= 10;
            if units == 0 {
                break;
            }
        }
        let text = buffer.get(buffer.len() - length..).unwrap_or_default();
        str::from_utf8(text).unwrap_or_default()
    }

    /// The sum of both, unless it exceeds [`Cents::MAX`].
    #[must_use]
    #[inline]
    pub const fn checked_add(self, amount: Amount) -> Option<Self> {
        // Both are at most MAX, so the sum cannot overflow.
        Self::new(self.0 + amount.0.0)
    }

    /// What is left of it without `amount`, unless that is more than there is.
    #[must_use]
    #[inline]
    pub const fn checked_sub(self, amount: Amount) -> Option<Self> {
        // Neither is negative, so the difference cannot overflow.
        Self::new(self.0 - amount.0.0)
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.encode(&mut [0; Self::TEXT_LEN_MAX]))
    }
}

/// An amount to be moved: a sum of money that is not nothing, `1..=Cents::MAX` cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(Cents);

impl Amount {
    /// The largest amount, [`Cents::MAX`].
    pub const MAX: Self = Self(Cents::MAX);

    /// `sum`, unless it is nothing.
    #[must_use]
    #[inline]
    pub const fn new(sum: Cents) -> Option<Self> {
        if sum.0 > 0 { Some(Self(sum)) } else { None }
    }

    /// `cents`, if it is in `1..=Cents::MAX`.
    #[must_use]
    #[inline]
    pub const fn from_cents(cents: i64) -> Option<Self> {
        match Cents::new(cents) {
            Some(sum) => Self::new(sum),
            None => None,
        }
    }

    /// The sum to be moved.
    #[must_use]
    #[inline]
    pub const fn cents(self) -> Cents {
        self.0
    }
}

impl FromStr for Amount {
    type Err = ParseAmountError;

    /// As [`Cents`], and not nothing.
    fn from_str(text: &str) -> Result<Self, ParseAmountError> {
        Self::new(text.parse()?).ok_or(ParseAmountError::Zero)
    }
}

/// Why a text is no [`Amount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseAmountError {
    /// It is no sum of money.
    #[error(transparent)]
    Invalid(#[from] ParseCentsError),
    /// It is zero.
    #[error("an amount is more than zero")]
    Zero,
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_prints_with_one_decimal_or_two() {
        for (cents, text) in [
            (0, "0.0"),
            (1, "0.01"),
            (10, "0.1"),
            (12, "0.12"),
            (1234, "12.34"),
            (100_000, "1000.0"),
        ] {
            assert_eq!(Cents::new(cents).unwrap().to_string(), text);
        }
        assert_eq!(Cents::MAX.to_string(), "9999999999999.99");
    }

    #[test]
    fn the_largest_balance_survives_a_client_that_reads_floats() {
        for cents in Cents::MAX.get() - 10_000..=Cents::MAX.get() {
            let text = Cents::new(cents).unwrap().to_string();
            let float: f64 = text.parse().unwrap();
            assert_eq!(
                format!("{float:.2}").parse(),
                Ok(Cents::new(cents).unwrap()),
                "{text}"
            );
        }
    }

    #[test]
    fn an_amount_is_read_like_a_sum_and_is_not_zero() {
        assert_eq!("0.01".parse(), Ok(Amount::from_cents(1).unwrap()));
        assert_eq!("0.00".parse::<Amount>(), Err(ParseAmountError::Zero));
        let invalid = "1.005".parse::<Cents>().unwrap_err();
        let read = "1.005".parse::<Amount>();
        assert_eq!(read, Err(ParseAmountError::Invalid(invalid)));
    }

    #[test]
    fn sums_stay_within_their_range() {
        assert_eq!(Cents::new(-1), None);
        assert_eq!(Cents::new(Cents::MAX.get() + 1), None);
        assert_eq!(Amount::new(Cents::ZERO), None);
        assert_eq!(Cents::MAX.checked_add(Amount::MAX), None);
        assert_eq!(Cents::ZERO.checked_sub(Amount::MAX), None);
        assert_eq!(Cents::MAX.checked_sub(Amount::MAX), Some(Cents::ZERO));
    }
}
