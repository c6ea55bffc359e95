//! Databases for tests: a file in a temp folder, or a database of its own on the PostgreSQL of
//! `HORARIUM_TEST_POSTGRES_URL`. Both go away with the value that names them.
// A test whose database cannot be made is a test that failed.
#![allow(clippy::expect_used, clippy::missing_panics_doc)]

use std::sync::atomic::{AtomicU32, Ordering};

use horarium_persistence::{DatabaseOptions, DatabaseUrl, SqlStore};
use tempfile::TempDir;
use tokio_postgres::NoTls;

/// Small pools: tests run many stores at once.
pub const OPTIONS: DatabaseOptions =
    DatabaseOptions { connections: 4, hot_connections: 4, acquire_timeout: std::time::Duration::from_secs(30) };

/// A SQLite file that does not exist yet, in a folder of its own.
#[derive(Debug)]
pub struct SqliteFile {
    folder: TempDir,
}

impl Default for SqliteFile {
    fn default() -> Self {
        Self::new()
    }
}

impl SqliteFile {
    /// The name of such a file.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temp folder can be made") }
    }

    /// Where it will be.
    pub fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("data").join("horarium.db")
    }

    /// Its address.
    pub fn url(&self) -> DatabaseUrl {
        DatabaseUrl::sqlite_file(&self.path())
    }

    /// A store on it; not migrated by this.
    pub async fn store(&self) -> SqlStore {
        SqlStore::connect(&self.url(), &OPTIONS).await.expect("the file can be opened")
    }
}

/// A database on the test server, dropped at the end.
#[derive(Debug)]
pub struct PostgresDatabase {
    name: String,
    server: String,
}

static MADE: AtomicU32 = AtomicU32::new(0);

impl PostgresDatabase {
    /// An empty database; `None` when the tests on PostgreSQL are switched off.
    pub async fn empty() -> Option<Self> {
        Self::from_template("template1").await
    }

    /// A database with the present schema: the copy of one that was migrated once.
    pub async fn migrated() -> Option<Self> {
        let server = server()?;
        Self::from_template(&template(&server).await).await
    }

    async fn from_template(template: &str) -> Option<Self> {
        let server = server()?;
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("horarium_test_{}_{number}", std::process::id());
        execute(&server, &format!("create database {name} template {template}")).await;
        Some(Self { name, server })
    }

    /// Its address.
    pub fn url(&self) -> DatabaseUrl {
        self.text().parse().expect("the server's address with another database is an address")
    }

    /// The address as text, for connections of the test's own.
    pub fn text(&self) -> String {
        on_server(&self.server, &self.name)
    }

    /// A store on it; not migrated by this.
    pub async fn store(&self) -> SqlStore {
        SqlStore::connect(&self.url(), &OPTIONS).await.expect("the test server answers")
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        let statement = format!("drop database if exists {} with (force)", self.name);
        let server = self.server.clone();
        // On a thread of its own, since the test's runtime cannot be waited for from within.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(execute(&server, &statement));
        });
        if dropped.join().is_err() {
            eprintln!("the database {} is left on the test server", self.name);
        }
    }
}

/// The address of the test server, as a user who may create databases.
fn server() -> Option<String> {
    if std::env::var_os("HORARIUM_SKIP_POSTGRES").is_some_and(|value| value == "1") {
        eprintln!("skipped: HORARIUM_SKIP_POSTGRES=1");
        return None;
    }
    let Ok(server) = std::env::var("HORARIUM_TEST_POSTGRES_URL") else {
        panic!(
            "HORARIUM_TEST_POSTGRES_URL names no PostgreSQL server: run scripts/test, which starts one, or \
             scripts/pg run -- cargo test; HORARIUM_SKIP_POSTGRES=1 leaves these tests out"
        );
    };
    Some(server)
}

/// The name of the migrated database that others are copies of; made by whoever comes first, and kept for later runs.
async fn template(server: &str) -> String {
    let name = format!("horarium_template_{:016x}", fingerprint(&migrations()));
    // Of the session: other test programs wait here until the template is there.
    with_connection(server, async |client| {
        client.batch_execute("select pg_advisory_lock(7216342)").await.expect("the lock can be waited for");
        let exists = client
            .query_opt("select 1 from pg_database where datname = $1", &[&name])
            .await
            .expect("the server lists its databases");
        if exists.is_none() {
            let unfinished = format!("{name}_unfinished");
            for statement in
                [format!("drop database if exists {unfinished} with (force)"), format!("create database {unfinished}")]
            {
                client.batch_execute(&statement).await.expect("the test user may create databases");
            }
            let url: DatabaseUrl = on_server(server, &unfinished).parse().expect("an address");
            let store = SqlStore::connect(&url, &OPTIONS).await.expect("the test server answers");
            store.migrate().await.expect("the migrations run");
            drop(store);
            client
                .batch_execute(&format!(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{unfinished}'"
                ))
                .await
                .expect("the test user may end its own sessions");
            client
                .batch_execute(&format!("alter database {unfinished} rename to {name}"))
                .await
                .expect("nobody else uses the template");
        }
    })
    .await;
    name
}

/// The text of all migrations, so that a template is made anew when one is added.
fn migrations() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/postgres");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the migrations are there")
        .map(|entry| entry.expect("the folder can be read").path().join("up.sql"))
        .collect();
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).expect("each migration has its up.sql")).collect()
}

/// The same for the same text, in every process: FNV-1a.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The server's address with another database.
fn on_server(server: &str, database: &str) -> String {
    let (address, parameters) = server.split_once('?').map_or((server, String::new()), |(a, p)| (a, format!("?{p}")));
    let (host, _) = address.rsplit_once('/').expect("HORARIUM_TEST_POSTGRES_URL ends in /database");
    format!("{host}/{database}{parameters}")
}

async fn execute(server: &str, statement: &str) {
    with_connection(server, async |client| {
        client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    })
    .await;
}

/// Runs something on a connection of its own.
pub async fn with_connection<T>(url: &str, work: impl AsyncFnOnce(&tokio_postgres::Client) -> T) -> T {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the test server answers");
    let driver = tokio::spawn(connection);
    let answer = work(&client).await;
    drop(client);
    let _ = driver.await;
    answer
}
