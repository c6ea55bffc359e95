//! The application under test, and a client for each identity.

mod agents;
mod answer;
mod app;
mod client;
mod document;
mod work;

use std::fmt::Debug;
use std::time::{Duration, Instant};

pub(crate) use answer::{Answer, redacted};
pub(crate) use app::TestApp;
pub(crate) use client::Client;
pub(crate) use document::assert_has_the_shape_of;
pub(crate) use work::http_job;

/// How long a test waits for what must come; reached only when something is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// Looks again and again until it finds what must come, and gives it.
///
/// A look that finds something else answers that as its error, which a test that waited in vain reports.
pub(crate) async fn until<T, E: Debug>(what: &str, mut look: impl AsyncFnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(instead) => assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}; but {instead:?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
