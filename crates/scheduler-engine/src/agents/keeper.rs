//! Keeps the promises about agents: lost ones lose their work, silent hosts time out, what is over is stopped.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use horarium_domain::TenantId;
use horarium_domain::store::{StoreError, WaitingTasks};
use metrics::counter;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::{excuse_silence, listen_again, note_heard};
use crate::core::Core;
use crate::engine::{LoopHealth, LoopName};

/// How often the keeper looks when nobody asks it to; also how late another node's news may come.
const INTERVAL: Duration = Duration::from_millis(500);

/// Goes over open tasks, on every node: there is no leader that could be lost as well.
#[derive(Debug)]
pub struct AgentKeeper {
    core: Arc<Core>,
    // Held for an instant, never over I/O.
    known: Mutex<HashMap<TenantId, WaitingTasks>>,
}

impl AgentKeeper {
    /// A keeper for one node.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core, known: Mutex::default() }
    }

    /// Sweeps over open tasks, and tells this node's attempts and agents what they might have missed.
    pub async fn tick(&self) -> Result<(), StoreError> {
        let hub = &self.core.agents;
        let now = self.core.now();
        note_heard(&self.core).await?;
        self.give_back().await?;
        let swept = self.core.store.sweep_tasks(now, hub.timing().broadcast_timeout).await?;
        hub.answered(swept.ended);
        hub.work_for(self.news(swept.waiting));
        hub.tidy();
        let watched = hub.watched();
        if !watched.is_empty() {
            let open: HashSet<_> = self.core.store.awaiting_agents(&watched).await?.into_iter().collect();
            hub.answered(watched.into_iter().filter(|id| !open.contains(id)));
        }
        Ok(())
    }

    /// Gives back what was leased for callers that were gone when it was there. What fails here runs out by itself.
    async fn give_back(&self) -> Result<(), StoreError> {
        let hub = &self.core.agents;
        for (tenant, leases) in hub.take_undelivered() {
            self.core.store.return_tasks(tenant, &leases).await?;
            hub.work_for([tenant]);
        }
        Ok(())
    }

    /// The tenants whose waiting work is not what it was at the last look: what a silent host lets wait is not news to
    /// all the other agents twice a second.
    fn news(&self, waiting: Vec<WaitingTasks>) -> Vec<TenantId> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = |tasks: &&WaitingTasks| known.get(&tasks.tenant_id) != Some(*tasks);
        let news = waiting.iter().filter(is_news).map(|tasks| tasks.tenant_id).collect();
        *known = waiting.into_iter().map(|tasks| (tasks.tenant_id, tasks)).collect();
        news
    }

    pub(crate) async fn run(self, health: Arc<LoopHealth>, stop: CancellationToken) {
        let mut begins = true;
        loop {
            let looking = Instant::now();
            let looked = async {
                if begins {
                    excuse_silence(&self.core, None).await?;
                    begins = false;
                }
                listen_again(&self.core).await?;
                self.tick().await
            };
            match looked.await {
                Ok(()) => {
                    health.round(LoopName::AgentKeeper);
                    self.core.agents.note_listening(looking);
                }
                Err(problem) => {
                    counter!("horarium_loop_errors_total", "loop" => LoopName::AgentKeeper.as_str()).increment(1);
                    error!(error = %problem, "cannot look after agents' work; trying again");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = self.core.agents.look.notified() => {}
                () = stop.cancelled() => return,
            }
        }
    }
}
