//! Forgetting: what is old goes, what lives stays, and the counters follow.

use std::time::Duration;

use horarium_domain::callback::NewCallback;
use horarium_domain::execution::{ExecutionState, NewExecution};
use horarium_domain::job::Job;
use horarium_domain::page::PageRequest;
use horarium_domain::stats::ROLLUP_WIDTHS;
use horarium_domain::store::{Conflict, ExecutionFilter, RollupWindow, SkippedSlots, StateCounts, StoreError};
use horarium_domain::{TenantId, Timestamp};

use crate::World;
use crate::world::{START, assert_not_found, at, retry};

pub async fn pruning_takes_what_ended_before_and_leaves_the_rest(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let job = world.job(tenant).await;
    let waiting = world.submit(world.execution_at(&job, at(50_000))).await;
    let old = world.run(&job, at(1), at(9), ExecutionState::Succeeded).await;
    let cancelled = world.submit_one(&job).await;
    world.a.cancel(tenant, cancelled, "alice", at(9)).await.unwrap();
    let long = world.run(&job, at(1), at(10), ExecutionState::Failed).await;
    let running = world.submit_one(&job).await;
    world.claim_one(at(1)).await;
    let elsewhere = world.job(other).await;
    let others = world.run(&elsewhere, at(1), at(2), ExecutionState::Succeeded).await;

    assert_eq!(world.b.prune_executions(tenant, at(10), 100).await.unwrap(), 2);
    assert_not_found(world.a.execution(tenant, old).await);
    assert_not_found(world.a.execution(tenant, cancelled).await);
    for (tenant, id) in [(tenant, long), (tenant, waiting), (tenant, running), (other, others)] {
        world.read(tenant, id).await;
    }
    let page = world.a.executions(tenant, &ExecutionFilter::default(), PageRequest::default()).await.unwrap();
    assert_eq!(page.total, 3);
    assert_eq!(world.a.prune_executions(tenant, at(10), 100).await.unwrap(), 0);
}

pub async fn pruning_goes_on_where_its_limit_stopped_it(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.submit_many(&job, 25).await;
    for run in world.claim(25, at(0)).await {
        world.succeed(&run, at(1)).await;
    }
    let mut removed = Vec::new();
    for _ in 0..4 {
        removed.push(world.a.prune_executions(tenant, at(2), 10).await.unwrap());
    }
    assert_eq!(removed, [10, 10, 5, 0]);
}

pub async fn pruning_takes_executions_out_of_the_counters_and_not_out_of_the_rollups(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    for n in 1..=4 {
        world.run(&job, at(n * 10), at(n * 10 + n), ExecutionState::Succeeded).await;
    }
    world.run(&job, at(50), at(55), ExecutionState::Failed).await;
    world.run(&job, at(60), at(66), ExecutionState::Cancelled).await;
    world.run(&job, at(70), at(77), ExecutionState::Failed).await;
    let window = RollupWindow { width: Duration::from_hours(1), from: at(-7200), to: at(7200) };
    let rollup = world.a.timeline(tenant, Some(job.id), window).await.unwrap();

    // All but the third and fourth success and the last failure.
    world.a.prune_executions(tenant, at(30), 100).await.unwrap();
    let (counters, histogram) = world.a.job_statistics(tenant, job.id).await.unwrap();
    assert_eq!((counters.succeeded, counters.failed, counters.cancelled), (2, 2, 1));
    assert_eq!(counters.duration_ms, 3_000 + 4_000 + 5_000 + 7_000);
    assert_eq!(histogram.iter().map(|(_, count)| count).sum::<i64>(), 4);
    assert_eq!(world.a.reconcile_counters(tenant).await.unwrap(), []);

    world.a.prune_executions(tenant, at(1000), 100).await.unwrap();
    let (counters, histogram) = world.a.job_statistics(tenant, job.id).await.unwrap();
    assert_eq!((counters.succeeded, counters.failed, counters.cancelled, counters.duration_ms), (0, 0, 0, 0));
    assert_eq!(histogram.iter().count(), 0);
    assert_eq!(world.a.timeline(tenant, Some(job.id), window).await.unwrap(), rollup);
    let summary = world.summary(&job).await;
    assert_eq!(summary.consecutive_failures, 2, "what is known of its health outlives its history");
    assert_eq!(summary.last_run.unwrap().completed_at, at(77));
    assert_eq!(world.a.reconcile_counters(tenant).await.unwrap(), []);
}

const DAY: Duration = Duration::from_hours(24);

/// Lets retention do its work; answers how many of the tenant's executions went.
async fn retire(world: &World, tenant: TenantId, before: Timestamp) -> u64 {
    let released = world.a.release_history(tenant, before).await.unwrap();
    let mut gone = released.executions;
    loop {
        let batch = world.b.prune_executions(tenant, released.singly_before, 3).await.unwrap();
        if batch == 0 {
            return gone;
        }
        gone += batch;
    }
}

/// An execution that is accepted at this time.
fn accepted_at(world: &World, job: &Job, time: Timestamp) -> NewExecution {
    NewExecution {
        id: world.ids.execution(time),
        created_at: time,
        scheduled_for: time,
        run_at: time,
        ..world.execution(job)
    }
}

pub async fn a_day_that_is_over_goes_and_what_outlives_it_stays(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let (midnight, evening, next) = ((START + DAY).floor_to(DAY), at(3600), START + DAY);
    world.a.prepare_history(START).await.unwrap();
    assert_eq!(world.b.prepare_history(START).await.unwrap(), 0, "it is prepared once");

    let asked = NewCallback { url: Some("https://example.com/".to_owned()), reference: None };
    let called_back = world.execution(&job);
    world.a.enqueue_with_callback(called_back.clone(), asked.clone(), None).await.unwrap();
    let run = world.claim_one(at(1)).await;
    world.settle(retry(&run, at(2), at(2))).await;
    let run = world.claim_one(at(2)).await;
    world.succeed(&run, at(4)).await;
    let failed = world.run(&job, at(5), at(8), ExecutionState::Failed).await;
    let cancelled = world.run(&job, at(9), evening, ExecutionState::Cancelled).await;
    let late = world.submit_one(&job).await;
    let late_run = world.claim_one(at(10)).await;
    world.settle(retry(&late_run, at(11), next)).await;
    let waiting = world.submit(world.execution_at(&job, next + DAY)).await;
    let waiting_called_back = world.execution_at(&job, next + DAY);
    world.a.enqueue_with_callback(waiting_called_back.clone(), asked, None).await.unwrap();
    assert_eq!(world.a.promote(next, 10).await.unwrap().count, 1);
    let late_run = world.claim_one(next).await;
    world.succeed(&late_run, next + Duration::from_secs(7)).await;
    let of_next = accepted_at(&world, &job, next);
    let of_next = world.submit(of_next).await;
    let run = world.claim_one(next).await;
    world.fail(&run, next + Duration::from_secs(2)).await;

    assert_eq!(retire(&world, tenant, midnight).await, 3);
    for gone in [called_back.id, failed, cancelled] {
        assert_not_found(world.b.execution(tenant, gone).await);
    }
    assert_eq!(world.a.callback(tenant, called_back.id).await.unwrap(), None);
    assert!(world.a.callback(tenant, waiting_called_back.id).await.unwrap().is_some());
    assert_eq!(world.read(tenant, late).await.events.len(), 1, "what stays keeps its events");
    let (counters, histogram) = world.a.job_statistics(tenant, job.id).await.unwrap();
    assert_eq!((counters.succeeded, counters.failed, counters.cancelled, counters.pending), (1, 1, 0, 2));
    // From its last attempt on.
    assert_eq!(counters.duration_ms, 7_000 + 2_000);
    assert_eq!(histogram.iter().map(|(_, count)| count).sum::<i64>(), 2);
    assert_eq!(world.a.reconcile_counters(tenant).await.unwrap(), []);
    let page = world.a.executions(tenant, &ExecutionFilter::default(), PageRequest::default()).await.unwrap();
    let listed: Vec<_> = page.items.iter().map(|item| item.id).collect();
    assert_eq!((page.total, listed), (4, vec![of_next, waiting_called_back.id, waiting, late]));
    assert_eq!(retire(&world, tenant, midnight).await, 0);

    // What waited runs at its time, and is a part of the history like any other.
    assert_eq!(world.b.promote(next + DAY, 10).await.unwrap().count, 2);
    for run in world.claim(2, next + DAY).await {
        world.succeed(&run, next + DAY + Duration::from_secs(1)).await;
    }
    assert_eq!(world.b.job_statistics(tenant, job.id).await.unwrap().0.succeeded, 3);
    assert_eq!(world.a.reconcile_counters(tenant).await.unwrap(), []);
    // Days later nobody keeps any of it.
    assert_eq!(retire(&world, tenant, midnight + 4 * DAY).await, 4);
    assert_eq!(world.a.state_counts(tenant).await.unwrap(), StateCounts::default());
    assert_eq!(world.a.reconcile_counters(tenant).await.unwrap(), []);
}

pub async fn a_day_that_another_tenant_keeps_is_kept_for_that_one(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    world.a.prepare_history(START).await.unwrap();
    let (job, theirs) = (world.job(tenant).await, world.job(other).await);
    for n in 0..4 {
        world.run(&job, at(n), at(n + 1), ExecutionState::Succeeded).await;
    }
    let kept = world.run(&theirs, at(1), at(2), ExecutionState::Failed).await;
    let midnight = (START + DAY).floor_to(DAY);
    // A store may wait a day for the others.
    assert_eq!(retire(&world, tenant, midnight).await + retire(&world, tenant, midnight + DAY).await, 4);
    assert_eq!(world.read(other, kept).await.summary.lifecycle.state, ExecutionState::Failed);
    assert_eq!(world.a.state_counts(tenant).await.unwrap(), StateCounts::default());
    let left = StateCounts { failed: 1, ..StateCounts::default() };
    assert_eq!(world.a.state_counts(other).await.unwrap(), left);

    assert_eq!(retire(&world, other, midnight + DAY).await, 1);
    assert_not_found(world.a.execution(other, kept).await);
    for tenant in [tenant, other] {
        assert_eq!(world.a.state_counts(tenant).await.unwrap(), StateCounts::default());
        assert_eq!(world.a.reconcile_counters(tenant).await.unwrap(), []);
    }
}

pub async fn tenants_that_keep_the_same_lose_the_same(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    world.a.prepare_history(START).await.unwrap();
    let (job, theirs) = (world.job(tenant).await, world.job(other).await);
    world.run(&job, at(1), at(2), ExecutionState::Succeeded).await;
    world.run(&theirs, at(1), at(3), ExecutionState::Failed).await;
    let midnight = (START + DAY).floor_to(DAY);
    for tenant in [tenant, other] {
        retire(&world, tenant, midnight).await;
    }
    for tenant in [tenant, other] {
        assert_eq!(world.b.state_counts(tenant).await.unwrap(), StateCounts::default());
        assert_eq!(world.b.reconcile_counters(tenant).await.unwrap(), []);
    }
}

pub async fn nothing_is_refused_for_the_time_that_its_id_tells(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.a.prepare_history(START).await.unwrap();
    world.run(&job, at(1), at(2), ExecutionState::Succeeded).await;
    let midnight = (START + DAY).floor_to(DAY);
    assert_eq!(retire(&world, tenant, midnight).await, 1);
    // By a clock that is a day behind, and by one that is a year ahead.
    let behind = world.submit(world.execution(&job)).await;
    let year = 366 * DAY;
    let ahead = world.submit(accepted_at(&world, &job, START + year)).await;
    for run in world.claim(1, START + DAY).await {
        world.succeed(&run, START + DAY).await;
    }
    assert_eq!(world.read(tenant, behind).await.summary.lifecycle.state, ExecutionState::Succeeded);
    // In time that day comes.
    world.a.prepare_history(START + year).await.unwrap();
    assert_eq!(world.read(tenant, ahead).await.summary.lifecycle.state, ExecutionState::Pending);
    assert_eq!(world.a.promote(START + year, 10).await.unwrap().count, 0);
    let run = world.claim_one(START + year).await;
    world.succeed(&run, START + year).await;
    let page = world.a.executions(tenant, &ExecutionFilter::default(), PageRequest::default()).await.unwrap();
    assert_eq!(page.items.iter().map(|item| item.id).collect::<Vec<_>>(), [ahead, behind]);
    assert_eq!(retire(&world, tenant, midnight + year + DAY).await, 2);
    assert_eq!(world.a.reconcile_counters(tenant).await.unwrap(), []);
}

pub async fn a_pruned_execution_takes_its_events_along(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let id = world.submit_one(&job).await;
    let run = world.claim_one(at(0)).await;
    world.settle(retry(&run, at(1), at(1))).await;
    let run = world.claim_one(at(1)).await;
    world.succeed(&run, at(2)).await;
    assert_eq!(world.a.prune_executions(tenant, at(3), 10).await.unwrap(), 1);
    // The same id submitted anew is a new execution without a past.
    let again = horarium_domain::execution::NewExecution { id, ..world.execution(&job) };
    world.submit(again).await;
    assert!(world.read(tenant, id).await.events.is_empty());
}

pub async fn one_that_is_over_can_be_deleted_by_itself(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let job = world.job(tenant).await;
    let ids = world.submit_many(&job, 3).await;
    let runs = world.claim(2, at(1)).await;
    world.succeed(&runs[0], at(2)).await;
    for (of, id) in [(other, ids[0]), (tenant, world.ids.execution(at(0)))] {
        assert!(matches!(world.a.delete_execution(of, id).await, Err(StoreError::NotFound(_))));
    }
    for live in [ids[1], ids[2]] {
        let refused = world.a.delete_execution(tenant, live).await;
        assert!(matches!(refused, Err(StoreError::Conflict(Conflict::ExecutionRunning))), "{refused:?}");
    }
    world.a.delete_execution(tenant, ids[0]).await.unwrap();
    assert!(matches!(world.b.execution(tenant, ids[0]).await, Err(StoreError::NotFound(_))));
    let left = StateCounts { pending: 1, running: 1, ..StateCounts::default() };
    assert_eq!(world.b.state_counts(tenant).await.unwrap(), left);
}

pub async fn old_rollups_and_skipped_slots_go_and_recent_ones_stay(world: World) {
    let tenant = world.tenant().await;
    let job = world.scheduled_job(tenant, at(60)).await;
    let year = Duration::from_hours(366 * 24);
    let skipped =
        |recorded_at| SkippedSlots { first: at(60), last: at(60), count: 1, reason: "missed".to_owned(), recorded_at };
    let firing = horarium_domain::store::Firing {
        executions: Vec::new(),
        skipped: vec![skipped(START), skipped(START + year)],
        ..world.firing(&job, at(60), None)
    };
    world.a.fire(vec![firing]).await.unwrap();
    world.run(&job, at(0), at(1), ExecutionState::Succeeded).await;
    world.run(&job, START + year, START + year, ExecutionState::Failed).await;

    assert!(world.b.prune_rollups(START + year + Duration::from_mins(1)).await.unwrap() >= 3);
    for width in ROLLUP_WIDTHS {
        let window = RollupWindow { width, from: (START - year).floor_to(width), to: START + year + year };
        let buckets = world.a.timeline(tenant, None, window).await.unwrap().buckets;
        assert_eq!(buckets.len(), 1, "{width:?}: {buckets:?}");
        assert_eq!(buckets[0].1.failed, 1);
    }
    let left = world.a.skipped_slots(tenant, job.id, 10).await.unwrap();
    assert_eq!(left, [skipped(START + year)]);
    assert_eq!(world.a.job_statistics(tenant, job.id).await.unwrap().0.succeeded, 1, "executions are not its business");
    assert_eq!(world.b.prune_rollups(START + year + Duration::from_mins(1)).await.unwrap(), 0);
}

pub async fn a_fresh_database_is_sound(world: World) {
    let answers: [Result<(), StoreError>; 2] = [world.a.check().await, world.b.check().await];
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    // Where there is another clock, it shows a time of this century.
    if let Some(time) = world.a.database_time().await.unwrap() {
        assert!(time > START);
    }
    assert_eq!(world.a.prune_rollups(at(0)).await.unwrap(), 0);
    assert_eq!(world.a.sweep_gates().await.unwrap(), 0);
}
