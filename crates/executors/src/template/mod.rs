//! Templates in a job's configuration: `{{Today}}`, `{{Execution.Id}}`, `{{Payload.order.id}}` and the like.
//!
//! A template stands inside a text value and is replaced when an attempt starts. What comes from the payload comes from
//! whoever triggers the job, who may not be the one who wrote it; so a value only ever fills the place that the author
//! gave it. In a URL it is percent-encoded and cannot become another path segment, query parameter or host; in a header
//! it cannot start a new line; in JSON it stays inside its string; in a file's path it is one name. A template that means
//! nothing fails the attempt for good, because a request with a hole in it is worse than none.
//!
//! | template | value |
//! | --- | --- |
//! | `{{Today}}` | the UTC date on which the attempt started, `2025-07-10` |
//! | `{{Now}}` | the instant at which the attempt started, `2025-07-10T14:50:00.000Z` |
//! | `{{Job.Id}}`, `{{Job.Name}}` | the job |
//! | `{{Execution.Id}}` | the execution; the same for all its attempts |
//! | `{{Execution.Attempt}}` | the attempt's number, from 1 |
//! | `{{Execution.ScheduledFor}}` | when the execution was due |
//! | `{{Payload}}`, `{{Payload.order.lines[0].id}}` | the execution's payload, or what is at that path in it |
//! | `{{Environment.MachineName}}` | the machine that runs the attempt |
//!
//! Blanks around the name do not matter. `{{{{` is a literal `{{`, and so is a `{{` that is never closed.

mod renderer;
mod scan;
mod url_path;
mod values;

use std::sync::Arc;

use horarium_domain::execution::Failure;
use horarium_scheduler_engine::Run;

pub use renderer::Renderer;

/// What templates are filled from, beside the attempt itself.
#[derive(Debug, Clone)]
pub struct Templates {
    machine_name: Arc<str>,
}

impl Templates {
    /// Templates in which `{{Environment.MachineName}}` is `machine_name`.
    pub fn new(machine_name: impl Into<Arc<str>>) -> Self {
        Self { machine_name: machine_name.into() }
    }

    /// Fills templates for one attempt.
    pub fn renderer<'a>(&'a self, run: &'a Run) -> Renderer<'a> {
        Renderer::new(run, &self.machine_name)
    }
}

/// A template cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is no such template.
    #[error(
        "unknown template '{{{{{0}}}}}'; there are Today, Now, Job.Id, Job.Name, Execution.Id, Execution.Attempt, \
         Execution.ScheduledFor, Payload.<path> and Environment.MachineName ('{{{{{{{{' is a literal '{{{{')"
    )]
    Unknown(String),
    /// It asks for a payload and the execution has none.
    #[error("template '{{{{{0}}}}}' needs a payload, and the execution has none")]
    NoPayload(String),
    /// The payload has nothing at that path.
    #[error("template '{{{{{0}}}}}' names nothing in the execution's payload")]
    NotInPayload(String),
    /// It is null, which is no text.
    #[error("template '{{{{{0}}}}}' is null in the execution's payload, which cannot stand inside a text")]
    Null(String),
    /// It would change the structure of a URL's path.
    #[error(
        "a template makes the path segment '{0}', which would lead to another path; give it a value that is not empty, \
         '.' or '..'"
    )]
    PathSegment(String),
    /// It would change the structure of a file's path.
    #[error(
        "a template puts '{0}' into a path, which would lead somewhere else; give it a value that is not empty, '.' or \
         '..' and holds no separator"
    )]
    FileName(String),
    /// It would leave a URL without a host.
    #[error("a template makes the host of the URL empty")]
    NoHost,
    /// It would break a header apart.
    #[error("a template puts a line break or another control character into the value")]
    ControlCharacter,
    /// The values are too large together.
    #[error("the values of the templates come to more than {} MiB", Renderer::MAX_INSERTED / (1024 * 1024))]
    TooLarge,
}

impl TemplateError {
    /// The failure of an attempt whose configuration has this fault in `field`, such as `headers.X-Order`.
    pub fn in_field(&self, field: &str) -> Failure {
        Failure::permanent(format!("jobConfiguration.{field}: {self}"))
    }
}
