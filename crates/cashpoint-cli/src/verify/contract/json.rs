//! Values in JSON texts, as they were written.

use std::collections::HashMap;

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
}
