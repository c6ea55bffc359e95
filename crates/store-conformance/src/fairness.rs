//! Fair claiming: no tenant waits for another one's backlog, and no limit of one queue starves what waits elsewhere.

use std::collections::BTreeMap;

use horarium_domain::TenantId;
use horarium_domain::execution::NewExecution;
use horarium_domain::store::SharedStore;

use crate::World;
use crate::world::{Run, at};

fn by_tenant(runs: &[Run]) -> BTreeMap<TenantId, usize> {
    let mut counts = BTreeMap::new();
    for run in runs {
        *counts.entry(run.tenant_id).or_default() += 1;
    }
    counts
}

pub async fn a_tenants_long_queue_does_not_keep_anothers_execution_waiting(world: World) {
    let busy = world.job(world.tenant().await).await;
    let quiet = world.job(world.tenant().await).await;
    world.submit_many(&busy, 10_000).await;
    world.submit_one(&quiet).await;
    let runs = world.claim(10, at(0)).await;
    assert_eq!(runs.len(), 10);
    assert_eq!(by_tenant(&runs).get(&quiet.tenant_id), Some(&1));
}

pub async fn priority_counts_within_a_tenant_and_not_against_others(world: World) {
    let loud = world.job_with(world.tenant().await, |spec| spec.priority = 100).await;
    let modest = world.job_with(world.tenant().await, |spec| spec.priority = -100).await;
    world.submit_many(&loud, 50).await;
    world.submit_many(&modest, 50).await;
    let counts = by_tenant(&world.claim(20, at(0)).await);
    assert_eq!(counts, BTreeMap::from([(loud.tenant_id, 10), (modest.tenant_id, 10)]));
}

pub async fn what_one_tenant_leaves_of_its_share_the_others_take(world: World) {
    let mut jobs = Vec::new();
    for waiting in [100, 100, 3] {
        let job = world.job(world.tenant().await).await;
        world.submit_many(&job, waiting).await;
        jobs.push(job);
    }
    let counts = by_tenant(&world.claim(30, at(0)).await);
    assert_eq!(counts.values().sum::<usize>(), 30, "nothing of the batch is wasted");
    assert_eq!(counts[&jobs[2].tenant_id], 3);
    assert!(counts[&jobs[0].tenant_id] >= 10 && counts[&jobs[1].tenant_id] >= 10, "{counts:?}");
}

pub async fn a_node_that_claims_one_by_one_serves_every_tenant(world: World) {
    let mut jobs = Vec::new();
    for waiting in [500, 500, 1] {
        let job = world.job(world.tenant().await).await;
        world.submit_many(&job, waiting).await;
        jobs.push(job);
    }
    // Whether tenants take turns or are drawn by lot: a hundred claims leave none out.
    let mut served = BTreeMap::new();
    for _ in 0..100 {
        for run in world.claim(1, at(0)).await {
            *served.entry(run.tenant_id).or_insert(0) += 1;
        }
    }
    assert!(jobs.iter().all(|job| served.contains_key(&job.tenant_id)), "{served:?}");
}

pub async fn more_tenants_than_a_batch_holds_are_all_served_in_turn(world: World) {
    let mut jobs = Vec::new();
    for _ in 0..100 {
        let job = world.job(world.tenant().await).await;
        world.submit_many(&job, 2).await;
        jobs.push(job);
    }
    let mut served = 0;
    for _ in 0..20 {
        served += world.claim(10, at(0)).await.len();
    }
    assert_eq!(served, 200);
}

/// Claims ten at a time, topping up the backlog, until an execution of `wanted` is among them; answers how many
/// batches that took.
async fn batches_until(
    world: &World,
    store: &SharedStore,
    backlog: &horarium_domain::job::Job,
    wanted: TenantId,
) -> usize {
    for batch in 1..=20 {
        let runs = world.claim_on(store, 10, at(batch)).await;
        if runs.iter().any(|run| run.tenant_id == wanted && run.job_id != backlog.id) {
            return usize::try_from(batch).unwrap_or_default();
        }
        world.submit_many(backlog, 10).await;
    }
    usize::MAX
}

pub async fn a_queue_with_limits_is_served_beside_another_tenants_long_queue(world: World) {
    let busy = world.job(world.tenant().await).await;
    let limited = world.tenant().await;
    world.limit_queue(limited, |queue| queue.max_concurrency = Some(2)).await;
    let job = world.job(limited).await;
    world.submit_many(&busy, 500).await;
    world.submit_many(&job, 5).await;
    assert_eq!(batches_until(&world, &world.a, &busy, limited).await, 1);
}

pub async fn a_queue_with_limits_is_served_beside_its_own_tenants_long_queue(world: World) {
    let tenant = world.tenant().await;
    world.limit_queue(tenant, |queue| queue.max_concurrency = Some(2)).await;
    let limited = world.job_with(tenant, |spec| spec.priority = 1).await;
    let free = world.job_with(tenant, |spec| spec.queue = "free".parse().unwrap()).await;
    world.submit_many(&free, 500).await;
    world.submit_many(&limited, 5).await;
    assert_eq!(batches_until(&world, &world.a, &free, tenant).await, 1, "it has the higher priority, too");
}

pub async fn what_a_limit_holds_back_does_not_hold_back_the_rest(world: World) {
    let tenant = world.tenant().await;
    world.limit_queue(tenant, |queue| queue.paused = true).await;
    let held = world.job_with(tenant, |spec| spec.priority = 100).await;
    let single = world
        .job_with(tenant, |spec| {
            spec.queue = "free".parse().unwrap();
            spec.priority = 50;
            spec.max_concurrency = Some(1);
        })
        .await;
    let free = world.job_with(tenant, |spec| spec.queue = "free".parse().unwrap()).await;
    world.submit_many(&held, 300).await;
    world.submit_many(&single, 300).await;
    world.submit_many(&free, 20).await;
    let limited_elsewhere = NewExecution { priority: 100, ..world.execution(&single) };
    world.submit(limited_elsewhere).await;

    let mut of_free = 0;
    let mut of_single = 0;
    for _ in 0..5 {
        for run in world.claim(10, at(0)).await {
            of_free += usize::from(run.job_id == free.id);
            of_single += usize::from(run.job_id == single.id);
            assert_ne!(run.job_id, held.id);
        }
    }
    assert_eq!((of_free, of_single), (20, 1));
}

pub async fn what_is_under_a_limit_is_served_within_a_few_claims_and_takes_nothing_from_the_rest(world: World) {
    let busy = world.job(world.tenant().await).await;
    let limited = world.tenant().await;
    world.submit_many(&busy, 500).await;
    for _ in 0..5 {
        assert_eq!(world.claim(10, at(0)).await.len(), 10);
    }
    // It comes while the claims are full without it.
    world.limit_queue(limited, |queue| queue.max_concurrency = Some(2)).await;
    world.submit_many(&world.job(limited).await, 50).await;
    let mut running = Vec::new();
    for _ in 0..5 {
        let runs = world.claim(10, at(1)).await;
        assert_eq!(runs.len(), 10, "what the limit holds back leaves its places to others");
        running.extend(runs.into_iter().filter(|run| run.tenant_id == limited));
    }
    assert_eq!(running.len(), 2);

    // And again as soon as there is room.
    world.succeed(&running.remove(0), at(2)).await;
    let mut started = 0;
    for _ in 0..5 {
        let runs = world.claim(10, at(3)).await;
        assert_eq!(runs.len(), 10);
        started += runs.iter().filter(|run| run.tenant_id == limited).count();
    }
    assert_eq!(started, 1);
}
