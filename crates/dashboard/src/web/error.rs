//! Why a page is not shown, and the page that says so.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use horarium_auth::{AuthError, AuthStatus};
use horarium_domain::execution::ExecutionState;
use horarium_scheduler_engine::ServiceError;

/// Why a page is not shown. Whoever signed in for nothing, and why, is told by the sign-in page itself.
#[derive(Debug)]
pub(crate) enum PageError {
    /// Nobody is signed in.
    SignIn,
    /// Somebody is, and may not.
    Auth(AuthError),
    /// Somebody is, and may, but not so; the sentence says why.
    Refused(&'static str),
    /// A service did not do what it was asked.
    Service(ServiceError),
    /// The form was sent by a page of another site.
    SentFromElsewhere,
    /// The form is of a session that is over, or of another tenant.
    StaleForm,
    /// Too much was sent of late: how long to wait, and why.
    TooMany(Duration, &'static str),
    /// The request makes no sense.
    BadRequest(String),
    /// The form holds more than is taken: so many bytes.
    TooLong(usize),
    /// There is a page, but not for such requests: the methods that it takes.
    WrongMethod(&'static str),
    /// There is no such page.
    Nowhere,
    /// A defect.
    Internal(String),
}

impl PageError {
    /// There is no such thing, or it is another tenant's.
    pub(crate) const fn not_found(kind: &'static str) -> Self {
        Self::Service(ServiceError::NotFound(kind))
    }

    /// A defect, with its cause for the log.
    pub(crate) fn internal(cause: impl fmt::Display) -> Self {
        Self::Internal(cause.to_string())
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::SignIn => StatusCode::UNAUTHORIZED,
            Self::Auth(error) => match error.status() {
                AuthStatus::Unauthorized => StatusCode::UNAUTHORIZED,
                AuthStatus::Forbidden => StatusCode::FORBIDDEN,
                AuthStatus::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            },
            Self::Service(error) => match error {
                ServiceError::NotFound(_) => StatusCode::NOT_FOUND,
                ServiceError::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
                ServiceError::Conflict(_) | ServiceError::NotFailed(_) | ServiceError::PreconditionFailed { .. } => {
                    StatusCode::CONFLICT
                }
                ServiceError::QueueFull { .. } => StatusCode::TOO_MANY_REQUESTS,
                ServiceError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
                ServiceError::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Refused(_) | Self::SentFromElsewhere | Self::StaleForm => StatusCode::FORBIDDEN,
            Self::TooMany(..) => StatusCode::TOO_MANY_REQUESTS,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::WrongMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Nowhere => StatusCode::NOT_FOUND,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What happened, in a few words, and what to do about it.
    pub(crate) fn told(&self) -> (&'static str, String) {
        match self {
            Self::SignIn => ("Sign in first", "Nobody is signed in.".to_owned()),
            Self::Auth(AuthError::PermissionDenied(permission)) => (
                "You may not do this",
                format!("It needs the permission '{permission}', which your credential does not give. Ask whoever made it."),
            ),
            Self::Auth(error) => ("You may not do this", error.to_string()),
            Self::Refused(why) => ("You may not do this", (*why).to_owned()),
            Self::Service(error) => told_by_service(error),
            Self::SentFromElsewhere => (
                "This came from another site",
                "Nothing was done. If you did mean it, go to the page here and do it there; if the server has another \
                 address behind a proxy, its operator must set 'public_url'."
                    .to_owned(),
            ),
            Self::StaleForm => (
                "This form is too old",
                "Nothing was done: you signed in again, or chose another tenant, after the page was made. Go back, reload the \
                 page, and send it again."
                    .to_owned(),
            ),
            Self::TooMany(wait, why) => ("Slow down", format!("{why} Go on in {} s.", seconds(*wait))),
            Self::BadRequest(detail) => ("This makes no sense", detail.clone()),
            Self::TooLong(most) => (
                "This is too long",
                format!("Nothing was done: a form may hold {} KiB. Go back and shorten it.", most / 1024),
            ),
            Self::WrongMethod(allowed) => (
                "This cannot be asked for like that",
                format!("Nothing was done: this address takes {allowed}. Go to the page that it belongs to."),
            ),
            Self::Nowhere => ("There is nothing here", "The address is misspelt, or what was here is gone.".to_owned()),
            Self::Internal(_) => internal(),
        }
    }

    /// After how many seconds it is worth trying again, if that is known.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooMany(wait, _) => Some(seconds(*wait)),
            _ if self.status() == StatusCode::SERVICE_UNAVAILABLE => Some(5),
            _ => None,
        }
    }

    /// The methods that the address takes, where it was another one.
    pub(crate) fn allow(&self) -> Option<&'static str> {
        if let Self::WrongMethod(allowed) = self { Some(allowed) } else { None }
    }

    /// What is wrong, by field.
    pub(crate) fn fields(&self) -> Vec<(String, String)> {
        let Self::Service(ServiceError::Invalid(errors)) = self else { return Vec::new() };
        errors.as_map().iter().map(|(field, messages)| (field.clone(), messages.join("; "))).collect()
    }

    /// What happened inside, for the log.
    pub(crate) fn cause(&self) -> Option<String> {
        match self {
            Self::Internal(cause) => Some(cause.clone()),
            Self::Service(error) => error.internal().map(str::to_owned),
            Self::Auth(error) => std::error::Error::source(error).map(ToString::to_string),
            Self::SignIn
            | Self::Refused(_)
            | Self::SentFromElsewhere
            | Self::StaleForm
            | Self::TooMany(..)
            | Self::BadRequest(_)
            | Self::TooLong(_)
            | Self::WrongMethod(_)
            | Self::Nowhere => None,
        }
    }
}

fn told_by_service(error: &ServiceError) -> (&'static str, String) {
    match error {
        ServiceError::NotFound(kind) => {
            ("There is no such thing", format!("This {kind} does not exist in this tenant, or is gone by now."))
        }
        ServiceError::Invalid(_) => {
            ("Something is not right yet", "Nothing was done. Go back and mend this:".to_owned())
        }
        ServiceError::Conflict(reason) => ("This cannot be done now", sentence(reason)),
        ServiceError::PreconditionFailed { .. } => (
            "Somebody else was faster",
            "It changed since you opened the page. Nothing was done; look at it again and decide anew.".to_owned(),
        ),
        ServiceError::NotFailed(state) => (
            "This cannot be retried",
            match state {
                ExecutionState::Pending | ExecutionState::Running => "It is not over yet.".to_owned(),
                ExecutionState::Succeeded => "It succeeded. Trigger its job to run it again.".to_owned(),
                ExecutionState::Cancelled => "It was cancelled. Trigger its job to run it again.".to_owned(),
                ExecutionState::Failed => "It failed only now. Look at it again.".to_owned(),
            },
        ),
        ServiceError::QueueFull { .. } => ("The queue is full", sentence(&error.to_string())),
        ServiceError::Unavailable { .. } => (
            "The database does not answer",
            "Horarium goes on as soon as it does; nothing that was accepted is lost. Try again in a moment.".to_owned(),
        ),
        ServiceError::Internal { .. } => internal(),
    }
}

fn seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(1)
}

fn internal() -> (&'static str, String) {
    ("Something went wrong", "It is our fault, and has been logged under the request's name below.".to_owned())
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    let end = if text.ends_with('.') { "" } else { "." };
    first.chain(chars).chain(end.chars()).collect()
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (title, detail) = self.told();
        write!(f, "{title}: {detail}")
    }
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    /// Only the status: the front knows the request and makes the page.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status())
    }
}

impl From<ServiceError> for PageError {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

impl From<AuthError> for PageError {
    fn from(error: AuthError) -> Self {
        Self::Auth(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_inside_is_for_the_log_alone() {
        let inside = || "connection to 10.0.0.7 refused".to_owned();
        let away = PageError::Service(ServiceError::Unavailable { internal: inside() });
        let defect = PageError::Service(ServiceError::Internal { internal: inside() });
        for (refusal, status) in [(away, 503), (defect, 500), (PageError::internal(inside()), 500)] {
            assert_eq!(refusal.status().as_u16(), status);
            assert!(!refusal.to_string().contains("10.0.0.7"), "{refusal}");
            assert_eq!(refusal.cause(), Some(inside()));
        }
    }

    #[test]
    fn every_permission_that_is_missing_is_named() {
        for permission in horarium_auth::Permission::ALL {
            let refusal = PageError::Auth(AuthError::PermissionDenied(*permission));
            assert_eq!(refusal.status(), StatusCode::FORBIDDEN);
            assert!(refusal.to_string().contains(permission.name()), "{refusal}");
        }
    }
}
