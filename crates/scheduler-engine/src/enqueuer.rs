//! Group commit for accepting executions.

use std::sync::Arc;

use horarium_domain::execution::NewExecution;
use horarium_domain::store::{Enqueued, SharedStore, StoreError};

use crate::group_commit::GroupCommit;

/// How many batches may be under way at once: while the database syncs one, it works on the next.
const WRITERS: usize = 2;

/// Gathers single executions into batches.
#[derive(Debug)]
pub(crate) struct Enqueuer(GroupCommit<NewExecution, Enqueued>);

impl Enqueuer {
    /// Starts the writers; they end when the enqueuer is dropped and all that was accepted is written.
    pub(crate) fn start(store: &SharedStore) -> Self {
        let store = Arc::clone(store);
        Self(GroupCommit::start(WRITERS, "horarium_enqueue_batch_size", move |batch| {
            let store = Arc::clone(&store);
            Box::pin(async move { store.enqueue(batch).await })
        }))
    }

    /// Accepts one execution; answers after the commit.
    pub(crate) async fn enqueue(&self, execution: NewExecution) -> Result<Enqueued, StoreError> {
        self.0.submit(execution).await
    }
}
