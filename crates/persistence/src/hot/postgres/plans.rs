//! The plans of the hot statements, and of those that lists read the history by, with statistics that are fresh, stale
//! and missing: by index, whatever the planner believes about the tables.

use horarium_domain::Timestamp;
use horarium_domain::id::first_uuid_at;
use tokio_postgres::NoTls;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::days::DAY;
use super::{
    aftermath, audit, callbacks, cancel, claim, counters, due, enqueue, fire, gated, held, insert, promote, prune,
    renew, settle,
};
use crate::executions::ids::looks_on_postgres;
use crate::options::DatabaseOptions;
use crate::postgres::{HISTORY_SETTINGS, PostgresDatabase};
use crate::store::SqlStore;

/// A statement, and the indexes that its plan must use.
const STATEMENTS: &[(&str, &str, &[&str])] = &[
    ("enqueue", insert::INSERT_NEW, &["jobs_pkey|jobs_by_tenant", "queues_pkey"]),
    (
        "enqueue: what may be there",
        insert::INSERT_ANY,
        &["jobs_pkey|jobs_by_tenant", "queues_pkey", "key_limits_pkey", "executions_*_pkey"],
    ),
    (
        "enqueue: why not",
        enqueue::EXPLAIN,
        &["executions_*_pkey", "jobs_pkey|jobs_by_tenant", "queues_pkey", "execution_queue_unique"],
    ),
    ("enqueue: lock lengths", enqueue::LOCK_LENGTHS, &["queues_pkey"]),
    (
        "claim",
        claim::CLAIM,
        &["execution_queue_ready", "executions_*_pkey", "jobs_pkey|jobs_by_tenant", "tenant_limits_pkey"],
    ),
    (
        "claim: go on",
        claim::CLAIM_ON,
        &["execution_queue_ready", "executions_*_pkey", "jobs_pkey|jobs_by_tenant", "tenant_limits_pkey"],
    ),
    ("claim: ready tenants", gated::READY_TENANTS, &["execution_queue_ready", "tenant_limits_pkey"]),
    (
        "claim: gated groups",
        gated::GATED_GROUPS,
        &["execution_queue_gated", "queues_pkey", "jobs_pkey|jobs_by_tenant", "tenant_limits_pkey", "key_limits_pkey"],
    ),
    ("claim: lock tenants", held::LOCK_TENANTS, &["tenant_limits_pkey"]),
    ("claim: lock queues", held::LOCK_QUEUES, &["queues_pkey"]),
    ("claim: lock jobs", held::LOCK_JOBS, &["jobs_pkey|jobs_by_tenant"]),
    ("claim: lock keys", held::LOCK_KEYS, &["key_limits_pkey"]),
    ("claim: running in queues", held::RUNNING_IN_QUEUES, &["execution_queue_leases"]),
    ("claim: running of jobs", held::RUNNING_OF_JOBS, &["execution_queue_by_job"]),
    ("claim: running of keys", held::RUNNING_OF_KEYS, &["execution_queue_by_key"]),
    (
        "claim: running of keys of jobs",
        held::RUNNING_OF_KEYS_OF_JOBS,
        &["execution_queue_by_key|execution_queue_by_job"],
    ),
    ("claim: tokens of tenants", held::SPEND_OF_TENANTS, &["tenant_limits_pkey"]),
    ("claim: tokens of queues", held::SPEND_OF_QUEUES, &["queues_pkey"]),
    ("claim: tokens of keys", held::SPEND_OF_KEYS, &["key_limits_pkey"]),
    ("claim: gated candidates", gated::GATED_CANDIDATES, &["execution_queue_gated"]),
    ("claim: ready candidates", gated::READY_CANDIDATES, &["execution_queue_ready"]),
    ("claim: lease", gated::LEASE, &["execution_queue_pkey", "executions_*_pkey", "jobs_pkey|jobs_by_tenant"]),
    ("settle: finish", settle::FINISH, &["execution_queue_pkey", "executions_*_pkey"]),
    ("settle: requeue", settle::REQUEUE, &["execution_queue_pkey"]),
    ("settle: counters", counters::COUNTERS, &["job_counters_pkey"]),
    ("settle: durations", counters::DURATIONS, &["job_counters_pkey"]),
    ("settle: rollups", counters::ROLLUPS, &["tenants_pkey"]),
    ("renew", renew::RENEW, &["execution_queue_pkey"]),
    ("expired", renew::EXPIRED, &["execution_queue_leases"]),
    ("progress", renew::NOTE_PROGRESS, &["execution_queue_pkey"]),
    ("promote", promote::PROMOTE, &["execution_queue_waiting", "execution_queue_pkey"]),
    ("promote: next", promote::NEXT, &["execution_queue_waiting"]),
    ("cancel", cancel::TAKE_ONE, &["execution_queue_pkey"]),
    ("cancel: live of jobs", cancel::TAKE_LIVE, &["execution_queue_by_job", "execution_queue_pkey"]),
    ("cancel: end", cancel::END, &["executions_*_pkey"]),
    ("fire: due", due::DUE, &["job_slots_due", "tenants_pkey"]),
    ("fire: lock due", due::LOCK_DUE, &["job_slots_due", "tenants_pkey"]),
    ("fire: definitions", due::DEFINITIONS, &["jobs_pkey|jobs_by_tenant"]),
    ("fire: advance", fire::ADVANCE, &["job_slots_pkey"]),
    ("fire: end", fire::END, &["job_slots_pkey"]),
    ("fire: live", fire::LIVE, &["execution_queue_by_job"]),
    ("aftermath: due", aftermath::DUE, &["callbacks_pkey"]),
    ("audit: append", audit::APPEND, &[]),
    ("callbacks: flag", callbacks::FLAG, &["execution_queue_pkey"]),
    ("callbacks: take", callbacks::TAKE, &["callbacks_pkey"]),
    ("callbacks: correct", callbacks::CORRECT, &["callbacks_pkey"]),
    ("prune: callbacks", prune::DELETE_CALLBACKS, &["callbacks_pkey"]),
    ("prune: tasks", prune::DELETE_TASKS, &["agent_tasks_execution_id_slot_key|agent_tasks_open"]),
    ("prune: late ends", prune::DELETE_LATE, &["late_ends_*_pkey"]),
    ("prune", prune::DELETE, &["executions_*_pkey"]),
];

/// Those that want the first entry of an index, or all of one that holds only what runs.
const FULL_SCANS: &[&str] =
    &["promote: next", "claim: running in queues", "claim", "claim: ready tenants", "claim: gated groups"];

/// 2025-11-22T12:00:00Z. The executions of [`FILL`] were accepted on this day, on those that are prepared with it, and
/// on the one after.
const NOW: Timestamp = Timestamp::from_seconds(1_763_812_800);

/// Rows as a busy database has them: thousands wait, hundreds run, many are over.
const FILL: &str = "
    insert into tenants (id, slug, name, created_at)
    select gen_random_uuid(), 'tenant-' || n, 'Tenant', now() from generate_series(1, 5) n;
    insert into jobs (id, tenant_id, name, job_type, configuration, schedule, misfire_policy, retry_policy,
        timeout_seconds, is_enabled, tags, queue, priority, concurrency_policy, created_at, updated_at, version)
    select gen_random_uuid(), t.id, 'job-' || n, 'CodeExecution', '{}', '{}', 'Skip', '{}', 60, true, '[]', 'default',
        0, 'Allow', now(), now(), 1
    from tenants t cross join generate_series(1, 40) n;
    insert into queues (tenant_id, name, max_concurrency, gated)
    select t.id, 'limited-' || n, n, true from tenants t cross join generate_series(1, 10) n;
    insert into tenant_limits (tenant_id, weight, max_concurrency, gated) select id, 100, 10, true from tenants;
    insert into key_limits (tenant_id, key, max_concurrency)
    select t.id, 'key-' || n, n from tenants t cross join generate_series(1, 40) n;
    insert into job_counters (job_id, tenant_id) select id, tenant_id from jobs;
    insert into job_slots (job_id, tenant_id, next_run_at)
    select id, tenant_id, now() + random() * interval '1 day' from jobs;
    insert into executions (id, tenant_id, job_id, trigger, triggered_by, queue, priority, scheduled_for, created_at,
        state, completed_at)
    select overlay(replace(gen_random_uuid()::text, '-', '')
            placing lpad(to_hex(1763812800000 + n % 9 * 86400000::int8), 12, '0') || '7' from 1 for 13)::uuid,
        j.tenant_id, j.id, 'Api', 'test', 'default', 0, now(), now(),
        case when n <= 30 then 0 else 2 end, case when n > 30 then now() end
    from jobs j cross join generate_series(1, 100) n;
    insert into execution_queue (id, tenant_id, job_id, queue, state, priority, run_at, lease_until, concurrency_key)
    select id, tenant_id, job_id, queue, case when random() < 0.1 then 1 else 0 end, 0, now(), now(),
        case when random() < 0.2 then 'key-' || (random() * 40)::int end
    from executions where state = 0;
    insert into callbacks (execution_id, tenant_id, url, due_at)
    select id, tenant_id, 'https://example.com/', completed_at from executions;
    insert into late_ends (tenant_id, completed_at, execution_id)
    select tenant_id, completed_at, id from executions where state <> 0;";

#[tokio::test]
async fn hot_statements_and_lists_go_by_index_whatever_the_statistics_say() {
    let Some(server) = test_server() else { return };
    let name = format!("horarium_plans_{}", std::process::id());
    administer(&server, &format!("create database {name}")).await;
    let url = on_database(&server, &name);
    let failures = explain_all(&url).await;
    administer(&server, &format!("drop database {name} with (force)")).await;
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

async fn explain_all(url: &str) -> Vec<String> {
    let store = SqlStore::connect(&url.parse().unwrap(), &DatabaseOptions::default()).await.unwrap();
    store.migrate().await.unwrap();
    store.hot.prepare_history(NOW).await.unwrap();
    drop(store);
    let database = PostgresDatabase::connect(url.parse().unwrap(), &DatabaseOptions::default()).await.unwrap();
    // A connection of the pool: planner settings are part of what is tested.
    let client = database.hot().get().await.unwrap();
    let reader = database.hot().get().await.unwrap();
    reader.batch_execute(&format!("reset all; {HISTORY_SETTINGS}")).await.unwrap();
    let mut failures = Vec::new();
    let steps = [
        ("never analyzed", ""),
        // Plans made on empty tables that were analyzed are not looked at: they may read the tables as a whole, and
        // are thrown away within seconds of their being filled (`replan`).
        ("filled since the last analyze", &format!("analyze; {FILL}")),
        ("freshly analyzed", "analyze"),
        ("emptied, and not analyzed since", "delete from execution_queue"),
    ];
    for (statistics, step) in steps {
        client.batch_execute(step).await.unwrap();
        for (what, sql, indexes) in STATEMENTS {
            let parameters = client.prepare(sql).await.unwrap().params().len();
            let nulls = vec!["null"; parameters].join(", ");
            let arguments = if parameters == 0 { String::new() } else { format!("({nulls})") };
            client.batch_execute(&format!("prepare hot as {sql}")).await.unwrap();
            let rows = client.query(&format!("explain execute hot{arguments}"), &[]).await.unwrap();
            client.batch_execute("deallocate hot").await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            let plan = plan.join("\n");
            let problems = problems(&plan, indexes, FULL_SCANS.contains(what));
            if !problems.is_empty() {
                failures.push(format!("{what}, {statistics}: {}\n{plan}", problems.join(", ")));
            }
        }
        failures.extend(explain_lists(&reader, statistics).await);
    }
    failures.extend(days_visited(&client).await);
    failures
}

/// Where a list does not read an index in its order, day by day, up to where it is full.
async fn explain_lists(reader: &tokio_postgres::Client, statistics: &str) -> Vec<String> {
    let mut failures = Vec::new();
    for (what, sql) in looks_on_postgres() {
        let index = match (what.contains("job's"), what.contains("failures")) {
            (false, false) => "_pkey on executions_",
            (true, false) => "_job_id_id_idx on executions_",
            (false, true) => "_tenant_id_ended_otherwise_id_idx on executions_",
            (true, true) => "_job_id_ended_otherwise_id_idx on executions_",
        };
        // The ids that come after a span are its bounds; those before are whose executions are looked for.
        let mut bounds = vec![first_uuid_at(NOW + 2 * DAY), first_uuid_at(NOW)];
        let mut in_a_span = false;
        let statement = reader.prepare(&sql).await.unwrap();
        let arguments = statement.params().iter().map(|parameter| match *parameter {
            Type::UUID if in_a_span => format!("'{}'", bounds.pop().unwrap()),
            Type::UUID => format!("'{}'", Uuid::nil()),
            Type::TIMESTAMPTZ => {
                in_a_span = true;
                format!("'{NOW}'")
            }
            _ => "50".to_owned(),
        });
        let arguments = arguments.collect::<Vec<_>>().join(", ");
        reader.batch_execute(&format!("prepare list as {sql}")).await.unwrap();
        let rows = reader.query(&format!("explain execute list({arguments})"), &[]).await.unwrap();
        reader.batch_execute("deallocate list").await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let mut scans = plan.iter().filter(|line| line.contains(" on executions_"));
        let in_order = |line: &String| line.contains(" Backward using executions_") && line.contains(index);
        if plan.iter().any(|line| line.contains("Sort  (")) || scans.clone().count() == 0 || !scans.all(in_order) {
            failures.push(format!("list: {what}, {statistics}\n{}", plan.join("\n")));
        }
    }
    failures
}

/// Where an execution is not looked for in its own day alone.
async fn days_visited(client: &tokio_postgres::Client) -> Vec<String> {
    let id = format!("'{}'::uuid", first_uuid_at(NOW));
    let lookups = [
        ("cancel: state", cancel::STATE, format!("{id}, {id}")),
        (
            "enqueue: why not",
            enqueue::EXPLAIN,
            format!("array[{id}], array[{id}], array[{id}], array['default'], array['key']"),
        ),
    ];
    let mut failures = Vec::new();
    for (what, sql, arguments) in lookups {
        client.batch_execute(&format!("prepare hot as {sql}")).await.unwrap();
        let explain = format!("explain (analyze, costs off, timing off) execute hot({arguments})");
        let rows = client.query(&explain, &[]).await.unwrap();
        client.batch_execute("deallocate hot").await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let visited = plan.iter().filter(|line| line.contains(" on executions_") && !line.contains("never executed"));
        let visited: Vec<_> = visited.collect();
        if !matches!(visited[..], [day] if day.contains(" on executions_20251122 ")) {
            failures.push(format!("{what} visits other days\n{}", plan.join("\n")));
        }
    }
    failures
}

/// What is wrong with a plan.
fn problems(plan: &str, indexes: &[&str], may_scan_in_full: bool) -> Vec<String> {
    let unwanted = [
        "Sort Key: q.priority",
        "Sort Key: s.next_run_at",
        "Seq Scan",
        "Hash Join",
        "Merge Join",
        "Hash Semi",
        "Hash Anti",
        "Materialize",
    ];
    let mut problems: Vec<String> =
        unwanted.iter().filter(|node| plan.contains(**node)).map(|node| format!("has a {node}")).collect();
    let lines: Vec<&str> = plan.lines().collect();
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| line.contains("Scan using ")) {
        let condition = lines[number + 1..].iter().find(|next| next.contains("Index Cond:") || next.contains("->"));
        let condition = condition.copied().filter(|next| next.contains("Index Cond:"));
        if condition.is_none() && !may_scan_in_full {
            problems.push(format!("reads a whole index: {}", line.trim()));
        }
        // Its first column is the tenant: without it, the condition is checked entry by entry.
        let by_tenant = line.contains("_by_tenant on ") || line.contains("_pkey on executions_");
        if by_tenant && condition.is_some_and(|condition| !condition.contains("tenant_id")) {
            problems.push(format!("reads all tenants: {}", line.trim()));
        }
    }
    // The index of a partition is named after the partition.
    let uses = |index: &str| {
        let index = format!("{index} ");
        let (start, end) = index.split_once('*').unwrap_or((&index, ""));
        let scans = [format!("using {start}"), format!("Scan on {start}")];
        lines.iter().any(|line| line.contains(end) && scans.iter().any(|scan| line.contains(scan.as_str())))
    };
    let ignored = indexes.iter().filter(|either| !either.split('|').any(uses));
    problems.extend(ignored.map(|index| format!("ignores {index}")));
    problems
}

pub(super) fn test_server() -> Option<String> {
    if std::env::var_os("HORARIUM_SKIP_POSTGRES").is_some_and(|value| value == "1") {
        return None;
    }
    Some(std::env::var("HORARIUM_TEST_POSTGRES_URL").expect("scripts/pg run -- cargo test starts a server"))
}

pub(super) fn on_database(server: &str, name: &str) -> String {
    let (host, _) = server.rsplit_once('/').expect("the URL ends in /database");
    format!("{host}/{name}")
}

pub(super) async fn administer(server: &str, statement: &str) {
    let (client, connection) = tokio_postgres::connect(server, NoTls).await.expect("the test server answers");
    tokio::spawn(connection);
    client.batch_execute(statement).await.unwrap();
}
