//! Records how attempts ended, in batches: what is reported while one batch is being written makes up the next.
//!
//! A node has a few completers, so that the database works on one batch while it waits for the disk with another.

use std::sync::Arc;
use std::time::Duration;

use horarium_domain::Timestamp;
use horarium_domain::execution::{Command, Effect, Event, EventKind, ExecutionState, Output, decide};
use horarium_domain::job::Job;
use horarium_domain::retry::RetryPolicy;
use horarium_domain::store::{Claimed, Decision, Settled, Settlement, StoreError};
use metrics::{counter, histogram};
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::{LoopHealth, LoopName, RETRY_PAUSE};
use crate::bus::LiveEventKind;
use crate::core::Core;

/// The largest batch that is written at once.
const MAX_BATCH: usize = 1000;

/// How an attempt ended, for the state machine, and what it left.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// What is asked of the execution.
    pub command: Command,
    /// What the attempt gave back.
    pub output: Option<Output>,
    /// How many items it processed.
    pub items_processed: Option<i64>,
}

impl Ending {
    /// An end that left nothing.
    pub const fn of(command: Command) -> Self {
        Self { command, output: None, items_processed: None }
    }
}

/// Takes reports of ended attempts.
#[derive(Debug, Clone)]
pub struct Reporter {
    core: Arc<Core>,
    settlements: mpsc::Sender<Settlement>,
}

impl Reporter {
    /// Reports the end of an attempt. Waits when reports come faster than the store takes them.
    pub async fn report(
        &self,
        claim: &Claimed,
        job: Option<&Job>,
        worker: &str,
        started_at: Timestamp,
        ending: Ending,
    ) {
        let ended_at = self.core.now().max(started_at);
        let mut policy = job.map(|job| job.spec.retry_policy.clone()).unwrap_or_default();
        policy.max_attempts = claim.max_attempts.unwrap_or(policy.max_attempts);
        let timeout_seconds = job.map_or(0, |job| job.spec.timeout_seconds);
        match settlement(
            claim,
            &policy,
            timeout_seconds,
            worker,
            (started_at, ended_at),
            ending,
            self.core.entropy.unit(),
        ) {
            Ok(settlement) => {
                if self.settlements.send(settlement).await.is_err() {
                    warn!(execution = %claim.lease.execution_id, "an end was reported after the engine stopped");
                    self.core.release(claim.lease);
                }
            }
            Err(rejection) => {
                // A claim is always Running, and every command that ends an attempt is legal there.
                error!(execution = %claim.lease.execution_id, %rejection, "an end was refused");
                self.core.release(claim.lease);
            }
        }
    }

    /// Gives back a claim whose attempt never started.
    pub async fn hand_back(&self, claim: &Claimed, worker: &str, now: Timestamp) {
        self.report(claim, None, worker, now, Ending::of(Command::Snooze { until: now })).await;
    }
}

/// What the state machine makes of an ended attempt, ready to be written.
fn settlement(
    claim: &Claimed,
    policy: &RetryPolicy,
    timeout_seconds: u32,
    worker: &str,
    (started_at, ended_at): (Timestamp, Timestamp),
    ending: Ending,
    unit: f64,
) -> Result<Settlement, horarium_domain::execution::Rejection> {
    let transition = decide(claim.lifecycle, &ending.command, ended_at, policy, unit)?;
    let error = match &ending.command {
        Command::Fail(failure) => Some(failure.error.clone()),
        Command::TimeOut => Some(format!("timed out after {timeout_seconds} s")),
        _ => None,
    };
    let decision = match transition.effect {
        Effect::Requeue { run_at } => Decision::Requeue { run_at },
        _ => Decision::Finish {
            state: transition.next.state,
            output: ending.output,
            error: error.clone(),
            items_processed: ending.items_processed,
            partial: matches!(&ending.command, Command::Fail(failure) if failure.partial),
        },
    };
    let event = transition.event.map(|kind| Event {
        execution_id: claim.lease.execution_id,
        at: ended_at,
        kind,
        attempt: claim.lifecycle.attempt,
        attempt_started_at: Some(started_at),
        source: worker.to_owned(),
        message: message(kind, claim.lifecycle.attempt, transition.effect),
        error,
    });
    Ok(Settlement {
        lease: claim.lease,
        tenant_id: claim.tenant_id,
        job_id: claim.job_id,
        next: transition.next,
        worker: worker.to_owned(),
        started_at,
        ended_at,
        decision,
        event,
        only_if_expired_at: None,
    })
}

/// What an event says to people.
pub(super) fn message(kind: EventKind, attempt: u16, effect: Effect) -> String {
    let what = match kind {
        EventKind::AttemptFailed => format!("attempt {attempt} failed"),
        EventKind::AttemptTimedOut => format!("attempt {attempt} timed out"),
        EventKind::AttemptLost => format!("attempt {attempt} lost its worker"),
        EventKind::Snoozed => format!("attempt {attempt} was taken back"),
        EventKind::HandedOn => "handed on to another agent".to_owned(),
        EventKind::Cancelled => "cancelled".to_owned(),
        EventKind::Retried => "retried".to_owned(),
        EventKind::CallbackDelivered => "its end was told".to_owned(),
        EventKind::CallbackFailed => "its end could not be told".to_owned(),
    };
    match effect {
        Effect::Requeue { run_at } => format!("{what}; next attempt at {run_at}"),
        _ => what,
    }
}

/// Writes reported ends to the store. Clones take turns at what is reported.
#[derive(Debug, Clone)]
pub struct Completer {
    core: Arc<Core>,
    reporter: Reporter,
    settlements: Arc<Mutex<mpsc::Receiver<Settlement>>>,
}

impl Completer {
    /// The first completer of a node.
    pub fn new(core: Arc<Core>) -> Self {
        let (sender, settlements) = mpsc::channel(4 * MAX_BATCH);
        let reporter = Reporter { core: Arc::clone(&core), settlements: sender };
        Self { core, reporter, settlements: Arc::new(Mutex::new(settlements)) }
    }

    /// Where ends are reported.
    pub fn reporter(&self) -> Reporter {
        self.reporter.clone()
    }

    /// Writes what has been reported, waiting for a first report if there is none; answers how many.
    /// Tries again until the store takes it, or until `stop`. Not to be dropped half way: what it took is written.
    pub async fn tick(&self, stop: &CancellationToken) -> usize {
        let batch = self.gathered().await;
        self.write_gathered(batch, stop).await
    }

    /// What has been reported, once something has.
    async fn gathered(&self) -> Vec<Settlement> {
        let mut batch = Vec::new();
        self.settlements.lock().await.recv_many(&mut batch, MAX_BATCH).await;
        batch
    }

    pub(crate) async fn run(self, health: Arc<LoopHealth>, stop: CancellationToken) {
        let mut beat = tokio::time::interval(Duration::from_secs(1));
        loop {
            // Only the wait may be broken off: a batch that was taken is written, whatever happens meanwhile.
            tokio::select! {
                biased;
                batch = self.gathered() => {
                    self.write_gathered(batch, &stop).await;
                }
                _ = beat.tick() => {}
                () = stop.cancelled() => return,
            }
            health.round(LoopName::Completer);
        }
    }

    async fn write_gathered(&self, batch: Vec<Settlement>, stop: &CancellationToken) -> usize {
        let count = batch.len();
        if count > 0 {
            histogram!("horarium_complete_batch_size").record(count as f64);
            let started = Instant::now();
            self.write(batch, stop).await;
            histogram!("horarium_complete_seconds").record(started.elapsed().as_secs_f64());
        }
        count
    }

    async fn write(&self, batch: Vec<Settlement>, stop: &CancellationToken) {
        loop {
            match self.core.store.settle(batch.clone()).await {
                Ok(results) => {
                    for (settlement, result) in batch.iter().zip(results) {
                        self.settled(settlement, result);
                    }
                    return;
                }
                Err(StoreError::Unavailable(problem)) => {
                    counter!("horarium_loop_errors_total", "loop" => "completer").increment(1);
                    error!(%problem, ends = batch.len(), "cannot record ends; trying again");
                    tokio::select! {
                        () = tokio::time::sleep(RETRY_PAUSE) => {}
                        () = stop.cancelled() => return,
                    }
                }
                Err(problem) if batch.len() > 1 => {
                    // One end that the store refuses must not hold up the others.
                    error!(%problem, ends = batch.len(), "the store refused a batch of ends; writing them singly");
                    for settlement in batch {
                        Box::pin(self.write(vec![settlement], stop)).await;
                    }
                    return;
                }
                Err(problem) => {
                    for settlement in &batch {
                        error!(execution = %settlement.lease.execution_id, %problem, "the store refused an end");
                        self.write_refusal(settlement, &problem).await;
                    }
                    return;
                }
            }
        }
    }

    /// Records, in place of an end that the store refused, that it did. If that fails too, the lease runs out and the
    /// execution is taken over.
    async fn write_refusal(&self, settlement: &Settlement, problem: &StoreError) {
        let refusal = Settlement {
            next: horarium_domain::execution::Lifecycle { state: ExecutionState::Failed, ..settlement.next },
            decision: Decision::Finish {
                state: ExecutionState::Failed,
                output: None,
                error: Some(format!("the attempt ended, but its result could not be stored: {problem}")),
                items_processed: None,
                partial: false,
            },
            event: None,
            ..settlement.clone()
        };
        match self.core.store.settle(vec![refusal.clone()]).await {
            Ok(results) => results.into_iter().for_each(|result| self.settled(&refusal, result)),
            Err(_) => self.core.release(settlement.lease),
        }
    }

    fn settled(&self, settlement: &Settlement, result: Settled) {
        self.core.release(settlement.lease);
        if result == Settled::Stale {
            counter!("horarium_stale_results_total").increment(1);
            warn!(execution = %settlement.lease.execution_id, "refused the late result of an attempt that lost its lease");
            return;
        }
        let state = settlement.next.state;
        let kind = match &settlement.decision {
            Decision::Finish { .. } => {
                counter!("horarium_executions_ended_total", "state" => state.as_str()).increment(1);
                LiveEventKind::ExecutionCompleted
            }
            Decision::Requeue { run_at } => {
                if *run_at <= settlement.ended_at {
                    self.core.wakes.work.notify_one();
                    self.core.wakes.publish_work.notify_one();
                } else {
                    self.core.wakes.waiting.notify_one();
                }
                LiveEventKind::ExecutionRequeued
            }
        };
        let id = Some(settlement.lease.execution_id);
        self.core.tell(settlement.tenant_id, kind, settlement.job_id, id, Some(state));
    }
}
