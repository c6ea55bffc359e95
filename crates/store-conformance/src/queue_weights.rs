//! Queues of one tenant that take turns by weight.

use std::collections::BTreeMap;

use horarium_domain::TenantId;
use horarium_domain::execution::NewExecution;
use horarium_domain::job::Job;
use horarium_domain::queue::QueueLimits;

use crate::World;
use crate::world::at;

async fn weigh(world: &World, tenant: TenantId, queue: &str, weight: u32) {
    let limits = QueueLimits { weight, ..QueueLimits::none(queue.parse().unwrap()) };
    world.a.set_queue(tenant, limits).await.unwrap();
}

/// A job whose executions wait in a queue.
async fn job_in(world: &World, tenant: TenantId, queue: &str) -> Job {
    world.job_with(tenant, |spec| spec.queue = queue.parse().unwrap()).await
}

/// How many executions of each job start in so many claims of this size.
async fn starts(world: &World, jobs: &[&Job], claims: usize, size: usize) -> Vec<usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..claims {
        for run in world.claim(size, at(0)).await {
            *counts.entry(run.job_id).or_default() += 1;
        }
    }
    jobs.iter().map(|job| counts.get(&job.id).copied().unwrap_or_default()).collect()
}

pub async fn starts_follow_the_weights_of_a_tenants_queues(world: World) {
    let tenant = world.tenant().await;
    weigh(&world, tenant, "heavy", 300).await;
    weigh(&world, tenant, "light", 50).await;
    let (heavy, light) = (job_in(&world, tenant, "heavy").await, job_in(&world, tenant, "light").await);
    // The rest is one beside them, however many queues it is of; and priority is nothing between them.
    let rest = [job_in(&world, tenant, "plain").await, job_in(&world, tenant, "other").await];
    for job in [&heavy, &light] {
        world.submit_many(job, 900).await;
    }
    for job in &rest {
        let urgent = (0..900).map(|_| NewExecution { priority: 50, ..world.execution(job) });
        world.a.enqueue(urgent.collect()).await.unwrap();
    }
    let had = starts(&world, &[&heavy, &light, &rest[0], &rest[1]], 20, 45).await;
    assert_eq!(had.iter().sum::<usize>(), 900, "nothing of the batch is wasted");
    for (had, fair) in [had[0], had[1], had[2] + had[3]].into_iter().zip([600, 100, 200]) {
        assert!(had.abs_diff(fair) <= 90, "{had} in place of {fair}");
    }
}

pub async fn a_queues_weight_is_nothing_to_other_tenants(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    weigh(&world, tenant, "heavy", 10_000).await;
    let (heavy, plain) = (job_in(&world, tenant, "heavy").await, job_in(&world, other, "heavy").await);
    for job in [&heavy, &plain] {
        world.submit_many(job, 300).await;
    }
    let had = starts(&world, &[&heavy, &plain], 10, 20).await;
    assert!(had[0].abs_diff(100) <= 20 && had[0] + had[1] == 200, "{had:?}");
}

pub async fn a_queue_takes_what_others_leave_of_their_weights(world: World) {
    let tenant = world.tenant().await;
    weigh(&world, tenant, "heavy", 900).await;
    let (heavy, rest) = (job_in(&world, tenant, "heavy").await, job_in(&world, tenant, "plain").await);
    world.submit_many(&heavy, 3).await;
    world.submit_many(&rest, 100).await;
    assert_eq!(starts(&world, &[&heavy, &rest], 3, 20).await, [3, 57]);
}

pub async fn a_weight_is_lifted_for_what_waits_already(world: World) {
    let tenant = world.tenant().await;
    weigh(&world, tenant, "heavy", 900).await;
    let (heavy, urgent) = (job_in(&world, tenant, "heavy").await, job_in(&world, tenant, "plain").await);
    world.submit_many(&heavy, 50).await;
    let high = (0..50).map(|_| NewExecution { priority: 50, ..world.execution(&urgent) });
    world.a.enqueue(high.collect()).await.unwrap();
    weigh(&world, tenant, "heavy", 100).await;
    // Whatever the claims before knew of weights, the highest priority goes first again.
    let had = starts(&world, &[&heavy, &urgent], 4, 10).await;
    assert_eq!(had, [0, 40]);
    assert_eq!(world.a.sweep_gates().await.unwrap(), 0);
}
