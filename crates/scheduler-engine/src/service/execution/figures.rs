//! Figures about executions, all from counters and rollups.

use horarium_domain::stats::{DashboardStats, DurationHistogram, JobCounters, TimelinePoint};
use horarium_domain::{JobId, TenantId};

use super::{ExecutionService, TimelineRange};
use crate::service::ServiceError;

/// A tenant at a glance.
#[derive(Debug, Clone, PartialEq)]
pub struct Dashboard {
    /// The figures as they are counted.
    pub stats: DashboardStats,
    /// Of the executions that succeeded or failed in the last 24 hours, how many percent succeeded, to two decimals;
    /// 100 when there were none.
    pub success_rate: f64,
    /// How many seconds those ran on average, to three decimals; `None` when there were none.
    pub average_duration_seconds: Option<f64>,
}

/// What is known of all runs of a job that are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobStatistics {
    /// How many executions of each state.
    pub counters: JobCounters,
    /// How long those that succeeded or failed took.
    pub durations: DurationHistogram,
}

impl Dashboard {
    fn new(stats: DashboardStats) -> Self {
        let ended = stats.succeeded + stats.failed;
        let (success_rate, average_duration_seconds) = if ended > 0 {
            let share = stats.succeeded as f64 / ended as f64;
            let seconds = stats.duration_ms as f64 / ended as f64 / 1000.0;
            ((share * 10_000.0).round() / 100.0, Some((seconds * 1000.0).round() / 1000.0))
        } else {
            (100.0, None)
        };
        Self { stats, success_rate, average_duration_seconds }
    }
}

impl ExecutionService {
    /// A tenant at a glance.
    pub async fn dashboard(&self, tenant: TenantId) -> Result<Dashboard, ServiceError> {
        Ok(Dashboard::new(self.core.store.dashboard(tenant, self.core.now()).await?))
    }

    /// The same, perhaps as it was a second ago: a backlog is counted once a second, however many pages show it.
    pub async fn glance(&self, tenant: TenantId) -> Result<Dashboard, ServiceError> {
        let service = self.clone();
        self.glances.get(tenant, async move { service.dashboard(tenant).await }).await
    }

    /// What ended and what ran in the last hours; see [`TimelineRange::new`].
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] when the hours are not 1 to 2160.
    pub async fn timeline(&self, tenant: TenantId, hours: i64) -> Result<Vec<TimelinePoint>, ServiceError> {
        let range = TimelineRange::new(hours, self.core.now())?;
        let data = self.core.store.timeline(tenant, None, range.window()).await?;
        Ok(range.points(&data))
    }

    /// What ended and what ran of one job in the last hours; see [`TimelineRange::of_job`]. Of a job that there is not,
    /// nothing did.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] when the hours are not 1 to 2160.
    pub async fn timeline_of(
        &self,
        tenant: TenantId,
        job: JobId,
        hours: i64,
    ) -> Result<Vec<TimelinePoint>, ServiceError> {
        let range = TimelineRange::of_job(hours, self.core.now())?;
        let data = self.core.store.timeline(tenant, Some(job), range.window()).await?;
        Ok(range.points(&data))
    }

    /// A job's counters and durations.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn statistics(&self, tenant: TenantId, job: JobId) -> Result<JobStatistics, ServiceError> {
        let (counters, durations) = self.core.store.job_statistics(tenant, job).await?;
        Ok(JobStatistics { counters, durations })
    }
}
