//! Lists of jobs: filters, text search, sorting.

use std::collections::HashMap;

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_async::RunQueryDsl;
use horarium_domain::job::JobStatus;
use horarium_domain::page::{PageRequest, SortDirection};
use horarium_domain::store::{JobFilter, JobSort};
use horarium_domain::{JobId, TenantId, Timestamp};

use super::row::{JobRow, LastRunRow};
use super::summaries;
use crate::conn::{Conn, on};
use crate::error::{About, Fault};
use crate::schema::{job_counters, job_slots, jobs, key, lower, or_else};
use crate::text::storable;

type Found = (JobRow, Option<Timestamp>, Option<LastRunRow>);

/// What the databases say differently.
pub(super) trait Dialect {
    /// Whether the JSON array `jobs.tags` holds the text that follows.
    const HAS_TAG: [&str; 2];
    /// The name without regard to case, in the order of its code points on both databases.
    const NAME_ORDER: &str;
}

impl Dialect for diesel::pg::Pg {
    const HAS_TAG: [&str; 2] = ["jobs.tags @> jsonb_build_array(", "::text)"];
    const NAME_ORDER: &str = "lower(jobs.name) collate \"C\"";
}

impl Dialect for diesel::sqlite::Sqlite {
    const HAS_TAG: [&str; 2] = ["exists (select 1 from json_each(jobs.tags) where value = ", ")"];
    const NAME_ORDER: &str = "lower(jobs.name)";
}

fn name_order<Db: Dialect>() -> SqlLiteral<Text> {
    sql(Db::NAME_ORDER)
}

/// The pattern of a LIKE (escaped with a backslash) for what holds `text` anywhere.
fn containing(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in storable(text).chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// Narrows a boxed query on `jobs` to what a filter lets through.
macro_rules! filtered {
    ($query:expr, $tenant:expr, $filter:expr) => {{
        let filter: &JobFilter = $filter;
        let mut query = $query.filter(jobs::tenant_id.eq(key($tenant))).filter(jobs::is_deleted.eq(false));
        if let Some(job_type) = filter.job_type {
            query = query.filter(jobs::job_type.eq(job_type.as_str()));
        }
        query = match filter.status {
            None => query,
            Some(JobStatus::Active) => query.filter(jobs::is_enabled.eq(true)).filter(jobs::is_paused.eq(false)),
            Some(JobStatus::Paused) => query.filter(jobs::is_enabled.eq(true)).filter(jobs::is_paused.eq(true)),
            Some(JobStatus::Disabled) => query.filter(jobs::is_enabled.eq(false)),
        };
        if let Some(tag) = &filter.tag {
            let [before, after] = <Db as Dialect>::HAS_TAG;
            query = query.filter(sql::<Bool>(before).bind::<Text, _>(storable(tag).into_owned()).sql(after));
        }
        if let Some(group) = &filter.group {
            query = query.filter(jobs::job_group.eq(storable(group).into_owned()));
        }
        if let Some(group) = &filter.except_group {
            query = query.filter(or_else(jobs::job_group, "").ne(storable(group).into_owned()));
        }
        if let Some(text) = &filter.search {
            let pattern = containing(text);
            query = query.filter(
                lower(jobs::name)
                    .like(lower(pattern.clone()))
                    .escape('\\')
                    .or(lower(or_else(jobs::description, "")).like(lower(pattern)).escape('\\')),
            );
        }
        query
    }};
}

/// Sorts by an expression in the direction asked for, after what must come first whatever the direction.
macro_rules! sorted {
    ($query:expr, $direction:expr, by $key:expr $(, after $first:expr)?) => {
        match $direction {
            SortDirection::Ascending => $query.order(($($first,)? $key.asc(), jobs::id.asc())),
            SortDirection::Descending => $query.order(($($first,)? $key.desc(), jobs::id.asc())),
        }
    };
}

/// One page of a tenant's jobs, and how many there are.
pub(super) async fn page(
    conn: &mut Conn,
    tenant: TenantId,
    filter: &JobFilter,
    page: PageRequest,
) -> Result<(Vec<Found>, u64), Fault> {
    let total: i64 = on!(conn, c => {
        filtered!(jobs::table.count().into_boxed::<Db>(), tenant, filter).get_result(c).await
    })
    .about("jobs")?;
    let offset = i64::try_from(page.offset()).unwrap_or(i64::MAX);
    if offset >= total {
        return Ok((Vec::new(), total.unsigned_abs()));
    }
    // Sorted are ids: definitions are wide. Joined is what the order needs; the databases leave out the rest.
    let ids: Vec<JobId> = on!(conn, c => {
        let query = jobs::table
            .left_join(job_slots::table.on(job_slots::job_id.eq(jobs::id)))
            .left_join(job_counters::table.on(job_counters::job_id.eq(jobs::id)))
            .select(jobs::id)
            .into_boxed::<Db>();
        let query = filtered!(query, tenant, filter);
        let direction = filter.direction;
        let query = match filter.sort {
            JobSort::Name => sorted!(query, direction, by name_order::<Db>()),
            JobSort::CreatedAt => sorted!(query, direction, by jobs::created_at),
            JobSort::UpdatedAt => sorted!(query, direction, by jobs::updated_at),
            JobSort::LastExecutedAt => {
                sorted!(query, direction, by job_counters::last_started_at, after job_counters::last_started_at.is_null().asc())
            }
            JobSort::NextRunAt => {
                sorted!(query, direction, by job_slots::next_run_at, after job_slots::next_run_at.is_null().asc())
            }
            JobSort::ConsecutiveFailures => sorted!(query, direction, by job_counters::consecutive_failures),
        };
        query.limit(i64::from(page.size)).offset(offset).load(c).await
    })
    .about("jobs")?;
    let mut rows: Vec<Found> = on!(conn, c => {
        let query = summaries!().filter(jobs::tenant_id.eq(key(tenant)));
        query.filter(jobs::id.eq_any(ids.iter().map(|id| key(*id)))).load(c).await
    })
    .about("jobs")?;
    let places: HashMap<JobId, usize> = ids.into_iter().enumerate().map(|(place, id)| (id, place)).collect();
    rows.sort_by_key(|(job, ..)| places.get(&job.id).copied());
    Ok((rows, total.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wildcards_of_like_are_text_to_a_search() {
        assert_eq!(containing("50%_a\\b"), "%50\\%\\_a\\\\b%");
    }
}
