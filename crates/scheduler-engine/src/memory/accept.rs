//! Accepting executions, for those who submit them and for the planner.

use std::collections::HashMap;

use horarium_domain::execution::NewExecution;
use horarium_domain::store::Enqueued;

use super::record::ExecutionRecord;
use super::state::State;

impl State {
    /// Accepts a batch. Of two with the same unique key the second is a duplicate, also when the first was accepted
    /// before and is over.
    pub(super) fn accept_all(&mut self, batch: Vec<NewExecution>) -> Vec<Enqueued> {
        let mut known = HashMap::new();
        let accept = |execution: NewExecution| {
            let unique_key = execution.unique_key.clone().map(|key| (execution.job_id, key));
            if self.executions.contains_key(&execution.id) {
                known.extend(unique_key.map(|key| (key, execution.id)));
            } else if let Some(first) = unique_key.and_then(|key| known.get(&key)) {
                return Enqueued::Duplicate(*first);
            }
            self.accept(execution)
        };
        batch.into_iter().map(accept).collect()
    }

    pub(super) fn accept(&mut self, execution: NewExecution) -> Enqueued {
        if self.executions.contains_key(&execution.id) {
            // Its caller did not hear the answer and asks again.
            return Enqueued::Accepted;
        }
        if self.job(execution.tenant_id, execution.job_id).map_or(true, |record| record.job.is_deleted) {
            return Enqueued::NoSuchJob;
        }
        if let Some(key) = &execution.unique_key
            && let Some(live) = self.unique_keys.get(&(execution.job_id, key.clone()))
        {
            return Enqueued::Duplicate(*live);
        }
        let queue = self.queues.get(&(execution.tenant_id, execution.queue.clone()));
        if let Some(max_length) = queue.and_then(|queue| queue.limits.max_length)
            && self.lanes.pending_in(execution.tenant_id, &execution.queue) >= max_length as usize
        {
            return Enqueued::QueueFull { max_length };
        }
        self.insert(ExecutionRecord::new(execution));
        Enqueued::Accepted
    }
}
