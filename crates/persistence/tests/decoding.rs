//! A row that makes no sense is reported with its place, and left as it is. SQLite is where one can come from by hand.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that panics is a test that failed

mod common;

use common::fixtures::{self, NOW};
use common::{SqliteFile, block_on};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use horarium_domain::page::PageRequest;
use horarium_domain::store::{
    ApiKeyStore, ExecutionFilter, ExecutionStore, JobFilter, JobStore, QueueStore, StoreError, TenantStore,
};
use horarium_domain::tenant::{Tenant, TenantRef};
use horarium_persistence::SqlStore;

/// A migrated file with one tenant, one job and one key, and a hand on its rows.
struct Tampered {
    file: SqliteFile,
    store: SqlStore,
    tenant: Tenant,
    job: horarium_domain::job::Job,
    key: horarium_domain::api_key::ApiKeyRecord,
}

impl Tampered {
    async fn new() -> Self {
        let file = SqliteFile::new();
        let store = file.store().await;
        store.migrate().await.unwrap();
        let tenant = fixtures::tenant("acme");
        let (job, key) = (fixtures::job(&tenant, "nightly"), fixtures::api_key(&tenant));
        store.create_tenant(tenant.clone(), vec![(job.clone(), None)]).await.unwrap();
        store.create_key(key.clone()).await.unwrap();
        Self { file, store, tenant, job, key }
    }

    fn run(&self, statement: &str) {
        let mut connection = SqliteConnection::establish(self.file.path().to_str().unwrap()).unwrap();
        connection
            .batch_execute(&format!("pragma busy_timeout = 10000; pragma ignore_check_constraints = on; {statement}"))
            .unwrap();
    }
}

#[track_caller]
fn assert_inconsistent<T: std::fmt::Debug>(
    answer: Result<T, StoreError>,
    expected_table: &str,
    expected_key: &str,
    expected_detail: &str,
) {
    match answer {
        Err(StoreError::Inconsistent { table, key, detail }) => {
            assert_eq!((table, key.as_str()), (expected_table, expected_key));
            assert!(detail.contains(expected_detail), "{detail}");
        }
        other => panic!("expected an inconsistent row, not {other:?}"),
    }
}

#[test]
fn a_job_that_makes_no_sense_is_named() {
    block_on(async {
        let tampered = Tampered::new().await;
        let (tenant, job) = (tampered.tenant.id, tampered.job.id);
        for (change, detail) in [
            ("job_type = 'Telepathy'", "job_type: 'Telepathy'"),
            ("configuration = '{}'", "configuration: "),
            ("schedule = '{\"scheduleType\":\"Cron\",\"scheduleExpression\":\"no\"}'", "schedule: "),
            ("misfire_policy = 'Shrug'", "misfire_policy: 'Shrug'"),
            ("retry_policy = '[]'", "retry_policy: "),
            ("timeout_seconds = -1", "timeout_seconds: "),
            ("tags = '{\"a\": 1}'", "tags: "),
            ("queue = 'not a queue'", "queue: "),
            ("concurrency_policy = 'Perhaps'", "concurrency_policy: 'Perhaps'"),
            ("max_concurrency = -1", "max_concurrency: "),
            ("running_limit = 5", "running_limit: "),
        ] {
            tampered.run("create table kept as select * from jobs");
            tampered.run(&format!("update jobs set {change}"));
            assert_inconsistent(tampered.store.job(tenant, job).await, "jobs", &job.to_string(), detail);
            let list = tampered.store.jobs(tenant, &JobFilter::default(), PageRequest::default()).await;
            assert_inconsistent(list, "jobs", &job.to_string(), detail);
            assert_inconsistent(tampered.store.definitions(&[job]).await, "jobs", &job.to_string(), detail);
            // Reading it changed nothing: put back, it is the job that it was.
            tampered.run(
                "update jobs set (job_type, configuration, schedule, misfire_policy, retry_policy, timeout_seconds, \
                     tags, queue, concurrency_policy, max_concurrency, running_limit) = \
                 (select job_type, configuration, schedule, misfire_policy, retry_policy, timeout_seconds, \
                     tags, queue, concurrency_policy, max_concurrency, running_limit from kept); drop table kept",
            );
            assert_eq!(tampered.store.job(tenant, job).await.unwrap().job, tampered.job);
        }
    });
}

#[test]
fn a_job_without_its_counters_is_named() {
    block_on(async {
        let tampered = Tampered::new().await;
        let (tenant, job) = (tampered.tenant.id, tampered.job.id);
        tampered.run("update job_counters set last_state = 2");
        let one = tampered.store.job(tenant, job).await;
        assert_inconsistent(one, "job_counters", &job.to_string(), "one without the other");
        tampered.run("delete from job_counters");
        assert_inconsistent(tampered.store.job(tenant, job).await, "job_counters", &job.to_string(), "missing");
    });
}

#[test]
fn a_value_that_is_of_no_type_is_named_with_its_table() {
    block_on(async {
        let tampered = Tampered::new().await;
        // 292,277 years after the epoch, and a document that is none.
        tampered.run("update tenants set created_at = 9223372036854775807; update api_keys set scopes = '[';");
        let tenant = tampered.store.tenant(&TenantRef::Id(tampered.tenant.id)).await;
        assert_inconsistent(tenant, "tenants", "unknown", "outside the years 0001 to 9999");
        assert_inconsistent(tampered.store.key(tampered.key.id).await, "api_keys", "unknown", "EOF");
    });
}

#[test]
fn a_tenant_a_key_and_a_queue_that_make_no_sense_are_named() {
    block_on(async {
        let tampered = Tampered::new().await;
        let tenant = tampered.tenant.id;
        tampered.run("update tenants set slug = 'Not A Slug'; update api_keys set secret_hash = x'00'");
        let found = tampered.store.tenant(&TenantRef::Id(tenant)).await;
        assert_inconsistent(found, "tenants", &tenant.to_string(), "slug: ");
        let key = tampered.key.id;
        assert_inconsistent(tampered.store.key(key).await, "api_keys", &key.to_string(), "secret_hash: ");
        tampered.run("insert into queues (tenant_id, name, max_length) select id, 'mail', -5 from tenants");
        let place = format!("{tenant}, mail");
        assert_inconsistent(tampered.store.queues(tenant, None, 10, NOW).await, "queues", &place, "max_length: ");
    });
}

#[test]
fn an_execution_that_makes_no_sense_is_named() {
    block_on(async {
        let tampered = Tampered::new().await;
        let tenant = tampered.tenant.id;
        tampered.run(
            "insert into executions (id, tenant_id, job_id, trigger, triggered_by, queue, priority, scheduled_for, \
                 created_at) \
             select x'0123456789abcdef0123456789abcdef', tenant_id, id, 'Api', 'alice', 'default', 0, 1, 1 from jobs",
        );
        let id = "01234567-89ab-cdef-0123-456789abcdef".parse().unwrap();
        let read = || tampered.store.execution(tenant, id);
        assert_inconsistent(read().await, "executions", &id.to_string(), "the queue does not hold it");
        let list = tampered.store.executions_before(tenant, &ExecutionFilter::default(), None, 10).await;
        assert_inconsistent(list, "executions", &id.to_string(), "the queue does not hold it");

        tampered.run(
            "insert into execution_queue (id, tenant_id, job_id, queue, state, priority, run_at) \
             select id, tenant_id, job_id, queue, 9, priority, created_at from executions",
        );
        assert_inconsistent(read().await, "execution_queue", &id.to_string(), "state: 9");
        tampered.run("update execution_queue set state = 0, attempt = -1");
        assert_inconsistent(read().await, "execution_queue", &id.to_string(), "attempt: ");
        tampered.run("update executions set state = 2");
        assert_inconsistent(read().await, "executions", &id.to_string(), "still holds it");
        tampered.run("delete from execution_queue; update executions set state = 1");
        assert_inconsistent(read().await, "executions", &id.to_string(), "1 is no terminal state");
        tampered.run("update executions set state = 2, trigger = 'Whim'");
        assert_inconsistent(read().await, "executions", &id.to_string(), "trigger: 'Whim'");
        tampered.run(
            "update executions set trigger = 'Api'; \
             insert into execution_events (seq, execution_id, tenant_id, job_id, at, kind, attempt, source, message) \
             select 4, id, tenant_id, job_id, 1, 'hiccup', 1, '', '' from executions",
        );
        assert_inconsistent(read().await, "execution_events", &format!("{id}, 4"), "kind: 'hiccup'");
    });
}
