//! Work that agents do: the executor that waits for it, and the loop that keeps its leases and deadlines.
//!
//! An attempt at an agent job makes one task for each host and then only waits until all of them are over; agents fetch
//! tasks through [`AgentService`](crate::service::AgentService). Everything that matters is in the store, so an attempt
//! that is lost with its node is taken over by another that waits for the very same tasks.

use std::time::Duration;

use horarium_domain::TenantId;
use horarium_domain::agent::{Agent, AgentState, AgentTiming};
use horarium_domain::store::{Excuse, StoreError};
use tokio::time::Instant;

use crate::core::Core;

mod executor;
mod hub;
mod keeper;

pub use executor::{AgentExecutor, FillData};
pub(crate) use hub::AgentHub;
pub use keeper::AgentKeeper;

/// How many agents of a tenant are looked at for work, at most.
const MAX_AGENTS: usize = 10_000;

/// Writes down which agents this node has heard of by other calls than heartbeats. There are only those whose
/// heartbeat is late, so mostly there are none.
pub(crate) async fn note_heard(core: &Core) -> Result<(), StoreError> {
    let heard = core.agents.take_heard();
    if heard.is_empty() { Ok(()) } else { core.store.note_agents(&heard, core.now()).await }
}

/// While no node listened, no agent was silent: what ran then keeps its leases, and can still be reported. `deaf_for` says
/// how long this node heard nobody; at its start nobody knows.
async fn excuse_silence(core: &Core, deaf_for: Option<Duration>) -> Result<(), StoreError> {
    let (now, timing) = (core.now(), core.agents.timing());
    let AgentTiming { heartbeat, lease, alive, broadcast_timeout: patience } = timing;
    let (unheard_since, until) = match deaf_for {
        Some(deaf_for) => (now - deaf_for + heartbeat, now - heartbeat),
        None => (now - heartbeat, now),
    };
    core.store.excuse_silence(&Excuse { unheard_since, until, now, lease, alive, patience }).await
}

/// Excuses silence if this node has heard nobody for a while, because the database was away or the machine stood still.
async fn listen_again(core: &Core) -> Result<(), StoreError> {
    let looking = Instant::now();
    let deaf_for = core.agents.listened_at().map(|at| looking - at);
    if let Some(deaf_for) = deaf_for.filter(|deaf_for| *deaf_for > core.agents.timing().heartbeat) {
        excuse_silence(core, Some(deaf_for)).await?;
        core.agents.note_listening(looking);
    }
    Ok(())
}

/// A tenant's agents that take work: those that were heard of no longer ago than an agent may be silent. Whoever of them
/// does not answer is told of as silent; a host is left out only if it was gone before.
pub(crate) async fn alive(core: &Core, tenant: TenantId) -> Result<Vec<Agent>, StoreError> {
    listen_again(core).await?;
    note_heard(core).await?;
    let (now, timing) = (core.now(), core.agents.timing());
    let mut agents = core.store.agents(tenant, Some(now - timing.alive), None, MAX_AGENTS).await?;
    agents.retain(|agent| agent.state(now, timing) == AgentState::Alive);
    Ok(agents)
}
