//! Leasing due executions to a worker.
//!
//! One statement leases what is under no limit, whatever else waits; while there is a backlog, one that goes on where
//! the last claim ended ([`lanes`]). Where something is under a limit, [`turn`] says which rounds look at everything that
//! waits and count what runs; [`gated`] does that.
//!
//! [`gated`]: super::gated
//! [`lanes`]: super::lanes
//! [`turn`]: super::turn

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Instant;

use horarium_domain::execution::{ExecutionState, Lifecycle, Trigger};
use horarium_domain::fair_share::DEFAULT_WEIGHT;
use horarium_domain::store::{ClaimRequest, Claimed, Lease, StoreError};
use horarium_domain::{ExecutionId, JobId, TenantId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresHot;
use super::lanes::{Lane, Place};
use super::session::{self, Session};
use super::values::{Ts, column, count, rows};
use crate::error::Fault;

/// How many tenants one claim looks at; the next claim begins after the last one served.
pub(super) const TENANTS: usize = 64;

/// How often one claim goes round to hand out what some tenants left of their share.
const ROUNDS: usize = 4;

/// The tenants with ready executions, from `$1` on and then round: one index probe each, however much any of them has.
macro_rules! ready_tenants {
    () => {
        "
    recursive after (tenant_id, step) as (
        (select q.tenant_id, 1 from execution_queue q
         where q.state = 0 and q.tenant_id > $1 order by q.tenant_id limit 1)
        union all
        select (select q.tenant_id from execution_queue q
                where q.state = 0 and q.tenant_id > a.tenant_id order by q.tenant_id limit 1), a.step + 1
        from after a where a.tenant_id is not null and a.step < $2
    ), before (tenant_id, step) as (
        (select q.tenant_id, 1 from execution_queue q
         where q.state = 0 and q.tenant_id <= $1 order by q.tenant_id limit 1)
        union all
        select (select q.tenant_id from execution_queue q
                where q.state = 0 and q.tenant_id > b.tenant_id and q.tenant_id <= $1
                order by q.tenant_id limit 1), b.step + 1
        from before b where b.tenant_id is not null and b.step < $2
    ), tenants as materialized (
        select tenant_id from (
            select tenant_id, 0 as lap, step from after union all select tenant_id, 1, step from before
        ) walk
        where tenant_id is not null order by lap, step limit $2
    )"
    };
}
pub(super) use ready_tenants;

/// What a claim answers of each row of `claimed`: the same columns for the fast path and the gated one.
macro_rules! claimed_columns {
    () => {
        "c.id, c.tenant_id, c.job_id, c.priority, c.attempt, c.lost, c.fence, coalesce(j.version, 0),
         e.payload, e.trigger, e.scheduled_for, e.created_at, e.max_attempts"
    };
}
pub(super) use claimed_columns;

/// Leases the rows that `picked` has locked, by where they are in the table: nobody else can move them.
macro_rules! lease_picked {
    () => {
        "claimed as (
        update execution_queue q set state = 1, attempt = q.attempt + 1, fence = q.fence + 1,
            node_id = $3, worker = $4, started_at = $5, lease_until = $6, progress = null
        where q.ctid = any(array(select p.at from picked p))
        returning q.id, q.tenant_id, q.job_id, q.priority, q.attempt, q.lost, q.fence
    )"
    };
}

/// Claims what is under no limit, an equal part of each tenant's, and says whether anything is under one, and whether
/// some of the tenants have another weight than others, or than those that it did not get to. The one row that it
/// answers when there is nothing to claim has no id.
pub(super) const CLAIM: &str = concat!(
    "with",
    ready_tenants!(),
    ", free as materialized (
        select t.tenant_id, coalesce(l.weight, 100) as weight
        from tenants t left join tenant_limits l on l.tenant_id = t.tenant_id
        where l.gated is not true
    ), picked as materialized (
        select c.at from free t cross join lateral (
            select q.ctid as at from execution_queue q
            where q.state = 0 and q.tenant_id = t.tenant_id
            order by q.priority desc, q.id
            limit (select ($7 + count(*) - 1) / greatest(count(*), 1) from free)
            for update skip locked
        ) c
        limit $7
    ), ",
    lease_picked!(),
    "
    select ",
    claimed_columns!(),
    ", seen.free, seen.weighted, seen.limited
    from (
        select count(*) as free,
            coalesce(min(weight) <> max(weight) or (min(weight) <> 100 and count(*) >= $2), false) as weighted,
            count(*) < (select count(*) from tenants)
                or exists (select from execution_queue where state = 3) as limited
        from free
    ) seen left join (
        claimed c
        join executions e on e.id = c.id and e.tenant_id = c.tenant_id
        left join jobs j on j.id = c.job_id and j.tenant_id = c.tenant_id
    ) on true"
);

/// Claims in lanes: of a tenant's ready executions of a priority, up to `$8` of those after an id.
///
/// The priority is a range of one so that the order is that of the index: with `priority = …` the planner may as well
/// walk the primary key, through other tenants' rows.
pub(super) const CLAIM_ON: &str = concat!(
    "with picked as materialized (
        select c.at
        from unnest($1::uuid[], $2::int2[], $7::uuid[]) as lane (tenant_id, priority, after)
        left join tenant_limits l on l.tenant_id = lane.tenant_id
        cross join lateral (
            select q.ctid as at from execution_queue q
            where q.state = 0 and q.tenant_id = lane.tenant_id and q.priority between lane.priority and lane.priority
              and q.id > lane.after
            order by q.priority desc, q.id limit $8
            for update skip locked
        ) c
        where l.gated is not true
        limit $9
    ), ",
    lease_picked!(),
    "
    select ",
    claimed_columns!(),
    " from claimed c
    join executions e on e.id = c.id and e.tenant_id = c.tenant_id
    left join jobs j on j.id = c.job_id and j.tenant_id = c.tenant_id"
);

/// One round's result.
pub(super) struct Round {
    pub(super) claimed: Vec<(i16, Claimed)>,
    /// Whether another round may find more.
    pub(super) more: bool,
}

impl PostgresHot {
    pub(super) async fn claim_batch(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        let mut claimed: Vec<(i16, Claimed)> = Vec::new();
        for number in 1..=ROUNDS {
            let wanted = request.limit - claimed.len();
            if wanted == 0 {
                break;
            }
            let after = self.last_served();
            // What the last round finds is what the caller knows of the backlog: it looks at everything.
            let lanes = if number < ROUNDS { self.lanes.next(after, TENANTS, Instant::now()) } else { Vec::new() };
            let round = if self.turn.is_to_weigh(number > 1 && lanes.is_empty()) {
                self.claim_gated(request, wanted).await
            } else if lanes.is_empty() {
                self.claim_ready(request, wanted, after).await
            } else {
                self.claim_on(request, wanted, after, &lanes).await
            };
            let round = match round {
                Ok(round) => round,
                // What earlier rounds leased is the caller's already.
                Err(_) if !claimed.is_empty() => break,
                Err(error) => return Err(error),
            };
            claimed.extend(round.claimed);
            if !round.more {
                break;
            }
        }
        // RETURNING has no order.
        claimed.sort_by_key(|(priority, claim)| (std::cmp::Reverse(*priority), claim.lease.execution_id));
        Ok(claimed.into_iter().map(|(_, claim)| claim).collect())
    }

    /// Claims from the beginning of what is ready.
    async fn claim_ready(&self, request: &ClaimRequest, wanted: usize, after: TenantId) -> Result<Round, StoreError> {
        let look = self.lanes.look();
        let mut claimed = session::run(&self.pool, async |session: &Session| {
            let claim = session.statement(CLAIM).await?;
            let tenants = i32::try_from(wanted.min(TENANTS)).unwrap_or(i32::MAX);
            let (now, until) = (Ts(request.now), Ts(request.lease_until));
            let (node, limit) = (request.node.as_uuid(), rows(wanted));
            session.rows(&claim, &[&after.as_uuid(), &tenants, &node, &request.worker, &now, &until, &limit]).await
        })
        .await?;
        let seen = claimed.first().map(|row| (row.get::<_, i64>(13), row.get(14), row.get(15)));
        let (tenants, weighted, limited): (i64, bool, bool) = seen.unwrap_or_default();
        self.turn.passed_by(limited, weighted);
        claimed.retain(|row| row.get::<_, Option<Uuid>>(0).is_some());
        let share = wanted.div_ceil(usize::try_from(tenants).unwrap_or(0).max(1));
        let claimed = claimed_rows(&claimed);
        look.found(&places(&claimed), share);
        let per_tenant = self.shared_out(after, &claimed);
        // Only a tenant that used up its share may have more, or one that is under a limit.
        let more = limited || (tenants > 1 && per_tenant.values().any(|count| *count >= share));
        Ok(Round { claimed, more })
    }

    /// Claims from where the last claims ended.
    async fn claim_on(
        &self,
        request: &ClaimRequest,
        wanted: usize,
        after: TenantId,
        lanes: &[Lane],
    ) -> Result<Round, StoreError> {
        let began = Instant::now();
        let share = wanted.div_ceil(lanes.len().max(1));
        let claimed = session::run(&self.pool, async |session: &Session| {
            let claim = session.statement(CLAIM_ON).await?;
            let tenants: Vec<Uuid> = lanes.iter().map(|lane| lane.tenant_id.as_uuid()).collect();
            let priorities: Vec<i16> = lanes.iter().map(|lane| lane.priority).collect();
            let ids: Vec<Uuid> = lanes.iter().map(|lane| lane.after).collect();
            let (now, until) = (Ts(request.now), Ts(request.lease_until));
            let (node, limit) = (request.node.as_uuid(), rows(wanted));
            let leased: session::Parameters<'_> =
                &[&tenants, &priorities, &node, &request.worker, &now, &until, &ids, &rows(share), &limit];
            session.rows(&claim, leased).await
        })
        .await?;
        let claimed = claimed_rows(&claimed);
        self.lanes.went_on(lanes, &places(&claimed), share, began);
        self.turn.went_on();
        self.shared_out(after, &claimed);
        // What is left may be in other lanes, or behind them all.
        Ok(Round { claimed, more: true })
    }

    /// Notes what each tenant had of a round that did not weigh, for those that do, and which tenant the next one begins
    /// after.
    fn shared_out(&self, after: TenantId, claimed: &[(i16, Claimed)]) -> HashMap<TenantId, usize> {
        let mut per_tenant: HashMap<TenantId, usize> = HashMap::new();
        for (_, claim) in claimed {
            *per_tenant.entry(claim.tenant_id).or_default() += 1;
        }
        self.served(after, per_tenant.keys().copied());
        let mut share = self.share.lock().unwrap_or_else(PoisonError::into_inner);
        for (tenant, count) in &per_tenant {
            share.tenants.charge(tenant, DEFAULT_WEIGHT, *count);
        }
        per_tenant
    }

    /// The tenant that the last claim served last.
    pub(super) fn last_served(&self) -> TenantId {
        *self.last_served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes which tenants a claim served that began after `after`.
    pub(super) fn served(&self, after: TenantId, tenants: impl Iterator<Item = TenantId>) {
        if let Some(last) = tenants.max_by_key(|tenant| (*tenant <= after, *tenant)) {
            *self.last_served.lock().unwrap_or_else(PoisonError::into_inner) = last;
        }
    }
}

/// Where a round's claims were in the index of what is ready.
fn places(claimed: &[(i16, Claimed)]) -> Vec<Place> {
    claimed.iter().map(|(priority, claim)| (claim.tenant_id, *priority, claim.lease.execution_id.as_uuid())).collect()
}

/// Reads rows of [`claimed_columns`], of what is under no limit. They are leased already, so one that makes no sense must
/// not cost the others their attempt: it is reported, and left to its lease, which runs out.
pub(super) fn claimed_rows(rows: &[Row]) -> Vec<(i16, Claimed)> {
    let read = |row| claimed_row(row).map_err(Fault::into_error);
    rows.iter()
        .filter_map(|row| {
            read(row).inspect_err(|problem| tracing::error!(error = %problem, "a claimed execution cannot be run")).ok()
        })
        .collect()
}

fn claimed_row(row: &Row) -> Result<(i16, Claimed), Fault> {
    const TABLE: &str = "execution_queue";
    let id: Uuid = column(row, 0, TABLE)?;
    let trigger: &str = column(row, 9, "executions")?;
    let trigger = Trigger::ALL.into_iter().find(|known| known.as_str() == trigger).ok_or_else(|| {
        let detail = format!("there is no trigger '{trigger}'");
        Fault::Final(StoreError::Inconsistent { table: "executions", key: id.to_string(), detail })
    })?;
    let claimed = Claimed {
        lease: Lease { execution_id: ExecutionId::from_uuid(id), fence: column(row, 6, TABLE)? },
        tenant_id: TenantId::from_uuid(column(row, 1, TABLE)?),
        job_id: JobId::from_uuid(column(row, 2, TABLE)?),
        job_version: column(row, 7, "jobs")?,
        lifecycle: Lifecycle {
            state: ExecutionState::Running,
            attempt: count(column(row, 4, TABLE)?, "attempt", TABLE, id)?,
            lost: count(column(row, 5, TABLE)?, "lost", TABLE, id)?,
        },
        payload: column(row, 8, "executions")?,
        trigger,
        scheduled_for: column::<Ts>(row, 10, "executions")?.0,
        created_at: column::<Ts>(row, 11, "executions")?.0,
        max_attempts: column::<Option<i16>>(row, 12, "executions")?
            .map(|tries| count(tries, "max_attempts", "executions", id))
            .transpose()?,
        limited: false,
    };
    Ok((column(row, 3, TABLE)?, claimed))
}
