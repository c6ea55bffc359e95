//! Following redirects by hand, so that the egress guard sees every hop and secrets do not wander.

use horarium_domain::execution::Failure;
use horarium_domain::secret::is_secret_name;
use reqwest::header::{CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, HOST, HeaderMap, LOCATION};
use reqwest::{Method, Response, StatusCode};

use super::request::{IDEMPOTENCY_KEY, Request};

/// Where a response redirects to, if it does.
pub(super) fn location(response: &Response) -> Option<String> {
    let redirects = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response.headers().get(LOCATION).filter(|_| redirects)?;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}

/// The request that a redirect with `status` to `location` asks for.
///
/// As RFC 9110 has it, 303 turns any method but HEAD into GET, and 301 and 302 turn POST into GET, without the body.
pub(super) fn follow(request: Request, status: StatusCode, location: &str) -> Result<Request, Failure> {
    let url = request.url.join(location).map_err(|error| {
        Failure::retryable(format!("{} redirects to something that is no URL: {error}", request.target()))
            .with_http_status(status.as_u16())
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        let told =
            format!("{} redirects to a '{}' URL; only http and https are followed", request.target(), url.scheme());
        return Err(Failure::permanent(told).with_http_status(status.as_u16()));
    }
    let Request { mut method, url: from, mut headers, mut body } = request;
    let to_get = match status {
        StatusCode::SEE_OTHER => method != Method::HEAD,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => method == Method::POST,
        _ => false,
    };
    if to_get {
        method = Method::GET;
        body = None;
        for name in [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE] {
            headers.remove(name);
        }
    }
    if url.origin() != from.origin() {
        leave_secrets_behind(&mut headers);
    }
    Ok(Request { method, url, headers, body })
}

/// Takes out what was meant for the first server only. The idempotency key is meant for whoever does the work.
fn leave_secrets_behind(headers: &mut HeaderMap) {
    headers.remove(HOST);
    let secret: Vec<_> =
        headers.keys().filter(|name| **name != IDEMPOTENCY_KEY && is_secret_name(name.as_str())).cloned().collect();
    for name in secret {
        headers.remove(name);
    }
}
