//! The connections to one SQLite file.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use diesel::sqlite::SqliteConnection;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::sync_connection_wrapper::{SpawnBlocking, SyncConnectionWrapper};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, TryFutureExt};
use horarium_domain::store::StoreError;

use super::WriteGate;
use super::open::{Access, create, open};
use crate::error::{no_connection, unavailable};
use crate::options::DatabaseOptions;

/// A connection as diesel-async uses it: each statement runs on the blocking pool.
pub(crate) type Lite = SyncConnectionWrapper<SqliteConnection, BlockingPool>;

/// Tokio's blocking pool, where a statement whose caller goes away is left to end by itself; nobody uses its connection
/// again ([`Loan`](crate::conn::Loan)). What diesel-async would do is wait for it while the caller is dropped, which
/// panics on a runtime of one thread, as those are that serve HTTP.
pub(crate) struct BlockingPool;

impl SpawnBlocking for BlockingPool {
    fn spawn_blocking<'a, R>(
        &mut self,
        task: impl FnOnce() -> R + Send + 'static,
    ) -> BoxFuture<'a, Result<R, Box<dyn Error + Send + Sync>>>
    where
        R: Send + 'static,
    {
        tokio::task::spawn_blocking(task).map_err(Box::from).boxed()
    }

    fn get_runtime() -> Self {
        Self
    }
}

/// One SQLite file: a few readers, the one ordinary writer, and the gate that it shares with the hot path's.
pub(crate) struct SqliteDatabase {
    path: Arc<Path>,
    gate: WriteGate,
    readers: Pool<Lite>,
    writer: Pool<Lite>,
    acquire_timeout: Duration,
}

impl SqliteDatabase {
    /// Opens the file, which is made if it is not there.
    pub(crate) async fn connect(path: PathBuf, options: &DatabaseOptions) -> Result<Self, StoreError> {
        let path: Arc<Path> = path.into();
        let database = Self {
            gate: WriteGate::default(),
            readers: pool(&path, Access::Read, options.connections)?,
            writer: pool(&path, Access::Write, 1)?,
            path: Arc::clone(&path),
            acquire_timeout: options.acquire_timeout,
        };
        tokio::task::spawn_blocking(move || create(&path).map_err(|error| format!("{}: {error}", path.display())))
            .await
            .map_err(unavailable)?
            .map_err(StoreError::Unavailable)?;
        // The first writer turns the file to WAL, before any reader looks at it.
        drop(database.writer.get().await.map_err(no_connection)?);
        Ok(database)
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whose turn it is to write.
    pub(crate) fn gate(&self) -> &WriteGate {
        &self.gate
    }

    /// A connection that reads.
    pub(crate) async fn reader(&self) -> Result<Object<Lite>, StoreError> {
        tokio::time::timeout(self.acquire_timeout, self.readers.get())
            .await
            .map_err(|_| StoreError::Unavailable("every reader of the SQLite file is busy".to_owned()))?
            .map_err(no_connection)
    }

    /// The ordinary connection that writes; enter the gate first.
    pub(crate) async fn writer(&self) -> Result<Object<Lite>, StoreError> {
        self.writer.get().await.map_err(no_connection)
    }
}

fn pool(path: &Arc<Path>, access: Access, size: usize) -> Result<Pool<Lite>, StoreError> {
    let path = Arc::clone(path);
    let mut config = ManagerConfig::<Lite>::default();
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |_| {
        let path = Arc::clone(&path);
        async move {
            tokio::task::spawn_blocking(move || open(&path, access))
                .await
                .map_err(|error| diesel::ConnectionError::BadConnection(error.to_string()))?
                .map(Lite::new)
        }
        .boxed()
    });
    let manager = AsyncDieselConnectionManager::new_with_config("", config);
    Pool::builder(manager).max_size(size.max(1)).build().map_err(unavailable)
}

#[cfg(test)]
mod tests {
    use diesel_async::SimpleAsyncConnection;

    use super::*;
    use crate::conn::{Conn, Loan};

    #[tokio::test(flavor = "current_thread")]
    async fn a_caller_that_goes_away_halfway_leaves_the_others_their_connections() {
        let folder = tempfile::tempdir().unwrap();
        let options = DatabaseOptions { connections: 1, ..DatabaseOptions::default() };
        let database = SqliteDatabase::connect(folder.path().join("store.db"), &options).await.unwrap();
        let mut loan = Loan::new(Conn::Lite(database.reader().await.unwrap()));
        let Conn::Lite(reader) = &mut *loan else { unreachable!() };
        let long =
            "with recursive n (i) as (select 1 union all select i + 1 from n where i < 1000000) select max(i) from n";
        assert!(reader.batch_execute(long).now_or_never().is_none(), "it ended at once");
        drop(loan);
        database.reader().await.unwrap().batch_execute("select 1").await.unwrap();
    }
}
