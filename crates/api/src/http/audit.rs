//! The audit log's share of every call: each one that may change something is noted on the way in, and written down
//! before its answer goes out; one that has executions accepted in the very transaction that accepts them.
//!
//! It lies around all routes, so none can be forgotten, and knows by itself what a call was about: the last parameter
//! of its path, and what the answer's `Location` and `ETag` say came of it. A route that knows better says so to its
//! [`AuditNote`]. Neither the query nor the body is noted: secrets are in there.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{ETAG, HeaderMap, HeaderName, IF_MATCH, LOCATION, USER_AGENT};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};
use horarium_auth::{CredentialKind, Principal};
use horarium_domain::audit::{AuditActor, AuditActorKind, AuditEntry, AuditTarget};
use horarium_domain::{AuditId, TenantId, Timestamp};
use horarium_scheduler_engine::{Actor, AuditedCall};

use super::changes::changes;
use super::etag::version_of;
use super::route::route;
use super::{ApiError, request_id};
use crate::state::ApiState;

/// The longest text that is taken over from a request.
const MAX_CHARS: usize = 200;

/// Calls that change nothing a person would ask about: workers' thousands of "any work?" and "I am here". What they do
/// to executions is told by the executions' own timelines.
const OF_WORKERS: &[&str] =
    &["/api/v1/agents/{agentId}/lease", "/api/v1/agents/{agentId}/report", "/api/v1/agents/{agentId}/heartbeat"];

/// What each operation is called, by method and route.
#[derive(Debug, Default)]
pub(crate) struct Actions(HashMap<(String, String), String>);

impl Actions {
    /// Notes the name of an operation.
    pub(crate) fn add(&mut self, method: &str, route: &str, name: &str) {
        self.0.insert((method.to_owned(), route.to_owned()), name.to_owned());
    }

    /// The name of an operation, also where it is served at a second path with a slash at the end.
    fn name(&self, method: &str, route: &str) -> String {
        let known = self.0.get(&(method.to_owned(), route.trim_end_matches('/').to_owned()));
        known.cloned().unwrap_or_else(|| format!("{method} {route}"))
    }
}

/// What is known of a call while it is being answered.
pub(crate) struct AuditNote {
    state: web::Data<ApiState>,
    id: AuditId,
    at: Timestamp,
    action: RefCell<String>,
    method: Method,
    route: Rc<str>,
    /// The last parameter of the path: what kind of thing, and its value.
    named: Option<(String, String)>,
    version_before: Option<i64>,
    address: Option<String>,
    user_agent: Option<String>,
    request_id: String,
    who: RefCell<Option<(TenantId, AuditActor)>>,
    said: RefCell<Option<AuditTarget>>,
    /// What is written with the executions that the call asks for, if any is accepted.
    submissions: RefCell<Vec<Arc<AuditedCall>>>,
    /// Where the call did the same to several things: what is to be written of each.
    each: RefCell<Vec<AuditEntry>>,
    is_written: Cell<bool>,
}

impl AuditNote {
    /// The note of a call; `None` for one that changes nothing.
    fn of(req: &ServiceRequest) -> Option<Self> {
        let method = req.method();
        let is_noted = |route: &Rc<str>| changes(method, route) && !OF_WORKERS.contains(&&**route);
        let route = route(req).filter(is_noted)?;
        let state = req.app_data::<web::Data<ApiState>>()?.clone();
        let action = req.app_data::<web::Data<Actions>>()?.name(method.as_str(), &route);
        let client = state.config.trusted_proxies.client(req.peer_addr(), req.headers());
        let at = state.core.now();
        Some(Self {
            id: state.core.ids.audit(at),
            at,
            action: RefCell::new(action),
            method: method.clone(),
            named: named(&route, req.path()),
            route,
            version_before: version(req.headers(), &IF_MATCH),
            address: client.map(|address| address.to_string()),
            user_agent: req.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).map(sane),
            request_id: request_id::of(req.request()),
            state,
            who: RefCell::default(),
            said: RefCell::default(),
            submissions: RefCell::default(),
            each: RefCell::default(),
            is_written: Cell::default(),
        })
    }

    /// Notes who calls, and in which tenant.
    pub(crate) fn is_of(&self, tenant: TenantId, caller: &Principal) {
        let kind = match caller.credential {
            CredentialKind::Jwt => AuditActorKind::Token,
            CredentialKind::ApiKey(_) => AuditActorKind::ApiKey,
        };
        let actor = AuditActor {
            kind,
            id: sane(&caller.subject),
            name: caller.name.as_deref().map(sane),
            email: caller.email.as_deref().map(sane),
        };
        *self.who.borrow_mut() = Some((tenant, actor));
    }

    /// Notes what a call was about, where neither its path nor its answer's `Location` tells.
    pub(crate) fn is_about(&self, target: AuditTarget) {
        *self.said.borrow_mut() = Some(target);
    }

    /// Notes what a call asks for, where the API's description does not tell.
    pub(crate) fn asks_for(&self, action: &str, target: Option<AuditTarget>) {
        action.clone_into(&mut self.action.borrow_mut());
        *self.said.borrow_mut() = target;
    }

    /// Notes that what the call asks for was done to one of several things.
    pub(crate) fn did_to(&self, target: AuditTarget) {
        self.each.borrow_mut().extend(self.entry_about(target, None));
    }

    /// The entry of one of several things that the call does the same to.
    fn entry_about(&self, target: AuditTarget, status: Option<StatusCode>) -> Option<AuditEntry> {
        let entry = self.entry(status, None)?;
        Some(AuditEntry { id: self.state.core.ids.audit(self.at), target: Some(target), ..entry })
    }

    /// The note of a call, if it may change something.
    pub(crate) fn of_call(req: &HttpRequest) -> Option<Rc<Self>> {
        req.extensions().get::<Rc<Self>>().cloned()
    }

    /// The entry, for an answer with this status and these headers; `None` when nobody was let in.
    fn entry(&self, status: Option<StatusCode>, headers: Option<&HeaderMap>) -> Option<AuditEntry> {
        let (tenant_id, actor) = self.who.borrow().clone()?;
        Some(AuditEntry {
            id: self.id,
            tenant_id,
            at: self.at,
            actor,
            action: self.action.borrow().clone(),
            method: self.method.to_string(),
            route: self.route.to_string(),
            target: self.said.borrow().clone().or_else(|| self.target(status, headers)),
            status: status.map(|status| status.as_u16()),
            address: self.address.clone(),
            user_agent: self.user_agent.clone(),
            request_id: self.request_id.clone(),
        })
    }

    fn target(&self, status: Option<StatusCode>, headers: Option<&HeaderMap>) -> Option<AuditTarget> {
        let headers = headers.filter(|_| status.is_some_and(|status| status.is_success()));
        let made = headers.and_then(location);
        let (kind, before) = match (&self.named, &made) {
            (Some((kind, id)), _) => (kind.clone(), Some(id.clone())),
            (None, Some((kind, _))) => (kind.clone(), None),
            (None, None) => return None,
        };
        let stays = headers.is_some() && self.method != Method::DELETE;
        let after = made.map(|(_, id)| id).or_else(|| before.clone().filter(|_| stays));
        Some(AuditTarget {
            kind,
            before,
            after,
            version_before: self.version_before,
            version_after: headers.and_then(|headers| version(headers, &ETAG)),
        })
    }

    /// What is left to write: an entry for each thing, or else one for the call, unless that was written with what it had
    /// accepted.
    fn left(&self, status: Option<StatusCode>, headers: Option<&HeaderMap>) -> Vec<AuditEntry> {
        if self.is_written.replace(true) {
            return Vec::new();
        }
        let status_code = status.map(|status| status.as_u16());
        let each = self.each.take().into_iter().map(|entry| AuditEntry { status: status_code, ..entry });
        let each: Vec<_> = each.collect();
        if !each.is_empty() || self.submissions.borrow().iter().any(|call| call.is_on_record()) {
            return each;
        }
        self.entry(status, headers).into_iter().collect()
    }

    /// Writes what is left to write; answers after the commit.
    async fn write(&self, status: StatusCode, headers: Option<&HeaderMap>) {
        for entry in self.left(Some(status), headers) {
            self.state.record(entry).await;
        }
    }
}

impl ApiState {
    async fn record(&self, entry: AuditEntry) {
        if let Err(error) = self.services.audit.record(entry.clone()).await {
            lost(&entry, error.internal().unwrap_or_default());
        }
    }
}

/// What was done cannot be undone for want of a record, so the log keeps what the audit log could not.
fn lost(entry: &AuditEntry, cause: &str) {
    metrics::counter!("horarium_audit_lost_total").increment(1);
    tracing::error!(target: "horarium::audit", cause, ?entry, "an entry of the audit log could not be written");
}

/// For routes that say themselves what they are about.
impl FromRequest for AuditHandle {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of_call(req)))
    }
}

/// The note of the call that a route answers.
pub(crate) struct AuditHandle(Option<Rc<AuditNote>>);

impl AuditHandle {
    /// The note of the call that this request makes.
    pub(crate) fn of_call(req: &HttpRequest) -> Self {
        Self(AuditNote::of_call(req))
    }

    /// Notes what came of the call, such as the execution that it made.
    pub(crate) fn made(&self, kind: &str, id: impl Into<String>) {
        if let Some(note) = &self.0 {
            let after = Some(id.into());
            note.is_about(AuditTarget { kind: kind.to_owned(), after, ..AuditTarget::default() });
        }
    }

    /// The actor of a call that asks for executions, and is answered so when they are accepted: the entry is written in
    /// the transaction that accepts them, about what the path names and about them.
    pub(crate) fn submitting(&self, actor: &Actor, accepted: StatusCode) -> Actor {
        self.audited(actor, |note| note.entry(Some(accepted), None))
    }

    /// The same where a call asks for executions for several things: each has an entry of its own.
    pub(crate) fn submitting_for(&self, actor: &Actor, target: AuditTarget, accepted: StatusCode) -> Actor {
        self.audited(actor, |note| note.entry_about(target, Some(accepted)))
    }

    fn audited(&self, actor: &Actor, entry: impl FnOnce(&AuditNote) -> Option<AuditEntry>) -> Actor {
        let entry = self.0.as_ref().and_then(|note| Some((note, entry(note)?)));
        let Some((note, entry)) = entry else { return actor.clone() };
        let call = Arc::new(AuditedCall::new(entry));
        note.submissions.borrow_mut().push(Arc::clone(&call));
        actor.clone().audited(call)
    }
}

/// Writes the note of a call that ends without an answer: its caller hung up, or its time was up.
struct Unanswered(Rc<AuditNote>);

impl Drop for Unanswered {
    fn drop(&mut self) {
        let entries = self.0.left(None, None);
        if entries.is_empty() {
            return;
        }
        let state = self.0.state.clone();
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    for entry in entries {
                        state.record(entry).await;
                    }
                });
            }
            Err(_) => entries.iter().for_each(|entry| lost(entry, "the server is stopping")),
        }
    }
}

/// The middleware, around everything that knows of callers and routes.
pub(crate) async fn audited<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let Some(note) = AuditNote::of(&req).map(Rc::new) else { return next.call(req).await };
    req.extensions_mut().insert(Rc::clone(&note));
    let unanswered = Unanswered(Rc::clone(&note));
    let result = next.call(req).await;
    match &result {
        // Nobody was let in: a line in the log is all there is.
        Ok(answer) if answer.status() == StatusCode::UNAUTHORIZED => note.is_written.set(true),
        Ok(answer) => note.write(answer.status(), Some(answer.headers())).await,
        Err(error) => note.write(error.as_response_error().status_code(), None).await,
    }
    drop(unanswered);
    result
}

/// The last parameter of a path, by the route that it matches.
fn named(route: &str, path: &str) -> Option<(String, String)> {
    let segments: Vec<_> = route.split('/').zip(path.split('/')).collect();
    let at = segments.iter().rposition(|(pattern, _)| pattern.starts_with('{'))?;
    let (pattern, value) = segments[at];
    let parameter = pattern.trim_matches(['{', '}']);
    let kind = parameter.strip_suffix("Id").or_else(|| parameter.strip_suffix("_id")).unwrap_or_default();
    let kind = if kind.is_empty() { singular(at.checked_sub(1).map_or("", |before| segments[before].0)) } else { kind };
    Some((kind.to_owned(), sane(value)))
}

/// What an answer says was made: `/api/v1/keys/7` is the key 7.
fn location(headers: &HeaderMap) -> Option<(String, String)> {
    let mut segments = headers.get(LOCATION)?.to_str().ok()?.rsplit('/');
    let (id, kind) = (segments.next()?, segments.next()?);
    Some((singular(kind).to_owned(), sane(id)))
}

fn singular(plural: &str) -> &str {
    plural.strip_suffix('s').unwrap_or(plural)
}

/// The version in an entity tag of ours.
fn version(headers: &HeaderMap, name: &HeaderName) -> Option<i64> {
    version_of(headers.get(name)?.to_str().ok()?.trim())
}

/// Text from outside, as the log keeps it.
fn sane(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(route: &str, path: &str) -> Option<(String, String)> {
        named(route, path)
    }

    #[test]
    fn a_call_is_about_the_last_parameter_of_its_path() {
        let about = |kind: &str, id: &str| Some((kind.to_owned(), id.to_owned()));
        assert_eq!(
            told("/api/v1/scheduler/jobs/{jobId}/trigger", "/api/v1/scheduler/jobs/7/trigger"),
            about("job", "7")
        );
        assert_eq!(told("/api/v1/queues/{name}", "/api/v1/queues/default"), about("queue", "default"));
        assert_eq!(told("/job/{id}", "/job/9"), about("job", "9"));
        assert_eq!(told("/api/v1/agents/{agent_id}/drain", "/api/v1/agents/a1/drain"), about("agent", "a1"));
        assert_eq!(told("/api/v1/keys", "/api/v1/keys"), None);
    }
}
