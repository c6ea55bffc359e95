//! What of the executions under a limit may be claimed. There is one writer, so nothing needs to be locked.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use horarium_domain::fair_share::DEFAULT_WEIGHT;
use horarium_domain::store::StoreError;
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::values::{Checked, Key, Ts, column, rows};
use crate::hot::gates::{Candidate, Group, Room, TokenBucket, queue_weight};

/// How many groups one claim looks at; the next one goes on after them.
const GROUPS: usize = 256;

/// The groups with gated executions; those of paused queues are left out.
const NEXT_GROUP: &str = "
    select q.tenant_id, q.queue, q.job_id, q.limited_key, coalesce(p.paused, 0), coalesce(p.weight, 100)
    from execution_queue q left join queues p on p.tenant_id = q.tenant_id and p.name = q.queue
    where q.state = 3 and (q.tenant_id, q.queue, q.job_id, q.limited_key) > (?1, ?2, ?3, ?4)
    order by q.tenant_id, q.queue, q.job_id, q.limited_key limit 1";

const QUEUE: &str = "
    select tenant_id, max_concurrency, rate_limit_per_second, rate_tokens, rate_at
    from queues where tenant_id = ?1 and name = ?2 and gated = 1";

const RUNNING_IN_QUEUE: &str = "
    select count(*) from execution_queue where state = 1 and lease_until is not null and tenant_id = ?1 and queue = ?2";

const JOB_LIMITS: &str = "select running_limit, max_concurrency_per_key from jobs where id = ?1";

const RUNNING_OF_JOB: &str = "select count(*) from execution_queue where job_id = ?1 and state = 1";

const KEY: &str = "
    select tenant_id, max_concurrency, rate_limit_per_second, rate_tokens, rate_at
    from key_limits where tenant_id = ?1 and key = ?2";

const RUNNING_OF_KEY: &str =
    "select count(*) from execution_queue where tenant_id = ?1 and concurrency_key = ?2 and state = 1";

const RUNNING_OF_KEY_OF_JOB: &str = "
    select count(*) from execution_queue where tenant_id = ?1 and concurrency_key = ?2 and state = 1 and job_id = ?3";

const CANDIDATES: &str = "
    select id, priority from execution_queue
    where state = 3 and tenant_id = ?1 and queue = ?2 and job_id = ?3 and limited_key = ?4
    order by priority desc, id limit ?5";

// A claim may have read the clock before another that wrote first: time that was filled in once is not filled in again.
const SPEND_OF_KEY: &str = "
    update key_limits set rate_tokens = ?3, rate_at = max(coalesce(rate_at, ?4), ?4) where tenant_id = ?1 and key = ?2";

const SPEND_OF_QUEUE: &str = "
    update queues set rate_tokens = ?3, rate_at = max(coalesce(rate_at, ?4), ?4) where tenant_id = ?1 and name = ?2";

const ANY_TENANT: &str = "select exists (select 1 from tenant_limits)";

const TENANT: &str = "
    select weight, max_concurrency, rate_limit_per_second, rate_tokens, rate_at
    from tenant_limits where tenant_id = ?1";

const RUNNING_OF_TENANT: &str = "
    select count(*) from execution_queue where state = 1 and lease_until is not null and tenant_id = ?1";

const SPEND_OF_TENANT: &str = "
    update tenant_limits set rate_tokens = ?2, rate_at = max(coalesce(rate_at, ?3), ?3) where tenant_id = ?1";

/// The tenants that have something waiting, each with what it may do, if somebody said so.
pub(super) struct Limited(HashMap<TenantId, Option<(u32, Limits)>>);

impl Limited {
    pub(super) fn of(connection: &Connection, tenants: impl Iterator<Item = TenantId>) -> Result<Self, StoreError> {
        let mut any = connection.prepare_cached(ANY_TENANT).checked()?;
        let any: bool = any.query_row([], |row| row.get(0)).checked()?;
        let mut found = HashMap::new();
        for tenant in tenants {
            if let Entry::Vacant(place) = found.entry(tenant) {
                place.insert(if any { limits_of_tenant(connection, tenant)? } else { None });
            }
        }
        Ok(Self(found))
    }

    pub(super) fn weight(&self, tenant: TenantId) -> u32 {
        self.0.get(&tenant).and_then(Option::as_ref).map_or(DEFAULT_WEIGHT, |(weight, _)| *weight)
    }

    /// Whether what it runs is counted.
    pub(super) fn is_limited(&self, tenant: TenantId) -> bool {
        let limits = self.0.get(&tenant).and_then(Option::as_ref);
        limits.is_some_and(|(_, limits)| limits.max_concurrency.is_some() || limits.rate.is_some())
    }

    /// All of them together.
    pub(super) fn weights(&self) -> u64 {
        self.0.keys().map(|tenant| u64::from(self.weight(*tenant))).sum()
    }

    fn limits(&self) -> impl Iterator<Item = (TenantId, &Limits)> {
        self.0.iter().filter_map(|(tenant, limits)| limits.as_ref().map(|(_, limits)| (*tenant, limits)))
    }
}

/// A group, and its queue's weight if that takes turns.
pub(super) struct GatedGroup {
    pub(super) group: Group,
    queue_weight: Option<u32>,
}

/// The groups after `from` that wait under a limit and are not paused, and then from the beginning. Where there are more
/// than one claim looks at, `from` is left for the next one.
pub(super) fn gated_groups(connection: &Connection, from: &mut Option<Group>) -> Result<Vec<GatedGroup>, StoreError> {
    let mut next = connection.prepare_cached(NEXT_GROUP).checked()?;
    let begin = from.take();
    let mut groups: Vec<GatedGroup> = Vec::new();
    let laps = [begin.as_ref().map(|begin| (Some(begin), None)), Some((None, begin.as_ref()))];
    for (start, end) in laps.into_iter().flatten() {
        let mut after = start.map_or((Uuid::nil(), String::new(), Uuid::nil(), String::new()), |group| {
            (group.tenant_id.as_uuid(), group.queue.clone(), group.job_id.as_uuid(), group.limited_key.clone())
        });
        loop {
            if groups.len() >= GROUPS {
                *from = groups.last().map(|last| last.group.clone());
                return Ok(groups);
            }
            let (tenant, queue, job, key) = &after;
            let found = next.query_row(params![Key(*tenant), queue, Key(*job), key], |row| {
                let group = Group {
                    tenant_id: TenantId::from_uuid(row.get::<_, Key>(0)?.0),
                    queue: row.get(1)?,
                    job_id: JobId::from_uuid(row.get::<_, Key>(2)?.0),
                    limited_key: row.get(3)?,
                };
                Ok((group, row.get::<_, bool>(4)?, row.get(5)?))
            });
            let Some((group, paused, weight)) = found.optional().checked()? else { break };
            if end.is_some_and(|end| group > *end) {
                break;
            }
            // All of a paused queue is passed over in one step.
            let job = if paused { Uuid::max() } else { group.job_id.as_uuid() };
            after = (group.tenant_id.as_uuid(), group.queue.clone(), job, group.limited_key.clone());
            if !paused {
                groups.push(GatedGroup { group, queue_weight: queue_weight(weight) });
            }
        }
    }
    Ok(groups)
}

/// How many more the limits of the groups let start at `now`.
pub(super) fn room_of(
    connection: &Connection,
    groups: &[GatedGroup],
    tenants: &Limited,
    now: Timestamp,
) -> Result<Room, StoreError> {
    let mut room = Room::default();
    let groups = || groups.iter().map(|found| &found.group);
    for (tenant, limits) in tenants.limits() {
        let running = || {
            let mut count = connection.prepare_cached(RUNNING_OF_TENANT).checked()?;
            count.query_row([Key::from(tenant)], |row| row.get(0)).checked()
        };
        room.limit_tenant(tenant, limits.left(running, now)?);
    }
    let queues: HashSet<(TenantId, &str)> = groups().map(|group| (group.tenant_id, group.queue.as_str())).collect();
    for (tenant, name) in queues {
        let Some(limits) = limits_of(connection, QUEUE, tenant, name)? else { continue };
        let running = || {
            let mut count = connection.prepare_cached(RUNNING_IN_QUEUE).checked()?;
            count.query_row(params![Key::from(tenant), name], |row| row.get(0)).checked()
        };
        room.limit_queue(tenant, name.to_owned(), limits.left(running, now)?);
    }
    let left = |limit: u32, running: i64| u64::try_from(i64::from(limit) - running).unwrap_or(0);
    let jobs: HashSet<JobId> = groups().map(|group| group.job_id).collect();
    let mut per_key: HashMap<JobId, u32> = HashMap::new();
    for job in jobs {
        let mut find = connection.prepare_cached(JOB_LIMITS).checked()?;
        let limits = find.query_row([Key::from(job)], |row| Ok((row.get(0)?, row.get(1)?)));
        let (limit, of_each): (Option<u32>, Option<u32>) = limits.optional().checked()?.unwrap_or_default();
        if let Some(limit) = limit {
            let mut count = connection.prepare_cached(RUNNING_OF_JOB).checked()?;
            let running: i64 = count.query_row([Key::from(job)], |row| row.get(0)).checked()?;
            room.limit_job(job, left(limit, running));
        }
        per_key.extend(of_each.map(|limit| (job, limit)));
    }
    for group in groups().filter(|group| !group.limited_key.is_empty()) {
        let Some(limit) = per_key.get(&group.job_id) else { continue };
        let mut count = connection.prepare_cached(RUNNING_OF_KEY_OF_JOB).checked()?;
        let key = params![Key::from(group.tenant_id), group.limited_key, Key::from(group.job_id)];
        let running: i64 = count.query_row(key, |row| row.get(0)).checked()?;
        room.limit_key_of_job(group.job_id, group.limited_key.clone(), left(*limit, running));
    }
    let keys: HashSet<(TenantId, &str)> = limited_keys(groups()).collect();
    for (tenant, key) in keys {
        let Some(limits) = limits_of(connection, KEY, tenant, key)? else { continue };
        let running = || {
            let mut count = connection.prepare_cached(RUNNING_OF_KEY).checked()?;
            count.query_row(params![Key::from(tenant), key], |row| row.get(0)).checked()
        };
        room.limit_key(tenant, key.to_owned(), limits.left(running, now)?);
    }
    Ok(room)
}

/// The keys with limits that groups have.
fn limited_keys<'a>(groups: impl Iterator<Item = &'a Group>) -> impl Iterator<Item = (TenantId, &'a str)> {
    groups.filter(|group| !group.limited_key.is_empty()).map(|group| (group.tenant_id, group.limited_key.as_str()))
}

/// What a tenant, a queue or a key may do.
struct Limits {
    max_concurrency: Option<u32>,
    rate: Option<TokenBucket>,
}

impl Limits {
    /// How many more may start. What runs is counted only if that matters.
    fn left(&self, running: impl FnOnce() -> Result<i64, StoreError>, now: Timestamp) -> Result<u64, StoreError> {
        let mut left = u64::MAX;
        if let Some(limit) = self.max_concurrency {
            left = left.min(u64::try_from(i64::from(limit) - running()?).unwrap_or(0));
        }
        if let Some(bucket) = self.rate {
            left = left.min(bucket.room(now));
        }
        Ok(left)
    }

    /// Reads the concurrency at column `first`, and after it the rate and its bucket.
    fn read(row: &Row<'_>, first: usize, table: &'static str) -> Result<Self, StoreError> {
        let rate = match column::<Option<u32>>(row, first + 1, table)? {
            Some(per_second) => Some(TokenBucket {
                per_second,
                tokens: column(row, first + 2, table)?,
                at: column::<Option<Ts>>(row, first + 3, table)?.map(|at| at.0),
            }),
            None => None,
        };
        Ok(Self { max_concurrency: column(row, first, table)?, rate })
    }
}

/// The limits of a queue ([`QUEUE`]) or of a key ([`KEY`]).
fn limits_of(
    connection: &Connection,
    statement: &'static str,
    tenant: TenantId,
    name: &str,
) -> Result<Option<Limits>, StoreError> {
    let mut find = connection.prepare_cached(statement).checked()?;
    let mut found = find.query(params![Key::from(tenant), name]).checked()?;
    let Some(row) = found.next().checked()? else { return Ok(None) };
    Limits::read(row, 1, "limits").map(Some)
}

fn limits_of_tenant(connection: &Connection, tenant: TenantId) -> Result<Option<(u32, Limits)>, StoreError> {
    const TABLE: &str = "tenant_limits";
    let mut find = connection.prepare_cached(TENANT).checked()?;
    let mut found = find.query([Key::from(tenant)]).checked()?;
    let Some(row) = found.next().checked()? else { return Ok(None) };
    Ok(Some((column(row, 0, TABLE)?, Limits::read(row, 1, TABLE)?)))
}

/// Adds the candidates of the groups.
pub(super) fn gated_candidates(
    connection: &Connection,
    groups: &[GatedGroup],
    tenants: &Limited,
    limit: usize,
    candidates: &mut Vec<Candidate>,
) -> Result<(), StoreError> {
    // Enough of each group to choose from; the next round finds the rest.
    let per_group = limit.min((4 * limit / groups.len().max(1)).max(8));
    for GatedGroup { group, queue_weight } in groups {
        let mut find = connection.prepare_cached(CANDIDATES).checked()?;
        let (tenant, job) = (Key::from(group.tenant_id), Key::from(group.job_id));
        let key = params![tenant, group.queue, job, group.limited_key, rows(per_group)];
        let mut found = find.query(key).checked()?;
        while let Some(row) = found.next().checked()? {
            candidates.push(Candidate {
                id: ExecutionId::from_uuid(column::<Key>(row, 0, "execution_queue")?.0),
                tenant_id: group.tenant_id,
                weight: tenants.weight(group.tenant_id),
                queue_weight: *queue_weight,
                priority: column(row, 1, "execution_queue")?,
                group: Some(group.clone()),
            });
        }
    }
    Ok(())
}

/// Takes what was chosen out of the rate limits' buckets.
pub(super) fn spend_tokens(
    connection: &Connection,
    chosen: &[Candidate],
    tenants: &Limited,
    now: Timestamp,
) -> Result<(), StoreError> {
    for (tenant, limits) in tenants.limits() {
        let Some(bucket) = limits.rate else { continue };
        let taken = chosen.iter().filter(|candidate| candidate.tenant_id == tenant).count();
        if taken == 0 {
            continue;
        }
        let left = (bucket.level(now) - taken as f64).max(0.0);
        let mut spend = connection.prepare_cached(SPEND_OF_TENANT).checked()?;
        spend.execute(params![Key::from(tenant), left, Ts(now)]).checked()?;
    }
    let groups = || chosen.iter().filter_map(|candidate| candidate.group.as_ref());
    let queues = groups().map(|group| (group.tenant_id, group.queue.as_str()));
    spend_of(connection, QUEUE, SPEND_OF_QUEUE, queues, now)?;
    spend_of(connection, KEY, SPEND_OF_KEY, limited_keys(groups()), now)
}

/// Takes a start of each of these queues or keys out of their buckets.
fn spend_of<'a>(
    connection: &Connection,
    find: &'static str,
    spend: &'static str,
    starts: impl Iterator<Item = (TenantId, &'a str)>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut taken: HashMap<(TenantId, &str), f64> = HashMap::new();
    for start in starts {
        *taken.entry(start).or_default() += 1.0;
    }
    for ((tenant, name), taken) in taken {
        let Some(bucket) = limits_of(connection, find, tenant, name)?.and_then(|limits| limits.rate) else { continue };
        let left = (bucket.level(now) - taken).max(0.0);
        let mut spend = connection.prepare_cached(spend).checked()?;
        spend.execute(params![Key::from(tenant), name, left, Ts(now)]).checked()?;
    }
    Ok(())
}
