//! The bodies that the contract fixes to the byte, and what tests say about an answer.

use crate::support::Response;

/// The body of a business refusal.
pub(crate) fn detail(text: &str) -> String {
    format!(r#"{{"detail":"{text}"}}"#)
}

/// One error of a 422 answer, in FastAPI's shape.
pub(crate) struct Invalid {
    kind: &'static str,
    message: String,
    context: Option<String>,
}

impl Invalid {
    fn new(kind: &'static str, message: &str) -> Self {
        Self {
            kind,
            message: message.to_owned(),
            context: None,
        }
    }

    fn context(mut self, context: &str) -> Self {
        self.context = Some(context.to_owned());
        self
    }

    pub(crate) fn missing() -> Self {
        Self::new("missing", "Field required")
    }

    pub(crate) fn not_an_object() -> Self {
        let message = "Input should be a valid dictionary or object to extract fields from";
        Self::new("model_attributes_type", message)
    }

    pub(crate) fn not_positive() -> Self {
        Self::new("greater_than", "Input should be greater than 0").context(r#"{"gt":0.0}"#)
    }

    pub(crate) fn negative() -> Self {
        Self::new(
            "greater_than_equal",
            "Input should be greater than or equal to 0",
        )
        .context(r#"{"ge":0.0}"#)
    }

    /// Above the maximum, which the message and the context print each in its own way.
    pub(crate) fn above(in_message: &str, in_context: &str) -> Self {
        Self::new(
            "less_than_equal",
            &format!("Input should be less than or equal to {in_message}"),
        )
        .context(&format!(r#"{{"le":{in_context}}}"#))
    }

    pub(crate) fn not_a_number() -> Self {
        Self::new("float_type", "Input should be a valid number")
    }

    pub(crate) fn not_a_number_in_text() -> Self {
        let message = "Input should be a valid number, unable to parse string as a number";
        Self::new("float_parsing", message)
    }

    pub(crate) fn too_many_decimals() -> Self {
        let message = "Decimal input should have no more than 2 decimal places";
        Self::new("decimal_max_places", message).context(r#"{"decimal_places":2}"#)
    }

    pub(crate) fn not_an_integer() -> Self {
        let message = "Input should be a valid integer, unable to parse string as an integer";
        Self::new("int_parsing", message)
    }

    pub(crate) fn text_too_short() -> Self {
        let message = "String should have at least 1 character";
        Self::new("string_too_short", message).context(r#"{"min_length":1}"#)
    }

    pub(crate) fn text_too_long(max: usize) -> Self {
        let message = format!("String should have at most {max} characters");
        Self::new("string_too_long", &message).context(&format!(r#"{{"max_length":{max}}}"#))
    }

    pub(crate) fn wrong_pattern(pattern: &str) -> Self {
        let message = format!("String should match pattern '{pattern}'");
        let context = format!(r#"{{"pattern":"{pattern}"}}"#);
        Self::new("string_pattern_mismatch", &message).context(&context)
    }

    /// Sent so many times, where once is right.
    pub(crate) fn several(times: usize) -> Self {
        let message = format!("List should have at most 1 item after validation, not {times}");
        let context = format!(r#"{{"field_type":"List","max_length":1,"actual_length":{times}}}"#);
        Self::new("too_long", &message).context(&context)
    }

    pub(crate) fn wrong_form(reason: &str) -> Self {
        let message = format!("Value error, {reason}");
        Self::new("value_error", &message).context(&format!(r#"{{"error":"{reason}"}}"#))
    }

    pub(crate) fn limit_below_one() -> Self {
        Self::new(
            "greater_than_equal",
            "Input should be greater than or equal to 1",
        )
        .context(r#"{"ge":1}"#)
    }

    pub(crate) fn limit_above_1000() -> Self {
        Self::new(
            "less_than_equal",
            "Input should be less than or equal to 1000",
        )
        .context(r#"{"le":1000}"#)
    }

    /// The whole body; `loc` and `input` are JSON.
    pub(crate) fn at(&self, loc: &str, input: &str) -> String {
        let Self {
            kind,
            message,
            context,
        } = self;
        let context = context
            .as_ref()
            .map_or(String::new(), |it| format!(r#","ctx":{it}"#));
        format!(
            r#"{{"detail":[{{"type":"{kind}","loc":{loc},"msg":"{message}","input":{input}{context}}}]}}"#
        )
    }
}

/// Asserts status, body and content type of an answer in JSON.
#[track_caller]
pub(crate) fn assert_answer(response: &Response, status: u16, body: &str, case: &str) {
    assert_eq!(response.text(), body, "body: {case}");
    assert_eq!(response.status, status, "status: {case}");
    assert_eq!(
        response.header("content-type"),
        Some("application/json"),
        "content type: {case}"
    );
}

/// Asserts that a text is a UUID of version 4 in its canonical form.
#[track_caller]
pub(crate) fn assert_uuid_v4(text: &str) {
    assert_eq!(text.len(), 36, "{text}");
    for (position, character) in text.bytes().enumerate() {
        let allowed: &[u8] = match position {
            8 | 13 | 18 | 23 => b"-",
            14 => b"4",
            19 => b"89ab",
            _ => b"0123456789abcdef",
        };
        assert!(
            allowed.contains(&character),
            "position {position} of {text}"
        );
    }
}

/// Asserts the form `2023-12-07T10:30:00.123456` and returns the seconds since 1970.
#[track_caller]
pub(crate) fn seconds_of_timestamp(text: &str) -> u64 {
    let form: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(form, "0000-00-00T00:00:00.000000", "{text}");
    let number = |from: usize, to: usize| text[from..to].parse::<u64>().expect("digits");
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let is_leap = leap_days(year) > leap_days(year - 1);
    let months = [
        31,
        if is_leap { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let days_before_month: u64 = months.iter().zip(1..month).map(|(days, _)| days).sum();
    let days_before_year = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    let days = days_before_year + days_before_month + day - 1;
    ((days * 24 + number(11, 13)) * 60 + number(14, 16)) * 60 + number(17, 19)
}

/// A small generator of repeatable noise (xorshift), for tests that try many inputs.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).expect("53 bits") % limit
    }

    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}
