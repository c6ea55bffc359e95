//! An agent's life: it registers, works until it is told to stop, and leaves nothing behind.

use std::sync::Arc;
use std::time::Duration;

use horarium_domain::Entropy;
use horarium_domain::agent::protocol::RegisterRequest;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::calls::Calls;
use crate::link::Link;
use crate::operations::{Toolbox, facts};
use crate::session::Session;
use crate::settings::Settings;

/// How long the last results may take to reach the server.
const LAST_REPORTS: Duration = Duration::from_secs(10);

/// How long telling the server that the agent leaves may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// How long stopped operations may take to end, their programs killed included.
const STOPPING: Duration = Duration::from_secs(6);

/// Why an agent gave up. Whatever may pass by itself is no reason.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// No HTTP client can be made.
    #[error("HTTP cannot be spoken here")]
    Http(#[from] reqwest::Error),
    /// 401 or 403.
    #[error(
        "{server} does not take this agent's credential: {detail}. It needs a token of the role 'agent', or an API key \
         with the scope 'agents:lease', that has not expired; then start the agent again"
    )]
    Credential {
        /// The server.
        server: String,
        /// What it said.
        detail: String,
    },
    /// The first registration was answered with 404.
    #[error("{server} knows nothing of agents: is this the address of a Horarium server?")]
    NoServer {
        /// What answered.
        server: String,
    },
    /// Another refusal that will not pass by itself.
    #[error("{server} does not take this agent: {detail}")]
    Refused {
        /// The server.
        server: String,
        /// What it said.
        detail: String,
    },
}

/// A worker for a server. See the [crate].
pub struct Agent {
    calls: Calls,
    settings: Settings,
    toolbox: Arc<Toolbox>,
    entropy: Arc<dyn Entropy>,
}

impl Agent {
    /// An agent that is not yet known to anybody.
    pub fn new(settings: Settings, toolbox: Toolbox, entropy: Arc<dyn Entropy>) -> Result<Self, AgentError> {
        let calls = Calls::new(&settings.server, settings.credential.clone())?;
        let toolbox = Arc::new(toolbox.of_host(&settings.hostname));
        Ok(Self { calls, settings, toolbox, entropy })
    }

    /// Works until `shutdown`, then lets what runs finish within the grace time, hands back the rest, and sees the last
    /// results to the server.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), AgentError> {
        let grace = self.settings.grace;
        let link = Link::new(
            self.calls,
            self.settings.server.to_string(),
            introduction(&self.settings, &self.toolbox),
            self.entropy,
        );
        let begin = Session::begin(link, &self.settings, self.toolbox);
        let Some(session) = shutdown.run_until_cancelled(begin).await else { return Ok(()) };
        let session = session?;

        // Ends the heart and the reporter, which go on while the last work finishes.
        let over = CancellationToken::new();
        let work = async {
            session.take_work(&shutdown).await?;
            drain(&session, grace).await;
            over.cancel();
            Ok(())
        };
        let heart = async { over.run_until_cancelled(session.beat(&shutdown)).await.unwrap_or(Ok(())) };
        let reporter = async { over.run_until_cancelled(session.report()).await.unwrap_or(Ok(())) };
        let ended = tokio::try_join!(work, heart, reporter);
        // After an error, programs may still run that nobody asks for any more.
        session.release();
        let _ = timeout(STOPPING, session.idle()).await;
        ended.map(|((), (), ())| ())
    }
}

fn introduction(settings: &Settings, toolbox: &Toolbox) -> RegisterRequest {
    RegisterRequest {
        hostname: settings.hostname.clone(),
        labels: settings.labels.clone(),
        operations: toolbox.operations().map(|operation| operation.as_str().to_owned()).collect(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        facts: facts(),
    }
}

async fn drain(session: &Session, grace: Duration) {
    info!("stopping: taking no more work, and waiting up to {} s for what runs", grace.as_secs());
    if timeout(grace, session.idle()).await.is_err() {
        session.release();
        let _ = timeout(STOPPING, session.idle()).await;
    }
    if timeout(LAST_REPORTS, session.reported()).await.is_err() {
        warn!("the last results could not be reported; the server will hand out the work again");
    }
    // A server that was not told finds out by the silence.
    let _ = timeout(GOODBYE, session.left()).await;
}
