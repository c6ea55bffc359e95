//! Accepting: bare inserts into the engine's own tables, with their indexes. Ids are of today and come in order, as the
//! engine's do.

use std::time::Instant;

use horarium_domain::id::first_uuid_at;
use horarium_domain::{Clock, SystemClock};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::Failure;
use crate::lab::Database;

/// Rows in one statement.
const BATCH: u64 = 1000;

/// The digits of an id that tell one from another.
const DIGITS: usize = 12;

/// Both tables in one statement. `rows` gives `id` and `payload`; `jobs` the job's columns.
fn insert(rows: &str, jobs: &str) -> String {
    format!(
        "with new as (
            insert into executions (id, tenant_id, job_id, trigger, triggered_by, queue, priority, payload,
                scheduled_for, created_at)
            select r.id, j.tenant_id, j.id, 'Api', 'bench', j.queue, j.priority, r.payload, now(), now()
            from {rows} r, {jobs} j
            returning id, tenant_id, job_id, queue, priority
        )
        insert into execution_queue (id, tenant_id, job_id, queue, state, priority, run_at)
        select id, tenant_id, job_id, queue, 0, priority, now() from new"
    )
}

/// One row a transaction, through `pgbench`; rows a second.
pub(crate) async fn one_by_one(database: &Database, count: u64, clients: usize) -> Result<f64, Failure> {
    database.run("create sequence bench_ids cache 1000").await?;
    let job = database.row("select id, tenant_id from jobs", &[]).await?;
    let (id, tenant): (Uuid, Uuid) = (job.get(0), job.get(1));
    let first = first_uuid_at(SystemClock.now()).to_string();
    let fixed = &first[..first.len() - DIGITS];
    let row = format!(
        "(select ('{fixed}' || lpad(to_hex(nextval('bench_ids')), {DIGITS}, '0'))::uuid as id,
            '{{\"i\": 1, \"t\": 0}}'::jsonb as payload)"
    );
    let job =
        format!("(select '{id}'::uuid as id, '{tenant}'::uuid as tenant_id, 'default' as queue, 0::int2 as priority)");
    database.pgbench(&format!("{};\n", insert(&row, &job)), clients, usize::try_from(count)?)
}

/// Arrays of 1000 by `unnest`, over two connections; rows a second.
pub(crate) async fn bulk(database: &Database, count: u64) -> Result<f64, Failure> {
    const CONNECTIONS: u64 = 2;
    let each = (count / BATCH / CONNECTIONS).max(1);
    let statement = insert("(select * from unnest($1::uuid[], $2::jsonb[]) as u (id, payload))", "jobs");
    let mut connections = Vec::new();
    for number in 0..CONNECTIONS {
        let client = database.connect().await?;
        let prepared = client.prepare(&statement).await?;
        connections.push((number, client, prepared));
    }
    let first_id = first_uuid_at(SystemClock.now()).as_u128();
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for (number, client, statement) in connections {
        tasks.spawn(async move {
            for batch in 0..each {
                let first = (number * each + batch) * BATCH;
                let ids: Vec<Uuid> =
                    (first..first + BATCH).map(|n| Uuid::from_u128(first_id + u128::from(n))).collect();
                let payloads: Vec<Value> = (first..first + BATCH).map(|n| json!({ "i": n, "t": 0 })).collect();
                client.execute(&statement, &[&ids, &payloads]).await?;
            }
            Ok::<_, tokio_postgres::Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok((each * CONNECTIONS * BATCH) as f64 / start.elapsed().as_secs_f64())
}
