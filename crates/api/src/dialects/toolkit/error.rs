//! Refusals in the dialect's shape: its envelope, with the HTTP status as the code and what went wrong as the message.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use horarium_scheduler_engine::service::ServiceError;
use serde_json::Value;
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::dto::{Envelope, Unauthorized};
use super::map::answered;
use crate::http::{ApiError, ErrorSchema, Refused, TENANT_GONE};

/// Where the dialect lives.
pub(crate) const PREFIXES: &[&str] = &["/v1/toolkit", "/paid"];

/// What the source document says when the key's tenant has no jobs any more.
const NO_JOBS: &str = "Jobs directory not found";

/// What OpenAPI says of the refusals.
pub(crate) static ERROR_SCHEMA: ErrorSchema = ErrorSchema {
    prefixes: PREFIXES,
    media_type: "application/json",
    name: "ToolkitRefusal",
    schema: <ToolkitRefusal as PartialSchema>::schema,
};

/// Why a request was refused; a 401 holds `message` alone.
#[derive(Debug, ToSchema)]
#[allow(dead_code)] // describes the envelope of a refusal to OpenAPI
struct ToolkitRefusal {
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    code: Option<u16>,
    /// What went wrong.
    message: String,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    response: Option<Value>,
    /// This request.
    job_id: Option<Uuid>,
}

/// Writes a refusal down.
pub(crate) fn shape(refused: &Refused<'_>) -> HttpResponse {
    if refused.status == StatusCode::UNAUTHORIZED {
        return HttpResponse::Unauthorized().json(Unauthorized { message: "Unauthorized" });
    }
    let job_id = refused.state.map_or_else(Uuid::nil, |state| state.core.ids.uuid(state.core.now()));
    let build = refused.state.map_or(env!("CARGO_PKG_VERSION"), |state| state.about.version);
    let code = refused.status.as_u16();
    let envelope: Envelope<Value> = answered(code, job_id, None, message(refused), refused.elapsed, build);
    HttpResponse::build(refused.status).json(envelope)
}

/// The fields that are wrong say more than that some are.
fn message(refused: &Refused<'_>) -> String {
    if refused.title == Some(TENANT_GONE) {
        return NO_JOBS.to_owned();
    }
    if refused.errors.is_empty() {
        return refused.detail.clone().into_owned();
    }
    let problems = refused.errors.iter().flat_map(|(field, texts)| texts.iter().map(move |text| (field, text)));
    let problems: Vec<String> = problems.map(|(field, text)| format!("{field}: {text}")).collect();
    problems.join("; ")
}

/// What the source document says when the jobs cannot be listed.
pub(super) fn listing(error: ServiceError) -> ApiError {
    match error {
        ServiceError::NotFound(_) => ApiError::new(StatusCode::NOT_FOUND, NO_JOBS),
        ServiceError::Unavailable { .. } | ServiceError::Internal { .. } => {
            let internal = error.internal().unwrap_or_default().to_owned();
            let told = format!("Failed to retrieve job statuses: {error}");
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, told).with_internal(internal)
        }
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_jobs_from_being_listed_is_told_in_the_documents_words() {
        let internal = || "the disk is on fire".to_owned();
        for (error, told) in [
            (
                ServiceError::Unavailable { internal: internal() },
                "the service is temporarily unavailable; try again in a moment",
            ),
            (ServiceError::Internal { internal: internal() }, "an internal error occurred"),
        ] {
            let refusal = listing(error);
            assert_eq!(refusal.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(refusal.detail(), format!("Failed to retrieve job statuses: {told}"));
            assert_eq!(refusal.cause(), Some(&*internal()));
        }
        assert_eq!(listing(ServiceError::NotFound("tenant")).detail(), NO_JOBS);
    }
}
