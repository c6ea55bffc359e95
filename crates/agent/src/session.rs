//! The three things that an agent does at once: it takes work, shows that it is alive, and reports.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use horarium_domain::AgentId;
use horarium_domain::agent::protocol::{
    HeartbeatRequest, LeaseRequest, LeasedTask, MAX_LEASED_TASKS, MAX_REPORTS, MAX_RUNNING, RegisterResponse, Report,
    ReportResult, ReportStatus,
};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::agent::AgentError;
use crate::backoff::Backoff;
use crate::calls::CallError;
use crate::link::{Link, Registration};
use crate::operations::Toolbox;
use crate::outbox::Outbox;
use crate::settings::Settings;
use crate::task;
use crate::work::Work;

/// How many unreported results keep the agent from taking more work.
const FULL_OUTBOX: usize = 100;

/// The pause after an empty answer that came at once: from a server that lets this agent rest.
const REST: Duration = Duration::from_secs(1);

const TOO_LARGE: &str = "the result is larger than the server takes, and was left out";

pub(crate) struct Session {
    link: Link,
    known: Mutex<Known>,
    /// Held while registering again, so that the loops do it once and not each for itself.
    registering: tokio::sync::Mutex<()>,
    toolbox: Arc<Toolbox>,
    concurrency: usize,
    wait_seconds: u32,
    work: Arc<Work>,
    outbox: Arc<Outbox>,
    released: CancellationToken,
    /// Cancelled when the server knows that the agent leaves.
    has_left: CancellationToken,
}

impl Session {
    /// Registers, however long that takes.
    pub(crate) async fn begin(link: Link, settings: &Settings, toolbox: Arc<Toolbox>) -> Result<Self, AgentError> {
        let registration = link.register(Registration::First).await?;
        Ok(Self {
            link,
            known: Mutex::new(Known { registration, number: 1 }),
            registering: tokio::sync::Mutex::default(),
            toolbox,
            concurrency: settings.concurrency.max(1),
            wait_seconds: settings.wait_seconds,
            work: Arc::new(Work::new()),
            outbox: Arc::new(Outbox::new()),
            released: CancellationToken::new(),
            has_left: CancellationToken::new(),
        })
    }

    /// Takes work as long as there is room for it, until `shutdown`.
    pub(crate) async fn take_work(&self, shutdown: &CancellationToken) -> Result<(), AgentError> {
        let mut backoff = self.backoff();
        loop {
            let room = async {
                self.outbox.wait_until(|waiting| *waiting < FULL_OUTBOX).await;
                self.concurrency - self.work.wait_until(|running| *running < self.concurrency).await
            };
            let Some(room) = shutdown.run_until_cancelled(room).await else { return Ok(()) };
            let request = LeaseRequest {
                max: u32::try_from(room).unwrap_or(u32::MAX).min(MAX_LEASED_TASKS),
                wait_seconds: self.wait_seconds,
            };
            let asked = Instant::now();
            let known = self.known();
            // A lease whose answer is lost here runs out by itself.
            let call = shutdown.run_until_cancelled(self.link.calls.lease(known.id(), &request));
            let Some(answer) = call.await else { return Ok(()) };
            match answer {
                Ok(tasks) => {
                    self.link.answered(&mut backoff);
                    if tasks.is_empty() && asked.elapsed() < REST {
                        let _ = shutdown.run_until_cancelled(sleep(REST)).await;
                    }
                    for task in tasks {
                        self.start(task);
                    }
                }
                Err(error) => {
                    let recovery = shutdown.run_until_cancelled(self.recover(known.number, &error, &mut backoff));
                    let Some(recovered) = recovery.await else { return Ok(()) };
                    recovered?;
                }
            }
        }
    }

    /// Shows that the agent is alive and what it works on, and stops what the server wants stopped. At `shutdown` the
    /// server is told at once.
    pub(crate) async fn beat(&self, shutdown: &CancellationToken) -> Result<(), AgentError> {
        let mut backoff = self.backoff();
        let mut next = Instant::now();
        let mut leaving = false;
        loop {
            tokio::select! {
                () = sleep_until(next) => {}
                () = shutdown.cancelled(), if !leaving => leaving = true,
            }
            let mut running = self.work.tokens();
            // What waits to be reported is as good as running: its lease must not end before it is.
            running.extend(self.outbox.tokens());
            running.truncate(MAX_RUNNING);
            let known = self.known();
            match self.link.calls.heartbeat(known.id(), &HeartbeatRequest { running, leaving }).await {
                Ok(answer) => {
                    self.link.answered(&mut backoff);
                    if leaving {
                        self.has_left.cancel();
                    }
                    answer.stop.iter().for_each(|token| self.work.stop(token));
                    next = Instant::now() + known.heartbeat();
                }
                Err(error) => {
                    self.recover(known.number, &error, &mut backoff).await?;
                    next = Instant::now();
                }
            }
        }
    }

    /// Sends results as they come, gathering those that come while others are under way.
    pub(crate) async fn report(&self) -> Result<(), AgentError> {
        let mut backoff = self.backoff();
        let mut most = MAX_REPORTS;
        loop {
            self.outbox.wait_until(|waiting| *waiting > 0).await;
            let batch = self.outbox.batch(most);
            let known = self.known();
            match self.link.calls.report(known.id(), &batch).await {
                Ok(results) => {
                    most = MAX_REPORTS;
                    if self.settle(&results) {
                        self.link.answered(&mut backoff);
                    } else {
                        let problem = "its answer names none of the reports".to_owned();
                        self.link.wait_after(&CallError::Away { problem, after: None }, &mut backoff).await?;
                    }
                }
                // One of them may be what the server does not take: halved, until it is alone.
                Err(CallError::TooLarge | CallError::Refused(_)) if batch.len() > 1 => most = batch.len() / 2,
                Err(CallError::TooLarge) => self.give_up_on(&batch, TOO_LARGE),
                Err(CallError::Refused(refusal)) => {
                    self.give_up_on(&batch, &format!("the server does not take the result: {refusal}"));
                }
                Err(error) => self.recover(known.number, &error, &mut backoff).await?,
            }
        }
    }

    /// Waits until nothing runs.
    pub(crate) async fn idle(&self) {
        self.work.wait_until(|running| *running == 0).await;
    }

    /// Waits until every result is acknowledged.
    pub(crate) async fn reported(&self) {
        self.outbox.wait_until(|waiting| *waiting == 0).await;
    }

    /// Waits until the server knows that the agent leaves.
    pub(crate) async fn left(&self) {
        self.has_left.cancelled().await;
    }

    /// Stops what still runs, to hand it back.
    pub(crate) fn release(&self) {
        self.released.cancel();
    }

    fn start(&self, task: LeasedTask) {
        let Some(cancelled) = self.work.begin(&task.lease_token) else { return };
        debug!(execution_id = %task.execution_id, operation = task.operation, attempt = task.attempt, "started");
        let (toolbox, released) = (Arc::clone(&self.toolbox), self.released.clone());
        let (work, outbox) = (Arc::clone(&self.work), Arc::clone(&self.outbox));
        tokio::spawn(async move {
            let token = task.lease_token.clone();
            let report = task::carry_out(toolbox, task, cancelled, released).await;
            debug!(outcome = ?report.outcome, error = report.error, "ended");
            // In this order, so that every heartbeat finds it in one of the two.
            outbox.push(report);
            work.end(&token);
        });
    }

    /// Forgets the results that the server has told the fate of. Returns whether there were any.
    fn settle(&self, results: &[ReportResult]) -> bool {
        let before = self.outbox.len();
        for result in results {
            match result.status {
                ReportStatus::Accepted => {}
                // Also after an answer that was lost on its way: the result was recorded the first time.
                ReportStatus::Stale => info!(lease_token = result.lease_token, "a result came too late"),
                ReportStatus::Invalid => {
                    error!(lease_token = result.lease_token, error = result.error, "the server cannot read a result");
                }
            }
        }
        self.outbox.remove(&results.iter().map(|result| result.lease_token.as_str()).collect());
        self.outbox.len() < before
    }

    /// A result that the server does not take is reported without its data, or, if that was the case already, not at
    /// all.
    fn give_up_on(&self, batch: &[Report], problem: &str) {
        for report in batch {
            warn!(lease_token = report.lease_token, problem, "a result cannot be reported as it is");
            if !self.outbox.strip(&report.lease_token, problem) {
                self.outbox.remove(&HashSet::from([report.lease_token.as_str()]));
            }
        }
    }

    /// After a call that gave nothing, made under the registration of this number: registers again if that is what it
    /// takes, or waits.
    async fn recover(&self, number: u64, error: &CallError, backoff: &mut Backoff) -> Result<(), AgentError> {
        match error {
            CallError::Unknown => {
                if backoff.is_failing() {
                    // Registered a moment ago, and forgotten again: two servers that do not know of each other?
                    sleep(backoff.next()).await;
                } else {
                    backoff.next();
                }
                self.register_again(number).await
            }
            error => self.link.wait_after(error, backoff).await,
        }
    }

    /// Registers, unless another loop has done so since the registration of this number.
    async fn register_again(&self, number: u64) -> Result<(), AgentError> {
        let _turn = self.registering.lock().await;
        if self.known().number == number {
            info!("the server does not know this agent any more; registering again");
            let registration = self.link.register(Registration::Again).await?;
            *self.lock() = Known { registration, number: number + 1 };
        }
        Ok(())
    }

    /// Waits while the server is away: it expects to hear of its agents soon after it is back.
    fn backoff(&self) -> Backoff {
        self.link.backoff().up_to(self.known().heartbeat())
    }

    fn known(&self) -> Known {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Who the agent is at present.
#[derive(Debug, Clone)]
struct Known {
    registration: RegisterResponse,
    /// Which registration of this process it is.
    number: u64,
}

impl Known {
    fn id(&self) -> AgentId {
        self.registration.agent_id
    }

    fn heartbeat(&self) -> Duration {
        Duration::from_secs(u64::from(self.registration.heartbeat_seconds.max(1)))
    }
}
