//! Claiming and completing, in the same shape as the engine's (a wide row written twice, a narrow queue row), in batches
//! of 500 over four connections.

use std::time::Instant;

use tokio_postgres::Client;

use crate::Failure;
use crate::lab::Database;

const CONNECTIONS: usize = 4;
const BATCH: i64 = 500;

const SCHEMA: &str = "
    drop schema if exists ceiling cascade;
    create schema ceiling;
    create table ceiling.runs (
        id uuid primary key, job uuid not null, payload jsonb, state int2 not null default 0,
        created_at timestamptz not null default now(), started_at timestamptz, ended_at timestamptz, output text
    ) with (fillfactor = 50);
    create index on ceiling.runs (job, id);
    create table ceiling.queue (
        id uuid primary key, state int2 not null default 0, priority int2 not null default 0,
        run_at timestamptz not null default now(), lease_until timestamptz
    ) with (fillfactor = 70);
    create index on ceiling.queue (priority desc, id) where state = 0;
    create index on ceiling.queue (lease_until) where state = 1";

/// Ids come in order, as the engine's do.
const FILL: &str = "
    with ids as (select lpad(to_hex(n), 32, '0')::uuid as id from generate_series(1, $1::int8) n),
         runs as (insert into ceiling.runs (id, job, payload)
                  select id, '00000000-0000-0000-0000-000000000001', '{\"n\": 1}' from ids)
    insert into ceiling.queue (id) select id from ids";

const CLAIM: &str = "
    with c as (
        update ceiling.queue set state = 1, lease_until = now() + interval '30 s'
        where id = any (array (
            select id from ceiling.queue where state = 0 order by priority desc, id limit $1 for update skip locked))
        returning id
    )
    select c.id, r.payload::text from c join ceiling.runs r on r.id = c.id";

const COMPLETE: &str = "
    with d as (delete from ceiling.queue where id = any ($1) and state + 0 = 1 returning id)
    update ceiling.runs r set state = 2, started_at = now(), ended_at = now() from d where r.id = d.id";

const SETTINGS: &str = "
    set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_hashjoin = off;
    set enable_mergejoin = off";

async fn connect(database: &Database) -> Result<Client, Failure> {
    let client = database.connect().await?;
    client.batch_execute(SETTINGS).await?;
    Ok(client)
}

/// Makes the tables and fills the queue.
pub(crate) async fn fill(database: &Database, count: u64) -> Result<(), Failure> {
    database.run(SCHEMA).await?;
    database.client.execute(FILL, &[&i64::try_from(count)?]).await?;
    database.run("analyze ceiling.runs; analyze ceiling.queue; checkpoint").await
}

/// Drains what it was [filled](fill) with; executions a second.
pub(crate) async fn drain(database: &Database, count: u64) -> Result<f64, Failure> {
    let mut workers = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = connect(database).await?;
        let (claim, complete) = (client.prepare(CLAIM).await?, client.prepare(COMPLETE).await?);
        workers.push((client, claim, complete));
    }
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for (client, claim, complete) in workers {
        tasks.spawn(async move {
            let mut done = 0;
            loop {
                let rows = client.query(&claim, &[&BATCH]).await?;
                if rows.is_empty() {
                    return Ok::<_, tokio_postgres::Error>(done);
                }
                let ids: Vec<uuid::Uuid> = rows.iter().map(|row| row.get(0)).collect();
                done += client.execute(&complete, &[&ids]).await?;
            }
        });
    }
    let mut done = 0;
    while let Some(part) = tasks.join_next().await {
        done += part??;
    }
    let seconds = start.elapsed().as_secs_f64();
    if done != count {
        return Err(format!("hand-written SQL completed {done} of {count}").into());
    }
    Ok(count as f64 / seconds)
}
