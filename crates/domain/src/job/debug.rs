//! The `Debug` forms of definitions that may hold secrets: what readers may see of them.

use std::fmt;

use serde::Serialize;

use super::{AgentOperation, CodeExecution, CommandLine, HttpCall, JobType, StoredProcedure};
use crate::secret::Document;

impl fmt::Debug for HttpCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        masked(f, JobType::HttpCall, self)
    }
}

impl fmt::Debug for StoredProcedure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        masked(f, JobType::StoredProcedure, self)
    }
}

impl fmt::Debug for CodeExecution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        masked(f, JobType::CodeExecution, self)
    }
}

impl fmt::Debug for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        masked(f, JobType::Command, self)
    }
}

impl fmt::Debug for AgentOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        masked(f, JobType::Agent, self)
    }
}

fn masked(f: &mut fmt::Formatter<'_>, job_type: JobType, configuration: &impl Serialize) -> fmt::Result {
    let value = serde_json::to_value(configuration).map_err(|_| fmt::Error)?;
    write!(f, "{job_type} {}", Document::Configuration(job_type).masked(value))
}
