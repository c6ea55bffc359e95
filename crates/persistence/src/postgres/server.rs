//! Reaching the server, with TLS where the address asks for it.

use std::sync::Arc;

use horarium_domain::store::StoreError;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::unavailable;

/// How to open a connection.
#[derive(Clone)]
pub(crate) struct Server {
    config: Config,
    tls: MakeRustlsConnect,
}

/// The half of a connection that must be polled for the other one to get answers.
pub(crate) type Driver = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

impl Server {
    /// With `sslmode=require` the connection is encrypted and the server's certificate verified, by the certificates
    /// that this machine trusts or those of `SSL_CERT_FILE`. Otherwise it is in the clear: encryption that anybody in
    /// between could undo (`prefer`) would only seem to protect.
    pub(crate) fn new(mut config: Config) -> Result<Self, StoreError> {
        let mut roots = RootCertStore::empty();
        if config.get_ssl_mode() == SslMode::Require {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                let reason = found.errors.first().map_or_else(|| "none was found".to_owned(), ToString::to_string);
                return Err(StoreError::Unavailable(format!(
                    "sslmode=require needs certificates to verify the server by ({reason}); name a file of them in \
                     SSL_CERT_FILE"
                )));
            }
        } else {
            config.ssl_mode(SslMode::Disable);
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unavailable)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { config, tls: MakeRustlsConnect::new(tls) })
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> Result<(Client, Driver), tokio_postgres::Error> {
        self.config.connect(self.tls.clone()).await
    }

    /// The parts, for a pool that opens connections by itself.
    pub(crate) fn into_parts(self) -> (Config, MakeRustlsConnect) {
        (self.config, self.tls)
    }
}
