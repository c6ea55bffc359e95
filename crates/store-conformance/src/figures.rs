//! Counters, rollups and what is made of them: never anything but what the executions themselves say.

use std::collections::BTreeMap;
use std::time::Duration;

use horarium_domain::execution::{ExecutionState, NewExecution};
use horarium_domain::job::Job;
use horarium_domain::stats::{DurationBucket, DurationHistogram, JobCounters, ROLLUP_WIDTHS, RollupBucket};
use horarium_domain::store::{ExecutionFilter, RollupWindow};
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};

use crate::World;
use crate::seeded::Seeded;
use crate::world::{Run, assert_not_found, at, at_millis, every_minute, failure, lost, retry, snooze, success};

const FINE: Duration = ROLLUP_WIDTHS[0];
const COARSE: Duration = ROLLUP_WIDTHS[1];

fn window(width: Duration, from: Timestamp, to: Timestamp) -> RollupWindow {
    RollupWindow { width, from, to }
}

/// The window that holds everything a case does.
fn everything(width: Duration) -> RollupWindow {
    window(width, at(-100_000).floor_to(width), at(1_000_000).floor_to(width))
}

/// The buckets that hold something. An empty one may be there or not.
async fn buckets(
    world: &World,
    tenant: TenantId,
    job: Option<JobId>,
    width: Duration,
) -> BTreeMap<Timestamp, RollupBucket> {
    let data = world.a.timeline(tenant, job, everything(width)).await.unwrap();
    assert!(data.buckets.is_sorted_by(|a, b| a.0 < b.0), "oldest first, each once");
    data.buckets.into_iter().filter(|(_, bucket)| *bucket != RollupBucket::default()).collect()
}

/// One attempt that ended, as a workload remembers it.
#[derive(Debug, Clone, Copy)]
struct PastAttempt {
    tenant: TenantId,
    job: JobId,
    /// `None` for what was cancelled before it started.
    started_at: Option<Timestamp>,
    ended_at: Timestamp,
    /// `None` when another attempt follows.
    state: Option<ExecutionState>,
}

/// What the rollup must be, counted anew.
fn counted(ended: &[PastAttempt], width: Duration) -> BTreeMap<Timestamp, RollupBucket> {
    let mut buckets = BTreeMap::<Timestamp, RollupBucket>::new();
    for attempt in ended {
        let ms = attempt.started_at.map_or(0, |at| attempt.ended_at.since(at).as_millis() as i64);
        if let Some(started_at) = attempt.started_at {
            buckets.entry(started_at.floor_to(width)).or_default().started += 1;
            buckets.entry(attempt.ended_at.floor_to(width)).or_default().stopped += 1;
        }
        let bucket = buckets.entry(attempt.ended_at.floor_to(width)).or_default();
        match attempt.state {
            Some(ExecutionState::Succeeded) => {
                bucket.succeeded += 1;
                bucket.duration_ms += ms;
            }
            Some(ExecutionState::Failed) => {
                bucket.failed += 1;
                bucket.duration_ms += ms;
            }
            Some(ExecutionState::Cancelled) => bucket.cancelled += 1,
            _ => {}
        }
    }
    buckets.retain(|_, bucket| *bucket != RollupBucket::default());
    buckets
}

/// A job's counters and histogram, counted anew from its executions.
async fn recounted(world: &World, job: &Job) -> (JobCounters, DurationHistogram) {
    let filter = ExecutionFilter { job_id: Some(job.id), ..ExecutionFilter::default() };
    let (mut counters, mut histogram) = (JobCounters::default(), DurationHistogram::default());
    let mut cursor = None;
    loop {
        let page = world.b.executions_before(job.tenant_id, &filter, cursor, 100).await.unwrap();
        for summary in &page.items {
            match summary.lifecycle.state {
                ExecutionState::Pending => counters.pending += 1,
                ExecutionState::Running => counters.running += 1,
                ExecutionState::Cancelled => counters.cancelled += 1,
                ended @ (ExecutionState::Succeeded | ExecutionState::Failed) => {
                    let ms = summary.completed_at.unwrap().since(summary.started_at.unwrap()).as_millis() as i64;
                    *(if ended == ExecutionState::Succeeded {
                        &mut counters.succeeded
                    } else {
                        &mut counters.failed
                    }) += 1;
                    counters.duration_ms += ms;
                    histogram.add(DurationBucket::of_ms(ms), 1);
                }
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            return (counters, histogram);
        }
    }
}

/// A random workload over some jobs: accepts, claims, ends, retries, loses and cancels, in batches, by both nodes.
/// Answers the attempts that ended.
async fn work(world: &World, jobs: &[Job], seed: u64, steps: usize) -> Vec<PastAttempt> {
    let mut chance = Seeded::new(seed);
    let mut now = at(0);
    let mut running: Vec<Run> = Vec::new();
    let mut waiting: Vec<(TenantId, JobId, ExecutionId)> = Vec::new();
    let mut ended = Vec::new();
    for _ in 0..steps {
        now = now + Duration::from_micros(1 + chance.below(200_000_000) as u64);
        let store = chance.one_of(&[world.a.clone(), world.b.clone()]).clone();
        match chance.below(10) {
            0..4 => {
                let batch: Vec<_> = (0..=chance.below(5))
                    .map(|_| {
                        let job = chance.one_of(jobs);
                        let run_at = now + Duration::from_secs(chance.below(2) as u64 * 60);
                        let priority = chance.below(5) as i16;
                        NewExecution { priority, created_at: now, ..world.execution_at(job, run_at) }
                    })
                    .collect();
                waiting.extend(batch.iter().map(|new| (new.tenant_id, new.job_id, new.id)));
                store.enqueue(batch).await.unwrap();
            }
            4..6 => {
                store.promote(now, 100).await.unwrap();
                let claimed = world.claim_on(&store, 1 + chance.below(8), now).await;
                let ids = crate::world::ids_of(&claimed);
                waiting.retain(|(_, _, id)| !ids.contains(id));
                running.extend(claimed);
            }
            6..9 => {
                let mut batch = Vec::new();
                for _ in 0..=chance.below(running.len() + 1) {
                    if running.is_empty() {
                        break;
                    }
                    let run = running.swap_remove(chance.below(running.len()));
                    let (state, settlement) = match chance.below(7) {
                        0..3 => (Some(ExecutionState::Succeeded), success(&run, now)),
                        3..5 => (Some(ExecutionState::Failed), failure(&run, now)),
                        5 => (None, retry(&run, now, now + Duration::from_secs(30))),
                        _ => (None, snooze(&run, now, now)),
                    };
                    ended.push(PastAttempt {
                        tenant: run.tenant_id,
                        job: run.job_id,
                        started_at: Some(run.started_at),
                        ended_at: now,
                        state,
                    });
                    if state.is_none() {
                        waiting.push((run.tenant_id, run.job_id, run.lease.execution_id));
                    }
                    batch.push(settlement);
                }
                store.settle(batch).await.unwrap();
            }
            _ if chance.below(2) == 0 && !waiting.is_empty() => {
                let (tenant, job, id) = waiting.swap_remove(chance.below(waiting.len()));
                store.cancel(tenant, id, "alice", now).await.unwrap();
                let state = Some(ExecutionState::Cancelled);
                ended.push(PastAttempt { tenant, job, started_at: None, ended_at: now, state });
            }
            _ if !running.is_empty() => {
                let run = running.swap_remove(chance.below(running.len()));
                store.cancel(run.tenant_id, run.lease.execution_id, "alice", now).await.unwrap();
                let state = Some(ExecutionState::Cancelled);
                let (tenant, job, started_at) = (run.tenant_id, run.job_id, Some(run.started_at));
                ended.push(PastAttempt { tenant, job, started_at, ended_at: now, state });
            }
            _ => {}
        }
    }
    ended
}

pub async fn counters_and_rollups_equal_a_recount_after_a_random_workload(world: World) {
    let mut jobs = Vec::new();
    for _ in 0..2 {
        let tenant = world.tenant().await;
        for max_concurrency in [None, None, Some(2)] {
            jobs.push(world.job_with(tenant, |spec| spec.max_concurrency = max_concurrency).await);
        }
    }
    let ended = work(&world, &jobs, 0x5EED, 400).await;
    assert!(ended.len() > 100, "the workload is worth its name: {}", ended.len());

    for job in &jobs {
        let statistics = world.a.job_statistics(job.tenant_id, job.id).await.unwrap();
        assert_eq!(statistics, recounted(&world, job).await);
        let of_job: Vec<_> = ended.iter().copied().filter(|attempt| attempt.job == job.id).collect();
        let stored = buckets(&world, job.tenant_id, Some(job.id), COARSE).await;
        assert_eq!(stored, counted(&of_job, COARSE));
    }
    for tenant in [jobs[0].tenant_id, jobs[5].tenant_id] {
        let of_tenant: Vec<_> = ended.iter().copied().filter(|attempt| attempt.tenant == tenant).collect();
        for width in ROLLUP_WIDTHS {
            assert_eq!(buckets(&world, tenant, None, width).await, counted(&of_tenant, width), "{width:?}");
        }
        assert_eq!(world.a.reconcile_counters(tenant).await.unwrap(), [], "nothing has drifted");
    }
}

pub async fn counters_hold_when_two_nodes_settle_at_once(world: World) {
    let tenant = world.tenant().await;
    let jobs = [world.job(tenant).await, world.job(tenant).await, world.job(tenant).await];
    for job in &jobs {
        world.submit_many(job, 40).await;
    }
    let runs = world.claim(200, at(0)).await;
    assert_eq!(runs.len(), 120);
    // Each node ends half of them, in small batches that touch the same jobs in different orders.
    let halves = [(world.a.clone(), 0), (world.b.clone(), 1)].map(|(store, half)| {
        let mine: Vec<_> = runs.iter().skip(half).step_by(2).map(|run| success(run, at(3))).collect();
        let mine: Vec<_> = if half == 0 { mine } else { mine.into_iter().rev().collect() };
        tokio::spawn(async move {
            for batch in mine.chunks(7) {
                store.settle(batch.to_vec()).await.unwrap();
            }
        })
    });
    for half in halves {
        half.await.unwrap();
    }
    for job in &jobs {
        let (counters, _) = world.a.job_statistics(tenant, job.id).await.unwrap();
        assert_eq!((counters.succeeded, counters.duration_ms), (40, 120_000));
    }
    let sum: i64 = buckets(&world, tenant, None, FINE).await.values().map(|bucket| bucket.succeeded).sum();
    assert_eq!(sum, 120);
    assert_eq!(world.a.reconcile_counters(tenant).await.unwrap(), []);
}

pub async fn a_bucket_holds_what_happened_within_it(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let start = at(0).floor_to(COARSE);
    let second = |n: u64| start + Duration::from_secs(n);
    let last_moment = second(3600) - Duration::from_micros(1);
    // Ends at the last moment of one hour, and at the first of the next.
    world.run(&job, second(10), last_moment, ExecutionState::Succeeded).await;
    world.run(&job, second(20), second(3600), ExecutionState::Failed).await;

    let (first, next) = (RollupBucket { started: 2, ..RollupBucket::default() }, RollupBucket::default());
    let first = RollupBucket { succeeded: 1, stopped: 1, duration_ms: 3_589_999, ..first };
    let next = RollupBucket { failed: 1, stopped: 1, duration_ms: 3_580_000, ..next };
    for scope in [None, Some(job.id)] {
        let data = world.a.timeline(tenant, scope, window(COARSE, start, second(7200))).await.unwrap();
        assert_eq!(data.buckets, [(start, first), (second(3600), next)]);
        // The window's end is not part of it; its start is.
        let data = world.a.timeline(tenant, scope, window(COARSE, second(3600), second(7200))).await.unwrap();
        assert_eq!(data.buckets, [(second(3600), next)]);
        let data = world.a.timeline(tenant, scope, window(COARSE, start, second(3600))).await.unwrap();
        assert_eq!(data.buckets, [(start, first)]);
    }
    let fine = buckets(&world, tenant, None, FINE).await;
    assert_eq!(fine.keys().copied().collect::<Vec<_>>(), [start, second(3300), second(3600)]);
}

pub async fn a_timeline_tells_since_when_what_runs_has_been_running(world: World) {
    let tenant = world.tenant().await;
    let (job, other) = (world.job(tenant).await, world.job(tenant).await);
    let start = at(0).floor_to(COARSE);
    let second = |n: u64| start + Duration::from_secs(n);
    for (job, seconds) in [(&job, 10), (&job, 20), (&other, 400), (&job, 3700)] {
        world.submit_one(job).await;
        world.claim_one(second(seconds)).await;
    }
    world.submit_one(&job).await;

    let since = async |scope, width| {
        world.a.timeline(tenant, scope, window(width, start, second(7200))).await.unwrap().running_since
    };
    assert_eq!(since(None, FINE).await, [(start, 2), (second(300), 1), (second(3600), 1)]);
    assert_eq!(since(None, COARSE).await, [(start, 3), (second(3600), 1)]);
    assert_eq!(since(Some(job.id), COARSE).await, [(start, 2), (second(3600), 1)]);
}

pub async fn statistics_tell_how_long_runs_took(world: World) {
    let (tenant, stranger) = (world.tenant().await, world.tenant().await);
    let job = world.job(tenant).await;
    let (counters, histogram) = world.a.job_statistics(tenant, job.id).await.unwrap();
    assert_eq!((counters, histogram.percentile_ms(0.5)), (JobCounters::default(), None));

    world.submit_many(&job, 100).await;
    let runs = world.claim(100, at(0)).await;
    let ends = runs.iter().zip(1..).map(|(run, n)| success(run, at_millis(n * 100)));
    world.a.settle(ends.collect()).await.unwrap();
    // A cancelled run says nothing of how long runs take.
    world.run(&job, at(0), at(9_999), ExecutionState::Cancelled).await;

    let (counters, histogram) = world.a.job_statistics(tenant, job.id).await.unwrap();
    assert_eq!((counters.succeeded, counters.cancelled, counters.duration_ms), (100, 1, 505_000));
    assert_eq!(histogram.iter().map(|(_, count)| count).sum::<i64>(), 100);
    for (share, truth) in [(0.5, 5_000.0), (0.95, 9_500.0), (0.99, 9_900.0)] {
        let read = histogram.percentile_ms(share).unwrap();
        assert!((read / truth - 1.0_f64).abs() < 0.19, "{share}: {read}");
    }
    assert_not_found(world.a.job_statistics(stranger, job.id).await);
    let deleted = world.change_job(&job, None, |job| job.is_deleted = true).await;
    assert_eq!(world.a.job_statistics(tenant, deleted.id).await.unwrap().0.succeeded, 100);
}

pub async fn a_run_that_took_no_time_is_counted_as_such(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.run(&job, at(5), at(5), ExecutionState::Succeeded).await;
    // A worker's clock may be behind that of the node that claimed for it.
    world.run(&job, at(5), at(4), ExecutionState::Succeeded).await;
    let (counters, histogram) = world.a.job_statistics(tenant, job.id).await.unwrap();
    assert_eq!((counters.succeeded, counters.duration_ms), (2, 0));
    assert_eq!(histogram.iter().collect::<Vec<_>>(), [(DurationBucket::of_ms(0), 2)]);
}

pub async fn the_dashboard_counts_jobs_by_their_standing(world: World) {
    let tenant = world.tenant().await;
    for _ in 0..3 {
        world.job(tenant).await;
    }
    let paused = world.job(tenant).await;
    world.change_job(&paused, None, |job| job.is_paused = true).await;
    world.job_with(tenant, |spec| spec.is_enabled = false).await;
    let both = world.job_with(tenant, |spec| spec.is_enabled = false).await;
    world.change_job(&both, None, |job| job.is_paused = true).await;
    let deleted = world.job(tenant).await;
    world.change_job(&deleted, None, |job| job.is_deleted = true).await;
    world.job(world.tenant().await).await;

    let stats = world.a.dashboard(tenant, at(0)).await.unwrap();
    assert_eq!((stats.total_jobs, stats.enabled_jobs, stats.paused_jobs), (6, 3, 1));
}

pub async fn the_dashboard_tells_of_the_last_day_and_of_today(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let noon = at(0).floor_to(Duration::from_hours(24)) + Duration::from_hours(12);
    let hours_ago = |hours: u64| noon - Duration::from_hours(hours);
    use ExecutionState::{Cancelled, Failed, Succeeded};
    // Today: 1, 2 and 3 hours ago; yesterday, but within 24 hours: 13 and 20 hours ago; and longer ago.
    for (hours, state) in
        [(1, Succeeded), (2, Failed), (3, Cancelled), (13, Succeeded), (20, Failed), (30, Succeeded), (100, Failed)]
    {
        let ended_at = hours_ago(hours);
        world.run(&job, ended_at - Duration::from_secs(7), ended_at, state).await;
    }
    world.submit_many(&job, 3).await;
    world.claim(1, noon).await;
    world.submit_one(&world.job(world.tenant().await).await).await;

    let stats = world.b.dashboard(tenant, noon).await.unwrap();
    assert_eq!((stats.succeeded, stats.failed, stats.duration_ms), (2, 2, 28_000));
    assert_eq!(stats.executions_today, 3);
    assert_eq!((stats.running, stats.pending), (1, 2));
}

pub async fn the_dashboard_tells_what_comes_next(world: World) {
    let tenant = world.tenant().await;
    let mut jobs = Vec::new();
    for minutes in [50, 10, 90, 30, 5, 6, 7, 8, 9, 11, 12, 13] {
        jobs.push(world.scheduled_job(tenant, at(60 * minutes)).await);
    }
    let manual = world.job(tenant).await;
    world.submit(world.execution_at(&manual, at(600))).await;
    world.submit(world.execution_at(&manual, at(7200))).await;
    world.scheduled_job(world.tenant().await, at(60)).await;

    let stats = world.a.dashboard(tenant, at(0)).await.unwrap();
    assert_eq!(stats.upcoming, 11 + 1, "all slots but one lie within the hour, and one of two executions");
    let next: Vec<_> = stats.next_runs.iter().map(|run| (run.job_id, run.next_run)).collect();
    let soonest = [4, 5, 6, 7, 8, 1, 9, 10, 11, 3].map(|n: usize| jobs[n].id);
    assert_eq!(next.iter().map(|(id, _)| *id).collect::<Vec<_>>(), soonest);
    assert_eq!((next[0].1, next[9].1), (at(300), at(1800)));
    assert_eq!(stats.next_runs[0].job_name, jobs[4].spec.name);

    // What is due already and has not started is still to come.
    let stats = world.a.dashboard(tenant, at(700)).await.unwrap();
    assert_eq!(stats.upcoming, 11 + 1);
    let stats = world.a.dashboard(tenant, at(3000)).await.unwrap();
    assert_eq!(stats.upcoming, 12 + 1);
    let stats = world.a.dashboard(tenant, at(7000)).await.unwrap();
    assert_eq!(stats.upcoming, 12 + 2);
}

pub async fn an_empty_tenants_figures_are_zero(world: World) {
    let tenant = world.tenant().await;
    let stats = world.a.dashboard(tenant, at(0)).await.unwrap();
    assert_eq!((stats.total_jobs, stats.running, stats.pending, stats.upcoming), (0, 0, 0, 0));
    assert_eq!((stats.succeeded, stats.failed, stats.executions_today, stats.duration_ms), (0, 0, 0, 0));
    assert!(stats.next_runs.is_empty());
    let timeline = world.a.timeline(tenant, None, everything(FINE)).await.unwrap();
    assert_eq!((timeline.buckets.len(), timeline.running_since.len()), (0, 0));
    assert_eq!(world.a.reconcile_counters(tenant).await.unwrap(), []);
}

pub async fn an_attempt_that_is_followed_by_another_is_no_end(world: World) {
    let tenant = world.tenant().await;
    let job = world.job_with(tenant, |spec| spec.schedule = every_minute()).await;
    world.submit_one(&job).await;
    let first = world.claim_one(at(0)).await;
    world.settle(retry(&first, at(1), at(1))).await;
    let second = world.claim_one(at(1)).await;
    world.settle(lost(&second, at(90))).await;
    let third = world.claim_one(at(90)).await;
    world.succeed(&third, at(92)).await;

    let (counters, histogram) = world.a.job_statistics(tenant, job.id).await.unwrap();
    assert_eq!((counters.succeeded, counters.failed), (1, 0));
    assert_eq!((counters.pending, counters.running), (0, 0));
    assert_eq!(counters.duration_ms, 2_000, "the last attempt's");
    assert_eq!(histogram.iter().map(|(_, count)| count).sum::<i64>(), 1);
    let rollup = buckets(&world, tenant, Some(job.id), COARSE).await;
    let (started, stopped) =
        rollup.values().fold((0, 0), |sum, bucket| (sum.0 + bucket.started, sum.1 + bucket.stopped));
    assert_eq!((started, stopped), (3, 3), "every attempt started and stopped");
}

pub async fn the_jobs_that_run_are_told_from_the_others(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let (idle, waiting, busy) = (world.job(tenant).await, world.job(tenant).await, world.job(tenant).await);
    let (unasked, foreign) = (world.job(tenant).await, world.job(other).await);
    world.run(&idle, at(0), at(1), ExecutionState::Succeeded).await;
    for job in [&busy, &busy, &unasked, &foreign] {
        world.submit_one(job).await;
    }
    assert_eq!(world.claim(10, at(2)).await.len(), 4);
    world.submit_one(&waiting).await;

    let asked = [idle.id, waiting.id, busy.id, foreign.id];
    assert_eq!(world.b.running_jobs(tenant, &asked).await.unwrap(), [busy.id]);
    assert_eq!(world.b.running_jobs(other, &asked).await.unwrap(), [foreign.id]);
    assert!(world.b.running_jobs(tenant, &[]).await.unwrap().is_empty());
}
