//! What jobs do to the outside world: HTTP calls, handlers written in Rust, programs, files, stored procedures, and
//! the jobs that every tenant has.
//!
//! Each executor implements the engine's [`Executor`](horarium_scheduler_engine::Executor) for one job type. What they
//! share stands beside them: [`egress`] decides which addresses a job may reach, [`template`] fills `{{…}}` in a job's
//! configuration.

mod agent_data;
pub mod builtin;
pub mod callback;
pub mod code;
#[cfg(unix)]
pub mod command;
mod disabled;
pub mod egress;
pub mod file_operation;
pub mod http_call;
mod items_processed;
pub mod stored_procedure;
pub mod template;

pub use agent_data::fill_agent_data;
pub use callback::{CallbackBody, CallbackDelivery};
pub use code::{CodeExecutor, Handler, HandlerContext, HandlerOutput, Handlers};
#[cfg(unix)]
pub use command::{CommandExecutor, CommandSettings};
pub use disabled::Disabled;
pub use egress::EgressPolicy;
pub use file_operation::{FileOperationExecutor, FileOperationSettings};
pub use horarium_domain::execution::DEFAULT_OUTPUT_LIMIT;
pub use http_call::{HttpCallExecutor, HttpCallSettings};
pub use stored_procedure::{Connections, StoredProcedureExecutor};
pub use template::Templates;

use horarium_domain::execution::Failure;
use horarium_domain::job::JobType;
use horarium_scheduler_engine::Outcome;

/// The outcome when the engine hands an executor a job of another type: a mistake in how the registry was filled.
fn wrong_type(expected: JobType, got: JobType) -> Outcome {
    Outcome::failed(Failure::permanent(format!("the executor of {expected} jobs was handed a {got} job")))
}
