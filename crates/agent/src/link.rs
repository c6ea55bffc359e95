//! The way to the server: who calls, and what is done while nobody answers.

use std::sync::Arc;

use horarium_domain::Entropy;
use horarium_domain::agent::protocol::{RegisterRequest, RegisterResponse};
use tokio::time::sleep;
use tracing::info;

use crate::agent::AgentError;
use crate::backoff::Backoff;
use crate::calls::{CallError, Calls};
use crate::outage::Outage;

pub(crate) struct Link {
    pub(crate) calls: Calls,
    /// The server's address, for people.
    server: String,
    introduction: RegisterRequest,
    entropy: Arc<dyn Entropy>,
    outage: Outage,
}

/// Which registration it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Registration {
    /// At the agent's start: what answers 404 now was never the right address.
    First,
    Again,
}

impl Link {
    pub(crate) fn new(calls: Calls, server: String, introduction: RegisterRequest, entropy: Arc<dyn Entropy>) -> Self {
        Self { calls, server, introduction, entropy, outage: Outage::default() }
    }

    /// Registers, however long that takes.
    pub(crate) async fn register(&self, which: Registration) -> Result<RegisterResponse, AgentError> {
        let mut backoff = self.backoff();
        loop {
            match self.calls.register(&self.introduction).await {
                Ok(registration) => {
                    self.answered(&mut backoff);
                    info!(
                        agent_id = %registration.agent_id,
                        hostname = self.introduction.hostname,
                        server = self.server,
                        "registered"
                    );
                    return Ok(registration);
                }
                Err(CallError::Unknown) if which == Registration::First => {
                    return Err(AgentError::NoServer { server: self.server.clone() });
                }
                Err(error) => self.wait_after(&error, &mut backoff).await?,
            }
        }
    }

    /// After a call that gave nothing: waits before the next, or fails when no further call will do better.
    pub(crate) async fn wait_after(&self, error: &CallError, backoff: &mut Backoff) -> Result<(), AgentError> {
        let server = self.server.clone();
        let (problem, after) = match error {
            CallError::Credential(refusal) => {
                return Err(AgentError::Credential { server, detail: refusal.to_string() });
            }
            CallError::Refused(refusal) => return Err(AgentError::Refused { server, detail: refusal.to_string() }),
            CallError::Away { problem, after } => (problem.as_str(), *after),
            CallError::Unknown => ("404 Not Found", None),
            CallError::TooLarge => ("413 Payload Too Large", None),
        };
        self.outage.begins(&self.server, problem);
        sleep(backoff.next().max(after.unwrap_or_default())).await;
        Ok(())
    }

    /// After a call that was answered.
    pub(crate) fn answered(&self, backoff: &mut Backoff) {
        backoff.reset();
        self.outage.ends(&self.server);
    }

    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::new(Arc::clone(&self.entropy))
    }
}
