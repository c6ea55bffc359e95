//! Limits of concurrency keys, over all jobs and queues of their tenant, kept across all nodes and followed when they
//! change.

use std::collections::BTreeMap;

use horarium_domain::TenantId;
use horarium_domain::concurrency::{ConcurrencyKey, KeyLimits};
use horarium_domain::execution::NewExecution;
use horarium_domain::job::Job;

use crate::World;
use crate::gates::claim_all;
use crate::world::{Run, at, at_millis, lost, retry};

fn key(text: &str) -> ConcurrencyKey {
    text.parse().unwrap()
}

/// An execution of `job` with a key.
fn keyed(world: &World, job: &Job, text: &str) -> NewExecution {
    NewExecution { concurrency_key: Some(key(text)), ..world.execution(job) }
}

async fn submit_keyed(world: &World, job: &Job, text: &str, count: usize) {
    for _ in 0..count {
        world.submit(keyed(world, job, text)).await;
    }
}

async fn limit(world: &World, tenant: TenantId, text: &str, change: impl FnOnce(&mut KeyLimits)) {
    let mut limits = KeyLimits::none(key(text));
    change(&mut limits);
    world.a.set_key_limits(tenant, limits).await.unwrap();
}

fn of_job<'a>(runs: &'a [Run], job: &Job) -> Vec<&'a Run> {
    runs.iter().filter(|run| run.job_id == job.id).collect()
}

pub async fn the_limits_of_a_key_are_read_back_until_they_are_lifted(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let name = key("Zoë's \"account\": 7");
    assert_eq!(world.a.key_limits(tenant, &name).await.unwrap(), KeyLimits::none(name.clone()));
    let limits = KeyLimits { key: name.clone(), max_concurrency: Some(3), rate_limit_per_second: None };
    world.a.set_key_limits(tenant, limits.clone()).await.unwrap();
    assert_eq!(world.b.key_limits(tenant, &name).await.unwrap(), limits);
    let changed = KeyLimits { max_concurrency: None, rate_limit_per_second: Some(250), ..limits };
    world.b.set_key_limits(tenant, changed.clone()).await.unwrap();
    assert_eq!(world.a.key_limits(tenant, &name).await.unwrap(), changed);
    assert_eq!(world.a.key_limits(other, &name).await.unwrap(), KeyLimits::none(name.clone()));
    world.a.set_key_limits(tenant, KeyLimits::none(name.clone())).await.unwrap();
    assert_eq!(world.b.key_limits(tenant, &name).await.unwrap(), KeyLimits::none(name));
    assert!(world.a.limited_keys(tenant, None, 10).await.unwrap().is_empty());
}

pub async fn limited_keys_are_listed_in_the_order_of_their_characters(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    for name in ["b", "é", "a", "B", "a b"] {
        limit(&world, tenant, name, |limits| limits.max_concurrency = Some(1)).await;
    }
    limit(&world, other, "c", |limits| limits.max_concurrency = Some(1)).await;
    let mut names = Vec::new();
    let mut after = None;
    loop {
        let page = world.a.limited_keys(tenant, after.as_ref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        names.extend(page.iter().map(|limits| limits.key.to_string()));
    }
    assert_eq!(names, ["B", "a", "a b", "b", "é"]);
    world.a.delete_tenant(tenant).await.unwrap();
    assert!(world.a.limited_keys(tenant, None, 10).await.unwrap().is_empty());
    assert_eq!(world.a.limited_keys(other, None, 10).await.unwrap().len(), 1);
}

pub async fn a_keys_concurrency_limit_holds_over_two_nodes_and_all_jobs_and_queues(world: World) {
    let tenant = world.tenant().await;
    limit(&world, tenant, "k", |limits| limits.max_concurrency = Some(3)).await;
    let first = world.job(tenant).await;
    let second = world.job_with(tenant, |spec| spec.queue = "elsewhere".parse().unwrap()).await;
    submit_keyed(&world, &first, "k", 10).await;
    submit_keyed(&world, &second, "k", 10).await;

    let mut runs = claim_all(&world, 0).await;
    assert_eq!(runs.len(), 3);
    assert!(runs.iter().all(|run| run.limited), "each claim tells that it is counted");
    // Whatever way an attempt ends, its place is free again.
    world.succeed(&runs.remove(0), at(1)).await;
    assert_eq!(claim_all(&world, 1).await.len(), 1);
    world.settle(retry(&runs.remove(0), at(2), at(600))).await;
    assert_eq!(claim_all(&world, 2).await.len(), 1);
    world.a.cancel(tenant, runs[0].lease.execution_id, "alice", at(3)).await.unwrap();
    assert_eq!(claim_all(&world, 3).await.len(), 1);
}

pub async fn a_keys_rate_limit_spreads_its_starts_over_time(world: World) {
    let tenant = world.tenant().await;
    limit(&world, tenant, "k", |limits| limits.rate_limit_per_second = Some(4)).await;
    submit_keyed(&world, &world.job(tenant).await, "k", 30).await;
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

pub async fn the_limits_of_a_key_that_change_are_followed_by_what_waits_already(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    submit_keyed(&world, &job, "k", 10).await;
    world.submit(NewExecution { concurrency_key: Some(key("k")), ..world.execution_at(&job, at(5)) }).await;
    limit(&world, tenant, "k", |limits| limits.max_concurrency = Some(4)).await;
    let mut runs = claim_all(&world, 0).await;
    assert_eq!(runs.len(), 4);
    // Lower than what runs: nothing starts until enough have ended, and nothing is stopped.
    limit(&world, tenant, "k", |limits| limits.max_concurrency = Some(2)).await;
    for run in runs.drain(..2) {
        world.succeed(&run, at(1)).await;
        assert!(claim_all(&world, 1).await.is_empty());
    }
    world.succeed(&runs.remove(0), at(2)).await;
    assert_eq!(claim_all(&world, 2).await.len(), 1);
    limit(&world, tenant, "k", |_| {}).await;
    world.a.promote(at(5), 10).await.unwrap();
    let runs = claim_all(&world, 5).await;
    assert_eq!(runs.len(), 11 - 5);
    assert!(runs.iter().all(|run| !run.limited));
}

pub async fn a_key_that_is_freed_leaves_other_limits_as_they_were(world: World) {
    let tenant = world.tenant().await;
    let narrow = world.job_with(tenant, |spec| spec.max_concurrency = Some(2)).await;
    let free = world.job_with(tenant, |spec| spec.queue = "elsewhere".parse().unwrap()).await;
    limit(&world, tenant, "k", |limits| limits.max_concurrency = Some(1)).await;
    submit_keyed(&world, &narrow, "k", 5).await;
    submit_keyed(&world, &free, "k", 5).await;
    assert_eq!(claim_all(&world, 0).await.len(), 1);
    limit(&world, tenant, "k", |_| {}).await;
    claim_all(&world, 1).await;
    let totals = world.a.queue_totals(at(1)).await.unwrap();
    assert_eq!((totals.0, totals.1), (3, 2 + 5), "two of the job that has a limit of its own");
    // And the other way round: the key holds what its job's limit let go.
    limit(&world, tenant, "k", |limits| limits.max_concurrency = Some(8)).await;
    world.change_job(&narrow, None, |job| job.spec.max_concurrency = None).await;
    assert_eq!(claim_all(&world, 2).await.len(), 1);
    world.limit_queue(tenant, |queue| queue.max_concurrency = Some(100)).await;
    world.limit_queue(tenant, |_| {}).await;
    assert!(claim_all(&world, 3).await.is_empty());
}

pub async fn the_same_key_of_another_tenant_is_another_key(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    limit(&world, tenant, "k", |limits| limits.max_concurrency = Some(1)).await;
    let (limited, free) = (world.job(tenant).await, world.job(other).await);
    submit_keyed(&world, &limited, "k", 5).await;
    submit_keyed(&world, &free, "k", 5).await;
    let runs = claim_all(&world, 0).await;
    assert_eq!((of_job(&runs, &limited).len(), of_job(&runs, &free).len()), (1, 5));
}

pub async fn what_a_key_holds_back_takes_nothing_from_the_rest(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    limit(&world, tenant, "slow", |limits| limits.max_concurrency = Some(2)).await;
    limit(&world, tenant, "fast", |limits| limits.max_concurrency = Some(50)).await;
    let urgent = |_| NewExecution { priority: 50, ..keyed(&world, &job, "slow") };
    world.a.enqueue((0..300).map(urgent).collect()).await.unwrap();
    submit_keyed(&world, &job, "fast", 10).await;
    submit_keyed(&world, &job, "free", 10).await;
    world.submit_many(&job, 10).await;
    let runs = claim_all(&world, 0).await;
    assert_eq!(runs.len(), 2 + 10 + 10 + 10, "though all of it stands behind what has no place");
    assert_eq!(runs.iter().filter(|run| run.limited).count(), 12);
}

pub async fn a_job_may_limit_each_of_its_keys(world: World) {
    let tenant = world.tenant().await;
    let job = world.job_with(tenant, |spec| spec.max_concurrency_per_key = Some(2)).await;
    let other = world.job(tenant).await;
    limit(&world, tenant, "narrow", |limits| limits.max_concurrency = Some(1)).await;
    for name in ["a", "b", "narrow"] {
        submit_keyed(&world, &job, name, 5).await;
    }
    world.submit(NewExecution { queue: "elsewhere".to_owned(), ..keyed(&world, &job, "a") }).await;
    submit_keyed(&world, &other, "a", 5).await;
    world.submit_many(&job, 5).await;
    let mut runs = claim_all(&world, 0).await;
    assert_eq!((of_job(&runs, &job).len(), of_job(&runs, &other).len()), (2 + 2 + 1 + 5, 5));
    // A place of one key is another's of the same key.
    let mut ended = 0;
    for run in runs.drain(..).filter(|run| run.job_id == job.id && run.limited) {
        world.succeed(&run, at(1)).await;
        ended += 1;
    }
    let runs = claim_all(&world, 1).await;
    assert_eq!((ended, runs.len()), (5, 5));
}

pub async fn a_jobs_limit_of_each_key_that_changes_is_followed_by_what_waits_already(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    limit(&world, tenant, "narrow", |limits| limits.max_concurrency = Some(3)).await;
    submit_keyed(&world, &job, "wide", 10).await;
    submit_keyed(&world, &job, "narrow", 10).await;
    let job = world.change_job(&job, None, |job| job.spec.max_concurrency_per_key = Some(2)).await;
    assert_eq!(world.a.sweep_gates().await.unwrap(), 0, "there is nothing to mend");
    assert_eq!(claim_all(&world, 0).await.len(), 2 + 2);
    limit(&world, tenant, "wide", |limits| limits.max_concurrency = Some(5)).await;
    limit(&world, tenant, "wide", |_| {}).await;
    assert!(claim_all(&world, 1).await.is_empty(), "the job's limit is still there");
    world.change_job(&job, None, |job| job.spec.max_concurrency_per_key = None).await;
    assert_eq!(world.a.sweep_gates().await.unwrap(), 0);
    assert_eq!(claim_all(&world, 2).await.len(), 8 + 1, "and the key's own afterwards");
}

pub async fn an_execution_keeps_its_key_through_all_its_attempts(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    limit(&world, tenant, "k", |limits| limits.max_concurrency = Some(1)).await;
    let id = world.submit(keyed(&world, &job, "k")).await;
    assert_eq!(world.read(tenant, id).await.summary.concurrency_key, Some(key("k")));
    let run = world.claim_one(at(0)).await;
    submit_keyed(&world, &job, "k", 3).await;
    world.settle(lost(&run, at(100))).await;
    let mut runs = claim_all(&world, 100).await;
    assert_eq!(runs.len(), 1);
    world.settle(retry(&runs.remove(0), at(101), at(110))).await;
    world.a.promote(at(110), 10).await.unwrap();
    for seconds in 110..114 {
        let runs = claim_all(&world, seconds).await;
        assert_eq!(runs.len(), 1, "one at a time, the first of them again and all others");
        world.succeed(&runs[0], at(seconds)).await;
    }
    let read = world.read(tenant, id).await;
    assert_eq!((read.summary.concurrency_key, read.summary.lifecycle.attempt), (Some(key("k")), 3));
}

pub async fn more_limited_keys_than_a_claim_looks_at_are_all_served(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let names: Vec<String> = (0..600).map(|number| format!("customer-{number}")).collect();
    for name in &names {
        limit(&world, tenant, name, |limits| limits.max_concurrency = Some(1)).await;
    }
    for _ in 0..2 {
        world.a.enqueue(names.iter().map(|name| keyed(&world, &job, name)).collect()).await.unwrap();
    }
    let mut started: BTreeMap<Option<ConcurrencyKey>, usize> = BTreeMap::new();
    for _ in 0..40 {
        for run in world.claim(50, at(0)).await {
            let read = world.read(tenant, run.lease.execution_id).await;
            *started.entry(read.summary.concurrency_key).or_default() += 1;
        }
    }
    assert_eq!(started.len(), 600, "one of each, though most of them are held back most of the time");
    assert!(started.values().all(|count| *count == 1));
}

pub async fn a_sweep_brings_keys_under_limits_that_changed_meanwhile(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    submit_keyed(&world, &job, "k", 5).await;
    limit(&world, tenant, "k", |limits| limits.max_concurrency = Some(1)).await;
    assert_eq!(world.a.sweep_gates().await.unwrap(), 0, "there is nothing to mend after ordinary changes");
    limit(&world, tenant, "k", |_| {}).await;
    assert_eq!(world.a.sweep_gates().await.unwrap(), 0);

    let submitter = {
        let store = world.b.clone();
        let batches: Vec<Vec<_>> = (0..30).map(|_| (0..5).map(|_| keyed(&world, &job, "k")).collect()).collect();
        tokio::spawn(async move {
            for batch in batches {
                store.enqueue(batch).await.unwrap();
            }
        })
    };
    for round in 0..10 {
        limit(&world, tenant, "k", |limits| limits.max_concurrency = (round % 2 == 0).then_some(3)).await;
    }
    limit(&world, tenant, "k", |limits| limits.max_concurrency = Some(3)).await;
    submitter.await.unwrap();
    world.a.sweep_gates().await.unwrap();
    assert_eq!(claim_all(&world, 0).await.len(), 3);
}
