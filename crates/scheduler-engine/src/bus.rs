//! Live events: what happens to a tenant's executions and jobs, told to whoever is listening right now.
//!
//! They are a convenience for people who watch, not a record: nothing is written for them, and a tenant that nobody
//! watches costs one atomic read per change. A listener that reconnects is given what it missed from a short memory;
//! when that does not reach back far enough, it is told that there is a gap and reads the lists afresh.

mod follow;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use horarium_domain::execution::ExecutionState;
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, broadcast};
use uuid::Uuid;

pub use follow::{Followed, follow};

/// How many events of a tenant are remembered for listeners that reconnect, and how many a slow one may lag behind.
const MEMORY: usize = 1024;

/// How long a tenant's events are remembered after its last listener left.
const LINGER: Duration = Duration::from_mins(5);

/// How long another node's interest in a tenant holds; it repeats it more often than that.
const REMOTE_INTEREST: Duration = Duration::from_secs(30);

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LiveEventKind {
    /// An execution was accepted.
    ExecutionCreated,
    /// An attempt started.
    ExecutionStarted,
    /// An attempt ended and the execution goes back to the queue.
    ExecutionRequeued,
    /// An execution ended.
    ExecutionCompleted,
    /// An execution was cancelled.
    ExecutionCancelled,
    /// A job was made.
    JobCreated,
    /// A job's definition or standing changed.
    JobUpdated,
    /// A job was deleted.
    JobDeleted,
}

impl LiveEventKind {
    /// The kind's name, as the event stream writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExecutionCreated => "executionCreated",
            Self::ExecutionStarted => "executionStarted",
            Self::ExecutionRequeued => "executionRequeued",
            Self::ExecutionCompleted => "executionCompleted",
            Self::ExecutionCancelled => "executionCancelled",
            Self::JobCreated => "jobCreated",
            Self::JobUpdated => "jobUpdated",
            Self::JobDeleted => "jobDeleted",
        }
    }

    /// Whether an execution is over with it.
    const fn is_end(self) -> bool {
        match self {
            Self::ExecutionCompleted | Self::ExecutionCancelled => true,
            Self::ExecutionCreated
            | Self::ExecutionStarted
            | Self::ExecutionRequeued
            | Self::JobCreated
            | Self::JobUpdated
            | Self::JobDeleted => false,
        }
    }
}

/// Something that happened to a tenant's execution or job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveEvent {
    /// Names the event, also on other nodes: what `Last-Event-ID` holds.
    pub id: Uuid,
    /// Whose.
    pub tenant_id: TenantId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: LiveEventKind,
    /// To which job.
    pub job_id: JobId,
    /// To which of its executions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub execution_id: Option<ExecutionId>,
    /// The execution's state afterwards.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<ExecutionState>,
}

/// A listener's share of the bus.
#[derive(Debug)]
pub struct Subscription {
    /// What happened since the event it had seen last.
    pub missed: Vec<Arc<LiveEvent>>,
    /// Whether more may have happened than is remembered.
    pub gap: bool,
    /// What happens from now on. A listener that lags too far behind gets an error, which means a gap.
    pub events: broadcast::Receiver<Arc<LiveEvent>>,
}

struct Channel {
    sender: broadcast::Sender<Arc<LiveEvent>>,
    recent: VecDeque<Arc<LiveEvent>>,
    /// Those who wait for ends: told one by one, so that many of them cost an event no more than a few.
    ends: HashMap<ExecutionId, Arc<Notify>>,
    last_listened: Timestamp,
}

impl Channel {
    fn new(now: Timestamp) -> Self {
        let (recent, ends) = (VecDeque::new(), HashMap::new());
        Self { sender: broadcast::Sender::new(MEMORY), recent, ends, last_listened: now }
    }
}

#[derive(Default)]
struct State {
    channels: HashMap<TenantId, Channel>,
    remote_interest: HashMap<TenantId, Timestamp>,
    outbox: Vec<Arc<LiveEvent>>,
}

/// The live events of one node.
#[derive(Default)]
pub struct Bus {
    state: Mutex<State>,
    /// How many tenants somebody listens to, here or elsewhere.
    interests: AtomicUsize,
    /// Told when another node must learn something: new interest here, or events for it.
    pub(crate) outgoing: Notify,
}

impl Bus {
    /// Whether nobody listens to anything: then events need not even be made.
    pub fn is_idle(&self) -> bool {
        self.interests.load(Ordering::Relaxed) == 0
    }

    /// Listens to a tenant, from after the event that was seen last.
    pub fn subscribe(&self, tenant: TenantId, last_seen: Option<Uuid>, now: Timestamp) -> Subscription {
        self.join(tenant, now, |channel| {
            let (missed, gap) = match last_seen {
                None => (Vec::new(), false),
                Some(id) => match channel.recent.iter().position(|event| event.id == id) {
                    Some(at) => (channel.recent.iter().skip(at + 1).cloned().collect(), false),
                    None => (Vec::new(), true),
                },
            };
            Subscription { missed, gap, events: channel.sender.subscribe() }
        })
    }

    /// What is told of the end of a tenant's execution, to those who wait for it by then.
    pub(crate) fn end_of(&self, tenant: TenantId, id: ExecutionId, now: Timestamp) -> Arc<Notify> {
        self.join(tenant, now, |channel| Arc::clone(channel.ends.entry(id).or_default()))
    }

    fn join<T>(&self, tenant: TenantId, now: Timestamp, join: impl FnOnce(&mut Channel) -> T) -> T {
        let mut state = self.lock();
        let is_known = state.channels.contains_key(&tenant);
        let channel = state.channels.entry(tenant).or_insert_with(|| Channel::new(now));
        channel.last_listened = now;
        let joined = join(channel);
        self.count(&state);
        drop(state);
        if !is_known {
            self.outgoing.notify_one();
        }
        joined
    }

    /// Tells this node's listeners, and notes it for other nodes that asked.
    pub fn publish(&self, event: LiveEvent) {
        let mut state = self.lock();
        let event = Arc::new(event);
        deliver(&mut state, &event);
        if state.remote_interest.contains_key(&event.tenant_id) {
            state.outbox.push(event);
            drop(state);
            self.outgoing.notify_one();
        }
    }

    /// Tells this node's listeners what happened on another node.
    pub(crate) fn deliver_remote(&self, event: LiveEvent) {
        deliver(&mut self.lock(), &Arc::new(event));
    }

    /// Notes that another node's listeners want a tenant's events.
    pub(crate) fn note_remote_interest(&self, tenant: TenantId, now: Timestamp) {
        let mut state = self.lock();
        state.remote_interest.insert(tenant, now + REMOTE_INTEREST);
        self.count(&state);
    }

    /// The events to send to other nodes since the last call.
    pub(crate) fn take_outbox(&self) -> Vec<Arc<LiveEvent>> {
        std::mem::take(&mut self.lock().outbox)
    }

    /// The tenants that this node's listeners want to hear of.
    pub(crate) fn local_interest(&self) -> Vec<TenantId> {
        self.lock().channels.keys().copied().collect()
    }

    /// Forgets what nobody has listened to for a while.
    pub(crate) fn tidy(&self, now: Timestamp) {
        let mut state = self.lock();
        state.remote_interest.retain(|_, until| *until > now);
        state.channels.retain(|_, channel| {
            channel.ends.retain(|_, told| Arc::strong_count(told) > 1);
            if channel.sender.receiver_count() > 0 || !channel.ends.is_empty() {
                channel.last_listened = now;
            }
            now.since(channel.last_listened) < LINGER
        });
        self.count(&state);
    }

    fn count(&self, state: &State) {
        self.interests.store(state.channels.len() + state.remote_interest.len(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn deliver(state: &mut State, event: &Arc<LiveEvent>) {
    if let Some(channel) = state.channels.get_mut(&event.tenant_id) {
        if channel.recent.len() == MEMORY {
            channel.recent.pop_front();
        }
        channel.recent.push_back(Arc::clone(event));
        if let Some(told) = event.execution_id.filter(|_| event.kind.is_end()).and_then(|id| channel.ends.get(&id)) {
            told.notify_waiters();
        }
        // No receiver is no error: its memory serves those that come back.
        let _ = channel.sender.send(Arc::clone(event));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn event(id: u128, tenant: u128) -> LiveEvent {
        LiveEvent {
            id: Uuid::from_u128(id),
            tenant_id: TenantId::from_uuid(Uuid::from_u128(tenant)),
            at: Timestamp::UNIX_EPOCH,
            kind: LiveEventKind::JobUpdated,
            job_id: JobId::from_uuid(Uuid::from_u128(7)),
            execution_id: None,
            state: None,
        }
    }

    #[test]
    fn a_listener_hears_its_own_tenant_only() {
        let bus = Bus::default();
        let tenant = TenantId::from_uuid(Uuid::from_u128(1));
        let mut subscription = bus.subscribe(tenant, None, Timestamp::UNIX_EPOCH);
        bus.publish(event(10, 2));
        bus.publish(event(11, 1));
        assert_eq!(subscription.events.try_recv().unwrap().id, Uuid::from_u128(11));
        assert!(subscription.events.try_recv().is_err());
    }

    #[test]
    fn a_listener_that_comes_back_is_told_what_it_missed_or_that_there_is_a_gap() {
        let bus = Bus::default();
        let tenant = TenantId::from_uuid(Uuid::from_u128(1));
        drop(bus.subscribe(tenant, None, Timestamp::UNIX_EPOCH));
        for id in 1..=3 {
            bus.publish(event(id, 1));
        }
        let back = bus.subscribe(tenant, Some(Uuid::from_u128(1)), Timestamp::UNIX_EPOCH);
        assert_eq!(back.missed.iter().map(|e| e.id.as_u128()).collect::<Vec<_>>(), [2, 3]);
        assert!(!back.gap);
        assert!(bus.subscribe(tenant, Some(Uuid::from_u128(99)), Timestamp::UNIX_EPOCH).gap);
    }

    #[test]
    fn who_waits_for_an_end_is_told_of_that_one_and_then_forgotten() {
        let (bus, now) = (Bus::default(), Timestamp::UNIX_EPOCH);
        let tenant = TenantId::from_uuid(Uuid::from_u128(1));
        let [id, other] = [5, 6].map(|id| ExecutionId::from_uuid(Uuid::from_u128(id)));
        let of = |kind, execution| LiveEvent { kind, execution_id: Some(execution), ..event(10, 1) };
        let (first, second) = (bus.end_of(tenant, id, now), bus.end_of(tenant, id, now));
        let (mut told, mut also_told) = (Box::pin(first.notified()), Box::pin(second.notified()));
        told.as_mut().enable();
        also_told.as_mut().enable();
        bus.publish(of(LiveEventKind::ExecutionCompleted, other));
        bus.publish(of(LiveEventKind::ExecutionRequeued, id));
        assert!(told.as_mut().now_or_never().is_none());
        bus.publish(of(LiveEventKind::ExecutionCancelled, id));
        assert!(told.as_mut().now_or_never().is_some());
        assert!(also_told.as_mut().now_or_never().is_some());

        drop((told, also_told));
        drop(first);
        bus.tidy(now + LINGER);
        assert!(!bus.is_idle(), "somebody waits still");
        drop(second);
        bus.tidy(now + 2 * LINGER);
        assert!(bus.is_idle());
    }

    #[test]
    fn a_tenant_that_nobody_listens_to_any_more_is_forgotten() {
        let bus = Bus::default();
        drop(bus.subscribe(TenantId::from_uuid(Uuid::from_u128(1)), None, Timestamp::UNIX_EPOCH));
        assert!(!bus.is_idle());
        bus.tidy(Timestamp::UNIX_EPOCH + LINGER);
        assert!(bus.is_idle());
    }
}
