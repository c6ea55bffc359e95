//! Where a request was sent from.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderMap, HeaderName, ORIGIN, REFERER};
use url::Url;

use crate::state::Dashboard;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a browser says of where a request that may change something was sent from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SentFrom {
    /// A page of ours.
    Here,
    /// Another site.
    Elsewhere,
    /// It does not say: no browser of the last years, or no browser.
    Unsaid,
}

impl SentFrom {
    pub(crate) fn of(dashboard: &Dashboard, request: &HttpRequest) -> Self {
        let headers = request.headers();
        match text(headers, &SEC_FETCH_SITE) {
            // 'none' is somebody who typed the address.
            Some("same-origin" | "none") => Self::Here,
            Some(_) => Self::Elsewhere,
            // Browsers leave it out where there is no TLS.
            None => match text(headers, &ORIGIN) {
                Some(origin) if is_ours(dashboard, headers, origin) => Self::Here,
                Some(_) => Self::Elsewhere,
                None => Self::Unsaid,
            },
        }
    }
}

/// Whether somebody may have followed a link on another site, so that the browser kept the session's cookie back.
pub(crate) fn may_be_from_elsewhere(dashboard: &Dashboard, request: &HttpRequest) -> bool {
    let headers = request.headers();
    match text(headers, &SEC_FETCH_SITE) {
        Some(site) => site == "cross-site",
        // Browsers leave it out where there is no TLS, and many sites keep from whom a link was followed.
        None => !text(headers, &REFERER).is_some_and(|page| is_ours(dashboard, headers, page)),
    }
}

/// Whether an origin, or the origin of a page, is ours.
fn is_ours(dashboard: &Dashboard, headers: &HeaderMap, address: &str) -> bool {
    if let Some(url) = &dashboard.config.public_url {
        return Url::parse(address).is_ok_and(|address| address.origin() == url.origin());
    }
    let host = address.split_once("://").and_then(|(_, rest)| rest.split('/').next());
    host.is_some() && host == text(headers, &HOST)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}
