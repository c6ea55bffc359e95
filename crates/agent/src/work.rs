//! What runs at the moment.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The running tasks by their lease tokens.
#[derive(Debug)]
pub(crate) struct Work {
    running: Mutex<HashMap<String, CancellationToken>>,
    count: watch::Sender<usize>,
}

impl Work {
    pub(crate) fn new() -> Self {
        Self { running: Mutex::default(), count: watch::Sender::new(0) }
    }

    /// A task starts; the token that is cancelled when the server wants it stopped. `None` when it runs already.
    pub(crate) fn begin(&self, token: &str) -> Option<CancellationToken> {
        let mut running = self.lock();
        if running.contains_key(token) {
            return None;
        }
        let cancelled = CancellationToken::new();
        running.insert(token.to_owned(), cancelled.clone());
        self.count.send_replace(running.len());
        Some(cancelled)
    }

    pub(crate) fn end(&self, token: &str) {
        let mut running = self.lock();
        running.remove(token);
        self.count.send_replace(running.len());
    }

    /// The server wants a task stopped. One that has ended meanwhile is nothing to worry about.
    pub(crate) fn stop(&self, token: &str) {
        if let Some(cancelled) = self.lock().get(token) {
            cancelled.cancel();
        }
    }

    /// The tokens of all that runs.
    pub(crate) fn tokens(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// Waits until `holds` is true of the number of running tasks, and returns that number.
    pub(crate) async fn wait_until(&self, holds: impl FnMut(&usize) -> bool) -> usize {
        // It fails when the sender is gone, and the sender is ours.
        self.count.subscribe().wait_for(holds).await.map_or(0, |count| *count)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, CancellationToken>> {
        self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
