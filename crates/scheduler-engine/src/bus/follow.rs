//! Following a tenant's events: what was missed, what happens, and signs of life in between.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, stream};
use horarium_domain::TenantId;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{LiveEvent, Subscription};
use crate::core::Core;

/// What somebody is told who follows a tenant's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// Something happened.
    Event(Arc<LiveEvent>),
    /// Events were missed: the lists are to be read afresh.
    Reset,
    /// Nothing happened for a while, and the connection is to show that it is alive.
    Beat,
}

/// Follows a tenant's events from after the one whose id is `last_seen`, with a sign of life each `beat`, until `lifetime`
/// is over, the server shuts down or the listener falls too far behind. It listens from the call on. Must be called within
/// a Tokio runtime.
pub fn follow(
    core: &Core,
    tenant: TenantId,
    last_seen: Option<&str>,
    beat: Duration,
    lifetime: Duration,
    shutdown: CancellationToken,
) -> impl Stream<Item = Followed> + use<> {
    let last_seen = last_seen.map(str::trim).filter(|id| !id.is_empty());
    // An id that is none of ours was not seen here: that is a gap, and the bus says so.
    let last_seen = last_seen.map(|id| Uuid::try_parse(id).unwrap_or(Uuid::nil()));
    let Subscription { missed, gap, events } = core.bus.subscribe(tenant, last_seen, core.now());
    let opened = Instant::now();
    let mut beats = interval_at(opened + beat, beat);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let missed = missed.into_iter().map(Followed::Event);
    let listener = Listener {
        ready: gap.then_some(Followed::Reset).into_iter().chain(missed).collect(),
        events,
        beats,
        ends_at: opened + lifetime,
        shutdown,
        is_over: false,
        _counted: Counted::new(),
    };
    stream::unfold(listener, |mut listener| async move {
        let followed = listener.next().await?;
        Some((followed, listener))
    })
}

struct Listener {
    /// What is to be told next.
    ready: VecDeque<Followed>,
    events: broadcast::Receiver<Arc<LiveEvent>>,
    beats: Interval,
    ends_at: Instant,
    shutdown: CancellationToken,
    /// Whether nothing follows what is ready.
    is_over: bool,
    _counted: Counted,
}

impl Listener {
    async fn next(&mut self) -> Option<Followed> {
        while self.ready.is_empty() {
            if self.is_over {
                return None;
            }
            self.wait().await;
        }
        self.ready.pop_front()
    }

    async fn wait(&mut self) {
        let shutdown = pin!(self.shutdown.cancelled());
        tokio::select! {
            event = self.events.recv() => match event {
                Ok(event) => self.ready.push_back(Followed::Event(event)),
                // A listener that cannot keep up is told so and let go, rather than fed what it cannot use.
                Err(RecvError::Lagged(_)) => {
                    self.ready.push_back(Followed::Reset);
                    self.is_over = true;
                }
                Err(RecvError::Closed) => self.is_over = true,
            },
            _ = self.beats.tick() => self.ready.push_back(Followed::Beat),
            () = tokio::time::sleep_until(self.ends_at) => self.is_over = true,
            () = shutdown => self.is_over = true,
        }
    }
}

/// Counts an open stream.
struct Counted;

impl Counted {
    fn new() -> Self {
        metrics::gauge!("horarium_event_streams").increment(1.0);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("horarium_event_streams").decrement(1.0);
    }
}
