//! The store: a database, and the two ways to it.

use std::sync::Arc;

use horarium_domain::store::StoreError;

use crate::address::{DatabaseUrl, Target};
use crate::hot::{HotStore, PostgresHot, SqliteHot};
use crate::migrations;
use crate::options::DatabaseOptions;
use crate::postgres::PostgresDatabase;
use crate::sqlite::SqliteDatabase;

/// Horarium's store on PostgreSQL or SQLite. It implements every port of [`horarium_domain::store`].
pub struct SqlStore {
    pub(crate) database: Database,
    pub(crate) hot: Arc<dyn HotStore>,
}

/// Which database, and its connections.
#[derive(Clone)]
pub(crate) enum Database {
    /// PostgreSQL.
    Postgres(Arc<PostgresDatabase>),
    /// SQLite.
    Sqlite(Arc<SqliteDatabase>),
}

impl SqlStore {
    /// Connects to the database; a SQLite file is made when it is not there. The schema is left as it is: see
    /// [`migrate`](Self::migrate).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database cannot be reached or opened.
    pub async fn connect(url: &DatabaseUrl, options: &DatabaseOptions) -> Result<Self, StoreError> {
        Ok(match &url.0 {
            Target::Postgres(config) => {
                let database = PostgresDatabase::connect((**config).clone(), options).await?;
                let hot = PostgresHot::new(database.hot().clone(), database.server().clone());
                Self { database: Database::Postgres(Arc::new(database)), hot: Arc::new(hot) }
            }
            Target::Sqlite(path) => {
                let database = SqliteDatabase::connect(path.clone(), options).await?;
                let hot = SqliteHot::start(database.path(), database.gate().clone())?;
                Self { database: Database::Sqlite(Arc::new(database)), hot: Arc::new(hot) }
            }
        })
    }

    /// Runs the migrations that the database lacks, under a lock, and answers their names. Any number of nodes may
    /// do so at once.
    ///
    /// # Errors
    /// [`StoreError::Internal`] names the migration that failed; the database is then as before.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        migrations::run(&self.database).await
    }

    /// The names of the migrations that the database lacks.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        migrations::pending(self).await
    }
}

impl std::fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.database {
            Database::Postgres(_) => f.write_str("SqlStore(PostgreSQL)"),
            Database::Sqlite(database) => write!(f, "SqlStore({})", database.path().display()),
        }
    }
}
