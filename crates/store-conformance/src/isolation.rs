//! Tenants apart: nobody sees, counts, changes or is changed by what is another's.

use std::fmt::{Debug, Write};
use std::time::Duration;

use horarium_domain::execution::{EventKind, ExecutionState};
use horarium_domain::job::{Job, QueueName};
use horarium_domain::page::PageRequest;
use horarium_domain::store::{Enqueued, ExecutionFilter, FireOutcome, JobChange, JobFilter, RollupWindow};
use horarium_domain::tenant::TenantRef;
use horarium_domain::{TenantId, execution::NewExecution};

use crate::World;
use crate::world::{Run, assert_not_found, at, every_minute, failure, retry, success};

const ALL: PageRequest = PageRequest { number: 1, size: PageRequest::MAX_SIZE };
const WINDOW: RollupWindow = RollupWindow {
    width: Duration::from_hours(1),
    from: horarium_domain::Timestamp::UNIX_EPOCH,
    to: horarium_domain::Timestamp::MAX,
};

pub async fn another_tenants_things_are_not_there(world: World) {
    let (owner, stranger) = (world.tenant().await, world.tenant().await);
    let job = world.scheduled_job(owner, at(60)).await;
    let ended = world.run(&job, at(0), at(1), ExecutionState::Failed).await;
    let running = world.submit_one(&job).await;
    world.claim_one(at(2)).await;
    let waiting = world.submit_one(&job).await;
    let key = crate::keys::new_key(&world, owner);
    world.a.create_key(key.clone()).await.unwrap();
    world.limit_queue(owner, |queue| queue.max_length = Some(9)).await;
    let before = view(&world, owner).await;

    for id in [ended, running, waiting] {
        assert_not_found(world.a.execution(stranger, id).await);
        assert_not_found(world.a.cancel(stranger, id, "mallory", at(3)).await);
        let event = horarium_domain::execution::Event {
            execution_id: id,
            at: at(3),
            kind: EventKind::Retried,
            attempt: 0,
            attempt_started_at: None,
            source: "mallory".to_owned(),
            message: String::new(),
            error: None,
        };
        assert_not_found(world.a.record_event(stranger, event).await);
    }
    assert_not_found(world.a.job(stranger, job.id).await);
    assert_not_found(world.a.job_by_name(stranger, &job.spec.name).await);
    assert_not_found(world.a.job_statistics(stranger, job.id).await);
    assert_not_found(world.a.purge_job(stranger, job.id, None).await);
    let change = JobChange {
        job: Job { tenant_id: stranger, version: 2, ..job.clone() },
        expected_version: 1,
        seen_next_run_at: Some(at(60)),
        next_run_at: None,
    };
    assert_not_found(world.a.update_job(change).await);
    let foreign = NewExecution { tenant_id: stranger, ..world.execution(&job) };
    assert_eq!(world.a.enqueue(vec![foreign.clone()]).await.unwrap(), [Enqueued::NoSuchJob]);
    let firing = horarium_domain::store::Firing {
        tenant_id: stranger,
        executions: vec![foreign],
        ..world.firing(&job, at(60), None)
    };
    assert_eq!(world.a.fire(vec![firing]).await.unwrap(), [FireOutcome::Superseded]);
    let of_job = ExecutionFilter { job_id: Some(job.id), ..ExecutionFilter::default() };
    for filter in [ExecutionFilter::default(), of_job] {
        assert_eq!(world.a.executions(stranger, &filter, ALL).await.unwrap().total, 0);
        assert!(world.a.executions_before(stranger, &filter, None, 10).await.unwrap().items.is_empty());
    }
    assert!(world.a.skipped_slots(stranger, job.id, 10).await.unwrap().is_empty());
    for scope in [None, Some(job.id)] {
        let timeline = world.a.timeline(stranger, scope, WINDOW).await.unwrap();
        assert_eq!((timeline.buckets.len(), timeline.running_since.len()), (0, 0));
    }
    assert_not_found(world.a.update_key(horarium_domain::api_key::ApiKeyRecord { tenant_id: stranger, ..key }).await);
    assert_eq!(world.a.prune_executions(stranger, at(9_999), 100).await.unwrap(), 0);
    assert_eq!(world.a.delete_expired_keys(stranger, at(9_999)).await.unwrap(), 0);
    assert_eq!(world.a.reconcile_counters(stranger).await.unwrap(), []);
    assert_eq!(view(&world, stranger).await, view(&world, world.tenant().await).await, "as if it were alone");
    assert_eq!(view(&world, owner).await, before, "nothing of the owner's was touched");
}

/// All that a tenant can see, as text; the parts that only name the tenant itself are left out.
async fn view(world: &World, tenant: TenantId) -> String {
    fn show(text: &mut String, part: impl Debug) {
        writeln!(text, "{part:?}").unwrap();
    }
    let mut text = String::new();
    let now = at(5_000);
    let jobs = world.a.jobs(tenant, &JobFilter::default(), ALL).await.unwrap();
    for summary in &jobs.items {
        show(&mut text, world.a.job_statistics(tenant, summary.job.id).await.unwrap());
        show(&mut text, world.a.timeline(tenant, Some(summary.job.id), WINDOW).await.unwrap());
        show(&mut text, world.a.skipped_slots(tenant, summary.job.id, 100).await.unwrap());
    }
    show(&mut text, jobs);
    show(&mut text, world.a.failing_jobs(tenant, 1, 100).await.unwrap());
    let executions = world.a.executions(tenant, &ExecutionFilter::default(), ALL).await.unwrap();
    show(&mut text, &executions);
    // A few in full: each is one more query, in each of many looks.
    for summary in executions.items.iter().take(5) {
        show(&mut text, world.a.execution(tenant, summary.id).await.unwrap());
    }
    show(&mut text, world.a.dashboard(tenant, now).await.unwrap());
    show(&mut text, world.a.timeline(tenant, None, WINDOW).await.unwrap());
    show(&mut text, world.a.queues(tenant, None, 100, now).await.unwrap());
    show(&mut text, world.a.limited_keys(tenant, None, 100).await.unwrap());
    show(&mut text, world.a.queue(tenant, &QueueName::default(), now).await.unwrap());
    show(&mut text, world.a.keys(tenant, ALL).await.unwrap());
    text
}

/// One step of a busy tenant's life.
async fn live(world: &World, tenant: TenantId, step: usize, chance: &mut crate::seeded::Seeded, runs: &mut Vec<Run>) {
    let now = at(step as i64);
    match chance.below(8) {
        0 => {
            let limit = chance.below(4) as u32;
            let job = world.new_job(tenant, |spec| {
                spec.schedule = every_minute();
                spec.max_concurrency = (limit > 0).then_some(limit);
            });
            world.a.create_job(job, Some(now)).await.unwrap();
        }
        1 => world.limit_queue(tenant, |queue| queue.max_concurrency = Some(5 + chance.below(9) as u32)).await,
        2 | 3 => {
            let jobs = world.a.jobs(tenant, &JobFilter::default(), ALL).await.unwrap();
            if let Some(summary) = jobs.items.first() {
                world.submit_many(&summary.job, 1 + chance.below(4)).await;
            }
        }
        4 => {
            let mut firings = Vec::new();
            for due in world.a.due(now, 100).await.unwrap().into_iter().filter(|due| due.tenant_id == tenant) {
                let job = world.a.job(tenant, due.job_id).await.unwrap().job;
                firings.push(world.firing(&job, due.slot, Some(due.slot + Duration::from_mins(1))));
            }
            world.a.fire(firings).await.unwrap();
        }
        5 => {
            if let Some(run) = runs.pop() {
                world.a.cancel(tenant, run.lease.execution_id, "alice", now).await.unwrap();
            }
        }
        6 => {
            let mut batch = Vec::new();
            for run in runs.drain(..) {
                batch.push(match chance.below(3) {
                    0 => success(&run, now),
                    1 => failure(&run, now),
                    _ => retry(&run, now, now),
                });
            }
            world.a.settle(batch).await.unwrap();
        }
        _ => {
            let filter = JobFilter::default();
            let jobs = world.a.jobs(tenant, &filter, ALL).await.unwrap();
            if let Some(summary) = jobs.items.last() {
                let mut job = Job { version: summary.job.version + 1, ..summary.job.clone() };
                job.is_paused = !job.is_paused;
                let toggle = JobChange {
                    next_run_at: (!job.is_paused).then_some(now),
                    job,
                    expected_version: summary.job.version,
                    seen_next_run_at: summary.next_run_at,
                };
                world.a.update_job(toggle).await.unwrap();
            }
        }
    }
}

pub async fn a_busy_tenant_leaves_anothers_view_as_it_was(world: World) {
    let tenants = [world.tenant().await, world.tenant().await];
    let mut chance = crate::seeded::Seeded::new(0xB0B);
    let mut runs: [Vec<Run>; 2] = [Vec::new(), Vec::new()];
    let mut views = [view(&world, tenants[0]).await, view(&world, tenants[1]).await];
    for step in 0..100 {
        let (active, idle) = if chance.below(2) == 0 { (0, 1) } else { (1, 0) };
        live(&world, tenants[active], step, &mut chance, &mut runs[active]).await;
        assert_eq!(view(&world, tenants[idle]).await, views[idle], "step {step}");
        // Workers are everybody's: claiming is the one thing that touches both, so it is done between the looks.
        if step % 3 == 0 {
            for run in world.claim(6, at(step as i64)).await {
                runs[usize::from(run.tenant_id == tenants[1])].push(run);
            }
            views[idle] = view(&world, tenants[idle]).await;
        }
        views[active] = view(&world, tenants[active]).await;
    }
    for tenant in tenants {
        let stats = world.a.dashboard(tenant, at(100)).await.unwrap();
        assert!(stats.succeeded + stats.failed >= 3, "both were busy: {stats:?}");
    }
}

pub async fn one_tenants_name_slug_or_key_says_nothing_of_anothers(world: World) {
    let (first, second) = (world.tenant().await, world.tenant().await);
    let job = world.job(first).await;
    let namesake = world.job_with(second, |spec| spec.name.clone_from(&job.spec.name)).await;
    assert_eq!(world.a.job_by_name(first, &job.spec.name).await.unwrap().job.id, job.id);
    assert_eq!(world.a.job_by_name(second, &job.spec.name).await.unwrap().job.id, namesake.id);
    let unique = |job: &Job| NewExecution { unique_key: Some("k".to_owned()), ..world.execution(job) };
    let answers = world.a.enqueue(vec![unique(&job), unique(&namesake)]).await.unwrap();
    assert_eq!(answers, [Enqueued::Accepted, Enqueued::Accepted]);
    world.a.tenant(&TenantRef::Id(first)).await.unwrap();
}
