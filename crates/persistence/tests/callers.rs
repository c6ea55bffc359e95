//! What callers may do to a store: go away in the middle, come all at once, bring text that no database keeps.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that panics is a test that failed

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::fixtures::{self, NOW};
use common::{PostgresDatabase, SqliteFile, block_on};
use horarium_domain::page::PageRequest;
use horarium_domain::store::{Conflict, JobFilter, JobStore, StoreError, TenantStore};
use horarium_domain::tenant::Tenant;
use horarium_persistence::SqlStore;

async fn on_sqlite() -> (SqlStore, SqliteFile) {
    let file = SqliteFile::new();
    let store = file.store().await;
    store.migrate().await.unwrap();
    (store, file)
}

async fn with_tenant(store: &SqlStore) -> Tenant {
    let tenant = fixtures::tenant("acme");
    store.create_tenant(tenant.clone(), Vec::new()).await.unwrap();
    tenant
}

async fn count_jobs(store: &SqlStore, tenant: &Tenant) -> u64 {
    store.jobs(tenant.id, &JobFilter::default(), PageRequest::default()).await.unwrap().total
}

/// Imports that are dropped at any point leave all or nothing, and a store that works on.
async fn drop_imports_half_way(store: SqlStore) {
    let tenant = with_tenant(&store).await;
    let mut expected = 0;
    for round in 0..20_u64 {
        let jobs = (0..20).map(|n| (fixtures::job(&tenant, &format!("{round}-{n}")), Some(NOW))).collect();
        let import = store.import_jobs(jobs, false);
        if tokio::time::timeout(Duration::from_micros(300 * round), import).await.is_ok() {
            expected += 20;
        }
        let stored = count_jobs(&store, &tenant).await;
        // The commit may have been under way when its caller left.
        assert!(stored == expected || stored == expected + 20, "{stored} jobs, {expected} expected");
        expected = stored;
        store.create_job(fixtures::job(&tenant, &format!("after {round}")), None).await.unwrap();
        expected += 1;
    }
}

#[test]
fn a_caller_of_sqlite_that_goes_away_leaves_nothing_half_done() {
    block_on(async {
        let (store, _file) = on_sqlite().await;
        drop_imports_half_way(store).await;
    });
}

#[test]
fn a_caller_of_postgres_that_goes_away_leaves_nothing_half_done() {
    block_on(async {
        let Some(database) = PostgresDatabase::migrated().await else { return };
        drop_imports_half_way(database.store().await).await;
    });
}

/// Every one of many writers at once is served, and one name goes to one of them.
async fn write_all_at_once(store: SqlStore) {
    let tenant = with_tenant(&store).await;
    let store = Arc::new(store);
    let writers: Vec<_> = (0..40)
        .map(|n| {
            let (store, job) = (Arc::clone(&store), fixtures::job(&tenant, &format!("job {}", n % 20)));
            tokio::spawn(async move { store.create_job(job, None).await })
        })
        .collect();
    let (mut made, mut taken) = (0, 0);
    for writer in writers {
        match writer.await.unwrap() {
            Ok(()) => made += 1,
            Err(StoreError::Conflict(Conflict::NameTaken)) => taken += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((made, taken), (20, 20));
    assert_eq!(count_jobs(&store, &tenant).await, 20);
}

#[test]
fn many_writers_of_sqlite_wait_for_each_other() {
    block_on(async {
        let (store, _file) = on_sqlite().await;
        write_all_at_once(store).await;
    });
}

#[test]
fn many_writers_of_postgres_wait_for_each_other() {
    block_on(async {
        let Some(database) = PostgresDatabase::migrated().await else { return };
        write_all_at_once(database.store().await).await;
    });
}

#[test]
fn two_processes_on_one_sqlite_file_wait_for_each_other() {
    block_on(async {
        let (store, file) = on_sqlite().await;
        let tenant = with_tenant(&store).await;
        let stores = [Arc::new(store), Arc::new(file.store().await)];
        let writers: Vec<_> = (0..40)
            .map(|n| {
                let (store, job) = (Arc::clone(&stores[n % 2]), fixtures::job(&tenant, &format!("job {n}")));
                tokio::spawn(async move { store.create_job(job, None).await })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap().unwrap();
        }
        assert_eq!(count_jobs(&stores[0], &tenant).await, 40);
    });
}

/// PostgreSQL keeps no NUL; what holds one is stored with U+FFFD in its place, and found by either spelling.
async fn store_a_nul(store: SqlStore) {
    let tenant = with_tenant(&store).await;
    let mut job = fixtures::job(&tenant, "night\0ly");
    job.spec.description = Some("\0".to_owned());
    job.spec.tags = vec!["a\0b".to_owned()];
    store.create_job(job.clone(), None).await.unwrap();
    let found = store.job_by_name(tenant.id, "night\0ly").await.unwrap().job;
    assert_eq!(found.spec.name, "night\u{FFFD}ly");
    assert_eq!(found.spec.tags, ["a\u{FFFD}b"]);
    for filter in [
        JobFilter { tag: Some("a\0b".to_owned()), ..JobFilter::default() },
        JobFilter { search: Some("T\0L".to_owned()), ..JobFilter::default() },
    ] {
        assert_eq!(store.jobs(tenant.id, &filter, PageRequest::default()).await.unwrap().total, 1);
    }
}

#[test]
fn text_with_a_nul_is_kept_by_both() {
    block_on(async {
        let (store, _file) = on_sqlite().await;
        store_a_nul(store).await;
        let Some(database) = PostgresDatabase::migrated().await else { return };
        store_a_nul(database.store().await).await;
    });
}

#[test]
fn a_server_that_is_not_there_is_told_at_once() {
    block_on(async {
        let url = "postgres://nobody@127.0.0.1:1/nothing".parse().unwrap();
        let error = SqlStore::connect(&url, &common::OPTIONS).await.unwrap_err();
        assert!(matches!(&error, StoreError::Unavailable(text) if text.contains("refused")), "{error}");
    });
}

#[test]
fn a_folder_that_cannot_be_made_is_told_at_once() {
    block_on(async {
        let url = "sqlite:///dev/null/horarium.db".parse().unwrap();
        let error = SqlStore::connect(&url, &common::OPTIONS).await.unwrap_err();
        assert!(matches!(&error, StoreError::Unavailable(text) if text.contains("/dev/null")), "{error}");
    });
}
