//! One task, from its lease to its report.

use std::sync::Arc;
use std::time::Duration;

use horarium_domain::agent::protocol::{LeasedTask, Report, TaskOutcome};
use serde_json::Value;
use tokio::task::JoinError;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::operations::{Done, Order, Problem, Toolbox};

/// How long an operation that was told to stop may take to do so, before it is dropped. A program gets two seconds
/// between SIGTERM and SIGKILL, and half a second for its last words.
const STOPPING: Duration = Duration::from_secs(5);

/// Why a task was not left to finish.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// The server said so.
    Cancelled,
    /// The agent shuts down.
    Released,
    TimedOut,
}

/// Does the task; stops it when its time is up, when `cancelled` says so or when `released` does.
pub(crate) async fn carry_out(
    toolbox: Arc<Toolbox>,
    task: LeasedTask,
    cancelled: CancellationToken,
    released: CancellationToken,
) -> Report {
    let began = Instant::now();
    let stop = CancellationToken::new();
    let order = Order {
        operation: task.operation,
        data: task.data,
        execution_id: task.execution_id,
        attempt: task.attempt,
        stop: stop.clone(),
    };
    let limit = Duration::from_secs(u64::from(task.timeout_seconds.max(1)));
    // On a task of its own, so that a panic in it is a failure and not the end of the agent.
    let mut running = AbortOnDropHandle::new(tokio::spawn(async move { toolbox.carry_out(order).await }));
    let cut = tokio::select! {
        biased;
        ended = &mut running => return report(task.lease_token, began, of_ended(ended)),
        () = cancelled.cancelled() => Cut::Cancelled,
        () = released.cancelled() => Cut::Released,
        () = sleep(limit) => Cut::TimedOut,
    };
    stop.cancel();
    let ended = timeout(STOPPING, &mut running).await.ok().map(of_ended);
    let result = match (cut, ended) {
        // It was done before it could be stopped.
        (Cut::Released | Cut::TimedOut, Some(Ok(done))) => Ok(done),
        (Cut::Cancelled, ended) => Err(stopped(TaskOutcome::Cancelled, "cancelled".to_owned(), ended)),
        (Cut::Released, ended) => {
            Err(stopped(TaskOutcome::Released, "the agent shuts down before this was done".to_owned(), ended))
        }
        (Cut::TimedOut, ended) => {
            let told = format!("timeout: it was not done within {} s", limit.as_secs());
            Err(stopped(TaskOutcome::Failed, told, ended))
        }
    };
    report(task.lease_token, began, result)
}

fn of_ended(ended: Result<Result<Done, Problem>, JoinError>) -> Result<Done, Problem> {
    // The one that is aborted is the one that nobody waits for any more; so it panicked.
    ended.unwrap_or_else(|_| Err(Problem::permanent("the operation failed inside the agent; its log says how")))
}

/// What is reported of a task that was stopped: why, and what it had given until then.
fn stopped(outcome: TaskOutcome, error: String, ended: Option<Result<Done, Problem>>) -> Problem {
    let (data, changed) = match ended {
        Some(Ok(done)) => (done.data, Some(done.changed)),
        Some(Err(problem)) => (problem.data, problem.changed),
        None => (Value::Null, None),
    };
    Problem { outcome, error, data, changed, retryable: true }
}

fn report(lease_token: String, began: Instant, result: Result<Done, Problem>) -> Report {
    let duration_ms = Some(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
    match result {
        Ok(Done { data, changed }) => Report {
            lease_token,
            outcome: TaskOutcome::Completed,
            data,
            changed: Some(changed),
            error: None,
            retryable: true,
            duration_ms,
        },
        Err(Problem { outcome, error, data, changed, retryable }) => {
            Report { lease_token, outcome, data, changed, error: Some(error), retryable, duration_ms }
        }
    }
}
