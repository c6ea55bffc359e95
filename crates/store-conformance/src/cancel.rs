//! Cancelling, whatever the execution is doing.

use horarium_domain::execution::{AttemptOutcome, EventKind, ExecutionState, Lifecycle};
use horarium_domain::store::{CancelOutcome, Settled};

use crate::World;
use crate::world::{assert_not_found, at, retry, success};

pub async fn a_waiting_execution_will_not_start(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let due = world.submit_one(&job).await;
    let later = world.submit(world.execution_at(&job, at(600))).await;
    for id in [due, later] {
        assert_eq!(world.b.cancel(tenant, id, "Zoë", at(1)).await.unwrap(), CancelOutcome::WasPending);
        let read = world.read(tenant, id).await;
        assert_eq!(read.summary.lifecycle, Lifecycle { state: ExecutionState::Cancelled, ..Lifecycle::NEW });
        assert_eq!((read.summary.started_at, read.summary.completed_at), (None, Some(at(1))));
        assert_eq!((read.summary.run_at, read.summary.worker.as_deref()), (None, None));
        let event = &read.events[0];
        assert_eq!((event.kind, event.at, event.source.as_str()), (EventKind::Cancelled, at(1), "Zoë"));
        assert_eq!((event.attempt, event.attempt_started_at), (0, None));
        assert!(read.attempts().is_empty());
    }
    world.a.promote(at(600), 10).await.unwrap();
    assert!(world.claim(10, at(600)).await.is_empty());
}

pub async fn a_running_execution_is_cancelled_at_once(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let id = world.submit_one(&job).await;
    let run = world.claim_one(at(1)).await;
    assert_eq!(world.b.cancel(tenant, id, "alice", at(3)).await.unwrap(), CancelOutcome::WasRunning);

    let read = world.read(tenant, id).await;
    assert_eq!(read.summary.lifecycle, Lifecycle { state: ExecutionState::Cancelled, attempt: 1, lost: 0 });
    assert_eq!((read.summary.started_at, read.summary.completed_at), (Some(at(1)), Some(at(3))));
    assert_eq!(read.summary.worker.as_deref(), Some("worker-1"));
    assert_eq!(read.events.len(), 1);
    assert_eq!((read.events[0].attempt, read.events[0].attempt_started_at), (1, Some(at(1))));
    let attempts = read.attempts();
    assert_eq!((attempts.len(), attempts[0].outcome), (1, AttemptOutcome::Cancelled));
    assert!(world.a.renew(&[run.lease], at(60)).await.unwrap().is_empty());
    assert!(world.a.expired(at(9_999), 10).await.unwrap().is_empty());
}

pub async fn an_execution_that_waits_for_its_next_attempt_keeps_the_story_of_the_first(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let id = world.submit_one(&job).await;
    let run = world.claim_one(at(0)).await;
    world.settle(retry(&run, at(1), at(60))).await;
    assert_eq!(world.a.cancel(tenant, id, "alice", at(2)).await.unwrap(), CancelOutcome::WasPending);
    let read = world.read(tenant, id).await;
    assert_eq!(read.summary.lifecycle, Lifecycle { state: ExecutionState::Cancelled, attempt: 1, lost: 0 });
    let kinds: Vec<_> = read.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::AttemptFailed, EventKind::Cancelled]);
    assert_eq!(read.attempts().len(), 1);
}

pub async fn what_is_over_cannot_be_cancelled(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let id = world.submit_one(&job).await;
    let run = world.claim_one(at(0)).await;
    world.succeed(&run, at(1)).await;
    let outcome = world.a.cancel(tenant, id, "alice", at(2)).await.unwrap();
    assert_eq!(outcome, CancelOutcome::AlreadyTerminal(ExecutionState::Succeeded));
    assert!(world.read(tenant, id).await.events.is_empty());
}

pub async fn what_is_not_there_or_anothers_cannot_be_cancelled(world: World) {
    let tenant = world.tenant().await;
    let stranger = world.tenant().await;
    let job = world.job(tenant).await;
    let id = world.submit_one(&job).await;
    assert_not_found(world.a.cancel(stranger, id, "mallory", at(1)).await);
    assert_not_found(world.a.cancel(tenant, world.ids.execution(at(0)), "alice", at(1)).await);
    assert_eq!(world.state(tenant, id).await, ExecutionState::Pending);
}

pub async fn a_cancellation_and_a_claim_at_once_agree(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    for _ in 0..20 {
        let id = world.submit_one(&job).await;
        let (outcome, runs) =
            tokio::join!(world.a.cancel(tenant, id, "alice", at(1)), world.claim_on(&world.b, 10, at(1)));
        let outcome = outcome.unwrap();
        assert_eq!(world.state(tenant, id).await, ExecutionState::Cancelled);
        match outcome {
            CancelOutcome::WasPending => assert!(runs.is_empty(), "it was claimed after it was cancelled"),
            CancelOutcome::WasRunning => assert_eq!(world.settle(success(&runs[0], at(2))).await, Settled::Stale),
            CancelOutcome::AlreadyTerminal(state) => panic!("nobody ended it before: {state}"),
        }
    }
}

pub async fn a_cancellation_and_an_end_at_once_leave_one_of_them(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    for _ in 0..20 {
        let id = world.submit_one(&job).await;
        let run = world.claim_one(at(0)).await;
        let (outcome, settled) =
            tokio::join!(world.a.cancel(tenant, id, "alice", at(1)), world.b.settle(vec![success(&run, at(1))]));
        let state = world.state(tenant, id).await;
        match (outcome.unwrap(), settled.unwrap()[0]) {
            (CancelOutcome::WasRunning, Settled::Stale) => assert_eq!(state, ExecutionState::Cancelled),
            (CancelOutcome::AlreadyTerminal(ExecutionState::Succeeded), Settled::Applied) => {
                assert_eq!(state, ExecutionState::Succeeded);
            }
            both => panic!("{both:?}"),
        }
    }
    let (counters, _) = world.a.job_statistics(tenant, job.id).await.unwrap();
    assert_eq!(counters.succeeded + counters.cancelled, 20);
}
