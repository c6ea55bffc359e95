//! How a refusal looks, by where it happens: a dialect owns the shape of every error below its path prefixes, those
//! that no route of it made included (an unknown path, a method that is not taken, a body that is no JSON).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use super::{ApiError, problem};
use crate::state::ApiState;

/// A refusal with all that a shape may show of it.
pub(crate) struct Refused<'a> {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// What is refused in a few words, if whoever refused it named it; else the status says it.
    pub(crate) title: Option<&'static str>,
    /// What happened, for the caller.
    pub(crate) detail: Cow<'a, str>,
    /// What is wrong, by field; empty when no field is to blame.
    pub(crate) errors: Cow<'a, BTreeMap<String, Vec<String>>>,
    /// The path of the request.
    pub(crate) path: &'a str,
    /// How long the request has taken so far.
    pub(crate) elapsed: Duration,
    /// What the routes work with; `None` only where the application was put together without it.
    pub(crate) state: Option<&'a ApiState>,
}

impl<'a> Refused<'a> {
    /// A refusal of ours, or one of the framework's, whose own words are not for callers.
    pub(super) fn new(
        error: Result<&'a ApiError, StatusCode>,
        path: &'a str,
        elapsed: Duration,
        state: Option<&'a ApiState>,
    ) -> Self {
        let title = error.ok().and_then(ApiError::title);
        let (status, detail, errors) = match error {
            Ok(error) => (error.status(), Cow::Borrowed(error.detail()), Cow::Borrowed(error.errors())),
            Err(status) => (status, foreign_detail(status), Cow::Owned(BTreeMap::new())),
        };
        Self { status, title, detail, errors, path, elapsed, state }
    }
}

fn foreign_detail(status: StatusCode) -> Cow<'static, str> {
    if status.is_server_error() {
        Cow::Borrowed("An internal error occurred. It has been logged.")
    } else {
        let reason = status.canonical_reason().unwrap_or("bad request");
        Cow::Owned(format!("The request could not be read ({reason})."))
    }
}

/// Writes a refusal down: status and body. The headers that belong to it are added by the shell.
pub(crate) type ErrorShape = fn(&Refused<'_>) -> HttpResponse;

/// What OpenAPI says of a shape.
#[derive(Debug)]
pub(crate) struct ErrorSchema {
    /// The path prefixes that the shape owns.
    pub(crate) prefixes: &'static [&'static str],
    /// The media type of the body.
    pub(crate) media_type: &'static str,
    /// The name of the body's schema.
    pub(crate) name: &'static str,
    /// The body's schema.
    pub(crate) schema: fn() -> RefOr<Schema>,
}

impl ErrorSchema {
    /// Whether the shape owns this path.
    pub(crate) fn owns(&self, path: &str) -> bool {
        self.prefixes.iter().any(|prefix| is_below(prefix, path))
    }
}

fn is_below(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The shapes by path prefix. Everything else answers with problem details.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ErrorShapes(pub(crate) &'static [(&'static str, ErrorShape)]);

impl ErrorShapes {
    /// Whether a path is the API's: programs are answered there, whatever they say they read.
    pub(super) fn is_of_api(self, path: &str) -> bool {
        is_below("/api", path) || self.0.iter().any(|(prefix, _)| is_below(prefix, path))
    }

    /// The shape of the errors at a path: that of the longest prefix that the path lies below.
    pub(super) fn at(self, path: &str) -> ErrorShape {
        let owners = self.0.iter().filter(|(prefix, _)| is_below(prefix, path));
        owners.max_by_key(|(prefix, _)| prefix.len()).map_or(problem::shape, |(_, shape)| *shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn teapot(_: &Refused<'_>) -> HttpResponse {
        HttpResponse::new(StatusCode::IM_A_TEAPOT)
    }

    #[test]
    fn a_dialect_owns_its_prefix_and_nothing_beside_it() {
        let shapes = ErrorShapes(&[("/v1/toolkit", teapot)]);
        let status = |path: &'static str| {
            let refused = Refused::new(Err(StatusCode::NOT_FOUND), path, Duration::ZERO, None);
            (shapes.at(path))(&refused).status()
        };
        for own in ["/v1/toolkit", "/v1/toolkit/", "/v1/toolkit/jobs/nowhere"] {
            assert_eq!(status(own), StatusCode::IM_A_TEAPOT, "{own}");
        }
        for other in ["/", "/v1", "/v1/toolkits", "/api/v1/toolkit"] {
            assert_eq!(status(other), StatusCode::NOT_FOUND, "{other}");
        }
    }

    #[test]
    fn pages_are_shown_where_no_dialect_is() {
        let shapes = ErrorShapes(&[("/v1/toolkit", teapot)]);
        for of_api in ["/api", "/api/v1/nowhere", "/v1/toolkit", "/v1/toolkit/nowhere"] {
            assert!(shapes.is_of_api(of_api), "{of_api}");
        }
        for beside in ["/", "/apis", "/v1", "/nowhere", "/docs/nowhere"] {
            assert!(!shapes.is_of_api(beside), "{beside}");
        }
    }
}
