//! What the dashboard asks of the program that it is mounted in.

use std::time::Duration;

use actix_web::HttpRequest;
use async_trait::async_trait;
use horarium_auth::Principal;
use horarium_domain::TenantId;
use horarium_domain::audit::AuditTarget;
use horarium_scheduler_engine::Actor;

/// One thing that must be well for jobs to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCheck {
    /// What, such as `database`.
    pub name: &'static str,
    /// What is wrong with it; `None` when it is well.
    pub problem: Option<String>,
}

/// The program around the dashboard. It names requests, counts them and refused credentials, and writes the audit log for
/// the API, and does the same for the pages.
#[async_trait]
pub trait Host: Send + Sync + 'static {
    /// The name of a request, as the log and the answer's `X-Request-Id` tell it.
    fn request_id(&self, request: &HttpRequest) -> String;

    /// Whether whoever sends this may show another credential; else how long to wait.
    ///
    /// # Errors
    /// How long to wait.
    fn may_try(&self, request: &HttpRequest) -> Result<(), Duration>;

    /// Notes that a credential was refused.
    fn refused(&self, request: &HttpRequest);

    /// Counts a request of somebody who is signed in.
    ///
    /// # Errors
    /// How long to wait, and why, when the credential or its tenant has sent too much of late.
    fn admit(&self, tenant: TenantId, who: &Principal) -> Result<(), (Duration, &'static str)>;

    /// Notes for the audit log who sends this request, and in which tenant.
    fn is_of(&self, request: &HttpRequest, tenant: TenantId, who: &Principal);

    /// Notes for the audit log what a request asks for, and of what, if of anything in particular. The entry is written
    /// with the answer.
    fn asks_for(&self, request: &HttpRequest, action: &'static str, target: Option<AuditTarget>);

    /// Somebody who asks for executions: the entry is written in the transaction that accepts them.
    fn submitting(&self, request: &HttpRequest, actor: &Actor) -> Actor;

    /// The same where a request asks for executions for several things: each has an entry of its own, in place of one for all.
    fn submitting_for(&self, request: &HttpRequest, actor: &Actor, target: AuditTarget) -> Actor;

    /// Notes for the audit log that what a request asks for was done to one of several things: each has an entry of its own,
    /// in place of one for all.
    fn did_to(&self, request: &HttpRequest, target: AuditTarget);

    /// Whether jobs can run here, thing by thing.
    async fn checks(&self) -> Vec<HostCheck>;
}
