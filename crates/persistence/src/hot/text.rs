//! What the databases can keep: PostgreSQL's text and jsonb have no NUL.
//!
//! Output, errors and payloads come from anywhere. One NUL in one of them must not make a whole batch of settlements
//! impossible to write, for ever, so it is replaced by U+FFFD; on SQLite too, so that both read back the same.

use std::borrow::Cow;

use serde_json::Value;

const REPLACEMENT: &str = "\u{FFFD}";

/// The text, as the databases keep it.
pub(crate) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', REPLACEMENT)) } else { Cow::Borrowed(text) }
}

/// The document, as the databases keep it.
pub(crate) fn storable_json(value: &Value) -> Cow<'_, Value> {
    if has_nul(value) { Cow::Owned(without_nul(value)) } else { Cow::Borrowed(value) }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
    }
}

fn without_nul(value: &Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::String(text) => Value::String(storable(text).into_owned()),
        Value::Array(items) => items.iter().map(without_nul).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (storable(name).into_owned(), without_nul(value))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_nul_is_replaced_wherever_it_is() {
        let value = json!({ "a\0b": ["x\0", { "y": "\0" }], "n": 1 });
        let kept = json!({ "a\u{FFFD}b": ["x\u{FFFD}", { "y": "\u{FFFD}" }], "n": 1 });
        assert_eq!(*storable_json(&value), kept);
        assert_eq!(storable("a\0b"), "a\u{FFFD}b");
    }

    #[test]
    fn what_has_none_is_not_copied() {
        let value = json!({ "a": ["b", null, true] });
        assert!(matches!(storable_json(&value), Cow::Borrowed(_)));
        assert!(matches!(storable("a"), Cow::Borrowed(_)));
    }
}
