//! What an agent is told at its start.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use url::Url;

/// How an agent works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server; it may be behind a proxy, below a path of its own.
    pub server: Url,
    /// What it shows to the server.
    pub credential: Credential,
    /// The name that its host goes by.
    pub hostname: String,
    /// What the host is, for `key:value` targets.
    pub labels: BTreeMap<String, String>,
    /// How many operations run at once; at least one.
    pub concurrency: usize,
    /// How long running operations may go on once the agent is told to stop.
    pub grace: Duration,
    /// How long a call for work is held open by the server, in seconds.
    pub wait_seconds: u32,
}

/// Who the agent is for the server.
#[derive(Clone)]
pub enum Credential {
    /// A token, sent as `Authorization: Bearer`.
    Token(String),
    /// An API key, sent as `X-API-Key`.
    Key(String),
}

/// Never the secret itself.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(…)",
            Self::Key(_) => "Key(…)",
        })
    }
}
