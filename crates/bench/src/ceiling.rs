//! The yardstick: claiming and completing by hand-written SQL and nothing else. No tenants, no limits, no retries, no
//! counters; what is left is what the database itself costs. Same server, same durability, same shape (a wide row
//! written twice, a narrow queue row), batches of 500, four connections.

use std::time::Instant;

use tokio_postgres::{Client, NoTls};

use crate::Failure;

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

const FILL: &str = "
    with ids as (select gen_random_uuid() as id from generate_series(1, $1::int8)),
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

async fn connect(url: &str) -> Result<Client, Failure> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    client
        .batch_execute(
            "set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_hashjoin = off; \
             set enable_mergejoin = off",
        )
        .await?;
    Ok(client)
}

/// Fills the queue and drains it; executions per second.
pub(crate) async fn drain(url: &str, count: usize) -> Result<f64, Failure> {
    let client = connect(url).await?;
    client.batch_execute(SCHEMA).await?;
    client.execute(FILL, &[&i64::try_from(count)?]).await?;
    client.batch_execute("analyze ceiling.runs; analyze ceiling.queue; checkpoint").await?;

    let mut workers = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = connect(url).await?;
        let (claim, complete) = (client.prepare(CLAIM).await?, client.prepare(COMPLETE).await?);
        workers.push((client, claim, complete));
    }
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for (client, claim, complete) in workers {
        tasks.spawn(async move {
            let mut done = 0_usize;
            loop {
                let rows = client.query(&claim, &[&BATCH]).await?;
                if rows.is_empty() {
                    return Ok::<_, tokio_postgres::Error>(done);
                }
                let ids: Vec<uuid::Uuid> = rows.iter().map(|row| row.get(0)).collect();
                done += usize::try_from(client.execute(&complete, &[&ids]).await?).unwrap_or(0);
            }
        });
    }
    let mut done = 0;
    while let Some(part) = tasks.join_next().await {
        done += part??;
    }
    let seconds = start.elapsed().as_secs_f64();
    if done != count {
        return Err(format!("the yardstick completed {done} of {count}").into());
    }
    Ok(count as f64 / seconds)
}
