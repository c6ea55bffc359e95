//! Agents and their tasks as rows.

use diesel::prelude::{Insertable, Queryable, Selectable};
use horarium_domain::agent::{Agent, AgentTask, HeldTask, TaskState};
use horarium_domain::store::StoreError;
use horarium_domain::{AgentId, AgentTaskId, ExecutionId, TenantId, Timestamp};
use serde_json::Value;

use crate::decode::Row;
use crate::schema::{At, Json, Key, agent_tasks, agents, at, key};
use crate::text::storable;

/// The slot of a task that any agent may take. No hostname begins so.
pub(super) const ANY: &str = "_any";

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = agents)]
pub(super) struct AgentRow {
    id: AgentId,
    tenant_id: TenantId,
    hostname: String,
    labels: Value,
    operations: Value,
    facts: Value,
    version: String,
    draining: bool,
    leaving: bool,
    session: i64,
    registered_at: Timestamp,
    last_seen_at: Timestamp,
}

impl AgentRow {
    pub(super) fn into_agent(self) -> Result<Agent, StoreError> {
        let row = Row::new("agents", self.id);
        Ok(Agent {
            id: self.id,
            tenant_id: self.tenant_id,
            hostname: self.hostname,
            labels: row.value("labels", serde_json::from_value(self.labels))?,
            operations: row.value("operations", serde_json::from_value(self.operations))?,
            facts: row.value("facts", serde_json::from_value(self.facts))?,
            version: self.version,
            draining: self.draining,
            leaving: self.leaving,
            session: self.session,
            registered_at: self.registered_at,
            last_seen_at: self.last_seen_at,
        })
    }
}

/// The code of a task's state.
pub(super) fn code(state: TaskState) -> i16 {
    state as i16
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = agent_tasks)]
pub(super) struct TaskRow {
    pub(super) id: AgentTaskId,
    tenant_id: TenantId,
    pub(super) execution_id: ExecutionId,
    slot: String,
    broadcast: bool,
    hostname: Option<String>,
    operation: String,
    data: Value,
    timeout_seconds: i32,
    state: i16,
    fence: i32,
    attempt: i16,
    round: i16,
    created_at: Timestamp,
    deadline_at: Timestamp,
    leased_at: Option<Timestamp>,
    lease_until: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    result: Option<Value>,
    changed: Option<bool>,
    error: Option<String>,
    retryable: bool,
    duration_ms: Option<i64>,
}

impl TaskRow {
    pub(super) fn into_task(self) -> Result<AgentTask, StoreError> {
        let row = Row::new("agent_tasks", self.id);
        let state = TaskState::ALL.into_iter().find(|state| code(*state) == self.state);
        Ok(AgentTask {
            id: self.id,
            tenant_id: self.tenant_id,
            execution_id: self.execution_id,
            host: Some(self.slot).filter(|slot| slot != ANY),
            is_broadcast: self.broadcast,
            hostname: self.hostname,
            operation: self.operation,
            data: self.data,
            timeout_seconds: row.value("timeout_seconds", u32::try_from(self.timeout_seconds))?,
            state: state.ok_or_else(|| row.inconsistent(format_args!("state: {} is none", self.state)))?,
            fence: self.fence,
            attempt: row.value("attempt", u16::try_from(self.attempt))?,
            round: row.value("round", u16::try_from(self.round))?,
            created_at: self.created_at,
            deadline_at: self.deadline_at,
            leased_at: self.leased_at,
            lease_until: self.lease_until,
            ended_at: self.ended_at,
            result: self.result,
            changed: self.changed,
            error: self.error,
            retryable: self.retryable,
            duration_ms: self.duration_ms,
        })
    }
}

/// What is told of a task that an agent has.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = agent_tasks)]
pub(super) struct HeldRow {
    id: AgentTaskId,
    execution_id: ExecutionId,
    hostname: Option<String>,
    operation: String,
    attempt: i16,
    leased_at: Option<Timestamp>,
}

impl HeldRow {
    pub(super) fn into_task(self) -> Result<HeldTask, StoreError> {
        let row = Row::new("agent_tasks", self.id);
        let absent = |column| row.inconsistent(format_args!("{column}: there is none, though it is leased"));
        Ok(HeldTask {
            execution_id: self.execution_id,
            hostname: self.hostname.ok_or_else(|| absent("hostname"))?,
            operation: self.operation,
            attempt: row.value("attempt", u16::try_from(self.attempt))?,
            leased_at: self.leased_at.ok_or_else(|| absent("leased_at"))?,
        })
    }
}

/// A task to be written.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = agent_tasks, treat_none_as_default_value = false)]
pub(super) struct NewTaskRow {
    id: Key,
    tenant_id: Key,
    execution_id: Key,
    slot: String,
    broadcast: bool,
    hostname: Option<String>,
    operation: String,
    data: Json,
    timeout_seconds: i32,
    state: i16,
    fence: i32,
    attempt: i16,
    round: i16,
    created_at: At,
    deadline_at: At,
    leased_at: Option<At>,
    lease_until: Option<At>,
    ended_at: Option<At>,
    result: Option<Json>,
    changed: Option<bool>,
    error: Option<String>,
    retryable: bool,
    duration_ms: Option<i64>,
}

impl From<&AgentTask> for NewTaskRow {
    fn from(task: &AgentTask) -> Self {
        Self {
            id: key(task.id),
            tenant_id: key(task.tenant_id),
            execution_id: key(task.execution_id),
            slot: task.host.clone().unwrap_or_else(|| ANY.to_owned()),
            broadcast: task.is_broadcast,
            hostname: task.hostname.clone(),
            operation: storable(&task.operation).into_owned(),
            data: Json::from(task.data.clone()),
            timeout_seconds: i32::try_from(task.timeout_seconds).unwrap_or(i32::MAX),
            state: code(task.state),
            fence: task.fence,
            attempt: i16::try_from(task.attempt).unwrap_or(i16::MAX),
            round: i16::try_from(task.round).unwrap_or(i16::MAX),
            created_at: at(task.created_at),
            deadline_at: at(task.deadline_at),
            leased_at: task.leased_at.map(At::from),
            lease_until: task.lease_until.map(At::from),
            ended_at: task.ended_at.map(At::from),
            result: task.result.clone().map(Json::from),
            changed: task.changed,
            error: task.error.as_deref().map(|text| storable(text).into_owned()),
            retryable: task.retryable,
            duration_ms: task.duration_ms,
        }
    }
}
