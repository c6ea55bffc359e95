//! Agents: workers on other machines, which lease work over HTTP.
//!
//! [`protocol`] holds what goes over the wire, for both ends; docs/agent-protocol.md describes it for other languages.
//! [`BuiltInOperation`] names the operations that `horarium agent` brings along.

mod operation;
pub mod protocol;

pub use operation::BuiltInOperation;
