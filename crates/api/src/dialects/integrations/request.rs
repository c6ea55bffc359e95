//! What calls of this dialect may not do.

use std::future::{Ready, ready};
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use crate::http::{ApiError, Caller};

/// The request acts in the organization of its credential: not even who may act in every tenant elsewhere may name
/// another one here.
#[derive(Debug)]
pub(super) struct OwnOrganization;

impl FromRequest for OwnOrganization {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = req.extensions().get::<Rc<Caller>>().cloned();
        let is_own = caller.is_some_and(|caller| caller.tenant.is_named_by(&caller.principal.tenant));
        ready(if is_own {
            Ok(Self)
        } else {
            let detail = "Integrations are shown and fed by their own organization alone: that of the credential.";
            Err(ApiError::new(StatusCode::FORBIDDEN, detail))
        })
    }
}
