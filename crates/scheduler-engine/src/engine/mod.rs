//! The loops of one node, and their start and end.
//!
//! Each loop is a struct with a `tick()` that does one round and may be called again at any time; the loops
//! here only decide when. Any number of nodes run them over one database: every write is guarded there, so two nodes
//! that decide the same thing at the same time do it once.

mod attempt;
mod completer;
mod config;
mod definitions;
mod dispatcher;
mod health;
mod heart;
mod housekeeper;
mod lines;
mod notifier;
mod planner;
mod promoter;
mod reaper;
mod relay;
mod slots;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use completer::{Completer, Ending, Reporter};
pub use config::EngineConfig;
use definitions::Definitions;
use dispatcher::Dispatcher;
pub use health::{LoopHealth, LoopName};
pub use heart::Heart;
pub use housekeeper::Housekeeper;
use lines::Lines;
pub use notifier::Notifier;
pub use planner::Planner;
pub use promoter::Promoter;
pub use reaper::Reaper;
use slots::Slots;

use crate::agents::AgentKeeper;
use crate::core::Core;
use crate::executor::Registry;

/// The longest that a loop waits before it tries again after the store failed.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// A running node.
#[derive(Debug)]
pub struct Engine {
    core: Arc<Core>,
    health: Arc<LoopHealth>,
    config: EngineConfig,
    /// Ends claiming and planning.
    stop_taking: CancellationToken,
    /// Ends the rest: leases and reports, once nothing is held any more.
    stop_all: CancellationToken,
    taking: JoinSet<()>,
    keeping: JoinSet<()>,
}

impl Engine {
    /// Starts the loops.
    pub fn start(core: Arc<Core>, registry: Registry, config: EngineConfig) -> Self {
        let health = Arc::new(LoopHealth::new(&config));
        let stop_taking = CancellationToken::new();
        let stop_all = CancellationToken::new();
        let completer = Completer::new(Arc::clone(&core));
        let registry = Arc::new(registry);
        let slots = Slots::new(&config);
        let lines = Arc::new(Lines::default());
        let definitions = Arc::new(Definitions::new());

        let mut taking = JoinSet::new();
        taking.spawn(Planner::new(Arc::clone(&core), config.clone()).run(Arc::clone(&health), stop_taking.clone()));
        taking.spawn(Promoter::new(Arc::clone(&core)).run(Arc::clone(&health), stop_taking.clone()));
        taking.spawn(Notifier::new(Arc::clone(&core), &config).run(Arc::clone(&health), stop_taking.clone()));
        let claimers = if config.claims() { config.claimers.max(1) } else { 0 };
        for _ in 0..claimers {
            let dispatcher = Dispatcher::new(
                Arc::clone(&core),
                Arc::clone(&registry),
                completer.reporter(),
                config.clone(),
                Arc::clone(&slots),
                Arc::clone(&lines),
                Arc::clone(&definitions),
            );
            taking.spawn(dispatcher.run(Arc::clone(&health), stop_taking.clone()));
        }

        let mut keeping = JoinSet::new();
        keeping.spawn(Heart::new(Arc::clone(&core), config.clone()).run(Arc::clone(&health), stop_all.clone()));
        keeping.spawn(Reaper::new(Arc::clone(&core), config.clone()).run(Arc::clone(&health), stop_all.clone()));
        keeping.spawn(Housekeeper::new(Arc::clone(&core), config.audit_retention).run(stop_all.clone()));
        keeping.spawn(AgentKeeper::new(Arc::clone(&core)).run(Arc::clone(&health), stop_all.clone()));
        keeping.spawn(relay::publish(Arc::clone(&core), config.node, stop_all.clone()));
        keeping.spawn(relay::listen(Arc::clone(&core), config.node, stop_all.clone()));
        for _ in 0..config.completers.max(1) {
            keeping.spawn(completer.clone().run(Arc::clone(&health), stop_all.clone()));
        }
        info!(node = %config.node, name = config.worker, concurrency = config.concurrency, "engine started");
        Self { core, health, config, stop_taking, stop_all, taking, keeping }
    }

    /// Whether the loops turn.
    pub fn health(&self) -> Arc<LoopHealth> {
        Arc::clone(&self.health)
    }

    /// Stops: claims nothing more and hands back at once what waits for a free slot, lets what runs finish for the
    /// grace time, then hands that back too. What was handed back is claimable by other nodes immediately.
    pub async fn shutdown(mut self) {
        info!(running = self.core.running.len(), "engine stopping");
        self.stop_taking.cancel();
        while self.taking.join_next().await.is_some() {}
        self.core.agents.closing.cancel();

        let drained = async {
            while self.core.running.len() > 0 {
                self.core.running.changed().await;
            }
        };
        if tokio::time::timeout(self.config.shutdown_grace, drained).await.is_err() {
            warn!(running = self.core.running.len(), "grace time over: handing back what still runs");
            self.core.running.stop_all();
            let handed_back = async {
                while self.core.running.len() > 0 {
                    self.core.running.changed().await;
                }
            };
            if tokio::time::timeout(self.config.stop_grace + Duration::from_secs(5), handed_back).await.is_err() {
                warn!(running = self.core.running.len(), "left to lease expiry: the store took no reports");
            }
        }
        self.stop_all.cancel();
        while self.keeping.join_next().await.is_some() {}
        info!("engine stopped");
    }
}
