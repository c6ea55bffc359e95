//! `reportGeneration`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use horarium_domain::execution::Failure;
use horarium_domain::job::JobSummary;
use horarium_domain::page::{PageRequest, SortDirection};
use horarium_domain::stats::{DashboardStats, ROLLUP_WIDTHS, RollupBucket};
use horarium_domain::store::{ExecutionStore, JobFilter, JobSort, JobStore, RollupWindow, StoreError};
use horarium_domain::{Clock, JobId, TenantId};
use serde_json::{Value, json};

use super::store_failure;
use crate::code::{Handler, HandlerContext, HandlerOutput};

const DAY: Duration = Duration::from_hours(24);
/// How many bytes the figures per job may take, so that the report fits into an output of the default size and stays
/// a whole JSON document.
const JOBS_BYTES: usize = 48 * 1024;

/// Summarizes the UTC day before the one that the execution was due on: the tenant's totals, and the jobs that ran, the
/// ones that failed most first. A retry on a later day reports on the same day.
pub struct ReportGeneration {
    executions: Arc<dyn ExecutionStore>,
    jobs: Arc<dyn JobStore>,
    clock: Arc<dyn Clock>,
}

impl ReportGeneration {
    /// Over `executions` and `jobs`, with "now" from `clock`.
    pub fn new(executions: Arc<dyn ExecutionStore>, jobs: Arc<dyn JobStore>, clock: Arc<dyn Clock>) -> Self {
        Self { executions, jobs, clock }
    }

    async fn report(&self, context: &HandlerContext) -> Result<(Value, usize), Failure> {
        let failed = |error| store_failure(&error);
        let tenant = context.run.job.tenant_id;
        let now = self.clock.now();
        let midnight = context.run.scheduled_for.floor_to(DAY);
        let window = RollupWindow { width: ROLLUP_WIDTHS[1], from: midnight - DAY, to: midnight };

        let total = self.rollup(tenant, None, window).await.map_err(failed)?;
        let dashboard = self.executions.dashboard(tenant, now).await.map_err(failed)?;
        let latest =
            JobFilter { sort: JobSort::LastExecutedAt, direction: SortDirection::Descending, ..JobFilter::default() };
        let page = PageRequest { number: 1, size: PageRequest::MAX_SIZE };
        let page = self.jobs.jobs(tenant, &latest, page).await.map_err(failed)?;

        let mut ran = Vec::new();
        for (done, job) in page.items.iter().enumerate() {
            if context.run.cancellation.is_cancelled() {
                return Err(Failure::retryable("stopped before the report was complete"));
            }
            let figures = self.rollup(tenant, Some(job.job.id), window).await.map_err(failed)?;
            if figures.succeeded + figures.failed + figures.cancelled > 0 {
                ran.push((figures, job));
            }
            // At most 200 jobs, so the share of 100 fits.
            context.run.progress.set(((done + 1) * 100 / page.items.len()) as u8);
        }
        ran.sort_by(|(a, job), (b, other)| {
            b.failed.cmp(&a.failed).then_with(|| job.job.spec.name.cmp(&other.job.spec.name))
        });
        let jobs = bounded(ran.iter().map(|(figures, job)| job_figures(figures, job)));
        let listed = jobs.len();
        let report = json!({
            "generatedAt": now,
            // The timestamp's first ten characters are its date.
            "day": window.from.to_string().chars().take(10).collect::<String>(),
            "totals": figures(&total),
            "now": present(&dashboard),
            "jobs": jobs,
            "omittedJobs": ran.len() - listed,
            // Jobs are looked through from the one that ran last; more than one page of them is not.
            "unexaminedJobs": page.total.saturating_sub(page.items.len() as u64),
        });
        Ok((report, listed))
    }

    /// The sum over a window.
    async fn rollup(
        &self,
        tenant: TenantId,
        job: Option<JobId>,
        window: RollupWindow,
    ) -> Result<RollupBucket, StoreError> {
        let timeline = self.executions.timeline(tenant, job, window).await?;
        Ok(timeline.buckets.iter().fold(RollupBucket::default(), |sum, (_, bucket)| RollupBucket {
            succeeded: sum.succeeded + bucket.succeeded,
            failed: sum.failed + bucket.failed,
            cancelled: sum.cancelled + bucket.cancelled,
            started: sum.started + bucket.started,
            stopped: sum.stopped + bucket.stopped,
            duration_ms: sum.duration_ms + bucket.duration_ms,
        }))
    }
}

#[async_trait]
impl Handler for ReportGeneration {
    async fn handle(&self, context: HandlerContext) -> Result<HandlerOutput, Failure> {
        let (report, jobs) = self.report(&context).await?;
        Ok(HandlerOutput::json(&report).with_items_processed(jobs))
    }
}

/// As many of `entries` as fit.
fn bounded(entries: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut bytes = 0;
    entries
        .take_while(|entry| {
            bytes += entry.to_string().len() + 1;
            bytes <= JOBS_BYTES
        })
        .collect()
}

fn figures(rollup: &RollupBucket) -> Value {
    let ended = rollup.succeeded + rollup.failed;
    // In percent with two decimals; nothing can be said of no executions.
    let success_rate = (ended > 0).then(|| (rollup.succeeded as f64 * 10_000.0 / ended as f64).round() / 100.0);
    json!({
        "succeeded": rollup.succeeded,
        "failed": rollup.failed,
        "cancelled": rollup.cancelled,
        "successRate": success_rate,
        "averageDurationMs": (ended > 0).then(|| rollup.duration_ms / ended),
    })
}

fn job_figures(rollup: &RollupBucket, summary: &JobSummary) -> Value {
    let mut entry = figures(rollup);
    entry["jobId"] = json!(summary.job.id);
    entry["jobName"] = json!(summary.job.spec.name);
    entry["currentStatus"] = json!(summary.job.status());
    entry["consecutiveFailures"] = json!(summary.consecutive_failures);
    entry
}

fn present(dashboard: &DashboardStats) -> Value {
    json!({
        "totalJobs": dashboard.total_jobs,
        "enabledJobs": dashboard.enabled_jobs,
        "pausedJobs": dashboard.paused_jobs,
        "runningExecutions": dashboard.running,
        "pendingExecutions": dashboard.pending,
        "upcomingExecutions": dashboard.upcoming,
    })
}
