//! Keeps the promises about agents: lost ones lose their work, silent hosts time out, what is over is stopped.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use horarium_domain::TenantId;
use horarium_domain::store::{StoreError, WaitingTasks};
use metrics::counter;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::core::Core;

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

    /// The tenants whose waiting work is not what it was at the last look: what a silent host lets wait is not news to
    /// all the other agents twice a second.
    fn news(&self, waiting: Vec<WaitingTasks>) -> Vec<TenantId> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = |tasks: &&WaitingTasks| known.get(&tasks.tenant_id) != Some(*tasks);
        let news = waiting.iter().filter(is_news).map(|tasks| tasks.tenant_id).collect();
        *known = waiting.into_iter().map(|tasks| (tasks.tenant_id, tasks)).collect();
        news
    }

    /// Begins: while no node listened, no agent was silent. What ran then keeps its leases, and can still be reported.
    async fn begin(&self) -> Result<(), StoreError> {
        let (now, timing) = (self.core.now(), self.core.agents.timing());
        let (lease_until, deadline_at) = (now + timing.lease, now + timing.broadcast_timeout);
        self.core.store.excuse_silence(now - timing.heartbeat, lease_until, deadline_at).await
    }

    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut begun = false;
        loop {
            let looked = async {
                if !begun {
                    self.begin().await?;
                    begun = true;
                }
                self.tick().await
            };
            if let Err(problem) = looked.await {
                counter!("horarium_loop_errors_total", "loop" => "agents").increment(1);
                error!(error = %problem, "cannot look after agents' work; trying again");
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = self.core.agents.look.notified() => {}
                () = stop.cancelled() => return,
            }
        }
    }
}
