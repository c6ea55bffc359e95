//! The agent: it takes work from a server, does it on its own machine, and reports how it went.
//!
//! [`Agent`] speaks the protocol of [`horarium_domain::agent::protocol`]; [`Toolbox`] holds the operations, and what the
//! machine's operator allows of them. The two know nothing of each other but "do this" and "this is how it went".
//!
//! The server is only ever called, never listened to: an agent needs no open port.

mod agent;
mod backoff;
mod calls;
mod hardening;
mod http_client;
mod link;
mod outage;
mod outbox;
mod session;
mod settings;
mod task;
mod work;

pub mod operations;

pub use agent::{Agent, AgentError};
pub use hardening::hide_process;
pub use operations::{Allowed, CommandsAllowed, InvalidAllowance, Toolbox};
pub use settings::{Credential, Settings};
