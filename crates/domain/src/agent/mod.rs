//! Agents: workers on other machines, which lease work over HTTP.
//!
//! [`protocol`] holds what goes over the wire, for both ends; docs/agent-protocol.md describes it for other languages.
//! [`BuiltInOperation`] names the operations that `horarium agent` brings along.
//!
//! An execution of an agent job is divided into one [`AgentTask`] for each host that its [`Target`] reaches, or a single
//! one that any agent may take. [`verdict`](verdict()) makes their ends the execution's.

mod operation;
pub mod protocol;
mod record;
mod request;
mod target;
mod task;
mod timing;
mod verdict;

pub use operation::BuiltInOperation;
pub use record::{Agent, AgentState, HOSTNAME_CHARS, InvalidHostname, check_hostname};
pub use request::AgentRequest;
pub use target::{InvalidTarget, Target};
pub use task::{AgentTask, HandOn, HeldTask, InvalidLeaseToken, TaskEnd, TaskLease, TaskState};
pub use timing::AgentTiming;
pub use verdict::{Verdict, no_agent, verdict};
