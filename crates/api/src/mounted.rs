//! What services that a server mounts beside the API's own may ask of it: the same name of a request, the same count of
//! refused credentials, the same limits, the same audit log.

use std::net::IpAddr;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use horarium_auth::Principal;
use horarium_domain::TenantId;
use horarium_domain::audit::AuditTarget;
use horarium_scheduler_engine::Actor;

use crate::http::{AuditHandle, AuditNote, request_id};
use crate::state::ApiState;

impl ApiState {
    /// The name of a request, as its answer's `X-Request-Id` tells it.
    pub fn request_id(&self, request: &HttpRequest) -> String {
        request_id(request)
    }

    /// Whether whoever sends this may show another credential, elsewhere than in a header.
    ///
    /// # Errors
    /// How long to wait, after too many from the same address were refused.
    pub fn may_try(&self, request: &HttpRequest) -> Result<(), Duration> {
        self.gate().may_try_another(self.client(request), self.core.now())
    }

    /// Notes that a credential was refused which was shown elsewhere than in a header.
    pub fn refused(&self, request: &HttpRequest) {
        self.gate().failed_another(self.client(request), self.core.now());
    }

    /// Counts a request of somebody who was let in by other means than the API's.
    ///
    /// # Errors
    /// How long to wait, and why, when the credential or its tenant has sent too much of late.
    pub fn admit(&self, tenant: TenantId, who: &Principal) -> Result<(), (Duration, &'static str)> {
        self.gate().admit_sender(tenant, &who.subject, self.core.now())
    }

    /// Notes for the audit log who makes a call, and in which tenant. Without it, nothing is written of the call.
    pub fn is_of(&self, request: &HttpRequest, tenant: TenantId, who: &Principal) {
        if let Some(note) = AuditNote::of_call(request) {
            note.is_of(tenant, who);
        }
    }

    /// Notes for the audit log what a call asks for, and of what, if of anything in particular.
    pub fn asks_for(&self, request: &HttpRequest, action: &str, target: Option<AuditTarget>) {
        if let Some(note) = AuditNote::of_call(request) {
            note.asks_for(action, target);
        }
    }

    /// The actor of a call that asks for executions and is answered by sending a browser on: the audit log's entry is
    /// written in the transaction that accepts them.
    pub fn submitting(&self, request: &HttpRequest, actor: &Actor) -> Actor {
        AuditHandle::of_call(request).submitting(actor, StatusCode::SEE_OTHER)
    }

    /// The same where a call asks for executions for several things: each has an entry of its own, in place of one for all.
    pub fn submitting_for(&self, request: &HttpRequest, actor: &Actor, target: AuditTarget) -> Actor {
        AuditHandle::of_call(request).submitting_for(actor, target, StatusCode::SEE_OTHER)
    }

    /// Notes for the audit log that what a call asks for was done to one of several things: each has an entry of its own, in
    /// place of one for all.
    pub fn did_to(&self, request: &HttpRequest, target: AuditTarget) {
        if let Some(note) = AuditNote::of_call(request) {
            note.did_to(target);
        }
    }

    fn client(&self, request: &HttpRequest) -> Option<IpAddr> {
        self.config.trusted_proxies.client(request.peer_addr(), request.headers())
    }
}
