//! `/tenant`: where somebody who may act in any tenant chooses one.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use horarium_auth::AuthError;
use horarium_domain::audit::AuditTarget;
use horarium_domain::page::PageRequest;
use horarium_domain::tenant::Tenant;
use serde::Deserialize;

use crate::session;
use crate::view::{Layout, Pager};
use crate::web::{Flash, Form, PageError, Visit, page, perm};

const PAGE_SIZE: u32 = 50;

#[derive(Template)]
#[template(path = "tenant/page.html")]
struct TenantPage {
    layout: Layout,
    tenants: Vec<Tenant>,
    here: Tenant,
    pager: Pager,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    page: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    tenant: String,
}

pub(crate) fn configure(cfg: &mut ServiceConfig) {
    cfg.route("/tenant", web::get().to(show)).route("/tenant", web::post().to(choose));
}

async fn show(visit: Visit<perm::AnyTenant>, wanted: web::Query<Wanted>) -> Result<HttpResponse, PageError> {
    let request = PageRequest { number: wanted.page.unwrap_or(1).max(1), size: PAGE_SIZE };
    let tenants = visit.services().tenants.list(request).await?;
    let shown = TenantPage {
        layout: visit.layout("Choose a tenant", None),
        pager: Pager::numbered("/tenant?", request, &tenants),
        tenants: tenants.items,
        here: visit.tenant.clone(),
    };
    page(StatusCode::OK, &shown)
}

async fn choose(visit: Visit<perm::AnyTenant>, form: Form<Choice>) -> Result<HttpResponse, PageError> {
    let named = form.0.tenant.trim().parse().map_err(|_| AuthError::UnknownTenant)?;
    let chosen = session::enter(visit.dashboard(), &visit.principal, Some(named)).await?;
    let target = AuditTarget {
        kind: "tenant".to_owned(),
        before: Some(visit.tenant.id.to_string()),
        after: Some(chosen.id.to_string()),
        ..AuditTarget::default()
    };
    visit.does("choose_tenant", Some(target));
    visit.services().sessions.send(&visit.session, chosen.id).await?;
    Ok(visit.go("/", &Flash::done(format!("You act in {} now.", chosen.name))))
}
