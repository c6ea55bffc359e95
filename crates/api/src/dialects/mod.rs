//! The HTTP dialects: thin translations of requests to use cases of the engine, and of domain types to wire shapes.
//!
//! A route extracts, makes one service call, and maps. Dialects do not call each other.

pub(crate) mod admin;
pub(crate) mod agents;
pub(crate) mod integrations;
pub(crate) mod scheduler;
pub(crate) mod toolkit;

use crate::http::{ErrorSchema, ErrorShape};

/// The path prefixes whose errors have a shape of their own, each with what writes them.
pub(crate) const ERROR_SHAPES: &[(&str, ErrorShape)] = &[
    (admin::PREFIX, admin::shape),
    (agents::PREFIXES[0], agents::shape),
    (agents::PREFIXES[1], agents::shape),
    (toolkit::PREFIXES[0], toolkit::shape),
    (toolkit::PREFIXES[1], toolkit::shape),
];

/// The same for OpenAPI.
pub(crate) static ERROR_SCHEMAS: &[&ErrorSchema] = &[&admin::ERROR_SCHEMA, &agents::SCHEMA, &toolkit::ERROR_SCHEMA];

/// The path prefixes where a key is the only credential.
pub(crate) const KEY_ONLY: &[&str] = toolkit::PREFIXES;
