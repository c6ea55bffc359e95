//! A node's loops, in virtual time: what becomes of executions when all goes well, and when it does not.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use horarium_domain::execution::{AttemptOutcome, ExecutionState, Failure, Lifecycle, NewExecution, Output};
use horarium_domain::job::ConcurrencyPolicy;
use horarium_domain::page::PageRequest;
use horarium_domain::retry::{Backoff, RetryPolicy};
use horarium_domain::schedule::MisfirePolicy;
use horarium_domain::store::{ClaimRequest, Decision, Enqueued, ExecutionFilter, Settled, Settlement};
use horarium_domain::{NodeId, Timestamp};
use horarium_scheduler_engine::engine::Planner;
use horarium_scheduler_engine::memory::Disturbance;
use horarium_scheduler_engine::{EngineConfig, Outcome, Run};
use support::{BEGINNING, World, config, pass};
use tokio::sync::Semaphore;
use uuid::Uuid;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

async fn succeed(_: Run) -> Outcome {
    Outcome::succeeded()
}

/// Runs until it is told to stop, and then takes no notice for a while.
async fn never_ends(_: Run) -> Outcome {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn a_triggered_job_runs_and_its_end_is_recorded() {
    let world = World::new().await;
    let (core, engine) = world.node("a", |run: Run| async move {
        pass(Duration::from_millis(1500)).await;
        let output = Output { text: format!("attempt {}", run.attempt), truncated: false };
        Outcome::Succeeded { output: Some(output), items_processed: Some(7) }
    });
    let job = world.job("hello", |_| {}).await;
    let id = world.trigger(&core, &job).await;
    let execution = world.until(id, ExecutionState::Succeeded, MINUTE).await;
    assert_eq!(execution.output.unwrap().text, "attempt 1");
    assert_eq!(execution.summary.items_processed, Some(7));
    assert_eq!(execution.summary.worker.as_deref(), Some("a"));
    let took = execution.summary.completed_at.unwrap().since(execution.summary.started_at.unwrap());
    assert!(took >= Duration::from_millis(1500) && took < 2 * SECOND, "{took:?}");
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_start_that_is_shown_while_it_runs_is_the_one_that_is_recorded() {
    let world = World::new().await;
    let (core, engine) = world.node("a", |_| async {
        pass(2 * SECOND).await;
        Outcome::succeeded()
    });
    let job = world.job("starts once", |_| {}).await;
    // Time passes between the claim and the handler.
    world.memory.disturb(Disturbance { latency: Duration::from_millis(30), ..Disturbance::default() });
    let id = world.trigger(&core, &job).await;
    let shown = world.until(id, ExecutionState::Running, MINUTE).await.summary.started_at;
    let recorded = world.until(id, ExecutionState::Succeeded, MINUTE).await.summary.started_at;
    assert!(shown.is_some());
    assert_eq!(recorded, shown);
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_waited_for_a_slot_counts_from_when_it_had_one() {
    let world = World::new().await;
    let one_slot = EngineConfig { concurrency: 1, ..config("a") };
    let (core, engine) = world.node_with(one_slot, |_| async {
        pass(10 * SECOND).await;
        Outcome::succeeded()
    });
    let job = world.job("one by one", |_| {}).await;
    let ids = [world.trigger(&core, &job).await, world.trigger(&core, &job).await];
    for id in ids {
        let summary = world.until(id, ExecutionState::Succeeded, MINUTE).await.summary;
        let took = summary.completed_at.unwrap().since(summary.started_at.unwrap());
        assert!(took >= 10 * SECOND && took < 11 * SECOND, "{took:?}");
    }
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_job_is_tried_as_often_and_as_late_as_its_policy_says() {
    let world = World::new().await;
    let (core, engine) =
        world.node("a", |run: Run| async move { Outcome::failed(Failure::retryable(format!("no. {}", run.attempt))) });
    let policy =
        RetryPolicy { max_attempts: 3, delay_seconds: 10, backoff: Backoff::Exponential, ..RetryPolicy::default() };
    let job = world.job("fails", |spec| spec.retry_policy = policy).await;
    let id = world.trigger(&core, &job).await;
    let execution = world.until(id, ExecutionState::Failed, 2 * MINUTE).await;
    assert_eq!(execution.error.as_deref(), Some("no. 3"));
    let attempts = execution.attempts();
    assert_eq!(attempts.iter().map(|a| a.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(attempts.iter().all(|a| a.outcome == AttemptOutcome::Failed));
    let starts: Vec<Timestamp> = attempts.iter().map(|a| a.started_at.unwrap()).collect();
    for (pair, delay) in starts.windows(2).zip([10, 20]) {
        let waited = pair[1].since(pair[0]);
        assert!(waited >= delay * SECOND && waited < (delay + 1) * SECOND, "{waited:?} in place of {delay} s");
    }
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_execution_with_a_number_of_tries_of_its_own_is_tried_so_often() {
    let world = World::new().await;
    let (core, engine) = world.node("a", |_| async { Outcome::failed(Failure::retryable("no")) });
    let policy = RetryPolicy { max_attempts: 3, delay_seconds: 1, ..RetryPolicy::default() };
    let job = world.job("fails", |spec| spec.retry_policy = policy).await;
    for tries in [1, 5] {
        let execution = NewExecution { max_attempts: Some(tries), ..world.execution_of(&job) };
        let id = execution.id;
        assert_eq!(core.enqueue(execution).await.unwrap(), Enqueued::Accepted);
        let ended = world.until(id, ExecutionState::Failed, MINUTE).await;
        assert_eq!(ended.attempts().len(), usize::from(tries));
    }
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_fails_its_attempt_and_nothing_else() {
    let world = World::new().await;
    let (core, engine) = world.node("a", |run: Run| async move {
        assert!(run.job.spec.name != "panics", "out of cheese");
        Outcome::succeeded()
    });
    let bad = world.job("panics", |_| {}).await;
    let good = world.job("works", |_| {}).await;
    let (bad, good) = (world.trigger(&core, &bad).await, world.trigger(&core, &good).await);
    let execution = world.until(bad, ExecutionState::Failed, MINUTE).await;
    assert!(execution.error.unwrap().contains("out of cheese"));
    world.until(good, ExecutionState::Succeeded, MINUTE).await;
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_outruns_its_timeout_is_stopped_and_failed() {
    let world = World::new().await;
    let (core, engine) = world.node("a", never_ends);
    let job = world.job("slow", |spec| spec.timeout_seconds = 3).await;
    let id = world.trigger(&core, &job).await;
    let execution = world.until(id, ExecutionState::Failed, MINUTE).await;
    assert_eq!(execution.error.as_deref(), Some("timed out after 3 s"));
    assert_eq!(execution.attempts()[0].outcome, AttemptOutcome::TimedOut);
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn cancelling_reaches_the_running_work() {
    let world = World::new().await;
    let stopped = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stopped);
    let (core, engine) = world.node("a", move |run: Run| {
        let told = Arc::clone(&told);
        async move {
            run.cancellation.cancelled().await;
            told.store(true, Ordering::SeqCst);
            Outcome::succeeded()
        }
    });
    let job = world.job("long", |_| {}).await;
    let id = world.trigger(&core, &job).await;
    world.until(id, ExecutionState::Running, MINUTE).await;
    world.store.cancel(world.tenant, id, "somebody", world.now()).await.unwrap();
    core.execution_cancelled(world.tenant, job.id, id, true);
    world.until(id, ExecutionState::Cancelled, Duration::ZERO).await;
    pass(SECOND).await;
    assert!(stopped.load(Ordering::SeqCst), "the handler was not told");
    assert_eq!(world.state(id).await, ExecutionState::Cancelled, "what the handler still said was recorded");
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn work_that_takes_longer_than_a_lease_is_not_taken_away() {
    let world = World::new().await;
    let starts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&starts);
    let work = move |_: Run| {
        counted.fetch_add(1, Ordering::SeqCst);
        async {
            pass(Duration::from_secs(200)).await;
            Outcome::succeeded()
        }
    };
    let (core, first) = world.node("a", work.clone());
    let (_, second) = world.node("b", work);
    let job = world.job("long", |_| {}).await;
    let id = world.trigger(&core, &job).await;
    world.until(id, ExecutionState::Succeeded, 5 * MINUTE).await;
    assert_eq!(starts.load(Ordering::SeqCst), 1);
    first.shutdown().await;
    second.shutdown().await;
}

/// Claims for a worker that will never be heard of again.
async fn claim_and_vanish(world: &World, lease: Duration) -> Settlement {
    let now = world.now();
    let request = ClaimRequest {
        node: NodeId::from_uuid(Uuid::from_u128(99)),
        worker: "ghost".to_owned(),
        limit: 1,
        now,
        lease_until: now + lease,
    };
    let claim = world.store.claim(&request).await.unwrap().remove(0);
    Settlement {
        lease: claim.lease,
        tenant_id: claim.tenant_id,
        job_id: claim.job_id,
        next: Lifecycle { state: ExecutionState::Succeeded, ..claim.lifecycle },
        worker: "ghost".to_owned(),
        started_at: now,
        ended_at: now,
        decision: Decision::Finish {
            state: ExecutionState::Succeeded,
            output: Some(Output { text: "from the grave".to_owned(), truncated: false }),
            error: None,
            items_processed: None,
            partial: false,
        },
        event: None,
        only_if_expired_at: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_worker_is_replaced_within_its_lease() {
    let world = World::new().await;
    let job = world.job("lost", |_| {}).await;
    let core = world.core();
    let id = world.trigger(&core, &job).await;
    claim_and_vanish(&world, Duration::from_secs(30)).await;
    let lost_at = world.now();
    let (_, engine) = world.node("b", succeed);
    let execution = world.until(id, ExecutionState::Succeeded, 2 * MINUTE).await;
    let after = execution.summary.completed_at.unwrap().since(lost_at);
    assert!(after >= Duration::from_secs(30) && after <= Duration::from_secs(36), "taken over after {after:?}");
    let outcomes: Vec<_> = execution.attempts().iter().map(|a| (a.number, a.outcome)).collect();
    assert_eq!(outcomes, [(1, AttemptOutcome::Lost), (2, AttemptOutcome::Succeeded)]);
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_workers_late_result_is_refused() {
    let world = World::new().await;
    let job = world.job("late", |_| {}).await;
    let core = world.core();
    let id = world.trigger(&core, &job).await;
    let late = claim_and_vanish(&world, Duration::from_secs(30)).await;
    let (_, engine) = world.node("b", succeed);
    world.until(id, ExecutionState::Succeeded, 2 * MINUTE).await;
    assert_eq!(world.store.settle(vec![late]).await.unwrap(), [Settled::Stale]);
    let execution = world.execution(id).await;
    assert_eq!(execution.output, None, "the late result was recorded");
    assert_eq!(execution.summary.worker.as_deref(), Some("b"));
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_execution_that_takes_every_worker_down_is_given_up() {
    let world = World::new().await;
    let job = world.job("poison", |_| {}).await;
    let core = world.core();
    let id = world.trigger(&core, &job).await;
    let reaper = horarium_scheduler_engine::engine::Reaper::new(world.core(), config("b"));
    for _ in 0..RetryPolicy::MAX_LOST_ATTEMPTS {
        claim_and_vanish(&world, SECOND).await;
        pass(2 * SECOND).await;
        assert_eq!(reaper.tick().await.unwrap(), 1);
        world.store.promote(world.now(), 10).await.unwrap();
    }
    let execution = world.execution(id).await;
    assert_eq!(execution.summary.lifecycle.state, ExecutionState::Failed);
    assert!(execution.error.unwrap().contains("given up after 10 lost attempts"));
}

#[tokio::test(start_paused = true)]
async fn two_nodes_fire_every_slot_once_and_on_time() {
    let world = World::new().await;
    let job = world.cron("ticks", "* * * * * *", |_| {}).await;
    let (_, first) = world.node("a", succeed);
    let (_, second) = world.node("b", succeed);
    pass(Duration::from_millis(60_500)).await;
    first.shutdown().await;
    second.shutdown().await;
    let filter = ExecutionFilter { job_id: Some(job.id), ..ExecutionFilter::default() };
    let page = world.store.executions(world.tenant, &filter, PageRequest { number: 1, size: 200 }).await.unwrap();
    let mut slots = BTreeMap::new();
    for execution in &page.items {
        *slots.entry(execution.scheduled_for).or_insert(0) += 1;
        let late = execution.created_at.since(execution.scheduled_for);
        assert!(late < Duration::from_millis(100), "{late:?} late");
    }
    let expected: BTreeMap<_, _> = (1..=60).map(|s| (BEGINNING + s * SECOND, 1)).collect();
    assert_eq!(slots, expected);
}

#[tokio::test(start_paused = true)]
async fn two_planners_that_plan_the_same_slot_fire_it_once() {
    let world = World::new().await;
    world.cron("ticks", "* * * * * *", |_| {}).await;
    let planners = [Planner::new(world.core(), config("a")), Planner::new(world.core(), config("b"))];
    for _ in 0..20 {
        pass(SECOND).await;
        let (a, b) = tokio::join!(planners[0].tick(), planners[1].tick());
        assert_eq!(a.unwrap() + b.unwrap(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn planners_share_a_burst_and_fire_each_slot_once() {
    const JOBS: usize = 2_300;
    let world = World::new().await;
    for number in 0..JOBS {
        world.cron(&format!("job-{number}"), "0 * * * * *", |_| {}).await;
    }
    pass(MINUTE).await;
    let planners = [Planner::new(world.core(), config("a")), Planner::new(world.core(), config("b"))];
    let (a, b) = tokio::join!(planners[0].tick(), planners[1].tick());
    assert_eq!(a.unwrap() + b.unwrap(), JOBS);
    let (a, b) = tokio::join!(planners[0].tick(), planners[1].tick());
    assert_eq!(a.unwrap() + b.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_node_of_no_concurrency_plans_and_is_well_and_leaves_the_work_to_others() {
    let world = World::new().await;
    let job = world.cron("ticks", "* * * * * *", |_| {}).await;
    let (_, engine) = world.node_with(EngineConfig { concurrency: 0, ..config("a") }, succeed);
    pass(Duration::from_millis(10_500)).await;
    assert_eq!(engine.health().stalled(), []);
    engine.shutdown().await;
    let filter = ExecutionFilter { job_id: Some(job.id), ..ExecutionFilter::default() };
    let page = world.store.executions(world.tenant, &filter, PageRequest { number: 1, size: 200 }).await.unwrap();
    let states: Vec<_> = page.items.iter().map(|execution| execution.lifecycle.state).collect();
    assert_eq!(states, [ExecutionState::Pending; 10]);
}

#[tokio::test(start_paused = true)]
async fn slots_missed_while_nobody_ran_are_treated_as_the_job_says() {
    for (policy, fired, skipped) in
        [(MisfirePolicy::Skip, 2, 8), (MisfirePolicy::FireOnce, 3, 7), (MisfirePolicy::FireAll, 10, 0)]
    {
        let world = World::new().await;
        let job = world.cron("missed", "0 * * * * *", |spec| spec.misfire_policy = policy).await;
        // Ten slots pass; the last two are within the minute that still counts as on time.
        pass(10 * MINUTE).await;
        let planner = Planner::new(world.core(), config("a"));
        assert_eq!(planner.tick().await.unwrap(), fired, "{policy:?}");
        let record = world.store.skipped_slots(world.tenant, job.id, 100).await.unwrap();
        assert_eq!(record.iter().map(|s| s.count).sum::<u64>(), skipped, "{policy:?}: {record:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_hands_back_what_it_cannot_finish_and_loses_nothing() {
    let world = World::new().await;
    let mut settings = config("a");
    settings.concurrency = 10;
    settings.shutdown_grace = 2 * SECOND;
    settings.stop_grace = SECOND;
    let (core, engine) = world.node_with(settings, never_ends);
    let job = world.job("many", |_| {}).await;
    let mut ids = Vec::new();
    for _ in 0..100 {
        ids.push(world.trigger(&core, &job).await);
    }
    world.until(ids[0], ExecutionState::Running, MINUTE).await;
    let began = world.now();
    engine.shutdown().await;
    let took = world.now().since(began);
    assert!(took < 10 * SECOND, "shutdown took {took:?}");
    for id in &ids {
        let lifecycle = world.execution(*id).await.summary.lifecycle;
        assert_eq!(lifecycle, Lifecycle::NEW, "handed back, and the attempt taken back");
    }

    let (_, heir) = world.node("b", succeed);
    for id in ids {
        world.until(id, ExecutionState::Succeeded, SECOND).await;
    }
    heir.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn work_that_gives_up_because_the_node_shuts_down_is_handed_back_and_not_failed() {
    let world = World::new().await;
    let settings = EngineConfig { shutdown_grace: SECOND, ..config("a") };
    let (core, engine) = world.node_with(settings, |run: Run| async move {
        run.cancellation.cancelled().await;
        Outcome::failed(Failure::retryable("stopped"))
    });
    let job = world.job("gives up", |_| {}).await;
    let mut ids = Vec::new();
    for _ in 0..50 {
        ids.push(world.trigger(&core, &job).await);
    }
    world.until(ids[49], ExecutionState::Running, MINUTE).await;
    engine.shutdown().await;
    for id in ids {
        assert_eq!(world.execution(id).await.summary.lifecycle, Lifecycle::NEW);
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_lets_work_finish_within_the_grace_time() {
    let world = World::new().await;
    let (core, engine) = world.node("a", |_| async {
        pass(5 * SECOND).await;
        Outcome::succeeded()
    });
    let job = world.job("short", |_| {}).await;
    let id = world.trigger(&core, &job).await;
    world.until(id, ExecutionState::Running, MINUTE).await;
    engine.shutdown().await;
    assert_eq!(world.state(id).await, ExecutionState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn no_more_attempts_run_at_once_than_the_node_allows() {
    let world = World::new().await;
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut settings = config("a");
    settings.concurrency = 7;
    let (counted, peak) = (Arc::clone(&running), Arc::clone(&most));
    let (core, engine) = world.node_with(settings, move |_| {
        let (counted, peak) = (Arc::clone(&counted), Arc::clone(&peak));
        async move {
            peak.fetch_max(counted.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            pass(SECOND).await;
            counted.fetch_sub(1, Ordering::SeqCst);
            Outcome::succeeded()
        }
    });
    let job = world.job("many", |_| {}).await;
    let mut last = None;
    for _ in 0..70 {
        last = Some(world.trigger(&core, &job).await);
    }
    let execution = world.until(last.unwrap(), ExecutionState::Succeeded, MINUTE).await;
    assert_eq!(most.load(Ordering::SeqCst), 7);
    let took = execution.summary.completed_at.unwrap().since(BEGINNING);
    assert!(took < 12 * SECOND, "seventy seconds of work on seven slots took {took:?}");
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_forbids_overlap_skips_the_slots_that_come_while_it_runs() {
    let world = World::new().await;
    let job = world.cron("forbids", "*/10 * * * * *", |spec| spec.concurrency_policy = ConcurrencyPolicy::Forbid).await;
    let (_, engine) = world.node("a", |_| async {
        pass(Duration::from_secs(25)).await;
        Outcome::succeeded()
    });
    pass(Duration::from_secs(61)).await;
    let filter = ExecutionFilter { job_id: Some(job.id), ..ExecutionFilter::default() };
    let page = world.store.executions(world.tenant, &filter, PageRequest::default()).await.unwrap();
    let mut slots: Vec<_> = page.items.iter().map(|e| e.scheduled_for.since(BEGINNING).as_secs()).collect();
    slots.sort_unstable();
    // It runs from 10 to 35 and from 40 to 65; the slots between are skipped and recorded.
    assert_eq!(slots, [10, 40]);
    let skipped = world.store.skipped_slots(world.tenant, job.id, 100).await.unwrap();
    assert_eq!(skipped.iter().map(|s| s.count).sum::<u64>(), 4);
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_replaces_stops_the_earlier_run() {
    let world = World::new().await;
    let job =
        world.cron("replaces", "*/10 * * * * *", |spec| spec.concurrency_policy = ConcurrencyPolicy::Replace).await;
    let (_, engine) = world.node("a", never_ends);
    pass(Duration::from_secs(31)).await;
    let filter = ExecutionFilter { job_id: Some(job.id), ..ExecutionFilter::default() };
    let page = world.store.executions(world.tenant, &filter, PageRequest::default()).await.unwrap();
    let states: Vec<_> = page.items.iter().rev().map(|e| e.lifecycle.state).collect();
    assert_eq!(states, [ExecutionState::Cancelled, ExecutionState::Cancelled, ExecutionState::Running]);
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_tenants_backlog_does_not_hold_up_a_later_wake() {
    // A handler that waits for a permit shows that claims go on while all earlier work is stuck.
    let world = World::new().await;
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let (core, engine) = world.node("a", move |run: Run| {
        let waiting = Arc::clone(&waiting);
        async move {
            if run.job.spec.name == "stuck" {
                let _permit = waiting.acquire().await;
            }
            Outcome::succeeded()
        }
    });
    let stuck = world.job("stuck", |_| {}).await;
    let quick = world.job("quick", |_| {}).await;
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(world.trigger(&core, &stuck).await);
    }
    let id = world.trigger(&core, &quick).await;
    world.until(id, ExecutionState::Succeeded, SECOND).await;
    gate.add_permits(100);
    for id in held {
        world.until(id, ExecutionState::Succeeded, SECOND).await;
    }
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_database_delays_ends_and_loses_none() {
    let world = World::new().await;
    let (core, engine) = world.node("a", succeed);
    let job = world.job("many", |_| {}).await;
    world.memory.disturb(Disturbance { latency: 5 * SECOND, ..Disturbance::default() });
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(world.trigger(&core, &job).await);
    }
    for id in ids {
        let execution = world.until(id, ExecutionState::Succeeded, 2 * MINUTE).await;
        assert_eq!(execution.summary.lifecycle, Lifecycle { state: ExecutionState::Succeeded, attempt: 1, lost: 0 });
    }
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn work_that_ends_while_the_database_is_away_is_recorded_when_it_is_back() {
    let world = World::new().await;
    let (core, engine) = world.node("a", |_| async {
        pass(3 * SECOND).await;
        Outcome::succeeded()
    });
    let job = world.job("through the outage", |_| {}).await;
    let id = world.trigger(&core, &job).await;
    world.until(id, ExecutionState::Running, MINUTE).await;
    world.memory.disturb(Disturbance { unavailable: true, ..Disturbance::default() });
    pass(15 * SECOND).await;
    assert_eq!(world.state(id).await, ExecutionState::Running);
    world.memory.disturb(Disturbance::default());
    let execution = world.until(id, ExecutionState::Succeeded, 5 * SECOND).await;
    assert_eq!(execution.summary.lifecycle.attempt, 1, "done once");
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn answers_that_get_lost_cost_attempts_but_no_execution() {
    let world = World::new().await;
    let (core, engine) = world.node("a", succeed);
    let job = world.job("through the fog", |_| {}).await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(world.trigger(&core, &job).await);
        world.memory.disturb(Disturbance { answers_lost: ids.len() % 2 == 0, ..Disturbance::default() });
        pass(Duration::from_millis(700)).await;
        world.memory.disturb(Disturbance::default());
    }
    for id in ids {
        world.until(id, ExecutionState::Succeeded, 2 * MINUTE).await;
    }
    engine.shutdown().await;
}
