//! The audit log: who changed what, when, and from where.

use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::{HttpResponse, get, web};
use bytes::Bytes;
use futures_util::{Stream, stream};
use horarium_domain::audit::{AuditActor, AuditActorKind, AuditEntry, AuditTarget};
use horarium_domain::store::AuditFilter;
use horarium_domain::{AuditId, TenantId, Timestamp};
use horarium_scheduler_engine::service::{AuditService, ServiceError};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::http::{ApiError, Authorized, FromQuery, Query, QueryFields, perm};
use crate::state::ApiState;

/// How many entries an export reads at once.
const EXPORT_PAGE: usize = 500;

/// What an actor showed to be let in.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum ActorKind {
    /// A signed token.
    Token,
    /// An API key.
    ApiKey,
}

/// Who called.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AuditActorDto {
    /// What it showed to be let in.
    kind: ActorKind,
    /// The token's subject, or `api-key:<id>`.
    id: String,
    /// Its name, if its credential tells one.
    name: Option<String>,
    /// Its e-mail address, if its credential tells one.
    email: Option<String>,
}

/// What a call was about.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AuditTargetDto {
    /// What kind of thing.
    #[schema(example = "job")]
    kind: String,
    /// Its id or name as the call named it; null when it was to be made.
    before: Option<String>,
    /// Its id or name after the call: that of the new execution after a trigger or a retry. Null when there is none any
    /// more, or nothing was done.
    after: Option<String>,
    /// The version that the caller expected.
    version_before: Option<i64>,
    /// Its version after the call.
    version_after: Option<i64>,
}

/// One call that changed something, or was refused to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AuditEntryDto {
    /// Its id.
    id: Uuid,
    /// When the call was made.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who called.
    actor: AuditActorDto,
    /// What was asked for: the `operationId` of the call in this document.
    #[schema(example = "trigger_job")]
    action: String,
    /// The HTTP method.
    #[schema(example = "POST")]
    method: String,
    /// The route.
    #[schema(example = "/api/v1/scheduler/jobs/{jobId}/trigger")]
    route: String,
    /// What it was about.
    target: Option<AuditTargetDto>,
    /// The HTTP status of the answer; where executions were accepted, the one that says so. Null where the caller went
    /// away, or its time was up, before there was one.
    status: Option<u16>,
    /// The address of the client.
    address: Option<String>,
    /// What the client calls itself.
    user_agent: Option<String>,
    /// The request's id, as its answer and the log tell it.
    request_id: String,
}

impl From<AuditEntry> for AuditEntryDto {
    fn from(entry: AuditEntry) -> Self {
        let AuditActor { kind, id, name, email } = entry.actor;
        let kind = match kind {
            AuditActorKind::Token => ActorKind::Token,
            AuditActorKind::ApiKey => ActorKind::ApiKey,
        };
        Self {
            id: entry.id.as_uuid(),
            at: entry.at,
            actor: AuditActorDto { kind, id, name, email },
            action: entry.action,
            method: entry.method,
            route: entry.route,
            target: entry.target.map(AuditTargetDto::from),
            status: entry.status,
            address: entry.address,
            user_agent: entry.user_agent,
            request_id: entry.request_id,
        }
    }
}

impl From<AuditTarget> for AuditTargetDto {
    fn from(target: AuditTarget) -> Self {
        let AuditTarget { kind, before, after, version_before, version_after } = target;
        Self { kind, before, after, version_before, version_after }
    }
}

/// Which entries of the audit log are wanted.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
struct WhichEntries {
    /// Only those of the actor with this id.
    actor: Option<String>,
    /// Only this action.
    action: Option<String>,
    /// Only those about the thing of this id or name, before or after the call.
    target: Option<String>,
    /// Only those from this instant on.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Only those before this instant.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

impl FromQuery for WhichEntries {
    fn from_query(fields: &mut QueryFields<'_>) -> Self {
        let (since, until) = (fields.instant("since"), fields.instant("until"));
        if since.zip(until).is_some_and(|(since, until)| until < since) {
            fields.problem("until", "must not be before since");
        }
        let (actor, action, target) = (fields.text("actor"), fields.text("action"), fields.text("target"));
        Self { actor, action, target, since, until }
    }
}

impl From<WhichEntries> for AuditFilter {
    fn from(which: WhichEntries) -> Self {
        let WhichEntries { actor, action, target, since, until } = which;
        Self { actor, action, target, since, until }
    }
}

/// Where a page of the audit log begins, and how long it is.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
struct WhichPage {
    /// `nextCursor` of the page before.
    #[param(value_type = Option<String>, format = Uuid)]
    cursor: Option<Uuid>,
    /// Entries per page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<usize>,
}

impl FromQuery for WhichPage {
    fn from_query(fields: &mut QueryFields<'_>) -> Self {
        Self { cursor: fields.uuid("cursor"), limit: fields.number("limit", 1..=200) }
    }
}

/// One page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AuditPageDto {
    /// This page's entries, newest first.
    items: Vec<AuditEntryDto>,
    /// What to send as `cursor` for the next page; null at the end.
    next_cursor: Option<Uuid>,
}

/// List the audit log
///
/// Every call of this tenant that changed something, or was refused to (403), newest first. Entries are never changed;
/// they go when their time is over.
#[utoipa::path(
    tag = "Audit",
    params(WhichEntries, WhichPage),
    responses((status = 200, description = "One page, newest first.", body = AuditPageDto)),
)]
#[get("/audit")]
pub(super) async fn list_audit(
    caller: Authorized<perm::AuditRead>,
    state: web::Data<ApiState>,
    which: Query<WhichEntries>,
    page: Query<WhichPage>,
) -> Result<HttpResponse, ApiError> {
    let before = page.0.cursor.map(AuditId::from_uuid);
    let limit = page.0.limit.unwrap_or(50);
    let page = state.services.audit.list(caller.tenant.id, &which.0.into(), before, limit).await?;
    Ok(HttpResponse::Ok().json(AuditPageDto {
        items: page.items.into_iter().map(AuditEntryDto::from).collect(),
        next_cursor: page.next.map(AuditId::as_uuid),
    }))
}

/// Export the audit log
///
/// All entries that the filters let through, newest first, as JSON Lines: one `AuditEntryDto` on each line.
#[utoipa::path(
    tag = "Audit",
    params(WhichEntries),
    responses((
        status = 200,
        description = "The entries, one on each line.",
        body = String,
        content_type = "application/x-ndjson",
    )),
)]
#[get("/audit/export")]
pub(super) async fn export_audit(
    caller: Authorized<perm::AuditRead>,
    state: web::Data<ApiState>,
    which: Query<WhichEntries>,
) -> Result<HttpResponse, ApiError> {
    let lines = lines(state.services.audit.clone(), caller.tenant.id, which.0.into());
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"audit.jsonl\""))
        .streaming(lines))
}

/// Where an export is.
enum Reading {
    /// Before the entry of this id; `None` at the beginning.
    Before(Option<AuditId>),
    /// At its end.
    Over,
}

/// The entries as lines, a page at a time: a reader who is slow holds no more than that in memory.
fn lines(
    audit: AuditService,
    tenant: TenantId,
    filter: AuditFilter,
) -> impl Stream<Item = Result<Bytes, ServiceError>> {
    stream::unfold(Reading::Before(None), move |reading| {
        let (audit, filter) = (audit.clone(), filter.clone());
        async move {
            let Reading::Before(before) = reading else { return None };
            match audit.list(tenant, &filter, before, EXPORT_PAGE).await {
                Ok(page) => {
                    let next = page.next.map_or(Reading::Over, |next| Reading::Before(Some(next)));
                    Some((Ok(written(page.items)), next))
                }
                // The connection breaks off, so that nobody takes a part for the whole.
                Err(error) => {
                    tracing::error!(
                        cause = error.internal().unwrap_or_default(),
                        "an export of the audit log broke off"
                    );
                    Some((Err(error), Reading::Over))
                }
            }
        }
    })
}

fn written(entries: Vec<AuditEntry>) -> Bytes {
    let mut text = String::new();
    for entry in entries {
        // Texts, numbers, ids and a time always have a JSON form.
        text.push_str(&serde_json::to_string(&AuditEntryDto::from(entry)).unwrap_or_default());
        text.push('\n');
    }
    text.into()
}
