//! How every ordinary method of the store reaches its database: [`SqlStore::read`] and [`SqlStore::write`].

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection, TransactionManager};
use horarium_domain::store::StoreError;

use crate::conn::{Conn, Loan};
use crate::error::{About, Fault};
use crate::postgres::{HISTORY_RESET, HISTORY_SETTINGS};
use crate::store::{Database, SqlStore};

/// How often a transaction that lost against another one is tried.
const TRIES: u32 = 6;

/// An async closure whose future may move between threads. The standard library cannot say the latter yet.
pub(crate) trait Work<T, R>: AsyncFn(T) -> R + Fn(T) -> <Self as Work<T, R>>::Future {
    /// What it returns.
    type Future: Future<Output = R>;
}

impl<F, T, Fut, R> Work<T, R> for F
where
    F: AsyncFn(T) -> R + Fn(T) -> Fut,
    Fut: Future<Output = R>,
{
    type Future = Fut;
}

impl SqlStore {
    /// Runs statements that only read. Each sees what was committed when it began.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        for<'c> F: AsyncFn(&'c mut Conn) -> Result<T, Fault> + Work<&'c mut Conn, Result<T, Fault>, Future: Send>,
        F: Send + Sync,
        T: Send,
    {
        let mut loan = self.reader().await?;
        let answer = work(&mut loan).await;
        if keeps_connection(&answer) {
            loan.give_back();
        }
        answer.map_err(Fault::into_error)
    }

    /// The same for lists of the history: on PostgreSQL, each statement has one plan, whatever its arguments.
    pub(crate) async fn read_history<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        for<'c> F: AsyncFn(&'c mut Conn) -> Result<T, Fault> + Work<&'c mut Conn, Result<T, Fault>, Future: Send>,
        F: Send + Sync,
        T: Send,
    {
        let mut loan = self.reader().await?;
        tell(&mut loan, HISTORY_SETTINGS).await.map_err(Fault::into_error)?;
        let answer = work(&mut loan).await;
        if keeps_connection(&answer) && tell(&mut loan, HISTORY_RESET).await.is_ok() {
            loan.give_back();
        }
        answer.map_err(Fault::into_error)
    }

    async fn reader(&self) -> Result<Loan, StoreError> {
        Ok(Loan::new(match &self.database {
            Database::Postgres(database) => Conn::Pg(database.connection().await?),
            Database::Sqlite(database) => Conn::Lite(database.reader().await?),
        }))
    }

    /// Runs statements as one transaction, again when it loses against another one. `work` must therefore touch
    /// nothing but the connection.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        for<'c> F: AsyncFn(&'c mut Conn) -> Result<T, Fault> + Work<&'c mut Conn, Result<T, Fault>, Future: Send>,
        F: Send + Sync,
        T: Send,
    {
        let mut tried = 1;
        loop {
            match self.write_once(&work).await {
                Err(Fault::Again(reason)) if tried < TRIES => {
                    tracing::debug!(tried, reason, "a transaction lost against another one; trying again");
                    tried += 1;
                }
                answer => return answer.map_err(Fault::into_error),
            }
        }
    }

    async fn write_once<T, F>(&self, work: &F) -> Result<T, Fault>
    where
        for<'c> F: AsyncFn(&'c mut Conn) -> Result<T, Fault> + Work<&'c mut Conn, Result<T, Fault>, Future: Send>,
        F: Send + Sync,
        T: Send,
    {
        // Declared before the loan, so that the turn ends after the connection is given back or closed.
        let _turn;
        let conn = match &self.database {
            Database::Postgres(database) => Conn::Pg(database.connection().await?),
            Database::Sqlite(database) => {
                _turn = database.gate().enter().await;
                Conn::Lite(database.writer().await?)
            }
        };
        let mut loan = Loan::new(conn);
        begin(&mut loan).await?;
        let answer = match work(&mut loan).await {
            Ok(value) => match commit(&mut loan).await {
                Ok(()) => Ok(value),
                // A commit that failed has been rolled back; a broken connection is not given back below.
                Err(fault) => return Err(fault),
            },
            Err(fault) => {
                rollback(&mut loan).await?;
                Err(fault)
            }
        };
        loan.give_back();
        answer
    }
}

/// Gives PostgreSQL's planner settings.
async fn tell(conn: &mut Conn, settings: &str) -> Result<(), Fault> {
    match conn {
        Conn::Pg(c) => c.batch_execute(settings).await.about("settings"),
        Conn::Lite(_) => Ok(()),
    }
}

/// Whether the connection is as good as before: no error, or none that the connection may have caused.
fn keeps_connection<T>(answer: &Result<T, Fault>) -> bool {
    !matches!(answer, Err(Fault::Final(StoreError::Unavailable(_))))
}

type PgManager = <AsyncPgConnection as AsyncConnection>::TransactionManager;
type LiteManager = <crate::sqlite::Lite as AsyncConnection>::TransactionManager;

async fn begin(conn: &mut Conn) -> Result<(), Fault> {
    match conn {
        Conn::Pg(c) => PgManager::begin_transaction(&mut **c).await,
        // IMMEDIATE: the write lock is taken here, not at the first write, when it could no longer be waited for.
        Conn::Lite(c) => {
            c.spawn_blocking(|c| {
                diesel::connection::AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE")
            })
            .await
        }
    }
    .about("begin")
}

async fn commit(conn: &mut Conn) -> Result<(), Fault> {
    match conn {
        Conn::Pg(c) => PgManager::commit_transaction(&mut **c).await,
        Conn::Lite(c) => LiteManager::commit_transaction(&mut **c).await,
    }
    .about("commit")
}

async fn rollback(conn: &mut Conn) -> Result<(), Fault> {
    match conn {
        Conn::Pg(c) => PgManager::rollback_transaction(&mut **c).await,
        Conn::Lite(c) => LiteManager::rollback_transaction(&mut **c).await,
    }
    .about("rollback")
}
