//! `horarium executions`.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::api::{Api, ApiFlags};
use super::output::{self, Format, cell};
use super::span::Span;
use super::{Failure, jobs};

/// How often a watched execution is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The exit code when a watched execution failed.
const FAILED: u8 = 3;

/// The exit code when a watched execution was cancelled.
const CANCELLED: u8 = 4;

/// What can be done with executions.
#[derive(Debug, Subcommand)]
pub(super) enum Executions {
    /// List executions, newest first.
    #[command(after_help = "Examples:
  horarium executions list
  horarium executions list --job nightly-report --status Failed
  horarium executions list --limit 200 --output json")]
    List(List),
    /// Show one execution with its attempts and its output.
    #[command(after_help = "Example:
  horarium executions get 0197f3c2-7a51-7c3e-9f43-0a1b2c3d4e5f")]
    Get(One),
    /// Cancel an execution, also one that is running.
    #[command(after_help = "Example:
  horarium executions cancel 0197f3c2-7a51-7c3e-9f43-0a1b2c3d4e5f")]
    Cancel(One),
    /// Run a failed execution once more, as a new one.
    #[command(after_help = "Example:
  horarium executions retry 0197f3c2-7a51-7c3e-9f43-0a1b2c3d4e5f --wait

With --wait the exit code is 0 when the new execution succeeded, 3 when it failed, 4 when it was cancelled.")]
    Retry(Retry),
    /// Follow an execution until it ends.
    #[command(after_help = "Examples:
  horarium executions watch 0197f3c2-7a51-7c3e-9f43-0a1b2c3d4e5f
  horarium executions watch 0197f3c2-7a51-7c3e-9f43-0a1b2c3d4e5f --timeout 10m

The exit code is 0 when it succeeded, 3 when it failed, 4 when it was cancelled, 1 when the time was up.")]
    Watch(Watch),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only those of this job, by name or id.
    #[arg(long)]
    job: Option<String>,
    /// Only Pending, Running, Succeeded, Failed or Cancelled ones.
    #[arg(long)]
    status: Option<String>,
    /// How many to show, at most 200.
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Go on where a former list ended.
    #[arg(long)]
    cursor: Option<Uuid>,
    #[command(flatten)]
    api: ApiFlags,
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// The execution's id.
    execution: Uuid,
    #[command(flatten)]
    api: ApiFlags,
}

#[derive(Debug, Args)]
pub(super) struct Retry {
    /// The execution's id.
    execution: Uuid,
    /// Wait until the new execution ends, and tell how by the exit code.
    #[arg(long)]
    wait: bool,
    /// The longest to wait.
    #[arg(long, requires = "wait")]
    timeout: Option<Span>,
    #[command(flatten)]
    api: ApiFlags,
}

#[derive(Debug, Args)]
pub(super) struct Watch {
    /// The execution's id.
    execution: Uuid,
    /// The longest to wait: 90s, 15m, 12h.
    #[arg(long)]
    timeout: Option<Span>,
    #[command(flatten)]
    api: ApiFlags,
}

impl Executions {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::List(list) => list.run().await?,
            Self::Get(One { execution, api }) => {
                let api = api.connect()?;
                show(&api, &get(&api, execution).await?);
            }
            Self::Cancel(One { execution, api }) => {
                let api = api.connect()?;
                api.send(Method::POST, &format!("/executions/{execution}/cancel"), None).await?;
                match api.format {
                    Format::Json => show(&api, &get(&api, execution).await?),
                    Format::Table => output::line(&format!("cancelled: {execution}")),
                }
            }
            Self::Retry(Retry { execution, wait, timeout, api }) => {
                let api = api.connect()?;
                let answer = api.send(Method::POST, &format!("/executions/{execution}/retry"), None).await?;
                return started(&api, &answer, wait, timeout).await;
            }
            Self::Watch(Watch { execution, timeout, api }) => return watch(&api.connect()?, execution, timeout).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    async fn run(self) -> Result<(), Failure> {
        let api = self.api.connect()?;
        let job = match &self.job {
            Some(job) => Some(jobs::id_of(&api, job).await?),
            None => None,
        };
        let query = [
            ("jobId", job.map(|id| id.to_string())),
            ("status", self.status),
            ("limit", Some(self.limit.to_string())),
            ("cursor", self.cursor.map(|cursor| cursor.to_string())),
        ];
        let page = api.get_platform("/executions", &query).await?;
        match api.format {
            Format::Json => output::json(&page),
            Format::Table => {
                table(page["items"].as_array().map_or(&[][..], Vec::as_slice));
                if let Some(next) = page["nextCursor"].as_str() {
                    output::note(&format!("--cursor {next} shows more"));
                }
            }
        }
        Ok(())
    }
}

/// Tells of an execution that was just accepted, whose id is the server's whole answer; waits for it if asked to.
pub(super) async fn started(api: &Api, answer: &Value, wait: bool, timeout: Option<Span>) -> Result<ExitCode, Failure> {
    let id = answer.as_str().and_then(|id| Uuid::try_parse(id).ok());
    let id = id.ok_or_else(|| Failure::new(format!("the server answered no execution's id but {answer}")))?;
    if wait {
        return watch(api, id, timeout).await;
    }
    match api.format {
        Format::Json => output::json(answer),
        Format::Table => output::line(&id.to_string()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Follows an execution until it ends: each state as it comes, then the whole of it.
async fn watch(api: &Api, id: Uuid, timeout: Option<Span>) -> Result<ExitCode, Failure> {
    let deadline = timeout.map(|span| Instant::now() + span.0);
    let mut told = String::new();
    loop {
        let execution = get(api, id).await?;
        let status = cell(&execution["status"]);
        let now = match execution["progress"].as_u64() {
            Some(percent) if status == "Running" => format!("{status} ({percent} %)"),
            _ => status.clone(),
        };
        if told != now {
            output::note(&format!("{id}: {now}"));
            told = now;
        }
        if let Some(code) = exit_code(&status) {
            show(api, &execution);
            return Ok(code);
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Failure::new(format!("execution {id} is still {status}; the time to wait for it is up")));
        }
        sleep(LOOK_EVERY).await;
    }
}

/// How an execution's end is told to a shell; `None` while it has not ended.
fn exit_code(status: &str) -> Option<ExitCode> {
    match status {
        "Succeeded" => Some(ExitCode::SUCCESS),
        "Failed" => Some(FAILED.into()),
        "Cancelled" => Some(CANCELLED.into()),
        _ => None,
    }
}

async fn get(api: &Api, id: Uuid) -> Result<Value, Failure> {
    api.get(&format!("/executions/{id}"), &[]).await
}

fn show(api: &Api, execution: &Value) {
    match api.format {
        Format::Json => output::json(execution),
        Format::Table => {
            table(std::slice::from_ref(execution));
            for (heading, field) in [("error", "errorMessage"), ("output", "output")] {
                if !execution[field].is_null() {
                    output::line(&format!("\n{heading}: {}", cell(&execution[field])));
                }
            }
        }
    }
}

fn table(executions: &[Value]) {
    let row = |execution: &Value| {
        [
            cell(&execution["id"]),
            cell(&execution["jobName"]),
            cell(&execution["status"]),
            cell(&execution["trigger"]),
            cell(&execution["startedAt"]),
            cell(&execution["duration"]),
            cell(&execution["retryCount"]),
        ]
    };
    let rows: Vec<_> = executions.iter().map(row).collect();
    output::table(["ID", "JOB", "STATUS", "TRIGGER", "STARTED", "DURATION", "RETRIES"], &rows);
}
