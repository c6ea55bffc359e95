//! What a handler is, what it is given and what it gives back.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use horarium_domain::execution::{Failure, output_of};
use horarium_scheduler_engine::{Outcome, Run};
use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Work that jobs can name. Every async closure of the right shape is one.
///
/// An attempt may run more than once (a worker can be lost after the work and before the report), so a handler should
/// pass `context.run.execution_id` on as an idempotency key where it can. It should stop when
/// `context.run.cancellation` is cancelled; one that does not is dropped a little later, at its next `await`. A panic
/// fails the attempt, not the process.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Does the work of one attempt.
    ///
    /// # Errors
    /// [`Failure::retryable`] leaves it to the job's retry policy whether another attempt follows;
    /// [`Failure::permanent`] rules it out.
    async fn handle(&self, context: HandlerContext) -> Result<HandlerOutput, Failure>;
}

#[async_trait]
impl<F, Fut> Handler for F
where
    F: Fn(HandlerContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<HandlerOutput, Failure>> + Send,
{
    async fn handle(&self, context: HandlerContext) -> Result<HandlerOutput, Failure> {
        self(context).await
    }
}

/// One attempt, as a handler sees it. Its `Debug` form does not tell what it is given, since secrets are open in there.
#[derive(Clone)]
pub struct HandlerContext {
    /// The attempt: its job, payload, cancellation and progress.
    pub run: Run,
    /// The job's `parameters`, with their templates filled.
    pub parameters: Map<String, Value>,
    /// The job's `methodName`.
    pub method_name: Option<String>,
}

impl fmt::Debug for HandlerContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, parameters: _, method_name } = self;
        f.debug_struct("HandlerContext")
            .field("execution_id", &run.execution_id)
            .field("method_name", method_name)
            .finish_non_exhaustive()
    }
}

impl HandlerContext {
    /// A parameter that the handler cannot do without.
    ///
    /// # Errors
    /// A permanent [`Failure`] when it is missing or of another type.
    pub fn parameter<T: DeserializeOwned>(&self, name: &str) -> Result<T, Failure> {
        self.optional_parameter(name)?
            .ok_or_else(|| Failure::permanent(format!("jobConfiguration.parameters.{name}: is missing")))
    }

    /// A parameter that may be missing or null.
    ///
    /// # Errors
    /// A permanent [`Failure`] when it is of another type.
    pub fn optional_parameter<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Failure> {
        let value = self.parameters.get(name).unwrap_or(&Value::Null);
        Option::<T>::deserialize(value)
            .map_err(|error| Failure::permanent(format!("jobConfiguration.parameters.{name}: {error}")))
    }

    /// The execution's payload.
    ///
    /// # Errors
    /// A permanent [`Failure`] when there is none or it is of another type.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let payload = self.run.payload.as_ref();
        let payload = payload.ok_or_else(|| Failure::permanent("the execution has no payload"))?;
        T::deserialize(payload).map_err(|error| Failure::permanent(format!("payload: {error}")))
    }
}

/// How a handler that did not fail ended.
#[derive(Debug, Clone, PartialEq)]
pub struct HandlerOutput(Ending);

#[derive(Debug, Clone, PartialEq)]
enum Ending {
    Done { text: Option<String>, items_processed: Option<i64> },
    Snoozed(Duration),
}

impl HandlerOutput {
    /// Done, with nothing to show.
    pub const fn none() -> Self {
        Self(Ending::Done { text: None, items_processed: None })
    }

    /// Done, with a text as the output.
    pub fn text(text: impl Into<String>) -> Self {
        Self(Ending::Done { text: Some(text.into()), items_processed: None })
    }

    /// Done, with a JSON document as the output.
    pub fn json(document: &Value) -> Self {
        Self::text(document.to_string())
    }

    /// Not done: run it again after `delay`, without counting this attempt.
    pub const fn snooze(delay: Duration) -> Self {
        Self(Ending::Snoozed(delay))
    }

    /// The same, having processed `count` items. A snoozed attempt counts none.
    #[must_use]
    pub fn with_items_processed(self, count: impl TryInto<i64>) -> Self {
        match self.0 {
            Ending::Done { text, .. } => {
                let items_processed = Some(count.try_into().unwrap_or(i64::MAX));
                Self(Ending::Done { text, items_processed })
            }
            snoozed @ Ending::Snoozed(_) => Self(snoozed),
        }
    }

    pub(super) fn into_outcome(self, output_limit: usize) -> Outcome {
        match self.0 {
            Ending::Done { text, items_processed } => {
                let output = text.and_then(|text| output_of(&text, output_limit));
                Outcome::Succeeded { output, items_processed }
            }
            Ending::Snoozed(delay) => Outcome::Snoozed { delay },
        }
    }
}
