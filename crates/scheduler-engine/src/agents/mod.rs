//! Work that agents do: the executor that waits for it, and the loop that keeps its leases and deadlines.
//!
//! An attempt at an agent job makes one task for each host and then only waits until all of them are over; agents fetch
//! tasks through [`AgentService`](crate::service::AgentService). Everything that matters is in the store, so an attempt
//! that is lost with its node is taken over by another that waits for the very same tasks.

use horarium_domain::TenantId;
use horarium_domain::agent::{Agent, AgentState};
use horarium_domain::store::StoreError;

use crate::core::Core;

mod executor;
mod hub;
mod keeper;

pub use executor::AgentExecutor;
pub(crate) use hub::AgentHub;
pub use keeper::AgentKeeper;

/// How many agents of a tenant are looked at, at most.
pub(crate) const MAX_AGENTS: usize = 10_000;

/// Writes down which agents this node has heard of by other calls than heartbeats. There are only those whose
/// heartbeat is late, so mostly there are none.
pub(crate) async fn note_heard(core: &Core) -> Result<(), StoreError> {
    let heard = core.agents.take_heard();
    if heard.is_empty() { Ok(()) } else { core.store.note_agents(&heard, core.now()).await }
}

/// A tenant's agents that take work.
pub(crate) async fn alive(core: &Core, tenant: TenantId) -> Result<Vec<Agent>, StoreError> {
    note_heard(core).await?;
    let (now, silence) = (core.now(), core.agents.timing().lease);
    let mut agents = core.store.agents(tenant, Some(now - silence), MAX_AGENTS).await?;
    agents.retain(|agent| agent.state(now, silence) == AgentState::Alive);
    Ok(agents)
}
