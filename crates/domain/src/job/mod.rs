//! Jobs: what to run, when, and how.

mod configuration;
mod debug;
mod definition;

pub use configuration::{
    AgentOperation, CodeExecution, CommandLine, FileOperation, FileOperationKind, HttpCall, InvalidConfiguration,
    JobConfiguration, JobType, StoredProcedure,
};
pub use definition::{ConcurrencyPolicy, Job, JobSpec, JobStatus, JobSummary, LastRun, QueueName};
