//! Hints between nodes, through LISTEN and NOTIFY.
//!
//! They are an optimisation: a transaction-mode pooler does not pass LISTEN, and polling finds the same a little later.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use horarium_domain::ExecutionId;
use horarium_domain::store::{Signal, StoreError};
use tokio_postgres::{AsyncMessage, Client, Statement};

use super::PostgresHot;
use super::session::{self, Session};
use crate::error::{Fault, with_causes};
use crate::postgres::{Driver, Server};
use crate::text::storable;

const CHANNEL: &str = "horarium";

/// A notification holds fewer than 8000 bytes; an id takes 37 with its comma.
const IDS_IN_ONE: usize = 200;
const MAX_BYTES: usize = 7999;

/// How long to wait before a lost connection is opened again; it doubles up to the second.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(15));

const NOTIFY: &str = "select pg_notify($1, payload) from unnest($2::text[]) as d (payload)";

impl PostgresHot {
    pub(super) async fn notify(&self, signal: Signal) -> Result<(), StoreError> {
        let payloads = encode(&signal);
        if let Some(long) = payloads.iter().find(|payload| payload.len() > MAX_BYTES) {
            let size = long.len();
            return Err(StoreError::Internal(format!("a signal of {size} bytes is longer than {MAX_BYTES}")));
        }
        session::run(&self.pool, async |session: &Session| {
            let notify = session.statement(NOTIFY).await?;
            session.rows(&notify, &[&CHANNEL, &payloads]).await.map(drop)
        })
        .await
    }
}

/// Who is told that work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tell {
    /// Nobody, by this.
    Nobody,
    /// The other nodes.
    OtherNodes,
}

impl Tell {
    pub(super) async fn prepare(self, session: &Session) -> Result<Telling<'_>, Fault> {
        let notify = match self {
            Self::Nobody => None,
            Self::OtherNodes => Some(session.statement(NOTIFY).await?),
        };
        Ok(Telling { session, notify })
    }
}

/// A hint that is ready to be sent.
pub(super) struct Telling<'a> {
    session: &'a Session,
    notify: Option<Statement>,
}

impl Telling<'_> {
    /// Does the work, all of whose statements are prepared and sent when it is first polled; the hint is sent behind them
    /// and answered with them. It is a transaction of its own: one that notifies has all others that do so wait for its
    /// commit, and so for the disk.
    pub(super) async fn after<T>(self, work: impl Future<Output = T>) -> T {
        let Some(notify) = self.notify else { return work.await };
        let tell = async {
            if let Err(problem) = self.session.rows(&notify, &[&CHANNEL, &encode(&Signal::Work)]).await {
                tracing::debug!(error = %problem.into_error(), "other nodes were not told of work; they poll");
            }
        };
        tokio::join!(biased; work, tell).0
    }
}

/// The kind, and what belongs to it after a colon. Not JSON: that would double the length of a text full of quotes.
fn encode(signal: &Signal) -> Vec<String> {
    match signal {
        Signal::Work => vec!["work".to_owned()],
        Signal::Schedules => vec!["schedules".to_owned()],
        Signal::Cancelled(ids) => {
            let list = |ids: &[ExecutionId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            ids.chunks(IDS_IN_ONE).map(|ids| format!("cancelled:{}", list(ids))).collect()
        }
        Signal::Relay(text) => vec![format!("relay:{}", storable(text))],
    }
}

/// `None` for what another version of Horarium may say.
fn decode(payload: &str) -> Option<Signal> {
    match payload.split_once(':').unwrap_or((payload, "")) {
        ("work", _) => Some(Signal::Work),
        ("schedules", _) => Some(Signal::Schedules),
        ("cancelled", ids) => ids.split(',').map(str::parse).collect::<Result<_, _>>().ok().map(Signal::Cancelled),
        ("relay", text) => Some(Signal::Relay(text.to_owned())),
        _ => None,
    }
}

/// Listens on a connection of its own. The connection is driven by whoever waits for the next signal, so there is no
/// task that outlives the store; what comes in between waits in the socket.
pub(super) struct Listener {
    server: Server,
    connected: Option<(Client, Driver)>,
    /// Signals that were read but not yet handed out.
    pending: VecDeque<Signal>,
    pause: Duration,
}

impl Listener {
    pub(super) fn new(server: Server) -> Self {
        Self { server, connected: None, pending: VecDeque::new(), pause: RECONNECT.0 }
    }

    /// The next signal; reconnects for as long as it takes. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Signal {
        loop {
            if let Some(signal) = self.pending.pop_front() {
                return signal;
            }
            let Some((_, connection)) = &mut self.connected else {
                self.reconnect().await;
                continue;
            };
            match poll_fn(|context| connection.poll_message(context)).await {
                Some(Ok(AsyncMessage::Notification(notification))) => {
                    self.pending.extend(decode(notification.payload()));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    tracing::warn!(error = %with_causes(&error), "the connection that listens for other nodes broke");
                    self.connected = None;
                }
                None => self.connected = None,
            }
        }
    }

    async fn reconnect(&mut self) {
        match self.listen().await {
            Ok(()) => {
                self.pause = RECONNECT.0;
                // Whatever was said while nobody listened is lost, so everything may have changed.
                self.pending.extend([Signal::Schedules, Signal::Work]);
            }
            Err(error) => {
                tracing::warn!(error = %with_causes(&error), "cannot listen for other nodes; polling goes on");
                tokio::time::sleep(self.pause).await;
                self.pause = (2 * self.pause).min(RECONNECT.1);
            }
        }
    }

    async fn listen(&mut self) -> Result<(), tokio_postgres::Error> {
        let (client, mut connection) = self.server.connect().await?;
        let statement = format!("listen {CHANNEL}");
        {
            let mut listen = std::pin::pin!(client.batch_execute(&statement));
            // The connection moves only while it is polled, so it is driven until LISTEN is answered.
            poll_fn(|context| {
                while let Poll::Ready(message) = connection.poll_message(context) {
                    match message {
                        Some(Ok(AsyncMessage::Notification(notification))) => {
                            self.pending.extend(decode(notification.payload()));
                        }
                        Some(Ok(_)) => {}
                        Some(Err(error)) => return Poll::Ready(Err(error)),
                        None => break,
                    }
                }
                listen.as_mut().poll(context)
            })
            .await?;
        }
        self.connected = Some((client, connection));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn every_signal_comes_back_as_it_was_and_fits() {
        let ids: Vec<_> = (0..1000).map(|n| ExecutionId::from_uuid(Uuid::from_u128(n))).collect();
        let text = "\"quoted\": {\"a\": 1}, ü:".repeat(250);
        for signal in [Signal::Work, Signal::Schedules, Signal::Relay(text)] {
            let payloads = encode(&signal);
            assert_eq!(payloads.iter().filter_map(|payload| decode(payload)).collect::<Vec<_>>(), [signal]);
        }
        let payloads = encode(&Signal::Cancelled(ids.clone()));
        assert!(payloads.iter().all(|payload| payload.len() <= MAX_BYTES));
        let told: Vec<_> = payloads
            .iter()
            .filter_map(|payload| match decode(payload) {
                Some(Signal::Cancelled(ids)) => Some(ids),
                _ => None,
            })
            .flatten()
            .collect();
        assert_eq!(told, ids);
    }

    #[test]
    fn what_another_version_says_is_ignored() {
        for payload in ["", "unknown", "unknown:1", "cancelled:not-an-id"] {
            assert_eq!(decode(payload), None, "{payload}");
        }
    }
}
