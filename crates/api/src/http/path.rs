//! What a path names. A text that can be no id names nothing, hence a 404 and not a 400.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use horarium_domain::{AgentId, ApiKeyId, ExecutionId, JobId, TenantId};
use uuid::Uuid;

use super::ApiError;

/// An id that occurs in paths.
pub(crate) trait PathId {
    /// What it names, as callers call it.
    const KIND: &'static str;

    /// Any UUID; whether it names something is for a service to say.
    fn of(uuid: Uuid) -> Self;
}

macro_rules! path_ids {
    ($($id:ident = $kind:literal),* $(,)?) => {$(
        impl PathId for $id {
            const KIND: &'static str = $kind;

            fn of(uuid: Uuid) -> Self {
                Self::from_uuid(uuid)
            }
        }
    )*};
}

path_ids!(AgentId = "agent", JobId = "job", ExecutionId = "execution", ApiKeyId = "API key", TenantId = "tenant");

/// The one id in a route's path.
#[derive(Debug)]
pub(crate) struct Id<T>(pub(crate) T);

impl<T: PathId> FromRequest for Id<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = segment(req).and_then(|text| Uuid::try_parse(text).ok());
        ready(parsed.map(|uuid| Self(T::of(uuid))).ok_or_else(|| ApiError::not_found(T::KIND)))
    }
}

/// The one name in a route's path; also one with `/`, `%` or `+`, where it is encoded.
#[derive(Debug)]
pub(crate) struct Name(pub(crate) String);

impl FromRequest for Name {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        // The router leaves those three as they are; the path's own extractor does not.
        let name = web::Path::<String>::extract(req).into_inner();
        ready(Ok(Self(name.map(web::Path::into_inner).unwrap_or_default())))
    }
}

fn segment(req: &HttpRequest) -> Option<&str> {
    req.match_info().iter().next().map(|(_, text)| text)
}
