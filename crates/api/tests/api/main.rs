//! The HTTP surface as callers meet it: over a socket, with the store in memory and a clock that the tests move.

mod support;

mod authentication;
mod bulk;
mod conditional;
mod errors;
mod events;
mod executions;
mod figures;
mod health;
mod idempotency;
mod jobs;
mod keys;
mod openapi;
mod operations;
mod queues;
mod scheduler_admin;
mod tenants;
