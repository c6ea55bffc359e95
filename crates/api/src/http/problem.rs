//! Errors on the wire: RFC 9457, the shape wherever no dialect owns another one.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;

use super::error_shape::Refused;

/// The media type of [`ProblemDetails`].
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Why a request was refused (RFC 9457, `application/problem+json`).
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "about:blank",
    "title": "Bad Request",
    "status": 400,
    "detail": "The request is not valid; see 'errors'.",
    "instance": "/api/v1/scheduler/jobs",
    "errors": {"scheduleExpression": ["a schedule of type Cron needs scheduleExpression"]}
}))]
pub struct ProblemDetails {
    /// What kind of problem; `about:blank` says that the status tells it all.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What happened, to which thing, and what to do about it.
    pub detail: String,
    /// The path of the request.
    pub instance: String,
    /// What is wrong, by field; absent when no field is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub errors: Option<BTreeMap<String, Vec<String>>>,
}

/// The shape of refusals that no dialect owns.
pub(super) fn shape(refused: &Refused<'_>) -> HttpResponse {
    let problem = ProblemDetails {
        kind: "about:blank",
        title: refused.status.canonical_reason().unwrap_or("Error").to_owned(),
        status: refused.status.as_u16(),
        detail: refused.detail.clone().into_owned(),
        instance: refused.path.to_owned(),
        errors: (!refused.errors.is_empty()).then(|| refused.errors.clone().into_owned()),
    };
    // Texts, a number and a map with text keys always have a JSON form.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    HttpResponse::build(refused.status).insert_header((CONTENT_TYPE, MEDIA_TYPE)).body(body)
}
