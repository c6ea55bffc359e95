//! Limits of queues and jobs, kept across all nodes and followed when they change.

use horarium_domain::execution::NewExecution;
use horarium_domain::job::{ConcurrencyPolicy, Job};
use horarium_domain::queue::QueueLimits;

use crate::World;
use crate::world::{Run, at, at_millis, ids_of, lost, retry};

/// Claims through both nodes at once until neither finds more.
pub(crate) async fn claim_all(world: &World, seconds: i64) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut idle_rounds = 0;
    while idle_rounds < 3 {
        let (first, second) =
            tokio::join!(world.claim_on(&world.a, 10, at(seconds)), world.claim_on(&world.b, 10, at(seconds)));
        idle_rounds = if first.is_empty() && second.is_empty() { idle_rounds + 1 } else { 0 };
        runs.extend(first);
        runs.extend(second);
    }
    runs
}

pub async fn a_queues_concurrency_limit_holds_over_two_nodes(world: World) {
    let tenant = world.tenant().await;
    world.limit_queue(tenant, |queue| queue.max_concurrency = Some(3)).await;
    let (first, second) = (world.job(tenant).await, world.job(tenant).await);
    world.submit_many(&first, 20).await;
    world.submit_many(&second, 20).await;

    let mut runs = claim_all(&world, 0).await;
    assert_eq!(runs.len(), 3, "the queue's limit is over all of its jobs");
    // Whatever way an attempt ends, its place is free again.
    world.succeed(&runs.remove(0), at(1)).await;
    assert_eq!(claim_all(&world, 1).await.len(), 1);
    world.settle(retry(&runs.remove(0), at(2), at(600))).await;
    assert_eq!(claim_all(&world, 2).await.len(), 1);
    world.a.cancel(tenant, runs[0].lease.execution_id, "alice", at(3)).await.unwrap();
    assert_eq!(claim_all(&world, 3).await.len(), 1);
}

pub async fn the_limit_holds_for_what_is_promoted_and_what_is_taken_over(world: World) {
    let tenant = world.tenant().await;
    world.limit_queue(tenant, |queue| queue.max_concurrency = Some(1)).await;
    let job = world.job(tenant).await;
    for _ in 0..5 {
        world.submit(world.execution_at(&job, at(10))).await;
    }
    assert_eq!(world.a.promote(at(10), 100).await.unwrap().count, 5);
    let run = world.claim_one(at(10)).await;
    assert!(claim_all(&world, 11).await.is_empty());

    world.settle(lost(&run, at(100))).await;
    let runs = claim_all(&world, 100).await;
    assert_eq!(runs.len(), 1);
    world.settle(retry(&runs[0], at(101), at(101))).await;
    assert_eq!(claim_all(&world, 101).await.len(), 1);
}

pub async fn a_queue_of_the_same_name_elsewhere_has_its_own_limits(world: World) {
    let limited = world.tenant().await;
    world.limit_queue(limited, |queue| queue.max_concurrency = Some(1)).await;
    let other = world.tenant().await;
    world.submit_many(&world.job(limited).await, 5).await;
    world.submit_many(&world.job(other).await, 5).await;
    let runs = claim_all(&world, 0).await;
    assert_eq!(runs.iter().filter(|run| run.tenant_id == limited).count(), 1);
    assert_eq!(runs.iter().filter(|run| run.tenant_id == other).count(), 5);
}

pub async fn a_paused_queue_starts_nothing_until_it_is_resumed(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let earlier = world.submit_one(&job).await;
    world.limit_queue(tenant, |queue| queue.paused = true).await;
    let later = world.submit_one(&job).await;
    let timed = world.submit(world.execution_at(&job, at(5))).await;
    world.a.promote(at(5), 10).await.unwrap();
    assert!(claim_all(&world, 5).await.is_empty());

    world.limit_queue(tenant, |queue| queue.paused = false).await;
    assert_eq!(ids_of(&claim_all(&world, 6).await), [earlier, later, timed]);
}

pub async fn what_runs_when_its_queue_is_paused_runs_on(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.submit_one(&job).await;
    let run = world.claim_one(at(0)).await;
    world.limit_queue(tenant, |queue| queue.paused = true).await;
    assert_eq!(world.a.renew(&[run.lease], at(60)).await.unwrap(), [run.lease]);
    world.succeed(&run, at(1)).await;
}

pub async fn a_rate_limit_spreads_starts_over_time(world: World) {
    let tenant = world.tenant().await;
    world.limit_queue(tenant, |queue| queue.rate_limit_per_second = Some(4)).await;
    let job = world.job(tenant).await;
    world.submit_many(&job, 40).await;

    assert_eq!(claim_all(&world, 0).await.len(), 4, "one second's worth at once");
    assert_eq!(claim_all(&world, 0).await.len(), 0);
    assert_eq!(world.claim(10, at_millis(500)).await.len(), 2);
    assert_eq!(world.claim(10, at_millis(600)).await.len(), 0);
    assert_eq!(world.claim(10, at_millis(800)).await.len(), 1, "a part of a start is saved until it is whole");
    // Idle time is not saved up beyond one second.
    assert_eq!(claim_all(&world, 60).await.len(), 4);
    // A node whose clock is behind gains nothing by it, and costs nothing.
    assert_eq!(claim_all(&world, 59).await.len(), 0);
    assert_eq!(claim_all(&world, 61).await.len(), 4);
    // Nor is what was filled in up to an instant filled in again for a claim that read the clock before it.
    assert_eq!(world.claim(2, at(70)).await.len(), 2);
    assert_eq!(world.claim(1, at(69)).await.len(), 1);
    assert_eq!(claim_all(&world, 70).await.len(), 1);
}

pub async fn limits_that_change_are_followed_by_what_waits_already(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.submit_many(&job, 20).await;
    world.submit(world.execution_at(&job, at(5))).await;

    world.limit_queue(tenant, |queue| queue.max_concurrency = Some(4)).await;
    let mut runs = claim_all(&world, 0).await;
    assert_eq!(runs.len(), 4);
    // Lower than what runs: nothing starts until enough have ended, and nothing is stopped.
    world.limit_queue(tenant, |queue| queue.max_concurrency = Some(2)).await;
    for run in runs.drain(..2) {
        world.succeed(&run, at(1)).await;
        assert!(claim_all(&world, 1).await.is_empty());
    }
    world.succeed(&runs.remove(0), at(2)).await;
    assert_eq!(claim_all(&world, 2).await.len(), 1);
    world.limit_queue(tenant, |queue| queue.max_concurrency = Some(5)).await;
    assert_eq!(claim_all(&world, 3).await.len(), 3);
    world.limit_queue(tenant, |_| {}).await;
    world.a.promote(at(5), 10).await.unwrap();
    assert_eq!(claim_all(&world, 5).await.len(), 21 - 8);
}

pub async fn a_jobs_concurrency_limit_holds_over_two_nodes(world: World) {
    let tenant = world.tenant().await;
    let job = world.job_with(tenant, |spec| spec.max_concurrency = Some(2)).await;
    let free = world.job(tenant).await;
    world.submit_many(&job, 10).await;
    world.submit_many(&free, 10).await;
    let runs = claim_all(&world, 0).await;
    let mut limited: Vec<_> = runs.iter().filter(|run| run.job_id == job.id).collect();
    assert_eq!((limited.len(), runs.len()), (2, 12));
    world.succeed(limited.remove(0), at(1)).await;
    assert_eq!(claim_all(&world, 1).await.len(), 1);
}

pub async fn a_jobs_limit_that_changes_is_followed_by_what_waits_already(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.submit_many(&job, 12).await;
    world.submit(world.execution_at(&job, at(5))).await;
    let job = world.change_job(&job, None, |job| job.spec.max_concurrency = Some(3)).await;
    assert_eq!(claim_all(&world, 0).await.len(), 3);
    let job = world.change_job(&job, None, |job| job.spec.max_concurrency = Some(5)).await;
    assert_eq!(claim_all(&world, 1).await.len(), 2);
    world.change_job(&job, None, |job| job.spec.max_concurrency = None).await;
    world.a.promote(at(5), 10).await.unwrap();
    assert_eq!(claim_all(&world, 5).await.len(), 13 - 5);
}

pub async fn forbid_and_replace_let_one_run_at_a_time(world: World) {
    let tenant = world.tenant().await;
    for policy in [ConcurrencyPolicy::Forbid, ConcurrencyPolicy::Replace] {
        let job = world.job_with(tenant, |spec| spec.concurrency_policy = policy).await;
        let ids = world.submit_many(&job, 3).await;
        for (turn, id) in (0..).zip(ids) {
            let runs = claim_all(&world, turn).await;
            assert_eq!(ids_of(&runs), [id], "{policy:?}: each waits its turn");
            world.succeed(&runs[0], at(turn)).await;
        }
    }
}

pub async fn every_limit_that_concerns_an_execution_is_kept(world: World) {
    let tenant = world.tenant().await;
    let limits = |name: &str, max_concurrency| QueueLimits {
        max_concurrency: Some(max_concurrency),
        ..QueueLimits::none(name.parse().unwrap())
    };
    world.a.set_queue(tenant, limits("narrow", 2)).await.unwrap();
    world.a.set_queue(tenant, limits("wide", 6)).await.unwrap();
    // One job in two queues: its own limit of 5 is over both.
    let job = world.job_with(tenant, |spec| spec.max_concurrency = Some(5)).await;
    let into = |queue: &str, job: &Job| NewExecution { queue: queue.to_owned(), ..world.execution(job) };
    for _ in 0..10 {
        world.submit(into("narrow", &job)).await;
        world.submit(into("wide", &job)).await;
    }
    let runs = claim_all(&world, 0).await;
    assert_eq!(runs.len(), 5);
    let mut narrow = 0;
    for run in &runs {
        let queue = world.read(tenant, run.lease.execution_id).await.summary.queue;
        narrow += usize::from(queue == "narrow");
    }
    assert!(narrow <= 2, "{narrow} of 2");

    let other = world.job(tenant).await;
    for _ in 0..10 {
        world.submit(into("wide", &other)).await;
    }
    assert_eq!(claim_all(&world, 1).await.len(), 6 - (5 - narrow), "the queue has room for so many more");
}

pub async fn a_sweep_finds_nothing_to_mend_after_ordinary_changes(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.submit_many(&job, 5).await;
    world.limit_queue(tenant, |queue| queue.max_concurrency = Some(1)).await;
    world.change_job(&job, None, |job| job.spec.max_concurrency = Some(1)).await;
    assert_eq!(world.a.sweep_gates().await.unwrap(), 0);
    world.limit_queue(tenant, |_| {}).await;
    assert_eq!(world.a.sweep_gates().await.unwrap(), 0);
    assert_eq!(claim_all(&world, 0).await.len(), 1, "the job's own limit is still there");
}

pub async fn limits_hold_while_they_change_under_load(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let submitter = {
        let store = world.b.clone();
        let batches: Vec<Vec<_>> = (0..30).map(|_| (0..5).map(|_| world.execution(&job)).collect()).collect();
        tokio::spawn(async move {
            for batch in batches {
                store.enqueue(batch).await.unwrap();
            }
        })
    };
    for round in 0..10 {
        world.limit_queue(tenant, |queue| queue.max_concurrency = (round % 2 == 0).then_some(3)).await;
    }
    world.limit_queue(tenant, |queue| queue.max_concurrency = Some(3)).await;
    submitter.await.unwrap();
    world.a.sweep_gates().await.unwrap();
    assert_eq!(claim_all(&world, 0).await.len(), 3);
}
