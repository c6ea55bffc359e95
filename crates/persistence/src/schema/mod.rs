//! The tables as diesel sees them, and the column types and functions that both databases share.

mod functions;
mod tables;
mod types;

pub(crate) use functions::{lower, or_else, register};
pub(crate) use tables::*;
pub(crate) use types::{At, Id, Json, Key, Ts, at, key};
