//! Databases for tests, and things to store in them.
#![allow(dead_code, unused_imports)] // each test program uses its part
#![allow(clippy::expect_used)] // a test that panics is a test that failed

pub(crate) mod fixtures;

use std::future::Future;

pub(crate) use horarium_test_databases::{OPTIONS, PostgresDatabase, SqliteFile, with_connection};

/// Runs a test's future.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(future)
}
