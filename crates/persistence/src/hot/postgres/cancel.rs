//! Cancelling executions: one that somebody names, or all that live of jobs that a newer one replaces.

use horarium_domain::execution::Event;
use horarium_domain::store::{CancelOutcome, StoreError};
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};
use tokio_postgres::{Row, Statement};
use uuid::Uuid;

use super::PostgresHot;
use super::aftermath;
use super::counters::Counters;
use super::session::{self, Session};
use super::settle::{EventRow, prepare_events, write_events};
use super::values::{Ts, column, count, small};
use crate::decode;
use crate::error::Fault;
use crate::hot::aftermath::Aftermath;
use crate::hot::rollup::Deltas;
use crate::hot::taken::Taken;
use crate::text::storable;

pub(super) const TAKE_ONE: &str = "
    delete from execution_queue where id = $1 and tenant_id = $2
    returning id, tenant_id, job_id, state, attempt, lost, started_at, worker, callback";

pub(super) const TAKE_LIVE: &str = "
    delete from execution_queue q
    where q.id = any(array(
        select x.id from unnest($1::uuid[], $2::uuid[]) as d (tenant_id, job_id)
        join execution_queue x on x.job_id = d.job_id and (x.tenant_id = d.tenant_id) is true
        order by x.id for update of x
    )) and (q.tenant_id = any($1::uuid[])) is true
    returning q.id, q.tenant_id, q.job_id, q.state, q.attempt, q.lost, q.started_at, q.worker, q.callback";

pub(super) const STATE: &str = "select id, state from executions where id = $1 and tenant_id = $2";

pub(super) const END: &str = "
    update executions e set state = 4, ended_otherwise = 4, attempt = d.attempt, lost = d.lost,
        started_at = d.started_at, completed_at = $2, worker = d.worker
    from unnest($1::uuid[], $3::int2[], $4::int2[], $5::timestamptz[], $6::text[], $7::uuid[])
        as d (id, attempt, lost, started_at, worker, tenant_id)
    where e.id = d.id and e.tenant_id = d.tenant_id";

impl PostgresHot {
    pub(super) async fn cancel_one(
        &self,
        tenant: TenantId,
        id: ExecutionId,
        by: &str,
        now: Timestamp,
    ) -> Result<CancelOutcome, StoreError> {
        session::run(&self.pool, async |session: &Session| {
            let take = session.statement(TAKE_ONE).await?;
            let (id, tenant) = (id.as_uuid(), tenant.as_uuid());
            let whose: session::Parameters<'_> = &[&id, &tenant];
            let ((), taken) = tokio::try_join!(biased; session.begin(), session.rows(&take, whose))?;
            let Some(row) = taken.first() else {
                // It is over, or it never was. (A statement of its own: it sees the end that the first one waited for.)
                let state = session.statement(STATE).await?;
                let (rows, ()) = tokio::try_join!(biased; session.rows(&state, whose), session.commit())?;
                return how_it_ended(rows.first());
            };
            let taken = read(row)?;
            let outcome = if taken.running { CancelOutcome::WasRunning } else { CancelOutcome::WasPending };
            let record = Record::prepare(session).await?;
            let cancelled = Cancelled::of(vec![taken], by, now);
            cancelled.write_aftermath(session).await?;
            tokio::try_join!(biased; record.write(session, &cancelled), session.commit())?;
            Ok(outcome)
        })
        .await
    }
}

fn how_it_ended(row: Option<&Row>) -> Result<CancelOutcome, Fault> {
    let Some(row) = row else { return Err(StoreError::NotFound("execution").into()) };
    let key: Uuid = column(row, 0, "executions")?;
    // One without a terminal state and without a row of the queue stands nowhere.
    let state = decode::Row::new("executions", key).terminal_state("state", column(row, 1, "executions")?)?;
    Ok(CancelOutcome::AlreadyTerminal(state))
}

fn read(row: &Row) -> Result<Taken, Fault> {
    const TABLE: &str = "execution_queue";
    let id: Uuid = column(row, 0, TABLE)?;
    Ok(Taken {
        id: ExecutionId::from_uuid(id),
        tenant_id: TenantId::from_uuid(column(row, 1, TABLE)?),
        job_id: JobId::from_uuid(column(row, 2, TABLE)?),
        running: column::<i16>(row, 3, TABLE)? == 1,
        attempt: count(column(row, 4, TABLE)?, "attempt", TABLE, id)?,
        lost: count(column(row, 5, TABLE)?, "lost", TABLE, id)?,
        started_at: column::<Option<Ts>>(row, 6, TABLE)?.map(|at| at.0),
        worker: column(row, 7, TABLE)?,
        callback: column(row, 8, TABLE)?,
    })
}

/// Executions that are being cancelled, and what to record about each.
pub(super) struct Cancelled {
    taken: Vec<Taken>,
    events: Vec<Event>,
    at: Timestamp,
}

impl Cancelled {
    fn of(taken: Vec<Taken>, by: &str, at: Timestamp) -> Self {
        Self { events: taken.iter().map(|taken| taken.event(by, at)).collect(), taken, at }
    }

    /// Those that ran: their workers are to be told.
    pub(super) fn running(&self) -> impl Iterator<Item = (JobId, ExecutionId)> + '_ {
        self.taken.iter().filter(|taken| taken.running).map(|taken| (taken.job_id, taken.id))
    }

    /// Writes what the ends leave behind beside their records.
    pub(super) async fn write_aftermath(&self, session: &Session) -> Result<(), Fault> {
        aftermath::write(session, &Aftermath::of(self.taken.iter().map(|taken| taken.over(self.at)))).await
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    /// Takes all that lives of these jobs, each with its tenant, off the queue, within the caller's transaction.
    pub(super) async fn take_live(
        session: &Session,
        jobs: &[(TenantId, JobId)],
        by: &str,
        at: Timestamp,
    ) -> Result<Self, Fault> {
        let take = session.statement(TAKE_LIVE).await?;
        let (tenants, jobs): (Vec<Uuid>, Vec<Uuid>) =
            jobs.iter().map(|(tenant, job)| (tenant.as_uuid(), job.as_uuid())).unzip();
        let rows = session.rows(&take, &[&tenants, &jobs]).await?;
        let mut taken: Vec<Taken> = rows.iter().map(read).collect::<Result<_, Fault>>()?;
        taken.sort_by_key(|taken| taken.id);
        Ok(Self::of(taken, by, at))
    }
}

/// The statements that record cancellations.
pub(super) struct Record {
    end: Statement,
    events: Statement,
    counters: Counters,
}

impl Record {
    pub(super) async fn prepare(session: &Session) -> Result<Self, Fault> {
        Ok(Self {
            end: session.statement(END).await?,
            events: prepare_events(session).await?,
            counters: Counters::prepare(session).await?,
        })
    }

    /// Records the ends. The statements are sent when this is first polled.
    pub(super) async fn write(&self, session: &Session, cancelled: &Cancelled) -> Result<(), Fault> {
        let taken = &cancelled.taken;
        if taken.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = taken.iter().map(|taken| taken.id.as_uuid()).collect();
        let attempts: Vec<i16> = taken.iter().map(|taken| small(taken.attempt)).collect();
        let lost: Vec<i16> = taken.iter().map(|taken| small(taken.lost)).collect();
        let started: Vec<Option<Ts>> = taken.iter().map(|taken| taken.started_at.map(Ts)).collect();
        let workers: Vec<_> = taken.iter().map(|taken| taken.worker.as_deref().map(storable)).collect();
        let tenants: Vec<Uuid> = taken.iter().map(|taken| taken.tenant_id.as_uuid()).collect();
        let at = Ts(cancelled.at);
        let ended: session::Parameters<'_> = &[&ids, &at, &attempts, &lost, &started, &workers, &tenants];
        let events: Vec<EventRow<'_>> = taken
            .iter()
            .zip(&cancelled.events)
            .map(|(taken, event)| EventRow {
                tenant_id: taken.tenant_id.as_uuid(),
                job_id: taken.job_id.as_uuid(),
                event,
            })
            .collect();
        let deltas = Deltas::of(taken.iter().map(|taken| taken.end(cancelled.at)));
        tokio::try_join!(
            biased;
            session.run(&self.end, ended),
            write_events(session, &self.events, &events),
            self.counters.write(session, &deltas)
        )?;
        Ok(())
    }
}
