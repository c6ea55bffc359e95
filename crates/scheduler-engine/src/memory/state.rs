//! Everything there is, and the one way to move an execution from stage to stage.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use horarium_domain::agent::{Agent, AgentTask};
use horarium_domain::api_key::ApiKeyRecord;
use horarium_domain::audit::AuditEntry;
use horarium_domain::callback::SigningSecret;
use horarium_domain::concurrency::ConcurrencyKey;
use horarium_domain::fair_share::Shares;
use horarium_domain::session::{Session, SessionHash};
use horarium_domain::stats::RollupBucket;
use horarium_domain::store::{Lease, StoreError};
use horarium_domain::tenant::Tenant;
use horarium_domain::{AgentId, AgentTaskId, ApiKeyId, AuditId, ExecutionId, JobId, TenantId, Timestamp};

use super::callbacks::CallbackRecord;
use super::idempotency::IdempotencyRecord;
use super::lanes::Lanes;
use super::record::{
    ExecutionRecord, JobRecord, KeyLimitsRecord, QueueRecord, RunningAttempt, Stage, TenantLimitsRecord,
};

#[derive(Default)]
pub(super) struct State {
    pub(super) tenants: BTreeMap<TenantId, Tenant>,
    pub(super) tenant_limits: BTreeMap<TenantId, TenantLimitsRecord>,
    pub(super) jobs: BTreeMap<JobId, JobRecord>,
    /// By id, which is by age.
    pub(super) executions: BTreeMap<ExecutionId, ExecutionRecord>,
    /// Index of the live ones among `executions`.
    pub(super) lanes: Lanes,
    /// Index of the live ones among `executions` that have a unique key.
    pub(super) unique_keys: HashMap<(JobId, String), ExecutionId>,
    pub(super) queues: BTreeMap<(TenantId, String), QueueRecord>,
    pub(super) key_limits: BTreeMap<(TenantId, ConcurrencyKey), KeyLimitsRecord>,
    pub(super) rollups: BTreeMap<RollupKey, RollupBucket>,
    pub(super) api_keys: BTreeMap<ApiKeyId, ApiKeyRecord>,
    pub(super) sessions: BTreeMap<SessionHash, Session>,
    /// By id, which is by age.
    pub(super) audit: BTreeMap<AuditId, AuditEntry>,
    pub(super) idempotency: BTreeMap<(TenantId, String), IdempotencyRecord>,
    pub(super) callbacks: BTreeMap<ExecutionId, CallbackRecord>,
    pub(super) signing_secrets: BTreeMap<TenantId, SigningSecret>,
    pub(super) agents: BTreeMap<AgentId, Agent>,
    pub(super) agent_tasks: BTreeMap<AgentTaskId, AgentTask>,
    /// Whose execution was claimed last: among those whose turn it is alike, it is the next one's.
    pub(super) last_served: Option<TenantId>,
    /// What each of the tenants that wait, and of their queues with weights, had of late.
    pub(super) share: Shares,
}

/// Which bucket of a rollup.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RollupKey {
    pub(super) tenant: TenantId,
    /// Of one job; `None` for the tenant as a whole.
    pub(super) job: Option<JobId>,
    pub(super) width: Duration,
    pub(super) start: Timestamp,
}

impl State {
    /// A tenant's job, deleted or not.
    pub(super) fn job(&self, tenant: TenantId, id: JobId) -> Result<&JobRecord, StoreError> {
        self.jobs.get(&id).filter(|record| record.job.tenant_id == tenant).ok_or(StoreError::NotFound("job"))
    }

    /// A tenant's job that is not deleted, by its name.
    pub(super) fn job_named(&self, tenant: TenantId, name: &str) -> Option<&JobRecord> {
        let mut live = self.jobs.values().filter(|record| record.job.tenant_id == tenant && !record.job.is_deleted);
        live.find(|record| record.job.spec.name == name)
    }

    /// A tenant's execution.
    pub(super) fn execution(&self, tenant: TenantId, id: ExecutionId) -> Result<&ExecutionRecord, StoreError> {
        let found = self.executions.get(&id).filter(|record| record.accepted.tenant_id == tenant);
        found.ok_or(StoreError::NotFound("execution"))
    }

    /// The present name of a job.
    pub(super) fn job_name(&self, id: JobId) -> &str {
        // A job is never removed before its executions, so the empty name is never shown.
        self.jobs.get(&id).map_or("", |record| record.job.spec.name.as_str())
    }

    /// The attempt that a lease is the right to, if it still is.
    pub(super) fn held(&self, lease: Lease) -> Option<(&ExecutionRecord, &RunningAttempt)> {
        let record = self.executions.get(&lease.execution_id).filter(|record| record.fence == lease.fence)?;
        match &record.stage {
            Stage::Running(attempt) => Some((record, attempt)),
            Stage::Waiting { .. } | Stage::Over(_) => None,
        }
    }

    /// Changes an execution and keeps the indexes true.
    pub(super) fn change(&mut self, id: ExecutionId, change: impl FnOnce(&mut ExecutionRecord)) {
        let Some(record) = self.executions.get_mut(&id) else { return };
        self.lanes.remove(record);
        change(record);
        self.lanes.insert(record);
        if let (Stage::Over(_), Some(key)) = (&record.stage, &record.accepted.unique_key) {
            let key = (record.accepted.job_id, key.clone());
            // What is over may be noted upon; a later execution may have the key by then.
            if self.unique_keys.get(&key) == Some(&id) {
                self.unique_keys.remove(&key);
            }
        }
    }

    /// Adds an accepted execution.
    pub(super) fn insert(&mut self, record: ExecutionRecord) {
        let accepted = &record.accepted;
        if let Some(key) = &accepted.unique_key {
            self.unique_keys.insert((accepted.job_id, key.clone()), accepted.id);
        }
        self.lanes.insert(&record);
        self.executions.insert(accepted.id, record);
    }

    /// Removes executions and all that is known of them.
    pub(super) fn remove_executions(&mut self, remove: impl Fn(&ExecutionRecord) -> bool) {
        let Self { executions, lanes, unique_keys, callbacks, agent_tasks, .. } = self;
        executions.retain(|id, record| {
            let keep = !remove(record);
            if !keep {
                callbacks.remove(id);
                lanes.remove(record);
                if let Some(key) = &record.accepted.unique_key {
                    let key = (record.accepted.job_id, key.clone());
                    // A later execution may have the key by now.
                    if unique_keys.get(&key) == Some(id) {
                        unique_keys.remove(&key);
                    }
                }
            }
            keep
        });
        agent_tasks.retain(|_, task| executions.contains_key(&task.execution_id));
    }
}
