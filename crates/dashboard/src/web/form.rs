//! Forms that were posted.

use std::future::{Ready, ready};
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::PageError;

/// The field that each form carries; see [`SessionToken::form_token`](horarium_auth::SessionToken::form_token).
pub(super) const TOKEN_FIELD: &str = "form_token";

/// The body of a posted form, read by the front.
#[derive(Debug, Clone)]
pub(super) struct FormBody(pub(super) Rc<str>);

impl FormBody {
    /// The first value of a field.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.0.as_bytes()).find(|(given, _)| given == name).map(|(_, value)| value.into_owned())
    }
}

/// The fields of a posted form, the session's own left out: a struct of texts, numbers and options, or
/// `Vec<(String, String)>` where a field may occur several times. The front has checked that the form is ours.
#[derive(Debug)]
pub(crate) struct Form<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest for Form<T> {
    type Error = PageError;
    type Future = Ready<Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let body = request.extensions().get::<FormBody>().cloned();
        let text = body.as_ref().map_or("", |body| &body.0);
        let read = web::Query::<T>::from_query(text).map(|fields| Self(fields.into_inner()));
        ready(read.map_err(|error| PageError::BadRequest(format!("The form could not be read: {error}."))))
    }
}
