//! What runs attempts: the [`Executor`] trait and the registry that finds one by job type.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use horarium_domain::execution::{Failure, Output, Trigger};
use horarium_domain::job::{Job, JobType};
use horarium_domain::{ExecutionId, Timestamp};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// One attempt, handed to an executor.
#[derive(Debug, Clone)]
pub struct Run {
    /// The execution that this is an attempt of.
    pub execution_id: ExecutionId,
    /// The job, as it was defined when the attempt was claimed.
    pub job: Arc<Job>,
    /// The attempt's number, from 1.
    pub attempt: u16,
    /// How many earlier attempts ended because their worker was lost; they do not count against the retry policy.
    pub lost: u16,
    /// Why the execution came into being.
    pub trigger: Trigger,
    /// When it was due.
    pub scheduled_for: Timestamp,
    /// When this attempt started.
    pub started_at: Timestamp,
    /// What it is to work on, beside the job's configuration.
    pub payload: Option<Value>,
    /// Cancelled when the attempt is to stop: somebody cancelled the execution, its time is up, its lease is lost, or
    /// the node shuts down. An executor that does not stop by itself is dropped a little later.
    pub cancellation: CancellationToken,
    /// Where to tell how far it is.
    pub progress: Progress,
}

/// How far an attempt is. Cheap to set as often as one likes: the engine reads it when it renews leases.
#[derive(Debug, Clone)]
pub struct Progress(Arc<AtomicU8>);

impl Progress {
    const UNTOLD: u8 = u8::MAX;

    /// Nothing told yet.
    pub fn new() -> Self {
        Self(Arc::new(AtomicU8::new(Self::UNTOLD)))
    }

    /// Tells it, in percent; more than 100 counts as 100.
    pub fn set(&self, percent: u8) {
        self.0.store(percent.min(100), Ordering::Relaxed);
    }

    /// What was told last.
    pub fn get(&self) -> Option<u8> {
        Some(self.0.load(Ordering::Relaxed)).filter(|percent| *percent != Self::UNTOLD)
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Well.
    Succeeded {
        /// What it gave back.
        output: Option<Output>,
        /// How many items it processed, if it counts any.
        items_processed: Option<i64>,
    },
    /// Not well; the retry policy decides what follows.
    Failed {
        /// What happened.
        failure: Failure,
        /// What it gave back all the same, such as the body of an error response.
        output: Option<Output>,
    },
    /// It wants to be run later; the attempt does not count.
    Snoozed {
        /// How much later.
        delay: Duration,
    },
}

impl Outcome {
    /// Success without output.
    pub const fn succeeded() -> Self {
        Self::Succeeded { output: None, items_processed: None }
    }

    /// Failure without output.
    pub const fn failed(failure: Failure) -> Self {
        Self::Failed { failure, output: None }
    }
}

/// Runs the attempts of one job type.
///
/// An attempt may be run more than once (a worker can be lost after the work and before the report), so an executor
/// hands the execution's id on as an idempotency key wherever it can. A panic fails the attempt, not the process.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Runs one attempt to its end, or until `run.cancellation` is cancelled.
    async fn execute(&self, run: Run) -> Outcome;

    /// How much longer than the job's timeout an attempt may last, because whoever does the work keeps that timeout and
    /// has still to tell of it.
    fn overtime(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether its attempts do next to nothing but wait. They then take no slot from those that work; see
    /// [`EngineConfig::light_concurrency`](crate::EngineConfig::light_concurrency).
    fn is_light(&self) -> bool {
        false
    }
}

/// The executors of a node, by job type.
#[derive(Clone, Default)]
pub struct Registry {
    executors: HashMap<JobType, Arc<dyn Executor>>,
}

impl Registry {
    /// No executors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the executor of a job type, in place of any earlier one.
    #[must_use]
    pub fn with(mut self, job_type: JobType, executor: impl Executor) -> Self {
        self.executors.insert(job_type, Arc::new(executor));
        self
    }

    /// The executor of a job type.
    pub fn get(&self, job_type: JobType) -> Option<Arc<dyn Executor>> {
        self.executors.get(&job_type).cloned()
    }

    /// The job types that can run here.
    pub fn job_types(&self) -> impl Iterator<Item = JobType> + '_ {
        JobType::ALL.into_iter().filter(|job_type| self.executors.contains_key(job_type))
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.job_types()).finish()
    }
}
