//! Reads times: ISO 8601, in UTC unless it says otherwise. `json` writes them.

use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::service::Timestamp;

/// The length of `2023-12-07`, behind which a zone may stand.
const DATE_LEN: usize = 10;

/// Reads a time as answers tell it, or with a zone (`Z`, `+01:00`), or a date alone, which is its midnight.
/// `None` if it is none, or is more exact than a microsecond.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let is_known = |byte: u8| byte.is_ascii_digit() || b"-+:.TtZz ".contains(&byte);
    if !text.bytes().all(is_known) {
        return None;
    }
    // Without a look for a zone, one that is malformed would be passed over.
    let has_zone = text.get(DATE_LEN..)?.contains(['+', '-', 'Z', 'z']);
    let time: jiff::Timestamp = if has_zone {
        text.parse().ok()?
    } else {
        let civil: DateTime = text.parse().ok()?;
        Offset::UTC.to_timestamp(civil).ok()?
    };
    (time.subsec_nanosecond() % 1000 == 0).then(|| Timestamp::from_micros(time.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::super::json::Json;
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for microseconds in [
            -1,
            0,
            1,
            999_999,
            1_701_945_000_123_456,
            253_402_207_200_000_000,
        ] {
            let time = Timestamp::from_micros(microseconds);
            let text = Json::new("").time(time).done();
            assert_eq!(parse(&text), Some(time), "{text}");
            assert_eq!(parse(&format!("{text}Z")), Some(time), "{text}Z");
        }
    }

    #[test]
    fn a_time_may_be_short_or_have_a_zone() {
        let time = |text| parse(text).map(Timestamp::as_micros);
        let half_past_ten = Some(1_701_945_000_000_000);
        for text in [
            "2023-12-07T10:30:00",
            "2023-12-07T10:30",
            "2023-12-07 10:30:00Z",
            "2023-12-07T10:30:00.0z",
            "2023-12-07T11:30:00+01:00",
            "2023-12-07T05:30-05",
        ] {
            assert_eq!(time(text), half_past_ten, "{text}");
        }
        assert_eq!(time("2023-12-07"), Some(1_701_907_200_000_000));
    }

    #[test]
    fn what_is_no_time_is_not_taken_for_one() {
        for text in [
            "",
            "now",
            "2023",
            "2023-12-07T10:30:00.1234567",
            "2023-12-07T10:30:00[Europe/Berlin]",
            "2023-12-07T10:30:00+99",
            "2023-12-07Z",
            "2023-12-07+01:00",
            "2023-13-07",
            "2023-12-07T25:00",
            "2023-02-29",
            "1701945000",
            "10000-01-01",
            "+010000-01-01",
            "é23-12-07T10:30:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
