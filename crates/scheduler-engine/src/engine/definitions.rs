//! Job definitions by id and version, so that a claim need not carry them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use horarium_domain::JobId;
use horarium_domain::job::Job;
use horarium_domain::store::{Claimed, SharedStore, StoreError};
use moka::sync::Cache;

/// How many definitions a node remembers.
const CAPACITY: u64 = 20_000;

/// The definitions that this node has seen.
#[derive(Debug)]
pub(crate) struct Definitions {
    cache: Cache<JobId, Arc<Job>>,
}

impl Definitions {
    pub(crate) fn new() -> Self {
        Self { cache: Cache::new(CAPACITY) }
    }

    /// The definitions of what was claimed, at least as new as the claims say. A job that was removed meanwhile is
    /// missing.
    pub(crate) async fn of(
        &self,
        store: &SharedStore,
        claimed: &[Claimed],
    ) -> Result<HashMap<JobId, Arc<Job>>, StoreError> {
        let mut known = HashMap::new();
        let mut unknown = HashSet::new();
        for claim in claimed {
            if known.contains_key(&claim.job_id) {
                continue;
            }
            match self.cache.get(&claim.job_id).filter(|job| job.version >= claim.job_version) {
                Some(job) => {
                    known.insert(claim.job_id, job);
                }
                None => {
                    unknown.insert(claim.job_id);
                }
            }
        }
        if !unknown.is_empty() {
            let ids: Vec<_> = unknown.into_iter().collect();
            for job in store.definitions(&ids).await? {
                let job = Arc::new(job);
                self.cache.insert(job.id, Arc::clone(&job));
                known.insert(job.id, job);
            }
        }
        Ok(known)
    }
}
