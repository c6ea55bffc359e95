//! Both databases pass the suite that every store must pass.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that panics is a test that failed

mod common;

use std::sync::Arc;

use common::{PostgresDatabase, SqliteFile};
use horarium_store_conformance::{Harness, suite};

async fn sqlite() -> Harness {
    let file = SqliteFile::new();
    let (first, second) = (file.store().await, file.store().await);
    first.migrate().await.expect("the migrations run");
    Harness::two(Arc::new(first), Arc::new(second)).with_guard(file)
}

async fn postgres() -> Harness {
    let database = PostgresDatabase::migrated().await.expect("the tests on PostgreSQL are not switched off");
    let (first, second) = (database.store().await, database.store().await);
    Harness::two(Arc::new(first), Arc::new(second)).with_signals().with_guard(database)
}

suite!(on_sqlite, sqlite);
suite!(on_postgres, postgres);
