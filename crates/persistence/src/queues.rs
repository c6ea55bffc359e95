//! Queues: the limits that somebody set, and what waits and runs.

use std::collections::BTreeMap;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::RunQueryDsl;
use horarium_domain::job::QueueName;
use horarium_domain::queue::{QueueLimits, QueueSummary};
use horarium_domain::store::{QueueStore, StoreError};
use horarium_domain::{TenantId, Timestamp};

use crate::conn::{Conn, on};
use crate::decode::Row;
use crate::error::{About, Fault};
use crate::gates;
use crate::schema::{Id, Ts, at, key, queues};
use crate::store::SqlStore;

#[derive(Queryable, Selectable)]
#[diesel(table_name = queues)]
struct LimitsRow {
    name: String,
    max_concurrency: Option<i32>,
    max_length: Option<i32>,
    rate_limit_per_second: Option<i32>,
    paused: bool,
    weight: i32,
}

impl LimitsRow {
    fn into_limits(self, tenant: TenantId) -> Result<QueueLimits, StoreError> {
        let row = Row::new("queues", format_args!("{tenant}, {}", self.name));
        let limit = |column, value: Option<i32>| row.value(column, value.map(u32::try_from).transpose());
        Ok(QueueLimits {
            max_concurrency: limit("max_concurrency", self.max_concurrency)?,
            max_length: limit("max_length", self.max_length)?,
            rate_limit_per_second: limit("rate_limit_per_second", self.rate_limit_per_second)?,
            paused: self.paused,
            weight: row.value("weight", u32::try_from(self.weight))?,
            name: row.value("name", QueueName::try_from(self.name.clone()))?,
        })
    }
}

/// What waits and runs in one queue.
#[derive(QueryableByName)]
struct LoadRow {
    #[diesel(sql_type = Text)]
    queue: String,
    #[diesel(sql_type = BigInt)]
    pending: i64,
    #[diesel(sql_type = BigInt)]
    running: i64,
    #[diesel(sql_type = Nullable<Ts>)]
    oldest_due_at: Option<Timestamp>,
}

const LOAD: &str = "select queue, \
    sum(case when state = 1 then 0 else 1 end) as pending, \
    sum(case when state = 1 then 1 else 0 end) as running, \
    min(case when state <> 1 and run_at <= $1 then run_at end) as oldest_due_at \
    from execution_queue where tenant_id = $2 group by queue";

/// Over all tenants.
#[derive(QueryableByName)]
struct TotalsRow {
    #[diesel(sql_type = BigInt)]
    pending: i64,
    #[diesel(sql_type = BigInt)]
    running: i64,
    #[diesel(sql_type = Nullable<Ts>)]
    oldest_due_at: Option<Timestamp>,
}

const TOTALS: &str = "select \
    coalesce(sum(case when state = 1 then 0 else 1 end), 0) as pending, \
    coalesce(sum(case when state = 1 then 1 else 0 end), 0) as running, \
    min(case when state <> 1 and run_at <= $1 then run_at end) as oldest_due_at \
    from execution_queue";

#[async_trait]
impl QueueStore for SqlStore {
    async fn set_queue(&self, tenant: TenantId, limits: QueueLimits) -> Result<(), StoreError> {
        let limit = |value: Option<u32>| value.map(|value| i32::try_from(value).unwrap_or(i32::MAX));
        self.write(async |conn| {
            let values = (
                queues::max_concurrency.eq(limit(limits.max_concurrency)),
                queues::max_length.eq(limit(limits.max_length)),
                queues::rate_limit_per_second.eq(limit(limits.rate_limit_per_second)),
                queues::paused.eq(limits.paused),
                queues::weight.eq(i32::try_from(limits.weight).unwrap_or(i32::MAX)),
                queues::gated.eq(limits.is_gated()),
            );
            let id = (queues::tenant_id.eq(key(tenant)), queues::name.eq(limits.name.as_str()));
            on!(conn, c => {
                diesel::insert_into(queues::table)
                    .values((id, values))
                    .on_conflict((queues::tenant_id, queues::name))
                    .do_update()
                    .set(values)
                    .execute(c)
                    .await
            })
            .about("queues")?;
            gates::queue_changed(conn, tenant, &limits.name, limits.is_gated()).await
        })
        .await
    }

    async fn pause_queue(&self, tenant: TenantId, name: &QueueName, paused: bool) -> Result<(), StoreError> {
        let none = QueueLimits { paused, ..QueueLimits::none(name.clone()) };
        self.write(async |conn| {
            let id = (queues::tenant_id.eq(key(tenant)), queues::name.eq(name.as_str()));
            let fresh = (
                queues::paused.eq(paused),
                queues::weight.eq(i32::try_from(none.weight).unwrap_or(i32::MAX)),
                queues::gated.eq(none.is_gated()),
            );
            // From here on the row is ours, so what is written next fits the limits that are read.
            let row: LimitsRow = on!(conn, c => {
                diesel::insert_into(queues::table)
                    .values((id, fresh))
                    .on_conflict((queues::tenant_id, queues::name))
                    .do_update()
                    .set(queues::paused.eq(paused))
                    .returning(LimitsRow::as_returning())
                    .get_result(c)
                    .await
            })
            .about("queues")?;
            let is_gated = row.into_limits(tenant)?.is_gated();
            on!(conn, c => {
                diesel::update(queues::table.filter(queues::tenant_id.eq(key(tenant))))
                    .filter(queues::name.eq(name.as_str()))
                    .set(queues::gated.eq(is_gated))
                    .execute(c)
                    .await
            })
            .about("queues")?;
            gates::queue_changed(conn, tenant, name, is_gated).await
        })
        .await
    }

    async fn queues(
        &self,
        tenant: TenantId,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<QueueSummary>, StoreError> {
        let (limits, loads) = self.read(async |conn| load(conn, tenant, None, now).await).await?;
        let mut summaries: BTreeMap<QueueName, QueueSummary> = BTreeMap::new();
        for limits in limits {
            let limits = limits.into_limits(tenant)?;
            let name = limits.name.clone();
            summaries.insert(name, QueueSummary { limits, pending: 0, running: 0, oldest_due_at: None });
        }
        for load in loads {
            let name = queue_name(tenant, load.queue)?;
            let summary = summaries.entry(name.clone()).or_insert_with(|| empty(name));
            summary.pending = load.pending.unsigned_abs();
            summary.running = load.running.unsigned_abs();
            summary.oldest_due_at = load.oldest_due_at;
        }
        // A queue whose limits were all lifted keeps its row; it is worth showing only while it holds something.
        summaries.retain(|name, summary| {
            summary.pending + summary.running > 0 || summary.limits != QueueLimits::none(name.clone())
        });
        // What they hold was counted for all of them at once, so the page is made here.
        summaries.retain(|name, _| after.is_none_or(|after| name.as_str() > after));
        Ok(summaries.into_values().take(limit).collect())
    }

    async fn queue(&self, tenant: TenantId, name: &QueueName, now: Timestamp) -> Result<QueueSummary, StoreError> {
        let (limits, loads) = self.read(async |conn| load(conn, tenant, Some(name), now).await).await?;
        let mut summary = empty(name.clone());
        if let Some(limits) = limits.into_iter().next() {
            summary.limits = limits.into_limits(tenant)?;
        }
        if let Some(load) = loads.into_iter().find(|load| load.queue == name.as_str()) {
            summary.pending = load.pending.unsigned_abs();
            summary.running = load.running.unsigned_abs();
            summary.oldest_due_at = load.oldest_due_at;
        }
        Ok(summary)
    }

    async fn queue_totals(&self, now: Timestamp) -> Result<(u64, u64, Option<Timestamp>), StoreError> {
        let totals: TotalsRow = self
            .read(async |conn| {
                on!(conn, c => sql_query(TOTALS).bind::<Ts, _>(at(now)).get_result(c).await).about("execution_queue")
            })
            .await?;
        Ok((totals.pending.unsigned_abs(), totals.running.unsigned_abs(), totals.oldest_due_at))
    }
}

/// The limits of a tenant's queues, or of one of them, and what all of them hold.
async fn load(
    conn: &mut Conn,
    tenant: TenantId,
    only: Option<&QueueName>,
    now: Timestamp,
) -> Result<(Vec<LimitsRow>, Vec<LoadRow>), Fault> {
    let limits = on!(conn, c => {
        let mut query = queues::table
            .filter(queues::tenant_id.eq(key(tenant)))
            .select(LimitsRow::as_select())
            .into_boxed::<Db>();
        if let Some(name) = only {
            query = query.filter(queues::name.eq(name.as_str()));
        }
        query.load(c).await
    })
    .about("queues")?;
    let loads = on!(conn, c => {
        sql_query(LOAD).bind::<Ts, _>(at(now)).bind::<Id, _>(key(tenant)).load(c).await
    })
    .about("execution_queue")?;
    Ok((limits, loads))
}

fn queue_name(tenant: TenantId, name: String) -> Result<QueueName, StoreError> {
    let row = Row::new("execution_queue", format_args!("of tenant {tenant}"));
    row.value("queue", QueueName::try_from(name))
}

const fn empty(name: QueueName) -> QueueSummary {
    QueueSummary { limits: QueueLimits::none(name), pending: 0, running: 0, oldest_due_at: None }
}
