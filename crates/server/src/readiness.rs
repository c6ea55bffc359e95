//! Whether jobs can run here: what `/health/ready` answers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use horarium_api::{Check, Readiness};
use horarium_domain::store::SharedStore;
use horarium_scheduler_engine::engine::{LoopHealth, LoopName};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// How long an answer of the database is repeated, so that anybody's polling costs it next to nothing.
const REMEMBERED_FOR: Duration = Duration::from_secs(1);

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// The database and the loops of this node.
pub(crate) struct NodeReadiness {
    store: SharedStore,
    loops: Arc<LoopHealth>,
    // Held while the database is asked: there is one question at a time, and those who wait share its answer.
    database: Mutex<Option<(Instant, Option<String>)>>,
    leaving: CancellationToken,
}

impl NodeReadiness {
    /// Of a node that works on `store` with these loops, until `leaving` is cancelled.
    pub(crate) fn new(store: SharedStore, loops: Arc<LoopHealth>, leaving: CancellationToken) -> Self {
        Self { store, loops, database: Mutex::new(None), leaving }
    }

    async fn database(&self) -> Option<String> {
        let mut known = self.database.lock().await;
        if let Some((at, problem)) = known.as_ref()
            && at.elapsed() < REMEMBERED_FOR
        {
            return problem.clone();
        }
        let problem = match timeout(PATIENCE, self.store.check()).await {
            Ok(Ok(())) => None,
            // What exactly is wrong may name hosts and tables, and this answer is for everybody.
            Ok(Err(error)) => {
                tracing::warn!(%error, "not ready: the database");
                Some("the database does not work; the server's log says why".to_owned())
            }
            Err(_) => Some(format!("the database did not answer within {} s", PATIENCE.as_secs())),
        };
        *known = Some((Instant::now(), problem.clone()));
        problem
    }

    fn loops(&self) -> Option<String> {
        let stalled: Vec<_> = self.loops.stalled().into_iter().map(LoopName::as_str).collect();
        (!stalled.is_empty()).then(|| format!("not turning: {}", stalled.join(", ")))
    }
}

#[async_trait]
impl Readiness for NodeReadiness {
    async fn check(&self) -> Vec<Check> {
        let leaving = self.leaving.is_cancelled().then(|| "the server was told to stop".to_owned());
        vec![
            Check { name: "database", problem: self.database().await },
            Check { name: "loops", problem: self.loops() },
            Check { name: "staying", problem: leaving },
        ]
    }
}
