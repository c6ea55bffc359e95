//! The HTTP surface as callers meet it: over a socket, with the store in memory and a clock that the tests move.

// A test that cannot go on panics; the lint only sees the test functions themselves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

mod admin;
mod agent_jobs;
mod agents;
mod audit;
mod authentication;
mod bulk;
mod conditional;
mod errors;
mod events;
mod executions;
mod figures;
mod five_dialects;
mod health;
mod idempotency;
mod integrations;
mod isolation;
mod jobs;
mod key_limits;
mod keys;
mod limits;
mod openapi;
mod operations;
mod pages;
mod queues;
mod scheduler_admin;
mod tenants;
mod toolkit;
