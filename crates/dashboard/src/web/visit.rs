//! Who looks at a page, and the permission that the page needs, stated in its route's signature.

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::ops::Deref;
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse};
use horarium_auth::{AuthError, Permission, Principal, SessionToken};
use horarium_domain::Timestamp;
use horarium_domain::audit::AuditTarget;
use horarium_domain::session::Session;
use horarium_domain::tenant::Tenant;
use horarium_scheduler_engine::service::Services;
use horarium_scheduler_engine::{Actor, ServiceError};

use super::form::FormBody;
use super::{Flash, LocalPath, PageError, Site, redirect};
use crate::state::Dashboard;
use crate::view::{Layout, Missing, Section, readable};

/// Somebody who is signed in, and what comes with the request.
#[derive(Debug)]
pub(crate) struct Visitor {
    /// The session.
    pub(crate) session: Session,
    /// What the browser holds of it.
    pub(crate) token: SessionToken,
    /// Who it is and what it may do.
    pub(crate) principal: Principal,
    /// Where it acts.
    pub(crate) tenant: Tenant,
}

/// A permission as a type, for [`Visit`].
pub(crate) trait Requirement: 'static {
    /// The permission; `None` where to be signed in is enough.
    const PERMISSION: Option<Permission>;
}

/// The permissions as types.
pub(crate) mod perm {
    use horarium_auth::Permission;

    macro_rules! requirements {
        ($($name:ident),* $(,)?) => {$(
            #[doc = concat!("Requires [`Permission::", stringify!($name), "`].")]
            #[derive(Debug)]
            pub(crate) enum $name {}

            impl super::Requirement for $name {
                const PERMISSION: Option<Permission> = Some(Permission::$name);
            }
        )*};
    }

    requirements!(
        AgentsManage,
        AgentsRead,
        AgentsUse,
        AnyTenant,
        AuditRead,
        EventsRead,
        ExecutionsCancel,
        ExecutionsRead,
        ExecutionsRetry,
        ExecutionsTrigger,
        IntegrationsRead,
        IntegrationsWrite,
        JobsRead,
        JobsWrite,
        KeysManage,
        KeysRead,
        QueuesRead,
        QueuesWrite,
    );

    /// Requires nothing but to be signed in.
    #[derive(Debug)]
    pub(crate) enum SignedIn {}

    impl super::Requirement for SignedIn {
        const PERMISSION: Option<Permission> = None;
    }
}

/// A request of a [`Visitor`] who has the permission `P`. It must be a route's first argument: extractors are asked in
/// order, and who may not do something is not to learn what is wrong with the rest of the request.
#[derive(Debug)]
pub(crate) struct Visit<P> {
    visitor: Rc<Visitor>,
    dashboard: Dashboard,
    request: HttpRequest,
    permission: PhantomData<P>,
}

impl<P> Deref for Visit<P> {
    type Target = Visitor;

    fn deref(&self) -> &Visitor {
        &self.visitor
    }
}

impl<P> Visit<P> {
    /// The use cases.
    pub(crate) fn services(&self) -> &Services {
        &self.dashboard.services
    }

    /// The dashboard's own state.
    pub(crate) fn dashboard(&self) -> &Dashboard {
        &self.dashboard
    }

    /// The present.
    pub(crate) fn now(&self) -> Timestamp {
        self.dashboard.core.now()
    }

    /// Whether the visitor may do something; for what a page shows to some and not to others.
    pub(crate) fn can(&self, permission: Permission) -> bool {
        self.principal.can(permission)
    }

    /// What was read for a part of the page, such as `the timeline`; or what stands there when it could not be.
    pub(crate) fn part<T>(&self, what: &'static str, read: Result<T, ServiceError>) -> Result<T, Missing> {
        read.map_err(|error| {
            let request_id = self.dashboard.host.request_id(&self.request);
            let is_away = matches!(error, ServiceError::Unavailable { .. });
            let cause = PageError::Service(error).cause();
            tracing::error!(target: "horarium::access", request_id, what, cause, "a part of a page could not be shown");
            Missing { what, is_away, request_id }
        })
    }

    /// What is around the page's own content.
    pub(crate) fn layout(&self, title: impl Into<String>, section: Option<Section>) -> Layout {
        Layout::of(&self.dashboard, &self.request, title.into(), section)
    }

    /// Somebody who is about to change something, for a service. `action` is the operation's id in the API's description,
    /// such as `pause_job`; the audit log tells it, and what it is about, with the answer's status.
    pub(crate) fn does(&self, action: &'static str, target: Option<AuditTarget>) -> Actor {
        self.dashboard.host.asks_for(&self.request, action, target);
        Actor::new(self.tenant.id, self.principal.display_name())
    }

    /// The same for a service that accepts executions: the audit log tells of it in the transaction that accepts them.
    pub(crate) fn submits(&self, action: &'static str, target: Option<AuditTarget>) -> Actor {
        let actor = self.does(action, target);
        self.once_only(self.dashboard.host.submitting(&self.request, &actor))
    }

    /// The same for one of several things that the visitor, `actor`, has executions accepted for, after so many others.
    pub(crate) fn submits_for(&self, actor: &Actor, target: AuditTarget, others: u16) -> Actor {
        self.once_only(self.dashboard.host.submitting_for(&self.request, actor, target)).after(others)
    }

    /// Tells the audit log that what the visitor does was done to one of several things.
    pub(crate) fn did_to(&self, target: AuditTarget) {
        self.dashboard.host.did_to(&self.request, target);
    }

    /// What a form that asks for executions carries as its field `once`: sent twice, as slow servers and fast fingers have
    /// it, it asks for the same ones.
    pub(crate) fn once(&self) -> String {
        self.token.once(self.tenant.id, self.dashboard.core.ids.request_seed(self.now()))
    }

    fn once_only(&self, actor: Actor) -> Actor {
        let once = self.request.extensions().get::<FormBody>().and_then(|form| form.field("once"));
        match once.and_then(|once| self.token.seed(self.tenant.id, &once)) {
            Some(seed) => actor.in_request(seed),
            None => actor,
        }
    }

    /// Tells the audit log what came of what the visitor did, where that is only known afterwards.
    pub(crate) fn did(&self, action: &'static str, target: AuditTarget) {
        self.dashboard.host.asks_for(&self.request, action, Some(target));
    }

    /// Sends the browser to the first page that the visitor may read.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn go_home(&self) -> Result<HttpResponse, PageError> {
        let first = readable(self).into_iter().next().ok_or(AuthError::PermissionDenied(Permission::JobsRead))?;
        Ok(redirect(&LocalPath::own(first.href()), None, Site::of(&self.dashboard, &self.request)))
    }

    /// Sends the browser on to a page that tells what was done.
    pub(crate) fn go(&self, to: impl Into<String>, flash: &Flash) -> HttpResponse {
        redirect(&LocalPath::own(to), Some(flash), Site::of(&self.dashboard, &self.request))
    }
}

impl<P: Requirement> FromRequest for Visit<P> {
    type Error = PageError;
    type Future = Ready<Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(visit(request))
    }
}

fn visit<P: Requirement>(request: &HttpRequest) -> Result<Visit<P>, PageError> {
    // A route outside of the front refuses everybody, rather than letting everybody in.
    let visitor = request.extensions().get::<Rc<Visitor>>().cloned().ok_or(PageError::SignIn)?;
    if let Some(permission) = P::PERMISSION.filter(|permission| !visitor.principal.can(*permission)) {
        return Err(AuthError::PermissionDenied(permission).into());
    }
    let dashboard = request.app_data::<actix_web::web::Data<Dashboard>>().ok_or(PageError::SignIn)?;
    let (dashboard, request) = (dashboard.get_ref().clone(), request.clone());
    Ok(Visit { visitor, dashboard, request, permission: PhantomData })
}
