//! The rules of Horarium, and nothing else: what a job, an execution and a schedule are, and how each may change.
//!
//! This crate performs no I/O, reads no clock and draws no random number; all three are arguments.
//! That is what lets the execution state machine and the retry logic be tested without HTTP and without SQL,
//! and what lets another program embed them.
//!
//! Start with [`execution`] (the state machine), [`schedule`] and [`retry`]; [`store`] holds the ports that a
//! database implements.

pub mod address;
pub mod agent;
pub mod api_key;
pub mod audit;
pub mod callback;
pub mod clock;
pub mod concurrency;
pub mod execution;
pub mod fair_share;
pub mod id;
pub mod job;
pub mod page;
pub mod queue;
pub mod retry;
pub mod schedule;
pub mod secret;
pub mod session;
pub mod stats;
pub mod store;
pub mod tenant;
pub mod timestamp;

pub use clock::{Clock, Entropy, SystemClock};
pub use id::{AgentId, AgentTaskId, ApiKeyId, AuditId, ExecutionId, IdGenerator, JobId, NodeId, RequestSeed, TenantId};
pub use timestamp::Timestamp;
