//! Refusals in this dialect's envelope, named as the source document names them.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use horarium_domain::Timestamp;
use horarium_scheduler_engine::service::ServiceError;
use utoipa::PartialSchema;

use super::PREFIX;
use super::dto::{AdminErrorDetails, AdminErrorDto, AdminErrorEnvelope};
use crate::http::{ApiError, ErrorSchema, Refused};

/// What OpenAPI says of the envelope.
pub(crate) static ERROR_SCHEMA: ErrorSchema = ErrorSchema {
    prefixes: &[PREFIX],
    media_type: "application/json",
    name: "AdminErrorEnvelope",
    schema: AdminErrorEnvelope::schema,
};

/// Writes a refusal down, whoever refused.
pub(crate) fn shape(refused: &Refused<'_>) -> HttpResponse {
    let message = refused.title.unwrap_or_else(|| title(refused.status));
    let envelope = AdminErrorEnvelope {
        success: false,
        message: message.to_owned(),
        data: (),
        error: AdminErrorDto {
            code: message.to_ascii_uppercase().replace([' ', '-'], "_"),
            details: AdminErrorDetails {
                reason: refused.detail.clone().into_owned(),
                errors: (!refused.errors.is_empty()).then(|| refused.errors.clone().into_owned()),
            },
        },
        timestamp: refused.state.map_or(Timestamp::UNIX_EPOCH, |state| state.core.now()),
    };
    HttpResponse::build(refused.status).json(envelope)
}

/// The document's name for a status, else the usual one.
fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "Authentication failed",
        StatusCode::FORBIDDEN => "Insufficient permissions",
        StatusCode::INTERNAL_SERVER_ERROR => "Server error",
        other => other.canonical_reason().unwrap_or("Error"),
    }
}

/// The name can be no job's.
pub(super) fn invalid_name() -> ApiError {
    let problem = "must be 1 to 200 letters, digits, '_', '.', ':', '-' and spaces";
    ApiError::invalid_field("jobName", problem).titled("Invalid job name")
}

/// A service's refusal in a call about the job of this name.
pub(super) fn about(error: ServiceError, name: &str) -> ApiError {
    match error {
        ServiceError::NotFound("job") => {
            ApiError::new(StatusCode::NOT_FOUND, format!("There is no job '{name}'.")).titled("Job not found")
        }
        other => other.into(),
    }
}
