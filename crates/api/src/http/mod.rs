//! What every dialect's routes share: who calls, what they sent, and how an answer or a refusal looks.
//!
//! A request passes, from the outside in: [`shell()`] (request id, errors, headers, metrics, log), [`authenticate()`]
//! (credential → [`Caller`]), [`idempotency`] (`Idempotency-Key`), then the route's extractors, of which the first
//! names the permission it needs. Everything that is refused on the way is an [`ApiError`], and only the shell writes
//! one down.

mod authenticate;
mod authorized;
mod body;
mod error;
mod error_shape;
mod etag;
mod fallback;
mod idempotency;
mod object;
mod path;
mod problem;
mod query;
mod rate_limit;
mod request_id;
mod security_headers;
mod shell;

pub(crate) use authenticate::{Caller, TENANT_GONE, authenticate, authenticate_by_key, identify};
pub(crate) use authorized::{Authenticated, Authorized, perm};
pub(crate) use body::{Body, OptionalBody, media_type, parse_json, read_limited};
pub(crate) use error::ApiError;
pub(crate) use error_shape::{ErrorSchema, ErrorShape, ErrorShapes, Refused};
pub(crate) use etag::{Entity, IfMatch};
pub(crate) use fallback::{MethodTable, fallback};
pub(crate) use idempotency::{OneTimeSecret, idempotent};
pub(crate) use object::Object;
pub(crate) use path::{Id, Name};
pub use problem::ProblemDetails;
pub(crate) use query::{FromQuery, Query, QueryFields};
pub(crate) use rate_limit::RateLimiter;
pub(crate) use shell::shell;
