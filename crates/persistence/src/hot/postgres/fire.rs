//! Turning due slots into executions: the compare-and-set of a job's slot and what follows from it, in one transaction.

use std::collections::{HashMap, HashSet};

use horarium_domain::execution::NewExecution;
use horarium_domain::job::ConcurrencyPolicy;
use horarium_domain::store::{Decide, Enqueued, FireOutcome, Firing, SkippedSlots, StoreError};
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};
use uuid::Uuid;

use super::PostgresHot;
use super::cancel::{Cancelled, Record};
use super::due::{LOCK_DUE, with_definitions};
use super::enqueue::enqueue_within;
use super::insert::Form;
use super::session::{self, Session};
use super::values::{Ts, column, rows};
use crate::error::Fault;
use crate::hot::slots::{Refused, forbidden, limit_to_one};
use crate::text::storable;

/// The rows are locked in the order of the batch, which is sorted. `(…) is true` hides those columns from the planner: the
/// row is found by its key, whatever else has an index.
pub(super) const ADVANCE: &str = "
    update job_slots s set next_run_at = d.next
    from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[]) as d (job_id, tenant_id, slot, next)
    where s.job_id = d.job_id and (s.tenant_id = d.tenant_id and s.next_run_at = d.slot) is true
    returning s.job_id";

pub(super) const END: &str = "
    delete from job_slots s using unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as d (job_id, tenant_id, slot)
    where s.job_id = d.job_id and (s.tenant_id = d.tenant_id and s.next_run_at = d.slot) is true
    returning s.job_id";

pub(super) const LIVE: &str = "
    select d.job_id from unnest($1::uuid[], $2::uuid[]) as d (tenant_id, job_id)
    where exists (
        select from execution_queue q where q.job_id = d.job_id and (q.tenant_id = d.tenant_id) is true
    )";

pub(super) const SKIP: &str = "
    insert into skipped_slots (job_id, tenant_id, first_slot, last_slot, count, reason, recorded_at)
    select d.job_id, d.tenant_id, d.first_slot, d.last_slot, d.count, d.reason, d.recorded_at
    from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::int8[], $6::text[],
        $7::timestamptz[]) as d (job_id, tenant_id, first_slot, last_slot, count, reason, recorded_at)
    where exists (select from jobs j where j.id = d.job_id and j.tenant_id = d.tenant_id)";

impl PostgresHot {
    /// Locks what is due, decides, and writes, in one transaction: what one planner holds, another passes over.
    pub(super) async fn fire_what_is_due(
        &self,
        now: Timestamp,
        limit: usize,
        decide: &Decide,
    ) -> Result<Vec<(Firing, FireOutcome)>, StoreError> {
        session::run(&self.pool, async |session: &Session| {
            let lock = session.statement(LOCK_DUE).await?;
            let (now, limit) = (Ts(now), rows(limit));
            let locked: session::Parameters<'_> = &[&now, &limit];
            let ((), slots) = tokio::try_join!(biased; session.begin(), session.rows(&lock, locked))?;
            if slots.is_empty() {
                session.commit().await?;
                return Ok(Vec::new());
            }
            let mut due = with_definitions(session, &slots, &self.schedules).await?;
            due.sort_by_key(|due| due.job_id);
            let firings: Vec<Firing> = due.into_iter().map(|due| decide(due)).collect();
            let outcomes = fire(session, &firings.iter().collect::<Vec<_>>()).await?;
            Ok(firings.into_iter().zip(outcomes).collect())
        })
        .await
    }

    pub(super) async fn fire_batch(&self, batch: &[Firing]) -> Result<Vec<FireOutcome>, StoreError> {
        let mut outcomes = vec![FireOutcome::Superseded; batch.len()];
        // A job that comes twice is fired in two transactions: the second looks at what the first one wrote.
        let mut left: Vec<usize> = (0..batch.len()).collect();
        while !left.is_empty() {
            let mut jobs = HashSet::new();
            let (mut now, later): (Vec<usize>, Vec<usize>) =
                left.iter().partition(|index| jobs.insert(batch[**index].job_id));
            now.sort_by_key(|index| batch[*index].job_id);
            let firings: Vec<&Firing> = now.iter().map(|index| &batch[*index]).collect();
            let fired = session::run(&self.pool, async |session: &Session| {
                let ((), fired) = tokio::try_join!(biased; session.begin(), fire(session, &firings))?;
                Ok(fired)
            });
            for (index, outcome) in now.into_iter().zip(fired.await?) {
                outcomes[index] = outcome;
            }
            left = later;
        }
        Ok(outcomes)
    }
}

/// Fires slots of different jobs, sorted by job, and commits the transaction that the caller began.
async fn fire(session: &Session, batch: &[&Firing]) -> Result<Vec<FireOutcome>, Fault> {
    let won = advance(session, batch).await?;
    let won: Vec<&Firing> = batch.iter().copied().filter(|firing| won.contains(&firing.job_id.as_uuid())).collect();
    let mut outcomes: HashMap<JobId, (usize, Vec<ExecutionId>)> =
        won.iter().map(|firing| (firing.job_id, (0, Vec::new()))).collect();
    let mut skipped: Vec<(&Firing, SkippedSlots)> =
        won.iter().flat_map(|firing| firing.skipped.iter().map(|skipped| (*firing, skipped.clone()))).collect();

    let replaced = replace(session, &won).await?;
    for (job, execution) in replaced.iter().flat_map(Cancelled::running) {
        if let Some((_, cancelled)) = outcomes.get_mut(&job) {
            cancelled.push(execution);
        }
    }

    let live = live_jobs(session, &won).await?;
    let mut accepted: Vec<(&Firing, &[NewExecution])> = Vec::new();
    for firing in &won {
        let (run, refused) = match firing.concurrency {
            ConcurrencyPolicy::Forbid if live.contains(&firing.job_id.as_uuid()) => forbidden(firing),
            ConcurrencyPolicy::Forbid => limit_to_one(firing),
            ConcurrencyPolicy::Allow | ConcurrencyPolicy::Replace => (&firing.executions[..], None),
        };
        accepted.push((firing, run));
        skipped.extend(refused.map(|refused| (*firing, refused)));
    }
    let executions: Vec<NewExecution> = accepted.iter().flat_map(|(_, run)| run.iter().cloned()).collect();
    let form = if executions.iter().any(|new| new.unique_key.is_some()) { Form::Any } else { Form::New };
    let mut answers = enqueue_within(session, &executions, form).await?.into_iter();
    for (firing, run) in accepted {
        let mut refused = Refused::default();
        for execution in run {
            match answers.next() {
                Some(Enqueued::Accepted) | None => {
                    if let Some((count, _)) = outcomes.get_mut(&firing.job_id) {
                        *count += 1;
                    }
                }
                Some(answer) => refused.add(execution, answer),
            }
        }
        skipped.extend(refused.into_slots(firing.now).into_iter().map(|refused| (firing, refused)));
    }

    finish(session, &skipped, &replaced).await?;
    let outcome = |firing: &&Firing| match outcomes.remove(&firing.job_id) {
        Some((accepted, cancelled)) => FireOutcome::Fired { accepted, cancelled },
        None => FireOutcome::Superseded,
    };
    Ok(batch.iter().map(outcome).collect())
}

/// Moves the slots on; answers whose slot was still the one that was decided on.
async fn advance(session: &Session, batch: &[&Firing]) -> Result<HashSet<Uuid>, Fault> {
    let advance = session.statement(ADVANCE).await?;
    let end = session.statement(END).await?;
    let (moving, ending): (Vec<&Firing>, Vec<&Firing>) =
        batch.iter().copied().partition(|firing| firing.next.is_some());
    let key = |firings: &[&Firing]| -> (Vec<Uuid>, Vec<Uuid>, Vec<Ts>) {
        let jobs = firings.iter().map(|firing| firing.job_id.as_uuid()).collect();
        let tenants = firings.iter().map(|firing| firing.tenant_id.as_uuid()).collect();
        (jobs, tenants, firings.iter().map(|firing| Ts(firing.slot)).collect())
    };
    let (jobs, tenants, slots) = key(&moving);
    let nexts: Vec<Ts> = moving.iter().filter_map(|firing| firing.next.map(Ts)).collect();
    let moved: session::Parameters<'_> = &[&jobs, &tenants, &slots, &nexts];
    let (jobs, tenants, slots) = key(&ending);
    let ended: session::Parameters<'_> = &[&jobs, &tenants, &slots];
    let (moved, ended) = tokio::try_join!(biased; session.rows(&advance, moved), session.rows(&end, ended))?;
    moved.iter().chain(&ended).map(|row| column(row, 0, "job_slots")).collect()
}

/// Takes what lives of the jobs with Replace off the queue, by the firings' present.
async fn replace(session: &Session, won: &[&Firing]) -> Result<Vec<Cancelled>, Fault> {
    let mut by_time: std::collections::BTreeMap<Timestamp, Vec<(TenantId, JobId)>> = std::collections::BTreeMap::new();
    for firing in won {
        if firing.concurrency == ConcurrencyPolicy::Replace && !firing.executions.is_empty() {
            by_time.entry(firing.now).or_default().push((firing.tenant_id, firing.job_id));
        }
    }
    let mut replaced = Vec::new();
    for (now, jobs) in by_time {
        replaced.push(Cancelled::take_live(session, &jobs, "schedule", now).await?);
    }
    Ok(replaced)
}

/// Which of the jobs with Forbid have a live execution.
async fn live_jobs(session: &Session, won: &[&Firing]) -> Result<HashSet<Uuid>, Fault> {
    let (tenants, jobs): (Vec<Uuid>, Vec<Uuid>) = won
        .iter()
        .filter(|firing| firing.concurrency == ConcurrencyPolicy::Forbid)
        .map(|firing| (firing.tenant_id.as_uuid(), firing.job_id.as_uuid()))
        .unzip();
    if jobs.is_empty() {
        return Ok(HashSet::new());
    }
    let live = session.statement(LIVE).await?;
    session.rows(&live, &[&tenants, &jobs]).await?.iter().map(|row| column(row, 0, "execution_queue")).collect()
}

/// Records what was skipped and what was cancelled, and commits.
async fn finish(session: &Session, skipped: &[(&Firing, SkippedSlots)], replaced: &[Cancelled]) -> Result<(), Fault> {
    if !replaced.iter().all(Cancelled::is_empty) {
        let record = Record::prepare(session).await?;
        for cancelled in replaced {
            record.write(session, cancelled).await?;
            cancelled.write_aftermath(session).await?;
        }
    }
    if skipped.is_empty() {
        return session.commit().await;
    }
    let skip = session.statement(SKIP).await?;
    let jobs: Vec<Uuid> = skipped.iter().map(|(firing, _)| firing.job_id.as_uuid()).collect();
    let tenants: Vec<Uuid> = skipped.iter().map(|(firing, _)| firing.tenant_id.as_uuid()).collect();
    let first: Vec<Ts> = skipped.iter().map(|(_, slots)| Ts(slots.first)).collect();
    let last: Vec<Ts> = skipped.iter().map(|(_, slots)| Ts(slots.last)).collect();
    let counts: Vec<i64> = skipped.iter().map(|(_, slots)| i64::try_from(slots.count).unwrap_or(i64::MAX)).collect();
    let reasons: Vec<_> = skipped.iter().map(|(_, slots)| storable(&slots.reason)).collect();
    let recorded: Vec<Ts> = skipped.iter().map(|(_, slots)| Ts(slots.recorded_at)).collect();
    let rows: session::Parameters<'_> = &[&jobs, &tenants, &first, &last, &counts, &reasons, &recorded];
    tokio::try_join!(biased; session.run(&skip, rows), session.commit())?;
    Ok(())
}
