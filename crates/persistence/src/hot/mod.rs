//! The hot path: accepting, claiming and settling executions and firing schedules, thousands of times a second.
//!
//! It is written twice, each time in its database's own best SQL and by hand, because the shape of each statement is
//! what its speed and its freedom from deadlocks come from. What does not depend on the database is written once:
//! [`rollup`] says what a batch of ends adds to the counters, [`gates`] which candidates the limits of queues and jobs
//! let through, [`slots`] what is recorded of executions that a firing cannot have, [`drift`] where counters and history differ.
//!
//! # Order of locks
//!
//! Every transaction takes what it needs of these in this order, and several rows of one table in the order of their
//! key, so that no two can wait for each other in a circle:
//!
//! `job_slots` → `queues`, `jobs` (only by those who count against a limit) → `execution_queue` → `executions` →
//! `job_counters` → `job_durations` → `rollups`
//!
//! Claiming never waits: it passes over what somebody else holds (`skip locked`). A deadlock that happens all the same
//! (with an ordinary write, say) is answered by running the whole method again.

use async_trait::async_trait;
use horarium_domain::store::{Drift, ExecutionQueue, FireOutcome, Firing, StoreError};
use horarium_domain::{JobId, TenantId, Timestamp};

use crate::text;

mod drift;
mod gates;
mod postgres;
mod rollup;
mod slots;
mod sqlite;
mod taken;
