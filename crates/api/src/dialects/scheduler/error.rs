//! Where this dialect's answers differ from the common mapping of service errors.

use horarium_domain::ExecutionId;
use horarium_scheduler_engine::service::ServiceError;

use crate::http::ApiError;

/// The source document answers 400, not 404, when the execution to be retried does not exist.
pub(super) fn retry(error: ServiceError, id: ExecutionId) -> ApiError {
    match error {
        ServiceError::NotFound("execution") => ApiError::bad_request(format!("There is no execution {id} to retry.")),
        ServiceError::NotFound("job") => {
            ApiError::bad_request(format!("The job of execution {id} is deleted, so it cannot run again."))
        }
        other => other.into(),
    }
}
