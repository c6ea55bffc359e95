//! Where this dialect's answers differ from the common mapping of service errors.

use actix_web::http::StatusCode;
use horarium_scheduler_engine::service::{FieldErrors, ServiceError};

use crate::http::ApiError;

/// A refused submission: the kind is named, and fields by their names in this dialect.
pub(super) fn submission(error: ServiceError, kind: &str) -> ApiError {
    match error {
        ServiceError::NotFound(_) => {
            let shown: String = kind.chars().filter(|c| !c.is_control()).take(200).collect();
            let detail = format!("There is no integration job of the kind '{shown}'.");
            ApiError::new(StatusCode::NOT_FOUND, detail)
        }
        ServiceError::Invalid(errors) => {
            let mut renamed = FieldErrors::default();
            for (field, problems) in errors.into_map() {
                let field = if field == "uniqueKey" { "dedupeKey".to_owned() } else { field };
                for problem in problems {
                    renamed.add(field.clone(), problem);
                }
            }
            ApiError::invalid(renamed)
        }
        other => other.into(),
    }
}
