//! `/overview`: the tenant at a glance. Nothing of it scans the history.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use futures_util::future;
use horarium_auth::Permission;
use horarium_domain::Timestamp;
use horarium_domain::execution::{ExecutionState, ExecutionSummary};
use horarium_domain::job::{JobStatus, JobSummary};
use horarium_domain::stats::UpcomingRun;
use horarium_domain::store::ExecutionFilter;
use horarium_scheduler_engine::ServiceError;
use horarium_scheduler_engine::service::Dashboard as Glance;
use serde::Deserialize;

use crate::host::HostCheck;
use crate::view::{Ago, Badge, Bars, Figure, Layout, Missing, Section, Tabs, Tone, Took, count};
use crate::web::{PageError, Visit, page, perm};

/// How many lines each list shows.
const LINES: usize = 10;

/// How many failures in a row are worth a look.
const FAILING_FROM: i64 = 3;

#[derive(Debug, Deserialize)]
struct Wanted {
    range: Option<String>,
}

#[derive(Template)]
#[template(path = "overview/page.html")]
struct OverviewPage {
    layout: Layout,
    health: Vec<HostCheck>,
    is_well: Badge,
    figures: Result<Vec<Figure>, Missing>,
    ranges: Tabs,
    timeline: Result<Bars, Missing>,
    /// `None` for whoever may not read executions.
    running: Option<Result<Vec<RunningLine>, Missing>>,
    upcoming: Result<Vec<UpcomingLine>, Missing>,
    failing: Result<Vec<FailingLine>, Missing>,
}

struct RunningLine {
    id: String,
    job_id: String,
    job: String,
    progress: Option<u8>,
    since: Ago,
    took: Took,
    worker: String,
}

struct UpcomingLine {
    job_id: String,
    job: String,
    at: Ago,
}

struct FailingLine {
    job_id: String,
    job: String,
    failures: u32,
    last: Ago,
    /// Where it does not run at present.
    stopped: Option<Badge>,
}

pub(crate) fn configure(cfg: &mut ServiceConfig) {
    cfg.route("/", web::get().to(home)).route("/overview", web::get().to(overview));
}

/// Leads to the first page that the visitor may read.
async fn home(visit: Visit<perm::SignedIn>) -> Result<HttpResponse, PageError> {
    visit.go_home()
}

async fn overview(visit: Visit<perm::JobsRead>, wanted: web::Query<Wanted>) -> Result<HttpResponse, PageError> {
    let (services, tenant, now) = (visit.services(), visit.tenant.id, visit.now());
    let (ranges, hours) = Tabs::ranges(wanted.range.as_deref(), |name| format!("/overview?range={name}"));
    let (glance, timeline, running, failing, health) = future::join5(
        services.executions.glance(tenant),
        services.executions.timeline(tenant, hours),
        running(&visit),
        services.jobs.failing(tenant, FAILING_FROM, LINES),
        visit.dashboard().host.checks(),
    )
    .await;
    let glance = visit.part("the figures and what comes next", glance);
    let upcoming =
        |glance: &Glance| glance.stats.next_runs.iter().take(LINES).map(|run| upcoming_line(run, now)).collect();
    let failing = visit.part("the failing jobs", failing);
    let model = OverviewPage {
        layout: visit.layout("Overview", Some(Section::Overview)),
        is_well: Badge::health(health.iter().all(|check| check.problem.is_none())),
        health,
        figures: glance.as_ref().map(|glance| figures(glance, now)).map_err(Missing::clone),
        ranges,
        timeline: visit.part("the timeline", timeline).map(|points| Bars::of(&points)),
        running: visit
            .part("what runs", running)
            .map(|items| Some(items?.iter().map(|execution| running_line(execution, now)).collect()))
            .transpose(),
        upcoming: glance.as_ref().map(upcoming).map_err(Missing::clone),
        failing: failing.map(|jobs| jobs.iter().map(|job| failing_line(job, now)).collect()),
    };
    page(StatusCode::OK, &model)
}

/// The newest of those that run.
async fn running(visit: &Visit<perm::JobsRead>) -> Result<Option<Vec<ExecutionSummary>>, ServiceError> {
    if !visit.can(Permission::ExecutionsRead) {
        return Ok(None);
    }
    let filter = ExecutionFilter { state: Some(ExecutionState::Running), ..ExecutionFilter::default() };
    let newest = visit.services().executions.list_before(visit.tenant.id, &filter, None, LINES).await?;
    Ok(Some(newest.items))
}

fn figures(glance: &Glance, now: Timestamp) -> Vec<Figure> {
    let stats = &glance.stats;
    let ended = |value: i64| count(value.unsigned_abs());
    let average = glance.average_duration_seconds.map(Duration::from_secs_f64);
    // Of none, the API says that all succeeded.
    let has_ended = stats.succeeded + stats.failed > 0;
    let succeeded = if has_ended { format!("{} %", glance.success_rate) } else { "–".to_owned() };
    let failed_tone = if stats.failed > 0 { Tone::Bad } else { Tone::Good };
    // The hour, so that the link is the same for a while: whoever stands on it is not to lose it at each refresh.
    let since = (now - Duration::from_hours(24)).floor_to(Duration::from_hours(1));
    vec![
        Figure::new("Running", count(stats.running)).tone(Tone::Info).href("/executions?state=Running"),
        Figure::new("Pending", count(stats.pending)).href("/executions?state=Pending"),
        Figure::new("Failed", ended(stats.failed))
            .hint("in 24 hours")
            .tone(failed_tone)
            .href(format!("/executions?state=Failed&from={since}")),
        Figure::new("Succeeded", succeeded).hint(format!("{} in 24 hours", ended(stats.succeeded))),
        Figure::new("Average run", average.map_or_else(|| "–".to_owned(), |span| Took(Some(span)).to_string()))
            .hint("in 24 hours"),
        Figure::new("Ended today", ended(stats.executions_today)).hint("since midnight UTC"),
        Figure::new("Due", count(stats.upcoming)).hint("within an hour"),
        Figure::new("Jobs", count(stats.total_jobs))
            .hint(format!("{} active, {} paused", count(stats.enabled_jobs), count(stats.paused_jobs)))
            .href("/jobs"),
    ]
}

fn running_line(execution: &ExecutionSummary, now: Timestamp) -> RunningLine {
    RunningLine {
        id: execution.id.to_string(),
        job_id: execution.job_id.to_string(),
        job: execution.job_name.clone(),
        progress: execution.progress,
        since: Ago { at: execution.started_at, now },
        took: Took(execution.started_at.map(|at| now.since(at))),
        worker: execution.worker.clone().unwrap_or_default(),
    }
}

fn upcoming_line(run: &UpcomingRun, now: Timestamp) -> UpcomingLine {
    UpcomingLine { job_id: run.job_id.to_string(), job: run.job_name.clone(), at: Ago { at: Some(run.next_run), now } }
}

fn failing_line(summary: &JobSummary, now: Timestamp) -> FailingLine {
    FailingLine {
        job_id: summary.job.id.to_string(),
        job: summary.job.spec.name.clone(),
        failures: summary.consecutive_failures,
        last: Ago { at: summary.last_run.map(|run| run.completed_at), now },
        stopped: match summary.job.status() {
            JobStatus::Active => None,
            status @ (JobStatus::Paused | JobStatus::Disabled) => Some(Badge::job(status)),
        },
    }
}
