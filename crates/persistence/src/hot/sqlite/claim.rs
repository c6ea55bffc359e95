//! Leasing due executions to a worker.

use std::collections::HashMap;

use horarium_domain::execution::{ExecutionState, Lifecycle, Trigger};
use horarium_domain::fair_share::Shares;
use horarium_domain::store::{ClaimRequest, Claimed, Lease, StoreError};
use horarium_domain::{ExecutionId, JobId, TenantId};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use serde_json::Value;
use uuid::Uuid;

use super::gated::{Limited, gated_candidates, gated_groups, room_of, spend_tokens};
use super::values::{Checked, Key, Ts, column, rows};
use crate::hot::gates::{Candidate, Group, choose, part_of};

/// How many tenants one claim looks at; the next claim begins after the last one served.
const TENANTS: usize = 64;

/// How often one claim goes round to hand out what some tenants left of their share.
const ROUNDS: usize = 4;

const NEXT_READY_TENANT: &str = "
    select tenant_id from execution_queue where state = 0 and tenant_id > ?1 order by tenant_id limit 1";

const READY: &str = "
    select id, priority from execution_queue where state = 0 and tenant_id = ?1 order by priority desc, id limit ?2";

const LEASE: &str = "
    update execution_queue set state = 1, attempt = attempt + 1, fence = fence + 1, node_id = ?2, worker = ?3,
        started_at = ?4, lease_until = ?5, progress = null
    where id = ?1 and state + 0 in (0, 3)
    returning id, tenant_id, job_id, attempt, lost, fence, priority";

const EXECUTION: &str = "
    select id, payload, trigger, scheduled_for, created_at, max_attempts from executions where id = ?1";

const JOB_VERSION: &str = "select version from jobs where id = ?1";

/// Who was served, and is to be served next.
#[derive(Debug, Clone)]
pub(super) struct Turns {
    /// The tenant that was served last; the next claim begins after it.
    pub(super) after: TenantId,
    /// What each of them, and of their queues with weights, had of late.
    pub(super) share: Shares,
    /// The group that the last claim ended at, when there were more.
    pub(super) groups_from: Option<Group>,
}

/// Leases what is due.
pub(super) fn claim(
    connection: &Connection,
    request: &ClaimRequest,
    turns: &mut Turns,
) -> Result<Vec<Claimed>, StoreError> {
    let mut leased: Vec<(i16, Claimed)> = Vec::with_capacity(request.limit.min(1024));
    let mut lessor = Lessor::new(connection, request)?;
    for _ in 0..ROUNDS {
        let wanted = request.limit - leased.len();
        if wanted == 0 {
            break;
        }
        let groups = gated_groups(connection, &mut turns.groups_from)?;
        let tenants = ready_tenants(connection, turns.after)?;
        let owners = groups.iter().map(|found| found.group.tenant_id).chain(tenants.iter().copied());
        let limited = Limited::of(connection, owners)?;
        let mut candidates = Vec::new();
        let mut ready = connection.prepare_cached(READY).checked()?;
        for tenant in &tenants {
            let weight = limited.weight(*tenant);
            let part = part_of(wanted, weight, limited.weights());
            ready_candidates(&mut ready, (*tenant, weight), part, &mut candidates)?;
        }
        let mut room = room_of(connection, &groups, &limited, request.now)?;
        gated_candidates(connection, &groups, &limited, wanted, &mut candidates)?;
        let chosen = choose(candidates, &mut room, &mut turns.share, wanted, turns.after);
        if chosen.is_empty() {
            if let Some(last) = tenants.get(TENANTS - 1) {
                // All of them are held back: the next claim looks at those behind them.
                turns.after = *last;
            }
            break;
        }
        spend_tokens(connection, &chosen, &limited, request.now)?;
        let after = turns.after;
        turns.after = chosen.iter().map(|c| c.tenant_id).max_by_key(|id| (*id <= after, *id)).unwrap_or(after);
        for candidate in &chosen {
            let is_limited = candidate.group.is_some() || limited.is_limited(candidate.tenant_id);
            leased.extend(lessor.lease(candidate, is_limited)?);
        }
        // One tenant, and no limits: there is no share that somebody left.
        if groups.is_empty() && tenants.len() <= 1 {
            break;
        }
    }
    leased.sort_by_key(|(priority, claim)| (std::cmp::Reverse(*priority), claim.lease.execution_id));
    Ok(leased.into_iter().map(|(_, claim)| claim).collect())
}

/// The tenants with ready executions, from the one after `after` on and then round.
fn ready_tenants(connection: &Connection, after: TenantId) -> Result<Vec<TenantId>, StoreError> {
    let mut next = connection.prepare_cached(NEXT_READY_TENANT).checked()?;
    let mut found: Vec<TenantId> = Vec::new();
    for (start, end) in [(after.as_uuid(), Uuid::max()), (Uuid::nil(), after.as_uuid())] {
        let mut last = start;
        while found.len() < TENANTS {
            let Some(Key(tenant)) = next.query_row([Key(last)], |row| row.get(0)).optional().checked()? else { break };
            if tenant > end {
                break;
            }
            found.push(TenantId::from_uuid(tenant));
            last = tenant;
        }
    }
    Ok(found)
}

fn ready_candidates(
    ready: &mut CachedStatement<'_>,
    (tenant_id, weight): (TenantId, u32),
    limit: usize,
    candidates: &mut Vec<Candidate>,
) -> Result<(), StoreError> {
    let mut found = ready.query(params![Key::from(tenant_id), rows(limit)]).checked()?;
    while let Some(row) = found.next().checked()? {
        let Key(id) = column(row, 0, "execution_queue")?;
        let priority = column(row, 1, "execution_queue")?;
        let id = ExecutionId::from_uuid(id);
        candidates.push(Candidate { id, tenant_id, weight, queue_weight: None, priority, group: None });
    }
    Ok(())
}

/// Leases executions one by one, with what is the same for all of them at hand.
struct Lessor<'c> {
    request: &'c ClaimRequest,
    lease: CachedStatement<'c>,
    execution: CachedStatement<'c>,
    job: CachedStatement<'c>,
    versions: HashMap<JobId, i64>,
}

impl<'c> Lessor<'c> {
    fn new(connection: &'c Connection, request: &'c ClaimRequest) -> Result<Self, StoreError> {
        let lease = connection.prepare_cached(LEASE).checked()?;
        let execution = connection.prepare_cached(EXECUTION).checked()?;
        let job = connection.prepare_cached(JOB_VERSION).checked()?;
        Ok(Self { request, lease, execution, job, versions: HashMap::new() })
    }

    /// `None` for one that cannot be run. It stays leased and is left to its lease, which runs out: it must not cost
    /// the others their attempt.
    fn lease(&mut self, candidate: &Candidate, limited: bool) -> Result<Option<(i16, Claimed)>, StoreError> {
        let request = self.request;
        let node = Key::from(request.node);
        let until = Ts(request.lease_until);
        let key = params![Key::from(candidate.id), node, request.worker, Ts(request.now), until];
        let leased = self.lease.query_row(key, |row| Ok(Leased::read(row))).optional().checked()?;
        let read =
            leased.transpose().and_then(|leased| leased.map(|leased| self.complete(leased, limited)).transpose());
        match read {
            Ok(claimed) => Ok(claimed),
            Err(problem @ StoreError::Inconsistent { .. }) => {
                tracing::error!(error = %problem, "a claimed execution cannot be run");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn complete(&mut self, leased: Leased, limited: bool) -> Result<(i16, Claimed), StoreError> {
        let job_version = if let Some(version) = self.versions.get(&leased.job_id) {
            *version
        } else {
            let version = self.job.query_row([Key::from(leased.job_id)], |row| row.get(0)).optional().checked()?;
            // No job any more: its definition will not be found either, and the engine says so.
            let version = version.unwrap_or(0);
            self.versions.insert(leased.job_id, version);
            version
        };
        let id = leased.lease.execution_id;
        let mut rows = self.execution.query([Key::from(id)]).checked()?;
        let inconsistent =
            |detail: String| StoreError::Inconsistent { table: "executions", key: id.to_string(), detail };
        let Some(row) = rows.next().checked()? else {
            return Err(inconsistent("execution_queue has it, executions has not".to_owned()));
        };
        let payload: Option<String> = column(row, 1, "executions")?;
        let payload: Option<Value> = payload
            .map(|text| serde_json::from_str(&text).map_err(|error| inconsistent(format!("payload: {error}"))))
            .transpose()?;
        let name: String = column(row, 2, "executions")?;
        let trigger = Trigger::ALL.into_iter().find(|known| known.as_str() == name);
        let claimed = Claimed {
            lease: leased.lease,
            tenant_id: leased.tenant_id,
            job_id: leased.job_id,
            job_version,
            lifecycle: leased.lifecycle,
            payload,
            trigger: trigger.ok_or_else(|| inconsistent(format!("there is no trigger '{name}'")))?,
            scheduled_for: column::<Ts>(row, 3, "executions")?.0,
            created_at: column::<Ts>(row, 4, "executions")?.0,
            max_attempts: column(row, 5, "executions")?,
            limited,
        };
        Ok((leased.priority, claimed))
    }
}

#[derive(Clone, Copy)]
struct Leased {
    lease: Lease,
    tenant_id: TenantId,
    job_id: JobId,
    lifecycle: Lifecycle,
    priority: i16,
}

impl Leased {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        const TABLE: &str = "execution_queue";
        Ok(Self {
            lease: Lease {
                execution_id: ExecutionId::from_uuid(column::<Key>(row, 0, TABLE)?.0),
                fence: column(row, 5, TABLE)?,
            },
            tenant_id: TenantId::from_uuid(column::<Key>(row, 1, TABLE)?.0),
            job_id: JobId::from_uuid(column::<Key>(row, 2, TABLE)?.0),
            lifecycle: Lifecycle {
                state: ExecutionState::Running,
                attempt: column(row, 3, TABLE)?,
                lost: column(row, 4, TABLE)?,
            },
            priority: column(row, 6, TABLE)?,
        })
    }
}
