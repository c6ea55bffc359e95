//! The process's metrics, for Prometheus. They cover all tenants, so a tenant's own administrator may not read them.

use actix_web::http::header::AUTHORIZATION;
use actix_web::{HttpRequest, HttpResponse, get, web};
use horarium_auth::Permission;
use sha2::{Digest, Sha256};

use crate::http::{ApiError, identify};
use crate::state::ApiState;

const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Read the metrics
///
/// In the Prometheus text format. Takes the configured metrics token as bearer token, or a credential that may read
/// metrics.
#[utoipa::path(
    tag = "Health",
    responses(
        (status = 200, description = "The metrics.", body = String, content_type = "text/plain"),
        (status = 404, description = "Metrics are switched off."),
    ),
)]
#[get("/metrics")]
pub(super) async fn get_metrics(req: HttpRequest, state: web::Data<ApiState>) -> Result<HttpResponse, ApiError> {
    if !shows_metrics_token(&req, &state) {
        identify(&state, &req).await?.principal.require(Permission::MetricsRead)?;
    }
    let Some(metrics) = &state.metrics else { return Err(ApiError::not_found("thing as metrics here")) };
    Ok(HttpResponse::Ok().content_type(TEXT_FORMAT).body(metrics.render()))
}

/// Digests are compared, not texts: how long that takes says nothing about the token.
fn shows_metrics_token(req: &HttpRequest, state: &ApiState) -> bool {
    let Some(expected) = &state.config.metrics_token else { return false };
    let shown = req.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = shown.and_then(|text| text.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    token.is_some_and(|(_, token)| Sha256::digest(token.trim()) == Sha256::digest(expected))
}
