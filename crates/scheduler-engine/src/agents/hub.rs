//! Who on this node waits for agents, which agents wait for work here, and what is to be written down of them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use horarium_domain::agent::{AgentTiming, TaskLease};
use horarium_domain::{AgentId, ExecutionId, TenantId};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Wakes those that wait. All of it only makes things sooner: who waits also looks by itself now and then.
#[derive(Debug, Default)]
pub(crate) struct AgentHub {
    timing: OnceLock<AgentTiming>,
    /// Told when the keeper had better look at once.
    pub(crate) look: Notify,
    /// Cancelled when the node stops: attempts that only wait are handed back at once.
    pub(crate) closing: CancellationToken,
    // Held for an instant, never over I/O.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Attempts that wait for answers.
    attempts: HashMap<ExecutionId, Arc<Notify>>,
    /// Agents that wait for work, by tenant.
    askers: HashMap<TenantId, Arc<Notify>>,
    /// Agents that were heard of and whose record does not say so yet.
    heard: HashSet<AgentId>,
    /// When a look at the store began that came to its end: until then, what agents said was heard.
    listened_at: Option<Instant>,
    /// Leases that could not be handed out, by tenant.
    undelivered: HashMap<TenantId, Vec<TaskLease>>,
}

impl AgentHub {
    /// How long to wait for agents; settled by the first who asks or says.
    pub(crate) fn timing(&self) -> AgentTiming {
        *self.timing.get_or_init(AgentTiming::default)
    }

    /// Says how long to wait for agents; answers whether it was not settled before.
    pub(crate) fn settle_timing(&self, timing: AgentTiming) -> bool {
        self.timing.set(timing).is_ok()
    }

    /// Has the attempt at an execution told of answers, until the watch is dropped.
    pub(crate) fn watch(&self, id: ExecutionId) -> Watch<'_> {
        let told = Arc::new(Notify::new());
        self.lock().attempts.insert(id, Arc::clone(&told));
        Watch { hub: self, id, told }
    }

    /// Tells that hosts of these executions answered.
    pub(crate) fn answered(&self, ids: impl IntoIterator<Item = ExecutionId>) {
        let state = self.lock();
        for id in ids {
            if let Some(told) = state.attempts.get(&id) {
                told.notify_one();
            }
        }
    }

    /// The executions whose attempts wait here.
    pub(crate) fn watched(&self) -> Vec<ExecutionId> {
        self.lock().attempts.keys().copied().collect()
    }

    /// What a tenant's agents wait on for work.
    pub(crate) fn asker(&self, tenant: TenantId) -> Arc<Notify> {
        Arc::clone(self.lock().askers.entry(tenant).or_default())
    }

    /// Tells the agents of these tenants that there is work.
    pub(crate) fn work_for(&self, tenants: impl IntoIterator<Item = TenantId>) {
        let state = self.lock();
        for tenant in tenants {
            if let Some(told) = state.askers.get(&tenant) {
                told.notify_waiters();
            }
        }
    }

    /// Has it noted that an agent was heard of.
    pub(crate) fn heard_of(&self, agent: AgentId) {
        self.lock().heard.insert(agent);
    }

    /// The agents of which that is to be noted now.
    pub(crate) fn take_heard(&self) -> Vec<AgentId> {
        self.lock().heard.drain().collect()
    }

    /// Notes that what agents said until then was heard.
    pub(crate) fn note_listening(&self, at: Instant) {
        self.lock().listened_at = Some(at);
    }

    /// Until when what agents said was heard; `None` on a node that has not looked yet.
    pub(crate) fn listened_at(&self) -> Option<Instant> {
        self.lock().listened_at
    }

    /// Has leases given back whose agent was gone before it got them.
    pub(crate) fn give_back(&self, tenant: TenantId, leases: impl IntoIterator<Item = TaskLease>) {
        self.lock().undelivered.entry(tenant).or_default().extend(leases);
        self.look.notify_one();
    }

    /// The leases that are to be given back now.
    pub(crate) fn take_undelivered(&self) -> HashMap<TenantId, Vec<TaskLease>> {
        std::mem::take(&mut self.lock().undelivered)
    }

    /// Forgets the tenants none of whose agents waits.
    pub(crate) fn tidy(&self) {
        self.lock().askers.retain(|_, told| Arc::strong_count(told) > 1);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt that waits for answers.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    hub: &'a AgentHub,
    id: ExecutionId,
    told: Arc<Notify>,
}

impl Watch<'_> {
    /// Waits until an answer came since the last call.
    pub(crate) async fn answered(&self) {
        self.told.notified().await;
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        // A later attempt at the same execution may have begun to wait before this one was gone.
        if state.attempts.get(&self.id).is_some_and(|told| Arc::ptr_eq(told, &self.told)) {
            state.attempts.remove(&self.id);
        }
    }
}
