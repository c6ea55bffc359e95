//! The jobs that Horarium itself submits for a tenant. They are made when they are first needed, lie in the group
//! `system` and wait in the queue `system`; their handlers are the executors' affair.

use horarium_domain::job::{CodeExecution, Job, JobSpec, QueueName};
use horarium_domain::retry::{Backoff, RetryPolicy};
use horarium_domain::store::{Conflict, StoreError};
use horarium_domain::{TenantId, Timestamp};

use crate::core::{Core, JobChangeKind};

/// Who made them, and their group.
const SYSTEM: &str = "system";

/// A job that Horarium submits for a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemJob {
    /// Tells the end of an execution to the URL that its submitter gave.
    CallbackDelivery,
    /// Does nothing, to see that work is done.
    QueueTest,
}

impl SystemJob {
    /// The job's name, which is also its handler's.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CallbackDelivery => "system.callbackDelivery",
            Self::QueueTest => "system.queueTest",
        }
    }

    fn spec(self) -> JobSpec {
        let spec = JobSpec {
            group: Some(SYSTEM.to_owned()),
            queue: QueueName::system(),
            ..JobSpec::new(self.name(), CodeExecution::of(self.name()))
        };
        match self {
            // 14 attempts over about 14 hours: a receiver may be down for a night.
            Self::CallbackDelivery => JobSpec {
                description: Some("Tells the ends of executions to the URLs that their submitters gave".to_owned()),
                retry_policy: RetryPolicy {
                    max_attempts: 14,
                    delay_seconds: 10,
                    backoff: Backoff::Exponential,
                    max_delay_seconds: 4 * 3600,
                    jitter_percent: 20,
                    retry_http_status_codes: None,
                },
                timeout_seconds: 60,
                ..spec
            },
            Self::QueueTest => JobSpec {
                description: Some("Does nothing, to see that work is done".to_owned()),
                timeout_seconds: 30,
                ..spec
            },
        }
    }
}

/// A tenant's job of this kind, made if it is not there.
pub(crate) async fn ensure(core: &Core, tenant: TenantId, which: SystemJob) -> Result<Job, StoreError> {
    match core.store.job_by_name(tenant, which.name()).await {
        Ok(found) => return Ok(found.job),
        Err(StoreError::NotFound(_)) => {}
        Err(error) => return Err(error),
    }
    let now: Timestamp = core.now();
    let mut job = Job::new(core.ids.job(now), tenant, which.spec(), now);
    job.created_by = Some(SYSTEM.to_owned());
    match core.store.create_job(job.clone(), None).await {
        Ok(()) => {
            core.job_changed(tenant, job.id, JobChangeKind::Created);
            Ok(job)
        }
        // Another node was faster.
        Err(StoreError::Conflict(Conflict::NameTaken)) => Ok(core.store.job_by_name(tenant, which.name()).await?.job),
        Err(error) => Err(error),
    }
}
