//! `/api/v1/scheduler`: jobs, their executions, the dashboard. Errors are ProblemDetails.

pub(crate) mod dto;
mod error;
mod map;
mod routes;

pub(crate) use routes::{PREFIX, STATUSES, UNPUBLISHED, cancelled, configure, detail, retried, started_between};
