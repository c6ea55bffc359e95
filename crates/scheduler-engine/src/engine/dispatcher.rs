//! Claims due executions and starts their attempts.
//!
//! Claims are made in batches, ahead of need: while the attempts of one batch run, the next is fetched, so that a free
//! slot finds its work in memory. What is claimed and not yet started is leased and renewed like what runs, and goes
//! back to the queue at shutdown.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use horarium_domain::job::Job;
use horarium_domain::store::{ClaimRequest, Claimed, StoreError};
use horarium_domain::{JobId, Timestamp};
use metrics::{counter, gauge, histogram};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::attempt::{self, Attempt};
use super::completer::Reporter;
use super::definitions::Definitions;
use super::{EngineConfig, LoopHealth, LoopName, RETRY_PAUSE};
use crate::core::Core;
use crate::executor::{Executor, Registry};
use crate::running::Held;

/// How long freed slots are gathered before the next claim while there is a backlog: a claim costs the database about
/// the same for one execution as for many.
const GATHER: Duration = Duration::from_millis(5);

struct Waiting {
    claim: Claimed,
    job: Option<Arc<Job>>,
    executor: Option<Arc<dyn Executor>>,
    held: Held,
}

impl Waiting {
    fn is_light(&self) -> bool {
        self.executor.as_ref().is_some_and(|executor| executor.is_light())
    }
}

/// What attempts run on, shared by the dispatchers of a node.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    /// For those that work.
    full: Arc<Semaphore>,
    /// For those that only wait.
    light: Arc<Semaphore>,
}

impl Slots {
    pub(super) fn new(config: &EngineConfig) -> Self {
        let of = |count| Arc::new(Semaphore::new(count));
        Self { full: of(config.concurrency), light: of(config.light_concurrency) }
    }

    /// A slot of its own kind, if one is free. When those for waiting are used up, it takes one for work.
    fn take(&self, is_light: bool) -> Option<OwnedSemaphorePermit> {
        let light = || Arc::clone(&self.light).try_acquire_owned().ok();
        let full = || Arc::clone(&self.full).try_acquire_owned().ok();
        if is_light { light().or_else(full) } else { full() }
    }
}

/// Turns claims into attempts. A node has a few, which share its slots.
pub(super) struct Dispatcher {
    core: Arc<Core>,
    registry: Arc<Registry>,
    reporter: Reporter,
    config: EngineConfig,
    definitions: Arc<Definitions>,
    slots: Slots,
    waiting: VecDeque<Waiting>,
    /// Those that will only wait; they find a slot at once unless there are very many.
    light: VecDeque<Waiting>,
}

impl Dispatcher {
    /// A dispatcher that reports ends through `reporter` and runs attempts on `slots`.
    pub(super) fn new(
        core: Arc<Core>,
        registry: Arc<Registry>,
        reporter: Reporter,
        config: EngineConfig,
        slots: Slots,
        definitions: Arc<Definitions>,
    ) -> Self {
        Self { core, registry, reporter, config, definitions, slots, waiting: VecDeque::new(), light: VecDeque::new() }
    }

    /// Claims once, as much as there is room for, and starts what slots are free for. Answers whether the claim came
    /// back full, that is whether there is probably more.
    async fn tick(&mut self) -> Result<bool, StoreError> {
        self.start_waiting();
        let room = self.room();
        if room == 0 {
            return Ok(true);
        }
        let limit = room.min(self.config.claim_batch);
        let now = self.core.now();
        let lease_until = now + self.config.lease;
        let request =
            ClaimRequest { node: self.config.node, worker: self.config.worker.clone(), limit, now, lease_until };
        let started = Instant::now();
        let claimed = self.core.store.claim(&request).await?;
        histogram!("horarium_claim_seconds").record(started.elapsed().as_secs_f64());
        if claimed.is_empty() {
            return Ok(false);
        }
        histogram!("horarium_claim_batch_size").record(claimed.len() as f64);
        let full = claimed.len() == limit;
        // From here on the leases are this node's: whatever happens, they are held, so they are renewed or given back.
        let held: Vec<_> = claimed.iter().map(|claim| self.core.running.hold(claim.lease, lease_until)).collect();
        let definitions = match self.definitions_of(&claimed).await {
            Ok(definitions) => definitions,
            Err(problem) => {
                // Neither started nor given back: the leases run out, and the executions are taken over.
                for claim in &claimed {
                    self.core.running.release(claim.lease);
                }
                return Err(problem);
            }
        };
        self.start_waiting();
        for (claim, held) in claimed.into_iter().zip(held) {
            let job = definitions.get(&claim.job_id).cloned();
            let executor = job.as_ref().and_then(|job| self.registry.get(job.spec.configuration.job_type()));
            let waiting = Waiting { claim, job, executor, held };
            // What only waits does not queue up behind what works.
            let line = if waiting.is_light() { &mut self.light } else { &mut self.waiting };
            let slot = if line.is_empty() { self.slots.take(waiting.is_light()) } else { None };
            match slot {
                // Its start is the claim, which is what the store has shown of it since.
                Some(slot) => self.start(waiting, slot, now),
                None => line.push_back(waiting),
            }
        }
        Ok(full)
    }

    /// Runs until told to stop, then hands back what it had not started.
    pub(super) async fn run(mut self, health: Arc<LoopHealth>, stop: CancellationToken) {
        let mut more = true;
        while !stop.is_cancelled() {
            if !more {
                tokio::select! {
                    () = self.core.wakes.work.notified() => {}
                    () = tokio::time::sleep(self.config.poll_interval) => {}
                    () = stop.cancelled() => break,
                }
            }
            if more {
                let target = self.config.claim_batch.min(self.config.concurrency);
                tokio::select! {
                    () = self.freed(target) => {}
                    () = stop.cancelled() => break,
                }
            }
            match self.tick().await {
                Ok(full) => {
                    more = full;
                    health.round(LoopName::Dispatcher);
                }
                Err(problem) => {
                    counter!("horarium_loop_errors_total", "loop" => "dispatcher").increment(1);
                    error!(error = %problem, "cannot claim; trying again");
                    more = false;
                    tokio::select! {
                        () = tokio::time::sleep(RETRY_PAUSE) => {}
                        () = stop.cancelled() => break,
                    }
                }
            }
            gauge!("horarium_running").set((self.config.concurrency - self.slots.full.available_permits()) as f64);
        }
        for waiting in self.waiting.drain(..).chain(self.light.drain(..)) {
            self.reporter.hand_back(&waiting.claim, &self.config.worker, self.core.now()).await;
        }
    }

    async fn definitions_of(&self, claimed: &[Claimed]) -> Result<HashMap<JobId, Arc<Job>>, StoreError> {
        const TRIES: usize = 3;
        for _ in 1..TRIES {
            match self.definitions.of(&self.core.store, claimed).await {
                Ok(definitions) => return Ok(definitions),
                Err(problem) => {
                    error!(error = %problem, "cannot read the definitions of claimed jobs; trying again");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
        self.definitions.of(&self.core.store, claimed).await
    }

    /// How many more may be claimed.
    fn room(&self) -> usize {
        let waiting = self.waiting.len() + self.light.len();
        (self.slots.full.available_permits() + self.config.prefetch).saturating_sub(waiting)
    }

    /// Waits until there is room worth a claim: for a whole batch, or for whatever became free in a short while.
    async fn freed(&mut self, target: usize) {
        let gathered = tokio::time::sleep(GATHER);
        tokio::pin!(gathered);
        loop {
            self.start_waiting();
            let room = self.room();
            if room >= target {
                return;
            }
            // What waits takes each slot as it comes; with nothing waiting, enough slots for the target must be free.
            let is_idle = self.waiting.is_empty() && self.light.is_empty();
            let wanted = if is_idle { target.saturating_sub(self.config.prefetch) } else { 1 };
            tokio::select! {
                permits = self.slots.full.acquire_many(u32::try_from(wanted).unwrap_or(u32::MAX)) => drop(permits),
                () = &mut gathered, if room > 0 => return,
            }
        }
    }

    /// Starts what slots are free for.
    fn start_waiting(&mut self) {
        self.start_in_line(|dispatcher| &mut dispatcher.light);
        self.start_in_line(|dispatcher| &mut dispatcher.waiting);
    }

    fn start_in_line(&mut self, line: fn(&mut Self) -> &mut VecDeque<Waiting>) {
        while let Some(waiting) = line(self).pop_front() {
            let Some(slot) = self.slots.take(waiting.is_light()) else {
                line(self).push_front(waiting);
                return;
            };
            self.start(waiting, slot, self.core.now());
        }
    }

    fn start(&self, waiting: Waiting, slot: OwnedSemaphorePermit, started_at: Timestamp) {
        if waiting.held.stop.is_cancelled() {
            // Cancelled or lost before it began: there is nothing to stop and nothing to report.
            self.core.running.release(waiting.claim.lease);
            return;
        }
        let attempt = Attempt {
            core: Arc::clone(&self.core),
            executor: waiting.executor,
            reporter: self.reporter.clone(),
            worker: self.config.worker.clone(),
            stop_grace: self.config.stop_grace,
            started_at,
            claim: waiting.claim,
            job: waiting.job,
            held: waiting.held,
        };
        tokio::spawn(async move {
            attempt::run(attempt).await;
            drop(slot);
        });
    }
}
