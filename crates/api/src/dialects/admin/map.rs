//! Domain types → wire shapes. Every match is exhaustive, so that nothing new in the domain goes out unnamed.

use horarium_auth::Principal;
use horarium_domain::execution::{ExecutionState, ExecutionSummary};
use horarium_domain::job::JobSummary;
use horarium_domain::schedule::{Schedule, ScheduleKind};
use horarium_domain::stats::JobCounters;
use horarium_scheduler_engine::service::{Admission, JobActivity, JobOverview, JobReport};

use super::dto::{
    AdminExecutionStatus, AdminJobStatus, JobOverviewDto, JobScheduleDto, JobStatsDto, PerformanceDto, PriorityName,
    QueueStatsDto, RecentExecutionDto, TriggeredByDto, TriggeredJobDto,
};
use super::words;

impl From<JobReport> for JobStatsDto {
    fn from(report: JobReport) -> Self {
        let performance = performance(&report);
        let JobReport { job: JobOverview { summary, activity }, counters, durations: _, recent, generated_at } = report;
        Self {
            schedule: schedule(&summary),
            job_name: summary.job.spec.name,
            status: activity.into(),
            queue: counters.into(),
            performance,
            recent_executions: recent.into_iter().map(RecentExecutionDto::from).collect(),
            generated_at,
        }
    }
}

impl From<JobOverview> for JobOverviewDto {
    fn from(JobOverview { summary, activity }: JobOverview) -> Self {
        Self { schedule: schedule(&summary), job_name: summary.job.spec.name, status: activity.into() }
    }
}

impl From<JobActivity> for AdminJobStatus {
    fn from(activity: JobActivity) -> Self {
        match activity {
            JobActivity::Running => Self::Running,
            JobActivity::Paused => Self::Paused,
            JobActivity::Disabled => Self::Disabled,
            JobActivity::Idle => Self::Idle,
        }
    }
}

impl From<ExecutionState> for AdminExecutionStatus {
    fn from(state: ExecutionState) -> Self {
        match state {
            ExecutionState::Pending => Self::Pending,
            ExecutionState::Running => Self::Processing,
            ExecutionState::Succeeded => Self::Completed,
            ExecutionState::Failed => Self::Failed,
            ExecutionState::Cancelled => Self::Cancelled,
        }
    }
}

impl From<JobCounters> for QueueStatsDto {
    fn from(counters: JobCounters) -> Self {
        let JobCounters { pending, running, succeeded, failed, cancelled, duration_ms: _ } = counters;
        Self { pending, processing: running, failed, completed: succeeded, cancelled }
    }
}

fn performance(report: &JobReport) -> PerformanceDto {
    let percentile = |share| report.durations.percentile_ms(share).map(words::duration);
    let last_ms = report.job.summary.last_run.and_then(|run| run.duration_ms);
    PerformanceDto {
        average_execution_time: report.average_ms().map(words::duration),
        last_execution_time: last_ms.map(|ms| words::duration(ms as f64)),
        success_rate: report.success_share().map(words::percent),
        p50: percentile(0.5),
        p95: percentile(0.95),
        p99: percentile(0.99),
    }
}

fn schedule(summary: &JobSummary) -> JobScheduleDto {
    JobScheduleDto {
        cron: cron(&summary.job.spec.schedule),
        next_run: summary.next_run_at,
        last_run: summary.last_run.and_then(|run| run.started_at),
    }
}

fn cron(schedule: &Schedule) -> Option<String> {
    match schedule.kind() {
        ScheduleKind::Cron(cron) => Some(cron.as_str().to_owned()),
        ScheduleKind::Manual | ScheduleKind::OneTime { at: _ } | ScheduleKind::Interval { seconds: _, anchor: _ } => {
            None
        }
    }
}

impl From<ExecutionSummary> for RecentExecutionDto {
    fn from(execution: ExecutionSummary) -> Self {
        Self {
            id: execution.id.as_uuid(),
            status: execution.lifecycle.state.into(),
            started_at: execution.started_at,
            completed_at: execution.completed_at,
            items_processed: execution.items_processed,
        }
    }
}

/// An execution that somebody has just triggered.
pub(super) fn triggered(admission: &Admission, job_name: String, by: &Principal) -> TriggeredJobDto {
    TriggeredJobDto {
        job_id: format!("job-{}", admission.id),
        execution_id: admission.id.as_uuid(),
        job_name,
        status: "queued",
        triggered_at: admission.created_at,
        triggered_by: TriggeredByDto { id: by.subject.clone(), name: by.name.clone(), email: by.email.clone() },
        estimated_start_time: admission.scheduled_for,
        priority: priority(admission.priority),
    }
}

fn priority(number: i16) -> PriorityName {
    match number {
        ..=-1 => PriorityName::Low,
        0 => PriorityName::Normal,
        1.. => PriorityName::High,
    }
}
