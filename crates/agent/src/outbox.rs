//! Results that the server has not acknowledged yet.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard};

use horarium_domain::agent::protocol::Report;
use serde_json::Value;
use tokio::sync::watch;

/// How large a batch of results may be in JSON; below what servers take in one body (1 MiB unless configured).
const BATCH_BYTES: usize = 512 * 1024;

/// Results wait here, oldest first, until the server has said what became of them.
#[derive(Debug)]
pub(crate) struct Outbox {
    waiting: Mutex<VecDeque<Report>>,
    length: watch::Sender<usize>,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self { waiting: Mutex::default(), length: watch::Sender::new(0) }
    }

    pub(crate) fn push(&self, report: Report) {
        let mut waiting = self.lock();
        waiting.push_back(report);
        self.length.send_replace(waiting.len());
    }

    /// The oldest results: at most `most`, and no more than a body may hold, but at least one. Empty only when there are
    /// none.
    pub(crate) fn batch(&self, most: usize) -> Vec<Report> {
        let mut bytes = 0;
        let fits = |report: &&Report| {
            let is_first = bytes == 0;
            bytes += serde_json::to_vec(report).map_or(0, |json| json.len() + 1);
            is_first || bytes <= BATCH_BYTES
        };
        self.lock().iter().take(most.max(1)).take_while(fits).cloned().collect()
    }

    /// The server has told what became of these.
    pub(crate) fn remove(&self, tokens: &HashSet<&str>) {
        let mut waiting = self.lock();
        waiting.retain(|report| !tokens.contains(report.lease_token.as_str()));
        self.length.send_replace(waiting.len());
    }

    /// Puts `error` in place of a result that the server does not take. Returns whether there was something to replace.
    pub(crate) fn strip(&self, token: &str, error: &str) -> bool {
        let mut waiting = self.lock();
        let found = waiting.iter_mut().find(|report| report.lease_token == token && !report.data.is_null());
        found.is_some_and(|report| {
            report.data = Value::Null;
            report.error = Some(error.to_owned());
            true
        })
    }

    /// The tokens of all that wait.
    pub(crate) fn tokens(&self) -> Vec<String> {
        self.lock().iter().map(|report| report.lease_token.clone()).collect()
    }

    /// Waits until `holds` is true of the number of results.
    pub(crate) async fn wait_until(&self, holds: impl FnMut(&usize) -> bool) {
        // It fails when the sender is gone, and the sender is ours.
        let _ = self.length.subscribe().wait_for(holds).await;
    }

    pub(crate) fn len(&self) -> usize {
        *self.length.borrow()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Report>> {
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use horarium_domain::agent::protocol::TaskOutcome;

    use super::*;

    fn report(token: &str, bytes: usize) -> Report {
        Report {
            lease_token: token.to_owned(),
            outcome: TaskOutcome::Completed,
            data: "x".repeat(bytes).into(),
            changed: Some(false),
            error: None,
            retryable: true,
            duration_ms: None,
        }
    }

    fn tokens(batch: &[Report]) -> Vec<&str> {
        batch.iter().map(|report| report.lease_token.as_str()).collect()
    }

    #[test]
    fn a_batch_holds_what_a_body_may_and_at_least_one_result() {
        let outbox = Outbox::new();
        for (token, bytes) in [("huge", 2 * BATCH_BYTES), ("a", 10), ("b", BATCH_BYTES / 2), ("c", BATCH_BYTES / 2)] {
            outbox.push(report(token, bytes));
        }
        assert_eq!(tokens(&outbox.batch(100)), ["huge"]);
        outbox.remove(&HashSet::from(["huge"]));
        assert_eq!(tokens(&outbox.batch(100)), ["a", "b"]);
        assert_eq!(tokens(&outbox.batch(1)), ["a"]);
    }

    #[test]
    fn results_stay_until_they_are_acknowledged() {
        let outbox = Outbox::new();
        outbox.push(report("a", 1));
        outbox.push(report("b", 1));
        assert_eq!(outbox.batch(10).len(), 2);
        outbox.remove(&HashSet::from(["a", "unheard of"]));
        assert_eq!(outbox.tokens(), ["b"]);
        assert_eq!(outbox.len(), 1);
    }
}
