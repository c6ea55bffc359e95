//! `/jobs/{job}`: one job: how its runs went, when the next are, what it is, and its executions.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use futures_util::future;
use horarium_auth::Permission;
use horarium_domain::execution::ExecutionState;
use horarium_domain::retry::Backoff;
use horarium_domain::store::{ExecutionFilter, SkippedSlots};
use horarium_domain::{JobId, Timestamp};
use horarium_scheduler_engine::ServiceError;
use horarium_scheduler_engine::service::{JobReport, mask_configuration};
use serde::Deserialize;

use super::history::{Asked, History, history, listed};
use super::named;
use crate::view::{
    Address, Ago, At, Badge, Bars, Figure, Layout, Missing, RUNS, Runs, Section, Tabs, Tone, Took, When, count,
};
use crate::web::{PageError, Visit, page, perm};

/// How many executions the strip shows.
const STRIP: usize = 50;

/// How many spans of skipped slots are shown.
const SKIPPED: usize = 5;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    range: Option<String>,
    pub(super) state: Option<String>,
    pub(super) before: Option<String>,
}

#[derive(Template)]
#[template(path = "jobs/show.html")]
struct JobPage {
    layout: Layout,
    id: JobId,
    name: String,
    description: String,
    state: Badge,
    is_paused: bool,
    schedule: When,
    next: Ago,
    figures: Vec<Figure>,
    ranges: Tabs,
    chart: Result<Bars, Missing>,
    runs: Result<Runs, Missing>,
    facts: Vec<Fact>,
    skipped: Result<Vec<Skip>, Missing>,
    configuration: String,
    /// `None` for whoever may not read executions.
    history: Option<History>,
    may_write: bool,
    may_trigger: bool,
}

struct Fact {
    name: &'static str,
    at: Option<At>,
    value: String,
    href: Option<String>,
    /// Whether it is worth copying.
    is_copied: bool,
}

struct Skip {
    first: At,
    last: At,
    count: String,
    reason: String,
}

#[derive(Template)]
#[template(path = "jobs/gone.html")]
struct GonePage {
    layout: Layout,
    id: JobId,
}

pub(super) async fn show(
    visit: Visit<perm::JobsRead>,
    path: web::Path<String>,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, PageError> {
    let id = named(&path)?;
    let (services, tenant, now) = (visit.services(), visit.tenant.id, visit.now());
    let report = match services.statistics.report_of(tenant, id, STRIP).await {
        Ok(report) => report,
        Err(ServiceError::NotFound(_)) => return gone(&visit, id).await,
        Err(error) => return Err(error.into()),
    };
    let asked = Asked::of(&wanted);
    let here = Address::new(format!("/jobs/{id}"))
        .with("range", wanted.range.as_deref().unwrap_or_default())
        .with("state", asked.state.map(ExecutionState::as_str).unwrap_or_default());
    let (ranges, hours) = Tabs::ranges(wanted.range.as_deref(), |name| here.with("range", name).to_string());
    let (points, outlook, skipped, listed) = future::join4(
        services.executions.timeline_of(tenant, id, hours),
        services.jobs.outlook(tenant, id, RUNS),
        services.executions.skipped_slots(tenant, id),
        listed(&visit, id, &asked),
    )
    .await;
    let listed = listed.map(|listed| visit.part("the executions", listed));
    let history = listed.map(|listed| history(&report, listed, &here, &asked, now));
    let points = visit.part("the timeline", points);
    let skipped = visit.part("the skipped slots", skipped);
    let status = if asked.problem.is_some() && history.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let job = &report.job.summary.job;
    let shown = JobPage {
        layout: visit.layout(format!("{} · Job", job.spec.name), Some(Section::Jobs)),
        id,
        name: job.spec.name.clone(),
        description: job.spec.description.clone().unwrap_or_default(),
        state: Badge::activity(report.job.activity),
        is_paused: job.is_paused,
        schedule: When::of(&job.spec.schedule),
        next: Ago { at: report.job.summary.next_run_at, now },
        figures: figures(&report),
        ranges,
        chart: points.map(|points| Bars::of(&points).with_averages(&points)),
        runs: visit.part("the next runs", outlook).map(|outlook| Runs::of(&outlook, now)),
        facts: facts(&report, visit.can(Permission::QueuesRead)),
        skipped: skipped.map(|spans| spans.into_iter().take(SKIPPED).map(skip).collect()),
        configuration: format!("{:#}", mask_configuration(&job.spec.configuration)),
        history,
        may_write: visit.can(Permission::JobsWrite),
        may_trigger: visit.can(Permission::ExecutionsTrigger),
    };
    page(status, &shown)
}

/// A job that is deleted, if its executions are still there, or else none.
async fn gone(visit: &Visit<perm::JobsRead>, id: JobId) -> Result<HttpResponse, PageError> {
    let of_job = ExecutionFilter { job_id: Some(id), ..ExecutionFilter::default() };
    let kept = visit.services().executions.list_before(visit.tenant.id, &of_job, None, 1).await?;
    if kept.items.is_empty() || !visit.can(Permission::ExecutionsRead) {
        return Err(PageError::not_found("job"));
    }
    page(StatusCode::NOT_FOUND, &GonePage { layout: visit.layout("Deleted job", Some(Section::Jobs)), id })
}

fn figures(report: &JobReport) -> Vec<Figure> {
    let counters = &report.counters;
    let number = |value: i64| count(value.unsigned_abs());
    let ended = counters.succeeded + counters.failed;
    let share = report.success_share().map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", share * 100.0));
    let span = |ms: Option<f64>| ms.map_or_else(|| "–".to_owned(), |ms| Took::of_ms(Some(ms)).to_string());
    let percentile = |share| match report.durations.percentile_ms(share) {
        Some(ms) => format!("≈ {}", span(Some(ms))),
        None => span(None),
    };
    let executions = |state: &str| format!("/jobs/{}?state={state}#executions", report.job.summary.job.id);
    let failed = if counters.failed > 0 { Tone::Bad } else { Tone::Calm };
    let in_a_row = match report.job.summary.consecutive_failures {
        0 => String::new(),
        failures => format!("{failures} in a row"),
    };
    vec![
        Figure::new("Success rate", share).hint(format!("of {} that are kept", number(ended))),
        Figure::new("Average run", span(report.average_ms())),
        Figure::new("Half within", percentile(0.5)).hint("p50"),
        Figure::new("95 % within", percentile(0.95)).hint("p95"),
        Figure::new("99 % within", percentile(0.99)).hint("p99"),
        Figure::new("Running", number(counters.running)).tone(Tone::Info).href(executions("Running")),
        Figure::new("Pending", number(counters.pending)).href(executions("Pending")),
        Figure::new("Succeeded", number(counters.succeeded)).href(executions("Succeeded")),
        Figure::new("Failed", number(counters.failed)).hint(in_a_row).tone(failed).href(executions("Failed")),
        Figure::new("Cancelled", number(counters.cancelled)).href(executions("Cancelled")),
    ]
}

fn facts(report: &JobReport, may_read_queues: bool) -> Vec<Fact> {
    let job = &report.job.summary.job;
    let spec = &job.spec;
    let plain = |name, value: String| Fact { name, at: None, value, href: None, is_copied: false };
    let seconds = |seconds: u32| Took(Some(Duration::from_secs(seconds.into()))).to_string();
    let limit = |limit: Option<u32>| limit.map_or_else(|| "no limit".to_owned(), |limit| count(limit.into()));
    let queue = Fact {
        href: may_read_queues.then(|| format!("/queues/{}", spec.queue)),
        ..plain("Queue", spec.queue.to_string())
    };
    let mut facts = vec![
        plain("Type", spec.configuration.job_type().to_string()),
        queue,
        plain("Priority", spec.priority.to_string()),
        plain("Attempts", attempts(report)),
        plain("Timeout", format!("{} for each attempt", seconds(spec.timeout_seconds))),
        plain("Overlap", spec.concurrency_policy.as_str().to_owned()),
        plain("At once", limit(spec.effective_max_concurrency())),
        plain("At once per key", limit(spec.max_concurrency_per_key)),
        plain("Missed runs", spec.misfire_policy.as_str().to_owned()),
    ];
    let at = |name, at: Timestamp, value: String| Fact { at: Some(At(Some(at))), ..plain(name, value) };
    let bounds = [("Not before", spec.schedule.effective_from()), ("Not after", spec.schedule.expires_at())];
    facts.extend(bounds.into_iter().filter_map(|(name, bound)| Some(at(name, bound?, String::new()))));
    let jitter = spec.schedule.jitter_seconds();
    if jitter > 0 {
        facts.push(plain("Jitter", format!("up to {} after its slot", seconds(jitter))));
    }
    facts.extend(spec.group.clone().map(|group| Fact {
        href: Some(Address::new("/jobs").with("group", &group).to_string()),
        ..plain("Group", group)
    }));
    if !spec.tags.is_empty() {
        facts.push(plain("Tags", spec.tags.join(", ")));
    }
    let by = |who: Option<&String>| who.map(|who| format!(" by {who}")).unwrap_or_default();
    facts.push(at("Made", job.created_at, by(job.created_by.as_ref())));
    facts.push(at("Changed", job.updated_at, by(job.last_modified_by.as_ref())));
    facts.push(plain("Version", job.version.to_string()));
    facts.push(Fact { is_copied: true, ..plain("Id", job.id.to_string()) });
    facts
}

/// How often it is tried, and how far apart.
fn attempts(report: &JobReport) -> String {
    let policy = &report.job.summary.job.spec.retry_policy;
    if policy.max_attempts <= 1 {
        return "1".to_owned();
    }
    let first = Took(Some(Duration::from_secs(policy.delay_seconds.into())));
    let growth = match policy.backoff {
        Backoff::Fixed => "apart",
        Backoff::Linear => "apart at first, and as much longer each time",
        Backoff::Exponential => "apart at first, and twice as long each time",
    };
    format!("up to {}, {first} {growth}", policy.max_attempts)
}

fn skip(skipped: SkippedSlots) -> Skip {
    Skip {
        first: At(Some(skipped.first)),
        last: At(Some(skipped.last)),
        count: count(skipped.count),
        reason: skipped.reason,
    }
}
