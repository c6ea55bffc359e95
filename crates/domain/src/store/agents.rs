//! Agents and what they work on.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::StoreError;
use crate::agent::{Agent, AgentTask, HeldTask, TaskEnd, TaskLease};
use crate::{AgentId, ExecutionId, TenantId, Timestamp};

/// An agent introduces itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// A fresh id, used when the hostname is new to the tenant.
    pub id: AgentId,
    /// Whose.
    pub tenant_id: TenantId,
    /// The host.
    pub hostname: String,
    /// What the host is.
    pub labels: BTreeMap<String, String>,
    /// What the agent can do.
    pub operations: Vec<String>,
    /// What else it tells.
    pub facts: Map<String, Value>,
    /// The version of its program.
    pub version: String,
    /// The present.
    pub now: Timestamp,
}

/// A sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// Whose agent.
    pub tenant_id: TenantId,
    /// Which.
    pub agent_id: AgentId,
    /// Whether it is shutting down.
    pub leaving: bool,
    /// What it works on.
    pub running: Vec<TaskLease>,
    /// The present.
    pub now: Timestamp,
    /// Until when its leases hold now.
    pub lease_until: Timestamp,
    /// When its hosts' silence becomes too long.
    pub deadline_at: Timestamp,
}

/// An agent asks for work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRequest {
    /// Whose agent.
    pub tenant_id: TenantId,
    /// Its host.
    pub hostname: String,
    /// What it can do.
    pub operations: Vec<String>,
    /// How many tasks at most.
    pub limit: usize,
    /// The present.
    pub now: Timestamp,
    /// Until when the leases hold.
    pub lease_until: Timestamp,
    /// When the host's silence becomes too long.
    pub deadline_at: Timestamp,
}

/// Nobody listened to agents for a while: a node starts, or could not do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excuse {
    /// Nobody listened, if nobody was heard of after this,
    pub unheard_since: Timestamp,
    /// and before this: the first to be heard of once somebody listens again say nothing of the time before.
    pub until: Timestamp,
    /// The present.
    pub now: Timestamp,
    /// How long leases last.
    pub lease: Duration,
    /// How long an agent may be silent and still be alive.
    pub alive: Duration,
    /// How long a host may be silent before its part has failed.
    pub patience: Duration,
}

/// What became of a reported end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// It is durable.
    Recorded(ExecutionId),
    /// The lease was no longer held: nothing was written.
    Stale,
}

/// What a sweep over open tasks did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SweptTasks {
    /// Executions of which a task ended: its host was silent for too long, or the execution itself is over.
    pub ended: Vec<ExecutionId>,
    /// What waits for agents, by tenant.
    pub waiting: Vec<WaitingTasks>,
}

/// What of a tenant's work waits for agents. When it differs from what it was, something new has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingTasks {
    /// Whose.
    pub tenant_id: TenantId,
    /// How many tasks.
    pub count: i64,
    /// The latest of their deadlines.
    pub latest_deadline: Timestamp,
}

/// Agents, and their tasks.
#[async_trait]
pub trait AgentStore: Send + Sync {
    /// Adds an agent, or makes the tenant's agent of this hostname say what it says now; that one keeps its id, when it
    /// first registered, and whether it is drained, is no longer leaving, and begins another session.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such tenant.
    async fn register_agent(&self, registration: Registration) -> Result<Agent, StoreError>;

    /// A tenant's agent.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn agent(&self, tenant: TenantId, id: AgentId) -> Result<Agent, StoreError>;

    /// A tenant's agent, by its hostname.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn agent_named(&self, tenant: TenantId, hostname: &str) -> Result<Agent, StoreError>;

    /// Up to `limit` of a tenant's agents that were heard of at or after `seen_since` if it is given, by hostname, from the
    /// one that follows `after` on.
    async fn agents(
        &self,
        tenant: TenantId,
        seen_since: Option<Timestamp>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Agent>, StoreError>;

    /// Says whether a tenant's agent is drained, and gives it back.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn drain_agent(&self, tenant: TenantId, hostname: &str, draining: bool) -> Result<Agent, StoreError>;

    /// Forgets a tenant's agent. What it has leased can still be reported.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn delete_agent(&self, tenant: TenantId, hostname: &str) -> Result<(), StoreError>;

    /// Forgets the agents of all tenants that were last heard of before this instant, and answers how many. Those that
    /// are drained stay: one that came back would work again.
    async fn prune_agents(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// Notes that the agent lives, extends its leases, and answers which of them are still held. The rest were
    /// cancelled, given to another, or are over. One that leaves begins another session.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the tenant has no such agent; then nothing is extended.
    async fn agent_heartbeat(&self, heartbeat: &Heartbeat) -> Result<Vec<TaskLease>, StoreError>;

    /// Notes that agents were heard of other than by a heartbeat. Those that are not there are passed over.
    async fn note_agents(&self, agents: &[AgentId], now: Timestamp) -> Result<(), StoreError>;

    /// Makes an execution's tasks, all of one execution and one round. Those that there are, by their host, are left
    /// alone; of those that were there in an earlier round, what failed and may be repaired is put back.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such execution.
    async fn open_tasks(&self, tasks: &[AgentTask]) -> Result<(), StoreError>;

    /// The tasks of a tenant's executions, by execution and host.
    async fn agent_tasks(&self, tenant: TenantId, executions: &[ExecutionId]) -> Result<Vec<AgentTask>, StoreError>;

    /// Up to `limit` tasks that agents on these hosts of a tenant have now, by host, the one held longest first.
    async fn held_tasks(
        &self,
        tenant: TenantId,
        hostnames: &[String],
        limit: usize,
    ) -> Result<Vec<HeldTask>, StoreError>;

    /// Which of these executions still await an answer of some host.
    async fn awaiting_agents(&self, executions: &[ExecutionId]) -> Result<Vec<ExecutionId>, StoreError>;

    /// Leases tasks to an agent, the oldest first: those of its host, and those that any agent may take whose operation
    /// it has. Two that ask at once never get the same.
    async fn lease_tasks(&self, request: &TaskRequest) -> Result<Vec<AgentTask>, StoreError>;

    /// Takes back leases that never reached their agent: as if they had not been, but for the fence. Those that are over
    /// are passed over.
    async fn return_tasks(&self, tenant: TenantId, leases: &[TaskLease]) -> Result<(), StoreError>;

    /// Records how tasks ended, or [hands on](AgentTask::hand_on) those that are handed back; the answers are in the
    /// order of the batch.
    async fn report_tasks(
        &self,
        tenant: TenantId,
        ends: Vec<TaskEnd>,
        now: Timestamp,
    ) -> Result<Vec<Reported>, StoreError>;

    /// While no node listened, nobody was silent: extends deadlines and leases as if every host had been heard of now, and
    /// notes so of the agents that were alive when the latest before that was heard of. Does nothing if somebody was heard
    /// of in that time.
    async fn excuse_silence(&self, excuse: &Excuse) -> Result<(), StoreError>;

    /// Goes over all tenants' open tasks, with hosts that may be silent for as long as `patience`.
    ///
    /// Cancels those of executions that are over. Of those that no lease holds and whose deadline has come, gives those
    /// that are no part of a broadcast until `patience` after the last sign of life of an agent that
    /// [may take](Agent::may_take) them, and ends the others as timed out; so it does with those whose lease ran out once
    /// too often. Then [hands on](AgentTask::hand_on) those whose lease ran out, and notes it in their histories.
    async fn sweep_tasks(&self, now: Timestamp, patience: Duration) -> Result<SweptTasks, StoreError>;
}
