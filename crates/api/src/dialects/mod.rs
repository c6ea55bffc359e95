//! The HTTP dialects: thin translations of requests to use cases of the engine, and of domain types to wire shapes.
//!
//! A route extracts, makes one service call, and maps. Dialects do not call each other.

pub(crate) mod scheduler;
