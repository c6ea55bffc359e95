//! Runs jobs: plans their slots, claims executions, runs attempts, records their ends, takes over what was lost.
//!
//! [`Engine::start`] runs the loops over any [`Store`](horarium_domain::store::Store); [`Services`] are the use cases
//! that an API or an embedding program calls. Neither knows HTTP or SQL.

mod agents;
mod audited;
pub mod bus;
mod core;
pub mod engine;
mod enqueuer;
mod entropy;
pub mod executor;
mod group_commit;
mod hints;
mod job_reader;
pub mod memory;
mod running;
mod secrets;
pub mod service;
mod system_job;

pub use crate::agents::{AgentExecutor, AgentKeeper, FillData};
pub use crate::audited::AuditedCall;
pub use crate::core::{Core, JobChangeKind};
pub use engine::{Engine, EngineConfig};
pub use entropy::SystemEntropy;
pub use executor::{Executor, Outcome, Progress, Registry, Run};
pub use service::{Actor, ServiceError, Services};
pub use system_job::SystemJob;
