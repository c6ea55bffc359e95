//! A hot connection for the length of one method, and what its errors mean.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Object, Pool, PoolError};
use horarium_domain::store::StoreError;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Row, Statement};

use crate::error::{Fault, with_causes};
use crate::transaction::Work;

/// How often a method that lost against another transaction is tried.
const TRIES: u32 = 8;

/// A connection that goes back to the pool only by [`give_back`](Self::give_back). A caller that goes away in the
/// middle (a dropped future) may leave a transaction open, so its connection is closed instead.
pub(super) struct Session(Option<Object>);

impl Session {
    /// A connection of the pool.
    pub(super) async fn open(pool: &Pool) -> Result<Self, StoreError> {
        let unavailable = |error: PoolError| StoreError::Unavailable(with_causes(&error));
        Ok(Self(Some(pool.get().await.map_err(unavailable)?)))
    }

    /// A connection that nobody uses, if there is one.
    pub(super) async fn idle(pool: &Pool) -> Result<Option<Self>, StoreError> {
        if pool.status().available == 0 { Ok(None) } else { Self::open(pool).await.map(Some) }
    }

    /// What tells the connection from others that are open.
    pub(super) fn id(&self) -> usize {
        Arc::as_ptr(&self.statement_cache) as usize
    }

    pub(super) fn give_back(mut self) {
        self.0 = None;
    }

    /// A statement that the connection prepares once.
    pub(super) async fn statement(&self, sql: &str) -> Result<Statement, Fault> {
        self.prepare_cached(sql).await.map_err(fault)
    }

    /// Begins a transaction. Awaited together with its first statements, it costs no round trip of its own.
    pub(super) async fn begin(&self) -> Result<(), Fault> {
        self.batch_execute("begin").await.map_err(fault)
    }

    /// Commits. It may be awaited together with the last statements: when one of them fails, the server turns the
    /// commit into a rollback.
    pub(super) async fn commit(&self) -> Result<(), Fault> {
        self.batch_execute("commit").await.map_err(fault)
    }

    /// Gives up the transaction, and with it the locks it holds.
    pub(super) async fn rollback(&self) -> Result<(), Fault> {
        self.batch_execute("rollback").await.map_err(fault)
    }

    /// The statement's rows.
    pub(super) async fn rows(&self, statement: &Statement, parameters: Parameters<'_>) -> Result<Vec<Row>, Fault> {
        self.query(statement, parameters).await.map_err(fault)
    }

    /// Runs the statement; answers how many rows it wrote.
    pub(super) async fn run(&self, statement: &Statement, parameters: Parameters<'_>) -> Result<u64, Fault> {
        self.execute(statement, parameters).await.map_err(fault)
    }
}

/// What a statement is given.
pub(super) type Parameters<'a> = &'a [&'a (dyn tokio_postgres::types::ToSql + Sync)];

impl Deref for Session {
    type Target = deadpool_postgres::ClientWrapper;

    fn deref(&self) -> &Self::Target {
        // Only `give_back` and `drop` empty it, and both consume the session.
        self.0.as_ref().unwrap_or_else(|| unreachable!("a connection that was given back"))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            drop(Object::take(client));
        }
    }
}

/// Runs a method's statements, again when they lost against another transaction. `work` begins and commits the
/// transaction itself, if it needs more than one statement, and touches nothing but the session.
pub(super) async fn run<T, F>(pool: &Pool, work: F) -> Result<T, StoreError>
where
    for<'s> F: AsyncFn(&'s Session) -> Result<T, Fault> + Work<&'s Session, Result<T, Fault>, Future: Send>,
    F: Send + Sync,
    T: Send,
{
    let mut tried = 1;
    loop {
        let session = Session::open(pool).await?;
        let fault = match work(&session).await {
            Ok(value) => {
                session.give_back();
                return Ok(value);
            }
            Err(fault) => fault,
        };
        let broken = matches!(fault, Fault::Final(StoreError::Unavailable(_)));
        if !broken && session.batch_execute("rollback").await.is_ok() {
            session.give_back();
        }
        match fault {
            Fault::Again(reason) if tried < TRIES => {
                tracing::debug!(tried, reason, "a transaction lost against another one; trying again");
                tokio::time::sleep(Duration::from_millis(1 << tried)).await;
                tried += 1;
            }
            fault => return Err(fault.into_error()),
        }
    }
}

/// What an error of the server or of the connection means to the method that met it.
#[allow(clippy::needless_pass_by_value)] // it is what `map_err` is given
pub(super) fn fault(error: tokio_postgres::Error) -> Fault {
    let Some(refusal) = error.as_db_error() else {
        // No answer from the server: a row that could not be decoded, or a connection that broke.
        let message = with_causes(&error);
        return Fault::Final(if error.is_closed() || is_transport(&error) {
            StoreError::Unavailable(message)
        } else {
            StoreError::Internal(message)
        });
    };
    let code = refusal.code();
    let message = match refusal.detail() {
        Some(detail) => format!("{} ({detail})", refusal.message()),
        None => refusal.message().to_owned(),
    };
    // A hot statement looks before it inserts, so a violated key means that somebody else committed in between: the
    // next try sees what they did.
    let lost = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::UNIQUE_VIOLATION,
        SqlState::FOREIGN_KEY_VIOLATION,
    ];
    if lost.contains(code) {
        return Fault::Again(message);
    }
    // Classes of SQLSTATE: connection exception, insufficient resources, operator intervention; and a server that
    // became a standby.
    let unavailable = ["08", "53", "57"].iter().any(|class| code.code().starts_with(class))
        || *code == SqlState::READ_ONLY_SQL_TRANSACTION;
    Fault::Final(if unavailable { StoreError::Unavailable(message) } else { StoreError::Internal(message) })
}

fn is_transport(error: &tokio_postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if inner.is::<std::io::Error>() {
            return true;
        }
        cause = inner.source();
    }
    false
}
