//! Leases: renewed while a worker lives, found when it does not, gone when its execution was cancelled.

use horarium_domain::execution::{ExecutionState, Lifecycle};
use horarium_domain::store::Lease;

use crate::World;
use crate::world::{at, at_millis, ids_of, lost};

pub async fn a_renewed_lease_runs_out_later(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.submit_one(&job).await;
    let run = world.claim_one(at(0)).await;
    assert_eq!(world.a.renew(&[run.lease], at(100)).await.unwrap(), [run.lease]);
    assert!(world.b.expired(at(99), 10).await.unwrap().is_empty());
    assert_eq!(world.b.expired(at(101), 10).await.unwrap().len(), 1);
}

pub async fn an_expired_lease_tells_who_had_what(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.submit_one(&job).await;
    let run = world.claim_one(at(0)).await;
    assert!(world.a.expired(at(30), 10).await.unwrap().is_empty(), "it holds to its very end");
    let expired = world.b.expired(at_millis(30_001), 10).await.unwrap().remove(0);
    assert_eq!(expired.lease, run.lease);
    assert_eq!((expired.tenant_id, expired.job_id), (tenant, job.id));
    assert_eq!(expired.lifecycle, Lifecycle { state: ExecutionState::Running, attempt: 1, lost: 0 });
    assert_eq!((expired.worker.as_str(), expired.started_at), ("worker-1", at(0)));

    // A worker that comes back before anybody took it over still holds it.
    assert_eq!(world.a.renew(&[run.lease], at(90)).await.unwrap(), [run.lease]);
    assert!(world.a.expired(at(60), 10).await.unwrap().is_empty());
}

pub async fn the_longest_expired_come_first(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.submit_many(&job, 3).await;
    let runs = world.claim(3, at(0)).await;
    world.a.renew(&[runs[0].lease], at(50)).await.unwrap();
    world.a.renew(&[runs[1].lease], at(40)).await.unwrap();
    world.a.renew(&[runs[2].lease], at(60)).await.unwrap();
    let expired = world.a.expired(at(100), 2).await.unwrap();
    let order: Vec<_> = expired.iter().map(|expired| expired.lease).collect();
    assert_eq!(order, [runs[1].lease, runs[0].lease]);
}

pub async fn a_renewal_tells_which_leases_are_still_held(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.submit_many(&job, 5).await;
    let runs = world.claim(5, at(0)).await;
    world.succeed(&runs[0], at(1)).await;
    world.a.cancel(tenant, runs[1].lease.execution_id, "alice", at(1)).await.unwrap();
    world.settle(lost(&runs[2], at(60))).await;
    world.claim_one(at(61)).await;
    let never_given = Lease { fence: runs[3].lease.fence + 1, ..runs[3].lease };
    let unknown = Lease { execution_id: world.ids.execution(at(0)), fence: 1 };

    let mut asked: Vec<_> = runs.iter().map(|run| run.lease).collect();
    asked.extend([never_given, unknown]);
    let mut held = world.b.renew(&asked, at(90)).await.unwrap();
    held.sort_unstable();
    assert_eq!(held, [runs[3].lease, runs[4].lease]);
}

pub async fn many_leases_are_renewed_at_once(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let ids = world.submit_many(&job, 500).await;
    let runs = world.claim(500, at(0)).await;
    assert_eq!(ids_of(&runs), ids);
    let leases: Vec<_> = runs.iter().map(|run| run.lease).collect();
    assert_eq!(world.a.renew(&leases, at(60)).await.unwrap().len(), 500);
    assert!(world.a.expired(at(59), 10).await.unwrap().is_empty());
}

pub async fn progress_is_shown_while_the_lease_is_held(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.submit_many(&job, 2).await;
    let runs = world.claim(2, at(0)).await;
    let [first, second] = [runs[0].lease, runs[1].lease];
    let progress = async |lease: Lease| world.read(tenant, lease.execution_id).await.summary.progress;

    assert_eq!(progress(first).await, None);
    world.a.note_progress(&[(first, 10), (second, 0)]).await.unwrap();
    assert_eq!((progress(first).await, progress(second).await), (Some(10), Some(0)));
    // The last word of a batch counts, and it may be a step back.
    world.b.note_progress(&[(first, 90), (first, 30), (second, 100)]).await.unwrap();
    assert_eq!((progress(first).await, progress(second).await), (Some(30), Some(100)));

    let stale = Lease { fence: first.fence + 1, ..first };
    let unknown = Lease { execution_id: world.ids.execution(at(0)), fence: 1 };
    world.a.note_progress(&[(stale, 99), (unknown, 99)]).await.unwrap();
    assert_eq!(progress(first).await, Some(30));

    world.settle(lost(&runs[0], at(60))).await;
    world.a.note_progress(&[(first, 77)]).await.unwrap();
    assert_eq!(progress(first).await, None, "its next attempt begins anew");
    let again = world.claim_one(at(61)).await;
    assert_eq!(progress(again.lease).await, None);
}
