//! Writing the ends of attempts.
//!
//! Two flights: the first takes the executions off the queue, or puts them back, and tells which leases were still
//! held; the second writes what follows from those alone (events, counters, rollups) and commits.

use std::collections::HashSet;

use horarium_domain::ExecutionId;
use horarium_domain::execution::Event;
use horarium_domain::store::{Decision, Lease, Settled, Settlement, StoreError};
use tokio_postgres::{Row, Statement};
use uuid::Uuid;

use super::PostgresHot;
use super::aftermath;
use super::counters::Counters;
use super::session::{self, Session};
use super::values::{Ts, column, small};
use crate::decode::terminal_code;
use crate::error::Fault;
use crate::hot::aftermath::{Aftermath, Over};
use crate::hot::rollup::{Deltas, End};
use crate::text::storable;

/// `q.state + 0` keeps the planner from the index on leases: the rows are found by their id.
pub(super) const FINISH: &str = "
    with done as (
        delete from execution_queue q
        using unnest($1::uuid[], $2::int4[], $3::timestamptz[], $4::int2[], $5::int2[], $6::int2[], $7::timestamptz[],
            $8::timestamptz[], $9::text[], $10::text[], $11::bool[], $12::text[], $13::int8[], $14::bool[])
            as d (id, fence, expired_at, state, attempt, lost, started_at, completed_at, worker, output,
            output_truncated, error, items_processed, partial)
        where q.id = d.id and q.fence = d.fence and q.state + 0 = 1
          and (d.expired_at is null or q.lease_until <= d.expired_at)
        returning d.*, q.tenant_id, q.callback
    ), written as (
        update executions e set state = d.state, attempt = d.attempt, lost = d.lost, started_at = d.started_at,
            completed_at = d.completed_at, worker = d.worker, output = d.output,
            output_truncated = d.output_truncated, error = d.error, items_processed = d.items_processed,
            partial = d.partial, ended_otherwise = case when d.partial then 5 else nullif(d.state, 2) end
        from done d where e.id = d.id and e.tenant_id = d.tenant_id
    )
    select id, fence, callback from done";

pub(super) const REQUEUE: &str = "
    update execution_queue q set
        state = case when d.run_at > d.ended_at then 2 when q.gated then 3 else 0 end,
        attempt = d.attempt, lost = d.lost, run_at = d.run_at, requeued_at = d.ended_at,
        node_id = null, worker = null, started_at = null, lease_until = null, progress = null
    from unnest($1::uuid[], $2::int4[], $3::timestamptz[], $4::int2[], $5::int2[], $6::timestamptz[],
        $7::timestamptz[]) as d (id, fence, expired_at, attempt, lost, run_at, ended_at)
    where q.id = d.id and q.fence = d.fence and q.state + 0 = 1
      and (d.expired_at is null or q.lease_until <= d.expired_at)
    returning q.id, q.fence";

pub(super) const EVENTS: &str = "
    insert into execution_events (execution_id, tenant_id, job_id, at, kind, attempt, attempt_started_at, source,
        message, error)
    select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::text[], $6::int2[],
        $7::timestamptz[], $8::text[], $9::text[], $10::text[])";

impl PostgresHot {
    pub(super) async fn settle_batch(&self, batch: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let firsts = first_of_each_lease(batch);
        let applied = session::run(&self.pool, async |session: &Session| settle(session, batch, &firsts).await).await?;
        let mut answers = vec![Settled::Stale; batch.len()];
        for index in firsts {
            if applied.contains(&batch[index].lease) {
                answers[index] = Settled::Applied;
            }
        }
        Ok(answers)
    }
}

/// The positions to be written, by id. A lease that comes twice is settled once.
fn first_of_each_lease(batch: &[Settlement]) -> Vec<usize> {
    let mut seen = HashSet::with_capacity(batch.len());
    let mut firsts: Vec<usize> = (0..batch.len()).filter(|index| seen.insert(batch[*index].lease)).collect();
    firsts.sort_by_key(|index| batch[*index].lease);
    firsts
}

async fn settle(session: &Session, batch: &[Settlement], by_id: &[usize]) -> Result<HashSet<Lease>, Fault> {
    let finish = session.statement(FINISH).await?;
    let requeue = session.statement(REQUEUE).await?;
    let events = session.statement(EVENTS).await?;
    let counters = Counters::prepare(session).await?;

    let sorted = || by_id.iter().map(|index| &batch[*index]);
    let over: Vec<&Settlement> = sorted().filter(|s| matches!(s.decision, Decision::Finish { .. })).collect();
    let again: Vec<&Settlement> = sorted().filter(|s| matches!(s.decision, Decision::Requeue { .. })).collect();
    let ((), finished, requeued) = tokio::try_join!(
        biased;
        session.begin(),
        write_finished(session, &finish, &over),
        write_requeued(session, &requeue, &again)
    )?;
    let applied: HashSet<Lease> = finished.iter().chain(&requeued).map(lease).collect::<Result<_, Fault>>()?;
    let mut called_back = HashSet::new();
    for row in &finished {
        if column(row, 2, "execution_queue")? {
            called_back.insert(lease(row)?);
        }
    }

    // In the order of the batch: it decides which failures are consecutive.
    let mut by_position = by_id.to_vec();
    by_position.sort_unstable();
    let written: Vec<&Settlement> =
        by_position.iter().map(|index| &batch[*index]).filter(|s| applied.contains(&s.lease)).collect();
    let deltas = Deltas::of(written.iter().map(|settlement| End::of(settlement)));
    let ended = written.iter().filter(|settlement| matches!(settlement.decision, Decision::Finish { .. }));
    let aftermath = Aftermath::of(ended.map(|settlement| Over {
        id: settlement.lease.execution_id,
        tenant_id: settlement.tenant_id,
        at: settlement.ended_at,
        callback: called_back.contains(&settlement.lease),
    }));
    aftermath::write(session, &aftermath).await?;
    let told: Vec<EventRow<'_>> = written.iter().filter_map(|settlement| EventRow::of(settlement)).collect();
    tokio::try_join!(
        biased;
        write_events(session, &events, &told),
        counters.write(session, &deltas),
        session.commit()
    )?;
    Ok(applied)
}

fn lease(row: &Row) -> Result<Lease, Fault> {
    let id: Uuid = column(row, 0, "execution_queue")?;
    Ok(Lease { execution_id: ExecutionId::from_uuid(id), fence: column(row, 1, "execution_queue")? })
}

async fn write_finished(session: &Session, statement: &Statement, batch: &[&Settlement]) -> Result<Vec<Row>, Fault> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let Common { ids, fences, expired, attempts, lost } = Common::of(batch);
    let started: Vec<Ts> = batch.iter().map(|s| Ts(s.started_at)).collect();
    let completed: Vec<Ts> = batch.iter().map(|s| Ts(s.ended_at)).collect();
    let workers: Vec<_> = batch.iter().map(|s| storable(&s.worker)).collect();
    let (mut states, mut outputs, mut truncated) = (Vec::new(), Vec::new(), Vec::new());
    let (mut errors, mut items, mut partial_ends) = (Vec::new(), Vec::new(), Vec::new());
    for settlement in batch {
        if let Decision::Finish { state, output, error, items_processed, partial } = &settlement.decision {
            states.push(terminal_code(*state).unwrap_or(0));
            outputs.push(output.as_ref().map(|output| storable(&output.text)));
            truncated.push(output.as_ref().is_some_and(|output| output.truncated));
            errors.push(error.as_deref().map(storable));
            items.push(*items_processed);
            partial_ends.push(*partial);
        }
    }
    session
        .rows(
            statement,
            &[
                &ids,
                &fences,
                &expired,
                &states,
                &attempts,
                &lost,
                &started,
                &completed,
                &workers,
                &outputs,
                &truncated,
                &errors,
                &items,
                &partial_ends,
            ],
        )
        .await
}

async fn write_requeued(session: &Session, statement: &Statement, batch: &[&Settlement]) -> Result<Vec<Row>, Fault> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let Common { ids, fences, expired, attempts, lost } = Common::of(batch);
    let ended: Vec<Ts> = batch.iter().map(|s| Ts(s.ended_at)).collect();
    let run_at: Vec<Ts> = batch
        .iter()
        .filter_map(|s| match s.decision {
            Decision::Requeue { run_at } => Some(Ts(run_at)),
            Decision::Finish { .. } => None,
        })
        .collect();
    session.rows(statement, &[&ids, &fences, &expired, &attempts, &lost, &run_at, &ended]).await
}

/// The columns that both statements take.
struct Common {
    ids: Vec<Uuid>,
    fences: Vec<i32>,
    expired: Vec<Option<Ts>>,
    attempts: Vec<i16>,
    lost: Vec<i16>,
}

impl Common {
    fn of(batch: &[&Settlement]) -> Self {
        Self {
            ids: batch.iter().map(|s| s.lease.execution_id.as_uuid()).collect(),
            fences: batch.iter().map(|s| s.lease.fence).collect(),
            expired: batch.iter().map(|s| s.only_if_expired_at.map(Ts)).collect(),
            attempts: batch.iter().map(|s| small(s.next.attempt)).collect(),
            lost: batch.iter().map(|s| small(s.next.lost)).collect(),
        }
    }
}

/// An event, and whose execution it is about.
pub(super) struct EventRow<'a> {
    pub(super) tenant_id: Uuid,
    pub(super) job_id: Uuid,
    pub(super) event: &'a Event,
}

impl<'a> EventRow<'a> {
    fn of(settlement: &'a Settlement) -> Option<Self> {
        let (tenant_id, job_id) = (settlement.tenant_id.as_uuid(), settlement.job_id.as_uuid());
        settlement.event.as_ref().map(|event| Self { tenant_id, job_id, event })
    }
}

/// Prepares what [`write_events`] runs.
pub(super) async fn prepare_events(session: &Session) -> Result<Statement, Fault> {
    session.statement(EVENTS).await
}

/// Writes events. The statement is sent when this is first polled.
pub(super) async fn write_events(
    session: &Session,
    statement: &Statement,
    batch: &[EventRow<'_>],
) -> Result<(), Fault> {
    if batch.is_empty() {
        return Ok(());
    }
    let executions: Vec<Uuid> = batch.iter().map(|row| row.event.execution_id.as_uuid()).collect();
    let tenants: Vec<Uuid> = batch.iter().map(|row| row.tenant_id).collect();
    let jobs: Vec<Uuid> = batch.iter().map(|row| row.job_id).collect();
    let at: Vec<Ts> = batch.iter().map(|row| Ts(row.event.at)).collect();
    let kinds: Vec<&str> = batch.iter().map(|row| row.event.kind.as_str()).collect();
    let attempts: Vec<i16> = batch.iter().map(|row| small(row.event.attempt)).collect();
    let started: Vec<Option<Ts>> = batch.iter().map(|row| row.event.attempt_started_at.map(Ts)).collect();
    let sources: Vec<_> = batch.iter().map(|row| storable(&row.event.source)).collect();
    let messages: Vec<_> = batch.iter().map(|row| storable(&row.event.message)).collect();
    let errors: Vec<_> = batch.iter().map(|row| row.event.error.as_deref().map(storable)).collect();
    session
        .run(statement, &[&executions, &tenants, &jobs, &at, &kinds, &attempts, &started, &sources, &messages, &errors])
        .await?;
    Ok(())
}
