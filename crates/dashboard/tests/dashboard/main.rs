//! The dashboard as browsers meet it: over a socket, with the store in memory and a clock that the tests move.

// A test that cannot go on panics; the lint only sees the test functions themselves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

mod agents;
mod assets;
mod audit;
mod events;
mod executions;
mod forms;
mod headers;
mod hosts;
mod integrations;
mod jobs;
mod keys;
mod oidc;
mod overview;
mod parts;
mod queues;
mod refusals;
mod selected;
mod sessions;
mod tenants;
