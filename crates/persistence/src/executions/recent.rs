//! What was accepted or changed lately, without an index on anything that an execution's end writes.
//!
//! One statement, so that nothing is seen twice or not at all while it moves from one table to another. It looks in
//! four places, each by an index that exists for other reasons or costs the common path nothing:
//!
//! 1. the tenant's executions from a minute before the span on, newest first: their ids tell when they were accepted,
//!    and whoever ended within a minute of its acceptance is among them;
//! 2. `late_ends`, where those are that ended later than that;
//! 3. what runs, of which there are as many as the nodes have slots;
//! 4. what was taken back for another attempt.

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, SmallInt};
use diesel_async::RunQueryDsl;
use horarium_domain::id::first_uuid_at;
use horarium_domain::store::Recent;
use horarium_domain::{ExecutionId, TenantId, Timestamp};

use super::Answer;
use crate::conn::Conn;
use crate::decode::Row;
use crate::error::About;
use crate::hot::first_in_time;
use crate::schema::{Id, Ts, at, key};

#[derive(QueryableByName)]
struct RecentRow {
    #[diesel(sql_type = Id)]
    id: ExecutionId,
    #[diesel(sql_type = SmallInt)]
    standing: i16,
}

/// What stands alike. Ten thousand ids in three rows are read in a fraction of the time that ten thousand rows take.
#[derive(QueryableByName)]
struct AlikeRow {
    #[diesel(sql_type = Array<Id>)]
    ids: Vec<ExecutionId>,
    #[diesel(sql_type = SmallInt)]
    standing: i16,
}

const WAITING: i16 = 0;
const RUNNING: i16 = 1;
const OVER: i16 = 2;

/// The text of the statement; how the queue is looked at for what lives differs between the databases.
macro_rules! recent {
    ($ids:literal, $live:literal, $running:literal, $grouped:literal) => {
        concat!(
            "select ",
            $ids,
            ", cast(standing as smallint) as standing from (\
               select * from (\
                 select e.id, case when e.state <> 0 then 2 when q.state = 1 then 1 else 0 end as standing \
                 from executions e ",
            $live,
            "    where e.tenant_id = $1 and e.id >= $2 and e.queue <> 'system' \
                   and (e.id >= $3 or e.completed_at >= $4 or q.started_at >= $4 or q.requeued_at >= $4) \
                 order by e.id desc limit $5\
               ) lately \
               union all select * from (\
                 select e.id, 2 as standing \
                 from late_ends l join executions e on e.tenant_id = l.tenant_id and e.id = l.execution_id \
                 where l.tenant_id = $1 and l.completed_at >= $4 and l.execution_id < $2 and e.queue <> 'system' \
                 order by e.id desc limit $5\
               ) late \
               union all select * from (\
                 select q.id, 1 as standing from execution_queue q ",
            $running,
            "    where q.state = 1 and q.tenant_id = $1 and q.started_at >= $4 and q.id < $2 and q.queue <> 'system' \
                 order by q.id desc limit $5\
               ) running \
               union all select * from (\
                 select q.id, 0 as standing from execution_queue q \
                 where q.tenant_id = $1 and q.requeued_at >= $4 and q.state <> 1 and q.id < $2 \
                   and q.queue <> 'system' \
                 order by q.id desc limit $5\
               ) taken_back\
             ) recent",
            $grouped
        )
    };
}

/// `offset 0` keeps PostgreSQL from looking into the queue for what is over.
const ON_POSTGRES: &str = recent!(
    "array_agg(id) as ids",
    "left join lateral (\
       select x.state, x.started_at, x.requeued_at from execution_queue x where x.id = e.id and e.state = 0 offset 0\
     ) q on true ",
    "",
    " group by standing"
);

/// What runs is few, and what waits may be many.
const ON_SQLITE: &str = recent!(
    "id",
    "left join execution_queue q on e.state = 0 and q.id = e.id ",
    "indexed by execution_queue_leases ",
    ""
);

pub(super) async fn recent(
    conn: &mut Conn,
    tenant: TenantId,
    since: Timestamp,
    limit: usize,
) -> Answer<Vec<(ExecutionId, Recent)>> {
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    macro_rules! load {
        ($statement:expr, $conn:expr) => {
            sql_query($statement)
                .bind::<Id, _>(key(tenant))
                .bind::<Id, _>(key(ExecutionId::from_uuid(first_in_time(since))))
                .bind::<Id, _>(key(ExecutionId::from_uuid(first_uuid_at(since))))
                .bind::<Ts, _>(at(since))
                .bind::<BigInt, _>(most)
                .load($conn)
                .await
                .about("executions")?
        };
    }
    let mut recent = Vec::new();
    match conn {
        Conn::Pg(c) => {
            for AlikeRow { ids, standing } in load!(ON_POSTGRES, c) {
                let standing = standing_of(standing)?;
                recent.extend(ids.into_iter().map(|id| (id, standing)));
            }
        }
        Conn::Lite(c) => {
            for RecentRow { id, standing } in load!(ON_SQLITE, c) {
                recent.push((id, standing_of(standing)?));
            }
        }
    }
    // Each part comes in this order; together they are put into it here, which is cheaper than there.
    recent.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(*id));
    recent.truncate(limit);
    Ok(recent)
}

fn standing_of(standing: i16) -> Answer<Recent> {
    Ok(match standing {
        WAITING => Recent::Waiting,
        RUNNING => Recent::Running,
        OVER => Recent::Over,
        other => return Err(Row::new("executions", "of late").inconsistent(format_args!("standing {other}")).into()),
    })
}
