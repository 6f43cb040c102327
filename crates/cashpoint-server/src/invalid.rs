//! Invalid input, in the shape in which FastAPI reports it: what was wrong, where, and what was sent.

use std::borrow::Cow;
use std::fmt;

use cashpoint::Cents;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// The longest input that is sent back in full.
const ECHO_MAX_BYTES: usize = 256;

/// One thing that is wrong with a request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ValidationError)]
pub(super) struct InvalidInput {
    /// The kind of error, for programs.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Where the input was.
    #[schema(example = json!(["body", "amount"]))]
    loc: Vec<Location>,
    /// The error in words.
    msg: Cow<'static, str>,
    /// What was sent.
    #[schema(value_type = Value)]
    input: Box<RawValue>,
    /// The bound that was not kept, or what the parser said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    ctx: Option<Box<RawValue>>,
}

/// A step on the way to an input.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Location {
    Name(Cow<'static, str>),
    Position(usize),
}

/// The answer to a request with invalid input.
#[derive(ToSchema)]
#[schema(as = HTTPValidationError)]
#[expect(dead_code, reason = "describes an answer that `answer` writes")]
pub(super) struct InvalidInputResponse {
    detail: Vec<InvalidInput>,
}

/// Where a value was sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// A field of the body.
    Body(&'static str),
    /// A parameter of the query.
    Query(&'static str),
    /// A header.
    Header(&'static str),
}

impl Place {
    fn location(self) -> Vec<Location> {
        let (part, name) = match self {
            Self::Body(name) => ("body", name),
            Self::Query(name) => ("query", name),
            Self::Header(name) => ("header", name),
        };
        vec![Location::Name(part.into()), Location::Name(name.into())]
    }
}

impl InvalidInput {
    fn new(
        kind: &'static str,
        loc: Vec<Location>,
        msg: impl Into<Cow<'static, str>>,
        input: Box<RawValue>,
    ) -> Self {
        Self {
            kind,
            loc,
            msg: msg.into(),
            input,
            ctx: None,
        }
    }

    fn with_ctx(self, ctx: String) -> Self {
        Self {
            ctx: Some(raw(ctx)),
            ..self
        }
    }

    /// There is no body.
    pub(super) fn missing_body() -> Self {
        Self::new(
            "missing",
            vec![Location::Name("body".into())],
            "Field required",
            null(),
        )
    }

    /// The body, `object`, lacks a field.
    pub(super) fn missing_field(place: Place, object: &RawValue) -> Self {
        Self::new("missing", place.location(), "Field required", echo(object))
    }

    /// The body is no JSON object, but `input`.
    pub(super) fn no_object(input: Box<RawValue>) -> Self {
        Self::new(
            "model_attributes_type",
            vec![Location::Name("body".into())],
            "Input should be a valid dictionary or object to extract fields from",
            input,
        )
    }

    /// The body breaks off being JSON at `position`, counted in characters.
    pub(super) fn malformed_json(position: usize, error: &str) -> Self {
        let loc = vec![Location::Name("body".into()), Location::Position(position)];
        Self::new(
            "json_invalid",
            loc,
            "JSON decode error",
            raw("{}".to_owned()),
        )
        .with_ctx(format!(r#"{{"error":{}}}"#, quote(error)))
    }

    /// The value is no number, nor a string.
    pub(super) fn wrong_type(place: Place, input: &RawValue) -> Self {
        Self::new(
            "float_type",
            place.location(),
            "Input should be a valid number",
            echo(input),
        )
    }

    /// The string holds no number.
    pub(super) fn no_number(place: Place, input: &RawValue) -> Self {
        Self::new(
            "float_parsing",
            place.location(),
            "Input should be a valid number, unable to parse string as a number",
            echo(input),
        )
    }

    /// The value has a fraction of a cent.
    pub(super) fn fraction_of_cent(place: Place, input: &RawValue) -> Self {
        Self::new(
            "decimal_max_places",
            place.location(),
            "Decimal input should have no more than 2 decimal places",
            echo(input),
        )
        .with_ctx(r#"{"decimal_places":2}"#.to_owned())
    }

    /// The value is not above zero.
    pub(super) fn not_above_zero(place: Place, input: &RawValue) -> Self {
        Self::new(
            "greater_than",
            place.location(),
            "Input should be greater than 0",
            echo(input),
        )
        .with_ctx(r#"{"gt":0.0}"#.to_owned())
    }

    /// The value is below zero.
    pub(super) fn below_zero(place: Place, input: &RawValue) -> Self {
        let msg = "Input should be greater than or equal to 0";
        Self::new("greater_than_equal", place.location(), msg, echo(input))
            .with_ctx(r#"{"ge":0.0}"#.to_owned())
    }

    /// The value is above `max`.
    pub(super) fn above(place: Place, input: &RawValue, max: Cents) -> Self {
        let decimal = max.to_string();
        let shortest = decimal.strip_suffix(".0").unwrap_or(&decimal);
        let msg = format!("Input should be less than or equal to {shortest}");
        Self::new("less_than_equal", place.location(), msg, echo(input))
            .with_ctx(format!(r#"{{"le":{decimal}}}"#))
    }

    /// The parameter is no whole number.
    pub(super) fn no_integer(place: Place, input: &str) -> Self {
        let msg = "Input should be a valid integer, unable to parse string as an integer";
        Self::new("int_parsing", place.location(), msg, echo_text(input))
    }

    /// The parameter is below `min`.
    pub(super) fn integer_below(place: Place, input: &str, min: usize) -> Self {
        let msg = format!("Input should be greater than or equal to {min}");
        Self::new(
            "greater_than_equal",
            place.location(),
            msg,
            echo_text(input),
        )
        .with_ctx(format!(r#"{{"ge":{min}}}"#))
    }

    /// The text is empty.
    pub(super) fn empty_text(place: Place) -> Self {
        let msg = "String should have at least 1 character";
        Self::new("string_too_short", place.location(), msg, echo_text(""))
            .with_ctx(r#"{"min_length":1}"#.to_owned())
    }

    /// The text has more than `max` characters.
    pub(super) fn text_too_long(place: Place, input: &str, max: usize) -> Self {
        let msg = format!("String should have at most {max} characters");
        Self::new("string_too_long", place.location(), msg, echo_text(input))
            .with_ctx(format!(r#"{{"max_length":{max}}}"#))
    }

    /// The text has a character that it may not have.
    pub(super) fn wrong_pattern(place: Place, input: &str, pattern: &str) -> Self {
        Self::new(
            "string_pattern_mismatch",
            place.location(),
            format!("String should match pattern '{pattern}'"),
            echo_text(input),
        )
        .with_ctx(format!(r#"{{"pattern":{}}}"#, quote(pattern)))
    }

    /// The parameter is none of `known`.
    pub(super) fn unknown_parameter(name: &str, input: &str, known: &[&str]) -> Self {
        let name = cut(name).to_owned();
        let loc = vec![Location::Name("query".into()), Location::Name(name.into())];
        let known = known.join(", ");
        let msg = format!("Extra inputs are not permitted; the parameters are {known}");
        Self::new("extra_forbidden", loc, msg, echo_text(input))
    }

    /// There are several values where there may be one.
    pub(super) fn several(place: Place, inputs: &[Cow<'_, str>]) -> Self {
        let count = inputs.len();
        let list = raw(Value::from(inputs).to_string());
        Self::new(
            "too_long",
            place.location(),
            format!("List should have at most 1 item after validation, not {count}"),
            echo(&list),
        )
        .with_ctx(format!(
            r#"{{"field_type":"List","max_length":1,"actual_length":{count}}}"#
        ))
    }

    /// The text does not have a form that it has to have.
    pub(super) fn wrong_form(place: Place, input: &str, reason: &str) -> Self {
        let msg = format!("Value error, {reason}");
        Self::new("value_error", place.location(), msg, echo_text(input))
            .with_ctx(format!(r#"{{"error":{}}}"#, quote(reason)))
    }

    /// The parameter is above `max`.
    pub(super) fn integer_above(place: Place, input: &str, max: usize) -> Self {
        let msg = format!("Input should be less than or equal to {max}");
        Self::new("less_than_equal", place.location(), msg, echo_text(input))
            .with_ctx(format!(r#"{{"le":{max}}}"#))
    }
}

/// For the log: what and where, but not what was sent.
impl fmt::Display for InvalidInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.loc {
            match step {
                Location::Name(name) => write!(f, "{name}.")?,
                Location::Position(position) => write!(f, "{position}.")?,
            }
        }
        write!(f, " {}", self.msg)
    }
}

/// `input` as it was sent, without the spaces between its parts. As a text, if it is long (then cut), or
/// if it is JSON that many parsers do not read, as `1e400`.
pub(super) fn echo(input: &RawValue) -> Box<RawValue> {
    let compact = without_spaces(input.get());
    if compact.len() <= ECHO_MAX_BYTES && serde_json::from_str::<Value>(&compact).is_ok() {
        return raw(compact);
    }
    match serde_json::from_str::<String>(&compact) {
        Ok(text) => echo_text(&text),
        Err(_) => echo_text(&compact),
    }
}

/// `input` as a JSON string, cut if it is long.
pub(super) fn echo_text(input: &str) -> Box<RawValue> {
    raw(quote(cut(input)))
}

/// The begin of a text that is long.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(ECHO_MAX_BYTES))
        .unwrap_or(text)
}

/// A JSON text without the white space outside its strings.
fn without_spaces(json: &str) -> String {
    let mut in_string = false;
    let mut escaped = false;
    let outside_string_or_no_space = |character: &char| {
        if in_string {
            in_string = escaped || *character != '"';
            escaped = !escaped && *character == '\\';
            true
        } else {
            in_string = *character == '"';
            !character.is_ascii_whitespace()
        }
    };
    json.chars().filter(outside_string_or_no_space).collect()
}

fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

/// A text that is known to be JSON.
fn raw(json: String) -> Box<RawValue> {
    debug_assert!(serde_json::from_str::<&RawValue>(&json).is_ok(), "{json}");
    RawValue::from_string(json).unwrap_or_else(|_| null())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_comes_back_as_it_was_without_spaces() {
        for (sent, echoed) in [
            ("-5.50", "-5.50"),
            ("[ 1 , 2 ]", "[1,2]"),
            (
                r#"{ "a b" : " c \" d \\" , "e":null }"#,
                r#"{"a b":" c \" d \\","e":null}"#,
            ),
        ] {
            assert_eq!(echo(serde_json::from_str(sent).unwrap()).get(), echoed);
        }
    }

    #[test]
    fn a_long_input_is_cut_to_a_string() {
        let long_text = format!("\"{}\"", "é".repeat(200));
        let cut = echo(serde_json::from_str(&long_text).unwrap());
        assert_eq!(cut.get(), format!("\"{}\"", "é".repeat(128)));

        let long_list = format!("[{}1]", "1,".repeat(200));
        let cut = echo(serde_json::from_str(&long_list).unwrap());
        assert_eq!(cut.get(), format!("\"{}\"", &long_list[..256]));
    }
}
