//! Templates in what a job of type `Agent` hands to an operation.
//!
//! As everywhere, a value only fills the place that the job's author gave it, and what that means depends on where it
//! stands; so the fields of the operations that agents bring are told apart. The line of `command.shell.execute` is
//! handed on as it is written: whoever triggers the job could add commands to it otherwise.

use std::sync::Arc;

use horarium_domain::agent::BuiltInOperation;
use horarium_domain::execution::Failure;
use horarium_scheduler_engine::{FillData, Run};
use serde_json::{Map, Value};

use crate::template::{Renderer, TemplateError, Templates};

/// Fills the templates in an operation's data.
pub fn fill_agent_data(templates: Templates) -> Arc<FillData> {
    Arc::new(move |run: &Run, operation: &str, data: &Value| {
        let mut renderer = templates.renderer(run);
        let operation = operation.parse().ok();
        match data {
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| {
                    let filled = member(&mut renderer, operation, members, name, value);
                    Ok((name.clone(), filled.map_err(|error| error.in_field(&format!("data.{name}")))?))
                })
                .collect::<Result<Map<_, _>, Failure>>()
                .map(Value::Object),
            other => renderer.json(other).map_err(|error| error.in_field("data")),
        }
    })
}

fn member(
    renderer: &mut Renderer<'_>,
    operation: Option<BuiltInOperation>,
    members: &Map<String, Value>,
    name: &str,
    value: &Value,
) -> Result<Value, TemplateError> {
    use BuiltInOperation::{CommandExec, CommandShell, FileDeploy, FileStatus, HttpRequest};
    match (operation, name, value) {
        (Some(CommandShell), "command", line) => Ok(line.clone()),
        (Some(HttpRequest), "url", Value::String(url)) => renderer.url(url).map(Value::String),
        (Some(HttpRequest), "headers", Value::Object(headers)) => headers
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) => Ok((name.clone(), Value::String(renderer.header(text)?))),
                other => Ok((name.clone(), other.clone())),
            })
            .collect::<Result<Map<_, _>, _>>()
            .map(Value::Object),
        (Some(HttpRequest), "body", body) => renderer.body(body, content_type(members)),
        (Some(FileDeploy | FileStatus), "path", Value::String(path))
        | (Some(CommandExec | CommandShell), "cwd", Value::String(path)) => renderer.path(path).map(Value::String),
        // A program's arguments are texts, whatever the payload has.
        (Some(CommandExec), "args", Value::Array(args)) => args
            .iter()
            .map(|arg| match arg {
                Value::String(text) => renderer.text(text).map(Value::String),
                other => Ok(other.clone()),
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        (Some(CommandExec | CommandShell | FileDeploy), _, Value::String(text)) => {
            renderer.text(text).map(Value::String)
        }
        (_, _, value) => renderer.json(value),
    }
}

/// What a request says that its body is.
fn content_type(request: &Map<String, Value>) -> Option<&str> {
    let mut headers = request.get("headers")?.as_object()?.iter();
    headers.find(|(name, _)| name.eq_ignore_ascii_case("content-type"))?.1.as_str()
}
