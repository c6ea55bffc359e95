//! Bringing waiting executions back under limits that changed while they were being enqueued, and out from under limits
//! that are gone. With one writer there is no such while; this stays true to the port all the same, and repairs what
//! somebody changed by hand.

use horarium_domain::store::StoreError;
use rusqlite::Connection;

use super::values::Checked;

const SWEEPS: [&str; 6] = [
    // Jobs with a limit. Running ones only note it, for when they come back.
    "update execution_queue set gated = 1, state = case state when 0 then 3 else state end
     where id in (
        select x.id from jobs j join execution_queue x on x.job_id = j.id
        where j.running_limit is not null and x.gated = 0
     )",
    // Queues with a limit.
    "update execution_queue set gated = 1, state = case state when 0 then 3 else state end
     where id in (
        select x.id from queues p join execution_queue x on x.tenant_id = p.tenant_id and x.queue = p.name
        where p.gated = 1 and x.gated = 0
     )",
    // Keys with a limit.
    "update execution_queue set gated = 1, limited_key = concurrency_key,
        state = case state when 0 then 3 else state end
     where id in (
        select x.id from key_limits k join execution_queue x on x.tenant_id = k.tenant_id and x.concurrency_key = k.key
        where x.limited_key = ''
     )",
    // Jobs with a limit of each key.
    "update execution_queue set gated = 1, limited_key = concurrency_key,
        state = case state when 0 then 3 else state end
     where id in (
        select x.id from jobs j join execution_queue x on x.job_id = j.id and x.concurrency_key is not null
        where j.max_concurrency_per_key is not null and x.limited_key = ''
     )",
    // Keys without any more.
    "update execution_queue set limited_key = ''
     where limited_key <> '' and not exists (
        select 1 from key_limits k
        where k.tenant_id = execution_queue.tenant_id and k.key = execution_queue.limited_key
     ) and not exists (
        select 1 from jobs j where j.id = execution_queue.job_id and j.max_concurrency_per_key is not null
     )",
    // None of them any more.
    "update execution_queue set gated = 0, state = 0
     where id in (
        select x.id from execution_queue x
        left join jobs j on j.id = x.job_id
        left join queues p on p.tenant_id = x.tenant_id and p.name = x.queue
        where x.state = 3 and x.limited_key = '' and j.running_limit is null and coalesce(p.gated, 0) = 0
     )",
];

pub(super) fn sweep(connection: &Connection) -> Result<u64, StoreError> {
    let mut moved = 0;
    for sweep in SWEEPS {
        moved += connection.prepare_cached(sweep).checked()?.execute([]).checked()?;
    }
    Ok(moved as u64)
}
