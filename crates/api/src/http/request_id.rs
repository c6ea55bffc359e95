//! `X-Request-Id`: one name for a request, in the caller's log and in ours.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};
use uuid::Uuid;

/// The header, on requests and on answers.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longer ones are not taken over.
const MAX_LEN: usize = 128;

/// The caller's id if it is sane (1 to 128 characters that mean nothing to a log, a page or a shell), else the one that
/// `fresh` makes.
pub(super) fn choose(headers: &HeaderMap, fresh: impl FnOnce() -> Uuid) -> HeaderValue {
    let sane = |value: &&HeaderValue| {
        (1..=MAX_LEN).contains(&value.len())
            && value.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"._:/+=@-".contains(byte))
    };
    match headers.get(&HEADER).filter(sane) {
        Some(theirs) => theirs.clone(),
        // A UUID's text is a legal header value, so the fallback is never taken.
        None => HeaderValue::try_from(fresh().to_string()).unwrap_or(HeaderValue::from_static("unknown")),
    }
}

/// The id that was chosen for a request, for what is written down of it.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) HeaderValue);

/// The id of a request.
pub(crate) fn of(req: &HttpRequest) -> String {
    let chosen = req.extensions().get::<RequestId>().and_then(|id| id.0.to_str().ok().map(str::to_owned));
    chosen.unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(theirs: &[u8]) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_bytes(theirs).unwrap());
        choose(&headers, Uuid::nil).to_str().unwrap().to_owned()
    }

    #[test]
    fn a_sane_id_is_taken_over_and_any_other_replaced() {
        assert_eq!(chosen(b"trace-17/a:b"), "trace-17/a:b");
        let long = vec![b'x'; 129];
        for strange in [&b""[..], b"two words", b"caf\xc3\xa9", b"tab\there", b"<script>", b"$(id)", &long] {
            assert_eq!(chosen(strange), Uuid::nil().to_string());
        }
    }
}
