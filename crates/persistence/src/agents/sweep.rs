//! Going over open tasks: those of executions that are over, of silent hosts, and of lost agents.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Nullable, SmallInt, Text};
use diesel_async::RunQueryDsl;
use horarium_domain::agent::{Agent, AgentTask, HandOn, TaskState};
use horarium_domain::store::{Excuse, WaitingTasks};
use horarium_domain::{AgentTaskId, ExecutionId, TenantId, Timestamp};

use super::hand_on::hand_on;
use super::row::{ANY, AgentRow, TaskRow, code};
use crate::conn::{Conn, on};
use crate::error::{About, Fault};
use crate::schema::{Id, Ts, agent_tasks, agents, at, key};

/// How many ids a statement names at most: SQLite takes so many values only.
const IDS_AT_ONCE: usize = 1000;

/// Asked first, because mostly there is nothing to do.
const DUE: &str = "select exists (select 1 from agent_tasks where state <= 1 and (lease_until <= $1 \
    or (lease_until is null and deadline_at <= $1) \
    or not exists (select 1 from execution_queue q where q.id = agent_tasks.execution_id))) as due";

const CANCEL: &str = "update agent_tasks set state = 6, ended_at = $1, lease_until = null \
    where state <= 1 and not exists (select 1 from execution_queue q where q.id = agent_tasks.execution_id) \
    returning execution_id";

const TIME_OUT: &str = "update agent_tasks set state = 5, ended_at = $1, lease_until = null, error = $2, \
    retryable = true \
    where state <= 1 and (lease_until is null or lease_until <= $1) and (attempt >= $3 + round - 1 or deadline_at <= $1) \
    returning execution_id";

const LATEST_SIGN: &str = "select max(last_seen_at) as at from agents where last_seen_at < $1";

const EXCUSE_HOSTS: &str = "update agent_tasks set \
    deadline_at = case when deadline_at < $1 then $1 else deadline_at end, \
    lease_until = case when lease_until < $2 then $2 else lease_until end \
    where state <= 1";

const EXCUSE_AGENTS: &str = "update agents set last_seen_at = $1 where last_seen_at >= $2";

const WAITING: &str = "select tenant_id, count(*) as count, max(deadline_at) as latest_deadline \
    from agent_tasks where state = 0 group by tenant_id";

#[derive(QueryableByName)]
struct Due {
    #[diesel(sql_type = Bool)]
    due: bool,
}

#[derive(QueryableByName)]
struct Sign {
    #[diesel(sql_type = Nullable<Ts>)]
    at: Option<Timestamp>,
}

#[derive(QueryableByName)]
struct OfExecution {
    #[diesel(sql_type = Id)]
    execution_id: ExecutionId,
}

#[derive(QueryableByName)]
struct OfTenant {
    #[diesel(sql_type = Id)]
    tenant_id: TenantId,
    #[diesel(sql_type = BigInt)]
    count: i64,
    #[diesel(sql_type = Ts)]
    latest_deadline: Timestamp,
}

/// Whether there is anything to do.
pub(super) async fn is_due(conn: &mut Conn, now: Timestamp) -> Result<bool, Fault> {
    let row: Due = on!(conn, c => sql_query(DUE).bind::<Ts, _>(at(now)).get_result(c).await).about("agent_tasks")?;
    Ok(row.due)
}

/// Does it; answers of which executions tasks ended.
pub(super) async fn sweep(conn: &mut Conn, now: Timestamp, patience: Duration) -> Result<Vec<ExecutionId>, Fault> {
    let cancelled: Vec<OfExecution> =
        on!(conn, c => sql_query(CANCEL).bind::<Ts, _>(at(now)).load(c).await).about("agent_tasks")?;
    wait_for_busy(conn, now, patience).await?;
    let most = i16::try_from(AgentTask::MAX_LEASES).unwrap_or(i16::MAX);
    let timed_out: Vec<OfExecution> = on!(conn, c => {
        sql_query(TIME_OUT)
            .bind::<Ts, _>(at(now))
            .bind::<Text, _>(AgentTask::TIMEOUT)
            .bind::<SmallInt, _>(most)
            .load(c)
            .await
    })
    .about("agent_tasks")?;
    let lost = lost(conn, now).await?;
    hand_on(conn, lost, HandOn::Lost, now).await?;
    let mut ended: Vec<_> = cancelled.into_iter().chain(timed_out).map(|row| row.execution_id).collect();
    ended.sort_unstable();
    ended.dedup();
    Ok(ended)
}

/// Tasks that are open, in the words of the index that holds these alone: those that are over may be millions.
macro_rules! open {
    () => {
        agent_tasks::table.filter(sql::<Bool>("agent_tasks.state <= 1"))
    };
}

/// Tasks whose deadline has come while nobody has them, and that wait for an agent that is busy.
macro_rules! overdue {
    ($now:expr) => {{
        let nobodys = agent_tasks::lease_until.is_null().or(agent_tasks::lease_until.le(at($now)));
        open!().filter(agent_tasks::broadcast.eq(false)).filter(agent_tasks::deadline_at.le(at($now))).filter(nobodys)
    }};
}

/// Gives overdue tasks until `patience` after the last sign of life of an agent that may take them.
async fn wait_for_busy(conn: &mut Conn, now: Timestamp, patience: Duration) -> Result<(), Fault> {
    type Found = (AgentTaskId, TenantId, String, String);
    let columns = (agent_tasks::id, agent_tasks::tenant_id, agent_tasks::slot, agent_tasks::operation);
    let found: Vec<Found> = on!(conn, c => overdue!(now).select(columns).load(c).await).about("agent_tasks")?;
    let mut kinds = BTreeMap::<_, Vec<AgentTaskId>>::new();
    for (id, tenant, slot, operation) in found {
        kinds.entry((tenant, slot, operation)).or_default().push(id);
    }
    let mut agents = HashMap::new();
    for ((tenant, slot, operation), ids) in kinds {
        let agents = match agents.entry(tenant) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(heard_since(conn, tenant, now - patience).await?),
        };
        let host = Some(slot.as_str()).filter(|slot| *slot != ANY);
        let may_take = agents.iter().filter(|agent| agent.may_take(host, &operation));
        let Some(heard) = may_take.map(|agent| agent.last_seen_at).max() else { continue };
        let later = agent_tasks::deadline_at.eq(at(heard + patience));
        for ids in ids.chunks(IDS_AT_ONCE) {
            // Of those that still are: an agent may have taken some meanwhile.
            let of_kind = overdue!(now).filter(agent_tasks::id.eq_any(ids.iter().map(|id| key(*id))));
            on!(conn, c => diesel::update(of_kind).set(later).execute(c).await).about("agent_tasks")?;
        }
    }
    Ok(())
}

/// A tenant's agents that were heard of since.
async fn heard_since(conn: &mut Conn, tenant: TenantId, since: Timestamp) -> Result<Vec<Agent>, Fault> {
    let query = agents::table.filter(agents::tenant_id.eq(key(tenant))).filter(agents::last_seen_at.gt(at(since)));
    let rows: Vec<AgentRow> = on!(conn, c => query.select(AgentRow::as_select()).load(c).await).about("agents")?;
    Ok(rows.into_iter().map(AgentRow::into_agent).collect::<Result<_, _>>()?)
}

/// Tasks whose agents are lost.
macro_rules! lost {
    ($now:expr) => {
        open!()
            .filter(agent_tasks::state.eq(code(TaskState::Leased)))
            .filter(agent_tasks::lease_until.le(at($now)))
            .select(TaskRow::as_select())
    };
}

/// Locks and reads the tasks whose agents are lost.
async fn lost(conn: &mut Conn, now: Timestamp) -> Result<Vec<TaskRow>, Fault> {
    let mut rows = match conn {
        // What is locked is being renewed, reported, or handed on by another node.
        Conn::Pg(c) => lost!(now).for_update().skip_locked().load(c).await,
        // Who writes is alone.
        Conn::Lite(c) => lost!(now).load(c).await,
    }
    .about("agent_tasks")?;
    // Sorted here: told to, SQLite would rather walk through all tasks in that order.
    rows.sort_by_key(|row| row.id);
    Ok(rows)
}

/// Extends deadlines and leases, and the lives of the agents that were there when anybody was last heard of.
pub(super) async fn excuse(conn: &mut Conn, excuse: &Excuse) -> Result<(), Fault> {
    let latest: Sign =
        on!(conn, c => sql_query(LATEST_SIGN).bind::<Ts, _>(at(excuse.until)).get_result(c).await).about("agents")?;
    if latest.at.is_some_and(|sign| sign > excuse.unheard_since) {
        return Ok(());
    }
    // Agents before their tasks, as heartbeats do, so that two transactions never wait for each other in a circle.
    if let Some(latest) = latest.at {
        on!(conn, c => {
            sql_query(EXCUSE_AGENTS)
                .bind::<Ts, _>(at(excuse.now))
                .bind::<Ts, _>(at(latest - excuse.alive))
                .execute(c)
                .await
        })
        .about("agents")?;
    }
    on!(conn, c => {
        sql_query(EXCUSE_HOSTS)
            .bind::<Ts, _>(at(excuse.now + excuse.patience))
            .bind::<Ts, _>(at(excuse.now + excuse.lease))
            .execute(c)
            .await
    })
    .about("agent_tasks")?;
    Ok(())
}

/// What waits for agents.
pub(super) async fn waiting(conn: &mut Conn) -> Result<Vec<WaitingTasks>, Fault> {
    let rows: Vec<OfTenant> = on!(conn, c => sql_query(WAITING).load(c).await).about("agent_tasks")?;
    let tasks = |OfTenant { tenant_id, count, latest_deadline }| WaitingTasks { tenant_id, count, latest_deadline };
    Ok(rows.into_iter().map(tasks).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::plan_of;

    #[test]
    fn a_sweep_looks_at_open_tasks_alone() {
        let now = Timestamp::UNIX_EPOCH;
        for plan in [plan_of(&lost!(now)), plan_of(&overdue!(now).select(agent_tasks::id))] {
            assert!(plan.contains("USING INDEX agent_tasks_open"), "{plan}");
        }
    }
}
