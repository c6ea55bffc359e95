//! The program around the dashboard: it remembers what it is told.

use std::sync::Mutex;
use std::time::Duration;

use actix_web::HttpRequest;
use async_trait::async_trait;
use horarium_auth::Principal;
use horarium_dashboard::{Host, HostCheck};
use horarium_domain::TenantId;
use horarium_domain::audit::AuditTarget;
use horarium_scheduler_engine::Actor;

/// What the host was told, in the order of telling.
#[derive(Default)]
pub(crate) struct TestHost(Mutex<Told>);

#[derive(Default)]
struct Told {
    refused: usize,
    /// Who called, and what for: what is said last counts.
    calls: Vec<(String, String)>,
    done_to: Vec<AuditTarget>,
    problem: Option<String>,
    is_busy: bool,
}

/// After so many refused credentials, no others are looked at.
const MOST_REFUSED: usize = 3;

impl TestHost {
    /// Who called, and what for.
    pub(crate) fn audited(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap().calls.clone()
    }

    /// What has an entry of its own, of several things that a call did the same to.
    pub(crate) fn done_to(&self) -> Vec<AuditTarget> {
        self.0.lock().unwrap().done_to.clone()
    }

    /// Finds that everybody sends too much.
    pub(crate) fn become_busy(&self) {
        self.0.lock().unwrap().is_busy = true;
    }

    /// Makes something unwell.
    pub(crate) fn break_something(&self, problem: &str) {
        self.0.lock().unwrap().problem = Some(problem.to_owned());
    }
}

#[async_trait]
impl Host for TestHost {
    fn request_id(&self, _: &HttpRequest) -> String {
        "request-7".to_owned()
    }

    fn may_try(&self, _: &HttpRequest) -> Result<(), Duration> {
        if self.0.lock().unwrap().refused < MOST_REFUSED { Ok(()) } else { Err(Duration::from_secs(17)) }
    }

    fn refused(&self, _: &HttpRequest) {
        self.0.lock().unwrap().refused += 1;
    }

    fn admit(&self, _: TenantId, _: &Principal) -> Result<(), (Duration, &'static str)> {
        if self.0.lock().unwrap().is_busy { Err((Duration::from_secs(2), "You send too much.")) } else { Ok(()) }
    }

    fn is_of(&self, _: &HttpRequest, _: TenantId, who: &Principal) {
        self.0.lock().unwrap().calls.push((who.display_name().to_owned(), String::new()));
    }

    fn asks_for(&self, _: &HttpRequest, action: &'static str, _: Option<AuditTarget>) {
        if let Some((_, asked_for)) = self.0.lock().unwrap().calls.last_mut() {
            action.clone_into(asked_for);
        }
    }

    fn submitting(&self, _: &HttpRequest, actor: &Actor) -> Actor {
        actor.clone()
    }

    fn submitting_for(&self, request: &HttpRequest, actor: &Actor, target: AuditTarget) -> Actor {
        self.did_to(request, target);
        actor.clone()
    }

    fn did_to(&self, _: &HttpRequest, target: AuditTarget) {
        self.0.lock().unwrap().done_to.push(target);
    }

    async fn checks(&self) -> Vec<HostCheck> {
        vec![HostCheck { name: "database", problem: self.0.lock().unwrap().problem.clone() }]
    }
}
