//! Claiming from all that waits, with what is under a limit weighed.
//!
//! One round is one transaction: find the tenants with ready executions and the groups (queue, job and key) with gated
//! ones;
//! lock the limits of those, passing over what another node [holds](super::held); then, in a statement that sees
//! everything committed before the locks were had, count what runs; look at the candidates that there is room for;
//! choose; lease.

use std::collections::{HashMap, HashSet};
use std::sync::PoisonError;

use horarium_domain::fair_share::Shares;
use horarium_domain::store::{ClaimRequest, Claimed, StoreError};
use horarium_domain::{ExecutionId, JobId, TenantId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresHot;
use super::claim::{Round, TENANTS, claimed_columns, claimed_rows, ready_tenants};
use super::held::{Held, Wanted};
use super::session::{self, Session};
use super::values::{Ts, column, rows};
use crate::error::Fault;
use crate::hot::gates::{Candidate, Group, Room, choose, part_of, queue_weight};

/// How many groups one round looks at; the next one goes on after them.
const GROUPS: usize = 256;

pub(super) const READY_TENANTS: &str = concat!(
    "with",
    ready_tenants!(),
    "select t.tenant_id, coalesce(l.weight, 100), coalesce(l.gated, false)
    from tenants t left join tenant_limits l on l.tenant_id = t.tenant_id"
);

/// The groups after `($1, $2, $3, $4)` with gated executions. All of a paused queue is passed over in one step.
pub(super) const GATED_GROUPS: &str = "
    with recursive walk (tenant_id, queue, job_id, key, step) as (
        (select q.tenant_id, q.queue, q.job_id, q.limited_key, 1 from execution_queue q
         where q.state = 3 and (q.tenant_id, q.queue, q.job_id, q.limited_key) > ($1, $2, $3, $4)
         order by q.tenant_id, q.queue, q.job_id, q.limited_key limit 1)
        union all
        select x.tenant_id, x.queue, x.job_id, x.limited_key, w.step + 1
        from walk w
        left join queues p on p.tenant_id = w.tenant_id and p.name = w.queue
        cross join lateral (
            select q.tenant_id, q.queue, q.job_id, q.limited_key from execution_queue q
            where q.state = 3 and (q.tenant_id, q.queue, q.job_id, q.limited_key) > (w.tenant_id, w.queue,
                case when p.paused then 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid else w.job_id end, w.key)
            order by q.tenant_id, q.queue, q.job_id, q.limited_key limit 1
        ) x
        where w.step < $5
    )
    select w.tenant_id, w.queue, w.job_id, coalesce(p.paused, false),
        p.max_concurrency is not null or p.rate_limit_per_second is not null,
        j.running_limit is not null or w.key <> '' and j.max_concurrency_per_key is not null,
        coalesce(l.weight, 100), coalesce(l.gated, false), w.key, k.key is not null, coalesce(p.weight, 100)
    from walk w
    left join queues p on p.tenant_id = w.tenant_id and p.name = w.queue
    left join jobs j on j.id = w.job_id and j.tenant_id = w.tenant_id
    left join tenant_limits l on l.tenant_id = w.tenant_id
    left join key_limits k on k.tenant_id = w.tenant_id and k.key = w.key
    order by w.step";

pub(super) const GATED_CANDIDATES: &str = "
    select c.id, c.priority, g.position
    from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[])
        with ordinality as g (tenant_id, queue, job_id, key, position)
    cross join lateral (
        select q.id, q.priority from execution_queue q
        where q.state = 3 and q.tenant_id = g.tenant_id and q.queue = g.queue and q.job_id = g.job_id
          and q.limited_key = g.key
        order by q.priority desc, q.id limit $5
    ) c";

pub(super) const READY_CANDIDATES: &str = "
    select c.id, c.priority, t.position
    from unnest($1::uuid[], $2::int8[]) with ordinality as t (tenant_id, part, position)
    cross join lateral (
        select q.id, q.priority from execution_queue q
        where q.state = 0 and q.tenant_id = t.tenant_id
        order by q.priority desc, q.id limit t.part
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

/// A tenant with ready executions.
struct ReadyTenant {
    id: TenantId,
    weight: u32,
    by_tenant: bool,
}

/// What a group's queue says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QueueGate {
    Open,
    Limited,
    Paused,
}

/// A group, and which limits hold it.
struct GatedGroup {
    group: Group,
    weight: u32,
    by_tenant: bool,
    by_queue: QueueGate,
    by_job: bool,
    by_key: bool,
    queue_weight: Option<u32>,
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
            let (tenants, groups) = tokio::try_join!(biased;
                session.rows(&tenants, tenants_asked),
                self.groups(session, &groups, from.as_ref())
            )?;
            let tenants: Vec<ReadyTenant> = tenants.iter().map(ready_tenant).collect::<Result<_, Fault>>()?;
            Ok((tenants, groups))
        });
        let (tenants, groups) = found.await?;
        let limited = !groups.is_empty() || tenants.iter().any(|tenant| tenant.by_tenant);
        let next = (groups.len() >= GROUPS).then(|| groups.last().map(|found| found.group.clone())).flatten();
        *self.groups_from.lock().unwrap_or_else(PoisonError::into_inner) = next;
        let groups: Vec<GatedGroup> = groups.into_iter().filter(|found| found.by_queue != QueueGate::Paused).collect();
        let weights: HashMap<TenantId, u32> = groups
            .iter()
            .map(|found| (found.group.tenant_id, found.weight))
            .chain(tenants.iter().map(|tenant| (tenant.id, tenant.weight)))
            .collect();
        let weighted =
            weights.values().min() != weights.values().max() || groups.iter().any(|found| found.queue_weight.is_some());
        if weights.is_empty() {
            self.turn.weighed(limited, weighted, false);
            return Ok(Round { claimed: Vec::new(), more: false });
        }

        let share = self.share.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let work =
            Work { request, wanted, after, tenants: &tenants, groups: &groups, weights: &weights, share: &share };
        let leased = session::run(&self.pool, async |session: &Session| work.lease(session).await).await?;
        *self.share.lock().unwrap_or_else(PoisonError::into_inner) = leased.share;
        self.turn.weighed(limited, weighted, leased.limited);
        if leased.claimed.is_empty()
            && let Some(last) = tenants.get(TENANTS - 1)
        {
            // All of them are held back: the next round looks at those behind them.
            self.served(after, std::iter::once(last.id));
        }
        self.served(after, leased.claimed.iter().map(|(_, claim)| claim.tenant_id));
        // Each round that leased something may have left a tenant's share to the others.
        Ok(Round { more: !leased.claimed.is_empty(), claimed: leased.claimed })
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
            let (tenant, queue, job, key) = start.as_ref().map_or((Uuid::nil(), "", Uuid::nil(), ""), |group| {
                (group.tenant_id.as_uuid(), group.queue.as_str(), group.job_id.as_uuid(), group.limited_key.as_str())
            });
            let most = i32::try_from(GROUPS - found.len()).unwrap_or(i32::MAX);
            for row in session.rows(statement, &[&tenant, &queue, &job, &key, &most]).await? {
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

fn ready_tenant(row: &Row) -> Result<ReadyTenant, Fault> {
    const TABLE: &str = "tenant_limits";
    Ok(ReadyTenant {
        id: TenantId::from_uuid(column(row, 0, TABLE)?),
        weight: weight(row, 1, TABLE)?,
        by_tenant: column(row, 2, TABLE)?,
    })
}

fn gated_group(row: &Row) -> Result<GatedGroup, Fault> {
    Ok(GatedGroup {
        group: Group {
            tenant_id: TenantId::from_uuid(column(row, 0, "execution_queue")?),
            queue: column(row, 1, "execution_queue")?,
            job_id: JobId::from_uuid(column(row, 2, "execution_queue")?),
            limited_key: column(row, 8, "execution_queue")?,
        },
        by_queue: match (column(row, 3, "queues")?, column(row, 4, "queues")?) {
            (true, _) => QueueGate::Paused,
            (false, true) => QueueGate::Limited,
            (false, false) => QueueGate::Open,
        },
        by_job: column(row, 5, "jobs")?,
        weight: weight(row, 6, "tenant_limits")?,
        by_tenant: column(row, 7, "tenant_limits")?,
        by_key: column(row, 9, "key_limits")?,
        queue_weight: queue_weight(weight(row, 10, "queues")?),
    })
}

fn weight(row: &Row, index: usize, table: &'static str) -> Result<u32, Fault> {
    let weight: i32 = column(row, index, table)?;
    // The column's check lets nothing else in.
    Ok(weight.unsigned_abs())
}

/// One round's question.
struct Work<'a> {
    request: &'a ClaimRequest,
    wanted: usize,
    after: TenantId,
    tenants: &'a [ReadyTenant],
    groups: &'a [GatedGroup],
    weights: &'a HashMap<TenantId, u32>,
    share: &'a Shares,
}

/// One round's answer.
struct Leased {
    claimed: Vec<(i16, Claimed)>,
    /// Whether any of it is under a limit.
    limited: bool,
    share: Shares,
}

impl Work<'_> {
    /// Leases what may start.
    async fn lease(&self, session: &Session) -> Result<Leased, Fault> {
        let held = Held::lock(session, &self.limits()).await?;
        let mut room = held.room(session, self.request.now).await?;
        let candidates = self.candidates(session, &held, &room).await?;
        let mut share = self.share.clone();
        let chosen = choose(candidates, &mut room, &mut share, self.wanted, self.after);
        if chosen.is_empty() {
            // The locks were all there was to it: nothing of them has to reach the disk.
            session.rollback().await?;
            return Ok(Leased { claimed: Vec::new(), limited: false, share });
        }
        let ids: Vec<Uuid> = chosen.iter().map(|candidate| candidate.id.as_uuid()).collect();
        held.spent(&chosen, self.request.now).write(session, self.request.now).await?;
        let lease = session.statement(LEASE).await?;
        let (now, until) = (Ts(self.request.now), Ts(self.request.lease_until));
        let node = self.request.node.as_uuid();
        let leased: session::Parameters<'_> = &[&ids, &node, &self.request.worker, &now, &until];
        let (rows, ()) = tokio::try_join!(biased; session.rows(&lease, leased), session.commit())?;
        let is_limited = |candidate: &&Candidate| candidate.group.is_some() || held.has_tenant(candidate.tenant_id);
        let limited: HashSet<ExecutionId> = chosen.iter().filter(is_limited).map(|candidate| candidate.id).collect();
        let mut claimed = claimed_rows(&rows);
        for (_, claim) in &mut claimed {
            claim.limited = limited.contains(&claim.lease.execution_id);
        }
        Ok(Leased { claimed, limited: !limited.is_empty(), share })
    }

    /// The limits of all that was found.
    fn limits(&self) -> Wanted {
        let mut wanted = Wanted::default();
        wanted.tenants.extend(self.tenants.iter().filter(|tenant| tenant.by_tenant).map(|tenant| tenant.id));
        for GatedGroup { group, by_tenant, by_queue, by_job, by_key, .. } in self.groups {
            wanted.tenants.extend(by_tenant.then_some(group.tenant_id));
            if *by_queue != QueueGate::Open {
                wanted.queues.insert((group.tenant_id, group.queue.clone()));
            }
            if *by_job {
                wanted.jobs.insert(group.job_id);
                if !group.limited_key.is_empty() {
                    wanted.keys_of_jobs.insert((group.tenant_id, group.job_id, group.limited_key.clone()));
                }
            }
            wanted.keys.extend(by_key.then(|| (group.tenant_id, group.limited_key.clone())));
        }
        wanted
    }

    /// What may be chosen from.
    async fn candidates(&self, session: &Session, held: &Held, room: &Room) -> Result<Vec<Candidate>, Fault> {
        let gated = session.statement(GATED_CANDIDATES).await?;
        let ready = session.statement(READY_CANDIDATES).await?;
        let is_held = |found: &&GatedGroup| {
            (!found.by_tenant || held.has_tenant(found.group.tenant_id))
                && (found.by_queue == QueueGate::Open || held.has_queue(&found.group))
                && (!found.by_job || held.has_job(found.group.job_id))
                && (!found.by_key || held.has_key(&found.group))
        };
        let groups: Vec<&GatedGroup> =
            self.groups.iter().filter(is_held).filter(|found| room.is_for(&found.group)).collect();
        let (owners, names): (Vec<Uuid>, Vec<&str>) =
            groups.iter().map(|found| (found.group.tenant_id.as_uuid(), found.group.queue.as_str())).unzip();
        let group_jobs: Vec<Uuid> = groups.iter().map(|found| found.group.job_id.as_uuid()).collect();
        let keys: Vec<&str> = groups.iter().map(|found| found.group.limited_key.as_str()).collect();
        // Enough of each group to choose from; the next round finds the rest.
        let per_group = rows(self.wanted.min((4 * self.wanted / groups.len().max(1)).max(8)));

        let tenants: Vec<&ReadyTenant> =
            self.tenants.iter().filter(|tenant| !tenant.by_tenant || held.has_tenant(tenant.id)).collect();
        let of_all = self.weights.values().map(|weight| u64::from(*weight)).sum();
        let ready_of: Vec<Uuid> = tenants.iter().map(|tenant| tenant.id.as_uuid()).collect();
        let part = |tenant: &&ReadyTenant| {
            let room = usize::try_from(room.of_tenant(tenant.id)).unwrap_or(usize::MAX);
            rows(part_of(self.wanted, tenant.weight, of_all).min(room))
        };
        let parts: Vec<i64> = tenants.iter().map(part).collect();

        let gated_asked: session::Parameters<'_> = &[&owners, &names, &group_jobs, &keys, &per_group];
        let ready_asked: session::Parameters<'_> = &[&ready_of, &parts];
        let (gated, ready) = tokio::try_join!(biased;
            session.rows(&gated, gated_asked),
            session.rows(&ready, ready_asked)
        )?;

        let mut candidates = Vec::with_capacity(gated.len() + ready.len());
        for row in &gated {
            let Some(found) = numbered(row, &groups)? else { continue };
            candidates.push(Candidate {
                group: Some(found.group.clone()),
                queue_weight: found.queue_weight,
                ..candidate(row, found.group.tenant_id, found.weight)?
            });
        }
        for row in &ready {
            let Some(tenant) = numbered(row, &tenants)? else { continue };
            candidates.push(candidate(row, tenant.id, tenant.weight)?);
        }
        Ok(candidates)
    }
}

/// What a row belongs to, by its third column: the statements number what they were given from 1.
fn numbered<'a, T>(row: &Row, given: &[&'a T]) -> Result<Option<&'a T>, Fault> {
    let position: i64 = column(row, 2, "execution_queue")?;
    Ok(usize::try_from(position - 1).ok().and_then(|index| given.get(index)).copied())
}

fn candidate(row: &Row, tenant_id: TenantId, weight: u32) -> Result<Candidate, Fault> {
    let id = ExecutionId::from_uuid(column(row, 0, "execution_queue")?);
    Ok(Candidate {
        id,
        tenant_id,
        weight,
        queue_weight: None,
        priority: column(row, 1, "execution_queue")?,
        group: None,
    })
}
