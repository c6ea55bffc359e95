//! What each tenant may use of the workers that all share: limits kept across all nodes, and shares by weight.

use std::collections::BTreeMap;

use horarium_domain::TenantId;
use horarium_domain::execution::NewExecution;
use horarium_domain::job::Job;
use horarium_domain::tenant::TenantLimits;

use crate::World;
use crate::gates::claim_all;
use crate::world::{Run, START, assert_not_found, at, at_millis};

/// How many executions of each job start in so many claims of this size, each tenant having more than enough.
async fn starts(world: &World, jobs: &[Job], claims: usize, size: usize) -> Vec<usize> {
    for job in jobs {
        world.submit_many(job, claims * size).await;
    }
    let mut counts: BTreeMap<TenantId, usize> = BTreeMap::new();
    for _ in 0..claims {
        let runs = world.claim(size, at(0)).await;
        assert_eq!(runs.len(), size, "nothing of the batch is wasted");
        for run in &runs {
            *counts.entry(run.tenant_id).or_default() += 1;
        }
    }
    jobs.iter().map(|job| counts.get(&job.tenant_id).copied().unwrap_or_default()).collect()
}

pub async fn a_tenants_limits_are_kept_until_they_are_lifted(world: World) {
    let tenant = world.tenant().await;
    assert_eq!(world.a.tenant_limits(tenant).await.unwrap(), TenantLimits::default());
    let limits = TenantLimits { weight: 7, max_concurrency: Some(3), rate_limit_per_second: None };
    world.a.set_tenant_limits(tenant, limits).await.unwrap();
    assert_eq!(world.b.tenant_limits(tenant).await.unwrap(), limits);
    let limits = TenantLimits { weight: 100, max_concurrency: None, rate_limit_per_second: Some(9) };
    world.a.set_tenant_limits(tenant, limits).await.unwrap();
    assert_eq!(world.b.tenant_limits(tenant).await.unwrap(), limits);
    world.a.set_tenant_limits(tenant, TenantLimits::default()).await.unwrap();
    assert_eq!(world.b.tenant_limits(tenant).await.unwrap(), TenantLimits::default());

    let nobody = world.ids.tenant(START);
    assert_not_found(world.a.tenant_limits(nobody).await);
    assert_not_found(world.a.set_tenant_limits(nobody, limits).await);
    world.a.set_tenant_limits(tenant, limits).await.unwrap();
    world.a.delete_tenant(tenant).await.unwrap();
    assert_not_found(world.a.tenant_limits(tenant).await);
}

pub async fn a_tenants_concurrency_limit_holds_over_two_nodes_and_all_queues(world: World) {
    let tenant = world.tenant().await;
    let other = world.job(world.tenant().await).await;
    world.limit_tenant(tenant, |limits| limits.max_concurrency = Some(5)).await;
    // Some of it is under limits of its own, some under none.
    world.limit_queue(tenant, |queue| queue.max_concurrency = Some(3)).await;
    let narrow = world.job(tenant).await;
    let free = world.job_with(tenant, |spec| spec.queue = "free".parse().unwrap()).await;
    world.submit_many(&narrow, 20).await;
    world.submit_many(&free, 20).await;
    world.submit_many(&other, 20).await;

    let runs = claim_all(&world, 0).await;
    let mut limited: Vec<Run> = runs.iter().filter(|run| run.tenant_id == tenant).cloned().collect();
    assert_eq!((limited.len(), runs.len() - limited.len()), (5, 20));
    assert!(runs.iter().all(|run| run.limited == (run.tenant_id == tenant)), "and each claim tells which it is");
    assert!(limited.iter().filter(|run| run.job_id == narrow.id).count() <= 3);
    world.succeed(&limited.remove(0), at(1)).await;
    assert_eq!(claim_all(&world, 1).await.len(), 1);
    world.a.cancel(tenant, limited[0].lease.execution_id, "alice", at(2)).await.unwrap();
    assert_eq!(claim_all(&world, 2).await.len(), 1);
}

pub async fn a_tenants_rate_limit_spreads_its_starts_over_time(world: World) {
    let tenant = world.tenant().await;
    world.limit_tenant(tenant, |limits| limits.rate_limit_per_second = Some(4)).await;
    world.submit_many(&world.job(tenant).await, 40).await;
    assert_eq!(claim_all(&world, 0).await.len(), 4, "one second's worth at once");
    assert_eq!(world.claim(10, at_millis(500)).await.len(), 2);
    assert_eq!(world.claim(10, at_millis(600)).await.len(), 0);
    // Idle time is not saved up beyond one second, and a clock that is behind gains nothing.
    assert_eq!(claim_all(&world, 60).await.len(), 4);
    assert_eq!(claim_all(&world, 59).await.len(), 0);
    assert_eq!(claim_all(&world, 61).await.len(), 4);
    // Nor is what was filled in up to an instant filled in again for a claim that read the clock before it.
    assert_eq!(world.claim(2, at(70)).await.len(), 2);
    assert_eq!(world.claim(1, at(69)).await.len(), 1);
    assert_eq!(claim_all(&world, 70).await.len(), 1);
}

pub async fn a_tenants_limits_that_change_are_followed_by_what_waits_already(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.submit_many(&job, 20).await;
    world.submit(world.execution_at(&job, at(5))).await;
    world.limit_tenant(tenant, |limits| limits.max_concurrency = Some(4)).await;
    let mut runs = claim_all(&world, 0).await;
    assert_eq!(runs.len(), 4);
    // Lower than what runs: nothing starts until enough have ended, and nothing is stopped.
    world.limit_tenant(tenant, |limits| limits.max_concurrency = Some(2)).await;
    for run in runs.drain(..2) {
        world.succeed(&run, at(1)).await;
        assert!(claim_all(&world, 1).await.is_empty());
    }
    world.succeed(&runs.remove(0), at(2)).await;
    assert_eq!(claim_all(&world, 2).await.len(), 1);
    world.limit_tenant(tenant, |_| {}).await;
    world.a.promote(at(5), 10).await.unwrap();
    assert_eq!(claim_all(&world, 5).await.len(), 21 - 5);
}

pub async fn what_a_tenants_limit_holds_back_takes_nothing_from_the_rest(world: World) {
    let limited = world.tenant().await;
    world.limit_tenant(limited, |limits| limits.max_concurrency = Some(2)).await;
    world.submit_many(&world.job(limited).await, 500).await;
    let busy = world.job(world.tenant().await).await;
    world.submit_many(&busy, 500).await;
    let mut running = Vec::new();
    for _ in 0..8 {
        let runs = world.claim(10, at(0)).await;
        assert_eq!(runs.len(), 10, "its places go to others");
        running.extend(runs.into_iter().filter(|run| run.tenant_id == limited));
    }
    assert_eq!(running.len(), 2);
}

pub async fn more_limited_tenants_than_a_claim_looks_at_are_all_served(world: World) {
    for _ in 0..150 {
        let tenant = world.tenant().await;
        world.limit_tenant(tenant, |limits| limits.max_concurrency = Some(1)).await;
        let job = world.job(tenant).await;
        world.submit_many(&job, 3).await;
    }
    let free = world.job(world.tenant().await).await;
    let mut started = 0;
    for _ in 0..40 {
        started += world.claim(10, at(0)).await.len();
    }
    assert_eq!(started, 150, "one of each, though all of them are held back most of the time");
    world.submit_many(&free, 1).await;
    let mut runs = Vec::new();
    for _ in 0..10 {
        runs.extend(world.claim(10, at(1)).await);
    }
    assert_eq!(runs.len(), 1, "and so is one that nothing holds back");
}

pub async fn starts_follow_the_weights_of_tenants(world: World) {
    let mut jobs = Vec::new();
    for weight in [300, 100, 50] {
        let tenant = world.tenant().await;
        world.limit_tenant(tenant, |limits| limits.weight = weight).await;
        jobs.push(world.job(tenant).await);
    }
    let had = starts(&world, &jobs, 20, 45).await;
    assert_eq!(had.iter().sum::<usize>(), 900);
    for (had, fair) in had.iter().zip([600, 200, 100]) {
        assert!(had.abs_diff(fair) <= 45, "{had} in place of {fair}");
    }
}

pub async fn weights_hold_for_a_node_that_claims_one_by_one(world: World) {
    let mut jobs = Vec::new();
    for weight in [400, 100] {
        let tenant = world.tenant().await;
        world.limit_tenant(tenant, |limits| limits.weight = weight).await;
        jobs.push(world.job(tenant).await);
    }
    let had = starts(&world, &jobs, 100, 1).await;
    assert!(had[0].abs_diff(80) <= 5 && had[1].abs_diff(20) <= 5, "{had:?}");
}

pub async fn a_weight_takes_nothing_that_another_tenant_leaves(world: World) {
    let heavy = world.tenant().await;
    world.limit_tenant(heavy, |limits| limits.weight = 1).await;
    let heavy = world.job(heavy).await;
    let light = world.job(world.tenant().await).await;
    world.submit_many(&heavy, 100).await;
    world.submit_many(&light, 3).await;
    let mut counts: BTreeMap<TenantId, usize> = BTreeMap::new();
    for _ in 0..4 {
        for run in world.claim(20, at(0)).await {
            *counts.entry(run.tenant_id).or_default() += 1;
        }
    }
    assert_eq!(counts, BTreeMap::from([(heavy.tenant_id, 77), (light.tenant_id, 3)]));
}

pub async fn a_tenant_under_a_limit_has_its_share_beside_one_that_is_not(world: World) {
    let limited = world.tenant().await;
    world.limit_tenant(limited, |limits| limits.max_concurrency = Some(10_000)).await;
    let jobs = [world.job(limited).await, world.job(world.tenant().await).await];
    let had = starts(&world, &jobs, 30, 20).await;
    assert!(had[0] >= 200, "{had:?}: not much less than a half");
    let urgent = NewExecution { priority: 100, ..world.execution(&jobs[0]) };
    world.submit(urgent.clone()).await;
    let mut claims = 0;
    loop {
        claims += 1;
        assert!(claims <= 4, "the highest priority of its tenant starts within a few claims");
        if world.claim(20, at(0)).await.iter().any(|run| run.lease.execution_id == urgent.id) {
            break;
        }
    }
}
