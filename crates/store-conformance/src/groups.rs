//! The jobs of one group, taken together.

use horarium_domain::execution::ExecutionState;
use horarium_domain::job::Job;
use horarium_domain::stats::GroupFigures;
use horarium_domain::store::GroupFilter;
use horarium_domain::{ExecutionId, TenantId};

use crate::World;
use crate::world::{at, retry};

const GROUP: &str = "imports";

async fn member(world: &World, tenant: TenantId) -> Job {
    world.job_with(tenant, |spec| spec.group = Some(GROUP.to_owned())).await
}

async fn figures(world: &World, tenant: TenantId) -> GroupFigures {
    world.b.group_figures(tenant, GROUP).await.unwrap()
}

fn everything() -> GroupFilter {
    GroupFilter { group: GROUP.to_owned(), job_name: None, state: None }
}

/// The executions that a filter shows, walked in pages of a size.
async fn walked(world: &World, tenant: TenantId, filter: &GroupFilter, size: usize) -> Vec<ExecutionId> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = world.b.executions_of_group(tenant, filter, cursor, size).await.unwrap();
        assert!(page.items.len() == size || page.next.is_none(), "only the last page may be short");
        found.extend(page.items.iter().map(|item| item.id));
        cursor = page.next;
        if cursor.is_none() {
            return found;
        }
    }
}

pub async fn a_groups_figures_are_those_of_its_jobs_alone(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    assert_eq!(figures(&world, tenant).await, GroupFigures::default());
    let jobs = [member(&world, tenant).await, member(&world, tenant).await];
    let outside = world.job_with(tenant, |spec| spec.group = Some("Imports".to_owned())).await;
    let ungrouped = world.job(tenant).await;
    let elsewhere = member(&world, other).await;
    use ExecutionState::{Failed, Succeeded};
    world.run(&jobs[0], at(0), at(5), Failed).await;
    world.run(&jobs[1], at(0), at(9), Succeeded).await;
    world.run(&jobs[1], at(0), at(4), Failed).await;
    for job in [&outside, &ungrouped, &elsewhere] {
        world.run(job, at(0), at(99), Failed).await;
    }
    for job in [&outside, &ungrouped, &elsewhere] {
        world.submit_one(job).await;
    }
    world.claim(10, at(20)).await;
    world.submit_many(&jobs[0], 3).await;
    let run = world.claim(1, at(30)).await;
    assert_eq!(run[0].job_id, jobs[0].id);

    let told = figures(&world, tenant).await;
    assert_eq!((told.pending, told.running, told.failed), (2, 1, 2));
    let last = told.last_run.unwrap();
    assert_eq!((last.completed_at, last.state, last.duration_ms), (at(9), Succeeded, Some(9_000)));
    assert_eq!(figures(&world, other).await.failed, 1);
}

pub async fn the_oldest_of_a_group_is_the_first_to_become_due(world: World) {
    let tenant = world.tenant().await;
    let job = member(&world, tenant).await;
    world.submit(world.execution_at(&job, at(900))).await;
    assert_eq!(figures(&world, tenant).await.oldest_due_at, Some(at(900)), "it waits for its time");
    world.submit_one(&job).await;
    assert_eq!(figures(&world, tenant).await.oldest_due_at, Some(at(0)));
    let run = world.claim_one(at(10)).await;
    assert_eq!(figures(&world, tenant).await.oldest_due_at, Some(at(900)), "what runs does not wait");
    world.settle(retry(&run, at(20), at(140))).await;
    assert_eq!(figures(&world, tenant).await.oldest_due_at, Some(at(140)), "due again when its next attempt is");
}

pub async fn the_last_run_of_a_group_is_no_cancellation(world: World) {
    let tenant = world.tenant().await;
    let (job, other) = (member(&world, tenant).await, member(&world, tenant).await);
    use ExecutionState::{Cancelled, Failed, Succeeded};
    world.run(&job, at(0), at(1), Cancelled).await;
    assert_eq!(figures(&world, tenant).await.last_run, None);
    world.run(&job, at(0), at(7), Failed).await;
    world.run(&job, at(0), at(8), Cancelled).await;
    world.run(&job, at(0), at(9), Cancelled).await;
    let last = figures(&world, tenant).await.last_run.unwrap();
    assert_eq!((last.started_at, last.completed_at, last.state), (Some(at(0)), at(7), Failed));
    assert_eq!(last.duration_ms, Some(7_000));
    world.run(&other, at(0), at(6), Succeeded).await;
    assert_eq!(figures(&world, tenant).await.last_run.unwrap().completed_at, at(7));
    world.run(&other, at(0), at(8), Succeeded).await;
    assert_eq!(figures(&world, tenant).await.last_run.unwrap().completed_at, at(8));
}

pub async fn what_a_deleted_job_left_behind_still_counts(world: World) {
    let tenant = world.tenant().await;
    let job = member(&world, tenant).await;
    world.run(&job, at(0), at(5), ExecutionState::Failed).await;
    world.submit_one(&job).await;
    let deleted = world.change_job(&job, None, |job| job.is_deleted = true).await;
    let told = figures(&world, tenant).await;
    assert_eq!((told.pending, told.failed), (1, 1));
    assert_eq!(walked(&world, tenant, &everything(), 10).await.len(), 2);
    world.a.purge_job(tenant, deleted.id, None).await.unwrap();
    assert_eq!(figures(&world, tenant).await, GroupFigures::default());
    assert!(walked(&world, tenant, &everything(), 10).await.is_empty());
}

pub async fn a_failure_that_is_deleted_counts_no_more(world: World) {
    let tenant = world.tenant().await;
    let jobs = [member(&world, tenant).await, member(&world, tenant).await];
    let ids = [
        world.run(&jobs[0], at(0), at(5), ExecutionState::Failed).await,
        world.run(&jobs[1], at(0), at(6), ExecutionState::Failed).await,
    ];
    world.change_job(&jobs[1], None, |job| job.is_deleted = true).await;
    for (id, left) in ids.into_iter().zip([1, 0]) {
        world.a.delete_execution(tenant, id).await.unwrap();
        assert_eq!(figures(&world, tenant).await.failed, left);
    }
}

pub async fn a_groups_list_shows_what_its_filter_asks_for(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let (job, second) = (member(&world, tenant).await, member(&world, tenant).await);
    use ExecutionState::{Cancelled, Failed, Pending, Running, Succeeded};
    let succeeded = world.run(&job, at(0), at(1), Succeeded).await;
    let failed = world.run(&second, at(0), at(2), Failed).await;
    let cancelled = world.run(&job, at(0), at(3), Cancelled).await;
    let running = world.submit_one(&second).await;
    world.claim_one(at(4)).await;
    let pending = world.submit_one(&job).await;
    world.submit_one(&world.job(tenant).await).await;
    let foreign = world.submit_one(&member(&world, other).await).await;

    let of_state = |state| GroupFilter { state: Some(state), ..everything() };
    for (state, expected) in
        [(Succeeded, succeeded), (Failed, failed), (Cancelled, cancelled), (Running, running), (Pending, pending)]
    {
        assert_eq!(walked(&world, tenant, &of_state(state), 10).await, [expected], "{state}");
    }
    let named = |name: &str| GroupFilter { job_name: Some(name.to_owned()), ..everything() };
    assert_eq!(walked(&world, tenant, &named(&second.spec.name), 10).await, [running, failed]);
    assert!(walked(&world, tenant, &named("nobody"), 10).await.is_empty());
    assert!(walked(&world, tenant, &GroupFilter { group: "nothing".to_owned(), ..everything() }, 10).await.is_empty());
    assert_eq!(walked(&world, tenant, &everything(), 10).await, [pending, running, cancelled, failed, succeeded]);
    assert_eq!(walked(&world, other, &everything(), 10).await, [foreign]);
    let shown = world.a.executions_of_group(tenant, &of_state(Failed), None, 1).await.unwrap();
    assert_eq!(shown.items, [world.read(tenant, failed).await.summary]);
}

pub async fn a_walk_through_a_group_visits_each_of_its_executions_once(world: World) {
    let tenant = world.tenant().await;
    let jobs = [member(&world, tenant).await, member(&world, tenant).await, member(&world, tenant).await];
    let mut ids = Vec::new();
    for round in 0..7 {
        ids.extend(world.submit_many(&jobs[round % 3], 1 + round % 2).await);
        world.submit_one(&world.job(tenant).await).await;
    }
    ids.reverse();
    for size in [1, 3, 10, 100] {
        assert_eq!(walked(&world, tenant, &everything(), size).await, ids, "in pages of {size}");
    }
}

pub async fn of_many_jobs_of_a_group_the_newest_executions_are_shown(world: World) {
    let tenant = world.tenant().await;
    let mut jobs = Vec::new();
    for _ in 0..25 {
        jobs.push(member(&world, tenant).await);
    }
    use ExecutionState::{Cancelled, Failed, Pending, Succeeded};
    let (mut ids, mut failed, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
    for (job, state) in jobs.iter().zip([Succeeded, Failed, Failed, Cancelled].into_iter().cycle()) {
        let id = world.run(job, at(0), at(1), state).await;
        failed.extend((state == Failed).then_some(id));
        ids.push(id);
    }
    for job in [&jobs[0], &jobs[13]] {
        waiting.extend(world.submit_many(job, 4).await);
    }
    ids.extend_from_slice(&waiting);
    for ids in [&mut ids, &mut failed, &mut waiting] {
        ids.reverse();
    }
    let of_state = |state| GroupFilter { state: Some(state), ..everything() };
    for size in [1, 3, 100] {
        assert_eq!(walked(&world, tenant, &everything(), size).await, ids, "in pages of {size}");
        assert_eq!(walked(&world, tenant, &of_state(Failed), size).await, failed, "in pages of {size}");
        assert_eq!(walked(&world, tenant, &of_state(Pending), size).await, waiting, "in pages of {size}");
    }
    let of_one = GroupFilter { job_name: Some(jobs[13].spec.name.clone()), ..everything() };
    assert_eq!(walked(&world, tenant, &of_one, 2).await.len(), 5);
}
