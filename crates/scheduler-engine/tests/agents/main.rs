//! Work that agents do, in virtual time: what becomes of it when agents answer, when they do not, and when a node is
//! lost meanwhile.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod again;
mod agent;
mod broadcasts;
mod leases;
#[path = "../support/mod.rs"]
mod support;
mod waiting;
