//! The databases that an operator names, and sessions in them.
//!
//! Addresses hold passwords. They are in no failure, log line or debug text, and neither is what a driver says of them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use horarium_domain::execution::Failure;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing::warn;

use super::session::Session;

/// How long opening a session may take, unless the address says.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The databases that jobs may name. As a text: `name=postgres://user:password@host/database`, several separated by
/// blanks or line breaks. TLS as for the server's own database: `sslmode=require` verifies, anything else does without.
#[derive(Clone)]
pub struct Connections(Arc<BTreeMap<String, Connection>>);

/// How to reach one of them.
pub(super) struct Connection {
    name: String,
    config: Config,
    tls: MakeRustlsConnect,
}

/// The text names no connections. Its addresses are not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConnections {
    /// Something without a name.
    #[error("each connection is a name of letters, digits, '_', '-' and '.', then '=' and its address")]
    Form,
    /// An address that is none.
    #[error(
        "the connection '{0}' is no address of a PostgreSQL database, such as postgres://user:password@host/database"
    )]
    Address(String),
    /// A name that stands twice.
    #[error("there are two connections of the name '{0}'")]
    Twice(String),
    /// TLS is asked for and cannot be had.
    #[error("the connection '{0}' needs certificates to verify its server by; name a file of them in SSL_CERT_FILE")]
    Certificates(String),
}

impl Connections {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one of that name; the only one there is when none is asked for.
    pub(super) fn find(&self, name: Option<&str>) -> Result<&Connection, Failure> {
        let found = match name {
            Some(name) => self.0.get(name),
            None if self.0.len() == 1 => self.0.values().next(),
            None => None,
        };
        found.ok_or_else(|| {
            let problem = name.map_or_else(
                || "is required where the operator names several connections".to_owned(),
                |name| format!("the operator names no connection '{name}' (connections)"),
            );
            Failure::permanent(format!("jobConfiguration.databaseConnectionStringName: {problem}"))
        })
    }
}

impl FromStr for Connections {
    type Err = InvalidConnections;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut connections = BTreeMap::new();
        for item in text.split_whitespace() {
            let (name, address) = item.trim_end_matches(',').split_once('=').ok_or(InvalidConnections::Form)?;
            let is_named = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
            if name.is_empty() || !name.chars().all(is_named) {
                return Err(InvalidConnections::Form);
            }
            if connections.insert(name.to_owned(), Connection::new(name, address)?).is_some() {
                return Err(InvalidConnections::Twice(name.to_owned()));
            }
        }
        Ok(Self(Arc::new(connections)))
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Connection {
    fn new(name: &str, address: &str) -> Result<Self, InvalidConnections> {
        let invalid = || InvalidConnections::Address(name.to_owned());
        if !(address.starts_with("postgres://") || address.starts_with("postgresql://")) {
            return Err(invalid());
        }
        let address = address.replacen("sslmode=verify-full", "sslmode=require", 1);
        let mut config: Config = address.parse().map_err(|_| invalid())?;
        if config.get_application_name().is_none() {
            config.application_name("horarium");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        let mut roots = RootCertStore::empty();
        if config.get_ssl_mode() == SslMode::Require {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(InvalidConnections::Certificates(name.to_owned()));
            }
        } else {
            // Encryption that anybody in between could undo (`prefer`) would only seem to protect.
            config.ssl_mode(SslMode::Disable);
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| invalid())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { name: name.to_owned(), config, tls: MakeRustlsConnect::new(tls) })
    }

    /// Opens a session. Why that fails is the operator's to know: it tells hosts and users.
    pub(super) async fn open(&self) -> Result<Session, Failure> {
        let (client, driver) = self.config.connect(self.tls.clone()).await.map_err(|error| {
            warn!(connection = self.name, ?error, "a stored procedure's database cannot be reached");
            let told =
                format!("the database of the connection '{}' cannot be reached; the server's log says why", self.name);
            Failure::retryable(told)
        })?;
        // It ends with the client; what goes wrong meanwhile is what the client's calls answer.
        tokio::spawn(driver);
        Ok(Session::new(client, self.tls.clone()))
    }
}
