//! What the agent's two HTTP clients have in common.

use std::error::Error;
use std::iter::successors;
use std::time::Duration;

use reqwest::{Client, ClientBuilder};

/// What the agent is called in requests.
const USER_AGENT: &str = concat!("horarium-agent/", env!("CARGO_PKG_VERSION"));

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client that follows no redirects, with what `adapt` adds.
///
/// A machine without CA certificates (a bare container) can still make plain HTTP calls.
pub(crate) fn build(adapt: impl Fn(ClientBuilder) -> ClientBuilder) -> Result<Client, reqwest::Error> {
    let builder = || {
        adapt(
            Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .user_agent(USER_AGENT)
                .connect_timeout(CONNECT_TIMEOUT)
                .tcp_keepalive(Duration::from_secs(30)),
        )
    };
    builder().build().or_else(|error| {
        tracing::warn!(%error, "no CA certificates can be loaded: HTTPS calls will fail until they are installed");
        builder().tls_certs_only([]).build()
    })
}

/// What went wrong and why, in one line, without the address of the request: there may be secrets in it.
pub(crate) fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    causes(&error).map(ToString::to_string).fold(error.to_string(), |told, words| {
        // Some repeat what their cause says.
        if told.contains(&words) { told } else { format!("{told}: {words}") }
    })
}

/// What caused an error, what caused that, and so on.
pub(crate) fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(error.source(), |&cause| cause.source())
}
