//! The migrations: fresh, again, at once; and the same schema on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that panics is a test that failed

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use common::{PostgresDatabase, SqliteFile, block_on, with_connection};
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use horarium_domain::store::{MaintenanceStore, StoreError};
use horarium_persistence::SqlStore;

async fn run_fresh_and_again(store: &SqlStore) {
    assert!(matches!(store.check().await, Err(StoreError::Unavailable(_))), "a store without a schema is not ready");
    let pending = store.pending_migrations().await.unwrap();
    assert!(!pending.is_empty());
    assert_eq!(store.migrate().await.unwrap(), pending);
    store.check().await.unwrap();
    assert!(store.pending_migrations().await.unwrap().is_empty());
    assert!(store.migrate().await.unwrap().is_empty(), "a second run has nothing to do");
}

#[test]
fn a_fresh_sqlite_file_gets_the_schema_once() {
    block_on(async {
        let file = SqliteFile::new();
        run_fresh_and_again(&file.store().await).await;
    });
}

#[test]
fn a_fresh_postgres_database_gets_the_schema_once() {
    block_on(async {
        let Some(database) = PostgresDatabase::empty().await else { return };
        run_fresh_and_again(&database.store().await).await;
    });
}

/// Of two nodes that start at once, one migrates and the other finds it done.
async fn run_at_once(first: SqlStore, second: SqlStore) {
    let (a, b) = tokio::join!(first.migrate(), second.migrate());
    let (a, b) = (a.unwrap(), b.unwrap());
    assert!(a.is_empty() != b.is_empty(), "{a:?} and {b:?}");
    first.check().await.unwrap();
    second.check().await.unwrap();
}

#[test]
fn two_processes_may_migrate_one_sqlite_file_at_once() {
    block_on(async {
        let file = SqliteFile::new();
        run_at_once(file.store().await, file.store().await).await;
    });
}

#[test]
fn two_nodes_may_migrate_one_postgres_database_at_once() {
    block_on(async {
        let Some(database) = PostgresDatabase::empty().await else { return };
        run_at_once(database.store().await, database.store().await).await;
    });
}

#[test]
fn a_fresh_sqlite_file_is_ready_within_the_time_of_a_start() {
    block_on(async {
        let file = SqliteFile::new();
        let start = Instant::now();
        let store = file.store().await;
        store.migrate().await.unwrap();
        store.check().await.unwrap();
        // A start takes 300 ms at most, by a release build; this one is not, and shares its machine.
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    });
}

#[cfg(unix)]
#[test]
fn only_its_owner_reads_a_sqlite_file_and_its_log() {
    use std::os::unix::fs::PermissionsExt;
    block_on(async {
        let file = SqliteFile::new();
        let store = file.store().await;
        store.migrate().await.unwrap();
        let folder = file.path().parent().unwrap().to_owned();
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
        }
    });
}

/// What was there before the history was kept by days: of the past, and of a clock that is far ahead.
const BEFORE_DAYS: &str = "
    insert into executions (id, tenant_id, job_id, trigger, triggered_by, queue, priority, scheduled_for, created_at)
    select id::uuid, gen_random_uuid(), gen_random_uuid(), 'Api', 'test', 'default', 0, now(), now()
    from (values ('01980000-0000-7000-8000-000000000001'), ('ffffffff-0000-7000-8000-000000000001')) as v (id);
    insert into execution_events (execution_id, tenant_id, job_id, at, kind, attempt, source, message)
    select id, tenant_id, job_id, now(), 'AttemptFailed', 1, 'test', '' from executions;
    insert into late_ends (tenant_id, completed_at, execution_id)
    select tenant_id, at, id from executions cross join (values (now()), (now() + interval '9 days')) as v (at);
    insert into callbacks (execution_id, tenant_id) select id, tenant_id from executions;";

#[test]
fn what_there_was_before_the_history_was_kept_by_days_is_kept_and_more_can_be_added() {
    block_on(async {
        let Some(database) = PostgresDatabase::empty().await else { return };
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/postgres");
        let mut migrations: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().join("up.sql")).collect();
        migrations.sort();
        with_connection(&database.text(), async |client| {
            for migration in migrations {
                if migration.to_str().unwrap().contains("_days") {
                    client.batch_execute(BEFORE_DAYS).await.unwrap();
                }
                let migration = std::fs::read_to_string(migration).unwrap();
                client.batch_execute(&migration).await.unwrap();
            }
            client
                .batch_execute(
                    "insert into execution_events (execution_id, tenant_id, job_id, at, kind, attempt, source, message) \
                     select id, tenant_id, job_id, now(), 'AttemptFailed', 1, 'test', '' from executions",
                )
                .await
                .unwrap();
            for (table, rows) in [("executions", 2), ("execution_events", 4), ("late_ends", 4), ("callbacks", 2)] {
                let counted = client.query_one(&format!("select count(*) from {table}"), &[]).await.unwrap();
                assert_eq!(counted.get::<_, i64>(0), rows, "{table}");
            }
            let stray = client.query_one("select count(*) from executions_other", &[]).await.unwrap();
            assert_eq!(stray.get::<_, i64>(0), 1, "the past is a partition of its own, as it was");
        })
        .await;
    });
}

/// Columns by table: (name, may be null).
type Schema = BTreeMap<String, Vec<(String, bool)>>;

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = diesel::sql_types::Text)]
    of_table: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    name: String,
    #[diesel(sql_type = diesel::sql_types::Bool)]
    nullable: bool,
}

fn schema_of(columns: impl IntoIterator<Item = (String, String, bool)>) -> Schema {
    let mut schema = Schema::new();
    for (table, name, nullable) in columns {
        schema.entry(table).or_default().push((name, nullable));
    }
    for columns in schema.values_mut() {
        columns.sort();
    }
    schema
}

#[test]
fn both_databases_have_the_same_tables_and_columns() {
    block_on(async {
        let Some(database) = PostgresDatabase::migrated().await else { return };
        let file = SqliteFile::new();
        file.store().await.migrate().await.unwrap();

        let mut connection = SqliteConnection::establish(file.path().to_str().unwrap()).unwrap();
        diesel::sql_query("pragma busy_timeout = 10000").execute(&mut connection).unwrap();
        let columns: Vec<Column> = diesel::sql_query(
            "select t.name as of_table, c.name as name, c.\"notnull\" = 0 and c.pk = 0 as nullable \
             from sqlite_master t, pragma_table_info(t.name) c \
             where t.type = 'table' and t.name not like '\\_\\_%' escape '\\' and t.name not like 'sqlite%'",
        )
        .load(&mut connection)
        .unwrap();
        let on_sqlite = schema_of(columns.into_iter().map(|column| (column.of_table, column.name, column.nullable)));

        let rows = with_connection(&database.text(), async |client| {
            client
                .query(
                    "select table_name::text, column_name::text, is_nullable = 'YES' from information_schema.columns \
                     where table_schema = 'public' and table_name not like '\\_\\_%' \
                       and not (select relispartition from pg_class where oid = table_name::regclass)",
                    &[],
                )
                .await
                .unwrap()
        })
        .await;
        let mut on_postgres = schema_of(rows.into_iter().map(|row| (row.get(0), row.get(1), row.get(2))));
        // SQLite keeps nothing by days, so nobody has to agree on one.
        assert!(on_postgres.remove("retention").is_some());
        assert_eq!(on_sqlite, on_postgres);
    });
}
