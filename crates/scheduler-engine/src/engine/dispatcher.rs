//! Claims due executions and starts their attempts.
//!
//! Claims are made in batches, ahead of need: while the attempts of one batch run, the next is fetched, so that a free
//! slot finds its work in memory. How far ahead follows the pace at which slots come free, and what waits for one is
//! served tenant by tenant: a tenant's many, however slow, are not in the way of another's few. What is claimed and not
//! yet started is leased and renewed like what runs, and goes back to the queue at shutdown.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use horarium_domain::job::Job;
use horarium_domain::store::{ClaimRequest, Claimed, StoreError};
use horarium_domain::{JobId, Timestamp};
use metrics::{counter, gauge, histogram};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::attempt::{self, Attempt};
use super::completer::Reporter;
use super::definitions::Definitions;
use super::lines::{Lines, Waiting};
use super::slots::{AHEAD, Slot, Slots};
use super::{EngineConfig, LoopHealth, LoopName, RETRY_PAUSE};
use crate::core::Core;
use crate::executor::Registry;

/// How long freed slots are gathered before the next claim while there is a backlog: a claim costs the database about
/// the same for one execution as for many.
const GATHER: Duration = Duration::from_millis(5);

/// The same while no slot is idle, because something waits in memory for the next one.
const GATHER_AHEAD: Duration = Duration::from_millis(AHEAD.as_millis() as u64 / 2);

/// Turns claims into attempts. A node has a few, which share its slots.
pub(super) struct Dispatcher {
    core: Arc<Core>,
    registry: Arc<Registry>,
    reporter: Reporter,
    config: EngineConfig,
    definitions: Arc<Definitions>,
    slots: Arc<Slots>,
    lines: Arc<Lines>,
    /// How many slots had come free when the last claim was made.
    freed_before: u64,
}

impl Dispatcher {
    /// A dispatcher that reports ends through `reporter` and runs attempts on `slots`, which they wait for in `lines`.
    pub(super) fn new(
        core: Arc<Core>,
        registry: Arc<Registry>,
        reporter: Reporter,
        config: EngineConfig,
        slots: Arc<Slots>,
        lines: Arc<Lines>,
        definitions: Arc<Definitions>,
    ) -> Self {
        Self { core, registry, reporter, config, definitions, slots, lines, freed_before: 0 }
    }

    /// Claims once, as much as there is room for, and starts what slots are free for. Answers whether the claim came
    /// back full, that is whether there is probably more.
    async fn tick(&mut self) -> Result<bool, StoreError> {
        self.start_waiting(None);
        let room = self.room();
        if room == 0 {
            return Ok(true);
        }
        self.freed_before = self.slots.freed();
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
        let held: Vec<_> =
            claimed.iter().map(|claim| self.core.running.hold(claim.lease, lease_until, claim.limited)).collect();
        let definitions = match self.definitions_of(&claimed).await {
            Ok(definitions) => definitions,
            Err(problem) => {
                // Neither started nor given back: the leases run out, and the executions are taken over.
                for claim in &claimed {
                    self.core.release(claim.lease);
                }
                return Err(problem);
            }
        };
        self.start_waiting(None);
        for (claim, held) in claimed.into_iter().zip(held) {
            let job = definitions.get(&claim.job_id).cloned();
            let executor = job.as_ref().and_then(|job| self.registry.get(job.spec.configuration.job_type()));
            self.lines.push(Waiting { claim, claimed_at: now, job, executor, held });
        }
        self.start_waiting(Some(now));
        Ok(full)
    }

    /// Runs until told to stop, then hands back what it had not started.
    pub(super) async fn run(mut self, health: Arc<LoopHealth>, stop: CancellationToken) {
        let mut more = true;
        while !stop.is_cancelled() {
            // Whatever is waited for, a round comes at each poll: a node whose slots are all taken for long is not one
            // whose dispatcher does not turn.
            let poll = tokio::time::sleep(self.config.poll_interval);
            let worth_a_claim = async {
                if more {
                    self.freed().await;
                } else {
                    tokio::select! {
                        () = self.core.wakes.work.notified() => {}
                        () = self.keep_starting() => {}
                    }
                }
            };
            tokio::select! {
                () = worth_a_claim => {}
                () = poll => {}
                () = stop.cancelled() => break,
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
            gauge!("horarium_running").set(self.slots.taken() as f64);
        }
        while let Some(waiting) = self.lines.pop() {
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

    /// This dispatcher's part of something that all of the node share.
    fn part(&self, of_all: usize) -> usize {
        of_all.div_ceil(self.config.claimers.max(1))
    }

    /// How many may be claimed beyond what finds a slot at once.
    fn ahead(&self) -> usize {
        self.part(self.slots.freed_soon()).min(self.config.prefetch)
    }

    /// How many more may be claimed: what starts soon. Work that turned slow may have left more than that in memory; it
    /// is used up little by little, and meanwhile half of what comes free goes to what is claimed anew, so that nobody
    /// else waits for the end of it.
    fn room(&self) -> usize {
        let soon = self.part(self.slots.free()) + self.ahead();
        let freed = usize::try_from(self.slots.freed().saturating_sub(self.freed_before)).unwrap_or(usize::MAX);
        soon.saturating_sub(self.part(self.lines.len())).max(self.part(freed) / 2)
    }

    /// Starts what slots are free for, until there is room worth a claim: for a whole batch, or for whatever became free
    /// in a short while.
    async fn freed(&self) {
        let mut first_room = None;
        loop {
            let changed = self.slots.changed();
            tokio::pin!(changed);
            changed.as_mut().enable();
            self.start_waiting(None);
            let room = self.room();
            let worth = self.part(self.config.concurrency).max(self.ahead() / 2).min(self.config.claim_batch);
            if room >= worth.max(1) {
                return;
            }
            let now = Instant::now();
            let since = if room > 0 { *first_room.get_or_insert(now) } else { now };
            let gather = if self.lines.len() == 0 { GATHER } else { GATHER_AHEAD };
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(since + gather), if room > 0 => return,
            }
        }
    }

    /// Starts what slots are free for, for as long as it is let.
    async fn keep_starting(&self) {
        loop {
            let changed = self.slots.changed();
            tokio::pin!(changed);
            changed.as_mut().enable();
            self.start_waiting(None);
            changed.await;
        }
    }

    /// Starts what slots are free for. The start of what was claimed at `just_now` is its claim, which is what the store
    /// has shown of it since.
    fn start_waiting(&self, just_now: Option<Timestamp>) {
        while let Some((waiting, slot)) = self.lines.next(&self.slots) {
            self.start(waiting, slot, just_now);
        }
    }

    fn start(&self, waiting: Waiting, slot: Slot, just_now: Option<Timestamp>) {
        if waiting.held.stop.is_cancelled() {
            // Cancelled or lost before it began: there is nothing to stop and nothing to report.
            self.core.release(waiting.claim.lease);
            return;
        }
        let started_at = just_now.filter(|now| *now == waiting.claimed_at).unwrap_or_else(|| self.core.now());
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
