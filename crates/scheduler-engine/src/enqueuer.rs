//! Group commit for accepting executions: callers that arrive while a commit is under way share the next one.
//!
//! There is no timer. A lone caller is served at once; the more callers there are, the larger the batches grow by
//! themselves.

use horarium_domain::execution::NewExecution;
use horarium_domain::store::{Enqueued, SharedStore, StoreError};
use metrics::histogram;
use tokio::sync::{mpsc, oneshot};

/// The largest batch that is written at once.
const MAX_BATCH: usize = 1000;

/// How many batches may be under way at once: while the database syncs one, it works on the next.
const WRITERS: usize = 2;

struct Request {
    execution: NewExecution,
    answer: oneshot::Sender<Result<Enqueued, StoreError>>,
}

/// Gathers single executions into batches.
#[derive(Debug)]
pub(crate) struct Enqueuer {
    requests: mpsc::Sender<Request>,
}

impl Enqueuer {
    /// Starts the writers; they end when the enqueuer is dropped and all that was accepted is written.
    pub(crate) fn start(store: &SharedStore) -> Self {
        let (requests, receiver) = mpsc::channel(10 * MAX_BATCH);
        let receiver = std::sync::Arc::new(tokio::sync::Mutex::new(receiver));
        for _ in 0..WRITERS {
            tokio::spawn(write_batches(store.clone(), receiver.clone()));
        }
        Self { requests }
    }

    /// Accepts one execution; answers after the commit.
    pub(crate) async fn enqueue(&self, execution: NewExecution) -> Result<Enqueued, StoreError> {
        let (answer, answered) = oneshot::channel();
        let stopped = || StoreError::Unavailable("the server is shutting down".to_owned());
        self.requests.send(Request { execution, answer }).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

async fn write_batches(store: SharedStore, receiver: std::sync::Arc<tokio::sync::Mutex<mpsc::Receiver<Request>>>) {
    loop {
        let mut batch = Vec::new();
        // Only one writer waits for requests at a time; the lock is released before the write begins.
        if receiver.lock().await.recv_many(&mut batch, MAX_BATCH).await == 0 {
            return;
        }
        histogram!("horarium_enqueue_batch_size").record(batch.len() as f64);
        let (executions, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|r| (r.execution, r.answer)).unzip();
        match store.enqueue(executions).await {
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
