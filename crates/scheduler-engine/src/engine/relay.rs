//! What the nodes of one database tell each other beside that there is work: that schedules changed, that agents have
//! something to do, and live events that somebody on another node watches. And what any of them hears. All of it is
//! hints; polling finds the same, a little later.

use std::sync::Arc;
use std::time::Duration;

use horarium_domain::store::{Signal, StoreError};
use horarium_domain::{NodeId, TenantId};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::RETRY_PAUSE;
use crate::bus::LiveEvent;
use crate::core::Core;

/// The least time between two hints of a kind: one says as much as a thousand.
const THROTTLE: Duration = Duration::from_millis(5);

/// How often interest in live events is repeated.
const INTEREST_INTERVAL: Duration = Duration::from_secs(10);

/// The most bytes of one relayed message; PostgreSQL's limit for a notification is 8000.
const MAX_MESSAGE: usize = 7000;

/// How many tenants' ids go into one message.
const TENANTS_PER_MESSAGE: usize = 100;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    from: NodeId,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    interest: Vec<TenantId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    events: Vec<LiveEvent>,
    /// Agents have work, or have answered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    agents: bool,
}

impl Message {
    const fn from(from: NodeId) -> Self {
        Self { from, interest: Vec::new(), events: Vec::new(), agents: false }
    }
}

/// Sends hints to the other nodes.
pub(super) async fn publish(core: Arc<Core>, node: NodeId, stop: CancellationToken) {
    let mut interest = tokio::time::interval(INTEREST_INTERVAL);
    loop {
        let (mut announce, mut agents) = (false, false);
        let signal = tokio::select! {
            () = core.wakes.publish_schedules.notified() => Some(Signal::Schedules),
            () = core.wakes.publish_agents.notified() => { agents = true; None }
            () = core.bus.outgoing.notified() => { announce = true; None }
            _ = interest.tick() => { announce = true; None }
            () = stop.cancelled() => return,
        };
        let sent = async {
            if agents {
                send_message(&core, &Message { agents, ..Message::from(node) }).await?;
            }
            send(&core, node, signal, announce).await
        };
        if let Err(problem) = sent.await {
            debug!(error = %problem, "a hint to other nodes was not sent; they find out by polling");
        }
        tokio::time::sleep(THROTTLE).await;
    }
}

async fn send(core: &Core, node: NodeId, signal: Option<Signal>, announce: bool) -> Result<(), StoreError> {
    if let Some(signal) = signal {
        core.store.publish(signal).await?;
    }
    if announce {
        for interest in core.bus.local_interest().chunks(TENANTS_PER_MESSAGE) {
            send_message(core, &Message { interest: interest.to_vec(), ..Message::from(node) }).await?;
        }
        let mut message = Message::from(node);
        let mut size = 0;
        for event in core.bus.take_outbox() {
            // An event is ids, an instant and two words: its JSON stays below this.
            const EVENT_SIZE: usize = 400;
            if size + EVENT_SIZE > MAX_MESSAGE {
                send_message(core, &message).await?;
                message.events.clear();
                size = 0;
            }
            size += EVENT_SIZE;
            message.events.push(event.as_ref().clone());
        }
        if !message.events.is_empty() {
            send_message(core, &message).await?;
        }
    }
    Ok(())
}

async fn send_message(core: &Core, message: &Message) -> Result<(), StoreError> {
    match serde_json::to_string(message) {
        Ok(text) => core.store.publish(Signal::Relay(text)).await,
        Err(problem) => Err(StoreError::Internal(problem.to_string())),
    }
}

/// Acts on the hints of other nodes.
pub(super) async fn listen(core: Arc<Core>, node: NodeId, stop: CancellationToken) {
    loop {
        let signal = tokio::select! {
            signal = core.store.next_signal() => signal,
            () = stop.cancelled() => return,
        };
        match signal {
            Ok(Signal::Work) => core.wakes.work.notify_one(),
            Ok(Signal::Schedules) => {
                core.wakes.schedules.notify_one();
                core.wakes.waiting.notify_one();
            }
            Ok(Signal::Cancelled(ids)) => {
                for id in ids {
                    core.running.cancel(id);
                }
            }
            Ok(Signal::Relay(text)) => match serde_json::from_str::<Message>(&text) {
                Ok(message) if message.from == node => {}
                Ok(message) => {
                    if message.agents {
                        core.agents.look.notify_one();
                    }
                    let now = core.now();
                    message.interest.into_iter().for_each(|tenant| core.bus.note_remote_interest(tenant, now));
                    message.events.into_iter().for_each(|event| core.bus.deliver_remote(event));
                }
                Err(problem) => warn!(%problem, "another node sent a message that cannot be read; versions may differ"),
            },
            Err(problem) => {
                warn!(error = %problem, "cannot hear other nodes; polling instead");
                tokio::select! {
                    () = tokio::time::sleep(RETRY_PAUSE) => {}
                    () = stop.cancelled() => return,
                }
            }
        }
    }
}
