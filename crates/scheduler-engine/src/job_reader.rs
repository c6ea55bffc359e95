//! Reading the jobs that executions are asked for.
//!
//! Nothing is remembered: a read begins after whoever waits for it has asked, so that a change that any node has answered
//! for counts for the very next submission on every node. What makes it cheap is that callers who come while a read is
//! under way share the next one, and most of them want the same few jobs.

use std::collections::HashMap;
use std::sync::Arc;

use horarium_domain::JobId;
use horarium_domain::job::Job;
use horarium_domain::store::{SharedStore, StoreError};

use crate::group_commit::GroupCommit;

/// How many reads may be under way at once.
const READERS: usize = 2;

/// Reads single jobs in batches.
#[derive(Debug)]
pub(crate) struct JobReader(GroupCommit<JobId, Option<Arc<Job>>>);

impl JobReader {
    /// Starts the readers; they end when this is dropped.
    pub(crate) fn start(store: &SharedStore) -> Self {
        let store = Arc::clone(store);
        Self(GroupCommit::start(READERS, "horarium_job_read_batch_size", move |wanted: Vec<JobId>| {
            let store = Arc::clone(&store);
            Box::pin(async move {
                let mut ids = wanted.clone();
                ids.sort_unstable();
                ids.dedup();
                let found = store.definitions(&ids).await?;
                let found: HashMap<JobId, Arc<Job>> = found.into_iter().map(|job| (job.id, Arc::new(job))).collect();
                Ok(wanted.iter().map(|id| found.get(id).cloned()).collect())
            })
        }))
    }

    /// The present definition of a job of any tenant, deleted or not; `None` when there is none.
    pub(crate) async fn read(&self, id: JobId) -> Result<Option<Arc<Job>>, StoreError> {
        self.0.submit(id).await
    }
}
