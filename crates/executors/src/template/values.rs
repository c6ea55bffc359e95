//! What each template stands for.

use std::borrow::Cow;

use horarium_scheduler_engine::Run;
use serde_json::Value;

use super::TemplateError;

/// The value of the template `name` in `run`.
pub(super) fn value_of<'a>(name: &str, run: &'a Run, machine_name: &str) -> Result<Cow<'a, Value>, TemplateError> {
    let text = match name {
        // The timestamp's first ten characters are its date: its range ends with the year 9999.
        "Today" => run.started_at.to_string().chars().take(10).collect(),
        "Now" => run.started_at.to_string(),
        "Job.Id" => run.job.id.to_string(),
        "Job.Name" => run.job.spec.name.clone(),
        "Execution.Id" => run.execution_id.to_string(),
        "Execution.Attempt" => run.attempt.to_string(),
        "Execution.ScheduledFor" => run.scheduled_for.to_string(),
        "Environment.MachineName" => machine_name.to_owned(),
        _ => return payload_value(name, run).map(Cow::Borrowed),
    };
    Ok(Cow::Owned(Value::String(text)))
}

/// Whether the template `name` is taken from the payload.
pub(super) fn is_payload(name: &str) -> bool {
    name == "Payload" || name.starts_with("Payload.") || name.starts_with("Payload[")
}

fn payload_value<'a>(name: &str, run: &'a Run) -> Result<&'a Value, TemplateError> {
    if !is_payload(name) {
        return Err(TemplateError::Unknown(name.chars().take(100).collect()));
    }
    let payload = run.payload.as_ref().ok_or_else(|| TemplateError::NoPayload(name.to_owned()))?;
    // `lines[0]` is another way to write `lines.0`.
    let path = name.replace('[', ".").replace(']', "");
    path.split('.').skip(1).try_fold(payload, step).ok_or_else(|| TemplateError::NotInPayload(name.to_owned()))
}

fn step<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(members) => members.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    }
}

/// A value inside a text: strings as they are, anything else as JSON; `None` for null.
pub(super) fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some(Cow::Owned(value.to_string())),
    }
}
