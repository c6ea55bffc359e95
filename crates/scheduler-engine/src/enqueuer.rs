//! Group commit for accepting executions.

use std::sync::Arc;

use horarium_domain::execution::NewExecution;
use horarium_domain::store::{AcceptanceNote, Enqueued, SharedStore, StoreError};

use crate::audited::AuditedCall;
use crate::group_commit::GroupCommit;
use crate::hints::Hints;

/// How many batches may be under way at once: while the database syncs one, it works on the next.
const WRITERS: usize = 2;

/// Gathers single executions into batches, each with what the audit log is to tell of it.
#[derive(Debug)]
pub(crate) struct Enqueuer(GroupCommit<(NewExecution, Option<AcceptanceNote>), Enqueued>);

impl Enqueuer {
    /// Starts the writers; they end when the enqueuer is dropped and all that was accepted is written.
    pub(crate) fn start(store: &SharedStore, hints: &Arc<Hints>) -> Self {
        let (store, hints) = (Arc::clone(store), Arc::clone(hints));
        Self(GroupCommit::start(WRITERS, "horarium_enqueue_batch_size", move |batch| {
            let (store, hints) = (Arc::clone(&store), Arc::clone(&hints));
            Box::pin(async move {
                let (executions, notes): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
                let of_batch = |(index, note): (usize, Option<AcceptanceNote>)| {
                    note.map(|note| AcceptanceNote { asked: index..index + 1, ..note })
                };
                let notes = notes.into_iter().enumerate().filter_map(of_batch).collect();
                hints.accept(&store, executions, notes).await
            })
        }))
    }

    /// Accepts one execution; answers after the commit.
    pub(crate) async fn enqueue(
        &self,
        execution: NewExecution,
        call: Option<&AuditedCall>,
    ) -> Result<Enqueued, StoreError> {
        self.0.submit((execution, call.map(|call| call.note(0..1)))).await
    }
}
