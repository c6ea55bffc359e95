//! `/job`, and the same below `/api/job`: operations that agents carry out. Errors are `{"error", "code"}`.

mod dto;
mod error;
mod map;
mod routes;
mod status;
mod timeline;

pub(crate) use error::{SCHEMA, shape};
pub(crate) use routes::configure;

/// Where the dialect lives.
pub(crate) const PREFIXES: [&str; 2] = ["/job", "/api/job"];
