//! API keys: a machine's credentials. A key's text is shown when it is made or rotated, and never again.

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, delete, get, post, web};
use horarium_auth::api_key::ApiKey;
use horarium_auth::scope;
use horarium_domain::api_key::{ApiKeyRecord, ApiKeyState};
use horarium_domain::page::PageRequest;
use horarium_domain::{ApiKeyId, Timestamp};
use horarium_scheduler_engine::service::{FieldErrors, NewKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::dialects::scheduler::dto::PagedResponse;
use crate::http::{ApiError, Authorized, Body, Id, OneTimeSecret, Paging, Query, perm};
use crate::state::ApiState;

/// An API key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[schema(example = json!({"name": "ci", "scopes": ["jobs:read", "executions:trigger"]}))]
struct NewKeyRequest {
    /// What to call it; shown as "triggered by".
    #[schema(value_type = String, required, min_length = 1, max_length = 200)]
    name: Option<String>,
    /// What it may do: names of permissions, or `*` for all that an owner may. Never more than the caller may. The
    /// admin dialect (`admin:jobs`), metrics (`metrics:read`) and tenants (`tenants:manage`) are not part of `*`.
    #[schema(value_type = Vec<String>, required, min_items = 1)]
    scopes: Option<Vec<String>>,
    /// From this instant on it is refused; never when none is given.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// Whether a key is good for anything.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
enum KeyStatus {
    /// It is accepted.
    Active,
    /// Its time is over.
    Expired,
    /// Somebody revoked it.
    Revoked,
}

/// An API key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KeyDto {
    /// Its id, which is also part of its text.
    id: Uuid,
    /// What it is called.
    name: String,
    /// What it may do.
    scopes: Vec<String>,
    /// Whether it is good for anything.
    status: KeyStatus,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Who made it.
    created_by: String,
    /// From when on it is refused.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When it was last accepted, to about a minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// When it was revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
}

/// An API key with its text, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ShownKeyDto {
    /// What to send as `X-API-Key`. Keep it: it cannot be shown again.
    #[schema(example = "hrm_0198f6d2…_…")]
    key: String,
    /// The rest.
    #[serde(flatten)]
    record: KeyDto,
}

impl KeyDto {
    fn new(record: ApiKeyRecord, now: Timestamp) -> Self {
        let status = match record.state(now) {
            ApiKeyState::Active => KeyStatus::Active,
            ApiKeyState::Expired => KeyStatus::Expired,
            ApiKeyState::Revoked => KeyStatus::Revoked,
        };
        Self {
            id: record.id.as_uuid(),
            name: record.name,
            scopes: record.scopes,
            status,
            created_at: record.created_at,
            created_by: record.created_by,
            expires_at: record.expires_at,
            last_used_at: record.last_used_at,
            revoked_at: record.revoked_at,
        }
    }
}

fn shown(status: StatusCode, key: &ApiKey, record: KeyDto) -> HttpResponse {
    let location = format!("/api/v1/keys/{}", record.id);
    let mut response =
        HttpResponse::build(status).insert_header((LOCATION, location)).json(ShownKeyDto { key: key.reveal(), record });
    response.extensions_mut().insert(OneTimeSecret);
    response
}

/// Make an API key
///
/// Its text is in the answer, this once: only a hash of it is stored.
#[utoipa::path(
    tag = "API keys",
    request_body = NewKeyRequest,
    responses((status = 201, description = "The key, with its text.", body = ShownKeyDto, headers(
        ("Location" = String, description = "The path of the key."),
    ))),
)]
#[post("/keys")]
pub(super) async fn create_key(
    caller: Authorized<perm::KeysManage>,
    state: web::Data<ApiState>,
    body: Body<NewKeyRequest>,
) -> Result<HttpResponse, ApiError> {
    let NewKeyRequest { name, scopes, expires_at } = body.0;
    let mut errors = FieldErrors::default();
    if name.is_none() {
        errors.add("name", "is required");
    }
    let granted = scope::grant(caller.principal.permissions, &scopes.unwrap_or_default())
        .map_err(|error| errors.add("scopes", error.to_string()));
    let (Some(name), Ok(scopes)) = (name, granted) else { return Err(ApiError::invalid(errors)) };
    let id = state.services.keys.new_id();
    let key = ApiKey::generate(id, state.core.entropy.secret());
    let new = NewKey { id, name, scopes, secret_hash: key.secret_hash(), expires_at };
    let record = state.services.keys.create(&caller.actor, new).await?;
    Ok(shown(StatusCode::CREATED, &key, KeyDto::new(record, state.core.now())))
}

/// List API keys
///
/// Newest first, revoked and expired ones included; never their secrets.
#[utoipa::path(
    tag = "API keys",
    params(Paging),
    responses((status = 200, description = "One page of the keys.", body = PagedResponse<KeyDto>)),
)]
#[get("/keys")]
pub(super) async fn list_keys(
    caller: Authorized<perm::KeysRead>,
    state: web::Data<ApiState>,
    page: Query<PageRequest>,
) -> Result<HttpResponse, ApiError> {
    let keys = state.services.keys.list(caller.tenant.id, page.0).await?;
    let now = state.core.now();
    Ok(HttpResponse::Ok().json(PagedResponse::new(keys, page.0, |record| KeyDto::new(record, now))))
}

/// Read an API key
#[utoipa::path(
    tag = "API keys",
    params(("keyId" = Uuid, Path, description = "The key.")),
    responses((status = 200, description = "The key, without its secret.", body = KeyDto)),
)]
#[get("/keys/{keyId}")]
pub(super) async fn get_key(
    caller: Authorized<perm::KeysRead>,
    state: web::Data<ApiState>,
    id: Id<ApiKeyId>,
) -> Result<HttpResponse, ApiError> {
    let record = state.services.keys.get(caller.tenant.id, id.0).await?;
    Ok(HttpResponse::Ok().json(KeyDto::new(record, state.core.now())))
}

/// Revoke an API key
///
/// For good. It stays in the list until the built-in job `tokenExpiry` clears it away.
#[utoipa::path(
    tag = "API keys",
    params(("keyId" = Uuid, Path, description = "The key.")),
    responses((status = 204, description = "It is revoked.")),
)]
#[delete("/keys/{keyId}")]
pub(super) async fn revoke_key(
    caller: Authorized<perm::KeysManage>,
    state: web::Data<ApiState>,
    id: Id<ApiKeyId>,
) -> Result<HttpResponse, ApiError> {
    state.services.keys.revoke(&caller.actor, id.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Give an API key another secret
///
/// The former one is refused from now on. Whoever rotates a key holds its new text, so they must be allowed all that
/// it is.
#[utoipa::path(
    tag = "API keys",
    params(("keyId" = Uuid, Path, description = "The key.")),
    responses(
        (status = 200, description = "The key, with its new text.", body = ShownKeyDto, headers(
            ("Location" = String, description = "The path of the key."),
        )),
        (status = 409, description = "It is revoked."),
    ),
)]
#[post("/keys/{keyId}/rotate")]
pub(super) async fn rotate_key(
    caller: Authorized<perm::KeysManage>,
    state: web::Data<ApiState>,
    id: Id<ApiKeyId>,
) -> Result<HttpResponse, ApiError> {
    let keys = &state.services.keys;
    let present = keys.get(caller.tenant.id, id.0).await?;
    scope::grant(caller.principal.permissions, &present.scopes).map_err(|_| {
        ApiError::new(StatusCode::FORBIDDEN, "The key may do more than your own credential, so you cannot rotate it.")
    })?;
    let key = ApiKey::generate(id.0, state.core.entropy.secret());
    let record = keys.rotate(&caller.actor, id.0, key.secret_hash()).await?;
    Ok(shown(StatusCode::OK, &key, KeyDto::new(record, state.core.now())))
}
