//! What each tenant may use of the workers that all share, for whoever looks after them all.

use actix_web::{HttpResponse, get, put, web};
use horarium_domain::TenantId;
use horarium_domain::tenant::TenantLimits;
use horarium_scheduler_engine::service::TenantLimitsInput;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::{ApiError, Authorized, Body, Id, perm};
use crate::state::ApiState;

/// All limits of a tenant and its weight: what is left out (or null) is lifted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[schema(example = json!({"weight": 300, "maxConcurrency": 50}))]
struct TenantLimitsRequest {
    /// Its part of the starts while more waits than can start, beside the others' weights; 100 when none is given.
    #[schema(minimum = 1, maximum = 10_000)]
    weight: Option<i64>,
    /// How many of its executions may run at once, over all nodes and queues.
    #[schema(minimum = 1, maximum = 100_000)]
    max_concurrency: Option<i64>,
    /// How many of its executions may start per second, over all nodes and queues.
    #[schema(minimum = 1, maximum = 100_000)]
    rate_limit_per_second: Option<i64>,
}

/// The limits of a tenant and its weight.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TenantLimitsDto {
    /// Its part of the starts while more waits than can start, beside the others' weights.
    weight: u32,
    /// How many of its executions may run at once; null for any number.
    max_concurrency: Option<u32>,
    /// How many of its executions may start per second; null for any number.
    rate_limit_per_second: Option<u32>,
}

impl From<TenantLimits> for TenantLimitsDto {
    fn from(limits: TenantLimits) -> Self {
        Self {
            weight: limits.weight,
            max_concurrency: limits.max_concurrency,
            rate_limit_per_second: limits.rate_limit_per_second,
        }
    }
}

/// Read a tenant's limits
///
/// One that nobody limited has none, and the weight 100.
#[utoipa::path(
    tag = "Tenants",
    params(("tenantId" = Uuid, Path, description = "The tenant.")),
    responses((status = 200, description = "Its limits and its weight.", body = TenantLimitsDto)),
)]
#[get("/tenants/{tenantId}/limits")]
pub(super) async fn get_tenant_limits(
    _: Authorized<perm::TenantsManage>,
    state: web::Data<ApiState>,
    id: Id<TenantId>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(TenantLimitsDto::from(state.services.tenants.limits(id.0).await?)))
}

/// Set a tenant's limits
///
/// All of them: what is left out is lifted. What waits already follows them, too; what runs goes on.
#[utoipa::path(
    tag = "Tenants",
    params(("tenantId" = Uuid, Path, description = "The tenant.")),
    request_body = TenantLimitsRequest,
    responses((status = 200, description = "Its limits and its weight as they are now.", body = TenantLimitsDto)),
)]
#[put("/tenants/{tenantId}/limits")]
pub(super) async fn set_tenant_limits(
    _: Authorized<perm::TenantsManage>,
    state: web::Data<ApiState>,
    id: Id<TenantId>,
    body: Body<TenantLimitsRequest>,
) -> Result<HttpResponse, ApiError> {
    let TenantLimitsRequest { weight, max_concurrency, rate_limit_per_second } = body.0;
    let input = TenantLimitsInput { weight, max_concurrency, rate_limit_per_second };
    let limits = state.services.tenants.set_limits(id.0, input).await?;
    Ok(HttpResponse::Ok().json(TenantLimitsDto::from(limits)))
}
