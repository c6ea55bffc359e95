//! Domain types → wire shapes. Every match is exhaustive, so that nothing new in the domain goes out unnamed.

use std::time::Duration;

use horarium_domain::Timestamp;
use horarium_domain::execution::{Attempt, Execution, ExecutionSummary, Moment, MomentKind};
use horarium_domain::job::JobSummary;
use horarium_domain::retry::RetryPolicy;
use horarium_domain::schedule::{Schedule, ScheduleKind};
use horarium_domain::secret::Document;
use horarium_domain::stats::{TimelinePoint, UpcomingRun};
use horarium_scheduler_engine::service::{Dashboard, mask_configuration};

use super::dto::{
    AttemptDto, DashboardStatsDto, HistoryEvent, HistoryEventDto, JobDto, JobExecutionDetailDto, JobExecutionDto,
    RetryPolicyDto, TimelinePointDto, UpcomingRunDto,
};
use crate::http::Entity;

impl From<JobSummary> for JobDto {
    fn from(summary: JobSummary) -> Self {
        let JobSummary { job, next_run_at, last_run, consecutive_failures } = summary;
        let status = job.status();
        let spec = job.spec;
        let (expression, interval, run_at) = slots(&spec.schedule);
        Self {
            id: job.id.as_uuid(),
            name: spec.name,
            description: spec.description,
            job_type: spec.configuration.job_type().into(),
            schedule_type: spec.schedule.schedule_type().into(),
            schedule_expression: expression,
            interval_seconds: interval,
            run_at,
            job_configuration: mask_configuration(&spec.configuration),
            retry_policy: spec.retry_policy.into(),
            timeout_seconds: spec.timeout_seconds,
            timezone: spec.schedule.timezone().name().to_owned(),
            is_enabled: spec.is_enabled,
            is_paused: job.is_paused,
            is_deleted: job.is_deleted,
            created_by: job.created_by,
            last_modified_by: job.last_modified_by,
            tags: spec.tags,
            current_status: status.into(),
            created_at: job.created_at,
            updated_at: job.updated_at,
            last_executed_at: last_run.and_then(|run| run.started_at),
            last_execution_status: last_run.map(|run| run.state.into()),
            next_run_at,
            consecutive_failures,
            queue: spec.queue.into(),
            priority: spec.priority,
            group: spec.group,
            misfire_policy: spec.misfire_policy.into(),
            concurrency_policy: spec.concurrency_policy.into(),
            max_concurrency: spec.max_concurrency,
            max_concurrency_per_key: spec.max_concurrency_per_key,
            jitter_seconds: spec.schedule.jitter_seconds(),
            effective_from: spec.schedule.effective_from(),
            expires_at: spec.schedule.expires_at(),
            version: job.version,
        }
    }
}

/// A job with its version, for `ETag`.
pub(super) fn entity(summary: JobSummary) -> Entity<JobDto> {
    Entity { version: summary.job.version, body: summary.into() }
}

fn slots(schedule: &Schedule) -> (Option<String>, Option<i64>, Option<Timestamp>) {
    match schedule.kind() {
        ScheduleKind::Manual => (None, None, None),
        ScheduleKind::OneTime { at } => (None, None, Some(*at)),
        ScheduleKind::Interval { seconds, anchor: _ } => (None, i64::try_from(*seconds).ok(), None),
        ScheduleKind::Cron(cron) => (Some(cron.as_str().to_owned()), None, None),
    }
}

impl From<RetryPolicy> for RetryPolicyDto {
    fn from(policy: RetryPolicy) -> Self {
        Self {
            max_attempts: policy.max_attempts,
            delay_seconds: policy.delay_seconds,
            retry_backoff_type: policy.backoff.into(),
            max_delay_seconds: policy.max_delay_seconds,
            jitter: f64::from(policy.jitter_percent) / 100.0,
            should_retry_http_status_codes: policy.retry_http_status_codes,
        }
    }
}

impl From<ExecutionSummary> for JobExecutionDto {
    fn from(execution: ExecutionSummary) -> Self {
        let retry_count = execution.retry_count();
        let took = execution.completed_at.zip(execution.started_at).map(|(end, start)| end.since(start));
        Self {
            id: execution.id.as_uuid(),
            job_id: execution.job_id.as_uuid(),
            job_name: execution.job_name,
            status: execution.lifecycle.state.into(),
            triggered_by: execution.triggered_by,
            trigger: execution.trigger.into(),
            scheduled_for: execution.scheduled_for,
            created_at: execution.created_at,
            started_at: execution.started_at,
            completed_at: execution.completed_at,
            ended_at: execution.completed_at,
            duration: took.map(clock),
            duration_ms: took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
            retry_count,
            retry_parent_id: execution.retry_parent_id.map(horarium_domain::ExecutionId::as_uuid),
            concurrency_key: execution.concurrency_key.map(String::from),
            worker: execution.worker,
            items_processed: execution.items_processed,
            progress: execution.progress,
        }
    }
}

/// `hh:mm:ss.fff`; the hours go on beyond 99.
fn clock(took: Duration) -> String {
    let seconds = took.as_secs();
    format!("{:02}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, took.subsec_millis())
}

impl From<Execution> for JobExecutionDetailDto {
    fn from(execution: Execution) -> Self {
        let attempts = execution.attempts();
        let timeline = execution.history().into_iter().map(HistoryEventDto::from).collect();
        let (output, output_truncated) = execution.output.map_or((None, false), |out| (Some(out.text), out.truncated));
        Self {
            summary: execution.summary.into(),
            output,
            output_truncated,
            error_message: execution.error,
            payload: execution.payload.map(|payload| Document::Payload.masked(payload)),
            attempts: attempts.into_iter().map(AttemptDto::from).collect(),
            timeline,
        }
    }
}

impl From<Attempt> for AttemptDto {
    fn from(attempt: Attempt) -> Self {
        Self {
            number: attempt.number,
            worker: attempt.worker,
            started_at: attempt.started_at,
            ended_at: attempt.ended_at,
            outcome: attempt.outcome.into(),
            error: attempt.error,
        }
    }
}

impl From<Moment> for HistoryEventDto {
    fn from(moment: Moment) -> Self {
        let kind = match moment.kind {
            MomentKind::Submitted => HistoryEvent::Submitted,
            MomentKind::Started => HistoryEvent::Started,
            MomentKind::AttemptFailed => HistoryEvent::AttemptFailed,
            MomentKind::AttemptTimedOut => HistoryEvent::AttemptTimedOut,
            MomentKind::AttemptLost => HistoryEvent::AttemptLost,
            MomentKind::Snoozed => HistoryEvent::Snoozed,
            MomentKind::HandedOn => HistoryEvent::HandedOn,
            MomentKind::Succeeded => HistoryEvent::Succeeded,
            MomentKind::Failed => HistoryEvent::Failed,
            MomentKind::Cancelled => HistoryEvent::Cancelled,
            MomentKind::Retried => HistoryEvent::Retried,
            MomentKind::CallbackDelivered => HistoryEvent::CallbackDelivered,
            MomentKind::CallbackFailed => HistoryEvent::CallbackFailed,
        };
        let Moment { at, kind: _, attempt: _, source, message, error } = moment;
        Self { timestamp: at, event: kind, source, message, error }
    }
}

impl From<TimelinePoint> for TimelinePointDto {
    fn from(point: TimelinePoint) -> Self {
        Self {
            timestamp: point.timestamp,
            succeeded: point.succeeded,
            failed: point.failed,
            running: point.running,
            cancelled: point.cancelled,
        }
    }
}

impl From<UpcomingRun> for UpcomingRunDto {
    fn from(run: UpcomingRun) -> Self {
        Self { job_id: run.job_id.as_uuid(), job_name: run.job_name, next_run: run.next_run }
    }
}

impl From<Dashboard> for DashboardStatsDto {
    fn from(dashboard: Dashboard) -> Self {
        let stats = dashboard.stats;
        Self {
            total_jobs: stats.total_jobs,
            enabled_jobs: stats.enabled_jobs,
            success_rate: dashboard.success_rate,
            upcoming_executions: stats.upcoming,
            recent_failures: stats.failed,
            paused_jobs: stats.paused_jobs,
            running_executions: stats.running,
            pending_executions: stats.pending,
            executions_today: stats.executions_today,
            average_duration_seconds: dashboard.average_duration_seconds,
            upcoming: stats.next_runs.into_iter().map(UpcomingRunDto::from).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_like_a_clock_and_its_hours_go_on() {
        assert_eq!(clock(Duration::from_millis(1_250)), "00:00:01.250");
        assert_eq!(clock(Duration::from_secs(3_723)), "01:02:03.000");
        assert_eq!(clock(Duration::from_hours(123)), "123:00:00.000");
    }
}
