//! Errors on the wire: RFC 9457, the shape of the scheduler dialect and of the platform.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiError;

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

impl ProblemDetails {
    fn new(status: StatusCode, detail: String, instance: &str) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail,
            instance: instance.to_owned(),
            errors: None,
        }
    }

    fn into_response(self, status: StatusCode) -> HttpResponse {
        // Texts, a number and a map with text keys always have a JSON form.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        HttpResponse::build(status).insert_header((CONTENT_TYPE, MEDIA_TYPE)).body(body)
    }
}

/// The answer for a refusal of ours.
pub(super) fn response(error: &ApiError, instance: &str) -> HttpResponse {
    let mut problem = ProblemDetails::new(error.status(), error.detail().to_owned(), instance);
    if !error.errors().is_empty() {
        problem.errors = Some(error.errors().clone());
    }
    let mut response = problem.into_response(error.status());
    for (name, value) in error.headers() {
        response.headers_mut().append(name.clone(), value.clone());
    }
    response
}

/// The answer for a refusal of the framework's, whose own words are not for callers.
pub(super) fn foreign(status: StatusCode, instance: &str) -> HttpResponse {
    let detail = if status.is_server_error() {
        "An internal error occurred. It has been logged.".to_owned()
    } else {
        format!("The request could not be read ({}).", status.canonical_reason().unwrap_or("bad request"))
    };
    ProblemDetails::new(status, detail, instance).into_response(status)
}
