//! Values in JSON texts, as they were written.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The value that these keys lead to, one object within another.
pub(super) fn value_at<'a>(json: &'a str, keys: &[&str]) -> Option<&'a str> {
    keys.iter().try_fold(json, |json, key| {
        let object: HashMap<String, &'a RawValue> = serde_json::from_str(json).ok()?;
        object.get(*key).map(|value| value.get())
    })
}

/// The string that these keys lead to.
pub(super) fn string_at(json: &str, keys: &[&str]) -> Option<String> {
    serde_json::from_str(value_at(json, keys)?).ok()
}

/// The keys of an object.
pub(super) fn keys(json: &str) -> Option<Vec<String>> {
    let object: HashMap<String, &RawValue> = serde_json::from_str(json).ok()?;
    Some(object.into_keys().collect())
}

/// A JSON text without those members of its objects whose keys are not `known`, and the keys of these; `None` if all are
/// known. Looks into so many levels of lists and objects: what is nested deeper stays as it is.
pub(super) fn without_unknown(
    json: &str,
    levels: usize,
    known: &dyn Fn(&str) -> bool,
) -> Option<(String, BTreeSet<String>)> {
    let mut unknown = BTreeSet::new();
    let text = stripped(json, levels, known, &mut unknown)?;
    (!unknown.is_empty()).then_some((text, unknown))
}

fn stripped(
    json: &str,
    levels: usize,
    known: &dyn Fn(&str) -> bool,
    unknown: &mut BTreeSet<String>,
) -> Option<String> {
    let Some(levels) = levels.checked_sub(1) else {
        return Some(json.to_owned());
    };
    let mut inner = |value: &str| stripped(value, levels, known, unknown);
    match json.as_bytes().first()? {
        b'{' => {
            let Members(members) = serde_json::from_str(json).ok()?;
            let mut kept = Vec::with_capacity(members.len());
            let mut others = Vec::new();
            for (key, value) in members {
                match known(&key) {
                    true => kept.push(format!("\"{key}\":{}", inner(value.get())?)),
                    false => others.push(key),
                }
            }
            unknown.extend(others);
            Some(format!("{{{}}}", kept.join(",")))
        }
        b'[' => {
            let items = items(json)?.into_iter().map(inner);
            let items: Option<Vec<_>> = items.collect();
            Some(format!("[{}]", items?.join(",")))
        }
        _ => Some(json.to_owned()),
    }
}

/// The members of an object, in the order in which they stand there.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// The values of a list.
pub(super) fn items(json: &str) -> Option<Vec<&str>> {
    let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    Some(items.into_iter().map(RawValue::get).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_as_they_were_written() {
        let json = r#" {"a": {"b c": 1.50, "d": "\u0031"}, "e": [1, [2 ,3]]} "#;
        assert_eq!(value_at(json, &["a", "b c"]), Some("1.50"));
        assert_eq!(string_at(json, &["a", "d"]).as_deref(), Some("1"));
        assert_eq!(value_at(json, &["a", "x"]), None);
        assert_eq!(value_at(json, &["e", "x"]), None);
        assert_eq!(string_at(json, &["a", "b c"]), None);
        let list = value_at(json, &["e"]).unwrap();
        assert_eq!(items(list), Some(vec!["1", "[2 ,3]"]));
        assert_eq!(items("{}"), None);
        assert_eq!(keys("{\"a\": 1}"), Some(vec!["a".to_owned()]));
        assert_eq!(keys("[]"), None);
        assert_eq!(value_at("<html>", &["a"]), None);
    }

    #[test]
    fn members_that_nobody_knows_are_left_out() {
        let json = r#"{"x":1,"a":1.50,"l":[{"b":2,"x":[]}]}"#;
        let known = |key: &str| ["a", "b", "l"].contains(&key);
        let left_out = |levels| without_unknown(json, levels, &known).unwrap();
        let x = BTreeSet::from(["x".to_owned()]);
        assert_eq!(
            left_out(3),
            (r#"{"a":1.50,"l":[{"b":2}]}"#.to_owned(), x.clone())
        );
        assert_eq!(
            left_out(1),
            (r#"{"a":1.50,"l":[{"b":2,"x":[]}]}"#.to_owned(), x)
        );
        assert_eq!(without_unknown(json, 1, &|_| true), None);
        assert_eq!(without_unknown("<html>", 3, &|_| false), None);
    }

    /// How deep an answer is nested is up to the server.
    #[test]
    fn what_is_nested_deep_is_looked_into_as_far_as_asked_for() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = format!("{}1{}", open.repeat(20_000), close.repeat(20_000));
            let json = format!("{{\"x\":1,\"a\":{deep}}}");
            let found = without_unknown(&json, 8, &|key| key == "a");
            assert_eq!(
                found.map(|(text, _)| text),
                Some(format!("{{\"a\":{deep}}}"))
            );
        }
    }
}
