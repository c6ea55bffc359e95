//! Claiming from all that waits, with what is under a limit weighed.
//!
//! One round is one transaction: find the tenants with ready executions and the groups (queue and job) with gated ones;
//! lock the limits of those groups, passing over what another node holds; then, in statements that see everything
//! committed before the locks were had, count what runs and look at the candidates; choose; lease.

use std::collections::HashSet;
use std::sync::PoisonError;

use horarium_domain::store::{ClaimRequest, Claimed, StoreError};
use horarium_domain::{ExecutionId, JobId, TenantId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresHot;
use super::claim::{Round, TENANTS, claimed_columns, claimed_rows, ready_tenants};
use super::session::{self, Session};
use super::values::{Ts, column, rows};
use crate::error::Fault;
use crate::hot::gates::{Candidate, Group, Room, TokenBucket, choose};

/// How many groups one round looks at; the next one goes on after them.
const GROUPS: usize = 256;

pub(super) const READY_TENANTS: &str = concat!("with", ready_tenants!(), "select tenant_id from tenants");

/// The groups after `($1, $2, $3)` with gated executions. All of a paused queue is passed over in one step.
pub(super) const GATED_GROUPS: &str = "
    with recursive walk (tenant_id, queue, job_id, step) as (
        (select q.tenant_id, q.queue, q.job_id, 1 from execution_queue q
         where q.state = 3 and (q.tenant_id, q.queue, q.job_id) > ($1, $2, $3)
         order by q.tenant_id, q.queue, q.job_id limit 1)
        union all
        select x.tenant_id, x.queue, x.job_id, w.step + 1
        from walk w
        left join queues p on p.tenant_id = w.tenant_id and p.name = w.queue
        cross join lateral (
            select q.tenant_id, q.queue, q.job_id from execution_queue q
            where q.state = 3 and (q.tenant_id, q.queue, q.job_id) > (w.tenant_id, w.queue,
                case when p.paused then 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid else w.job_id end)
            order by q.tenant_id, q.queue, q.job_id limit 1
        ) x
        where w.step < $4
    )
    select w.tenant_id, w.queue, w.job_id, coalesce(p.paused, false), coalesce(p.gated, false),
        j.running_limit is not null
    from walk w
    left join queues p on p.tenant_id = w.tenant_id and p.name = w.queue
    left join jobs j on j.id = w.job_id and j.tenant_id = w.tenant_id
    order by w.step";

pub(super) const LOCK_QUEUES: &str = "
    select q.tenant_id, q.name, q.max_concurrency, q.rate_limit_per_second, q.rate_tokens, q.rate_at, q.paused
    from unnest($1::uuid[], $2::text[]) as d (tenant_id, name)
    cross join lateral (
        select * from queues q where q.tenant_id = d.tenant_id and q.name = d.name for no key update skip locked
    ) q";

pub(super) const LOCK_JOBS: &str = "
    select id, running_limit from jobs where id = any($1::uuid[]) order by id for no key update skip locked";

pub(super) const RUNNING_IN_QUEUES: &str = "
    select tenant_id, queue, count(*) from execution_queue
    where state = 1 and tenant_id = any($1::uuid[]) group by tenant_id, queue";

/// `between 1 and 1` keeps the planner from the index on leases, which is all that runs, of whatever job.
pub(super) const RUNNING_OF_JOBS: &str = "
    select d.job_id, (
        select count(*) from execution_queue q where q.job_id = d.job_id and q.state between 1 and 1
    )
    from unnest($1::uuid[]) as d (job_id)";

pub(super) const GATED_CANDIDATES: &str = "
    select c.id, c.priority, g.position
    from unnest($1::uuid[], $2::text[], $3::uuid[]) with ordinality as g (tenant_id, queue, job_id, position)
    cross join lateral (
        select q.id, q.priority from execution_queue q
        where q.state = 3 and q.tenant_id = g.tenant_id and q.queue = g.queue and q.job_id = g.job_id
        order by q.priority desc, q.id limit $4
    ) c";

pub(super) const READY_CANDIDATES: &str = "
    select c.id, c.priority, t.tenant_id
    from unnest($1::uuid[]) as t (tenant_id)
    cross join lateral (
        select q.id, q.priority from execution_queue q
        where q.state = 0 and q.tenant_id = t.tenant_id
        order by q.priority desc, q.id limit $2
        for update skip locked
    ) c";

pub(super) const LEASE: &str = concat!(
    "with claimed as (
        update execution_queue q set state = 1, attempt = q.attempt + 1, fence = q.fence + 1,
            node_id = $2, worker = $3, started_at = $4, lease_until = $5, progress = null
        where q.id = any(array(
            select x.id from execution_queue x where x.id = any($1::uuid[]) and x.state + 0 in (0, 3)
            order by x.id for update skip locked
        ))
        returning q.id, q.tenant_id, q.job_id, q.priority, q.attempt, q.lost, q.fence
    )
    select ",
    claimed_columns!(),
    " from claimed c
    join executions e on e.id = c.id and e.tenant_id = c.tenant_id
    left join jobs j on j.id = c.job_id and j.tenant_id = c.tenant_id"
);

pub(super) const SPEND_TOKENS: &str = "
    update queues q set rate_tokens = d.tokens, rate_at = $4
    from unnest($1::uuid[], $2::text[], $3::float8[]) as d (tenant_id, name, tokens)
    where q.tenant_id = d.tenant_id and q.name = d.name";

/// A group, and which limits hold it.
struct GatedGroup {
    group: Group,
    paused: bool,
    by_queue: bool,
    by_job: bool,
}

/// A queue whose limits this transaction holds.
struct HeldQueue {
    tenant_id: TenantId,
    name: String,
    max_concurrency: Option<i32>,
    rate: Option<TokenBucket>,
    paused: bool,
}

impl PostgresHot {
    pub(super) async fn claim_gated(&self, request: &ClaimRequest, wanted: usize) -> Result<Round, StoreError> {
        let after = self.last_served();
        let from = self.groups_from.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let found = session::run(&self.pool, async |session: &Session| {
            let tenants = session.statement(READY_TENANTS).await?;
            let groups = session.statement(GATED_GROUPS).await?;
            let most_tenants = i32::try_from(TENANTS).unwrap_or(i32::MAX);
            let after = after.as_uuid();
            let tenants_asked: session::Parameters<'_> = &[&after, &most_tenants];
            let (tenants, groups) = tokio::try_join!(biased; session.rows(&tenants, tenants_asked), self.groups(session, &groups, from.as_ref()))?;
            let tenants: Vec<Uuid> =
                tenants.iter().map(|row| column(row, 0, "execution_queue")).collect::<Result<_, Fault>>()?;
            Ok((tenants, groups))
        });
        let (tenants, groups) = found.await?;
        let limited = !groups.is_empty();
        let next = (groups.len() >= GROUPS).then(|| groups.last().map(|found| found.group.clone())).flatten();
        *self.groups_from.lock().unwrap_or_else(PoisonError::into_inner) = next;
        let groups: Vec<GatedGroup> = groups.into_iter().filter(|found| !found.paused).collect();
        if tenants.is_empty() && groups.is_empty() {
            self.turn.weighed(limited, false);
            return Ok(Round { claimed: Vec::new(), more: false });
        }

        let work = Work { request, wanted, after, tenants: &tenants, groups: &groups };
        let (claimed, started) = session::run(&self.pool, async |session: &Session| work.lease(session).await).await?;
        self.turn.weighed(limited, started);
        self.served(after, claimed.iter().map(|(_, claim)| claim.tenant_id));
        // Each round that leased something may have left a tenant's share to the others.
        Ok(Round { more: !claimed.is_empty(), claimed })
    }

    /// The gated groups after `from`, and then from the beginning.
    async fn groups(
        &self,
        session: &Session,
        statement: &tokio_postgres::Statement,
        from: Option<&Group>,
    ) -> Result<Vec<GatedGroup>, Fault> {
        let mut found: Vec<GatedGroup> = Vec::new();
        let mut start = from.cloned();
        loop {
            let (tenant, queue, job) = start.as_ref().map_or((Uuid::nil(), "", Uuid::nil()), |group| {
                (group.tenant_id.as_uuid(), group.queue.as_str(), group.job_id.as_uuid())
            });
            let most = i32::try_from(GROUPS - found.len()).unwrap_or(i32::MAX);
            for row in session.rows(statement, &[&tenant, &queue, &job, &most]).await? {
                let group = gated_group(&row)?;
                // The second lap ends where the first one began.
                if start.is_none() && from.is_some_and(|from| group.group > *from) {
                    break;
                }
                found.push(group);
            }
            if start.is_none() || found.len() >= GROUPS {
                return Ok(found);
            }
            start = None;
        }
    }
}

fn gated_group(row: &Row) -> Result<GatedGroup, Fault> {
    Ok(GatedGroup {
        group: Group {
            tenant_id: TenantId::from_uuid(column(row, 0, "execution_queue")?),
            queue: column(row, 1, "execution_queue")?,
            job_id: JobId::from_uuid(column(row, 2, "execution_queue")?),
        },
        paused: column(row, 3, "queues")?,
        by_queue: column(row, 4, "queues")?,
        by_job: column(row, 5, "jobs")?,
    })
}

/// One round's question.
struct Work<'a> {
    request: &'a ClaimRequest,
    wanted: usize,
    after: TenantId,
    tenants: &'a [Uuid],
    groups: &'a [GatedGroup],
}

impl Work<'_> {
    /// Leases what may start; answers it, and whether any of it is under a limit.
    async fn lease(&self, session: &Session) -> Result<(Vec<(i16, Claimed)>, bool), Fault> {
        let (queues, jobs) = self.lock(session).await?;
        let mut room = Room::default();
        let candidates = self.candidates(session, &queues, &jobs, &mut room).await?;
        let chosen = choose(candidates, &mut room, self.wanted, self.after);
        if chosen.is_empty() {
            // The locks were all there was to it: nothing of them has to reach the disk.
            session.rollback().await?;
            return Ok((Vec::new(), false));
        }
        let ids: Vec<Uuid> = chosen.iter().map(|candidate| candidate.id.as_uuid()).collect();

        let lease = session.statement(LEASE).await?;
        let take_tokens = session.statement(SPEND_TOKENS).await?;
        let (now, until) = (Ts(self.request.now), Ts(self.request.lease_until));
        let node = self.request.node.as_uuid();
        let leased: session::Parameters<'_> = &[&ids, &node, &self.request.worker, &now, &until];
        let (tenants, names, tokens) = self.spent(&queues, &chosen);
        let rows = if tenants.is_empty() {
            tokio::try_join!(biased; session.rows(&lease, leased), session.commit())?.0
        } else {
            let spent: session::Parameters<'_> = &[&tenants, &names, &tokens, &now];
            tokio::try_join!(biased; session.run(&take_tokens, spent), session.rows(&lease, leased), session.commit())?
                .1
        };
        Ok((claimed_rows(&rows), chosen.iter().any(|candidate| candidate.group.is_some())))
    }

    /// Begins the transaction and takes the limits that nobody else holds.
    async fn lock(&self, session: &Session) -> Result<(Vec<HeldQueue>, Vec<(JobId, Option<i32>)>), Fault> {
        let lock_queues = session.statement(LOCK_QUEUES).await?;
        let lock_jobs = session.statement(LOCK_JOBS).await?;
        let of_queues = self.groups.iter().filter(|found| found.by_queue).map(|found| &found.group);
        let (tenants, names): (Vec<Uuid>, Vec<&str>) = of_queues
            .map(|group| (group.tenant_id.as_uuid(), group.queue.as_str()))
            .collect::<HashSet<_>>()
            .into_iter()
            .unzip();
        let jobs: Vec<Uuid> = self.groups.iter().filter(|g| g.by_job).map(|g| g.group.job_id.as_uuid()).collect();
        let queues_asked: session::Parameters<'_> = &[&tenants, &names];
        let jobs_asked: session::Parameters<'_> = &[&jobs];
        let ((), queues, jobs) = tokio::try_join!(biased;
            session.begin(),
            session.rows(&lock_queues, queues_asked),
            session.rows(&lock_jobs, jobs_asked)
        )?;
        let queues = queues.iter().map(held_queue).collect::<Result<_, Fault>>()?;
        let jobs = jobs
            .iter()
            .map(|row| Ok((JobId::from_uuid(column(row, 0, "jobs")?), column(row, 1, "jobs")?)))
            .collect::<Result<_, Fault>>()?;
        Ok((queues, jobs))
    }

    /// What may be chosen from, with `room` set to what the held limits leave.
    async fn candidates(
        &self,
        session: &Session,
        queues: &[HeldQueue],
        jobs: &[(JobId, Option<i32>)],
        room: &mut Room,
    ) -> Result<Vec<Candidate>, Fault> {
        let in_queues = session.statement(RUNNING_IN_QUEUES).await?;
        let of_jobs = session.statement(RUNNING_OF_JOBS).await?;
        let gated = session.statement(GATED_CANDIDATES).await?;
        let ready = session.statement(READY_CANDIDATES).await?;

        let held_queue = |group: &Group| queues.iter().any(|q| q.tenant_id == group.tenant_id && q.name == group.queue);
        let held_job = |group: &Group| jobs.iter().any(|(id, _)| *id == group.job_id);
        let groups: Vec<&Group> = self
            .groups
            .iter()
            .filter(|found| !found.by_queue || held_queue(&found.group))
            .filter(|found| !found.by_job || held_job(&found.group))
            .map(|found| &found.group)
            .collect();
        let (tenants, names): (Vec<Uuid>, Vec<&str>) =
            groups.iter().map(|group| (group.tenant_id.as_uuid(), group.queue.as_str())).unzip();
        let group_jobs: Vec<Uuid> = groups.iter().map(|group| group.job_id.as_uuid()).collect();
        let owners: HashSet<Uuid> = self.tenants.iter().chain(&tenants).copied().collect();
        let share = rows(self.wanted.div_ceil(owners.len().max(1)));
        // Enough of each group to choose from; the next round finds the rest.
        let per_group = rows(self.wanted.min((4 * self.wanted / groups.len().max(1)).max(8)));
        let queue_tenants: Vec<Uuid> = queues.iter().map(|queue| queue.tenant_id.as_uuid()).collect();
        let job_ids: Vec<Uuid> = jobs.iter().map(|(id, _)| id.as_uuid()).collect();

        let queues_asked: session::Parameters<'_> = &[&queue_tenants];
        let jobs_asked: session::Parameters<'_> = &[&job_ids];
        let gated_asked: session::Parameters<'_> = &[&tenants, &names, &group_jobs, &per_group];
        let ready_asked: session::Parameters<'_> = &[&self.tenants, &share];
        let (in_queues, of_jobs, gated, ready) = tokio::try_join!(biased;
            session.rows(&in_queues, queues_asked),
            session.rows(&of_jobs, jobs_asked),
            session.rows(&gated, gated_asked),
            session.rows(&ready, ready_asked)
        )?;
        self.leave_room(queues, jobs, &in_queues, &of_jobs, room)?;

        let mut candidates = Vec::with_capacity(gated.len() + ready.len());
        for row in &gated {
            let position: i64 = column(row, 2, "execution_queue")?;
            // The statement numbers the groups it was given from 1.
            let Some(group) = usize::try_from(position - 1).ok().and_then(|index| groups.get(index)) else { continue };
            candidates.push(Candidate {
                id: ExecutionId::from_uuid(column(row, 0, "execution_queue")?),
                priority: column(row, 1, "execution_queue")?,
                tenant_id: group.tenant_id,
                group: Some((*group).clone()),
            });
        }
        for row in &ready {
            candidates.push(Candidate {
                id: ExecutionId::from_uuid(column(row, 0, "execution_queue")?),
                priority: column(row, 1, "execution_queue")?,
                tenant_id: TenantId::from_uuid(column(row, 2, "execution_queue")?),
                group: None,
            });
        }
        Ok(candidates)
    }

    fn leave_room(
        &self,
        queues: &[HeldQueue],
        jobs: &[(JobId, Option<i32>)],
        in_queues: &[Row],
        of_jobs: &[Row],
        room: &mut Room,
    ) -> Result<(), Fault> {
        for queue in queues {
            let mut left = if queue.paused { 0 } else { u64::MAX };
            if let Some(limit) = queue.max_concurrency {
                let mut running = 0;
                for row in in_queues {
                    let of_tenant = column::<Uuid>(row, 0, "execution_queue")? == queue.tenant_id.as_uuid();
                    if of_tenant && column::<&str>(row, 1, "execution_queue")? == queue.name {
                        running = column::<i64>(row, 2, "execution_queue")?;
                    }
                }
                left = left.min(u64::try_from(i64::from(limit) - running).unwrap_or(0));
            }
            if let Some(bucket) = queue.rate {
                left = left.min(bucket.room(self.request.now));
            }
            room.limit_queue(queue.tenant_id, queue.name.clone(), left);
        }
        for (job, limit) in jobs {
            let Some(limit) = limit else { continue };
            let mut running = 0;
            for row in of_jobs {
                if column::<Uuid>(row, 0, "execution_queue")? == job.as_uuid() {
                    running = column::<i64>(row, 1, "execution_queue")?;
                }
            }
            room.limit_job(*job, u64::try_from(i64::from(*limit) - running).unwrap_or(0));
        }
        Ok(())
    }

    /// What the rate limits' buckets hold after this round.
    fn spent<'q>(&self, queues: &'q [HeldQueue], chosen: &[Candidate]) -> (Vec<Uuid>, Vec<&'q str>, Vec<f64>) {
        let mut spent = (Vec::new(), Vec::new(), Vec::new());
        for queue in queues {
            let Some(bucket) = queue.rate else { continue };
            let taken = chosen
                .iter()
                .filter_map(|candidate| candidate.group.as_ref())
                .filter(|group| group.tenant_id == queue.tenant_id && group.queue == queue.name)
                .count();
            if taken > 0 {
                spent.0.push(queue.tenant_id.as_uuid());
                spent.1.push(queue.name.as_str());
                spent.2.push((bucket.level(self.request.now) - taken as f64).max(0.0));
            }
        }
        spent
    }
}

fn held_queue(row: &Row) -> Result<HeldQueue, Fault> {
    const TABLE: &str = "queues";
    let per_second: Option<i32> = column(row, 3, TABLE)?;
    let rate = match per_second.and_then(|rate| u32::try_from(rate).ok()) {
        Some(per_second) => Some(TokenBucket {
            per_second,
            tokens: column(row, 4, TABLE)?,
            at: column::<Option<Ts>>(row, 5, TABLE)?.map(|at| at.0),
        }),
        None => None,
    };
    Ok(HeldQueue {
        tenant_id: TenantId::from_uuid(column(row, 0, TABLE)?),
        name: column(row, 1, TABLE)?,
        max_concurrency: column(row, 2, TABLE)?,
        rate,
        paused: column(row, 6, TABLE)?,
    })
}
