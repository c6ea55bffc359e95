//! Batches far beyond the ordinary: what is true of one is true of thousands in one call.

use horarium_domain::JobId;
use horarium_domain::execution::{ExecutionState, NewExecution};
use horarium_domain::store::{Enqueued, FireOutcome, Settled};

use crate::World;
use crate::world::{START, at, failure, retry, success};

const MANY: usize = 3_000;

pub async fn thousands_go_through_their_whole_life_in_one_call_each(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let batch: Vec<_> =
        (0..MANY).map(|n| NewExecution { unique_key: Some(n.to_string()), ..world.execution(&job) }).collect();
    let answers = world.a.enqueue(batch.clone()).await.unwrap();
    assert_eq!(answers, vec![Enqueued::Accepted; MANY]);
    assert_eq!(world.b.enqueue(batch).await.unwrap(), answers, "the same again changes nothing");

    let runs = world.claim(MANY + 1, at(0)).await;
    assert_eq!(runs.len(), MANY);
    let leases: Vec<_> = runs.iter().map(|run| run.lease).collect();
    assert_eq!(world.a.renew(&leases, at(60)).await.unwrap().len(), MANY);
    world.a.note_progress(&leases.iter().map(|lease| (*lease, 50)).collect::<Vec<_>>()).await.unwrap();

    let ends = runs.iter().zip([0, 1, 2].into_iter().cycle()).map(|(run, kind)| match kind {
        0 => success(run, at(1)),
        1 => failure(run, at(1)),
        _ => retry(run, at(1), at(1)),
    });
    assert_eq!(world.b.settle(ends.collect()).await.unwrap(), vec![Settled::Applied; MANY]);
    let (counters, _) = world.a.job_statistics(tenant, job.id).await.unwrap();
    let third = MANY as i64 / 3;
    assert_eq!((counters.succeeded, counters.failed, counters.pending), (third, third, third));
    assert_eq!(world.a.prune_executions(tenant, at(2), MANY).await.unwrap(), 2 * MANY as u64 / 3);
    assert_eq!(world.a.reconcile_counters(tenant).await.unwrap(), []);
}

pub async fn thousands_wait_for_their_time_and_are_promoted_together(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let batch = (0..MANY).map(|_| world.execution_at(&job, at(10))).collect();
    assert_eq!(world.a.enqueue(batch).await.unwrap(), vec![Enqueued::Accepted; MANY]);
    assert_eq!(world.a.promote(at(10), MANY).await.unwrap().count, MANY);
    assert_eq!(world.claim(MANY, at(10)).await.len(), MANY);
    assert_eq!(world.b.expired(at(9_999), MANY).await.unwrap().len(), MANY);
}

pub async fn hundreds_of_jobs_are_imported_and_fired_together(world: World) {
    let tenant = world.tenant().await;
    let jobs: Vec<_> = (0..500).map(|_| world.new_job(tenant, |_| {})).collect();
    let import = jobs.iter().map(|job| (job.clone(), Some(at(60)))).collect();
    assert_eq!(world.a.import_jobs(import, false).await.unwrap(), 500);

    assert_eq!(world.a.due(at(60), 1000).await.unwrap().len(), 500);
    let batch = jobs.iter().map(|job| world.firing(job, at(60), Some(at(120)))).collect();
    let outcomes = world.b.fire(batch).await.unwrap();
    let fired = FireOutcome::Fired { accepted: 1, cancelled: Vec::new() };
    assert!(outcomes.iter().all(|outcome| *outcome == fired));
    assert_eq!(world.claim(1000, at(60)).await.len(), 500);

    let mut ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
    ids.extend((0..2_000).map(|_| JobId::from_uuid(world.ids.uuid(START))));
    assert_eq!(world.a.definitions(&ids).await.unwrap().len(), 500);
}

pub async fn a_replacement_cancels_however_many_wait(world: World) {
    let tenant = world.tenant().await;
    let job = world
        .scheduled_job_with(tenant, at(60), |spec| {
            spec.concurrency_policy = horarium_domain::job::ConcurrencyPolicy::Replace;
        })
        .await;
    world.submit_many(&job, 1_000).await;
    world.a.fire(vec![world.firing(&job, at(60), None)]).await.unwrap();
    let (counters, _) = world.a.job_statistics(tenant, job.id).await.unwrap();
    assert_eq!((counters.cancelled, counters.pending), (1_000, 1));
    let run = world.claim_one(at(60)).await;
    assert_eq!(world.state(tenant, run.lease.execution_id).await, ExecutionState::Running);
}
