//! The dashboard and the timeline.

use horarium_domain::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// What ended within a bucket of time, and what ran at its start.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TimelinePointDto {
    /// The bucket's start.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) timestamp: Timestamp,
    /// Executions that succeeded within it.
    pub(crate) succeeded: i64,
    /// Executions that failed within it.
    pub(crate) failed: i64,
    /// How many were running at its start.
    pub(crate) running: i64,
    /// Executions that were cancelled within it.
    pub(crate) cancelled: i64,
}

/// A slot to come.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UpcomingRunDto {
    /// Of which job.
    pub(crate) job_id: Uuid,
    /// That job's name.
    pub(crate) job_name: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) next_run: Timestamp,
}

/// A tenant at a glance.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DashboardStatsDto {
    /// Jobs that are not deleted.
    pub(crate) total_jobs: u64,
    /// Of those, the enabled ones that are not paused.
    pub(crate) enabled_jobs: u64,
    /// Of the executions that succeeded or failed in the last 24 hours, how many percent succeeded, to two decimals;
    /// 100 when there were none.
    #[schema(minimum = 0, maximum = 100)]
    pub(crate) success_rate: f64,
    /// Enabled jobs and pending executions that are due within the next hour.
    pub(crate) upcoming_executions: u64,
    /// Executions that failed in the last 24 hours.
    pub(crate) recent_failures: i64,
    /// Jobs that are paused.
    pub(crate) paused_jobs: u64,
    /// Executions running now.
    pub(crate) running_executions: u64,
    /// Executions waiting now.
    pub(crate) pending_executions: u64,
    /// Executions that ended since midnight UTC.
    pub(crate) executions_today: i64,
    /// How long those of the last 24 hours took on average; null when there were none.
    pub(crate) average_duration_seconds: Option<f64>,
    /// The next slots, soonest first; 10 at most.
    pub(crate) upcoming: Vec<UpcomingRunDto>,
}
