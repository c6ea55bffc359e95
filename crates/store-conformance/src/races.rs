//! Two nodes that do contrary things at once: whoever comes second finds what the first one did.

use horarium_domain::execution::{ExecutionState, NewExecution};
use horarium_domain::job::Job;
use horarium_domain::store::{Conflict, Enqueued, FireOutcome, JobChange, Settled, StoreError};

use crate::World;
use crate::world::{assert_not_found, at, retry};

/// How often each race is run.
const ROUNDS: usize = 20;

pub async fn a_change_and_a_firing_of_a_slot_do_not_both_happen(world: World) {
    let tenant = world.tenant().await;
    for _ in 0..ROUNDS {
        let job = world.scheduled_job(tenant, at(60)).await;
        let change = JobChange {
            job: Job { version: 2, ..job.clone() },
            expected_version: 1,
            seen_next_run_at: Some(at(60)),
            next_run_at: Some(at(90)),
        };
        let firing = world.firing(&job, at(60), Some(at(120)));
        let (changed, fired) = tokio::join!(world.a.update_job(change), world.b.fire(vec![firing]));
        let next = world.summary(&job).await.next_run_at;
        match (&changed, &fired.unwrap()[0]) {
            (Ok(()), FireOutcome::Superseded) => assert_eq!(next, Some(at(90))),
            (Err(StoreError::Conflict(Conflict::VersionChanged)), FireOutcome::Fired { .. }) => {
                assert_eq!(next, Some(at(120)));
            }
            both => panic!("{both:?}"),
        }
    }
}

pub async fn a_purge_and_a_claim_do_not_both_happen(world: World) {
    let tenant = world.tenant().await;
    for _ in 0..ROUNDS {
        let job = world.job(tenant).await;
        let id = world.submit_one(&job).await;
        let (purged, runs) = tokio::join!(world.a.purge_job(tenant, job.id, None), world.claim_on(&world.b, 10, at(0)));
        match (&purged, runs.first()) {
            (Ok(()), None) => assert_not_found(world.a.execution(tenant, id).await),
            (Err(StoreError::Conflict(Conflict::ExecutionRunning)), Some(run)) => world.succeed(run, at(1)).await,
            both => panic!("{both:?}"),
        }
    }
}

pub async fn a_purge_leaves_no_execution_that_is_accepted_meanwhile(world: World) {
    let tenant = world.tenant().await;
    for _ in 0..ROUNDS {
        let job = world.job(tenant).await;
        let execution = world.execution(&job);
        let id = execution.id;
        let (purged, answers) = tokio::join!(world.a.purge_job(tenant, job.id, None), world.b.enqueue(vec![execution]));
        purged.unwrap();
        let answer = answers.unwrap()[0];
        assert!(matches!(answer, Enqueued::Accepted | Enqueued::NoSuchJob), "{answer:?}");
        assert_not_found(world.a.execution(tenant, id).await);
        assert!(world.claim(10, at(0)).await.is_empty());
    }
}

pub async fn a_deleted_tenant_leaves_no_execution_that_is_accepted_meanwhile(world: World) {
    for _ in 0..ROUNDS {
        let tenant = world.tenant().await;
        let job = world.scheduled_job(tenant, at(60)).await;
        let execution = world.execution(&job);
        let id = execution.id;
        let (deleted, answers) = tokio::join!(world.a.delete_tenant(tenant), world.b.enqueue(vec![execution]));
        deleted.unwrap();
        let answer = answers.unwrap()[0];
        assert!(matches!(answer, Enqueued::Accepted | Enqueued::NoSuchJob), "{answer:?}");
        assert_not_found(world.a.execution(tenant, id).await);
        assert!(world.claim(10, at(0)).await.is_empty());
    }
}

pub async fn a_purge_leaves_no_execution_that_is_fired_meanwhile(world: World) {
    let tenant = world.tenant().await;
    for _ in 0..ROUNDS {
        let job = world.scheduled_job(tenant, at(60)).await;
        let firing = world.firing(&job, at(60), Some(at(120)));
        let (purged, fired) = tokio::join!(world.a.purge_job(tenant, job.id, None), world.b.fire(vec![firing]));
        purged.unwrap();
        fired.unwrap();
        assert!(world.claim(10, at(60)).await.is_empty());
        assert!(world.a.due(at(600), 10).await.unwrap().is_empty());
    }
}

pub async fn a_cancellation_holds_against_a_promotion(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    for _ in 0..ROUNDS {
        let id = world.submit(world.execution_at(&job, at(10))).await;
        let (cancelled, promoted) =
            tokio::join!(world.a.cancel(tenant, id, "alice", at(10)), world.b.promote(at(10), 100));
        cancelled.unwrap();
        promoted.unwrap();
        world.a.promote(at(10), 100).await.unwrap();
        assert!(world.claim(10, at(10)).await.is_empty());
        assert_eq!(world.state(tenant, id).await, ExecutionState::Cancelled);
    }
}

pub async fn a_cancellation_holds_against_a_further_attempt(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    for _ in 0..ROUNDS {
        let id = world.submit_one(&job).await;
        let run = world.claim_one(at(0)).await;
        let (cancelled, settled) =
            tokio::join!(world.a.cancel(tenant, id, "alice", at(1)), world.b.settle(vec![retry(&run, at(1), at(1))]));
        cancelled.unwrap();
        assert!(matches!(settled.unwrap()[0], Settled::Applied | Settled::Stale));
        assert!(world.claim(10, at(1)).await.is_empty());
        assert_eq!(world.state(tenant, id).await, ExecutionState::Cancelled);
    }
}

pub async fn submitters_that_meet_in_opposite_orders_both_get_their_answers(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    for round in 0..ROUNDS {
        let batch = || -> Vec<NewExecution> {
            let unique = |n| NewExecution { unique_key: Some(format!("{round}/{n}")), ..world.execution(&job) };
            (0..10).map(unique).collect()
        };
        let (forwards, mut backwards) = (batch(), batch());
        backwards.reverse();
        let (first, second) = tokio::join!(world.a.enqueue(forwards.clone()), world.b.enqueue(backwards.clone()));
        let (first, mut second) = (first.unwrap(), second.unwrap());
        second.reverse();
        backwards.reverse();
        for n in 0..10 {
            match (first[n], second[n]) {
                (Enqueued::Accepted, Enqueued::Duplicate(live)) => assert_eq!(live, forwards[n].id),
                (Enqueued::Duplicate(live), Enqueued::Accepted) => assert_eq!(live, backwards[n].id),
                both => panic!("{both:?}"),
            }
        }
    }
}

pub async fn planners_that_meet_in_opposite_orders_fire_each_slot_once(world: World) {
    let tenant = world.tenant().await;
    let mut jobs = Vec::new();
    for _ in 0..10 {
        jobs.push(world.scheduled_job(tenant, at(60)).await);
    }
    for minute in 1..=10 {
        let batch = || -> Vec<_> {
            jobs.iter().map(|job| world.firing(job, at(60 * minute), Some(at(60 * (minute + 1))))).collect()
        };
        let (forwards, mut backwards) = (batch(), batch());
        backwards.reverse();
        let (first, second) = tokio::join!(world.a.fire(forwards), world.b.fire(backwards));
        let (first, mut second) = (first.unwrap(), second.unwrap());
        second.reverse();
        for (first, second) in first.iter().zip(&second) {
            let fired = [first, second].into_iter().filter(|outcome| **outcome != FireOutcome::Superseded).count();
            assert_eq!(fired, 1, "{first:?} {second:?}");
        }
    }
    assert_eq!(world.claim(200, at(9_999)).await.len(), 100);
}

pub async fn an_end_and_a_change_of_the_job_are_both_kept(world: World) {
    let tenant = world.tenant().await;
    let mut job = world.job(tenant).await;
    for n in 1..=ROUNDS {
        world.submit_one(&job).await;
        let run = world.claim_one(at(0)).await;
        let (changed, ()) =
            tokio::join!(world.change_job(&job, None, |job| job.spec.priority = 1), world.fail(&run, at(1)));
        job = changed;
        let summary = world.summary(&job).await;
        assert_eq!((summary.job.version, summary.consecutive_failures as usize), (job.version, n));
    }
}
