//! `horarium jobs`.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value};

use super::api::{Api, ApiFlags};
use super::output::{self, Format, cell};
use super::span::Span;
use super::{Failure, executions};

/// What can be done with jobs.
#[derive(Debug, Subcommand)]
pub(super) enum Jobs {
    /// List jobs.
    #[command(after_help = "Examples:
  horarium jobs list
  horarium jobs list --status Paused --sort-by nextRunAt
  horarium jobs list --search report --output json")]
    List(List),
    /// Show one job.
    #[command(after_help = "Examples:
  horarium jobs get nightly-report
  horarium jobs get 0197f3c2-7a51-7c3e-9f43-0a1b2c3d4e5f")]
    Get(One),
    /// Create a job from a JSON document.
    #[command(after_help = r#"Examples:
  horarium jobs create -f job.json
  echo '{"name":"ping","jobType":"HttpCall","jobConfiguration":{"url":"https://example.org"},
    "scheduleType":"Cron","scheduleExpression":"*/5 * * * *"}' | horarium jobs create -f -"#)]
    Create(Create),
    /// Run a job now.
    #[command(after_help = "Examples:
  horarium jobs trigger nightly-report
  horarium jobs trigger nightly-report --wait
  horarium jobs trigger import --payload '{\"file\":\"a.csv\"}' --priority 10

With --wait the exit code is 0 when the execution succeeded, 3 when it failed, 4 when it was cancelled.")]
    Trigger(Trigger),
    /// Stop a job's schedule for the time being.
    #[command(after_help = "Example:
  horarium jobs pause nightly-report")]
    Pause(One),
    /// Let a paused job go on.
    #[command(after_help = "Example:
  horarium jobs resume nightly-report")]
    Resume(One),
    /// Delete a job. Its history is kept, unless --hard.
    #[command(after_help = "Examples:
  horarium jobs delete nightly-report
  horarium jobs delete nightly-report --hard")]
    Delete(Delete),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only jobs whose name or description holds this.
    #[arg(long)]
    search: Option<String>,
    /// Only Active, Paused or Disabled ones.
    #[arg(long)]
    status: Option<String>,
    /// Only jobs of this type, such as HttpCall.
    #[arg(long = "type")]
    job_type: Option<String>,
    /// Only jobs with this tag.
    #[arg(long)]
    tag: Option<String>,
    /// name, createdAt, updatedAt, lastExecutedAt, nextRunAt or consecutiveFailures.
    #[arg(long)]
    sort_by: Option<String>,
    /// Largest first.
    #[arg(long)]
    descending: bool,
    /// Which page, from 1.
    #[arg(long, default_value_t = 1)]
    page: u32,
    /// Jobs per page.
    #[arg(long, default_value_t = 50)]
    page_size: u32,
    #[command(flatten)]
    api: ApiFlags,
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// The job's name or id.
    job: String,
    #[command(flatten)]
    api: ApiFlags,
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// The document; '-' for standard input.
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    api: ApiFlags,
}

#[derive(Debug, Args)]
pub(super) struct Trigger {
    /// The job's name or id.
    job: String,
    /// What it is to work on, in JSON.
    #[arg(long, value_parser = parse_json)]
    payload: Option<Value>,
    /// From -100 to 100.
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i32>,
    /// When to run it, such as 2030-01-31T09:00:00Z; now if none is given.
    #[arg(long)]
    run_at: Option<String>,
    /// Wait until the execution ends, and tell how by the exit code.
    #[arg(long)]
    wait: bool,
    /// The longest to wait.
    #[arg(long, requires = "wait")]
    timeout: Option<Span>,
    #[command(flatten)]
    api: ApiFlags,
}

#[derive(Debug, Args)]
pub(super) struct Delete {
    /// The job's name or id.
    job: String,
    /// With its history.
    #[arg(long)]
    hard: bool,
    #[command(flatten)]
    api: ApiFlags,
}

fn parse_json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}

impl Jobs {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::List(list) => list.run().await?,
            Self::Get(One { job, api }) => {
                let api = api.connect()?;
                show(&api, &api.get(&format!("/jobs/{}", id_of(&api, &job).await?), &[]).await?);
            }
            Self::Create(Create { file, api }) => {
                let document = read(&file)?;
                let api = api.connect()?;
                show(&api, &api.send(Method::POST, "/jobs", Some(&document)).await?);
            }
            Self::Trigger(trigger) => return trigger.run().await,
            Self::Pause(one) => one.post("pause").await?,
            Self::Resume(one) => one.post("resume").await?,
            Self::Delete(Delete { job, hard, api }) => {
                let api = api.connect()?;
                let id = id_of(&api, &job).await?;
                let job = match api.format {
                    Format::Json => Some(api.get(&format!("/jobs/{id}"), &[]).await?),
                    Format::Table => None,
                };
                api.send(Method::DELETE, &format!("/jobs/{id}?hardDelete={hard}"), None).await?;
                match job {
                    Some(job) => output::json(&job),
                    None => output::line(&format!("deleted: {id}")),
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl One {
    async fn post(self, action: &str) -> Result<(), Failure> {
        let api = self.api.connect()?;
        let id = id_of(&api, &self.job).await?;
        let answer = api.send(Method::POST, &format!("/jobs/{id}/{action}"), None).await?;
        // The answer may be empty; the job as it is now says more.
        let job = if answer.is_object() { answer } else { api.get(&format!("/jobs/{id}"), &[]).await? };
        show(&api, &job);
        Ok(())
    }
}

impl List {
    async fn run(self) -> Result<(), Failure> {
        let api = self.api.connect()?;
        let query = [
            ("pageNumber", Some(self.page.to_string())),
            ("pageSize", Some(self.page_size.to_string())),
            ("search", self.search),
            ("status", self.status),
            ("jobType", self.job_type),
            ("tag", self.tag),
            ("sortBy", self.sort_by),
            ("sortDirection", self.descending.then(|| "desc".to_owned())),
        ];
        let page = api.get("/jobs", &query).await?;
        match api.format {
            Format::Json => output::json(&page),
            Format::Table => {
                let jobs = page["items"].as_array().map_or(&[][..], Vec::as_slice);
                table(jobs);
                tell_of_further_pages(&page, jobs.len());
            }
        }
        Ok(())
    }
}

impl Trigger {
    async fn run(self) -> Result<ExitCode, Failure> {
        let api = self.api.connect()?;
        let id = id_of(&api, &self.job).await?;
        let given = [
            ("payload", self.payload),
            ("priority", self.priority.map(Value::from)),
            ("runAt", self.run_at.map(Value::from)),
        ];
        let body: Map<_, _> = given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        let body = (!body.is_empty()).then_some(Value::Object(body));
        let answer = api.send(Method::POST, &format!("/jobs/{id}/trigger"), body.as_ref()).await?;
        executions::started(&api, &answer, self.wait, self.timeout).await
    }
}

/// The id of the job of this name or id.
pub(super) async fn id_of(api: &Api, job: &str) -> Result<uuid::Uuid, Failure> {
    if let Ok(id) = uuid::Uuid::try_parse(job) {
        return Ok(id);
    }
    for page in 1.. {
        let query = [
            ("search", Some(job.to_owned())),
            ("pageSize", Some("200".to_owned())),
            ("pageNumber", Some(page.to_string())),
        ];
        let answer = api.get("/jobs", &query).await?;
        let jobs = answer["items"].as_array().map_or(&[][..], Vec::as_slice);
        let found = jobs.iter().find(|found| found["name"] == job).and_then(|found| found["id"].as_str());
        if let Some(id) = found {
            return Ok(uuid::Uuid::try_parse(id)?);
        }
        if answer["totalPages"].as_u64().is_none_or(|pages| page >= pages) {
            break;
        }
    }
    Err(Failure::new(format!("there is no job '{job}'; 'horarium jobs list' shows them")))
}

fn read(file: &std::path::Path) -> Result<Value, Failure> {
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
    serde_json::from_str(&text).map_err(|error| Failure::new(format!("{} is not JSON: {error}", file.display())))
}

fn show(api: &Api, job: &Value) {
    match api.format {
        Format::Json => output::json(job),
        Format::Table => table(std::slice::from_ref(job)),
    }
}

fn table(jobs: &[Value]) {
    let row = |job: &Value| {
        [
            cell(&job["id"]),
            cell(&job["name"]),
            cell(&job["jobType"]),
            schedule(job),
            cell(&job["currentStatus"]),
            cell(&job["nextRunAt"]),
            cell(&job["lastExecutionStatus"]),
        ]
    };
    let rows: Vec<_> = jobs.iter().map(row).collect();
    output::table(["ID", "NAME", "TYPE", "SCHEDULE", "STATUS", "NEXT RUN", "LAST"], &rows);
}

/// When it runs, as short as it can be said.
fn schedule(job: &Value) -> String {
    match job["scheduleType"].as_str() {
        Some("Cron") => match cell(&job["timezone"]).as_str() {
            "UTC" | "-" => cell(&job["scheduleExpression"]),
            zone => format!("{} ({zone})", cell(&job["scheduleExpression"])),
        },
        Some("Interval") => format!("every {} s", cell(&job["intervalSeconds"])),
        Some("OneTime") => format!("at {}", cell(&job["runAt"])),
        _ => cell(&job["scheduleType"]),
    }
}

/// A list that is cut says so.
fn tell_of_further_pages(page: &Value, shown: usize) {
    let total = page["totalCount"].as_u64().unwrap_or(shown as u64);
    let (number, pages) = (page["pageNumber"].as_u64().unwrap_or(1), page["totalPages"].as_u64().unwrap_or(1));
    if number < pages {
        output::note(&format!("{shown} of {total}; --page {} shows more", number + 1));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schedule_is_said_as_short_as_it_can_be() {
        let cron = json!({"scheduleType": "Cron", "scheduleExpression": "0 9 * * *", "timezone": "Europe/Berlin"});
        assert_eq!(schedule(&cron), "0 9 * * * (Europe/Berlin)");
        assert_eq!(schedule(&json!({"scheduleType": "Interval", "intervalSeconds": 30})), "every 30 s");
        assert_eq!(schedule(&json!({"scheduleType": "Manual"})), "Manual");
    }
}
