//! Tenants, for whoever looks after them all.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, delete, get, patch, post, web};
use horarium_domain::page::PageRequest;
use horarium_domain::tenant::Tenant;
use horarium_domain::{TenantId, Timestamp};
use horarium_scheduler_engine::service::{NewTenant, TenantChange};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::dialects::scheduler::dto::PagedResponse;
use crate::http::{ApiError, Authorized, Body, Id, Paging, Query, perm};
use crate::state::ApiState;

/// A tenant to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[schema(example = json!({"slug": "org-123", "name": "Example Org"}))]
struct NewTenantRequest {
    /// Its short, unique name; upper-case letters are taken as lower-case ones.
    #[schema(value_type = String, required, min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    slug: Option<String>,
    /// Its name for people; the slug when none is given.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
}

/// What to change of a tenant; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[schema(example = json!({"isActive": false}))]
struct TenantChangeRequest {
    /// Its name for people.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// One that is not active is refused at the door, and its schedules do not fire.
    is_active: Option<bool>,
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TenantDto {
    /// Its id.
    id: Uuid,
    /// Its short, unique name.
    slug: String,
    /// Its name for people.
    name: String,
    /// Whether it may do anything.
    is_active: bool,
    /// When it came into being.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Tenant> for TenantDto {
    fn from(tenant: Tenant) -> Self {
        Self {
            id: tenant.id.as_uuid(),
            slug: tenant.slug.into(),
            name: tenant.name,
            is_active: tenant.is_active,
            created_at: tenant.created_at,
        }
    }
}

/// Make a tenant
#[utoipa::path(
    tag = "Tenants",
    request_body = NewTenantRequest,
    responses(
        (status = 201, description = "The tenant.", body = TenantDto, headers(
            ("Location" = String, description = "The path of the tenant."),
        )),
        (status = 409, description = "A tenant of this slug exists."),
    ),
)]
#[post("/tenants")]
pub(super) async fn create_tenant(
    _: Authorized<perm::TenantsManage>,
    state: web::Data<ApiState>,
    body: Body<NewTenantRequest>,
) -> Result<HttpResponse, ApiError> {
    let NewTenantRequest { slug, name } = body.0;
    let tenant = TenantDto::from(state.services.tenants.create(&NewTenant { slug, name }).await?);
    Ok(HttpResponse::Created().insert_header((LOCATION, format!("/api/v1/tenants/{}", tenant.id))).json(tenant))
}

/// List tenants
#[utoipa::path(
    tag = "Tenants",
    params(Paging),
    responses((status = 200, description = "One page of the tenants, by slug.", body = PagedResponse<TenantDto>)),
)]
#[get("/tenants")]
pub(super) async fn list_tenants(
    _: Authorized<perm::TenantsManage>,
    state: web::Data<ApiState>,
    page: Query<PageRequest>,
) -> Result<HttpResponse, ApiError> {
    let tenants = state.services.tenants.list(page.0).await?;
    Ok(HttpResponse::Ok().json(PagedResponse::new(tenants, page.0, TenantDto::from)))
}

/// Read a tenant
#[utoipa::path(
    tag = "Tenants",
    params(("tenantId" = Uuid, Path, description = "The tenant.")),
    responses((status = 200, description = "The tenant.", body = TenantDto)),
)]
#[get("/tenants/{tenantId}")]
pub(super) async fn get_tenant(
    _: Authorized<perm::TenantsManage>,
    state: web::Data<ApiState>,
    id: Id<TenantId>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(TenantDto::from(state.services.tenants.get(id.0).await?)))
}

/// Change a tenant
#[utoipa::path(
    tag = "Tenants",
    params(("tenantId" = Uuid, Path, description = "The tenant.")),
    request_body = TenantChangeRequest,
    responses((status = 200, description = "The tenant as it is now.", body = TenantDto)),
)]
#[patch("/tenants/{tenantId}")]
pub(super) async fn update_tenant(
    _: Authorized<perm::TenantsManage>,
    state: web::Data<ApiState>,
    id: Id<TenantId>,
    body: Body<TenantChangeRequest>,
) -> Result<HttpResponse, ApiError> {
    let TenantChangeRequest { name, is_active } = body.0;
    let tenant = state.services.tenants.update(id.0, &TenantChange { name, is_active }).await?;
    Ok(HttpResponse::Ok().json(TenantDto::from(tenant)))
}

/// Delete a tenant and everything that is its
#[utoipa::path(
    tag = "Tenants",
    params(("tenantId" = Uuid, Path, description = "The tenant.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 409, description = "It is the default tenant, or executions of it are running."),
    ),
)]
#[delete("/tenants/{tenantId}")]
pub(super) async fn delete_tenant(
    _: Authorized<perm::TenantsManage>,
    state: web::Data<ApiState>,
    id: Id<TenantId>,
) -> Result<HttpResponse, ApiError> {
    state.services.tenants.delete(id.0).await?;
    Ok(HttpResponse::NoContent().finish())
}
