//! What a job runs: one shape per job type, checked when the job is created rather than when it first fails.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agent::Target;

/// What kind of work a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum JobType {
    /// An HTTP request.
    HttpCall,
    /// A stored procedure in an SQL database.
    StoredProcedure,
    /// A handler that the embedding program registered by name.
    CodeExecution,
    /// Deleting, moving, copying or compressing files.
    FileOperation,
    /// A program on the server's machine.
    Command,
    /// An operation of a remote agent.
    Agent,
}

impl JobType {
    /// Every type.
    pub const ALL: [Self; 6] =
        [Self::HttpCall, Self::StoredProcedure, Self::CodeExecution, Self::FileOperation, Self::Command, Self::Agent];

    /// The type's name, as the scheduler dialect writes it and the databases store it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HttpCall => "HttpCall",
            Self::StoredProcedure => "StoredProcedure",
            Self::CodeExecution => "CodeExecution",
            Self::FileOperation => "FileOperation",
            Self::Command => "Command",
            Self::Agent => "Agent",
        }
    }
}

impl fmt::Display for JobType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for JobType {
    type Err = ();

    /// Reads a type's name without regard to case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text)).ok_or(())
    }
}

/// An HTTP request. Text values may hold templates such as `{{Execution.Id}}`. Its `Debug` form hides its secrets.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpCall {
    /// An `http` or `https` address.
    pub url: String,
    /// The method; GET when none is given.
    #[serde(default = "HttpCall::default_method")]
    pub method: String,
    /// Headers to send.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body: a string is sent as it is, anything else as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Whether the body is a secret: not shown to readers, sealed at rest.
    #[serde(default, alias = "body_secret", skip_serializing_if = "std::ops::Not::not")]
    pub body_secret: bool,
    /// Seconds for the whole exchange; the job's own timeout when none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// Statuses that count as success; any 2xx when none are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_status_codes: Option<Vec<u16>>,
    /// Statuses worth another attempt; those of the retry policy, or else all, when none are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_on_status_codes: Option<Vec<u16>>,
}

impl HttpCall {
    fn default_method() -> String {
        "GET".to_owned()
    }
}

/// A stored procedure in a database that the operator named in the configuration. Its `Debug` form hides its secrets.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredProcedure {
    /// The procedure, with its schema if it needs one.
    pub stored_procedure_name: String,
    /// Its arguments by name. Those with the [name of a secret](crate::secret::is_secret_name) are sealed at rest.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub parameters: serde_json::Map<String, Value>,
    /// Seconds for the statement; the job's own timeout when none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_timeout_seconds: Option<u32>,
    /// Which configured database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_connection_string_name: Option<String>,
}

/// A handler that the embedding program registered. Its `Debug` form hides its secrets.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CodeExecution {
    /// The name it was registered under.
    pub handler_type: String,
    /// Which of its methods, for handlers that have several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method_name: Option<String>,
    /// What to hand it. What has the [name of a secret](crate::secret::is_secret_name) is sealed at rest.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub parameters: serde_json::Map<String, Value>,
}

impl CodeExecution {
    /// The handler of that name, without method and parameters.
    pub fn of(handler_type: impl Into<String>) -> Self {
        Self { handler_type: handler_type.into(), method_name: None, parameters: serde_json::Map::new() }
    }
}

impl From<CodeExecution> for JobConfiguration {
    fn from(code: CodeExecution) -> Self {
        Self::CodeExecution(code)
    }
}

/// What to do with files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileOperationKind {
    /// Remove them.
    Delete,
    /// Move them to `destinationPath`.
    Move,
    /// Copy them to `destinationPath`.
    Copy,
    /// Pack them into `archivePath`.
    Archive,
    /// Compress each beside itself, or into `destinationPath`.
    Compress,
}

/// Work on files below the roots that the operator allows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileOperation {
    /// What to do.
    pub operation: FileOperationKind,
    /// What to do it to: a path or a glob.
    pub source_path: String,
    /// Where to, for move, copy and compress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_path: Option<String>,
    /// The archive to write, for archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive_path: Option<String>,
    /// How to compress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<String>,
    /// Only files older than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_than_hours: Option<u32>,
    /// After archiving, delete sources older than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_after_days: Option<u32>,
    /// Whether folders left empty go too.
    #[serde(default)]
    pub delete_empty_directories: bool,
}

/// A program on the server's machine; never through a shell. Its `Debug` form hides its secrets.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandLine {
    /// The program.
    pub command: String,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Its environment, beside PATH.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
}

/// An operation of a remote agent. Its `Debug` form hides its secrets.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentOperation {
    /// The operation, such as `node.uptime.get`.
    pub operation: String,
    /// What it needs to know.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
    /// Which agents: `_any`, `_all`, a hostname, or `key:value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// What a job runs, by type.
#[derive(Debug, Clone, PartialEq)]
pub enum JobConfiguration {
    /// See [`HttpCall`].
    HttpCall(HttpCall),
    /// See [`StoredProcedure`].
    StoredProcedure(StoredProcedure),
    /// See [`CodeExecution`].
    CodeExecution(CodeExecution),
    /// See [`FileOperation`].
    FileOperation(FileOperation),
    /// See [`CommandLine`].
    Command(CommandLine),
    /// See [`AgentOperation`].
    Agent(AgentOperation),
}

/// A configuration that does not fit its job type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidConfiguration {
    /// Where, such as `jobConfiguration.url`.
    pub field: String,
    /// What is wrong.
    pub problem: String,
}

impl InvalidConfiguration {
    fn new(field: &str, problem: impl Into<String>) -> Self {
        Self { field: format!("jobConfiguration.{field}"), problem: problem.into() }
    }
}

impl JobConfiguration {
    /// Reads the configuration of a job of `job_type` and checks it. Unknown members are ignored.
    pub fn parse(job_type: JobType, value: &Value) -> Result<Self, InvalidConfiguration> {
        if !value.is_object() {
            let problem = format!("a {job_type} job needs an object here");
            return Err(InvalidConfiguration { field: "jobConfiguration".to_owned(), problem });
        }
        let configuration = match job_type {
            JobType::HttpCall => Self::HttpCall(read(value)?),
            JobType::StoredProcedure => Self::StoredProcedure(read(value)?),
            JobType::CodeExecution => Self::CodeExecution(read(value)?),
            JobType::FileOperation => Self::FileOperation(read(value)?),
            JobType::Command => Self::Command(read(value)?),
            JobType::Agent => Self::Agent(read(value)?),
        };
        configuration.validate()?;
        Ok(configuration)
    }

    /// The type that this configuration is of.
    pub const fn job_type(&self) -> JobType {
        match self {
            Self::HttpCall(_) => JobType::HttpCall,
            Self::StoredProcedure(_) => JobType::StoredProcedure,
            Self::CodeExecution(_) => JobType::CodeExecution,
            Self::FileOperation(_) => JobType::FileOperation,
            Self::Command(_) => JobType::Command,
            Self::Agent(_) => JobType::Agent,
        }
    }

    /// The configuration as JSON, in the shape of the scheduler dialect; what the databases store.
    pub fn to_json(&self) -> Value {
        let value = match self {
            Self::HttpCall(c) => serde_json::to_value(c),
            Self::StoredProcedure(c) => serde_json::to_value(c),
            Self::CodeExecution(c) => serde_json::to_value(c),
            Self::FileOperation(c) => serde_json::to_value(c),
            Self::Command(c) => serde_json::to_value(c),
            Self::Agent(c) => serde_json::to_value(c),
        };
        // Maps with string keys and plain values always have a JSON form.
        value.unwrap_or(Value::Null)
    }

    fn validate(&self) -> Result<(), InvalidConfiguration> {
        match self {
            Self::HttpCall(call) => validate_http_call(call),
            Self::StoredProcedure(call) => {
                not_blank("storedProcedureName", &call.stored_procedure_name)?;
                let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$');
                if call.stored_procedure_name.chars().all(allowed) {
                    Ok(())
                } else {
                    Err(InvalidConfiguration::new("storedProcedureName", "may hold letters, digits, '_', '$' and '.'"))
                }
            }
            Self::CodeExecution(code) => not_blank("handlerType", &code.handler_type),
            Self::FileOperation(file) => {
                not_blank("sourcePath", &file.source_path)?;
                match file.operation {
                    FileOperationKind::Move | FileOperationKind::Copy if file.destination_path.is_none() => {
                        Err(InvalidConfiguration::new("destinationPath", "is required for move and copy"))
                    }
                    FileOperationKind::Archive if file.archive_path.is_none() => {
                        Err(InvalidConfiguration::new("archivePath", "is required for archive"))
                    }
                    _ => Ok(()),
                }
            }
            Self::Command(command) => not_blank("command", &command.command),
            Self::Agent(agent) => {
                not_blank("operation", &agent.operation)?;
                match agent.target.as_deref().map(str::parse::<Target>) {
                    Some(Err(error)) => Err(InvalidConfiguration::new("target", error.to_string())),
                    Some(Ok(_)) | None => Ok(()),
                }
            }
        }
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, InvalidConfiguration> {
    T::deserialize(value)
        .map_err(|error| InvalidConfiguration { field: "jobConfiguration".to_owned(), problem: error.to_string() })
}

fn not_blank(field: &str, text: &str) -> Result<(), InvalidConfiguration> {
    if text.trim().is_empty() { Err(InvalidConfiguration::new(field, "must not be empty")) } else { Ok(()) }
}

fn validate_http_call(call: &HttpCall) -> Result<(), InvalidConfiguration> {
    not_blank("url", &call.url)?;
    let scheme = call.url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !matches!(scheme.as_deref(), Some("http" | "https")) {
        return Err(InvalidConfiguration::new("url", "must start with http:// or https://"));
    }
    let token = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
    };
    if !token(&call.method) {
        return Err(InvalidConfiguration::new("method", "must be an HTTP method such as GET or POST"));
    }
    for (name, value) in &call.headers {
        if !token(name) {
            return Err(InvalidConfiguration::new("headers", format!("'{name}' is no header name")));
        }
        if value.chars().any(|c| c.is_control() && c != '\t') {
            let problem = format!("the value of '{name}' holds a control character");
            return Err(InvalidConfiguration::new("headers", problem));
        }
    }
    if call.timeout_seconds == Some(0) {
        return Err(InvalidConfiguration::new("timeoutSeconds", "must be at least 1"));
    }
    for (field, codes) in
        [("successStatusCodes", &call.success_status_codes), ("retryOnStatusCodes", &call.retry_on_status_codes)]
    {
        if codes.iter().flatten().any(|code| !(100..=599).contains(code)) {
            return Err(InvalidConfiguration::new(field, "must hold HTTP status codes (100 to 599)"));
        }
    }
    Ok(())
}
