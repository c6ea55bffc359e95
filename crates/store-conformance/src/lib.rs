//! One suite that every store must pass, so that "the memory store in a test" and "PostgreSQL in production" mean the
//! same thing.
//!
//! A store's crate says how to make an empty database and gets one named test per case:
//!
//! ```ignore
//! async fn empty_database() -> horarium_store_conformance::Harness {
//!     Harness::one(Arc::new(MemoryStore::new()))
//! }
//! horarium_store_conformance::suite!(memory, empty_database);
//! ```
//!
//! `cargo test` then runs `memory::claim::two_claimers_at_once_never_share_an_execution` and all the others. Each case
//! is given a database of its own, through two handles, as two nodes would have it, and brings its own times: no case
//! reads a clock, so none depends on how fast the machine is.
//!
//! The cases are what the documentation of the ports (`horarium_domain::store`) says, made to run. Where a case and
//! that documentation disagree, one of them is wrong.

// This crate is test code that other crates' tests call: a case that panics is a case that failed.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::missing_panics_doc)]
// A case's name is a sentence that says what it shows.
#![allow(missing_docs)]
// A case is read from top to bottom: names are brought in where they are first needed, and values are set plainly.
#![allow(clippy::items_after_statements, clippy::assigning_clones)]

pub mod agents;
pub mod audit;
pub mod bulk;
pub mod callbacks;
pub mod cancel;
pub mod claim;
pub mod enqueue;
pub mod executions;
pub mod fairness;
pub mod figures;
pub mod gates;
pub mod groups;
mod harness;
pub mod idempotency;
pub mod isolation;
pub mod jobs;
pub mod key_limits;
pub mod keys;
pub mod leases;
pub mod planning;
pub mod queue_weights;
pub mod queues;
pub mod races;
pub mod retention;
pub mod secrets;
mod seeded;
pub mod sessions;
pub mod settle;
pub mod signals;
mod suite;
pub mod tenant_limits;
pub mod tenants;
mod world;

pub use harness::{Harness, run};
pub use world::World;
