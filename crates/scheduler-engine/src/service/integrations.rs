//! Integration jobs: the jobs of one group, taken together as the runner of a tenant's integrations.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use horarium_domain::execution::{ExecutionState, ExecutionSummary};
use horarium_domain::retry::{Backoff, RetryPolicy};
use horarium_domain::stats::GroupFigures;
use horarium_domain::store::{CursorPage, GroupFilter, StoreError};
use horarium_domain::{ExecutionId, TenantId, Timestamp};
use serde_json::Value;

use super::{Actor, Admission, ExecutionService, FieldErrors, JobRef, ServiceError, Submission, TriggerInput, limits};
use crate::core::Core;

/// The group that makes a job an integration job.
pub const INTEGRATION_GROUP: &str = "integration";

/// How a new integration job is tried again when its maker does not say: five attempts, the first retry after two
/// minutes, each further one after twice as long, up to an hour.
pub(super) fn default_retry_policy() -> RetryPolicy {
    RetryPolicy {
        max_attempts: 5,
        delay_seconds: 120,
        backoff: Backoff::Exponential,
        max_delay_seconds: 3600,
        ..RetryPolicy::default()
    }
}

/// From where on the health of a tenant's integrations is no longer good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthThresholds {
    /// So many failures are an error; fewer, but any, are a warning.
    pub error_failures: i64,
    /// A wait this long is a warning.
    pub warn_age: Duration,
    /// A wait this long is an error.
    pub error_age: Duration,
}

impl Default for HealthThresholds {
    /// 5 failures; 10 minutes and an hour.
    fn default() -> Self {
        Self { error_failures: 5, warn_age: Duration::from_mins(10), error_age: Duration::from_hours(1) }
    }
}

/// How well a tenant's integrations are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HealthStatus {
    /// Nothing failed and nothing waits for long.
    Ok,
    /// Something failed, or waits for long.
    Warn,
    /// Much failed, or something waits for very long.
    Error,
}

/// What makes the health less than good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthReason {
    /// So many executions failed.
    Failures(i64),
    /// The one that has waited longest has done so for this long.
    OldestPending(Duration),
}

impl fmt::Display for HealthReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failures(1) => f.write_str("1 job failed."),
            Self::Failures(count) => write!(f, "{count} jobs failed."),
            Self::OldestPending(age) => write!(f, "The oldest pending job has been due for {}.", wait_in_words(*age)),
        }
    }
}

/// A wait in words, in hours and minutes.
pub fn wait_in_words(wait: Duration) -> String {
    let minutes = wait.as_secs() / 60;
    match (minutes / 60, minutes % 60) {
        (0, 0) => "less than a minute".to_owned(),
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// How well a tenant's integrations are, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// How well.
    pub status: HealthStatus,
    /// Why it is no better; nothing when it is good.
    pub reasons: Vec<HealthReason>,
}

impl Health {
    fn of(failed: i64, oldest_pending_age: Option<Duration>, thresholds: &HealthThresholds) -> Self {
        let failures = match failed {
            ..=0 => HealthStatus::Ok,
            count if count >= thresholds.error_failures => HealthStatus::Error,
            _ => HealthStatus::Warn,
        };
        let wait = match oldest_pending_age {
            Some(age) if age >= thresholds.error_age => HealthStatus::Error,
            Some(age) if age >= thresholds.warn_age => HealthStatus::Warn,
            Some(_) | None => HealthStatus::Ok,
        };
        let failed = (failures > HealthStatus::Ok).then_some(HealthReason::Failures(failed));
        let waited = oldest_pending_age.filter(|_| wait > HealthStatus::Ok).map(HealthReason::OldestPending);
        Self { status: failures.max(wait), reasons: failed.into_iter().chain(waited).collect() }
    }
}

/// The state of a tenant's integrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationMetrics {
    /// The figures as they are counted.
    pub figures: GroupFigures,
    /// How long the oldest execution that waits has been due; zero when none is due yet, `None` when none waits.
    pub oldest_pending_age: Option<Duration>,
    /// How well it all is.
    pub health: Health,
}

/// Which executions of integration jobs a list shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IntegrationFilter {
    /// Only of this kind: the name of a job.
    pub kind: Option<String>,
    /// Only in this state.
    pub state: Option<ExecutionState>,
}

/// What a caller asks of an execution of an integration job, before any check; all of it may be left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IntegrationInput {
    /// What it is to work on; at most 1 MiB as JSON.
    pub payload: Option<Value>,
    /// When it may start: RFC 3339 with an offset; at once when none is given or it has passed.
    pub run_at: Option<String>,
    /// While an execution of the job with this key waits or runs, no second one is accepted. 1 to 200 characters.
    pub unique_key: Option<String>,
    /// All tries, the first one included, 1 to 1000; as its job's retry policy says when none is given.
    pub max_attempts: Option<i64>,
}

/// The use cases around integration jobs.
#[derive(Debug, Clone)]
pub struct IntegrationService {
    core: Arc<Core>,
    executions: ExecutionService,
}

impl IntegrationService {
    /// How many failed executions are cleared at most at once.
    pub const MAX_CLEARED: usize = ExecutionService::MAX_PAGE;

    pub(super) const fn new(core: Arc<Core>, executions: ExecutionService) -> Self {
        Self { core, executions }
    }

    /// The state of a tenant's integrations, from counters and the queue.
    pub async fn metrics(
        &self,
        tenant: TenantId,
        thresholds: &HealthThresholds,
    ) -> Result<IntegrationMetrics, ServiceError> {
        let figures = self.core.store.group_figures(tenant, INTEGRATION_GROUP).await?;
        let now = self.core.now();
        let oldest_pending_age = figures.oldest_due_at.map(|due| now.since(due));
        let health = Health::of(figures.failed, oldest_pending_age, thresholds);
        Ok(IntegrationMetrics { figures, oldest_pending_age, health })
    }

    /// Up to `limit` (1 to 200) executions of integration jobs older than `before`, newest first. A kind that nothing
    /// is known of has none.
    pub async fn list(
        &self,
        tenant: TenantId,
        filter: IntegrationFilter,
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<CursorPage<ExecutionSummary>, ServiceError> {
        let IntegrationFilter { kind, state } = filter;
        if kind.as_ref().is_some_and(|kind| kind.contains('\0')) {
            return Ok(CursorPage { items: Vec::new(), next: None });
        }
        let filter = GroupFilter { group: INTEGRATION_GROUP.to_owned(), job_name: kind, state };
        let limit = limit.clamp(1, ExecutionService::MAX_PAGE);
        Ok(self.core.store.executions_of_group(tenant, &filter, before, limit).await?)
    }

    /// Deletes executions of integration jobs that had failed by then with their history, the newest first, up to
    /// [`MAX_CLEARED`](Self::MAX_CLEARED) of them; answers how many. A failure counts for as long as it is kept, also when
    /// it was retried since, so this is how somebody who saw to it makes the health good again. What failed later was seen
    /// by nobody and stays.
    pub async fn clear_failed(&self, actor: &Actor, failed_by: Timestamp) -> Result<usize, ServiceError> {
        let failed = IntegrationFilter { state: Some(ExecutionState::Failed), ..IntegrationFilter::default() };
        let (mut cleared, mut before) = (0, None);
        loop {
            let page = self.list(actor.tenant, failed.clone(), before, Self::MAX_CLEARED).await?;
            let seen = page.items.iter().filter(|it| it.completed_at.is_some_and(|at| at <= failed_by));
            for execution in seen.take(Self::MAX_CLEARED - cleared) {
                match self.core.store.delete_execution(actor.tenant, execution.id).await {
                    Ok(()) => cleared += 1,
                    // Somebody else was faster.
                    Err(StoreError::NotFound(_)) => {}
                    Err(error) if cleared == 0 => return Err(error.into()),
                    Err(error) => {
                        // What is gone is to be told; what is left can be cleared again.
                        tracing::warn!(cleared, %error, "not all failed executions could be deleted");
                        return Ok(cleared);
                    }
                }
            }
            match page.next {
                Some(next) if cleared < Self::MAX_CLEARED => before = Some(next),
                Some(_) | None => return Ok(cleared),
            }
        }
    }

    /// Submits an execution of an integration job; answers it with the state that it is in, which may be any live one
    /// when it was there before under the same unique key.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] when the tenant has no integration job of that kind, and as
    /// [`ExecutionService::submit`].
    pub async fn submit(
        &self,
        actor: &Actor,
        kind: &str,
        input: IntegrationInput,
    ) -> Result<(Admission, ExecutionState), ServiceError> {
        const MISSING: ServiceError = ServiceError::NotFound("integration job");
        if kind.contains('\0') {
            return Err(MISSING);
        }
        let job = match self.core.store.job_by_name(actor.tenant, kind.trim()).await {
            Ok(summary) => summary.job,
            Err(StoreError::NotFound(_)) => return Err(MISSING),
            Err(error) => return Err(error.into()),
        };
        if job.spec.group.as_deref() != Some(INTEGRATION_GROUP) {
            return Err(MISSING);
        }
        let IntegrationInput { payload, run_at, unique_key, max_attempts } = input;
        let mut errors = FieldErrors::default();
        let bounds = 1..=i64::from(RetryPolicy::MAX_ATTEMPTS);
        let max_attempts = max_attempts.and_then(|given| limits::number(&mut errors, "maxAttempts", given, bounds));
        if !errors.is_empty() {
            return Err(errors.into());
        }
        let input = TriggerInput { payload, run_at, unique_key, ..TriggerInput::default() };
        let submission = Submission { job: JobRef::Id(job.id), input };
        let admission = self.executions.submit_tried(actor, submission, max_attempts).await?;
        let state = if admission.is_duplicate {
            self.core.store.execution(actor.tenant, admission.id).await?.summary.lifecycle.state
        } else {
            ExecutionState::Pending
        };
        Ok((admission, state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(failed: i64, age_ms: Option<u64>) -> (HealthStatus, usize) {
        let health = Health::of(failed, age_ms.map(Duration::from_millis), &HealthThresholds::default());
        (health.status, health.reasons.len())
    }

    #[test]
    fn reasons_are_sentences() {
        assert_eq!(HealthReason::Failures(1).to_string(), "1 job failed.");
        assert_eq!(HealthReason::Failures(7).to_string(), "7 jobs failed.");
        let waited = |seconds| HealthReason::OldestPending(Duration::from_secs(seconds)).to_string();
        assert_eq!(waited(659), "The oldest pending job has been due for 10 min.");
        assert_eq!(waited(7_500), "The oldest pending job has been due for 2 h 5 min.");
        assert_eq!(wait_in_words(Duration::from_secs(59)), "less than a minute");
        assert_eq!(wait_in_words(Duration::from_hours(1)), "1 h");
    }

    #[test]
    fn health_is_good_below_the_thresholds_and_worsens_at_them() {
        use HealthStatus::{Error, Ok, Warn};
        let table = [
            (0, None, Ok, 0),
            (0, Some(599_999), Ok, 0),
            (0, Some(600_000), Warn, 1),
            (0, Some(3_599_999), Warn, 1),
            (0, Some(3_600_000), Error, 1),
            (1, None, Warn, 1),
            (4, Some(599_999), Warn, 1),
            (5, None, Error, 1),
            (1, Some(600_000), Warn, 2),
            (1, Some(3_600_000), Error, 2),
        ];
        for (failed, age, status, reasons) in table {
            assert_eq!(health(failed, age), (status, reasons), "{failed} failed, oldest {age:?}");
        }
    }
}
