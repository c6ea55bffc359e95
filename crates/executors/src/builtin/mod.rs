//! The jobs that every tenant has: they keep its part of the database healthy and report on it.
//!
//! They are ordinary `CodeExecution` jobs in the group `system`: made with the tenant by [`jobs_for`], run by the
//! handlers of [`register`], and open to be paused, rescheduled or triggered like any other. Each works for the tenant
//! of its job alone.

mod credentials;
mod reconciliation;
mod report;
mod retention;
mod sessions;

use std::sync::Arc;

use horarium_domain::execution::Failure;
use horarium_domain::job::{CodeExecution, ConcurrencyPolicy, Job, JobSpec};
use horarium_domain::retry::{Backoff, RetryPolicy};
use horarium_domain::schedule::{MisfirePolicy, Schedule, ScheduleInput};
use horarium_domain::store::{SharedStore, StoreError};
use horarium_domain::{Clock, IdGenerator, TenantId, Timestamp};

use crate::code::Handlers;

pub use credentials::TokenExpiry;
pub use reconciliation::DataSync;
pub use report::ReportGeneration;
pub use retention::ExecutionRetention;
pub use sessions::CleanupExpiredSessions;

/// A job that every tenant has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltinJob {
    /// Its name.
    pub name: &'static str,
    /// What it does, for people.
    pub description: &'static str,
    /// When it runs, in UTC.
    pub cron: &'static str,
    /// How far its start may be put off, in seconds, so that the jobs of many tenants do not start at once.
    pub jitter_seconds: u32,
    /// The name that its handler is registered under.
    pub handler: &'static str,
    /// Seconds that one attempt may take.
    pub timeout_seconds: u32,
}

const DEFINITIONS: [BuiltinJob; 5] = [
    BuiltinJob {
        name: "tokenExpiry",
        description: "Deletes API keys that have expired or been revoked",
        cron: "0 */6 * * *",
        jitter_seconds: 300,
        handler: "system.tokenExpiry",
        timeout_seconds: 300,
    },
    BuiltinJob {
        name: "cleanupExpiredSessions",
        description: "Deletes records of requests that were kept for repetitions with the same Idempotency-Key",
        cron: "20 */6 * * *",
        jitter_seconds: 1800,
        handler: "system.cleanupExpiredSessions",
        timeout_seconds: 300,
    },
    BuiltinJob {
        name: "executionRetention",
        description: "Deletes executions that ended longer ago than they are to be kept (parameter retentionDays)",
        cron: "10 2 * * *",
        jitter_seconds: 3600,
        handler: "system.executionRetention",
        timeout_seconds: 3600,
    },
    BuiltinJob {
        name: "dataSync",
        description: "Recounts the jobs' counters from the history, corrects them and reports what had drifted",
        cron: "40 3 * * *",
        jitter_seconds: 3600,
        handler: "system.dataSync",
        timeout_seconds: 1800,
    },
    BuiltinJob {
        name: "reportGeneration",
        description: "Summarizes the previous day (UTC): totals and figures per job, as JSON",
        cron: "15 0 * * *",
        jitter_seconds: 1800,
        handler: "system.reportGeneration",
        timeout_seconds: 600,
    },
];

/// The jobs that every tenant has.
pub const fn definitions() -> &'static [BuiltinJob] {
    &DEFINITIONS
}

/// The built-in jobs of a new tenant, each with its first slot: what
/// [`TenantStore::create_tenant`](horarium_domain::store::TenantStore::create_tenant) takes.
pub fn jobs_for(tenant: TenantId, ids: &IdGenerator, now: Timestamp) -> Vec<(Job, Option<Timestamp>)> {
    DEFINITIONS
        .iter()
        .map(|definition| {
            let job = Job {
                created_by: Some(JobSpec::BUILT_IN_GROUP.to_owned()),
                ..Job::new(ids.job(now), tenant, definition.spec(now), now)
            };
            let first_slot = job.next_slot(now);
            (job, first_slot)
        })
        .collect()
}

/// Adds the handlers of the built-in jobs. `retention_days` is how long ended executions are kept where the job of the
/// tenant does not say otherwise.
#[must_use]
pub fn register(handlers: Handlers, store: &SharedStore, clock: &Arc<dyn Clock>, retention_days: u32) -> Handlers {
    handlers
        .register("system.tokenExpiry", TokenExpiry::new(store.clone(), clock.clone()))
        .register("system.cleanupExpiredSessions", CleanupExpiredSessions::new(store.clone(), clock.clone()))
        .register("system.executionRetention", ExecutionRetention::new(store.clone(), clock.clone(), retention_days))
        .register("system.dataSync", DataSync::new(store.clone(), clock.clone()))
        .register("system.reportGeneration", ReportGeneration::new(store.clone(), store.clone(), clock.clone()))
}

impl BuiltinJob {
    fn spec(&self, now: Timestamp) -> JobSpec {
        let jitter_seconds = Some(i64::from(self.jitter_seconds));
        let schedule = Schedule::new(ScheduleInput { jitter_seconds, ..ScheduleInput::cron(self.cron) }, now);
        JobSpec {
            description: Some(self.description.to_owned()),
            // The expressions are constants, and a test reads every one of them; the fallback is never taken.
            schedule: schedule.unwrap_or_else(|_| Schedule::manual()),
            misfire_policy: MisfirePolicy::FireOnce,
            retry_policy: RetryPolicy {
                max_attempts: 3,
                delay_seconds: 60,
                backoff: Backoff::Exponential,
                jitter_percent: 20,
                ..RetryPolicy::default()
            },
            timeout_seconds: self.timeout_seconds,
            group: Some(JobSpec::BUILT_IN_GROUP.to_owned()),
            concurrency_policy: ConcurrencyPolicy::Forbid,
            ..JobSpec::new(self.name, CodeExecution::of(self.handler))
        }
    }
}

/// The failure of an attempt that the store let down. What exactly the database said is for the operator's log; the
/// execution's error is read by the tenant.
fn store_failure(error: &StoreError) -> Failure {
    if let StoreError::Unavailable(_) = error {
        return Failure::retryable("the database is unavailable");
    }
    tracing::error!(error = error as &dyn std::error::Error, "a built-in job was let down by the store");
    Failure::retryable("the database refused the work; the server's log says why")
}
