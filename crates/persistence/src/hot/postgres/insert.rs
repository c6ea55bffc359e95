//! The statement that writes accepted executions: one for a whole batch, in two forms.

use std::collections::{BTreeMap, HashSet};

use horarium_domain::ExecutionId;
use horarium_domain::concurrency::ConcurrencyKey;
use horarium_domain::execution::NewExecution;
use serde_json::Value;
use tokio_postgres::Statement;
use uuid::Uuid;

use super::session::{self, Session};
use super::values::{Ts, column, small};
use crate::error::Fault;
use crate::text::{storable, storable_json};

/// The batch, and which of it may be written.
///
/// * Jobs and queues come once each, sorted; a row names its own by position. So a job is read and locked once, however
///   many executions the batch has of it, and two batches lock their jobs in one order. The lock holds off a purge of
///   the job until the commit.
/// * `(not j.is_deleted) is true` hides that column from the planner: the index on the names of live jobs is not meant.
///
/// The other literals are what a batch with concurrency keys has more of: only that one looks for their limits.
macro_rules! batch {
    (may: $may:literal, keys: $given:literal, $named:literal, $read:literal, $columns:literal, gated: $gated:literal) => {
        concat!(
            "
    with job as materialized (
        select array_agg(case when j.limited is null then 0 else 1 + 2 * j.limited::int + 4 * j.per_key::int end::int2
            order by d.no) as known
        from unnest($1::uuid[], $2::uuid[]) with ordinality as d (tenant_id, id, no)
        left join lateral (
            select j.running_limit is not null as limited, j.max_concurrency_per_key is not null as per_key from jobs j
            where j.id = d.id and j.tenant_id = d.tenant_id and (not j.is_deleted) is true
            for key share
        ) j on true
    ), queue as materialized (
        select array_agg(case when q.max_length is not null and not $5 then 2 when q.gated then 1 else 0 end::int2
            order by d.no) as known
        from unnest($3::uuid[], $4::text[]) with ordinality as d (tenant_id, name, no)
        left join queues q on q.tenant_id = d.tenant_id and q.name = d.name
    ), batch as materialized (
        select b.id, ($1::uuid[])[b.job] as tenant_id, ($2::uuid[])[b.job] as job_id, b.trigger, b.triggered_by,
            ($4::text[])[b.queue] as queue, b.priority, b.payload, b.scheduled_for, b.run_at, b.created_at,
            b.retry_parent_id, b.max_attempts, b.unique_key, j.known[b.job] & 2 > 0 or q.known[b.queue] = 1 as gated",
            $read,
            ", j.known[b.job] > 0 and q.known[b.queue] < 2",
            $may,
            " as may
        from job j, queue q, unnest($6::uuid[], $7::int4[], $8::int4[], $9::text[], $10::text[], $11::int2[],
            $12::jsonb[], $13::timestamptz[], $14::timestamptz[], $15::timestamptz[], $16::uuid[], $17::int2[],
            $18::text[]",
            $given,
            ") as b (id, job, queue, trigger, triggered_by, priority, payload, scheduled_for, run_at, created_at,
            retry_parent_id, max_attempts, unique_key",
            $named,
            ")
    ), queued as (
        insert into execution_queue (id, tenant_id, job_id, queue, state, priority, run_at, gated, unique_key",
            $columns,
            ")
        select id, tenant_id, job_id, queue, case when run_at > created_at then 2 when ",
            $gated,
            " then 3 else 0 end, priority, run_at, ",
            $gated,
            ", unique_key",
            $columns,
            " from batch where may"
        )
    };
}

macro_rules! write_executions {
    ($columns:literal) => {
        concat!(
            "insert into executions (id, tenant_id, job_id, trigger, triggered_by, queue, priority, payload, scheduled_for,
            created_at, retry_parent_id, max_attempts",
            $columns,
            ")
        select id, tenant_id, job_id, trigger, triggered_by, queue, priority, payload, scheduled_for,
            created_at, retry_parent_id, max_attempts",
            $columns,
            " from batch where may"
        )
    };
}

/// For executions that are new and have no key of either kind, which is nearly all: should one collide with another, the
/// statement fails as a whole. Answers the ids of what it left out.
pub(super) const INSERT_NEW: &str = concat!(
    batch!(may: "", keys: "", "", "", "", gated: "gated"),
    "), written as (",
    write_executions!(""),
    ") select id from batch where not may"
);

/// For any execution: what collides is left out, whether it was accepted before, and is perhaps over, or its key is
/// taken. Answers the ids of what it left out.
///
/// * Should another transaction accept the same id at this moment, the insert into `executions` fails, and the next try
///   sees it.
/// * The look for an execution is a scalar subquery, which is one probe of an index for each row: of an anti-join the
///   planner may make one walk over the table.
/// * `id in (…)` stands within `coalesce` so that it stays a hashed subplan: as a join it would be a nested loop.
pub(super) const INSERT_ANY: &str = concat!(
    batch!(
        may: " and coalesce((
                select false from executions e where e.id = b.id and e.tenant_id = ($1::uuid[])[b.job]
            ), true)",
        keys: ", $19::text[]", ", concurrency_key",
        ", b.concurrency_key, case when b.concurrency_key is null then ''
            when j.known[b.job] & 4 > 0 then b.concurrency_key
            else coalesce((
                select k.key from key_limits k where k.tenant_id = ($1::uuid[])[b.job] and k.key = b.concurrency_key
            ), '') end as limited_key",
        ", concurrency_key, limited_key",
        gated: "(gated or limited_key <> '')"
    ),
    " on conflict do nothing returning id
    ), written as (",
    write_executions!(", concurrency_key"),
    " and coalesce(id in (select id from queued), false)
    ) select id from batch where not coalesce(id in (select id from queued), false)"
);

/// Which form of the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// [`INSERT_NEW`].
    New,
    /// [`INSERT_ANY`].
    Any,
}

impl Form {
    /// The statement, prepared.
    pub(super) async fn prepare(self, session: &Session) -> Result<Statement, Fault> {
        let sql = match self {
            Self::New => INSERT_NEW,
            Self::Any => INSERT_ANY,
        };
        session.statement(sql).await
    }
}

/// Writes executions with distinct ids and keys; answers the ids of those that were left out. They are written sorted by
/// unique key, so that two batches that wait for each other's keys do so in one order. `lengths_held` says that the
/// queues' lengths were weighed already.
pub(super) async fn insert(
    session: &Session,
    rows: &[&NewExecution],
    form: Form,
    lengths_held: bool,
) -> Result<HashSet<Uuid>, Fault> {
    let mut rows = rows.to_vec();
    if form == Form::Any {
        rows.sort_by_key(|new| new.unique_key.as_deref().map(|key| (new.job_id, key)));
    }
    let jobs = Numbered::of(&rows, |new| (new.tenant_id.as_uuid(), new.job_id.as_uuid()));
    let queues = Numbered::of(&rows, |new| (new.tenant_id.as_uuid(), new.queue.as_str()));
    let (job_tenants, job_ids): (Vec<Uuid>, Vec<Uuid>) = jobs.distinct.into_iter().unzip();
    let (queue_tenants, queue_names): (Vec<Uuid>, Vec<&str>) = queues.distinct.into_iter().unzip();
    let ids: Vec<Uuid> = rows.iter().map(|new| new.id.as_uuid()).collect();
    let triggers: Vec<&str> = rows.iter().map(|new| new.trigger.as_str()).collect();
    let triggered_by: Vec<_> = rows.iter().map(|new| storable(&new.triggered_by)).collect();
    let priorities: Vec<i16> = rows.iter().map(|new| new.priority).collect();
    let payloads: Vec<_> = rows.iter().map(|new| new.payload.as_ref().map(storable_json)).collect();
    let payloads: Vec<Option<&Value>> = payloads.iter().map(|payload| payload.as_deref()).collect();
    let scheduled_for: Vec<Ts> = rows.iter().map(|new| Ts(new.scheduled_for)).collect();
    let run_at: Vec<Ts> = rows.iter().map(|new| Ts(new.run_at)).collect();
    let created_at: Vec<Ts> = rows.iter().map(|new| Ts(new.created_at)).collect();
    let parents: Vec<Option<Uuid>> = rows.iter().map(|new| new.retry_parent_id.map(ExecutionId::as_uuid)).collect();
    let max_attempts: Vec<Option<i16>> = rows.iter().map(|new| new.max_attempts.map(small)).collect();
    let keys: Vec<_> = rows.iter().map(|new| new.unique_key.as_deref().map(storable)).collect();
    let concurrency_keys: Vec<Option<&str>> =
        rows.iter().map(|new| new.concurrency_key.as_ref().map(ConcurrencyKey::as_str)).collect();
    let parameters: session::Parameters<'_> = &[
        &job_tenants,
        &job_ids,
        &queue_tenants,
        &queue_names,
        &lengths_held,
        &ids,
        &jobs.numbers,
        &queues.numbers,
        &triggers,
        &triggered_by,
        &priorities,
        &payloads,
        &scheduled_for,
        &run_at,
        &created_at,
        &parents,
        &max_attempts,
        &keys,
        &concurrency_keys,
    ];
    // Only the second one asks for the last.
    let parameters = match form {
        Form::New => &parameters[..parameters.len() - 1],
        Form::Any => parameters,
    };
    let statement = form.prepare(session).await?;
    let left_out = session.rows(&statement, parameters).await?;
    left_out.iter().map(|row| column(row, 0, "executions")).collect()
}

/// What rows have in common: each value once, sorted, and each row's position among them, as SQL counts.
struct Numbered<K> {
    distinct: Vec<K>,
    numbers: Vec<i32>,
}

impl<K: Ord + Copy> Numbered<K> {
    fn of<'r>(rows: &[&'r NewExecution], key: impl Fn(&'r NewExecution) -> K) -> Self {
        let mut positions: BTreeMap<K, i32> = rows.iter().map(|new| (key(new), 0)).collect();
        for (number, position) in (1..).zip(positions.values_mut()) {
            *position = number;
        }
        let numbers = rows.iter().filter_map(|new| positions.get(&key(new)).copied()).collect();
        Self { distinct: positions.into_keys().collect(), numbers }
    }
}
