//! What every dialect's routes share: who calls, what they sent, and how an answer or a refusal looks.
//!
//! A request passes, from the outside in: [`shell()`] (request id, errors, headers, metrics, log), [`audited`] (the audit log), [`authenticate()`]
//! (credential → [`Caller`], within the limits of the [`Gate`]), [`idempotency`] (`Idempotency-Key`), then the route's extractors, of which the first
//! names the permission it needs. Everything that is refused on the way is an [`ApiError`], and only the shell writes
//! one down.

mod audit;
mod authenticate;
mod authorized;
mod body;
mod changes;
mod client_address;
mod error;
mod error_shape;
mod etag;
mod fallback;
mod gate;
mod idempotency;
mod object;
mod path;
mod patience;
mod problem;
mod query;
mod rate_limit;
mod refusal_page;
mod request_id;
mod route;
mod security_headers;
mod shell;
mod slow_body;

pub(crate) use audit::{Actions, AuditHandle, AuditNote, audited};
pub(crate) use authenticate::{Caller, TENANT_GONE, authenticate, authenticate_by_key, identify};
pub(crate) use authorized::{Authenticated, Authorized, perm};
pub(crate) use body::{ArrayBody, Body, OptionalBody, media_type, parse_json, read_limited};
pub(crate) use changes::is_posted_read;
pub use client_address::{InvalidProxy, TrustedProxies};
pub(crate) use error::ApiError;
pub(crate) use error_shape::{ErrorSchema, ErrorShape, ErrorShapes, Refused};
pub(crate) use etag::{Entity, IfMatch};
pub(crate) use fallback::{MethodTable, fallback};
pub(crate) use gate::Gate;
pub(crate) use idempotency::{OfAcceptedWork, OneTimeSecret, idempotent};
pub(crate) use object::Object;
pub(crate) use path::{Id, Name};
pub(crate) use patience::Patience;
pub use problem::ProblemDetails;
pub(crate) use query::{ByName, FromQuery, Paging, Query, QueryFields};
pub use rate_limit::{InvalidRateLimits, RateLimits};
pub use refusal_page::RefusalPage;
pub(crate) use request_id::of as request_id;
pub(crate) use shell::shell;
