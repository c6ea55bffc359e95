//! The secret that a tenant's webhooks are signed with, for whoever checks the signatures.

use actix_web::{HttpResponse, get, post, web};
use horarium_domain::Timestamp;
use horarium_scheduler_engine::service::SigningKey;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{ApiError, Authorized, OneTimeSecret, perm};
use crate::state::ApiState;

/// The secret that webhooks are signed with.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WebhookSecretDto {
    /// The key of the HMAC-SHA256: the bytes of this text.
    #[schema(example = "whsec_5f0c…")]
    secret: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<SigningKey> for WebhookSecretDto {
    fn from(key: SigningKey) -> Self {
        Self { secret: key.secret, created_at: key.created_at }
    }
}

/// Read the secret that webhooks are signed with
///
/// It is made when it is first asked for. A webhook carries `X-Horarium-Signature: t=<unix seconds>,v1=<hex>`, where
/// `v1` is the HMAC-SHA256 of `<t>.<body>` under this secret.
#[utoipa::path(
    tag = "Webhooks",
    responses((status = 200, description = "The secret.", body = WebhookSecretDto)),
)]
#[get("/webhook-secret")]
pub(super) async fn get_webhook_secret(
    caller: Authorized<perm::KeysManage>,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let key = state.services.callbacks.signing_key(caller.tenant.id).await?;
    Ok(HttpResponse::Ok().json(WebhookSecretDto::from(key)))
}

/// Give webhooks another secret
///
/// What is delivered from now on is signed with the new one, retries included.
#[utoipa::path(
    tag = "Webhooks",
    responses((status = 200, description = "The new secret.", body = WebhookSecretDto)),
)]
#[post("/webhook-secret/rotate")]
pub(super) async fn rotate_webhook_secret(
    caller: Authorized<perm::KeysManage>,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let key = state.services.callbacks.rotate_signing_key(&caller.actor).await?;
    let mut response = HttpResponse::Ok().json(WebhookSecretDto::from(key));
    // Answers are kept for repetitions, and secrets are not kept in the open.
    response.extensions_mut().insert(OneTimeSecret);
    Ok(response)
}
