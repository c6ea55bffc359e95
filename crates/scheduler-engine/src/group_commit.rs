//! Group commit: callers that arrive while a commit is under way share the next one. What many callers read at once is
//! gathered alike.
//!
//! There is no timer. A lone caller is served at once; the more callers there are, the larger the batches grow by
//! themselves.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use horarium_domain::store::StoreError;
use metrics::histogram;
use tokio::sync::{Mutex, mpsc, oneshot};

/// The largest batch that is written at once.
const MAX_BATCH: usize = 1000;

struct Request<I, O> {
    item: I,
    answer: oneshot::Sender<Result<O, StoreError>>,
}

/// Writes a batch; the answers are in its order.
type Write<I, O> = dyn Fn(Vec<I>) -> BoxFuture<'static, Result<Vec<O>, StoreError>> + Send + Sync;

/// Gathers single items into batches.
pub(crate) struct GroupCommit<I, O> {
    requests: mpsc::Sender<Request<I, O>>,
}

impl<I, O> fmt::Debug for GroupCommit<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupCommit")
    }
}

impl<I: Send + 'static, O: Send + 'static> GroupCommit<I, O> {
    /// Starts so many writers; they end when this is dropped and all that was accepted is written. `metric` is the
    /// histogram of the batches' sizes.
    pub(crate) fn start<W>(writers: usize, metric: &'static str, write: W) -> Self
    where
        W: Fn(Vec<I>) -> BoxFuture<'static, Result<Vec<O>, StoreError>> + Send + Sync + 'static,
    {
        let (requests, receiver) = mpsc::channel(10 * MAX_BATCH);
        let receiver = Arc::new(Mutex::new(receiver));
        let write: Arc<Write<I, O>> = Arc::new(write);
        for _ in 0..writers {
            tokio::spawn(write_batches(Arc::clone(&write), Arc::clone(&receiver), metric));
        }
        Self { requests }
    }

    /// Hands in one item; answers after the commit.
    pub(crate) async fn submit(&self, item: I) -> Result<O, StoreError> {
        let (answer, answered) = oneshot::channel();
        let stopped = || StoreError::Unavailable("the server is shutting down".to_owned());
        self.requests.send(Request { item, answer }).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

async fn write_batches<I, O>(
    write: Arc<Write<I, O>>,
    receiver: Arc<Mutex<mpsc::Receiver<Request<I, O>>>>,
    metric: &'static str,
) {
    loop {
        let mut batch = Vec::new();
        // Only one writer waits for requests at a time; the lock is released before the write begins.
        if receiver.lock().await.recv_many(&mut batch, MAX_BATCH).await == 0 {
            return;
        }
        histogram!(metric).record(batch.len() as f64);
        let (items, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|r| (r.item, r.answer)).unzip();
        match write(items).await {
            Ok(results) => {
                for (answer, result) in answers.into_iter().zip(results) {
                    // A caller that went away does not undo what was committed for it.
                    let _ = answer.send(Ok(result));
                }
            }
            Err(error) => {
                for answer in answers {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }
}
