//! Quantities as people read them.

#![expect(clippy::float_arithmetic, reason = "times, rates and sizes, not money")]

/// A number of operations a second, such as `124,000`: to three digits, which is more than the machine
/// repeats.
pub(crate) fn rate(per_second: f64) -> String {
    if per_second <= 0.0 {
        return "0".to_owned();
    }
    let scale = 10_f64.powf((per_second.log10().floor() - 2.0).max(0.0));
    grouped(((per_second / scale).round() * scale) as u64)
}

/// A whole number, its digits in groups of three.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (digit, left) in digits.chars().zip((0..digits.len()).rev()) {
        text.push(digit);
        if left > 0 && left % 3 == 0 {
            text.push(',');
        }
    }
    text
}

/// Money that is not below zero, from cents: `1,234.50`.
pub(crate) fn money(cents: u64) -> String {
    format!("{}.{:02}", grouped(cents / 100), cents % 100)
}

/// So many things: `1 account`, `1,000 accounts`.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(number))
}

/// A time in nanoseconds, in the unit that fits.
pub(crate) fn time(nanoseconds: u64) -> String {
    let value = nanoseconds as f64;
    match nanoseconds {
        0..1_000 => format!("{nanoseconds} ns"),
        1_000..1_000_000 => format!("{} µs", three_digits(value / 1e3)),
        1_000_000..1_000_000_000 => format!("{} ms", three_digits(value / 1e6)),
        _ => format!("{} s", three_digits(value / 1e9)),
    }
}

/// A size in bytes, in megabytes.
pub(crate) fn size(bytes: u64) -> String {
    format!("{} MB", three_digits(bytes as f64 / 1e6))
}

fn three_digits(value: f64) -> String {
    if value < 10.0 {
        format!("{value:.2}")
    } else if value < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_short_and_have_a_unit() {
        assert_eq!(rate(0.0), "0");
        assert_eq!(rate(12.0), "12");
        assert_eq!(rate(123_456.7), "123,000");
        assert_eq!(rate(118_700_000.0), "119,000,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(100), "100");
        assert_eq!(counted(0, "account"), "0 accounts");
        assert_eq!(counted(1, "account"), "1 account");
        assert_eq!(counted(1_000, "account"), "1,000 accounts");
        assert_eq!(time(999), "999 ns");
        assert_eq!(time(1_250), "1.25 µs");
        assert_eq!(time(12_500_000), "12.5 ms");
        assert_eq!(time(3_000_000_000), "3.00 s");
        assert_eq!(size(7_740_000), "7.74 MB");
    }
}
