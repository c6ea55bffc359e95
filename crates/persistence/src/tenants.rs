//! Tenants.

use async_trait::async_trait;
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_query;
use diesel_async::RunQueryDsl;
use horarium_domain::job::Job;
use horarium_domain::page::{Page, PageRequest};
use horarium_domain::store::{Conflict, StoreError, TenantStore};
use horarium_domain::tenant::{Tenant, TenantLimits, TenantRef, TenantSlug};
use horarium_domain::{TenantId, Timestamp};

use crate::conn::{Conn, on};
use crate::decode::Row;
use crate::error::About;
use crate::hot::HOLD_DAYS;
use crate::jobs::{JobRow, insert};
use crate::schema::{
    at, callbacks, execution_events, execution_queue, executions, job_slots, jobs, key, late_ends, tenant_limits,
    tenants,
};
use crate::store::SqlStore;
use crate::text::storable;

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = tenants)]
struct TenantRow {
    id: TenantId,
    slug: String,
    name: String,
    is_active: bool,
    created_at: Timestamp,
}

impl TenantRow {
    fn into_tenant(self) -> Result<Tenant, StoreError> {
        let slug = Row::new("tenants", self.id).value("slug", TenantSlug::try_from(self.slug))?;
        Ok(Tenant { id: self.id, slug, name: self.name, is_active: self.is_active, created_at: self.created_at })
    }
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = tenant_limits)]
struct LimitsRow {
    weight: i32,
    max_concurrency: Option<i32>,
    rate_limit_per_second: Option<i32>,
}

impl LimitsRow {
    fn of(limits: &TenantLimits) -> Self {
        let stored = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        Self {
            weight: stored(limits.weight),
            max_concurrency: limits.max_concurrency.map(stored),
            rate_limit_per_second: limits.rate_limit_per_second.map(stored),
        }
    }

    fn into_limits(self, tenant: TenantId) -> Result<TenantLimits, StoreError> {
        let row = Row::new("tenant_limits", tenant);
        let limit = |column, value: Option<i32>| row.value(column, value.map(u32::try_from).transpose());
        Ok(TenantLimits {
            weight: row.value("weight", u32::try_from(self.weight))?,
            max_concurrency: limit("max_concurrency", self.max_concurrency)?,
            rate_limit_per_second: limit("rate_limit_per_second", self.rate_limit_per_second)?,
        })
    }
}

#[async_trait]
impl TenantStore for SqlStore {
    async fn create_tenant(&self, tenant: Tenant, jobs: Vec<(Job, Option<Timestamp>)>) -> Result<(), StoreError> {
        let jobs = jobs
            .iter()
            .map(|(job, next_run_at)| Ok((JobRow::of(job)?, *next_run_at)))
            .collect::<Result<Vec<_>, StoreError>>()?;
        self.write(async |conn| {
            let row = (
                tenants::id.eq(key(tenant.id)),
                tenants::slug.eq(tenant.slug.as_str()),
                tenants::name.eq(storable(&tenant.name).into_owned()),
                tenants::is_active.eq(tenant.is_active),
                tenants::created_at.eq(at(tenant.created_at)),
            );
            on!(conn, c => diesel::insert_into(tenants::table).values(row).execute(c).await).about("tenants")?;
            for (job, next_run_at) in &jobs {
                insert(conn, job, *next_run_at).await?;
            }
            Ok(())
        })
        .await
    }

    async fn tenant(&self, tenant: &TenantRef) -> Result<Tenant, StoreError> {
        let row: Option<TenantRow> = self
            .read(async |conn| {
                on!(conn, c => {
                    let query = tenants::table.select(TenantRow::as_select()).into_boxed::<Db>();
                    let query = match tenant {
                        TenantRef::Id(id) => query.filter(tenants::id.eq(key(*id))),
                        TenantRef::Slug(slug) => query.filter(tenants::slug.eq(slug.as_str())),
                    };
                    query.first(c).await.optional()
                })
                .about("tenants")
            })
            .await?;
        row.ok_or(StoreError::NotFound("tenant"))?.into_tenant()
    }

    async fn tenants(&self, page: PageRequest) -> Result<Page<Tenant>, StoreError> {
        let offset = i64::try_from(page.offset()).unwrap_or(i64::MAX);
        let (rows, total) = self
            .read(async |conn| {
                let total: i64 = on!(conn, c => tenants::table.count().get_result(c).await).about("tenants")?;
                let rows: Vec<TenantRow> = on!(conn, c => {
                    tenants::table
                        .order(tenants::slug.asc())
                        .limit(i64::from(page.size))
                        .offset(offset)
                        .select(TenantRow::as_select())
                        .load(c)
                        .await
                })
                .about("tenants")?;
                Ok((rows, total))
            })
            .await?;
        let items = rows.into_iter().map(TenantRow::into_tenant).collect::<Result<_, _>>()?;
        Ok(Page::of(items, total.unsigned_abs()))
    }

    async fn update_tenant(&self, tenant: Tenant) -> Result<(), StoreError> {
        let changed = self
            .write(async |conn| {
                let change =
                    (tenants::name.eq(storable(&tenant.name).into_owned()), tenants::is_active.eq(tenant.is_active));
                let row = tenants::table.filter(tenants::id.eq(key(tenant.id)));
                on!(conn, c => diesel::update(row).set(change).execute(c).await).about("tenants")
            })
            .await?;
        if changed == 0 { Err(StoreError::NotFound("tenant")) } else { Ok(()) }
    }

    async fn delete_tenant(&self, id: TenantId) -> Result<(), StoreError> {
        self.write(async |conn| {
            // Slots before jobs: the order of locks of the planner.
            let slots = job_slots::table.filter(job_slots::tenant_id.eq(key(id)));
            on!(conn, c => diesel::delete(slots).execute(c).await).about("job_slots")?;
            if let Conn::Pg(c) = conn {
                sql_query(HOLD_DAYS).execute(c).await.about("executions")?;
                // Waits for what is being accepted, which holds its job's row, and lets nothing more be accepted.
                let of_tenant = jobs::table.filter(jobs::tenant_id.eq(key(id))).order(jobs::id);
                of_tenant.select(jobs::version).for_update().load::<i64>(c).await.about("jobs")?;
            }
            // First what waits: what a claim takes at the same time is then either gone, or seen to run.
            let live = execution_queue::table.filter(execution_queue::tenant_id.eq(key(id)));
            let waiting = live.filter(execution_queue::state.ne(1));
            on!(conn, c => diesel::delete(waiting).execute(c).await).about("execution_queue")?;
            let running =
                on!(conn, c => diesel::select(exists(live)).get_result::<bool>(c).await).about("execution_queue")?;
            if running {
                return Err(StoreError::Conflict(Conflict::ExecutionRunning).into());
            }
            let history = executions::table.filter(executions::tenant_id.eq(key(id)));
            let called_back = callbacks::table.filter(callbacks::execution_id.eq_any(history.select(executions::id)));
            on!(conn, c => diesel::delete(called_back).execute(c).await).about("callbacks")?;
            on!(conn, c => diesel::delete(history).execute(c).await).about("executions")?;
            let late = late_ends::table.filter(late_ends::tenant_id.eq(key(id)));
            on!(conn, c => diesel::delete(late).execute(c).await).about("late_ends")?;
            // Events are found by their job: they have no index by tenant, since nothing else would use it.
            let of_tenant = jobs::table.filter(jobs::tenant_id.eq(key(id))).select(jobs::id);
            let events = execution_events::table.filter(execution_events::job_id.eq_any(of_tenant));
            on!(conn, c => diesel::delete(events).execute(c).await).about("execution_events")?;
            // The rest goes with its foreign keys.
            let tenant = tenants::table.filter(tenants::id.eq(key(id)));
            let removed = on!(conn, c => diesel::delete(tenant).execute(c).await).about("tenants")?;
            if removed == 0 { Err(StoreError::NotFound("tenant").into()) } else { Ok(()) }
        })
        .await
    }

    async fn set_tenant_limits(&self, id: TenantId, limits: TenantLimits) -> Result<(), StoreError> {
        self.write(async |conn| {
            let tenant = tenants::table.filter(tenants::id.eq(key(id)));
            if !on!(conn, c => diesel::select(exists(tenant)).get_result::<bool>(c).await).about("tenants")? {
                return Err(StoreError::NotFound("tenant").into());
            }
            if limits == TenantLimits::default() {
                // Claims need not look at a tenant that has no row.
                let row = tenant_limits::table.filter(tenant_limits::tenant_id.eq(key(id)));
                on!(conn, c => diesel::delete(row).execute(c).await).about("tenant_limits")?;
                return Ok(());
            }
            let row = LimitsRow::of(&limits);
            let values = (
                tenant_limits::weight.eq(row.weight),
                tenant_limits::max_concurrency.eq(row.max_concurrency),
                tenant_limits::rate_limit_per_second.eq(row.rate_limit_per_second),
                tenant_limits::gated.eq(limits.is_gated()),
            );
            on!(conn, c => {
                diesel::insert_into(tenant_limits::table)
                    .values((tenant_limits::tenant_id.eq(key(id)), values))
                    .on_conflict(tenant_limits::tenant_id)
                    .do_update()
                    .set(values)
                    .execute(c)
                    .await
            })
            .about("tenant_limits")?;
            Ok(())
        })
        .await
    }

    async fn tenant_limits(&self, id: TenantId) -> Result<TenantLimits, StoreError> {
        let row: Option<Option<LimitsRow>> = self
            .read(async |conn| {
                on!(conn, c => {
                    tenants::table
                        .left_join(tenant_limits::table.on(tenant_limits::tenant_id.eq(tenants::id)))
                        .filter(tenants::id.eq(key(id)))
                        .select(Option::<LimitsRow>::as_select())
                        .first(c)
                        .await
                        .optional()
                })
                .about("tenants")
            })
            .await?;
        row.ok_or(StoreError::NotFound("tenant"))?
            .map_or_else(|| Ok(TenantLimits::default()), |row| row.into_limits(id))
    }
}
