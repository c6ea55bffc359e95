//! Bringing waiting executions back under limits that changed while they were being enqueued, and out from under limits
//! that are gone.

use horarium_domain::store::StoreError;

use super::PostgresHot;
use super::session::{self, Session};
use crate::error::Fault;

/// Each locks what it may and passes over the rest: what somebody else holds is being claimed or changed, and the next
/// sweep looks again.
const SWEEPS: [&str; 6] = [
    // Jobs with a limit. Running ones only note it, for when they come back.
    "update execution_queue q set gated = true, state = case q.state when 0 then 3 else q.state end
     where q.id = any(array(
        select x.id from jobs j join execution_queue x on x.job_id = j.id and x.state in (0, 1, 2)
        where j.running_limit is not null and not x.gated
        for update of x skip locked
     ))",
    // Queues with a limit.
    "update execution_queue q set gated = true, state = case q.state when 0 then 3 else q.state end
     where q.id = any(array(
        select x.id from queues p join execution_queue x on x.tenant_id = p.tenant_id and x.queue = p.name
        where p.gated and not x.gated and x.state in (0, 1, 2)
        for update of x skip locked
     ))",
    // Keys with a limit.
    "update execution_queue q set gated = true, limited_key = q.concurrency_key,
        state = case q.state when 0 then 3 else q.state end
     where q.id = any(array(
        select x.id from key_limits k join execution_queue x on x.tenant_id = k.tenant_id and x.concurrency_key = k.key
        where x.limited_key = ''
        for update of x skip locked
     ))",
    // Jobs with a limit of each key.
    "update execution_queue q set gated = true, limited_key = q.concurrency_key,
        state = case q.state when 0 then 3 else q.state end
     where q.id = any(array(
        select x.id from jobs j join execution_queue x on x.job_id = j.id and x.concurrency_key is not null
        where j.max_concurrency_per_key is not null and x.limited_key = ''
        for update of x skip locked
     ))",
    // Keys without any more.
    "update execution_queue q set limited_key = ''
     where q.id = any(array(
        select x.id from execution_queue x
        where x.limited_key <> '' and not exists (
            select from key_limits k where k.tenant_id = x.tenant_id and k.key = x.limited_key
        ) and not exists (
            select from jobs j where j.id = x.job_id and j.max_concurrency_per_key is not null
        )
        for update of x skip locked
     ))",
    // None of them any more.
    "update execution_queue q set gated = false, state = 0
     where q.id = any(array(
        select x.id from execution_queue x
        left join jobs j on j.id = x.job_id
        left join queues p on p.tenant_id = x.tenant_id and p.name = x.queue
        where x.state = 3 and x.limited_key = '' and j.running_limit is null and not coalesce(p.gated, false)
        for update of x skip locked
     ))",
];

/// The queue is read as a whole, which the hot connections' settings are not made for.
const FOR_A_SCAN: &str = "begin; set local enable_seqscan = on; set local enable_hashjoin = on; \
                          set local plan_cache_mode = force_custom_plan";

impl PostgresHot {
    pub(super) async fn sweep(&self) -> Result<u64, StoreError> {
        session::run(&self.pool, async |session: &Session| {
            session.batch_execute(FOR_A_SCAN).await.map_err(session::fault)?;
            let mut moved = 0;
            for sweep in SWEEPS {
                let statement = session.statement(sweep).await?;
                moved += session.run(&statement, &[]).await?;
            }
            session.commit().await?;
            Ok::<_, Fault>(moved)
        })
        .await
    }
}
