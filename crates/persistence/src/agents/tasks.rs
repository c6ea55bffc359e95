//! What agents work on: making tasks, leasing them, extending leases, recording ends.

use diesel::dsl::{exists, sql};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Bool;
use diesel::sql_types::Integer;
use diesel_async::RunQueryDsl;
use horarium_domain::agent::{AgentTask, HandOn, TaskEnd, TaskLease, TaskState};
use horarium_domain::store::{Heartbeat, Reported, StoreError, TaskRequest};
use horarium_domain::{AgentTaskId, ExecutionId, JobId, TenantId, Timestamp};

use super::hand_on::hand_on;
use super::row::{ANY, HeldRow, NewTaskRow, TaskRow, code};
use crate::conn::{Conn, on};
use crate::error::{About, Fault};
use crate::schema::{At, Id, Json, agent_tasks, at, executions, key};
use crate::text::storable;

/// Pending tasks that an agent may take.
///
/// The state stands in the text, and the slots in one list: that is how both databases know that the index of what
/// waits is enough. A tenant's tasks that are over may be millions, and agents ask all the time.
macro_rules! for_agent {
    ($request:expr) => {{
        let request: &TaskRequest = $request;
        let operations = request.operations.iter().map(String::as_str);
        agent_tasks::table
            .filter(agent_tasks::tenant_id.eq(key(request.tenant_id)))
            .filter(sql::<Bool>("agent_tasks.state = 0"))
            .filter(agent_tasks::slot.eq_any([request.hostname.as_str(), ANY]))
            .filter(agent_tasks::slot.ne(ANY).or(agent_tasks::operation.eq_any(operations)))
    }};
}

/// Tasks that agents on these hosts have now. The state stands in the text, as above.
macro_rules! held_by {
    ($tenant:expr, $hostnames:expr) => {{
        let hostnames: &[String] = $hostnames;
        agent_tasks::table
            .filter(agent_tasks::tenant_id.eq(key($tenant)))
            .filter(sql::<Bool>("agent_tasks.state = 1"))
            .filter(agent_tasks::hostname.assume_not_null().eq_any(hostnames.iter().map(String::as_str)))
    }};
}

/// Makes an execution's tasks, and puts back what failed in an earlier round.
pub(super) async fn open(conn: &mut Conn, tasks: &[AgentTask]) -> Result<(), Fault> {
    let mut of = None;
    for task in tasks {
        if of.replace(task.execution_id) != Some(task.execution_id) {
            require_execution(conn, task).await?;
        }
        let row = NewTaskRow::from(task);
        on!(conn, c => {
            diesel::insert_into(agent_tasks::table)
                .values(row)
                .on_conflict((agent_tasks::execution_id, agent_tasks::slot))
                .do_nothing()
                .execute(c)
                .await
        })
        .about("agent_tasks")?;
        let round = i16::try_from(task.round).unwrap_or(i16::MAX);
        let failed = agent_tasks::table
            .filter(agent_tasks::execution_id.eq(key(task.execution_id)))
            .filter(agent_tasks::slot.eq(task.host.as_deref().unwrap_or(ANY)))
            .filter(agent_tasks::round.lt(round))
            .filter(agent_tasks::state.eq_any([code(TaskState::Failed), code(TaskState::TimedOut)]))
            .filter(agent_tasks::retryable.eq(true));
        let again = (
            agent_tasks::state.eq(code(TaskState::Pending)),
            agent_tasks::round.eq(round),
            agent_tasks::hostname.eq(task.host.as_deref()),
            agent_tasks::deadline_at.eq(at(task.deadline_at)),
            agent_tasks::leased_at.eq(None::<At>),
            agent_tasks::lease_until.eq(None::<At>),
            agent_tasks::ended_at.eq(None::<At>),
            agent_tasks::result.eq(None::<Json>),
            agent_tasks::changed.eq(None::<bool>),
            agent_tasks::error.eq(None::<&str>),
            agent_tasks::duration_ms.eq(None::<i64>),
        );
        on!(conn, c => diesel::update(failed).set(again).execute(c).await).about("agent_tasks")?;
    }
    Ok(())
}

/// That there is an execution to make the task for: on PostgreSQL, no foreign key says so.
async fn require_execution(conn: &mut Conn, task: &AgentTask) -> Result<(), Fault> {
    let execution = executions::table
        .filter(executions::tenant_id.eq(key(task.tenant_id)))
        .filter(executions::id.eq(key(task.execution_id)))
        .select(executions::job_id);
    let job: Option<JobId> = on!(conn, c => execution.first(c).await.optional()).about("executions")?;
    job.map(drop).ok_or(Fault::Final(StoreError::NotFound("execution")))
}

pub(super) async fn of_executions(
    conn: &mut Conn,
    tenant: TenantId,
    executions: &[ExecutionId],
) -> Result<Vec<TaskRow>, Fault> {
    let query = agent_tasks::table
        .filter(agent_tasks::execution_id.eq_any(executions.iter().map(|id| key(*id))))
        .filter(agent_tasks::tenant_id.eq(key(tenant)));
    on!(conn, c => query.select(TaskRow::as_select()).load(c).await).about("agent_tasks")
}

pub(super) async fn held(
    conn: &mut Conn,
    tenant: TenantId,
    hostnames: &[String],
    limit: usize,
) -> Result<Vec<HeldRow>, Fault> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let query = held_by!(tenant, hostnames).order(agent_tasks::id.asc()).limit(limit);
    on!(conn, c => query.select(HeldRow::as_select()).load(c).await).about("agent_tasks")
}

pub(super) async fn awaited(conn: &mut Conn, executions: &[ExecutionId]) -> Result<Vec<ExecutionId>, Fault> {
    let query = agent_tasks::table
        .filter(agent_tasks::execution_id.eq_any(executions.iter().map(|id| key(*id))))
        .filter(agent_tasks::state.le(code(TaskState::Leased)))
        .select(agent_tasks::execution_id)
        .distinct();
    on!(conn, c => query.load(c).await).about("agent_tasks")
}

/// Whether there is anything for an agent.
pub(super) async fn any_for(conn: &mut Conn, request: &TaskRequest) -> Result<bool, Fault> {
    on!(conn, c => diesel::select(exists(for_agent!(request))).get_result(c).await).about("agent_tasks")
}

pub(super) async fn lease(conn: &mut Conn, request: &TaskRequest) -> Result<Vec<TaskRow>, Fault> {
    let limit = i64::try_from(request.limit).unwrap_or(i64::MAX);
    let oldest = for_agent!(request).select(agent_tasks::id).order(agent_tasks::id.asc()).limit(limit);
    let ids: Vec<AgentTaskId> = match conn {
        Conn::Pg(c) => oldest.for_update().skip_locked().load(c).await,
        // Who writes is alone.
        Conn::Lite(c) => oldest.load(c).await,
    }
    .about("agent_tasks")?;
    let taken = agent_tasks::table.filter(agent_tasks::id.eq_any(ids.into_iter().map(key)));
    let change = (
        agent_tasks::state.eq(code(TaskState::Leased)),
        agent_tasks::fence.eq(agent_tasks::fence + 1),
        agent_tasks::attempt.eq(agent_tasks::attempt + 1_i16),
        agent_tasks::hostname.eq(request.hostname.as_str()),
        agent_tasks::leased_at.eq(at(request.now)),
        agent_tasks::lease_until.eq(at(request.lease_until)),
        agent_tasks::deadline_at.eq(at(request.deadline_at)),
    );
    on!(conn, c => {
        diesel::update(taken).set(change).returning(TaskRow::as_returning()).get_results(c).await
    })
    .about("agent_tasks")
}

const TAKE_BACK: &str = "update agent_tasks set state = 0, attempt = attempt - 1, leased_at = null, \
    lease_until = null, hostname = case when slot = '_any' then null else slot end \
    where id = $1 and fence = $2 and tenant_id = $3 and state = 1";

/// Undoes leases that never reached their agent.
pub(super) async fn take_back(conn: &mut Conn, tenant: TenantId, leases: &[TaskLease]) -> Result<(), Fault> {
    // In the order of the keys, so that two transactions never wait for each other in a circle.
    let mut leases = leases.to_vec();
    leases.sort_unstable();
    for lease in leases {
        on!(conn, c => {
            sql_query(TAKE_BACK)
                .bind::<Id, _>(key(lease.task_id))
                .bind::<Integer, _>(lease.fence)
                .bind::<Id, _>(key(tenant))
                .execute(c)
                .await
        })
        .about("agent_tasks")?;
    }
    Ok(())
}

/// Extends the leases that are still held, and answers which those are.
pub(super) async fn extend(conn: &mut Conn, heartbeat: &Heartbeat) -> Result<Vec<TaskLease>, Fault> {
    // In the order of the keys, so that two transactions never wait for each other in a circle.
    let mut leases = heartbeat.running.clone();
    leases.sort_unstable();
    let mut held = Vec::with_capacity(leases.len());
    for lease in leases {
        let task = agent_tasks::table
            .filter(agent_tasks::id.eq(key(lease.task_id)))
            .filter(agent_tasks::tenant_id.eq(key(heartbeat.tenant_id)))
            .filter(agent_tasks::fence.eq(lease.fence))
            .filter(agent_tasks::state.eq(code(TaskState::Leased)));
        let change = (
            agent_tasks::lease_until.eq(at(heartbeat.lease_until)),
            agent_tasks::deadline_at.eq(at(heartbeat.deadline_at)),
        );
        if on!(conn, c => diesel::update(task).set(change).execute(c).await).about("agent_tasks")? > 0 {
            held.push(lease);
        }
    }
    Ok(held)
}

/// Records ends whose leases are still held.
pub(super) async fn report(
    conn: &mut Conn,
    tenant: TenantId,
    ends: &[TaskEnd],
    now: Timestamp,
) -> Result<Vec<Reported>, Fault> {
    let mut by_key: Vec<usize> = (0..ends.len()).collect();
    by_key.sort_by_key(|index| ends[*index].lease);
    let mut answers = vec![Reported::Stale; ends.len()];
    for index in by_key {
        let end = &ends[index];
        let execution = if end.state == TaskState::Pending {
            hand_back(conn, tenant, end.lease, now).await?
        } else {
            finish(conn, tenant, end, now).await?
        };
        if let Some(id) = execution {
            answers[index] = Reported::Recorded(id);
        }
    }
    Ok(answers)
}

async fn finish(
    conn: &mut Conn,
    tenant: TenantId,
    end: &TaskEnd,
    now: Timestamp,
) -> Result<Option<ExecutionId>, Fault> {
    let task = agent_tasks::table
        .filter(agent_tasks::id.eq(key(end.lease.task_id)))
        .filter(agent_tasks::tenant_id.eq(key(tenant)))
        .filter(agent_tasks::fence.eq(end.lease.fence))
        .filter(agent_tasks::state.eq(code(TaskState::Leased)));
    let change = (
        agent_tasks::state.eq(code(end.state)),
        agent_tasks::lease_until.eq(None::<At>),
        agent_tasks::ended_at.eq(at(now)),
        agent_tasks::result.eq(end.result.clone().map(Json::from)),
        agent_tasks::changed.eq(end.changed),
        agent_tasks::error.eq(end.error.as_deref().map(|text| storable(text).into_owned())),
        agent_tasks::retryable.eq(end.retryable),
        agent_tasks::duration_ms.eq(end.duration_ms),
    );
    on!(conn, c => {
        diesel::update(task).set(change).returning(agent_tasks::execution_id).get_result(c).await.optional()
    })
    .about("agent_tasks")
}

/// Gives a task back to whoever asks next; the lease does not count.
async fn hand_back(
    conn: &mut Conn,
    tenant: TenantId,
    lease: TaskLease,
    now: Timestamp,
) -> Result<Option<ExecutionId>, Fault> {
    let held = agent_tasks::table
        .filter(agent_tasks::id.eq(key(lease.task_id)))
        .filter(agent_tasks::tenant_id.eq(key(tenant)))
        .filter(agent_tasks::fence.eq(lease.fence))
        .filter(agent_tasks::state.eq(code(TaskState::Leased)));
    let row: Option<TaskRow> = match conn {
        Conn::Pg(c) => held.select(TaskRow::as_select()).for_update().first(c).await,
        // Who writes is alone.
        Conn::Lite(c) => held.select(TaskRow::as_select()).first(c).await,
    }
    .optional()
    .about("agent_tasks")?;
    let Some(row) = row else { return Ok(None) };
    let execution = row.execution_id;
    hand_on(conn, vec![row], HandOn::Released, now).await?;
    Ok(Some(execution))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::sqlite::plan_of;

    #[test]
    fn what_waits_for_an_agent_is_found_without_a_look_at_what_is_over() {
        let now = Timestamp::UNIX_EPOCH;
        let request = TaskRequest {
            tenant_id: TenantId::from_uuid(Uuid::nil()),
            hostname: "web-1".to_owned(),
            operations: vec!["node.uptime.get".to_owned(), "node.load.get".to_owned()],
            limit: 5,
            now,
            lease_until: now,
            deadline_at: now,
        };
        let plan = plan_of(&for_agent!(&request).select(agent_tasks::id).order(agent_tasks::id.asc()).limit(5));
        assert!(plan.contains("USING INDEX agent_tasks_pending (tenant_id=? AND slot=?)"), "{plan}");
    }

    #[test]
    fn what_hosts_have_now_is_found_without_a_look_at_anything_else() {
        let hosts = ["web-1".to_owned(), "web-2".to_owned()];
        let tenant = TenantId::from_uuid(Uuid::nil());
        let plan = plan_of(&held_by!(tenant, &hosts).select(agent_tasks::id).order(agent_tasks::id.asc()).limit(5));
        assert!(plan.contains("USING INDEX agent_tasks_leased (tenant_id=? AND hostname=?)"), "{plan}");
    }
}
