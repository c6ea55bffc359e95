//! Bringing waiting executions under limits that were set, or out from under limits that were lifted.
//!
//! An execution that a limit holds waits in state 3, where claiming it means counting; any other waits in state 0, the
//! fast path. Which it is was decided when it was accepted; this changes it for those that wait already. Executions
//! that are accepted at the very same time are caught by the housekeeper's `sweep_gates`.

use diesel::sql_query;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use horarium_domain::concurrency::ConcurrencyKey;
use horarium_domain::job::QueueName;
use horarium_domain::{JobId, TenantId};

use crate::conn::{Conn, on};
use crate::error::{About, Fault};
use crate::schema::{Id, key};

/// A job got its first running limit, or lost its only one.
pub(crate) async fn job_limit_changed(conn: &mut Conn, job: JobId, before: bool, now: bool) -> Result<(), Fault> {
    let statement = match (before, now) {
        (false, true) => {
            "update execution_queue set gated = true, state = case state when 0 then 3 else state end \
             where job_id = $1 and not gated"
        }
        (true, false) => {
            "update execution_queue set gated = false, state = case state when 3 then 0 else state end \
             where job_id = $1 and gated and limited_key = '' and not exists (select 1 from queues where queues.gated \
                 and queues.tenant_id = execution_queue.tenant_id and queues.name = execution_queue.queue)"
        }
        _ => return Ok(()),
    };
    on!(conn, c => sql_query(statement).bind::<Id, _>(key(job)).execute(c).await).about("execution_queue")?;
    Ok(())
}

/// A job got its first limit of each concurrency key, or lost it. `is_limited`: before, and now.
pub(crate) async fn limit_per_key_changed(conn: &mut Conn, job: JobId, is_limited: [bool; 2]) -> Result<(), Fault> {
    let statements: &[&'static str] = match is_limited {
        [false, true] => &["update execution_queue set gated = true, limited_key = concurrency_key, \
             state = case state when 0 then 3 else state end \
             where job_id = $1 and concurrency_key is not null and limited_key = ''"],
        [true, false] => &[
            "update execution_queue set limited_key = '' \
             where job_id = $1 and limited_key <> '' and not exists (select 1 from key_limits \
                 where key_limits.tenant_id = execution_queue.tenant_id \
                     and key_limits.key = execution_queue.limited_key)",
            "update execution_queue set gated = false, state = case state when 3 then 0 else state end \
             where job_id = $1 and gated and limited_key = '' \
                 and not exists (select 1 from jobs \
                     where jobs.id = execution_queue.job_id and jobs.running_limit is not null) \
                 and not exists (select 1 from queues where queues.gated \
                     and queues.tenant_id = execution_queue.tenant_id and queues.name = execution_queue.queue)",
        ],
        [true, true] | [false, false] => &[],
    };
    for statement in statements {
        on!(conn, c => sql_query(*statement).bind::<Id, _>(key(job)).execute(c).await).about("execution_queue")?;
    }
    Ok(())
}

/// A queue's limits were set; `gated` says whether any of them holds executions back.
pub(crate) async fn queue_changed(
    conn: &mut Conn,
    tenant: TenantId,
    queue: &QueueName,
    gated: bool,
) -> Result<(), Fault> {
    let statement = if gated {
        "update execution_queue set gated = true, state = case state when 0 then 3 else state end \
         where tenant_id = $1 and queue = $2 and not gated"
    } else {
        "update execution_queue set gated = false, state = case state when 3 then 0 else state end \
         where tenant_id = $1 and queue = $2 and gated and limited_key = '' and not exists (select 1 from jobs \
             where jobs.id = execution_queue.job_id and jobs.running_limit is not null)"
    };
    on!(conn, c => {
        sql_query(statement).bind::<Id, _>(key(tenant)).bind::<Text, _>(queue.as_str()).execute(c).await
    })
    .about("execution_queue")?;
    Ok(())
}

/// A key has limits.
pub(crate) async fn key_limited(conn: &mut Conn, tenant: TenantId, limited: &ConcurrencyKey) -> Result<(), Fault> {
    let statement = "update execution_queue set gated = true, limited_key = concurrency_key, \
         state = case state when 0 then 3 else state end \
         where tenant_id = $1 and concurrency_key = $2 and limited_key = ''";
    of_key(conn, statement, tenant, limited).await
}

/// A key has no limits any more. What other limits hold stays under those.
pub(crate) async fn key_freed(conn: &mut Conn, tenant: TenantId, freed: &ConcurrencyKey) -> Result<(), Fault> {
    let of_the_key = "update execution_queue set limited_key = '' \
         where tenant_id = $1 and concurrency_key = $2 and limited_key <> '' \
             and not exists (select 1 from jobs \
                 where jobs.id = execution_queue.job_id and jobs.max_concurrency_per_key is not null)";
    of_key(conn, of_the_key, tenant, freed).await?;
    let of_any = "update execution_queue set gated = false, state = case state when 3 then 0 else state end \
         where tenant_id = $1 and concurrency_key = $2 and gated and limited_key = '' \
             and not exists (select 1 from jobs \
                 where jobs.id = execution_queue.job_id and jobs.running_limit is not null) \
             and not exists (select 1 from queues where queues.gated \
                 and queues.tenant_id = execution_queue.tenant_id and queues.name = execution_queue.queue)";
    of_key(conn, of_any, tenant, freed).await
}

async fn of_key(
    conn: &mut Conn,
    statement: &'static str,
    tenant: TenantId,
    name: &ConcurrencyKey,
) -> Result<(), Fault> {
    on!(conn, c => {
        sql_query(statement).bind::<Id, _>(key(tenant)).bind::<Text, _>(name.as_str()).execute(c).await
    })
    .about("execution_queue")?;
    Ok(())
}
