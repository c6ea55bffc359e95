//! What the dialect will take and does not yet: 501, and not in OpenAPI.

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::http::{ApiError, Authorized, perm};

/// The paths below the dialect's prefix, and what they will take.
pub(crate) const PATHS: &[(&str, &[&str])] = &[
    ("/workflows", &["GET", "POST"]),
    ("/workflows/{workflowId}", &["GET"]),
    ("/workflows/{workflowId}/trigger", &["POST"]),
    ("/workflows/{workflowId}/runs", &["GET"]),
    ("/jobs/{jobId}/exclusions", &["POST"]),
    ("/jobs/{jobId}/dependencies", &["POST"]),
    ("/admin/export", &["GET"]),
    ("/admin/import", &["POST"]),
];

pub(super) fn configure(cfg: &mut ServiceConfig<'_>) {
    for (path, methods) in PATHS {
        for method in methods.iter().filter_map(|name| Method::from_bytes(name.as_bytes()).ok()) {
            let changes = method != Method::GET;
            let route = web::method(method);
            cfg.route(path, if changes { route.to(not_yet_to_writers) } else { route.to(not_yet_to_readers) });
        }
    }
}

async fn not_yet_to_readers(_: Authorized<perm::JobsRead>, req: HttpRequest) -> Result<HttpResponse, ApiError> {
    Err(not_yet(&req))
}

async fn not_yet_to_writers(_: Authorized<perm::JobsWrite>, req: HttpRequest) -> Result<HttpResponse, ApiError> {
    Err(not_yet(&req))
}

fn not_yet(req: &HttpRequest) -> ApiError {
    let detail = format!("{} {} is not available in this version.", req.method(), req.path());
    ApiError::new(StatusCode::NOT_IMPLEMENTED, detail)
}
