//! The HTTP dialects: thin translations of requests to use cases of the engine, and of domain types to wire shapes.
//!
//! A route extracts, makes one service call, and maps. Dialects do not call each other.

pub(crate) mod scheduler;

use crate::http::{ErrorSchema, ErrorShape};

/// The path prefixes whose errors have a shape of their own, each with what writes them.
pub(crate) const ERROR_SHAPES: &[(&str, ErrorShape)] = &[];

/// The same for OpenAPI.
pub(crate) static ERROR_SCHEMAS: &[&ErrorSchema] = &[];
