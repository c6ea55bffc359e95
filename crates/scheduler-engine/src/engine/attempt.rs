//! One attempt, from its start to the report of its end.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use horarium_domain::Timestamp;
use horarium_domain::execution::{Command, ExecutionState, Failure, Output};
use horarium_domain::job::Job;
use horarium_domain::secret::SecretError;
use horarium_domain::store::Claimed;
use metrics::{counter, histogram};
use tokio::time::Instant;
use tracing::{debug, error, warn};

use super::completer::{Ending, Reporter};
use crate::bus::LiveEventKind;
use crate::core::Core;
use crate::executor::{Executor, Outcome, Run};
use crate::running::{Held, StopReason};
use crate::secrets::{self, Unopened};

/// A claimed execution with everything that running it takes.
pub(super) struct Attempt {
    pub(super) core: Arc<Core>,
    pub(super) executor: Option<Arc<dyn Executor>>,
    pub(super) reporter: Reporter,
    pub(super) worker: String,
    pub(super) stop_grace: Duration,
    /// That of the claim, unless it had to wait for a slot.
    pub(super) started_at: Timestamp,
    pub(super) claim: Claimed,
    pub(super) job: Option<Arc<Job>>,
    pub(super) held: Held,
}

/// Runs the attempt and reports how it ended, unless the execution stopped being this node's meanwhile.
pub(super) async fn run(attempt: Attempt) {
    let started_at = attempt.started_at;
    let (Some(job), Some(executor)) = (attempt.job.clone(), attempt.executor.clone()) else {
        let problem = match &attempt.job {
            None => "the job was removed before this execution started".to_owned(),
            Some(job) => format!(
                "no executor for {} jobs is enabled on this server; see the configuration guide",
                job.spec.configuration.job_type()
            ),
        };
        let ending = Ending::of(Command::Fail(Failure::permanent(problem)));
        attempt.reporter.report(&attempt.claim, attempt.job.as_deref(), &attempt.worker, started_at, ending).await;
        return;
    };
    let claim = &attempt.claim;
    let running = Some(ExecutionState::Running);
    let id = claim.lease.execution_id;
    attempt.core.tell(claim.tenant_id, LiveEventKind::ExecutionStarted, claim.job_id, Some(id), running);

    let clock = Instant::now();
    let ending = conduct(&attempt, &job, executor).await;
    let job_type = job.spec.configuration.job_type().as_str();
    histogram!("horarium_attempt_seconds", "job_type" => job_type).record(clock.elapsed().as_secs_f64());
    if let Some(ending) = ending {
        attempt.reporter.report(claim, Some(&job), &attempt.worker, started_at, ending).await;
    } else {
        debug!(execution = %id, "stopped an attempt that is no longer this node's");
        counter!("horarium_attempts_revoked_total").increment(1);
        attempt.core.release(claim.lease);
    }
}

/// Runs the executor under the job's timeout; `None` when there is nothing to report.
async fn conduct(attempt: &Attempt, job: &Arc<Job>, executor: Arc<dyn Executor>) -> Option<Ending> {
    let claim = &attempt.claim;
    // From here on, and no longer than the attempt lasts, the secrets are in the open.
    let (job, payload) = match secrets::opened(&*attempt.core.secrets, job, claim.payload.as_ref()) {
        Ok(opened) => opened,
        Err(unopened) => {
            error!(job = %job.id, execution = %claim.lease.execution_id, "cannot run: {unopened}");
            return Some(Ending::of(Command::Fail(unusable(&unopened))));
        }
    };
    let cancellation = attempt.held.stop.child_token();
    let run = Run {
        execution_id: claim.lease.execution_id,
        job: Arc::clone(&job),
        attempt: claim.lifecycle.attempt,
        lost: claim.lifecycle.lost,
        trigger: claim.trigger,
        scheduled_for: claim.scheduled_for,
        started_at: attempt.started_at,
        payload,
        cancellation: cancellation.clone(),
        progress: attempt.held.progress.clone(),
    };
    let timeout = Duration::from_secs(u64::from(job.spec.timeout_seconds)) + executor.overtime();
    let work = AssertUnwindSafe(async move { executor.execute(run).await }).catch_unwind();
    tokio::pin!(work);
    let result = tokio::select! {
        result = &mut work => Some(result),
        // The executor may use the grace time to stop in good order.
        () = attempt.held.stop.cancelled() => tokio::time::timeout(attempt.stop_grace, &mut work).await.ok(),
        () = tokio::time::sleep(timeout) => {
            cancellation.cancel();
            if tokio::time::timeout(attempt.stop_grace, &mut work).await.is_err() {
                warn!(execution = %claim.lease.execution_id, "dropped an attempt that did not stop after its timeout");
            }
            return Some(Ending::of(Command::TimeOut));
        }
    };
    // An executor that is told to stop may answer with a failure, and its answer may come before our turn. So once a
    // stop was asked for, a failure says nothing about the work: only success counts.
    let now = attempt.core.now();
    let asked = attempt.held.stop.is_cancelled();
    match (asked.then(|| attempt.core.running.stop_reason(claim.lease)).flatten(), result) {
        (Some(StopReason::Revoked), _) => None,
        (None, Some(result)) | (Some(StopReason::Shutdown), Some(result @ Ok(Outcome::Succeeded { .. }))) => {
            Some(ending_of(result, now))
        }
        (Some(StopReason::Shutdown) | None, _) => Some(Ending::of(Command::Snooze { until: now })),
    }
}

/// Another node may have the key that this one lacks; a secret that was altered opens nowhere.
fn unusable(unopened: &Unopened) -> Failure {
    let said = unopened.to_string();
    match unopened.error {
        SecretError::UnknownKey { .. } => Failure::retryable(said),
        SecretError::Refused | SecretError::Failed => Failure::permanent(said),
    }
}

fn ending_of(result: Result<Outcome, Box<dyn Any + Send>>, now: Timestamp) -> Ending {
    match result {
        Ok(Outcome::Succeeded { output, items_processed }) => {
            Ending { command: Command::Succeed, output: output.map(storable), items_processed }
        }
        Ok(Outcome::Failed { mut failure, output }) => {
            failure.error = without_nul(failure.error);
            Ending { command: Command::Fail(failure), output: output.map(storable), items_processed: None }
        }
        Ok(Outcome::Snoozed { delay }) => Ending::of(Command::Snooze { until: now + delay }),
        Err(panic) => {
            let said = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            Ending::of(Command::Fail(Failure::retryable(without_nul(format!("the handler panicked: {said}")))))
        }
    }
}

fn storable(output: Output) -> Output {
    Output { text: without_nul(output.text), truncated: output.truncated }
}

/// PostgreSQL's text cannot hold the NUL character; it becomes U+FFFD.
fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text }
}
