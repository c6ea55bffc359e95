//! What calls of this dialect must say.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use super::error;
use crate::http::{ApiError, Name};

const MAX_NAME_CHARS: usize = 200;

/// The tenant is named in the request: an administrator of several is not to act in the wrong one by mistake. Whether
/// it may be named was decided before.
#[derive(Debug)]
pub(super) struct TenantNamed;

impl FromRequest for TenantNamed {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(if req.headers().contains_key("x-tenantid") {
            Ok(Self)
        } else {
            Err(ApiError::invalid_field("x-tenantid", "is required: the header names the tenant, by UUID or slug"))
        })
    }
}

/// The name of a job, as this dialect takes it.
#[derive(Debug)]
pub(super) struct JobName(pub(super) String);

impl JobName {
    /// A name of letters, digits, `_`, `.`, `:`, `-` and spaces.
    pub(super) fn new(text: &str) -> Result<Self, ApiError> {
        let text = text.trim();
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '-' | ' ');
        if (1..=MAX_NAME_CHARS).contains(&text.chars().count()) && text.chars().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(error::invalid_name())
        }
    }
}

impl FromRequest for JobName {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(Name::from_request(req, payload).into_inner().and_then(|name| Self::new(&name.0)))
    }
}
