//! The one thread that writes on the hot path.
//!
//! SQLite has one writer at a time and a commit waits for the disk, so calls share commits: what has gathered while the
//! last commit was under way goes into the next one. There is no timer; a lone call is written at once. Each call runs
//! in a savepoint of its own, so that one that fails undoes nothing but itself, and is answered after the commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use horarium_domain::store::StoreError;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::values::{Checked, refused};
use crate::sqlite::{Access, WriteGate};

/// A commit is not put off for longer than this by calls that keep coming.
const LONGEST_GROUP: Duration = Duration::from_millis(20);

/// Each statement of the hot path is prepared once.
const STATEMENTS: usize = 128;

/// Where calls are handed in.
pub(super) struct Writer {
    /// `None` only while it is dropped.
    calls: Option<mpsc::Sender<Box<dyn Call>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Opens the file and starts the thread; it ends when the writer is dropped.
    pub(super) fn start(path: &Path, gate: WriteGate) -> Result<Self, StoreError> {
        let connection = open(path, Access::Write)?;
        let (calls, queue) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("horarium-sqlite".to_owned())
            .spawn(move || write_groups(&connection, &gate, &queue))
            .map_err(|error| StoreError::Unavailable(format!("cannot start the thread that writes: {error}")))?;
        Ok(Self { calls: Some(calls), thread: Some(thread) })
    }

    /// Runs `work` in a transaction, and answers when it is committed.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let call = Typed { work: Some(work), result: None, answer: Some(answer) };
        let stopped = || StoreError::Unavailable("the thread that writes has stopped".to_owned());
        let calls = self.calls.as_ref().ok_or_else(stopped)?;
        calls.send(Box::new(call)).map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    /// Waits for the thread to close the file, so that whoever drops the store may move it. Nobody else waits for the
    /// turn then: whoever did borrowed the store.
    fn drop(&mut self) {
        self.calls = None;
        if let Some(thread) = self.thread.take() {
            // It ends by itself; a thread that panicked has closed the file, too.
            let _ = thread.join();
        }
    }
}

/// Opens a connection with the settings that all of them have.
pub(super) fn open(path: &Path, access: Access) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)
        .map_err(|error| StoreError::Unavailable(format!("cannot open {}: {error}", path.display())))?;
    connection.execute_batch(access.settings()).checked()?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// A call, without its types.
trait Call: Send {
    /// Does the work; answers whether it is to be kept.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Tells the caller, now that the commit has happened or not.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Typed<T, F> {
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    answer: Option<oneshot::Sender<Result<T, StoreError>>>,
}

impl<T: Send, F: FnOnce(&Connection) -> Result<T, StoreError> + Send> Call for Typed<T, F> {
    fn run(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.work.take() else { return false };
        // A defect in one call must not stop the thread that all others need.
        let result = catch_unwind(AssertUnwindSafe(|| work(connection))).unwrap_or_else(|_| {
            Err(StoreError::Internal("a write failed by a defect; the log tells where".to_owned()))
        });
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn finish(mut self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (self.result.take(), committed) {
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreError::Internal("a write was never run".to_owned())),
        };
        if let Some(answer) = self.answer.take() {
            // A caller that went away does not undo what was committed for it.
            let _ = answer.send(result);
        }
    }
}

fn write_groups(connection: &Connection, gate: &WriteGate, queue: &mpsc::Receiver<Box<dyn Call>>) {
    while let Ok(first) = queue.recv() {
        let turn = gate.enter_blocking();
        let mut group: Vec<Box<dyn Call>> = Vec::new();
        let committed = write_group(connection, first, queue, &mut group);
        drop(turn);
        for call in group {
            call.finish(committed.clone());
        }
    }
}

fn write_group(
    connection: &Connection,
    first: Box<dyn Call>,
    queue: &mpsc::Receiver<Box<dyn Call>>,
    group: &mut Vec<Box<dyn Call>>,
) -> Result<(), StoreError> {
    let begun = Instant::now();
    let mut next = Some(first);
    let written = execute(connection, "begin immediate").and_then(|()| {
        while let Some(mut call) = next.take() {
            execute(connection, "savepoint call")?;
            let keep = call.run(connection);
            group.push(call);
            if !keep {
                execute(connection, "rollback to call")?;
            }
            execute(connection, "release call")?;
            next = (begun.elapsed() < LONGEST_GROUP).then(|| queue.try_recv().ok()).flatten();
        }
        execute(connection, "commit")
    });
    group.extend(next);
    if written.is_err() && !connection.is_autocommit() {
        // SQLite rolls back by itself what it could not go on with; what it left open must not meet the next group.
        if let Err(error) = execute(connection, "rollback") {
            tracing::error!(%error, "cannot roll back");
        }
    }
    written
}

fn execute(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    let executed = connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
    executed.map(drop).map_err(|error| refused(&error))
}
