//! The ends of attempts: written once, in the right of whoever still holds the lease.

use horarium_domain::execution::{AttemptOutcome, Event, EventKind, ExecutionState, Lifecycle, NewExecution, Output};
use horarium_domain::store::{CancelOutcome, Decision, Lease, Settled, Settlement};

use crate::World;
use crate::world::{at, at_millis, failure, ids_of, lost, retry, snooze, success};

pub async fn a_success_is_kept_with_all_that_the_handler_gave(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let id = world.submit_one(&job).await;
    let run = world.claim_one(at(1)).await;
    world.a.note_progress(&[(run.lease, 80)]).await.unwrap();
    let settlement = Settlement {
        decision: Decision::Finish {
            state: ExecutionState::Succeeded,
            output: Some(Output { text: "{\"rows\": 7} – \u{1F600} 'quoted' \\".to_owned(), truncated: true }),
            error: None,
            items_processed: Some(i64::MAX),
            partial: false,
        },
        ..success(&run, at_millis(3_456))
    };
    assert_eq!(world.settle(settlement).await, Settled::Applied);

    let read = world.read(tenant, id).await;
    assert_eq!(read.summary.lifecycle, Lifecycle { state: ExecutionState::Succeeded, attempt: 1, lost: 0 });
    assert_eq!((read.summary.started_at, read.summary.completed_at), (Some(at(1)), Some(at_millis(3_456))));
    assert_eq!((read.summary.run_at, read.summary.progress), (None, None));
    assert_eq!(read.summary.worker.as_deref(), Some("worker-1"));
    assert_eq!(read.summary.items_processed, Some(i64::MAX));
    let output = read.output.unwrap();
    assert_eq!((output.text.as_str(), output.truncated), ("{\"rows\": 7} – \u{1F600} 'quoted' \\", true));
    assert_eq!((read.error, read.events), (None, Vec::new()));
}

pub async fn an_empty_output_is_not_the_same_as_none(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    for output in [None, Some(Output::default())] {
        let id = world.submit_one(&job).await;
        let run = world.claim_one(at(0)).await;
        let state = ExecutionState::Succeeded;
        let decision =
            Decision::Finish { state, output: output.clone(), error: None, items_processed: None, partial: false };
        world.settle(Settlement { decision, ..success(&run, at(1)) }).await;
        assert_eq!(world.read(tenant, id).await.output, output);
    }
}

pub async fn a_failure_is_kept_with_its_error(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let id = world.submit_one(&job).await;
    let run = world.claim_one(at(0)).await;
    world.fail(&run, at(1)).await;
    let read = world.read(tenant, id).await;
    assert_eq!(read.summary.lifecycle.state, ExecutionState::Failed);
    assert_eq!((read.error.as_deref(), read.output), (Some("it broke"), None));
}

pub async fn a_requeued_execution_waits_for_its_next_attempt(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let id = world.submit_one(&job).await;
    let run = world.claim_one(at(0)).await;
    world.a.note_progress(&[(run.lease, 50)]).await.unwrap();
    assert_eq!(world.settle(retry(&run, at(2), at(12))).await, Settled::Applied);

    let waiting = world.read(tenant, id).await.summary;
    assert_eq!(waiting.lifecycle, Lifecycle { state: ExecutionState::Pending, attempt: 1, lost: 0 });
    assert_eq!((waiting.started_at, waiting.completed_at, waiting.run_at), (None, None, Some(at(12))));
    assert_eq!((waiting.worker, waiting.progress), (None, None));

    assert!(world.claim(10, at(2)).await.is_empty());
    assert_eq!(world.a.promote(at(12), 10).await.unwrap().count, 1);
    let second = world.claim_one(at(12)).await;
    assert_eq!(second.lifecycle, Lifecycle { state: ExecutionState::Running, attempt: 2, lost: 0 });
    world.succeed(&second, at(13)).await;
}

pub async fn an_execution_requeued_for_now_is_claimable_at_once(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.submit_one(&job).await;
    let run = world.claim_one(at(0)).await;
    world.settle(retry(&run, at(1), at(1))).await;
    assert_eq!(world.claim_one(at(1)).await.lifecycle.attempt, 2);
}

pub async fn a_requeued_execution_keeps_its_place_in_the_order(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let urgent = world.submit(NewExecution { priority: 9, ..world.execution(&job) }).await;
    world.submit_many(&job, 3).await;
    let runs = world.claim(1, at(0)).await;
    world.settle(snooze(&runs[0], at(1), at(1))).await;
    assert_eq!(ids_of(&world.claim(1, at(1)).await), [urgent]);
}

pub async fn a_snooze_gives_the_attempt_back(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let id = world.submit_one(&job).await;
    for turn in 0..3 {
        let run = world.claim_one(at(turn)).await;
        assert_eq!(run.lifecycle.attempt, 1);
        world.settle(snooze(&run, at(turn), at(turn))).await;
        assert_eq!(world.lifecycle(tenant, id).await, Lifecycle::NEW);
    }
}

pub async fn a_lost_attempt_is_counted_as_lost(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let id = world.submit_one(&job).await;
    let run = world.claim_one(at(0)).await;
    assert_eq!(world.settle(lost(&run, at(60))).await, Settled::Applied);
    assert_eq!(world.lifecycle(tenant, id).await, Lifecycle { state: ExecutionState::Pending, attempt: 1, lost: 1 });
    let second = world.claim_one(at(60)).await;
    world.succeed(&second, at(61)).await;
    let after = world.lifecycle(tenant, id).await;
    assert_eq!(after, Lifecycle { state: ExecutionState::Succeeded, attempt: 2, lost: 1 });
}

pub async fn every_attempt_is_told_in_the_detail(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let id = world.submit_one(&job).await;
    let first = world.claim_one(at(0)).await;
    world.settle(retry(&first, at(1), at(1))).await;
    let second = world.claim_one(at(2)).await;
    world.settle(lost(&second, at(60))).await;
    let third = world.claim_one(at(61)).await;
    world.succeed(&third, at(62)).await;

    let read = world.read(tenant, id).await;
    let expected = [retry(&first, at(1), at(1)).event.unwrap(), lost(&second, at(60)).event.unwrap()];
    assert_eq!(read.events, expected);
    let attempts: Vec<_> = read
        .attempts()
        .into_iter()
        .map(|attempt| (attempt.number, attempt.started_at, attempt.ended_at, attempt.outcome))
        .collect();
    let expected = [
        (1, Some(at(0)), Some(at(1)), AttemptOutcome::Failed),
        (2, Some(at(2)), Some(at(60)), AttemptOutcome::Lost),
        (3, Some(at(61)), Some(at(62)), AttemptOutcome::Succeeded),
    ];
    assert_eq!(attempts, expected);
}

pub async fn the_end_of_the_last_attempt_may_be_told_by_an_event_too(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let id = world.submit_one(&job).await;
    let run = world.claim_one(at(0)).await;
    let event = Event {
        execution_id: id,
        at: at(9),
        kind: EventKind::AttemptTimedOut,
        attempt: 1,
        attempt_started_at: Some(at(0)),
        source: "worker-1".to_owned(),
        message: "The attempt ran longer than 9 s".to_owned(),
        error: Some("timed out".to_owned()),
    };
    world.settle(Settlement { event: Some(event.clone()), ..failure(&run, at(9)) }).await;
    let read = world.read(tenant, id).await;
    assert_eq!(read.events, [event]);
    assert_eq!(read.attempts().len(), 1);
    assert_eq!(read.attempts()[0].outcome, AttemptOutcome::TimedOut);
}

pub async fn an_end_is_written_once(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let id = world.submit_one(&job).await;
    let run = world.claim_one(at(0)).await;
    world.succeed(&run, at(1)).await;
    assert_eq!(world.settle(failure(&run, at(2))).await, Settled::Stale);
    assert_eq!(world.settle(retry(&run, at(2), at(2))).await, Settled::Stale);
    let read = world.read(tenant, id).await;
    assert_eq!((read.summary.lifecycle.state, read.summary.completed_at), (ExecutionState::Succeeded, Some(at(1))));
    assert!(read.events.is_empty(), "nothing of what was refused is recorded");
    let (counters, durations) = world.a.job_statistics(tenant, job.id).await.unwrap();
    assert_eq!((counters.succeeded, counters.failed), (1, 0));
    assert_eq!(durations.iter().map(|(_, count)| count).sum::<i64>(), 1);
}

pub async fn two_nodes_that_end_one_attempt_at_once_write_one_end(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    for _ in 0..10 {
        let id = world.submit_one(&job).await;
        let run = world.claim_one(at(0)).await;
        let (first, second) =
            tokio::join!(world.a.settle(vec![success(&run, at(1))]), world.b.settle(vec![failure(&run, at(1))]));
        let answers = (first.unwrap()[0], second.unwrap()[0]);
        let state = world.state(tenant, id).await;
        match answers {
            (Settled::Applied, Settled::Stale) => assert_eq!(state, ExecutionState::Succeeded),
            (Settled::Stale, Settled::Applied) => assert_eq!(state, ExecutionState::Failed),
            _ => panic!("{answers:?}"),
        }
    }
    let (counters, _) = world.a.job_statistics(tenant, job.id).await.unwrap();
    assert_eq!(counters.succeeded + counters.failed, 10);
}

pub async fn a_result_of_a_worker_that_was_replaced_is_refused(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let id = world.submit_one(&job).await;
    let slow = world.claim_one(at(0)).await;
    world.settle(lost(&slow, at(60))).await;
    assert_eq!(world.settle(success(&slow, at(61))).await, Settled::Stale, "it waits for another worker");
    let replacement = world.claim_one(at(62)).await;
    assert_eq!(world.settle(success(&slow, at(63))).await, Settled::Stale, "another worker has it");
    assert_eq!(world.state(tenant, id).await, ExecutionState::Running);
    world.succeed(&replacement, at(64)).await;
}

pub async fn a_lease_that_was_never_given_ends_nothing(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let id = world.submit_one(&job).await;
    let run = world.claim_one(at(0)).await;
    for fence in [run.lease.fence - 1, run.lease.fence + 1] {
        let lease = Lease { fence, ..run.lease };
        assert_eq!(world.settle(Settlement { lease, ..success(&run, at(1)) }).await, Settled::Stale);
    }
    let nothing = Lease { execution_id: world.ids.execution(at(0)), ..run.lease };
    assert_eq!(world.settle(Settlement { lease: nothing, ..success(&run, at(1)) }).await, Settled::Stale);
    assert_eq!(world.state(tenant, id).await, ExecutionState::Running);
}

pub async fn a_result_of_an_execution_that_was_cancelled_is_refused(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let id = world.submit_one(&job).await;
    let run = world.claim_one(at(0)).await;
    assert_eq!(world.b.cancel(tenant, id, "bob", at(1)).await.unwrap(), CancelOutcome::WasRunning);
    assert_eq!(world.settle(success(&run, at(2))).await, Settled::Stale);
    assert_eq!(world.state(tenant, id).await, ExecutionState::Cancelled);
}

pub async fn the_reaper_does_not_take_a_lease_that_was_renewed_meanwhile(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let id = world.submit_one(&job).await;
    let run = world.claim_one(at(0)).await;
    assert_eq!(world.a.expired(at(40), 10).await.unwrap().len(), 1);
    assert_eq!(world.b.renew(&[run.lease], at(70)).await.unwrap(), [run.lease]);
    assert_eq!(world.settle(lost(&run, at(40))).await, Settled::Stale);
    assert_eq!(world.state(tenant, id).await, ExecutionState::Running);
    assert_eq!(world.settle(lost(&run, at(71))).await, Settled::Applied);
}

pub async fn the_answers_are_in_the_order_of_the_batch(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.submit_many(&job, 5).await;
    let runs = world.claim(5, at(0)).await;
    world.a.cancel(tenant, runs[1].lease.execution_id, "alice", at(1)).await.unwrap();
    // Neither in the order of the ids nor of the claim, and one of them twice.
    let batch = vec![
        failure(&runs[4], at(2)),
        success(&runs[1], at(2)),
        retry(&runs[2], at(2), at(50)),
        success(&runs[0], at(2)),
        failure(&runs[0], at(2)),
        success(&runs[3], at(2)),
    ];
    let (applied, stale) = (Settled::Applied, Settled::Stale);
    assert_eq!(world.a.settle(batch).await.unwrap(), [applied, stale, applied, applied, stale, applied]);
    let mut states = Vec::new();
    for run in &runs {
        states.push(world.state(tenant, run.lease.execution_id).await);
    }
    use ExecutionState::{Cancelled, Failed, Pending, Succeeded};
    assert_eq!(states, [Succeeded, Cancelled, Pending, Succeeded, Failed]);
}

pub async fn one_batch_may_hold_the_ends_of_many_jobs_and_tenants(world: World) {
    let mut jobs = Vec::new();
    for _ in 0..3 {
        let tenant = world.tenant().await;
        for _ in 0..2 {
            let job = world.job(tenant).await;
            world.submit_many(&job, 10).await;
            jobs.push(job);
        }
    }
    let runs = world.claim(100, at(0)).await;
    assert_eq!(runs.len(), 60);
    let batch = runs.iter().map(|run| success(run, at(1))).collect();
    assert!(world.a.settle(batch).await.unwrap().iter().all(|settled| *settled == Settled::Applied));
    for job in jobs {
        let (counters, _) = world.a.job_statistics(job.tenant_id, job.id).await.unwrap();
        assert_eq!((counters.succeeded, counters.running, counters.pending), (10, 0, 0));
        assert_eq!(counters.duration_ms, 10_000);
    }
}

pub async fn what_is_over_never_changes(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    for state in [ExecutionState::Succeeded, ExecutionState::Failed, ExecutionState::Cancelled] {
        let id = world.submit_one(&job).await;
        let run = world.claim_one(at(0)).await;
        match state {
            ExecutionState::Succeeded => world.succeed(&run, at(1)).await,
            ExecutionState::Failed => world.fail(&run, at(1)).await,
            _ => drop(world.a.cancel(tenant, id, "alice", at(1)).await.unwrap()),
        }
        let before = world.read(tenant, id).await;
        assert_eq!(before.summary.lifecycle.state, state);

        for settlement in [success(&run, at(2)), failure(&run, at(2)), retry(&run, at(2), at(2)), lost(&run, at(99))] {
            assert_eq!(world.settle(settlement).await, Settled::Stale);
        }
        let outcome = world.a.cancel(tenant, id, "bob", at(3)).await.unwrap();
        assert_eq!(outcome, CancelOutcome::AlreadyTerminal(state));
        world.a.note_progress(&[(run.lease, 10)]).await.unwrap();
        assert!(world.a.renew(&[run.lease], at(99)).await.unwrap().is_empty());
        world.a.promote(at(99), 10).await.unwrap();
        assert!(world.claim(10, at(99)).await.is_empty());
        assert!(world.a.expired(at(9_999), 10).await.unwrap().is_empty());
        assert_eq!(world.read(tenant, id).await, before);
    }
}
