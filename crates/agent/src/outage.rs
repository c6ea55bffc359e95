//! Telling of an outage once, however many calls fail in it.

use std::sync::Mutex;

use tokio::time::Instant;
use tracing::{info, warn};

/// Since when the server has not answered.
#[derive(Debug, Default)]
pub(crate) struct Outage(Mutex<Option<Instant>>);

impl Outage {
    /// A call was not answered.
    pub(crate) fn begins(&self, server: &str, problem: &str) {
        let mut since = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if since.is_none() {
            *since = Some(Instant::now());
            warn!("{server} does not answer ({problem}); trying until it does");
        }
    }

    /// A call was answered.
    pub(crate) fn ends(&self, server: &str) {
        let since = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(since) = since {
            info!("{server} answers again after {} s", since.elapsed().as_secs());
        }
    }
}
