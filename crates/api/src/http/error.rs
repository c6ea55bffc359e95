//! Why a request was refused, before it has the shape of any dialect.

use std::collections::BTreeMap;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use horarium_auth::AuthError;
use horarium_scheduler_engine::service::{FieldErrors, ServiceError};

/// A refusal: what the caller is told, and what the log is told besides.
#[derive(Debug)]
pub(crate) struct ApiError(Box<Refusal>);

#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    title: Option<&'static str>,
    detail: String,
    errors: BTreeMap<String, Vec<String>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    internal: Option<String>,
}

impl ApiError {
    /// A refusal with a sentence for the caller.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self(Box::new(Refusal {
            status,
            title: None,
            detail: detail.into(),
            errors: BTreeMap::new(),
            headers: Vec::new(),
            internal: None,
        }))
    }

    /// 400, with what is wrong by field.
    pub(crate) fn invalid(errors: FieldErrors) -> Self {
        let mut refusal = Self::new(StatusCode::BAD_REQUEST, "The request is not valid; see 'errors'.");
        refusal.0.errors = errors.into_map();
        refusal
    }

    /// 400 for one field.
    pub(crate) fn invalid_field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::invalid(FieldErrors::one(field, problem))
    }

    /// 400 for a request that has no field to blame.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404 for something of this kind.
    pub(crate) fn not_found(kind: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("There is no such {kind}."))
    }

    /// 500, with the cause for the log alone.
    pub(crate) fn internal(cause: impl fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "An internal error occurred. It has been logged.")
            .with_internal(cause.to_string())
    }

    /// The same refusal, named in a few words for the dialects that show such.
    #[must_use]
    pub(crate) fn titled(mut self, title: &'static str) -> Self {
        self.0.title = Some(title);
        self
    }

    /// The same refusal with a header.
    #[must_use]
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// The same refusal, saying after how many seconds it is worth trying again.
    #[must_use]
    pub(crate) fn retry_after(self, seconds: u32) -> Self {
        self.with_header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// The same refusal, with the cause for the log.
    #[must_use]
    pub(crate) fn with_internal(mut self, cause: String) -> Self {
        self.0.internal = Some(cause);
        self
    }

    /// Its HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What is refused in a few words, if whoever refused it named it.
    pub(crate) fn title(&self) -> Option<&'static str> {
        self.0.title
    }

    /// What the caller is told.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// What is wrong, by field.
    pub(crate) fn errors(&self) -> &BTreeMap<String, Vec<String>> {
        &self.0.errors
    }

    /// Headers that belong to the answer.
    pub(crate) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0.headers
    }

    /// What happened inside, for the log.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.0.internal.as_deref()
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.detail)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    /// Only the status: the shell knows the request and writes the body.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.0.status)
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        let sentence = || capitalised(&error.to_string());
        match &error {
            ServiceError::NotFound(kind) => Self::not_found(kind),
            ServiceError::Invalid(errors) => Self::invalid(errors.clone()),
            ServiceError::Conflict(_) => Self::new(StatusCode::CONFLICT, sentence()),
            ServiceError::PreconditionFailed { .. } => Self::new(StatusCode::PRECONDITION_FAILED, sentence()),
            // The source document of the scheduler dialect wants a 400 here, not a 409.
            ServiceError::NotFailed(_) => Self::bad_request(sentence()),
            ServiceError::QueueFull { .. } => Self::new(StatusCode::TOO_MANY_REQUESTS, sentence()).retry_after(5),
            ServiceError::Unavailable { internal } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, sentence()).retry_after(1).with_internal(internal.clone())
            }
            ServiceError::Internal { internal } => Self::internal(internal),
        }
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        let status = StatusCode::from_u16(error.status().code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut refusal = Self::new(status, error.to_string());
        if let Some(challenge) = error.www_authenticate().and_then(|text| HeaderValue::try_from(text).ok()) {
            refusal = refusal.with_header(WWW_AUTHENTICATE, challenge);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            refusal = refusal.retry_after(5);
        }
        match std::error::Error::source(&error) {
            Some(source) => refusal.with_internal(source.to_string()),
            None => refusal,
        }
    }
}

/// A service's message as a sentence.
fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    let mut sentence: String = chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect();
    if !sentence.ends_with('.') {
        sentence.push('.');
    }
    sentence
}
