//! `ETag`, `If-Match` and `If-None-Match` for what has a version.
//!
//! A tag is `"v<version>"`, or `"v<version>-<digest>"` where the answer also shows what changes without a new version
//! (when a job runs next, how its latest run ended): a reader who revalidates must not be told that nothing changed,
//! while a writer only cares whether the definition did. So `If-None-Match` compares whole tags, and `If-Match` the
//! version alone.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::ApiError;

/// A version that nothing has: versions count from 1.
const NO_VERSION: i64 = 0;

/// What a writer expects of the thing it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// Nothing: no `If-Match`, or `*`.
    Any,
    /// This version.
    Version(i64),
}

impl IfMatch {
    /// The version to hand to a service.
    pub(crate) fn version(self) -> Option<i64> {
        match self {
            Self::Any => None,
            Self::Version(version) => Some(version),
        }
    }
}

impl FromRequest for IfMatch {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(if_match(req.headers()))
    }
}

/// Tags that are not ours match nothing. Several that name different versions are refused: a service decides on one.
fn if_match(headers: &HeaderMap) -> Result<IfMatch, ApiError> {
    let mut expected: Option<i64> = None;
    for tag in tags(headers, &IF_MATCH) {
        if tag == "*" {
            return Ok(IfMatch::Any);
        }
        let version = version_of(tag).unwrap_or(NO_VERSION);
        match expected {
            Some(other) if other != version => {
                return Err(ApiError::invalid_field("If-Match", "must name one version"));
            }
            _ => expected = Some(version),
        }
    }
    Ok(expected.map_or(IfMatch::Any, IfMatch::Version))
}

fn tags<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    // A value that is no text names no tag of ours.
    let values = headers.get_all(name).map(|value| value.to_str().unwrap_or("\"\""));
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|tag| !tag.is_empty())
}

/// The version in a tag. Proxies that compress make a tag weak; what it says of the version still holds.
pub(super) fn version_of(tag: &str) -> Option<i64> {
    let inner = strong(tag).strip_prefix("\"v")?.strip_suffix('"')?;
    inner.split_once('-').map_or(inner, |(version, _)| version).parse().ok().filter(|version| *version > NO_VERSION)
}

fn strong(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// An answer that shows something with a version.
#[derive(Debug)]
pub(crate) struct Entity<T> {
    /// What is shown.
    pub(crate) body: T,
    /// The version of its definition.
    pub(crate) version: i64,
}

impl<T: Serialize> Entity<T> {
    /// The answer to a read: 304 when the caller has exactly this already.
    pub(crate) fn read_by(&self, req: &HttpRequest) -> Result<HttpResponse, ApiError> {
        let (body, tag) = self.render()?;
        let known = tags(req.headers(), &IF_NONE_MATCH).any(|theirs| theirs == "*" || strong(theirs) == tag);
        if known {
            return Ok(HttpResponse::NotModified().insert_header((ETAG, tag)).finish());
        }
        Ok(respond(StatusCode::OK, body, tag))
    }

    /// The answer to a write.
    pub(crate) fn written(&self, status: StatusCode) -> Result<HttpResponse, ApiError> {
        let (body, tag) = self.render()?;
        Ok(respond(status, body, tag))
    }

    fn render(&self) -> Result<(Vec<u8>, String), ApiError> {
        let body = serde_json::to_vec(&self.body).map_err(ApiError::internal)?;
        let digest = Sha256::digest(&body);
        let tag = digest.iter().take(8).fold(format!("\"v{}-", self.version), |tag, byte| format!("{tag}{byte:02x}"));
        Ok((body, tag + "\""))
    }
}

fn respond(status: StatusCode, body: Vec<u8>, tag: String) -> HttpResponse {
    let mut response = HttpResponse::build(status).content_type("application/json").body(body);
    // Digits, letters and quotes are legal in a header, so a tag is never missing.
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Result<IfMatch, String> {
        let mut headers = HeaderMap::new();
        headers.insert(IF_MATCH, HeaderValue::from_str(value).unwrap());
        if_match(&headers).map_err(|error| error.to_string())
    }

    #[test]
    fn a_tag_names_a_version_with_or_without_its_digest() {
        for tag in [r#""v7""#, r#""v7-0011aabb""#, r#"W/"v7""#, r#""v7", "v7-00""#] {
            assert_eq!(parsed(tag), Ok(IfMatch::Version(7)), "{tag}");
        }
        assert_eq!(parsed("*"), Ok(IfMatch::Any));
    }

    #[test]
    fn a_foreign_tag_matches_no_version() {
        for tag in [r#""abc""#, "v7", r#""v0""#, r#""v-3""#, r#""v99999999999999999999""#] {
            assert_eq!(parsed(tag), Ok(IfMatch::Version(NO_VERSION)), "{tag}");
        }
        assert!(parsed(r#""v1", "v2""#).is_err());
    }

    #[test]
    fn what_changes_without_a_new_version_changes_the_tag() {
        let tag = |body: &str| Entity { body, version: 3 }.render().unwrap().1;
        assert_ne!(tag("ran at 1"), tag("ran at 2"));
        assert_eq!(version_of(&tag("ran at 1")), Some(3));
    }
}
