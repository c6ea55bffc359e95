//! What an output tells of the work that it is about.

use horarium_domain::execution::Output;
use serde_json::Value;

/// The `itemsProcessed` of an output that is a JSON object, whole.
pub(crate) fn items_processed(output: &Output) -> Option<i64> {
    if output.truncated || !output.text.trim_start().starts_with('{') {
        return None;
    }
    let document: Value = serde_json::from_str(&output.text).ok()?;
    document.get("itemsProcessed")?.as_i64().filter(|count| *count >= 0)
}
