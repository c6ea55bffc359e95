//! Claiming: the right executions, in the right order, each by one worker only.

use std::collections::BTreeSet;

use horarium_domain::ExecutionId;
use horarium_domain::execution::{ExecutionState, Lifecycle, NewExecution, Trigger};
use serde_json::json;

use crate::World;
use crate::world::{START, at, at_millis, ids_of, retry, snooze};

pub async fn a_claimed_execution_comes_with_all_that_running_it_needs(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let job = world.change_job(&job, None, |job| job.spec.timeout_seconds = 7).await;
    let execution = NewExecution {
        trigger: Trigger::Api,
        payload: Some(json!({"order": 7, "note": "ü"})),
        scheduled_for: at_millis(-5),
        ..world.execution(&job)
    };
    world.submit(execution.clone()).await;

    let request = world.request(10, at_millis(3));
    let claimed = world.a.claim(&request).await.unwrap().remove(0);
    assert_eq!(claimed.lease.execution_id, execution.id);
    assert_eq!((claimed.tenant_id, claimed.job_id, claimed.job_version), (tenant, job.id, 2));
    assert_eq!(claimed.lifecycle, Lifecycle { state: ExecutionState::Running, attempt: 1, lost: 0 });
    assert_eq!((claimed.trigger, &claimed.payload), (Trigger::Api, &execution.payload));
    assert_eq!((claimed.scheduled_for, claimed.created_at), (execution.scheduled_for, START));

    let read = world.read(tenant, execution.id).await.summary;
    assert_eq!(read.lifecycle, claimed.lifecycle);
    assert_eq!((read.started_at, read.completed_at, read.run_at), (Some(request.now), None, None));
    assert_eq!(read.worker.as_deref(), Some(request.worker.as_str()));
}

pub async fn an_execution_tells_how_often_it_is_to_be_tried(world: World) {
    let job = world.job(world.tenant().await).await;
    let limited = world.job_with(job.tenant_id, |spec| spec.max_concurrency = Some(9)).await;
    for (job, max_attempts) in [(&job, None), (&job, Some(1)), (&job, Some(1000)), (&limited, Some(7))] {
        world.submit(NewExecution { max_attempts, ..world.execution(job) }).await;
        let run = world.claim_one(at(0)).await;
        assert_eq!(run.max_attempts, max_attempts);
        world.settle(retry(&run, at(1), at(1))).await;
        let again = world.claim_one(at(1)).await;
        assert_eq!((again.lifecycle.attempt, again.max_attempts), (2, max_attempts));
        world.succeed(&again, at(2)).await;
        assert_eq!(world.read(job.tenant_id, run.lease.execution_id).await.max_attempts, max_attempts);
    }
}

pub async fn higher_priority_goes_first_and_then_the_older(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let mut expected = Vec::new();
    for priority in [0, 100, -100, 5, 100, 0] {
        let execution = NewExecution { priority, ..world.execution(&job) };
        expected.push((-priority, execution.id));
        world.submit(execution).await;
    }
    expected.sort_unstable();

    // Both which ones a small batch takes, and the order in which it gives them.
    let mut order = Vec::new();
    for limit in [1, 2, 10] {
        order.extend(world.claim(limit, at(1)).await.iter().map(|run| run.lease.execution_id));
    }
    assert_eq!(order, expected.iter().map(|(_, id)| *id).collect::<Vec<_>>());
}

pub async fn a_claim_takes_no_more_than_it_asks_for(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.submit_many(&job, 7).await;
    assert_eq!(world.claim(5, at(0)).await.len(), 5);
    assert_eq!(world.claim(5, at(0)).await.len(), 2);
    assert_eq!(world.claim(5, at(0)).await.len(), 0);
}

pub async fn an_execution_of_a_later_time_waits_until_it_is_promoted(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let in_ten = world.submit(world.execution_at(&job, at(10))).await;
    let in_twenty = world.submit(world.execution_at(&job, at(20))).await;

    assert!(world.claim(10, at(0)).await.is_empty());
    let promoted = world.a.promote(at_millis(9_999), 100).await.unwrap();
    assert_eq!((promoted.count, promoted.next_at), (0, Some(at(10))));
    assert!(world.claim(10, at_millis(9_999)).await.is_empty());

    let promoted = world.b.promote(at(10), 100).await.unwrap();
    assert_eq!((promoted.count, promoted.next_at), (1, Some(at(20))));
    assert_eq!(ids_of(&world.claim(10, at(10)).await), [in_ten]);

    let promoted = world.a.promote(at(25), 100).await.unwrap();
    assert_eq!((promoted.count, promoted.next_at), (1, None));
    assert_eq!(ids_of(&world.claim(10, at(25)).await), [in_twenty]);
}

pub async fn a_promotion_takes_the_longest_due_first(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let mut expected = Vec::new();
    for seconds in [30, 10, 20] {
        expected.push(world.submit(world.execution_at(&job, at(seconds))).await);
    }
    let promoted = world.a.promote(at(60), 2).await.unwrap();
    assert_eq!((promoted.count, promoted.next_at), (2, Some(at(30))), "the one left over is due already");
    assert_eq!(ids_of(&world.claim(10, at(60)).await), [expected[1], expected[2]]);
    assert_eq!(world.a.promote(at(60), 2).await.unwrap().count, 1);
    assert_eq!(world.claim_one(at(60)).await.lease.execution_id, expected[0]);
}

pub async fn two_promoters_at_once_promote_each_execution_once(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let batch = (0..40).map(|_| world.execution_at(&job, at(10))).collect();
    world.a.enqueue(batch).await.unwrap();
    let (first, second) = tokio::join!(world.a.promote(at(10), 100), world.b.promote(at(10), 100));
    let mut count = first.unwrap().count + second.unwrap().count;
    // One of two that meet may leave some to the other's next round.
    count += world.a.promote(at(10), 100).await.unwrap().count;
    assert_eq!(count, 40);
    assert_eq!(world.claim(100, at(10)).await.len(), 40);
}

pub async fn two_claimers_at_once_never_share_an_execution(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let ids = world.submit_many(&job, 300).await;
    let claimers: Vec<_> = (0..4)
        .map(|n| {
            let store = if n % 2 == 0 { world.a.clone() } else { world.b.clone() };
            let request = world.request(7, at(0));
            tokio::spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let claimed = store.claim(&request).await.unwrap();
                    if claimed.is_empty() {
                        return mine;
                    }
                    mine.extend(claimed.into_iter().map(|claimed| claimed.lease.execution_id));
                }
            })
        })
        .collect();
    let mut seen: Vec<ExecutionId> = Vec::new();
    for claimer in claimers {
        seen.extend(claimer.await.unwrap());
    }
    // A claimer may have found nothing while another one held the last rows; nothing is lost by that.
    seen.extend(world.claim(300, at(0)).await.iter().map(|run| run.lease.execution_id));
    assert_eq!(seen.len(), 300, "none twice");
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), ids.into_iter().collect());
}

pub async fn each_claim_of_an_execution_counts_an_attempt_and_raises_the_fence(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.submit_one(&job).await;
    let first = world.claim_one(at(0)).await;
    world.settle(retry(&first, at(1), at(1))).await;
    let second = world.claim_one(at(2)).await;
    world.settle(snooze(&second, at(3), at(3))).await;
    let third = world.claim_one(at(4)).await;

    assert_eq!([first.lifecycle.attempt, second.lifecycle.attempt, third.lifecycle.attempt], [1, 2, 2]);
    assert!(first.lease.fence < second.lease.fence && second.lease.fence < third.lease.fence);
}

pub async fn the_executions_of_an_inactive_tenant_still_run(world: World) {
    let tenant = world.new_tenant();
    world.a.create_tenant(tenant.clone(), Vec::new()).await.unwrap();
    let job = world.job(tenant.id).await;
    let accepted = world.submit_one(&job).await;
    world.a.update_tenant(horarium_domain::tenant::Tenant { is_active: false, ..tenant }).await.unwrap();
    assert_eq!(ids_of(&world.claim(10, at(0)).await), [accepted]);
}

pub async fn the_executions_of_a_deleted_job_still_run(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let accepted = world.submit_one(&job).await;
    world.change_job(&job, None, |job| job.is_deleted = true).await;
    let run = world.claim_one(at(0)).await;
    assert_eq!((run.lease.execution_id, run.job_version), (accepted, 2));
    let definition = world.a.definitions(&[run.job_id]).await.unwrap();
    assert_eq!(definition.len(), 1, "the engine finds what it is to run");
}
