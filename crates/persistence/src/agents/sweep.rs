//! Going over open tasks: those of executions that are over, of silent hosts, and of lost agents.

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, SmallInt, Text};
use diesel_async::RunQueryDsl;
use horarium_domain::agent::AgentTask;
use horarium_domain::store::WaitingTasks;
use horarium_domain::{ExecutionId, TenantId, Timestamp};

use crate::conn::{Conn, on};
use crate::error::{About, Fault};
use crate::schema::{Id, Ts, at};

/// Asked first, because mostly there is nothing to do.
const DUE: &str = "select exists (select 1 from agent_tasks where state <= 1 and (deadline_at <= $1 \
    or lease_until <= $1 \
    or not exists (select 1 from execution_queue q where q.id = agent_tasks.execution_id))) as due";

const CANCEL: &str = "update agent_tasks set state = 6, ended_at = $1, lease_until = null \
    where state <= 1 and not exists (select 1 from execution_queue q where q.id = agent_tasks.execution_id) \
    returning execution_id";

/// A lost agent's deadline is not that of work which any other may take: that is put back first.
const TIME_OUT: &str = "update agent_tasks set state = 5, ended_at = $1, lease_until = null, error = $2, \
    retryable = true \
    where state <= 1 and (lease_until is null or lease_until <= $1) \
    and (attempt >= $3 or (deadline_at <= $1 and not (state = 1 and slot = '_any'))) \
    returning execution_id";

const PUT_BACK: &str = "update agent_tasks set state = 0, leased_at = null, lease_until = null, \
    hostname = case when slot = '_any' then null else hostname end, \
    deadline_at = case when slot = '_any' then $1 else deadline_at end \
    where state = 1 and lease_until <= $2";

const EXCUSE: &str = "update agent_tasks set \
    deadline_at = case when deadline_at < $1 then $1 else deadline_at end, \
    lease_until = case when lease_until < $2 then $2 else lease_until end \
    where state <= 1 and not exists (select 1 from agents where last_seen_at > $3)";

const WAITING: &str = "select tenant_id, count(*) as count, max(deadline_at) as latest_deadline \
    from agent_tasks where state = 0 group by tenant_id";

#[derive(QueryableByName)]
struct Due {
    #[diesel(sql_type = Bool)]
    due: bool,
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
pub(super) async fn sweep(conn: &mut Conn, now: Timestamp, deadline_at: Timestamp) -> Result<Vec<ExecutionId>, Fault> {
    let cancelled: Vec<OfExecution> =
        on!(conn, c => sql_query(CANCEL).bind::<Ts, _>(at(now)).load(c).await).about("agent_tasks")?;
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
    on!(conn, c => {
        sql_query(PUT_BACK).bind::<Ts, _>(at(deadline_at)).bind::<Ts, _>(at(now)).execute(c).await
    })
    .about("agent_tasks")?;
    let mut ended: Vec<_> = cancelled.into_iter().chain(timed_out).map(|row| row.execution_id).collect();
    ended.sort_unstable();
    ended.dedup();
    Ok(ended)
}

/// Extends deadlines and leases, unless some agent was heard of after `unheard_since`.
pub(super) async fn excuse(
    conn: &mut Conn,
    unheard_since: Timestamp,
    lease_until: Timestamp,
    deadline_at: Timestamp,
) -> Result<(), Fault> {
    on!(conn, c => {
        sql_query(EXCUSE)
            .bind::<Ts, _>(at(deadline_at))
            .bind::<Ts, _>(at(lease_until))
            .bind::<Ts, _>(at(unheard_since))
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
