//! Agents: registering, leasing work, reporting it; and seeing to them as an operator.

mod jobs;
mod lease;
mod report;
mod secrets;

use std::sync::Arc;

use horarium_domain::agent::protocol::{
    HeartbeatRequest, HeartbeatResponse, MAX_REPORTS, MAX_RUNNING, RegisterRequest, Report, ReportResult,
};
use horarium_domain::agent::{Agent, AgentState, AgentTiming, HeldTask, TaskLease, check_hostname};
use horarium_domain::page::NamedPage;
use horarium_domain::store::{Heartbeat, Registration};
use horarium_domain::{AgentId, TenantId};

pub use jobs::{AgentJob, AgentJobService, NewAgentJob, RetryAgentJob};
pub use lease::Leased;

use super::{FieldErrors, ServiceError, limits};
use crate::core::Core;

/// Labels of an agent.
const LABELS: usize = 100;
/// Operations of an agent.
const OPERATIONS: usize = 1000;
/// Characters of an operation's name, and of a label's key and value.
const NAME_CHARS: usize = 253;
/// Bytes of an agent's facts, as JSON.
const FACTS_BYTES: usize = 64 * 1024;

/// The use cases around agents.
#[derive(Debug, Clone)]
pub struct AgentService {
    core: Arc<Core>,
}

impl AgentService {
    /// How many tasks are told at most of what agents have.
    pub const MAX_HELD: usize = 500;

    pub(super) const fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// How long this node waits for agents.
    pub fn timing(&self) -> AgentTiming {
        self.core.agents.timing()
    }

    /// An agent's standing now.
    pub fn state(&self, agent: &Agent) -> AgentState {
        agent.state(self.core.now(), self.timing())
    }

    /// An agent introduces itself; whoever did so before under the same hostname is the same agent.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`].
    pub async fn register(&self, tenant: TenantId, request: RegisterRequest) -> Result<Agent, ServiceError> {
        let mut errors = FieldErrors::default();
        if let Err(invalid) = check_hostname(&request.hostname) {
            errors.add("hostname", invalid.to_string());
        }
        if request.labels.len() > LABELS {
            errors.add("labels", format!("must hold at most {LABELS} labels"));
        }
        for (key, value) in &request.labels {
            limits::line(&mut errors, "labels", key, NAME_CHARS);
            limits::line(&mut errors, &format!("labels.{key}"), value, NAME_CHARS);
        }
        if request.operations.len() > OPERATIONS {
            errors.add("operations", format!("must hold at most {OPERATIONS} operations"));
        }
        for (index, operation) in request.operations.iter().enumerate() {
            limits::line(&mut errors, &format!("operations[{index}]"), operation, NAME_CHARS);
        }
        if request.version.chars().count() > NAME_CHARS || request.version.chars().any(char::is_control) {
            errors.add("version", format!("must be one line of at most {NAME_CHARS} characters"));
        }
        let facts = serde_json::Value::Object(request.facts.clone());
        limits::json(&mut errors, "facts", &facts, FACTS_BYTES);
        if !errors.is_empty() {
            return Err(errors.into());
        }
        let mut operations = request.operations;
        operations.sort_unstable();
        operations.dedup();
        let now = self.core.now();
        let registration = Registration {
            id: self.core.ids.agent(now),
            tenant_id: tenant,
            hostname: request.hostname,
            labels: request.labels,
            operations,
            facts: request.facts,
            version: request.version,
            now,
        };
        Ok(self.core.store.register_agent(registration).await?)
    }

    /// Records what became of tasks, one by one: a report whose lease is over is refused, the others stand.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] when there is no such agent, [`ServiceError::Invalid`] when there are too many.
    pub async fn report(
        &self,
        tenant: TenantId,
        id: AgentId,
        reports: Vec<Result<Report, ReportResult>>,
    ) -> Result<Vec<ReportResult>, ServiceError> {
        if reports.len() > MAX_REPORTS {
            return Err(ServiceError::invalid("reports", format!("must be at most {MAX_REPORTS}")));
        }
        self.heard_of(&self.core.store.agent(tenant, id).await?);
        report::record(&self.core, tenant, reports).await
    }

    /// Notes that an agent lives and extends its leases; tells which of its tasks are to be stopped.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] when there is no such agent, [`ServiceError::Invalid`] when it names too many leases.
    pub async fn heartbeat(
        &self,
        tenant: TenantId,
        id: AgentId,
        request: HeartbeatRequest,
    ) -> Result<HeartbeatResponse, ServiceError> {
        if request.running.len() > MAX_RUNNING {
            return Err(ServiceError::invalid("running", format!("must hold at most {MAX_RUNNING} lease tokens")));
        }
        let leases: Vec<TaskLease> = request.running.iter().filter_map(|token| token.parse().ok()).collect();
        let (now, timing) = (self.core.now(), self.timing());
        let heartbeat = Heartbeat {
            tenant_id: tenant,
            agent_id: id,
            leaving: request.leaving,
            running: leases,
            now,
            lease_until: now + timing.lease,
            deadline_at: now + timing.broadcast_timeout,
        };
        let held = self.core.store.agent_heartbeat(&heartbeat).await?;
        let is_held = |token: &String| token.parse().is_ok_and(|lease: TaskLease| held.contains(&lease));
        Ok(HeartbeatResponse { stop: request.running.into_iter().filter(|token| !is_held(token)).collect() })
    }

    /// A tenant's agents by hostname, at most `limit`, from the one that follows `after` on.
    pub async fn list(
        &self,
        tenant: TenantId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<NamedPage<Agent>, ServiceError> {
        let agents = self.core.store.agents(tenant, None, after, limit + 1).await?;
        Ok(NamedPage::of(agents, limit, |agent| &agent.hostname))
    }

    /// One agent, by its hostname.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn get(&self, tenant: TenantId, hostname: &str) -> Result<Agent, ServiceError> {
        check_named(hostname)?;
        Ok(self.core.store.agent_named(tenant, hostname).await?)
    }

    /// What agents on these hosts have now, by host, the one held longest first; at most
    /// [`MAX_HELD`](Self::MAX_HELD) of all.
    pub async fn held(&self, tenant: TenantId, hostnames: &[String]) -> Result<Vec<HeldTask>, ServiceError> {
        Ok(self.core.store.held_tasks(tenant, hostnames, Self::MAX_HELD).await?)
    }

    /// Has an agent finish what it has and take no more, or takes that back.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn drain(&self, tenant: TenantId, hostname: &str, draining: bool) -> Result<Agent, ServiceError> {
        check_named(hostname)?;
        let agent = self.core.store.drain_agent(tenant, hostname, draining).await?;
        self.core.agents.work_for([tenant]);
        Ok(agent)
    }

    /// Forgets an agent. If it lives, it registers again.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn delete(&self, tenant: TenantId, hostname: &str) -> Result<(), ServiceError> {
        check_named(hostname)?;
        Ok(self.core.store.delete_agent(tenant, hostname).await?)
    }

    /// Every call is a sign of life, but is noted only where heartbeats are late: they come anyway.
    fn heard_of(&self, agent: &Agent) {
        if self.core.now().since(agent.last_seen_at) > self.timing().heartbeat {
            self.core.agents.heard_of(agent.id);
        }
    }
}

/// What is no hostname names no agent; and PostgreSQL refuses to even look for a NUL.
fn check_named(hostname: &str) -> Result<(), ServiceError> {
    check_hostname(hostname).map_err(|_| ServiceError::NotFound("agent"))
}
