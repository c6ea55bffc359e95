//! `/v1/toolkit` and `/paid`: work that is submitted, waited for or called back, and the status of all of it.
//!
//! A job of this dialect is an execution of the engine. Every answer is an [`Envelope`](dto::Envelope), refusals
//! included, but for the 401, whose shape the source document gives. The only credential is `x-api-key`.

mod dto;
mod error;
mod map;
mod routes;

pub(crate) use error::{ERROR_SCHEMA, PREFIXES, shape};
pub use map::callback_body;
pub(crate) use routes::configure;
