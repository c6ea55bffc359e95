//! The use cases: what an API or an embedding program asks of Horarium.
//!
//! Each service is a small, cheaply cloned handle on the shared [`Core`]. It checks what it is given, decides by the
//! domain's rules, has the store write the decision and tells the loops. It knows no HTTP: several dialects map their
//! requests to the same calls and the answers to their own shapes.

mod admin;
mod agent;
mod audit;
mod callback;
mod error;
mod execution;
mod idempotency;
mod integrations;
mod job;
mod key;
mod key_limit;
mod limits;
mod memo;
mod queue;
mod secret;
mod session;
mod statistics;
mod tenant;

use std::sync::Arc;

use horarium_domain::{ExecutionId, IdGenerator, RequestSeed, TenantId, Timestamp};

pub use admin::SchedulerAdminService;
pub use agent::{AgentJob, AgentJobService, AgentService, Leased, NewAgentJob, RetryAgentJob};
pub use audit::{AuditPage, AuditService};
pub use callback::{CallbackService, DeliveryReport, SigningKey};
pub use error::{FieldErrors, ServiceError};
pub use execution::{
    Admission, CallbackInput, Dashboard, ExecutionService, JobRef, JobStatistics, RecentExecutions, Submission,
    TimelineRange, TriggerInput,
};
pub use idempotency::IdempotencyService;
pub use integrations::{
    Health, HealthReason, HealthStatus, HealthThresholds, INTEGRATION_GROUP, IntegrationFilter, IntegrationInput,
    IntegrationMetrics, IntegrationService, wait_in_words,
};
pub use job::{JobInput, JobService, RescheduleInput, mask_configuration, retry_policy_to_json};
pub use key::{KeyService, NewKey};
pub use key_limit::{KeyLimitService, KeyLimitsInput};
pub use queue::{QueueInput, QueueService};
pub use secret::{SecretService, SecretsFound};
pub use session::{SessionLimits, SessionService};
pub use statistics::{JobActivity, JobOverview, JobReport, StatisticsService};
pub use tenant::{BuiltInJobs, NewTenant, TenantChange, TenantLimitsInput, TenantPolicy, TenantService};

use crate::audited::AuditedCall;
use crate::core::Core;

/// Who calls, and in which tenant.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The tenant that the call acts in.
    pub tenant: TenantId,
    name: String,
    seed: Option<RequestSeed>,
    /// How many executions the request asks for before those of this call.
    asked_before: u16,
    audited: Option<Arc<AuditedCall>>,
}

impl Actor {
    /// Someone in a tenant. The name comes from a credential, so whatever histories cannot hold or show is taken out of
    /// it: control characters, and all beyond 200 characters.
    pub fn new(tenant: TenantId, name: &str) -> Self {
        let name = name.chars().filter(|c| !c.is_control()).take(limits::PERSON_CHARS).collect();
        Self { tenant, name, seed: None, asked_before: 0, audited: None }
    }

    /// The same in a request with an `Idempotency-Key`: a call that is made again in it asks for the executions that it
    /// asked for before, and the store accepts those once.
    #[must_use]
    pub fn in_request(self, seed: RequestSeed) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// The same in a request that asks for executions in several calls, where this one comes after so many of them.
    #[must_use]
    pub fn after(self, asked_before: u16) -> Self {
        Self { asked_before, ..self }
    }

    /// The same in a call that the audit log is to tell of: if it has executions accepted, in the same transaction.
    #[must_use]
    pub fn audited(self, call: Arc<AuditedCall>) -> Self {
        Self { audited: Some(call), ..self }
    }

    /// A person's or a key's name, as histories show it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The call, if the audit log is to tell of what it has accepted.
    fn call(&self) -> Option<&AuditedCall> {
        self.audited.as_deref()
    }

    /// The id for execution number `index` of those that the call asks for.
    fn execution(&self, index: u16, ids: &IdGenerator, now: Timestamp) -> ExecutionId {
        let number = self.asked_before.saturating_add(index);
        self.seed.map_or_else(|| ids.execution(now), |seed| seed.execution(number))
    }
}

/// All services of one node.
#[derive(Debug, Clone)]
pub struct Services {
    /// Job definitions.
    pub jobs: JobService,
    /// Executions and their figures.
    pub executions: ExecutionService,
    /// Tenants.
    pub tenants: TenantService,
    /// API keys.
    pub keys: KeyService,
    /// Queues.
    pub queues: QueueService,
    /// Limits of concurrency keys.
    pub key_limits: KeyLimitService,
    /// Who changed what.
    pub audit: AuditService,
    /// Sessions of the dashboard.
    pub sessions: SessionService,
    /// Secrets at rest.
    pub secrets: SecretService,
    /// What concerns all jobs of a tenant at once.
    pub admin: SchedulerAdminService,
    /// Callbacks.
    pub callbacks: CallbackService,
    /// Reports on jobs.
    pub statistics: StatisticsService,
    /// Integration jobs.
    pub integrations: IntegrationService,
    /// Agents.
    pub agents: AgentService,
    /// Operations for agents.
    pub agent_jobs: AgentJobService,
    /// Requests that carry an `Idempotency-Key`.
    pub idempotency: IdempotencyService,
}

impl Services {
    /// The services over one core. Must be called within a Tokio runtime: it starts the writer of the audit log.
    pub fn new(core: &Arc<Core>, tenants: TenantPolicy) -> Self {
        let jobs = JobService::new(Arc::clone(core));
        let executions = ExecutionService::new(Arc::clone(core));
        Self {
            statistics: StatisticsService::new(Arc::clone(core), jobs.clone()),
            integrations: IntegrationService::new(Arc::clone(core), executions.clone()),
            executions,
            tenants: TenantService::new(Arc::clone(core), tenants),
            keys: KeyService::new(Arc::clone(core)),
            queues: QueueService::new(Arc::clone(core)),
            key_limits: KeyLimitService::new(Arc::clone(core)),
            audit: AuditService::new(Arc::clone(core)),
            sessions: SessionService::new(Arc::clone(core)),
            secrets: SecretService::new(Arc::clone(core)),
            admin: SchedulerAdminService::new(Arc::clone(core), jobs.clone()),
            callbacks: CallbackService::new(Arc::clone(core)),
            agents: AgentService::new(Arc::clone(core)),
            agent_jobs: AgentJobService::new(Arc::clone(core)),
            idempotency: IdempotencyService::new(Arc::clone(core)),
            jobs,
        }
    }
}
