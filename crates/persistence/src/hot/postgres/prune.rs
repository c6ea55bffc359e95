//! Deleting what retention no longer keeps.

use horarium_domain::id::first_uuid_at;
use horarium_domain::store::{Conflict, StoreError};
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};
use tokio_postgres::{Row, Statement};
use uuid::Uuid;

use super::PostgresHot;
use super::counters::Counters;
use super::days::begin_among_others;
use super::session::{self, Session};
use super::values::{Ts, column, rows};
use crate::decode;
use crate::error::Fault;
use crate::hot::SKEW;
use crate::hot::rollup::{Deltas, End, Outcome};

/// `id < $2` ends the walk over the tenant's history where nothing can be old enough any more.
pub(super) const DELETE: &str = "
    delete from executions e where e.tenant_id = $1 and e.id = any(array(
        select x.id from executions x
        where x.tenant_id = $1 and x.id < $2 and x.completed_at < $3 and x.state <> 0
        order by x.id limit $4 for update skip locked
    ))
    returning e.id, e.job_id, e.state, e.started_at, e.completed_at, e.partial";

pub(super) const DELETE_ONE: &str = "
    delete from executions e where e.tenant_id = $1 and e.id = $2 and e.state <> 0
    returning e.id, e.job_id, e.state, e.started_at, e.completed_at, e.partial";

pub(super) const EXISTS: &str = "select exists (select from executions where tenant_id = $1 and id = $2)";

pub(super) const DELETE_EVENTS: &str =
    "delete from execution_events where execution_id = any($1::uuid[]) and (tenant_id = $2) is true";

pub(super) const DELETE_CALLBACKS: &str =
    "delete from callbacks where execution_id = any($1::uuid[]) and (tenant_id = $2) is true";

pub(super) const DELETE_TASKS: &str =
    "delete from agent_tasks where execution_id = any($1::uuid[]) and (tenant_id = $2) is true";

/// Notes of late ends that retention no longer keeps; as many at a time as executions, and those of the same instant.
pub(super) const DELETE_LATE: &str = "
    delete from late_ends l where l.tenant_id = $1 and l.completed_at <= (
        select max(o.completed_at) from (
            select x.completed_at from late_ends x where x.tenant_id = $1 and x.completed_at < $2
            order by x.completed_at limit $3
        ) o
    )";

impl PostgresHot {
    pub(super) async fn prune(&self, tenant: TenantId, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        session::run(&self.pool, async |session: &Session| {
            let delete = session.statement(DELETE).await?;
            let belongings = Belongings::prepare(session).await?;
            let delete_late = session.statement(DELETE_LATE).await?;
            let counters = Counters::prepare(session).await?;
            let (first_kept, id) = (first_uuid_at(before + SKEW), tenant.as_uuid());
            let (end, limit) = (Ts(before), rows(limit));
            let old: session::Parameters<'_> = &[&id, &first_kept, &end, &limit];
            let ((), gone) = tokio::try_join!(biased; begin_among_others(session), session.rows(&delete, old))?;
            let late: session::Parameters<'_> = &[&id, &end, &limit];
            session.run(&delete_late, late).await?;
            forget(session, &belongings, &counters, tenant, &gone).await?;
            Ok::<_, Fault>(gone.len() as u64)
        })
        .await
    }

    /// Deletes one that is over.
    pub(super) async fn delete_one(&self, tenant: TenantId, id: ExecutionId) -> Result<(), StoreError> {
        session::run(&self.pool, async |session: &Session| {
            let delete = session.statement(DELETE_ONE).await?;
            let exists = session.statement(EXISTS).await?;
            let belongings = Belongings::prepare(session).await?;
            let counters = Counters::prepare(session).await?;
            let (tenant_id, id) = (tenant.as_uuid(), id.as_uuid());
            let whose: session::Parameters<'_> = &[&tenant_id, &id];
            let ((), gone, there) = tokio::try_join!(
                biased;
                begin_among_others(session),
                session.rows(&delete, whose),
                session.rows(&exists, whose)
            )?;
            forget(session, &belongings, &counters, tenant, &gone).await?;
            let is_there = there.first().map(|row| column(row, 0, "executions")).transpose()?.unwrap_or(false);
            match (gone.is_empty(), is_there) {
                (false, _) => Ok::<_, Fault>(()),
                (true, true) => Err(StoreError::Conflict(Conflict::ExecutionRunning).into()),
                (true, false) => Err(StoreError::NotFound("execution").into()),
            }
        })
        .await
    }
}

/// The statements that delete what belongs to executions.
struct Belongings([Statement; 3]);

impl Belongings {
    async fn prepare(session: &Session) -> Result<Self, Fault> {
        Ok(Self([
            session.statement(DELETE_EVENTS).await?,
            session.statement(DELETE_CALLBACKS).await?,
            session.statement(DELETE_TASKS).await?,
        ]))
    }
}

/// Takes deleted executions out of the counters, and what belongs to them along, and commits.
async fn forget(
    session: &Session,
    Belongings([events, callbacks, tasks]): &Belongings,
    counters: &Counters,
    tenant: TenantId,
    gone: &[Row],
) -> Result<(), Fault> {
    let ids: Vec<Uuid> = gone.iter().map(|row| column(row, 0, "executions")).collect::<Result<_, Fault>>()?;
    let ends: Vec<End> = gone.iter().map(|row| removed(row, tenant)).collect::<Result<_, Fault>>()?;
    let deltas = Deltas::without(ends);
    let tenant = tenant.as_uuid();
    let theirs: session::Parameters<'_> = &[&ids, &tenant];
    tokio::try_join!(
        biased;
        session.run(events, theirs),
        session.run(callbacks, theirs),
        session.run(tasks, theirs),
        counters.write(session, &deltas),
        session.commit()
    )?;
    Ok(())
}

fn removed(row: &Row, tenant_id: TenantId) -> Result<End, Fault> {
    const TABLE: &str = "executions";
    let key: Uuid = column(row, 0, TABLE)?;
    let state = decode::Row::new(TABLE, key).terminal_state("state", column(row, 2, TABLE)?)?;
    Ok(End {
        tenant_id,
        job_id: JobId::from_uuid(column(row, 1, TABLE)?),
        outcome: Outcome::of(state, column(row, 5, TABLE)?),
        started_at: column::<Option<Ts>>(row, 3, TABLE)?.map(|at| at.0),
        ended_at: column::<Ts>(row, 4, TABLE)?.0,
    })
}
