//! The permission that a route needs, stated in its signature.

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::ops::Deref;
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use horarium_auth::{AuthError, Permission};

use super::{ApiError, Caller};

/// A permission as a type, for [`Authorized`].
pub(crate) trait Requirement: 'static {
    /// The permission.
    const PERMISSION: Permission;
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
                const PERMISSION: Permission = Permission::$name;
            }
        )*};
    }

    requirements!(
        JobsRead,
        JobsWrite,
        ExecutionsRead,
        ExecutionsTrigger,
        ExecutionsCancel,
        ExecutionsRetry,
        SchedulerAdmin,
        AdminDialect,
        IntegrationsRead,
        IntegrationsWrite,
        AgentsRead,
        AgentsUse,
        AgentsManage,
        AgentsLease,
        QueuesRead,
        QueuesWrite,
        EventsRead,
        AuditRead,
        KeysRead,
        KeysManage,
        TenantsManage,
    );
}

/// A [`Caller`] that has the permission `P`. It must be a route's first argument: extractors are asked in order, and
/// a caller who may not do something is not to learn what is wrong with the rest of the request.
#[derive(Debug)]
pub(crate) struct Authorized<P> {
    caller: Rc<Caller>,
    permission: PhantomData<P>,
}

impl<P> Deref for Authorized<P> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

/// A [`Caller`] who may be anybody whose credential is good.
#[derive(Debug)]
pub(crate) struct Authenticated(Rc<Caller>);

impl Deref for Authenticated {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl FromRequest for Authenticated {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = req.extensions().get::<Rc<Caller>>().cloned();
        ready(caller.map(Self).ok_or(AuthError::MissingCredential).map_err(ApiError::from))
    }
}

impl<P: Requirement> FromRequest for Authorized<P> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        // A route outside of the authenticating scope refuses everybody, rather than letting everybody in.
        let caller = req.extensions().get::<Rc<Caller>>().cloned();
        ready(
            caller
                .ok_or(AuthError::MissingCredential)
                .and_then(|caller| {
                    caller.principal.require(P::PERMISSION)?;
                    Ok(Self { caller, permission: PhantomData })
                })
                .map_err(ApiError::from),
        )
    }
}
