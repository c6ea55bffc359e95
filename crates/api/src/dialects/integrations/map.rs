//! Domain types → wire shapes. Every match is exhaustive, so that nothing new in the domain goes out unnamed.

use std::time::Duration;

use horarium_domain::ExecutionId;
use horarium_domain::execution::{ExecutionState, ExecutionSummary};
use horarium_domain::store::CursorPage;
use horarium_scheduler_engine::service::{Health, HealthStatus, IntegrationMetrics};

use super::dto::{
    IntegrationHealthDto, IntegrationHealthStatus, IntegrationJobDto, IntegrationJobPage, IntegrationMetricsDto,
    IntegrationStatus,
};

impl From<IntegrationMetrics> for IntegrationMetricsDto {
    fn from(metrics: IntegrationMetrics) -> Self {
        let IntegrationMetrics { figures, oldest_pending_age, health } = metrics;
        Self {
            pending_count: figures.pending,
            processing_count: figures.running,
            failed_count: figures.failed,
            oldest_pending_age_ms: oldest_pending_age.map(milliseconds),
            last_run_at: figures.last_run.map(|run| run.completed_at),
            last_run_duration_ms: figures.last_run.and_then(|run| run.duration_ms),
            health: health.into(),
        }
    }
}

impl From<Health> for IntegrationHealthDto {
    fn from(health: Health) -> Self {
        Self { status: health.status.into(), reasons: health.reasons.iter().map(ToString::to_string).collect() }
    }
}

impl From<HealthStatus> for IntegrationHealthStatus {
    fn from(status: HealthStatus) -> Self {
        match status {
            HealthStatus::Ok => Self::Ok,
            HealthStatus::Warn => Self::Warn,
            HealthStatus::Error => Self::Error,
        }
    }
}

/// The states of an execution by their names in this dialect.
pub(super) const STATUSES: &[(&str, ExecutionState)] = &[
    ("PENDING", ExecutionState::Pending),
    ("PROCESSING", ExecutionState::Running),
    ("DONE", ExecutionState::Succeeded),
    ("FAILED", ExecutionState::Failed),
    ("CANCELLED", ExecutionState::Cancelled),
];

impl From<ExecutionState> for IntegrationStatus {
    fn from(state: ExecutionState) -> Self {
        match state {
            ExecutionState::Pending => Self::Pending,
            ExecutionState::Running => Self::Processing,
            ExecutionState::Succeeded => Self::Done,
            ExecutionState::Failed => Self::Failed,
            ExecutionState::Cancelled => Self::Cancelled,
        }
    }
}

impl From<ExecutionSummary> for IntegrationJobDto {
    fn from(execution: ExecutionSummary) -> Self {
        let took = execution.completed_at.zip(execution.started_at).map(|(end, start)| end.since(start));
        Self {
            id: execution.id.as_uuid(),
            kind: execution.job_name,
            status: execution.lifecycle.state.into(),
            attempts: execution.lifecycle.attempt,
            created_at: execution.created_at,
            run_at: execution.run_at.unwrap_or(execution.scheduled_for),
            started_at: execution.started_at,
            completed_at: execution.completed_at,
            duration_ms: took.map(milliseconds),
        }
    }
}

impl From<CursorPage<ExecutionSummary>> for IntegrationJobPage {
    fn from(page: CursorPage<ExecutionSummary>) -> Self {
        Self {
            items: page.items.into_iter().map(IntegrationJobDto::from).collect(),
            next_cursor: page.next.map(ExecutionId::as_uuid),
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
