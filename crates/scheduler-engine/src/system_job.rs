//! The jobs that Horarium needs for a tenant. They are made when they are first needed and lie in the group `system`.

use horarium_domain::TenantId;
use horarium_domain::agent::AgentRequest;
use horarium_domain::job::{AgentOperation, CodeExecution, Job, JobConfiguration, JobSpec, QueueName};
use horarium_domain::retry::{Backoff, RetryPolicy};
use horarium_domain::store::{Conflict, StoreError};
use serde_json::Value;

use crate::core::{Core, JobChangeKind};

/// A job that Horarium needs for a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemJob {
    /// Tells the end of an execution to the URL that its submitter gave.
    CallbackDelivery,
    /// Does nothing, to see that work is done.
    QueueTest,
    /// What every operation that somebody sends to agents is an execution of.
    AgentOperations,
}

impl SystemJob {
    /// The job's name. Where it runs code, its handler has the same; those are the executors' affair.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CallbackDelivery => "system.callbackDelivery",
            Self::QueueTest => "system.queueTest",
            Self::AgentOperations => "agentOperations",
        }
    }

    fn spec(self) -> JobSpec {
        // Work of its own, which waits for none of the tenant's.
        let own = |description: &str| JobSpec {
            description: Some(description.to_owned()),
            queue: QueueName::system(),
            ..JobSpec::new(self.name(), CodeExecution::of(self.name()))
        };
        let spec = match self {
            // 14 attempts over about 14 hours: a receiver may be down for a night.
            Self::CallbackDelivery => JobSpec {
                retry_policy: RetryPolicy {
                    max_attempts: 14,
                    delay_seconds: 10,
                    backoff: Backoff::Exponential,
                    max_delay_seconds: 4 * 3600,
                    jitter_percent: 20,
                    retry_http_status_codes: None,
                },
                timeout_seconds: 60,
                ..own("Tells the ends of executions to the URLs that their submitters gave")
            },
            Self::QueueTest => JobSpec { timeout_seconds: 30, ..own("Does nothing, to see that work is done") },
            Self::AgentOperations => JobSpec {
                description: Some("Operations that are sent to agents by hand".to_owned()),
                timeout_seconds: 3600,
                ..JobSpec::new(
                    self.name(),
                    JobConfiguration::Agent(AgentOperation {
                        operation: AgentRequest::SUBMITTED.to_owned(),
                        data: Value::Null,
                        target: None,
                    }),
                )
            },
        };
        JobSpec { group: Some(JobSpec::BUILT_IN_GROUP.to_owned()), ..spec }
    }
}

/// A tenant's job of this kind, made if it is not there.
pub(crate) async fn ensure(core: &Core, tenant: TenantId, which: SystemJob) -> Result<Job, StoreError> {
    match core.store.job_by_name(tenant, which.name()).await {
        Ok(found) => return Ok(found.job),
        Err(StoreError::NotFound(_)) => {}
        Err(error) => return Err(error),
    }
    let now = core.now();
    let mut job = Job::new(core.ids.job(now), tenant, which.spec(), now);
    job.created_by = Some(JobSpec::BUILT_IN_GROUP.to_owned());
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
