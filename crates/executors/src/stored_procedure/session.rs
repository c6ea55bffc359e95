//! One call in a session of its own.

use futures_util::TryStreamExt;
use horarium_domain::execution::{Capture, Failure, Output};
use horarium_domain::job::StoredProcedure;
use horarium_scheduler_engine::Run;
use serde_json::Value;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing::debug;

use super::argument::Argument;
use crate::template::Renderer;

/// What is known of the routines of a name: one row for each kind that there is.
const LOOK_UP: &str = "\
    select distinct n.nspname, p.prokind = 'p', p.proretset \
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace \
    where p.proname = $2 and p.prokind in ('f', 'p') \
      and case when $1::text is null then pg_function_is_visible(p.oid) else n.nspname = $1 end";

const SET_UP: &str = "\
    select set_config('horarium.execution_id', $1, false), set_config('horarium.attempt', $2, false), \
      set_config('statement_timeout', coalesce($3, current_setting('statement_timeout')), false)";

/// The most that PostgreSQL takes, which counts milliseconds.
const MAX_TIMEOUT_SECONDS: u32 = i32::MAX as u32 / 1000;

/// What to call, and with what.
pub(super) struct Call<'a> {
    name: &'a str,
    schema: Option<&'a str>,
    routine: &'a str,
    arguments: Vec<(String, Value)>,
    timeout_seconds: Option<u32>,
}

/// What came of it.
pub(super) struct Answer {
    pub(super) output: Option<Output>,
    /// How many rows a function that returns a set returned.
    pub(super) rows: Option<i64>,
}

/// A session of a database.
pub(super) struct Session {
    client: Client,
    tls: MakeRustlsConnect,
}

/// What the catalog says of a routine.
struct Routine {
    schema: String,
    is_procedure: bool,
    returns_set: bool,
}

impl<'a> Call<'a> {
    /// Reads the name and fills the templates in the parameters.
    pub(super) fn prepare(procedure: &'a StoredProcedure, renderer: &mut Renderer<'_>) -> Result<Self, Failure> {
        let name = procedure.stored_procedure_name.as_str();
        let (schema, routine) = match name.split_once('.') {
            Some((schema, routine)) => (Some(schema), routine),
            None => (None, name),
        };
        if schema == Some("") || routine.is_empty() || routine.contains('.') {
            let told = format!("jobConfiguration.storedProcedureName: '{name}' is neither schema.name nor a name");
            return Err(Failure::permanent(told));
        }
        if procedure.parameters.keys().any(|parameter| parameter.contains('\0')) {
            return Err(Failure::permanent("jobConfiguration.parameters: a name holds a NUL character"));
        }
        let parameters = renderer.map(&procedure.parameters).map_err(|error| error.in_field("parameters"))?;
        let arguments = parameters.into_iter().collect();
        Ok(Self { name, schema, routine, arguments, timeout_seconds: procedure.command_timeout_seconds })
    }

    fn statement(&self, routine: &Routine) -> String {
        let arguments: Vec<_> = (1..)
            .zip(&self.arguments)
            .map(|(number, (parameter, _))| format!("{} => ${number}", quoted(parameter)))
            .collect();
        let call = format!("{}.{}({})", quoted(&routine.schema), quoted(self.routine), arguments.join(", "));
        if routine.is_procedure { format!("call {call}") } else { format!("select to_jsonb(r)::text from {call} r") }
    }

    fn arguments(&self) -> impl ExactSizeIterator<Item = Argument> + '_ {
        self.arguments.iter().map(|(_, value)| Argument(value.clone()))
    }

    /// What an error of the database means for the attempt.
    fn failure(&self, error: &Error) -> Failure {
        let name = self.name;
        let Some(told) = error.as_db_error() else {
            debug!(?error, "a stored procedure's session broke");
            return Failure::retryable(format!("'{name}': the session with the database broke off"));
        };
        let code = told.code();
        if *code == SqlState::QUERY_CANCELED && self.timeout_seconds.is_some() {
            return Failure::retryable(format!("'{name}': {} (commandTimeoutSeconds)", told.message()));
        }
        let text = format!("'{name}': {} (SQLSTATE {})", told.message(), code.code());
        // Class 42: what is called is not there, is called wrongly, or may not be called.
        if code.code().starts_with("42") { Failure::permanent(text) } else { Failure::retryable(text) }
    }
}

impl Session {
    pub(super) const fn new(client: Client, tls: MakeRustlsConnect) -> Self {
        Self { client, tls }
    }

    /// Makes the call.
    pub(super) async fn perform(&self, call: &Call<'_>, run: &Run, output_limit: usize) -> Result<Answer, Failure> {
        self.set_up(call, run).await.map_err(|error| call.failure(&error))?;
        let routine = self.look_up(call).await?;
        self.carry_out(call, &routine, output_limit).await.map_err(|error| call.failure(&error))
    }

    /// Asks the server to end the query that runs.
    pub(super) async fn cancel(&self) {
        if let Err(error) = self.client.cancel_token().cancel_query(self.tls.clone()).await {
            debug!(?error, "a stored procedure's query could not be cancelled");
        }
    }

    async fn set_up(&self, call: &Call<'_>, run: &Run) -> Result<(), Error> {
        let timeout = call.timeout_seconds.map(|seconds| format!("{}s", seconds.min(MAX_TIMEOUT_SECONDS)));
        let (execution, attempt) = (run.execution_id.to_string(), run.attempt.to_string());
        self.client.execute(SET_UP, &[&execution, &attempt, &timeout]).await.map(drop)
    }

    async fn look_up(&self, call: &Call<'_>) -> Result<Routine, Failure> {
        let told = |error: Error| call.failure(&error);
        let rows = self.client.query(LOOK_UP, &[&call.schema, &call.routine]).await.map_err(told)?;
        let problem = match rows.as_slice() {
            [row] => {
                return Ok(Routine {
                    schema: row.try_get(0).map_err(told)?,
                    is_procedure: row.try_get(1).map_err(told)?,
                    returns_set: row.try_get(2).map_err(told)?,
                });
            }
            [] => "is no procedure or function of the database",
            _ => "is the name of several procedures and functions of the database",
        };
        Err(Failure::permanent(format!("jobConfiguration.storedProcedureName: '{}' {problem}", call.name)))
    }

    async fn carry_out(&self, call: &Call<'_>, routine: &Routine, output_limit: usize) -> Result<Answer, Error> {
        let statement = call.statement(routine);
        if routine.is_procedure {
            self.client.execute_raw(&statement, call.arguments()).await?;
            return Ok(Answer { output: None, rows: None });
        }
        let rows = self.client.query_raw(&statement, call.arguments()).await?;
        tokio::pin!(rows);
        let mut kept = Capture::new(output_limit);
        let mut count = 0;
        // All of them are read, or else the function would not run to its end.
        while let Some(row) = rows.try_next().await? {
            let value: Option<String> = row.try_get(0)?;
            if routine.returns_set {
                kept.push(if count == 0 { b"[" } else { b"," });
                kept.push(value.as_deref().unwrap_or("null").as_bytes());
            } else {
                kept.push(value.unwrap_or_default().as_bytes());
            }
            count += 1;
        }
        if routine.returns_set {
            kept.push(if count == 0 { b"[]" } else { b"]" });
        }
        Ok(Answer { output: kept.into_output(), rows: routine.returns_set.then_some(count) })
    }
}

/// An identifier, whatever it holds.
fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}
