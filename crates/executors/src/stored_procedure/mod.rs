//! `StoredProcedure`: a job that calls a procedure or function of a PostgreSQL database.
//!
//! It is off unless the operator names connections. A job names one of them, never an address, and may call what the
//! connection's user may; no text of a job ever becomes part of a statement but a quoted identifier.
//!
//! - `storedProcedureName` is `schema.name`, or a `name` that the connection's search path finds; written as the database
//!   has it, so mostly in lower case.
//! - `parameters` are arguments by name. A string, number or truth value is read by PostgreSQL as the parameter's type,
//!   so `"2025-07-10"` may be a date; an array is an array, and anything is JSON for a `json` or `jsonb` parameter.
//!   Those that are named like a secret (`p_token`) are sealed in Horarium's database, and open here.
//! - A procedure is called outside of a transaction, so it may commit by itself, and has no output. What a function
//!   returns is the output, as JSON: an array when it returns a set, whose rows count as items processed.
//! - `commandTimeoutSeconds` is the session's `statement_timeout`. A cancelled attempt cancels its query.
//! - `current_setting('horarium.execution_id')` tells the code in the database which execution it runs for, the same in
//!   all attempts; `horarium.attempt` tells the attempt.
//!
//! Each attempt has a session of its own, because code in the database may leave anything behind in one.

mod argument;
mod connection;
mod session;

use std::time::Duration;

use async_trait::async_trait;
use horarium_domain::execution::{DEFAULT_OUTPUT_LIMIT, Failure};
use horarium_domain::job::{JobConfiguration, JobType, StoredProcedure};
use horarium_scheduler_engine::{Executor, Outcome, Run};
use tokio::time::timeout;

use crate::items_processed::items_processed;
use crate::template::Templates;
use crate::wrong_type;
pub use connection::{Connections, InvalidConnections};
use session::{Answer, Call};

/// How long a cancelled query may take to end before it is cancelled again: the first request may have come between two
/// statements.
const CANCEL_AGAIN: Duration = Duration::from_millis(250);

/// Runs [`StoredProcedure`] jobs.
#[derive(Debug, Clone)]
pub struct StoredProcedureExecutor {
    connections: Connections,
    templates: Templates,
    output_limit: usize,
}

impl StoredProcedureExecutor {
    /// Calls over `connections`, with up to 64 KiB of output.
    pub const fn new(connections: Connections, templates: Templates) -> Self {
        Self { connections, templates, output_limit: DEFAULT_OUTPUT_LIMIT }
    }

    /// Keeps at most `bytes` of output.
    #[must_use]
    pub const fn with_output_limit(mut self, bytes: usize) -> Self {
        self.output_limit = bytes;
        self
    }

    async fn run(&self, procedure: &StoredProcedure, run: &Run) -> Result<Outcome, Failure> {
        let connection = self.connections.find(procedure.database_connection_string_name.as_deref())?;
        let call = Call::prepare(procedure, &mut self.templates.renderer(run))?;
        let stopped =
            || Failure::retryable(format!("'{}' was stopped with its attempt", procedure.stored_procedure_name));
        let session = tokio::select! {
            session = connection.open() => session?,
            () = run.cancellation.cancelled() => return Err(stopped()),
        };
        let work = session.perform(&call, run, self.output_limit);
        tokio::pin!(work);
        let answer = tokio::select! {
            answer = &mut work => answer?,
            () = run.cancellation.cancelled() => loop {
                session.cancel().await;
                if let Ok(answer) = timeout(CANCEL_AGAIN, &mut work).await {
                    break answer.map_err(|_| stopped())?;
                }
            },
        };
        let Answer { output, rows } = answer;
        let items_processed = rows.or_else(|| output.as_ref().and_then(items_processed));
        Ok(Outcome::Succeeded { output, items_processed })
    }
}

#[async_trait]
impl Executor for StoredProcedureExecutor {
    async fn execute(&self, run: Run) -> Outcome {
        let JobConfiguration::StoredProcedure(procedure) = &run.job.spec.configuration else {
            return wrong_type(JobType::StoredProcedure, run.job.spec.configuration.job_type());
        };
        self.run(procedure, &run).await.unwrap_or_else(Outcome::failed)
    }
}
