//! The hosts of an operation for agents: what each did, and running it again on those that failed.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web;
use askama::Template;
use askama::filters::HtmlSafe;
use horarium_auth::Permission;
use horarium_domain::Timestamp;
use horarium_domain::agent::{AgentRequest, AgentTask, TaskState};
use horarium_domain::execution::ExecutionState;
use horarium_scheduler_engine::service::{AgentJob, RetryAgentJob};
use serde::Deserialize;

use super::{address, named, target};
use crate::pages::confirm::Confirmation;
use crate::view::{Badge, Section, Tone, Took, count};
use crate::web::{Flash, Form, PageError, Visit, perm};

/// How many hosts are shown without being asked for, how many when they are, and how many are named in a question.
const SHOWN: usize = 200;
const MOST_SHOWN: usize = 1000;
const NAMED: usize = 20;

/// The bytes of an answer that a page shows, and of all of them; of what comes after that, it shows the beginnings.
const ANSWER_BYTES: usize = 4 * 1024;
const ALL_ANSWER_BYTES: usize = 32 * 1024;
const BEGINNING_BYTES: usize = 256;

/// The hosts of an execution, those first that somebody must look at.
#[derive(Template)]
#[template(path = "executions/hosts.html")]
pub(super) struct Hosts {
    /// `40 hosts: 37 completed, 2 failed, 1 no answer`.
    told: String,
    lines: Vec<Line>,
    /// Where all are shown, if some are not.
    more: Option<String>,
    /// How many are not shown even there.
    left_out: usize,
    /// Whether the pages of agents may be seen.
    may_see_agents: bool,
    /// Where the failed ones can be asked to be tried again.
    retry_failed: Option<String>,
    /// Where all can.
    retry_all: Option<String>,
}

impl HtmlSafe for Hosts {}

struct Line {
    key: String,
    badge: Badge,
    host: Option<String>,
    changed: &'static str,
    took: Took,
    attempt: u16,
    error: Option<String>,
    answer: Option<String>,
    /// Where all of the answer is, if this is its beginning.
    rest: Option<String>,
}

/// Which hosts are to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Which {
    /// Those that failed, did not answer or were stopped.
    #[default]
    Failed,
    /// All that the target reaches now.
    All,
}

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    hosts: Which,
}

impl Which {
    const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::All => "all",
        }
    }
}

impl Hosts {
    /// The hosts of an execution; `None` when it is no operation for agents.
    pub(super) fn of<P>(visit: &Visit<P>, found: &AgentJob, shows_all: bool) -> Option<Self> {
        let request = found.request.as_ref()?;
        let (now, address) = (visit.now(), address(found.execution.summary.id));
        let mut tasks: Vec<&AgentTask> = found.tasks.iter().collect();
        tasks.sort_by(|one, other| (rank(one.state), one.hostname()).cmp(&(rank(other.state), other.hostname())));
        let more = (!shows_all && tasks.len() > SHOWN).then(|| format!("{address}?hosts=all"));
        let left_out = if shows_all { tasks.len().saturating_sub(MOST_SHOWN) } else { 0 };
        tasks.truncate(if shows_all { MOST_SHOWN } else { SHOWN });
        let mut room = ALL_ANSWER_BYTES;
        let may_retry = found.execution.summary.lifecycle.state == ExecutionState::Failed
            && found.job.as_ref().is_some_and(|job| !job.is_deleted)
            && visit.can(Permission::AgentsUse);
        let has_failed = found.tasks.iter().any(|task| is_failed(task.state));
        let retry = |which: Which| format!("{address}/retry-hosts?hosts={}", which.name());
        Some(Self {
            told: told(&found.tasks),
            lines: tasks.into_iter().map(|task| line(task, &address, &mut room, now)).collect(),
            more,
            left_out,
            may_see_agents: visit.can(Permission::AgentsRead),
            retry_failed: (may_retry && has_failed && request.target.is_broadcast()).then(|| retry(Which::Failed)),
            retry_all: may_retry.then(|| retry(Which::All)),
        })
    }
}

/// Asks before an operation is run again.
pub(super) async fn ask_to_retry(
    visit: Visit<perm::AgentsUse>,
    path: web::Path<String>,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, PageError> {
    let id = named(&path)?;
    let found = visit.services().agent_jobs.get(visit.tenant.id, id).await?;
    let Some(request) = &found.request else { return Err(PageError::not_found("operation for agents")) };
    let failed: Vec<&str> =
        found.tasks.iter().filter(|task| is_failed(task.state)).filter_map(AgentTask::hostname).collect();
    let (question, consequence) = match wanted.hosts {
        Which::Failed if failed.is_empty() => return Ok(visit.go(address(id), &Flash::note("No host failed."))),
        Which::Failed => {
            let noun = if failed.len() == 1 { "host" } else { "hosts" };
            let question = format!("Run {} again on {} {noun}?", request.operation, count(failed.len() as u64));
            (question, format!("{}. The others are left alone.", list(&failed)))
        }
        Which::All => {
            let reached = visit.services().agent_jobs.hosts(visit.tenant.id, &request.target).await?;
            asked_of_all(request, reached.as_deref())
        }
    };
    let question = Confirmation {
        layout: visit.layout("Run an operation again", Some(Section::Executions)),
        question,
        consequences: vec![consequence, "It runs as a new execution; this one is kept.".to_owned()],
        action: format!("{}/retry-hosts", address(id)),
        fields: vec![("hosts", wanted.hosts.name().to_owned()), ("once", visit.once())],
        verb: "Run it again".to_owned(),
        back: address(id),
    };
    question.show()
}

pub(super) async fn retry(
    visit: Visit<perm::AgentsUse>,
    path: web::Path<String>,
    form: Form<Wanted>,
) -> Result<HttpResponse, PageError> {
    let id = named(&path)?;
    let actor = visit.submits("retry_agent_job", Some(target(id)));
    let how = RetryAgentJob { only_failed: form.0.hosts == Which::Failed, ..RetryAgentJob::default() };
    let (again, _) = visit.services().agent_jobs.retry(&actor, id, &how).await?;
    Ok(visit.go(address(again), &Flash::done("It runs again, as this new execution. The failed one is kept.")))
}

/// What is asked, and told, before an operation is run again on all that its target reaches now; `None` is any agent.
fn asked_of_all(request: &AgentRequest, reached: Option<&[String]>) -> (String, String) {
    let (operation, target) = (&request.operation, &request.target);
    let Some(reached) = reached else {
        return (format!("Run {operation} again?"), "It goes to any one agent that can do it.".to_owned());
    };
    let hosts: Vec<&str> = reached.iter().map(String::as_str).collect();
    let noun = if hosts.len() == 1 { "host" } else { "hosts" };
    let question = format!("Run {operation} again on {} {noun}?", count(hosts.len() as u64));
    let told = match hosts.len() {
        0 => format!("No agent that '{target}' reaches is there now, so it will fail."),
        _ => format!("'{target}' reaches {} now.", list(&hosts)),
    };
    (question, told)
}

/// Whether a host is among those that are tried again.
const fn is_failed(state: TaskState) -> bool {
    match state {
        TaskState::Failed | TaskState::TimedOut | TaskState::Cancelled => true,
        TaskState::Pending | TaskState::Leased | TaskState::Completed | TaskState::Skipped => false,
    }
}

/// What somebody must look at comes first, then what goes on.
const fn rank(state: TaskState) -> u8 {
    match state {
        TaskState::Failed | TaskState::TimedOut | TaskState::Cancelled => 0,
        TaskState::Leased => 1,
        TaskState::Pending => 2,
        TaskState::Completed | TaskState::Skipped => 3,
    }
}

const fn word(state: TaskState) -> &'static str {
    match state {
        TaskState::Pending => "Pending",
        TaskState::Leased => "Running",
        TaskState::Completed => "Completed",
        TaskState::Failed => "Failed",
        TaskState::Skipped => "Skipped",
        TaskState::TimedOut => "No answer",
        TaskState::Cancelled => "Cancelled",
    }
}

const fn badge(state: TaskState) -> Badge {
    let (tone, icon) = match state {
        TaskState::Pending => (Tone::Calm, "waiting"),
        TaskState::Leased => (Tone::Info, "running"),
        TaskState::Completed => (Tone::Good, "check"),
        TaskState::Failed => (Tone::Bad, "cross"),
        TaskState::TimedOut => (Tone::Bad, "warn"),
        TaskState::Skipped | TaskState::Cancelled => (Tone::Calm, "stop"),
    };
    Badge::new(tone, icon, word(state))
}

fn told(tasks: &[AgentTask]) -> String {
    if tasks.is_empty() {
        return "No host takes part so far.".to_owned();
    }
    let mut counts = BTreeMap::<u8, (TaskState, u64)>::new();
    for task in tasks {
        // In the order in which an operation goes well, and then wrong.
        let order = match task.state {
            TaskState::Completed => 0,
            TaskState::Failed => 1,
            TaskState::TimedOut => 2,
            TaskState::Cancelled => 3,
            TaskState::Skipped => 4,
            TaskState::Leased => 5,
            TaskState::Pending => 6,
        };
        counts.entry(order).or_insert((task.state, 0)).1 += 1;
    }
    let parts: Vec<String> =
        counts.values().map(|(state, number)| format!("{} {}", count(*number), word(*state).to_lowercase())).collect();
    let noun = if tasks.len() == 1 { "host" } else { "hosts" };
    format!("{} {noun}: {}", count(tasks.len() as u64), parts.join(", "))
}

fn line(task: &AgentTask, execution: &str, room: &mut usize, now: Timestamp) -> Line {
    let mut answer = task.result.as_ref().map(|answer| format!("{answer:#}"));
    let mut rest = None;
    if let Some(text) = &mut answer {
        let shown = text.floor_char_boundary(ANSWER_BYTES.min(*room).max(BEGINNING_BYTES));
        if shown < text.len() {
            text.truncate(shown);
            rest = Some(format!("{execution}/hosts/{}", task.id));
        }
        *room = room.saturating_sub(text.len());
    }
    Line {
        key: task.id.to_string(),
        badge: badge(task.state),
        host: task.hostname().map(str::to_owned),
        changed: match task.changed {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        },
        took: Took(took(task, now)),
        attempt: task.attempt,
        error: task.error.clone(),
        answer,
        rest,
    }
}

/// How long a host took, as it says or as it looks from here; or has been taking.
fn took(task: &AgentTask, now: Timestamp) -> Option<Duration> {
    let told = task.duration_ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis);
    let until = if task.state == TaskState::Leased { Some(now) } else { task.ended_at };
    told.filter(|_| !task.state.is_open()).or_else(|| Some(until?.since(task.leased_at?)))
}

/// `web-1, web-2 and 3 more`.
fn list(hosts: &[&str]) -> String {
    let named = hosts.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match hosts.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {} more", count(more as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_hosts_are_not_all_named() {
        assert_eq!(list(&["web-1", "web-2"]), "web-1, web-2");
        let many = vec!["web"; 25];
        assert!(list(&many).ends_with("web, web and 5 more"));
    }
}
