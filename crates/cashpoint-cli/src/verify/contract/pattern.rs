//! Bodies of which the contract fixes all but some values.
//!
//! A pattern is such a body with `<kind>` in the place of each value that may differ. People read it in
//! reports, so it looks like the body that it stands for.

use std::collections::BTreeSet;

use super::json;

/// Holds `text` against `pattern`. What it has in the places of the placeholders, if it fits.
pub(super) fn fit(pattern: &str, text: &str) -> Option<Vec<String>> {
    let mut parts = pattern.split('<');
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut values = Vec::new();
    for part in parts {
        let (kind, literal) = part.split_once('>')?;
        let (value, after) = rest.split_at_checked(length(kind, rest)?)?;
        values.push(value.to_owned());
        rest = after.strip_prefix(literal)?;
    }
    rest.is_empty().then_some(values)
}

/// How many levels of lists and objects the answers of the contract have: a refusal is an object with a list of objects with an
/// object. One more may be what a client sent.
const LEVELS: usize = 5;

/// As [`fit`], for a text that has further fields: what it has in the places of the placeholders, and the names of those fields
/// that the pattern does not allow.
pub(super) fn fit_with_more(pattern: &str, text: &str) -> Option<(Vec<String>, BTreeSet<String>)> {
    let is_known = |key: &str| pattern.contains(&format!("\"{key}\":"));
    // What is in the place of a list or of further keys is not for this pattern.
    let may_have_more = pattern.contains("<more>");
    let levels = match may_have_more || pattern.contains("<list>") {
        true => 1,
        false => LEVELS,
    };
    let (without, mut names) = json::without_unknown(text, levels, &is_known)?;
    let values = fit(pattern, &without)?;
    if may_have_more {
        // It is all one where they stand.
        names.clear();
    }
    Some((values, names))
}

/// How long the value of this kind is that `text` begins with.
fn length(kind: &str, text: &str) -> Option<usize> {
    match kind {
        "uuid" => shaped("xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx", text),
        "time" => shaped("0000-00-00T00:00:00.000000", text),
        "count" => some(run(text, |byte| byte.is_ascii_digit())),
        "amount" => some(run(text, |byte| !b",}]\" ".contains(&byte))),
        // What a JSON string without escaped quotes holds.
        "text" => some(string_length(text)),
        // A JSON list, up to the end of the object that it is the last value of.
        "list" => {
            let length = text.len().checked_sub(1)?;
            let list = text.get(..length)?;
            (list.starts_with('[') && list.ends_with(']')).then_some(length)
        }
        // Further keys of an object, or none, up to its end.
        "more" => {
            let length = text.len().checked_sub(1)?;
            let more = text.get(..length)?;
            (more.is_empty() || more.starts_with(",\"")).then_some(length)
        }
        _ => None,
    }
}

/// The length of `shape`, if `text` begins with something of it: `0` is a digit, `x` a lower-case hexadecimal
/// one, `v` one of those that a UUID's variant may be.
fn shaped(shape: &str, text: &str) -> Option<usize> {
    let begin = text.as_bytes().get(..shape.len())?;
    let fits = shape.bytes().zip(begin).all(|(shape, byte)| match shape {
        b'0' => byte.is_ascii_digit(),
        b'x' => byte.is_ascii_digit() || (b'a'..=b'f').contains(byte),
        b'v' => b"89ab".contains(byte),
        _ => shape == *byte,
    });
    fits.then_some(shape.len())
}

fn run(text: &str, mut of: impl FnMut(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| of(*byte)).count()
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    run(text, |byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        !ends
    })
}

fn some(length: usize) -> Option<usize> {
    (length > 0).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_gives_its_values() {
        for (pattern, text, values) in [
            ("", "", &[][..]),
            ("{\"a\":1}", "{\"a\":1}", &[]),
            (
                "[\"<uuid>\",\"<time>\"]",
                "[\"0a1b2c3d-0000-4fff-8000-0123456789ab\",\"2023-12-07T10:30:00.123456\"]",
                &[
                    "0a1b2c3d-0000-4fff-8000-0123456789ab",
                    "2023-12-07T10:30:00.123456",
                ],
            ),
            (
                "{\"a\":<count>,\"b\":<amount>}",
                "{\"a\":12,\"b\":0.5}",
                &["12", "0.5"],
            ),
            ("{\"a\":\"<text>\"}", r#"{"a":"b\"c\\"}"#, &[r#"b\"c\\"#]),
            ("{\"a\":1<more>}", "{\"a\":1}", &[""]),
            ("{\"a\":1<more>}", "{\"a\":1,\"b\":2}", &[",\"b\":2"]),
            ("{\"a\":<list>}", "{\"a\":[1,2]}", &["[1,2]"]),
        ] {
            let fitting = fit(pattern, text);
            let expected: Vec<String> = values.iter().map(ToString::to_string).collect();
            assert_eq!(fitting, Some(expected), "{pattern} and {text}");
        }
    }

    #[test]
    fn further_fields_are_named() {
        let pattern = "{\"a\":<count>,\"b\":\"x\"}";
        let found = fit_with_more(pattern, "{\"id\":7,\"a\":1,\"b\":\"x\"}");
        let names = BTreeSet::from(["id".to_owned()]);
        assert_eq!(found, Some((vec!["1".to_owned()], names)));
        for text in [
            "{\"a\":1,\"b\":\"x\"}",
            "{\"id\":7,\"a\":1,\"b\":\"y\"}",
            "<html>",
        ] {
            assert_eq!(fit_with_more(pattern, text), None, "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_gives_none() {
        for (pattern, text) in [
            ("", " "),
            ("{\"a\":1}", "{\"a\": 1}"),
            ("<uuid>", "0A1B2C3D-0000-4FFF-8000-0123456789AB"),
            ("<uuid>", "0a1b2c3d-0000-1fff-8000-0123456789ab"),
            ("<uuid>", "0a1b2c3d-0000-4fff-c000-0123456789ab"),
            ("<uuid>", "0a1b2c3d"),
            ("<time>", "2023-12-07T10:30:00.123"),
            ("<time>", "2023-12-07T10:30:00.123456Z"),
            ("<time>", "2023-12-07 10:30:00.123456"),
            ("<count>", "-1"),
            ("<count>", ""),
            ("\"<text>\"", "\"\""),
            ("{\"a\":1<more>}", "{\"a\":10}"),
            ("{\"a\":<list>}", "{\"a\":[1,2],\"b\":1}"),
            ("<other>", "other"),
            ("<time>", "2023-12-07T10:30:00.12345é"),
        ] {
            assert_eq!(fit(pattern, text), None, "{pattern} and {text}");
        }
    }
}
