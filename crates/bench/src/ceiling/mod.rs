//! What the database does by hand-written SQL and nothing else: no tenants, no limits, no retries, no counters. What is
//! left is what the database itself costs.

pub(crate) mod drain;
pub(crate) mod insert;
pub(crate) mod pickup;
pub(crate) mod sqlite;
