//! Numbers in strings. The service that this one replaces takes more there than JSON does, and so must we.
//!
//! What is taken is what pydantic 2.14.4 takes (compared on a million strings), and beyond it a blank beside an
//! underscore, which Python's own `float` takes:
//!
//! - blanks around it, of any script;
//! - a sign, `+` too; zeros before it; a point without digits on one side;
//! - single underscores anywhere but at its begin and its end.
//!
//! Only the notation is changed here, so that money is still read by its digits.

use std::borrow::Cow;

/// The number as JSON writes it. `None` if the text is no number, even so.
pub(super) fn in_json(text: &str) -> Option<String> {
    let text = without_underscores(text.trim())?;
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(&text)),
    };
    let (mantissa, exponent) = digits.split_at(digits.find(['e', 'E']).unwrap_or(digits.len()));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // Without zeros before it, `0-5` would become a number.
    let is_whole = whole.bytes().all(|byte| byte.is_ascii_digit());
    if !is_whole || whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = or_zero(whole.trim_start_matches('0'));
    let fraction = or_zero(fraction);
    Some(format!("{sign}{whole}.{fraction}{exponent}"))
}

fn or_zero(digits: &str) -> &str {
    if digits.is_empty() { "0" } else { digits }
}

fn without_underscores(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('_') {
        return Some(text.into());
    }
    let is_odd = text.starts_with('_') || text.ends_with('_') || text.contains("__");
    (!is_odd).then(|| text.replace('_', "").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cashpoint::Cents;

    fn read(text: &str) -> Option<i64> {
        let sum: Cents = in_json(text)?.parse().ok()?;
        Some(sum.get())
    }

    #[test]
    fn what_pydantic_takes_is_taken() {
        for (text, cents) in [
            ("5", 500),
            ("+5", 500),
            (".5", 50),
            ("5.", 500),
            ("005.00", 500),
            ("1_000", 100_000),
            ("1_0.5_0", 1_050),
            ("1._5", 150),
            ("1_.5", 150),
            ("._5", 50),
            ("1e_1", 1_000),
            ("1_e+1", 1_000),
            ("+.5e1", 500),
            ("+_1", 100),
            ("-0.", 0),
            ("00", 0),
            ("\u{a0}\t5\u{2003}", 500),
            (" 1_000\n", 100_000),
        ] {
            assert_eq!(read(text), Some(cents), "{text:?}");
        }
    }

    #[test]
    fn what_pydantic_refuses_is_refused() {
        for text in [
            "",
            " ",
            ".",
            "+",
            "-",
            "_",
            "_1",
            "1_",
            "1__0",
            "+-5",
            "-+5",
            "--5",
            "++5",
            "+ 5",
            "0-5",
            "1 0",
            "1_ 0",
            "1,000",
            "0x10",
            "1e",
            "1e+",
            "e5",
            ".e5",
            "1.2.3",
            "1e1.5",
            "inf",
            "nan",
            "\u{661}",
            "\u{ff11}",
            "\u{feff}5",
            "5\0",
            "\u{1c}5",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
