//! Limits of concurrency keys: what executions of any job and queue have in common.

use actix_web::{HttpResponse, get, put, web};
use horarium_domain::concurrency::KeyLimits;
use horarium_scheduler_engine::service::KeyLimitsInput;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::{ApiError, Authorized, ByName, Name, OptionalBody, Query, perm};
use crate::state::ApiState;

/// All limits of a concurrency key: what is left out (or null) is lifted, and `{}` lifts them both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[schema(example = json!({"maxConcurrency": 1, "rateLimitPerSecond": 10}))]
struct KeyLimitsRequest {
    /// How many executions with it may run at once, over all nodes, jobs and queues.
    #[schema(minimum = 1, maximum = 100_000)]
    max_concurrency: Option<i64>,
    /// How many executions with it may start per second, over all nodes, jobs and queues.
    #[schema(minimum = 1, maximum = 100_000)]
    rate_limit_per_second: Option<i64>,
}

/// The limits of a concurrency key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KeyLimitsDto {
    /// The key.
    key: String,
    /// How many executions with it may run at once; null for any number.
    max_concurrency: Option<u32>,
    /// How many executions with it may start per second; null for any number.
    rate_limit_per_second: Option<u32>,
}

/// One page of the limited keys of a tenant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KeyLimitsList {
    /// In the order of the keys' characters.
    items: Vec<KeyLimitsDto>,
    /// What to send as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

impl From<KeyLimits> for KeyLimitsDto {
    fn from(limits: KeyLimits) -> Self {
        Self {
            key: limits.key.into(),
            max_concurrency: limits.max_concurrency,
            rate_limit_per_second: limits.rate_limit_per_second,
        }
    }
}

/// List concurrency keys with limits
#[utoipa::path(
    tag = "Queues",
    params(ByName),
    responses((status = 200, description = "One page of the keys that have limits.", body = KeyLimitsList)),
)]
#[get("/limits")]
pub(super) async fn list_limited_keys(
    caller: Authorized<perm::QueuesRead>,
    state: web::Data<ApiState>,
    query: Query<ByName>,
) -> Result<HttpResponse, ApiError> {
    let ByName { cursor, limit } = query.0;
    let page = state.services.key_limits.list(caller.tenant.id, cursor.as_deref(), limit).await?;
    let items = page.items.into_iter().map(KeyLimitsDto::from).collect();
    Ok(HttpResponse::Ok().json(KeyLimitsList { items, next_cursor: page.next }))
}

/// Read the limits of a concurrency key
///
/// Every sound text is a key; one that nobody limited has no limits.
#[utoipa::path(
    tag = "Queues",
    params(("key" = String, Path, description = "The key.", min_length = 1, max_length = 200)),
    responses((status = 200, description = "Its limits.", body = KeyLimitsDto)),
)]
#[get("/limits/{key}")]
pub(super) async fn get_key_limits(
    caller: Authorized<perm::QueuesRead>,
    state: web::Data<ApiState>,
    key: Name,
) -> Result<HttpResponse, ApiError> {
    let limits = state.services.key_limits.get(caller.tenant.id, &key.0).await?;
    Ok(HttpResponse::Ok().json(KeyLimitsDto::from(limits)))
}

/// Set the limits of a concurrency key
///
/// Both of them: what is left out is lifted, and `{}` lifts both. Executions that wait with the key follow the new limits
/// from then on; those that run go on.
#[utoipa::path(
    tag = "Queues",
    params(("key" = String, Path, description = "The key.", min_length = 1, max_length = 200)),
    request_body = KeyLimitsRequest,
    responses((status = 200, description = "Its limits as they are now.", body = KeyLimitsDto)),
)]
#[put("/limits/{key}")]
pub(super) async fn set_key_limits(
    caller: Authorized<perm::QueuesWrite>,
    state: web::Data<ApiState>,
    key: Name,
    body: OptionalBody<KeyLimitsRequest>,
) -> Result<HttpResponse, ApiError> {
    // Nothing does not stand for `{}`: that would undo what somebody set.
    let limits = body.0.ok_or_else(|| {
        ApiError::bad_request("The body holds no limits: send those that the key is to have, or {} to lift them both.")
    })?;
    let KeyLimitsRequest { max_concurrency, rate_limit_per_second } = limits;
    let input = KeyLimitsInput { max_concurrency, rate_limit_per_second };
    let limits = state.services.key_limits.set(&caller.actor, &key.0, input).await?;
    Ok(HttpResponse::Ok().json(KeyLimitsDto::from(limits)))
}
