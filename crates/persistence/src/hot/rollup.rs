//! What a batch of ends adds to the counters, the duration histograms and the rollups.
//!
//! A pure aggregation, so that a batch of five hundred ends of three jobs writes three counter rows and not five
//! hundred. Everything comes out sorted by its key: two transactions that write the same rows write them in the same
//! order, and neither can wait for the other in a circle.

use std::collections::BTreeMap;
use std::time::Duration;

use horarium_domain::execution::ExecutionState;
use horarium_domain::job::LastRun;
use horarium_domain::stats::{DurationBucket, ROLLUP_WIDTHS, RollupBucket};
use horarium_domain::store::{Decision, Settlement};
use horarium_domain::{JobId, TenantId, Timestamp};
use uuid::Uuid;

/// How an attempt ended, and the execution with it or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The execution is over, and well.
    Succeeded,
    /// The execution is over, and not well.
    Failed,
    /// The same, though some hosts of a broadcast succeeded.
    PartlyFailed,
    /// Somebody cancelled the execution; perhaps it never started.
    Cancelled,
    /// The attempt is over; the execution goes back to the queue.
    Requeued,
}

impl Outcome {
    /// Of an execution that ends in this state; one that does not end goes back to the queue.
    pub(crate) const fn of(state: ExecutionState, partial: bool) -> Self {
        match state {
            ExecutionState::Succeeded => Self::Succeeded,
            ExecutionState::Failed if partial => Self::PartlyFailed,
            ExecutionState::Failed => Self::Failed,
            ExecutionState::Cancelled => Self::Cancelled,
            ExecutionState::Pending | ExecutionState::Running => Self::Requeued,
        }
    }
}

/// One end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    /// Whose.
    pub(crate) tenant_id: TenantId,
    /// Of which job.
    pub(crate) job_id: JobId,
    /// How.
    pub(crate) outcome: Outcome,
    /// When the attempt started; `None` when the execution was cancelled while it waited.
    pub(crate) started_at: Option<Timestamp>,
    /// When it ended.
    pub(crate) ended_at: Timestamp,
}

impl End {
    /// What a settlement counts as.
    pub(crate) fn of(settlement: &Settlement) -> Self {
        let outcome = match settlement.decision {
            Decision::Finish { state, partial, .. } => Outcome::of(state, partial),
            Decision::Requeue { .. } => Outcome::Requeued,
        };
        Self {
            tenant_id: settlement.tenant_id,
            job_id: settlement.job_id,
            outcome,
            started_at: Some(settlement.started_at),
            ended_at: settlement.ended_at,
        }
    }

    /// How long the attempt took, in whole milliseconds.
    fn duration_ms(&self) -> Option<i64> {
        self.started_at.map(|started| run_ms(started, self.ended_at))
    }
}

/// How long a run took, in whole milliseconds; zero when clocks disagree about its order.
pub(crate) fn run_ms(started: Timestamp, ended: Timestamp) -> i64 {
    i64::try_from(ended.since(started).as_millis()).unwrap_or(i64::MAX)
}

/// What a batch adds to one job's counters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct JobDelta {
    /// Executions that ended well.
    pub(crate) succeeded: i64,
    /// Executions that failed, those that did so in part included.
    pub(crate) failed: i64,
    /// Of those, the ones that failed in part.
    pub(crate) partial: i64,
    /// Executions that were cancelled.
    pub(crate) cancelled: i64,
    /// How long those that succeeded or failed ran.
    pub(crate) duration_ms: i64,
    /// Whether one succeeded, so that the failures before the batch no longer count as consecutive.
    pub(crate) reset_failures: bool,
    /// Failures in a row at the end of the batch.
    pub(crate) failures: i32,
    /// The batch's latest run.
    pub(crate) last: Option<LastRun>,
}

/// Which bucket of which rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RollupKey {
    /// A tenant's or a job's id.
    pub(crate) scope_id: Uuid,
    /// In seconds.
    pub(crate) width: i32,
    /// Where the bucket starts.
    pub(crate) start: Timestamp,
}

/// What a batch adds, by sorted keys.
#[derive(Debug, Default)]
pub(crate) struct Deltas {
    /// To the jobs' counters.
    pub(crate) jobs: BTreeMap<JobId, JobDelta>,
    /// To the jobs' duration histograms.
    pub(crate) durations: BTreeMap<(JobId, DurationBucket), i64>,
    /// To the rollups.
    pub(crate) rollups: BTreeMap<RollupKey, (TenantId, RollupBucket)>,
}

impl Deltas {
    /// Of ends, in the order in which they happened.
    pub(crate) fn of(ends: impl IntoIterator<Item = End>) -> Self {
        let mut deltas = Self::default();
        for end in ends {
            deltas.add(&end);
        }
        deltas
    }

    /// Of executions that are removed from the history: what [`of`](Self::of) once added to the job's counters, taken
    /// out again. The rollups keep them.
    pub(crate) fn without(ends: impl IntoIterator<Item = End>) -> Self {
        let mut deltas = Self::default();
        for end in ends {
            deltas.count(&end, -1);
        }
        deltas
    }

    fn add(&mut self, end: &End) {
        self.roll_up(end);
        if end.outcome == Outcome::Requeued {
            return;
        }
        self.count(end, 1);
        let job = self.jobs.entry(end.job_id).or_default();
        let state = match end.outcome {
            Outcome::Succeeded => {
                job.reset_failures = true;
                job.failures = 0;
                ExecutionState::Succeeded
            }
            Outcome::Failed | Outcome::PartlyFailed => {
                job.failures += 1;
                ExecutionState::Failed
            }
            Outcome::Cancelled | Outcome::Requeued => ExecutionState::Cancelled,
        };
        if job.last.is_none_or(|last| last.completed_at <= end.ended_at) {
            job.last = Some(LastRun {
                started_at: end.started_at,
                completed_at: end.ended_at,
                state,
                duration_ms: end.duration_ms(),
            });
        }
    }

    /// Adds `sign` to what the end counts as.
    fn count(&mut self, end: &End, sign: i64) {
        let job = self.jobs.entry(end.job_id).or_default();
        match end.outcome {
            Outcome::Succeeded => job.succeeded += sign,
            Outcome::Failed => job.failed += sign,
            Outcome::PartlyFailed => {
                job.failed += sign;
                job.partial += sign;
            }
            Outcome::Cancelled => job.cancelled += sign,
            Outcome::Requeued => {}
        }
        if let (Outcome::Succeeded | Outcome::Failed | Outcome::PartlyFailed, Some(ms)) =
            (end.outcome, end.duration_ms())
        {
            job.duration_ms = job.duration_ms.saturating_add(ms.saturating_mul(sign));
            *self.durations.entry((end.job_id, DurationBucket::of_ms(ms))).or_default() += sign;
        }
    }

    fn bucket(&mut self, scope_id: Uuid, width: Duration, tenant: TenantId, at: Timestamp) -> &mut RollupBucket {
        let key = RollupKey { scope_id, width: width.as_secs() as i32, start: at.floor_to(width) };
        &mut self.rollups.entry(key).or_insert_with(|| (tenant, RollupBucket::default())).1
    }

    fn roll_up(&mut self, end: &End) {
        let [narrow, wide] = ROLLUP_WIDTHS;
        let tenant = end.tenant_id.as_uuid();
        for (scope_id, width) in [(tenant, narrow), (tenant, wide), (end.job_id.as_uuid(), wide)] {
            if let Some(started) = end.started_at {
                self.bucket(scope_id, width, end.tenant_id, started).started += 1;
            }
            let ended = self.bucket(scope_id, width, end.tenant_id, end.ended_at);
            match end.outcome {
                Outcome::Succeeded => ended.succeeded += 1,
                Outcome::Failed | Outcome::PartlyFailed => ended.failed += 1,
                Outcome::Cancelled => ended.cancelled += 1,
                Outcome::Requeued => {}
            }
            if end.started_at.is_some() {
                ended.stopped += 1;
            }
            if let (Outcome::Succeeded | Outcome::Failed | Outcome::PartlyFailed, Some(ms)) =
                (end.outcome, end.duration_ms())
            {
                ended.duration_ms = ended.duration_ms.saturating_add(ms);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn job(number: u8) -> JobId {
        JobId::from_uuid(Uuid::from_bytes([number; 16]))
    }

    fn tenant(number: u8) -> TenantId {
        TenantId::from_uuid(Uuid::from_bytes([number.wrapping_add(100); 16]))
    }

    fn end(outcome: Outcome, started: Option<i64>, ended: i64) -> End {
        End {
            tenant_id: tenant(1),
            job_id: job(1),
            outcome,
            started_at: started.map(Timestamp::from_seconds),
            ended_at: Timestamp::from_seconds(ended),
        }
    }

    #[test]
    fn a_success_ends_a_run_of_failures_and_a_cancellation_leaves_it() {
        use Outcome::{Cancelled, Failed, Succeeded};
        let run = |outcomes: &[Outcome]| {
            let deltas = Deltas::of(outcomes.iter().map(|outcome| end(*outcome, Some(0), 1)));
            let job = deltas.jobs[&job(1)].clone();
            (job.reset_failures, job.failures)
        };
        assert_eq!(run(&[Failed, Failed]), (false, 2));
        assert_eq!(run(&[Failed, Succeeded, Failed]), (true, 1));
        assert_eq!(run(&[Failed, Cancelled, Failed]), (false, 2));
        assert_eq!(run(&[Failed, Succeeded]), (true, 0));
        assert_eq!(run(&[Cancelled]), (false, 0));
    }

    #[test]
    fn an_attempt_that_spans_buckets_starts_in_one_and_stops_in_the_other() {
        let deltas = Deltas::of([end(Outcome::Requeued, Some(299), 300)]);
        assert!(deltas.jobs.is_empty() && deltas.durations.is_empty());
        let narrow = |start| {
            let key = RollupKey { scope_id: tenant(1).as_uuid(), width: 300, start: Timestamp::from_seconds(start) };
            deltas.rollups[&key].1
        };
        assert_eq!((narrow(0).started, narrow(0).stopped), (1, 0));
        assert_eq!((narrow(300).started, narrow(300).stopped), (0, 1));
    }

    #[test]
    fn an_execution_that_never_started_leaves_no_attempt() {
        let deltas = Deltas::of([end(Outcome::Cancelled, None, 10)]);
        assert_eq!(deltas.jobs[&job(1)].cancelled, 1);
        assert_eq!(deltas.jobs[&job(1)].last.unwrap().duration_ms, None);
        assert!(deltas.durations.is_empty());
        assert!(deltas.rollups.values().all(|(_, bucket)| (bucket.started, bucket.stopped) == (0, 0)));
        assert_eq!(deltas.rollups.len(), 3);
    }

    prop_compose! {
        fn any_end()(
            job_number in 0_u8..4,
            outcome in prop::sample::select(vec![
                Outcome::Succeeded, Outcome::Failed, Outcome::PartlyFailed, Outcome::Cancelled, Outcome::Requeued,
            ]),
            started in prop::option::of(0_i64..20_000_000_000),
            took in -1_000_000_i64..5_000_000_000,
        ) -> End {
            // Only what was cancelled may never have started.
            let started = started.or((outcome != Outcome::Cancelled).then_some(7));
            End {
                tenant_id: tenant(job_number % 2),
                job_id: job(job_number),
                outcome,
                started_at: started.map(Timestamp::from_micros),
                ended_at: Timestamp::from_micros(started.unwrap_or(0) + took),
            }
        }
    }

    proptest! {
        /// However a history is cut into batches, the counters, histograms and rollups end up the same.
        #[test]
        fn batches_add_up_to_the_history(ends in prop::collection::vec(any_end(), 0..60), cut in 0_usize..60) {
            let cut = cut.min(ends.len());
            let whole = Deltas::of(ends.iter().copied());
            let parts = [Deltas::of(ends[..cut].iter().copied()), Deltas::of(ends[cut..].iter().copied())];

            for (id, job) in &whole.jobs {
                let of = |read: fn(&JobDelta) -> i64| parts.iter().filter_map(|p| p.jobs.get(id)).map(read).sum::<i64>();
                prop_assert_eq!(job.succeeded, of(|j| j.succeeded));
                prop_assert_eq!(job.failed, of(|j| j.failed));
                prop_assert_eq!(job.partial, of(|j| j.partial));
                prop_assert_eq!(job.cancelled, of(|j| j.cancelled));
                prop_assert_eq!(job.duration_ms, of(|j| j.duration_ms));
                let failures = parts.iter().filter_map(|p| p.jobs.get(id)).fold(0, |before, part| {
                    if part.reset_failures { part.failures } else { before + part.failures }
                });
                prop_assert_eq!(job.failures, failures);
            }
            for (key, count) in &whole.durations {
                prop_assert_eq!(*count, parts.iter().filter_map(|p| p.durations.get(key)).sum::<i64>());
            }
            for (key, (_, bucket)) in &whole.rollups {
                let of = |read: fn(&RollupBucket) -> i64| {
                    parts.iter().filter_map(|p| p.rollups.get(key)).map(|(_, b)| read(b)).sum::<i64>()
                };
                prop_assert_eq!(bucket.succeeded, of(|b| b.succeeded));
                prop_assert_eq!(bucket.started, of(|b| b.started));
                prop_assert_eq!(bucket.stopped, of(|b| b.stopped));
                prop_assert_eq!(bucket.duration_ms, of(|b| b.duration_ms));
            }
        }

        /// Every attempt that starts also stops; every scope and width counts each end once.
        #[test]
        fn rollups_balance(ends in prop::collection::vec(any_end(), 0..60)) {
            let deltas = Deltas::of(ends.iter().copied());
            let started: i64 = deltas.rollups.values().map(|(_, b)| b.started).sum();
            let stopped: i64 = deltas.rollups.values().map(|(_, b)| b.stopped).sum();
            prop_assert_eq!(started, stopped);
            let over: i64 = deltas.rollups.values().map(|(_, b)| b.succeeded + b.failed + b.cancelled).sum();
            let terminal = ends.iter().filter(|end| end.outcome != Outcome::Requeued).count() as i64;
            prop_assert_eq!(over, 3 * terminal);
        }

        /// What pruning takes out is exactly what settling put in.
        #[test]
        fn removing_a_history_leaves_nothing(ends in prop::collection::vec(any_end(), 0..60)) {
            let added = Deltas::of(ends.iter().copied());
            let removed = Deltas::without(ends.iter().copied());
            for (id, job) in &added.jobs {
                let out = &removed.jobs[id];
                prop_assert_eq!(
                    (job.succeeded + out.succeeded, job.failed + out.failed, job.cancelled + out.cancelled),
                    (0, 0, 0)
                );
                prop_assert_eq!((job.duration_ms + out.duration_ms, job.partial + out.partial), (0, 0));
                prop_assert!(out.last.is_none() && !out.reset_failures && out.failures == 0);
            }
            for (key, count) in &added.durations {
                prop_assert_eq!(count + removed.durations[key], 0);
            }
            prop_assert!(removed.rollups.is_empty());
        }
    }
}
