//! The bounds of what callers may send, in one place.
//!
//! No text may hold NUL: PostgreSQL cannot store it, and both databases are to behave alike.

use horarium_domain::Timestamp;
use serde_json::Value;

use super::FieldErrors;

/// Characters of a job's name.
pub(super) const NAME_CHARS: usize = 200;
/// Characters of a job's description.
pub(super) const DESCRIPTION_CHARS: usize = 4000;
/// Tags of a job.
pub(super) const TAGS: usize = 50;
/// Characters of a tag, and of a group's name.
pub(super) const LABEL_CHARS: usize = 100;
/// Characters of a person's name.
pub(super) const PERSON_CHARS: usize = 200;
/// Bytes of a job's configuration, as JSON.
pub(super) const CONFIGURATION_BYTES: usize = 256 * 1024;
/// Bytes of an execution's payload, as JSON.
pub(super) const PAYLOAD_BYTES: usize = 1024 * 1024;
/// Characters of the URL of a callback.
pub(super) const URL_CHARS: usize = 2048;
/// Bytes of a submitter's own name for an execution, as JSON.
pub(super) const REFERENCE_BYTES: usize = 4 * 1024;
/// Characters of a unique key.
pub(super) const UNIQUE_KEY_CHARS: usize = 200;
/// Seconds that an attempt may take: a week.
pub(super) const TIMEOUT_SECONDS: i64 = 7 * 24 * 3600;
/// Executions of one job, of one queue or of one tenant, at a time; also starts per second.
pub(super) const CONCURRENCY: i64 = 100_000;
/// Executions that a queue may be told to hold.
pub(super) const QUEUE_LENGTH: i64 = 100_000_000;
/// What the weight of a tenant or a queue may be.
pub(super) const WEIGHT: i64 = 10_000;
/// How far from zero a priority may be.
pub(super) const PRIORITY: i64 = 100;

/// A short text of one line, trimmed; notes what is wrong with it.
pub(super) fn line(errors: &mut FieldErrors, field: &str, text: &str, max_chars: usize) -> Option<String> {
    let text = text.trim();
    let problem = if text.is_empty() {
        "must not be empty".to_owned()
    } else if text.chars().count() > max_chars {
        format!("must have at most {max_chars} characters")
    } else if text.chars().any(char::is_control) {
        "must not hold control characters".to_owned()
    } else {
        return Some(text.to_owned());
    };
    errors.add(field, problem);
    None
}

/// A number between bounds, both included; notes when it is not.
pub(super) fn number<T: TryFrom<i64>>(
    errors: &mut FieldErrors,
    field: &str,
    given: i64,
    bounds: std::ops::RangeInclusive<i64>,
) -> Option<T> {
    let checked = T::try_from(given).ok().filter(|_| bounds.contains(&given));
    if checked.is_none() {
        errors.add(field, format!("must be between {} and {}", bounds.start(), bounds.end()));
    }
    checked
}

/// One of a list of names, in any case; notes when it is none of them.
pub(super) fn named<T: Copy, const N: usize>(
    errors: &mut FieldErrors,
    field: &str,
    text: &str,
    all: [T; N],
    name: fn(T) -> &'static str,
) -> Option<T> {
    let found = all.into_iter().find(|value| name(*value).eq_ignore_ascii_case(text.trim()));
    if found.is_none() {
        errors.add(field, format!("must be one of {}", all.map(name).join(", ")));
    }
    found
}

/// An instant; notes when it is none.
pub(super) fn instant(errors: &mut FieldErrors, field: &str, text: &str) -> Option<Timestamp> {
    text.trim()
        .parse()
        .map_err(|error: horarium_domain::timestamp::ParseTimestampError| errors.add(field, error.to_string()))
        .ok()
}

/// Whether a JSON value can be stored; notes what is wrong with it.
pub(super) fn json(errors: &mut FieldErrors, field: &str, value: &Value, max_bytes: usize) -> bool {
    if holds_nul(value) {
        errors.add(field, "must not hold the character U+0000");
        false
    } else if serde_json::to_string(value).is_ok_and(|text| text.len() > max_bytes) {
        errors.add(field, format!("must have at most {} KiB as JSON", max_bytes / 1024));
        false
    } else {
        true
    }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
    }
}
