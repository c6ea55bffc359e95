//! `/keys`: all of them, newest first.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web;
use askama::Template;
use horarium_auth::{Permission, scope};
use horarium_domain::Timestamp;
use horarium_domain::api_key::{ApiKeyRecord, ApiKeyState};
use horarium_domain::page::PageRequest;
use serde::Deserialize;

use super::told;
use crate::view::{Ago, At, Badge, Layout, Pager, Section};
use crate::web::{PageError, Visit, page, perm};

/// How many keys a page shows.
const PAGE_SIZE: u32 = 25;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    page: Option<u32>,
}

#[derive(Template)]
#[template(path = "keys/list.html")]
struct KeysPage {
    layout: Layout,
    lines: Vec<Line>,
    can_manage: bool,
    pager: Pager,
}

struct Line {
    id: String,
    state: Badge,
    name: String,
    scopes: Vec<String>,
    created: At,
    created_by: String,
    expires: At,
    last_used: Ago,
    can_rotate: bool,
    can_revoke: bool,
}

pub(super) async fn show(visit: Visit<perm::KeysRead>, wanted: web::Query<Wanted>) -> Result<HttpResponse, PageError> {
    let request = PageRequest { number: wanted.page.unwrap_or(1).max(1), size: PAGE_SIZE };
    let keys = visit.services().keys.list(visit.tenant.id, request).await?;
    let now = visit.now();
    let model = KeysPage {
        layout: visit.layout("API keys", Some(Section::Keys)),
        can_manage: visit.can(Permission::KeysManage),
        pager: Pager::numbered("/keys?", request, &keys),
        lines: keys.items.into_iter().map(|key| line(&visit, key, now)).collect(),
    };
    page(StatusCode::OK, &model)
}

fn line(visit: &Visit<perm::KeysRead>, key: ApiKeyRecord, now: Timestamp) -> Line {
    let state = key.state(now);
    let can_manage = visit.can(Permission::KeysManage);
    // Whoever rotates a key holds its new text, so it may do no more than he may.
    let is_within = scope::grant(visit.principal.permissions, &key.scopes).is_ok();
    Line {
        id: key.id.to_string(),
        state: Badge::key(state),
        created: At(Some(key.created_at)),
        expires: At(key.expires_at),
        last_used: Ago { at: key.last_used_at, now },
        can_rotate: can_manage && is_within && state == ApiKeyState::Active,
        can_revoke: can_manage && state != ApiKeyState::Revoked,
        name: key.name,
        scopes: key.scopes.iter().map(|scope| told(scope).to_owned()).collect(),
        created_by: key.created_by,
    }
}
