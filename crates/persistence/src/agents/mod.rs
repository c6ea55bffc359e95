//! Agents and their tasks.

mod hand_on;
mod row;
mod sweep;
mod tasks;

use std::time::Duration;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use horarium_domain::agent::{Agent, AgentTask, HeldTask, TaskEnd, TaskLease};
use horarium_domain::store::{
    AgentStore, Excuse, Heartbeat, Registration, Reported, StoreError, SweptTasks, TaskRequest,
};
use horarium_domain::{AgentId, ExecutionId, TenantId, Timestamp};
use serde_json::Value;

use crate::conn::{Conn, on};
use crate::error::{About, Fault};
use crate::schema::{Json, agents, at, key};
use crate::store::SqlStore;
use crate::text::storable;
use row::{AgentRow, HeldRow, TaskRow};

const NOT_FOUND: StoreError = StoreError::NotFound("agent");

#[async_trait]
impl AgentStore for SqlStore {
    async fn register_agent(&self, registration: Registration) -> Result<Agent, StoreError> {
        let labels = registration.labels.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
        let labels = Value::Object(labels.collect());
        let operations: Value = registration.operations.iter().map(String::as_str).collect();
        let facts = Value::Object(registration.facts.clone());
        let row: AgentRow = self
            .write(async |conn| {
                let told = (
                    agents::labels.eq(Json::from(labels.clone())),
                    agents::operations.eq(Json::from(operations.clone())),
                    agents::facts.eq(Json::from(facts.clone())),
                    agents::version.eq(storable(&registration.version).into_owned()),
                    agents::leaving.eq(false),
                    agents::last_seen_at.eq(at(registration.now)),
                );
                let new = (
                    agents::id.eq(key(registration.id)),
                    agents::tenant_id.eq(key(registration.tenant_id)),
                    agents::hostname.eq(registration.hostname.as_str()),
                    agents::registered_at.eq(at(registration.now)),
                );
                on!(conn, c => {
                    diesel::insert_into(agents::table)
                        .values((new, told.clone()))
                        .on_conflict((agents::tenant_id, agents::hostname))
                        .do_update()
                        .set((told, agents::session.eq(agents::session + 1)))
                        .returning(AgentRow::as_returning())
                        .get_result(c)
                        .await
                })
                .about("agents")
            })
            .await?;
        row.into_agent()
    }

    async fn agent(&self, tenant: TenantId, id: AgentId) -> Result<Agent, StoreError> {
        let row: Option<AgentRow> = self
            .read(async |conn| {
                let query = agents::table.filter(agents::id.eq(key(id))).filter(agents::tenant_id.eq(key(tenant)));
                on!(conn, c => query.select(AgentRow::as_select()).first(c).await.optional()).about("agents")
            })
            .await?;
        row.ok_or(NOT_FOUND)?.into_agent()
    }

    async fn agent_named(&self, tenant: TenantId, hostname: &str) -> Result<Agent, StoreError> {
        let row: Option<AgentRow> = self
            .read(async |conn| {
                let query =
                    agents::table.filter(agents::tenant_id.eq(key(tenant))).filter(agents::hostname.eq(hostname));
                on!(conn, c => query.select(AgentRow::as_select()).first(c).await.optional()).about("agents")
            })
            .await?;
        row.ok_or(NOT_FOUND)?.into_agent()
    }

    async fn agents(
        &self,
        tenant: TenantId,
        seen_since: Option<Timestamp>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Agent>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<AgentRow> = self
            .read(async |conn| {
                on!(conn, c => {
                    let mut query =
                        agents::table.filter(agents::tenant_id.eq(key(tenant))).into_boxed::<Db>();
                    if let Some(since) = seen_since {
                        query = query.filter(agents::last_seen_at.ge(at(since)));
                    }
                    if let Some(after) = after {
                        query = query.filter(agents::hostname.gt(after));
                    }
                    query.order(agents::hostname.asc()).limit(limit).select(AgentRow::as_select()).load(c).await
                })
                .about("agents")
            })
            .await?;
        rows.into_iter().map(AgentRow::into_agent).collect()
    }

    async fn drain_agent(&self, tenant: TenantId, hostname: &str, draining: bool) -> Result<Agent, StoreError> {
        let row: Option<AgentRow> = self
            .write(async |conn| {
                let named =
                    agents::table.filter(agents::tenant_id.eq(key(tenant))).filter(agents::hostname.eq(hostname));
                on!(conn, c => {
                    diesel::update(named)
                        .set(agents::draining.eq(draining))
                        .returning(AgentRow::as_returning())
                        .get_result(c)
                        .await
                        .optional()
                })
                .about("agents")
            })
            .await?;
        row.ok_or(NOT_FOUND)?.into_agent()
    }

    async fn delete_agent(&self, tenant: TenantId, hostname: &str) -> Result<(), StoreError> {
        let deleted = self
            .write(async |conn| {
                let named =
                    agents::table.filter(agents::tenant_id.eq(key(tenant))).filter(agents::hostname.eq(hostname));
                on!(conn, c => diesel::delete(named).execute(c).await).about("agents")
            })
            .await?;
        if deleted == 0 { Err(NOT_FOUND) } else { Ok(()) }
    }

    async fn prune_agents(&self, before: Timestamp) -> Result<u64, StoreError> {
        let deleted = self
            .write(async |conn| {
                let silent = agents::table.filter(agents::last_seen_at.lt(at(before)));
                let forgotten = silent.filter(agents::draining.eq(false));
                on!(conn, c => diesel::delete(forgotten).execute(c).await).about("agents")
            })
            .await?;
        Ok(deleted as u64)
    }

    async fn agent_heartbeat(&self, heartbeat: &Heartbeat) -> Result<Vec<TaskLease>, StoreError> {
        self.write(async |conn| {
            note_alive(conn, heartbeat).await?;
            tasks::extend(conn, heartbeat).await
        })
        .await
    }

    async fn note_agents(&self, agents: &[AgentId], now: Timestamp) -> Result<(), StoreError> {
        if agents.is_empty() {
            return Ok(());
        }
        self.write(async |conn| {
            let heard = agents::table.filter(agents::id.eq_any(agents.iter().map(|id| key(*id))));
            let change = agents::last_seen_at.eq(at(now));
            on!(conn, c => diesel::update(heard).set(change).execute(c).await).about("agents")?;
            Ok(())
        })
        .await
    }

    async fn open_tasks(&self, tasks: &[AgentTask]) -> Result<(), StoreError> {
        if tasks.is_empty() {
            return Ok(());
        }
        self.write(async |conn| tasks::open(conn, tasks).await).await
    }

    async fn agent_tasks(&self, tenant: TenantId, executions: &[ExecutionId]) -> Result<Vec<AgentTask>, StoreError> {
        if executions.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.read(async |conn| tasks::of_executions(conn, tenant, executions).await).await?;
        let mut tasks = rows.into_iter().map(TaskRow::into_task).collect::<Result<Vec<_>, _>>()?;
        // Sorted here: the databases do not agree on the order of texts.
        tasks.sort_by(|one, other| (one.execution_id, &one.host).cmp(&(other.execution_id, &other.host)));
        Ok(tasks)
    }

    async fn held_tasks(
        &self,
        tenant: TenantId,
        hostnames: &[String],
        limit: usize,
    ) -> Result<Vec<HeldTask>, StoreError> {
        if hostnames.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.read(async |conn| tasks::held(conn, tenant, hostnames, limit).await).await?;
        let mut held = rows.into_iter().map(HeldRow::into_task).collect::<Result<Vec<_>, _>>()?;
        // Sorted here: the databases do not agree on the order of texts.
        held.sort_by(|one, other| (&one.hostname, one.leased_at).cmp(&(&other.hostname, other.leased_at)));
        Ok(held)
    }

    async fn awaiting_agents(&self, executions: &[ExecutionId]) -> Result<Vec<ExecutionId>, StoreError> {
        if executions.is_empty() {
            return Ok(Vec::new());
        }
        self.read(async |conn| tasks::awaited(conn, executions).await).await
    }

    async fn lease_tasks(&self, request: &TaskRequest) -> Result<Vec<AgentTask>, StoreError> {
        // Most calls find nothing, and are then no transaction that writes.
        if !self.read(async |conn| tasks::any_for(conn, request).await).await? {
            return Ok(Vec::new());
        }
        let mut rows = self.write(async |conn| tasks::lease(conn, request).await).await?;
        rows.sort_by_key(|row| row.id);
        rows.into_iter().map(TaskRow::into_task).collect()
    }

    async fn return_tasks(&self, tenant: TenantId, leases: &[TaskLease]) -> Result<(), StoreError> {
        self.write(async |conn| tasks::take_back(conn, tenant, leases).await).await
    }

    async fn report_tasks(
        &self,
        tenant: TenantId,
        ends: Vec<TaskEnd>,
        now: Timestamp,
    ) -> Result<Vec<Reported>, StoreError> {
        self.write(async |conn| tasks::report(conn, tenant, &ends, now).await).await
    }

    async fn excuse_silence(&self, excuse: &Excuse) -> Result<(), StoreError> {
        self.write(async |conn| sweep::excuse(conn, excuse).await).await
    }

    async fn sweep_tasks(&self, now: Timestamp, patience: Duration) -> Result<SweptTasks, StoreError> {
        let ended = if self.read(async |conn| sweep::is_due(conn, now).await).await? {
            self.write(async |conn| sweep::sweep(conn, now, patience).await).await?
        } else {
            Vec::new()
        };
        let waiting = self.read(async |conn| sweep::waiting(conn).await).await?;
        Ok(SweptTasks { ended, waiting })
    }
}

async fn note_alive(conn: &mut Conn, heartbeat: &Heartbeat) -> Result<(), Fault> {
    let agent = agents::table
        .filter(agents::id.eq(key(heartbeat.agent_id)))
        .filter(agents::tenant_id.eq(key(heartbeat.tenant_id)));
    let change = (
        agents::last_seen_at.eq(at(heartbeat.now)),
        agents::leaving.eq(heartbeat.leaving),
        agents::session.eq(agents::session + i64::from(heartbeat.leaving)),
    );
    let changed = on!(conn, c => diesel::update(agent).set(change).execute(c).await).about("agents")?;
    if changed == 0 { Err(NOT_FOUND.into()) } else { Ok(()) }
}
