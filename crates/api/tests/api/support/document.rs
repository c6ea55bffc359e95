//! The source documents' own examples, as what ours are held against.

use serde_json::Value;

/// Checks that an answer has every member of a document's example, of the same kind. It may have more; and where the
/// document shows a value that may be missing, as null, ours may have one.
#[track_caller]
pub(crate) fn assert_has_the_shape_of(document: &str, ours: &Value) {
    let document: Value = serde_json::from_str(document).unwrap();
    if let Some(difference) = difference("", &document, ours) {
        panic!("{difference}\nin {ours:#}");
    }
}

fn difference(place: &str, document: &Value, ours: &Value) -> Option<String> {
    match (document, ours) {
        (Value::Object(document), Value::Object(ours)) => document.iter().find_map(|(name, value)| {
            let place = format!("{place}.{name}");
            ours.get(name).map_or_else(|| Some(format!("{place} is missing")), |ours| difference(&place, value, ours))
        }),
        (Value::Array(document), Value::Array(ours)) => {
            let example = document.first()?;
            ours.iter().enumerate().find_map(|(index, item)| difference(&format!("{place}[{index}]"), example, item))
        }
        (Value::Null, _)
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::String(_), Value::String(_)) => None,
        _ => Some(format!("{place} is {ours} and not of the kind of {document}")),
    }
}
