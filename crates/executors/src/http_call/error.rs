//! Telling plainly why a request got no answer.

use std::error::Error;
use std::io;
use std::time::Duration;

use horarium_domain::execution::Failure;

use crate::egress::ResolveError;

/// The failure of a request to `target`. The client's own text is not used: it repeats the whole URL.
pub(super) fn failure(target: &str, error: &reqwest::Error, connect_timeout: Duration) -> Failure {
    match find::<ResolveError>(error) {
        Some(ResolveError::Refused(refusal)) => return Failure::permanent(refusal.to_string()),
        Some(unresolved) => return Failure::retryable(format!("{target} failed: {unresolved}")),
        None => {}
    }
    let cause = innermost(error);
    Failure::retryable(if error.is_connect() && error.is_timeout() {
        format!("{target} failed: no connection within {} s", connect_timeout.as_secs_f32())
    } else if has_kind(error, io::ErrorKind::ConnectionRefused) {
        format!("{target} failed: the connection was refused; nothing listens there")
    } else if error.is_connect() && has_kind(error, io::ErrorKind::InvalidData) {
        format!("{target} failed: no secure connection (TLS): {cause}")
    } else if error.is_connect() {
        format!("{target} failed: no connection: {cause}")
    } else {
        format!("{target} broke off: {cause}")
    })
}

/// The first error of type `E` in the chain.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    chain(error).find_map(|cause| cause.downcast_ref::<E>())
}

/// Whether an I/O error of `kind` is in the chain. rustls reports what it dislikes as `InvalidData`.
fn has_kind(error: &(dyn Error + 'static), kind: io::ErrorKind) -> bool {
    chain(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|cause| cause.kind() == kind)
}

/// What the last error in the chain says.
fn innermost(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

/// An error and what caused it. An I/O error that wraps another passes on that one's cause as its own, so the one it
/// wraps has to be asked for.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped as &(dyn Error + 'static)),
        None => error.source(),
    })
}
