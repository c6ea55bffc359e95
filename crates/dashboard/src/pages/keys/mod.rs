//! `/keys`: the credentials of machines. A key's text is shown in the answer to the form that made it, and never again.

mod act;
mod list;
mod make;
mod shown;

use actix_web::web::{self, ServiceConfig};
use horarium_auth::scope;
use horarium_domain::ApiKeyId;
use horarium_domain::audit::AuditTarget;

use crate::web::PageError;

/// Where the keys are.
const ADDRESS: &str = "/keys";

pub(crate) fn configure(cfg: &mut ServiceConfig) {
    cfg.route(ADDRESS, web::get().to(list::show))
        .route(ADDRESS, web::post().to(make::make))
        .route("/keys/new", web::get().to(make::ask))
        .route("/keys/{id}/rotate", web::get().to(act::ask_to_rotate))
        .route("/keys/{id}/rotate", web::post().to(act::rotate))
        .route("/keys/{id}/revoke", web::get().to(act::ask_to_revoke))
        .route("/keys/{id}/revoke", web::post().to(act::revoke));
}

/// A scope for people.
fn told(scope: &str) -> &str {
    if scope == scope::EVERYTHING { "everything that an owner may" } else { scope }
}

/// The key that a path names.
fn named(id: &str) -> Result<ApiKeyId, PageError> {
    id.parse().map_err(|_| PageError::not_found("API key"))
}

/// For the audit log: the key, and whether it was there before.
fn target(id: ApiKeyId, was_there: bool) -> AuditTarget {
    let id = Some(id.to_string());
    let before = id.clone().filter(|_| was_there);
    AuditTarget { kind: "key".to_owned(), before, after: id, ..AuditTarget::default() }
}
