//! The schema, embedded: the migrations of `migrations/`, and running them.

use diesel::connection::Connection;
use diesel::migration::{MigrationSource, Result as MigrationResult};
use diesel::pg::Pg;
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel::{QueryableByName, sql_query, sql_types};
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use horarium_domain::store::StoreError;

use crate::conn::{Conn, on};
use crate::error::{About, Fault, unavailable};
use crate::sqlite::{Access, open};
use crate::store::{Database, SqlStore};

const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// The advisory lock of a migrating node; any number that no other program on the database uses.
const LOCK: i64 = 0x686f_7261_7269_756d; // "horarium"

/// Runs what is missing, in one transaction under a lock; answers the names of what was run.
pub(crate) async fn run(database: &Database) -> Result<Vec<String>, StoreError> {
    match database {
        Database::Postgres(database) => {
            let connection = database.dedicated().await?;
            blocking(move || run_on_postgres(connection)).await
        }
        Database::Sqlite(database) => {
            let _turn = database.gate().enter().await;
            let path = database.path().to_owned();
            blocking(move || {
                let mut connection = open(&path, Access::Write).map_err(unavailable)?;
                run_on_sqlite(&mut connection)
            })
            .await
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(unavailable)?
}

fn run_on_postgres(connection: AsyncPgConnection) -> Result<Vec<String>, StoreError> {
    let mut connection = AsyncConnectionWrapper::<AsyncPgConnection>::from(connection);
    connection
        .transaction(|c| {
            // Of the transaction, not of the session: it also holds behind a pooler, and cannot be left behind.
            diesel::RunQueryDsl::execute(sql_query(format!("select pg_advisory_xact_lock({LOCK})")), c)?;
            named(c.run_pending_migrations(POSTGRES))
        })
        .map_err(MigrationFault::into_error)
}

fn run_on_sqlite(connection: &mut SqliteConnection) -> Result<Vec<String>, StoreError> {
    connection.exclusive_transaction(|c| named(c.run_pending_migrations(SQLITE))).map_err(MigrationFault::into_error)
}

fn named(
    versions: MigrationResult<Vec<diesel::migration::MigrationVersion<'_>>>,
) -> Result<Vec<String>, MigrationFault> {
    versions
        .map(|versions| versions.iter().map(ToString::to_string).collect())
        .map_err(|error| MigrationFault(format!("a migration failed: {error}")))
}

/// What ends the transaction of the migrations.
struct MigrationFault(String);

impl MigrationFault {
    fn into_error(self) -> StoreError {
        StoreError::Internal(self.0)
    }
}

impl From<diesel::result::Error> for MigrationFault {
    fn from(error: diesel::result::Error) -> Self {
        Self(format!("the transaction of the migrations failed: {error}"))
    }
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = sql_types::Text)]
    version: String,
}

#[derive(QueryableByName)]
struct Exists {
    #[diesel(sql_type = sql_types::Bool)]
    present: bool,
}

/// The versions that are missing. Versions that this program does not know are none of its business: during a rolling
/// update the older nodes keep working on the newer schema.
pub(crate) async fn pending(store: &SqlStore) -> Result<Vec<String>, StoreError> {
    store
        .read(async |conn| {
            let (known, journal) = match conn {
                Conn::Pg(_) => (
                    versions::<Pg>(&POSTGRES)?,
                    "select to_regclass('__diesel_schema_migrations') is not null as present",
                ),
                Conn::Lite(_) => (
                    versions::<Sqlite>(&SQLITE)?,
                    "select exists (select 1 from sqlite_master where name = '__diesel_schema_migrations') as present",
                ),
            };
            let present: Exists =
                on!(conn, c => sql_query(journal).get_result(c).await).about("__diesel_schema_migrations")?;
            if !present.present {
                return Ok(known);
            }
            let applied: Vec<Applied> =
                on!(conn, c => sql_query("select version from __diesel_schema_migrations").load(c).await)
                    .about("__diesel_schema_migrations")?;
            Ok(known.into_iter().filter(|known| !applied.iter().any(|row| row.version == *known)).collect())
        })
        .await
}

/// The versions that this program knows, oldest first.
fn versions<Db: diesel::backend::Backend>(source: &impl MigrationSource<Db>) -> Result<Vec<String>, Fault> {
    let migrations = source.migrations().map_err(|error| StoreError::Internal(error.to_string()))?;
    let mut versions: Vec<String> = migrations.iter().map(|migration| migration.name().version().to_string()).collect();
    versions.sort();
    Ok(versions)
}
