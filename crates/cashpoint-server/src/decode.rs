//! From a request's body and key to what the service takes, or to what is wrong with them.

use std::borrow::Cow;
use std::fmt;

use cashpoint::{Amount, Cents, IdempotencyKey, ParseCentsError, ParseIdempotencyKeyError};
use hyper::header::HeaderValue;
use serde::de::{DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::content_type::ContentType;
use super::invalid::{self, InvalidInput, Place};
use super::number;
use super::sent::SentKey;

/// What some programs write before UTF-8. It is no part of the text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

const AMOUNT: Place = Place::Body("amount");
const INITIAL_BALANCE: Place = Place::Body("initial_balance");
const KEY: Place = Place::Header("idempotency-key");

/// The body of a request, whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestBody<'a> {
    pub(super) content: &'a [u8],
    pub(super) content_type: ContentType,
}

/// An amount, with the text that it was sent as.
pub(super) struct SentAmount<'body> {
    pub(super) amount: Amount,
    sent: &'body RawValue,
}

impl SentAmount<'_> {
    /// That it is larger than `max`, after all.
    pub(super) fn above(&self, max: Cents) -> InvalidInput {
        InvalidInput::above(AMOUNT, self.sent, max)
    }
}

/// Reads the `amount` of a transaction: above zero, and at most `max`.
pub(super) fn amount(body: RequestBody<'_>, max: Cents) -> Result<SentAmount<'_>, InvalidInput> {
    let sent = match body.field("amount")? {
        Some(sent) => sent,
        None => return Err(InvalidInput::missing_field(AMOUNT, body.json()?)),
    };
    let not_above_zero = || InvalidInput::not_above_zero(AMOUNT, sent);
    let sum = sum(AMOUNT, sent, max, not_above_zero)?;
    let amount = Amount::new(sum).ok_or_else(not_above_zero)?;
    Ok(SentAmount { amount, sent })
}

/// Reads the `initial_balance` of an account: nothing, or at most `max`. Nothing if it is not sent.
pub(super) fn initial_balance(body: RequestBody<'_>, max: Cents) -> Result<Cents, InvalidInput> {
    match body.field("initial_balance")? {
        Some(sent) => sum(INITIAL_BALANCE, sent, max, || {
            InvalidInput::below_zero(INITIAL_BALANCE, sent)
        }),
        None => Ok(Cents::ZERO),
    }
}

/// Reads a sum of money from a number, or from a string that holds one.
fn sum(
    place: Place,
    sent: &RawValue,
    max: Cents,
    negative: impl FnOnce() -> InvalidInput,
) -> Result<Cents, InvalidInput> {
    let text = sent.get();
    let decimal = match text.as_bytes().first() {
        Some(b'"') => string(text)
            .and_then(|text| number::in_json(&text))
            .ok_or_else(|| InvalidInput::no_number(place, sent))?
            .into(),
        Some(b'-' | b'0'..=b'9') => Cow::Borrowed(text),
        _ => return Err(InvalidInput::wrong_type(place, sent)),
    };
    match decimal.parse::<Cents>() {
        Ok(sum) if sum <= max => Ok(sum),
        Ok(_) | Err(ParseCentsError::TooLarge) => Err(InvalidInput::above(place, sent, max)),
        Err(ParseCentsError::Negative) => Err(negative()),
        Err(ParseCentsError::FractionOfCent) => Err(InvalidInput::fraction_of_cent(place, sent)),
        Err(_) => Err(InvalidInput::no_number(place, sent)),
    }
}

/// The content of a JSON string. `None` if it has escapes that stand for no text.
fn string(json: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str::<&str>(json)
        .map(Cow::Borrowed)
        .or_else(|_| serde_json::from_str::<String>(json).map(Cow::Owned))
        .ok()
}

impl<'a> RequestBody<'a> {
    /// The last field of this name in the JSON object that the body is. Others are passed over.
    fn field(self, name: &'static str) -> Result<Option<&'a RawValue>, InvalidInput> {
        let text = self.text()?;
        if !text.trim_ascii_start().starts_with('{') {
            return Err(no_object(self.json()?));
        }
        let mut json = serde_json::Deserializer::from_str(text);
        json.deserialize_map(LastField(name))
            .and_then(|last| json.end().map(|()| last))
            .map_err(|error| malformed_json(text, &error))
    }

    /// The JSON value that the body is.
    fn json(self) -> Result<&'a RawValue, InvalidInput> {
        let text = self.text()?;
        serde_json::from_str(text).map_err(|error| malformed_json(text, &error))
    }

    /// The body as text, if it was declared to be JSON.
    fn text(self) -> Result<&'a str, InvalidInput> {
        if self.content.is_empty() {
            return Err(InvalidInput::missing_body());
        }
        if self.content_type == ContentType::Other {
            let text = String::from_utf8_lossy(self.content);
            return Err(InvalidInput::no_object(invalid::echo_text(&text)));
        }
        let content = self.content.strip_prefix(BYTE_ORDER_MARK);
        let content = content.unwrap_or(self.content);
        str::from_utf8(content).map_err(|error| {
            let valid = content.get(..error.valid_up_to()).unwrap_or_default();
            let position = String::from_utf8_lossy(valid).chars().count();
            InvalidInput::malformed_json(position, "invalid UTF-8")
        })
    }
}

/// What is wrong with a body that is JSON, and no object.
fn no_object(value: &RawValue) -> InvalidInput {
    if value.get() == "null" {
        InvalidInput::missing_body()
    } else {
        InvalidInput::no_object(invalid::echo(value))
    }
}

/// Visits an object for its last field of this name.
struct LastField(&'static str);

impl<'de> Visitor<'de> for LastField {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut last = None;
        while let Some(is_it) = fields.next_key_seed(IsName(self.0))? {
            if is_it {
                last = Some(fields.next_value()?);
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(last)
    }
}

/// Compares a key with this name, without keeping it.
struct IsName(&'static str);

impl<'de> DeserializeSeed<'de> for IsName {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'de>>(self, key: D) -> Result<bool, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for IsName {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

/// The pattern of an idempotency key.
const KEY_PATTERN: &str = "^[!-~]+$";

/// Reads the idempotency key, if one was sent.
pub(super) fn idempotency_key(sent: &SentKey) -> Result<Option<IdempotencyKey>, InvalidInput> {
    let text = match sent {
        SentKey::None => return Ok(None),
        SentKey::One(header) => String::from_utf8_lossy(header.as_bytes()),
        SentKey::Several(headers) => {
            let texts = headers.iter().map(HeaderValue::as_bytes);
            let texts: Vec<_> = texts.map(String::from_utf8_lossy).collect();
            return Err(InvalidInput::several(KEY, &texts));
        }
    };
    text.parse().map(Some).map_err(|error| match error {
        ParseIdempotencyKeyError::Empty => InvalidInput::empty_text(KEY),
        ParseIdempotencyKeyError::TooLong => {
            InvalidInput::text_too_long(KEY, &text, IdempotencyKey::LEN_MAX)
        }
        _ => InvalidInput::wrong_pattern(KEY, &text, KEY_PATTERN),
    })
}

/// Where `text` breaks off being JSON, and what the parser says of it.
fn malformed_json(text: &str, error: &serde_json::Error) -> InvalidInput {
    let line_start: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    // The column counts bytes from 1; at the end of the text it is that of the last byte.
    let column = if error.is_eof() {
        error.column()
    } else {
        error.column().saturating_sub(1)
    };
    let position = text
        .bytes()
        .take(line_start + column)
        .filter(|byte| !is_continuation(*byte));
    let message = error.to_string();
    let (message, _) = message.split_once(" at line ").unwrap_or((&message, ""));
    InvalidInput::malformed_json(position.count(), message)
}

/// Whether a byte of UTF-8 goes on with a character that began before it.
fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_json_is_located_in_characters() {
        for (text, position) in [
            (r#"{"amount": }"#, 11),
            (r#"{"amount":"#, 10),
            ("{\n\"amount\": x}", 12),
            (r#"{"é": x}"#, 6),
            (r#"{"amount": NaN}"#, 11),
            (r#"{"amount": 1} x"#, 14),
        ] {
            let error = serde_json::from_str::<&RawValue>(text).unwrap_err();
            let invalid = serde_json::to_value(malformed_json(text, &error)).unwrap();
            assert_eq!(invalid["loc"][1], position, "{text}: {error}");
        }
    }

    #[test]
    fn of_several_fields_of_one_name_the_last_counts() {
        let last = RequestBody {
            content: br#"{"amount": "x", "other": [1, {"amount": 2}], "am\u006funt": 3}"#,
            content_type: ContentType::Json,
        };
        assert_eq!(amount(last, Cents::MAX).unwrap().amount.cents().get(), 300);
        assert_eq!(initial_balance(last, Cents::MAX).unwrap(), Cents::ZERO);
    }
}
