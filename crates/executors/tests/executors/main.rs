//! The executors from outside: real requests to real servers on loopback, as the engine would have them made.

// Helpers of tests fail as loudly as the tests; Clippy only knows the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod agent_data;
mod builtin_jobs;
mod callbacks;
mod cancellation;
mod code;
#[cfg(unix)]
mod command;
mod egress;
#[cfg(unix)]
mod file_operation;
mod http_call;
mod redirects;
mod stored_procedure;
mod support;
mod templates;
