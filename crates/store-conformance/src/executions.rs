//! Reading executions: one in full, pages of many, walks through all.

use horarium_domain::execution::Output;
use horarium_domain::execution::{Event, EventKind, ExecutionState, NewExecution, Trigger};
use horarium_domain::job::{Job, QueueName};
use horarium_domain::page::PageRequest;
use horarium_domain::store::{Counted, Decision, ExecutionEnd, ExecutionFilter, Recent, Settled, Settlement};
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};
use serde_json::json;

use crate::World;
use crate::world::{START, assert_not_found, at, at_millis, retry, success};

const ALL: PageRequest = PageRequest { number: 1, size: PageRequest::MAX_SIZE };

async fn listed(world: &World, tenant: TenantId, filter: &ExecutionFilter) -> Vec<ExecutionId> {
    let page = world.a.executions(tenant, filter, ALL).await.unwrap();
    assert_eq!(page.total, page.items.len() as u64, "{filter:?}");
    let walked = world.b.executions_before(tenant, filter, None, 200).await.unwrap();
    assert_eq!(walked.items, page.items, "both lists agree: {filter:?}");
    assert_eq!(walked.next, None);
    let counted = world.a.count_executions(tenant, filter, 100).await.unwrap();
    assert_eq!(counted, Counted { count: page.total, is_capped: false }, "{filter:?}");
    page.items.into_iter().map(|summary| summary.id).collect()
}

/// One execution in each state, oldest first: Succeeded, Failed, Cancelled while it ran, Cancelled while it waited,
/// Pending, Pending after a first attempt, Running. The attempts start at 10, 20, 30, 60 and 70 seconds.
async fn one_of_each(world: &World, job: &horarium_domain::job::Job) -> Vec<ExecutionId> {
    use ExecutionState::{Cancelled, Failed, Succeeded};
    let tenant = job.tenant_id;
    let mut ids = vec![
        world.run(job, at(10), at(11), Succeeded).await,
        world.run(job, at(20), at(21), Failed).await,
        world.run(job, at(30), at(31), Cancelled).await,
    ];
    let cancelled = world.submit_one(job).await;
    world.a.cancel(tenant, cancelled, "alice", at(40)).await.unwrap();
    let pending = world.submit(world.execution_at(job, at(5000))).await;
    let retried = world.submit_one(job).await;
    let run = world.claim_one(at(60)).await;
    world.settle(retry(&run, at(61), at(6000))).await;
    let running = world.submit_one(job).await;
    world.claim_one(at(70)).await;
    ids.extend([cancelled, pending, retried, running]);
    ids
}

pub async fn an_execution_is_found_by_its_tenant_only(world: World) {
    let (tenant, stranger) = (world.tenant().await, world.tenant().await);
    let id = world.submit_one(&world.job(tenant).await).await;
    assert_eq!(world.read(tenant, id).await.summary.id, id);
    assert_not_found(world.a.execution(stranger, id).await);
    assert_not_found(world.a.execution(tenant, world.ids.execution(START)).await);
    assert!(world.a.executions_in_full(stranger, &[id]).await.unwrap().is_empty());
}

pub async fn several_executions_are_read_in_full_in_the_order_asked_for(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let ids = one_of_each(&world, &job).await;
    let unknown = world.ids.execution(START);
    let asked = [ids[6], ids[0], unknown, ids[3], ids[5]];
    let read = world.a.executions_in_full(tenant, &asked).await.unwrap();
    let mut expected = Vec::new();
    for id in asked.into_iter().filter(|id| *id != unknown) {
        expected.push(world.read(tenant, id).await);
    }
    assert_eq!(read, expected);
    assert!(!read[3].events.is_empty(), "a retry is an event");
    assert!(world.a.executions_in_full(tenant, &[]).await.unwrap().is_empty());
}

pub async fn an_execution_shows_its_jobs_present_name(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let id = world.submit_one(&job).await;
    let job = world.change_job(&job, None, |job| job.spec.name = "renamed".to_owned()).await;
    assert_eq!(world.read(tenant, id).await.summary.job_name, "renamed");
    world.change_job(&job, None, |job| job.is_deleted = true).await;
    assert_eq!(world.read(tenant, id).await.summary.job_name, "renamed");
    assert_eq!(world.a.executions(tenant, &ExecutionFilter::default(), ALL).await.unwrap().items.len(), 1);
}

pub async fn a_list_shows_what_the_detail_shows(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let mut ids = one_of_each(&world, &job).await;
    ids.reverse();
    let page = world.a.executions(tenant, &ExecutionFilter::default(), ALL).await.unwrap();
    assert_eq!(page.items.iter().map(|summary| summary.id).collect::<Vec<_>>(), ids, "newest first");
    for summary in page.items {
        assert_eq!(world.read(tenant, summary.id).await.summary, summary);
    }
}

pub async fn a_list_shows_what_its_filter_asks_for(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let ids = one_of_each(&world, &job).await;
    let [succeeded, failed, cancelled_running, cancelled, pending, retried, running] = ids[..] else {
        unreachable!("there are seven")
    };
    let other = world.job(tenant).await;
    let of_other = world.submit_one(&other).await;

    let all = ExecutionFilter::default();
    let of_job = ExecutionFilter { job_id: Some(job.id), ..all.clone() };
    let newest_first = |mut ids: Vec<ExecutionId>| {
        ids.reverse();
        ids
    };
    assert_eq!(listed(&world, tenant, &of_job).await, newest_first(ids.clone()));
    assert_eq!(listed(&world, tenant, &ExecutionFilter { job_id: Some(other.id), ..all.clone() }).await, [of_other]);
    let nobody = JobId::from_uuid(world.ids.uuid(START));
    assert!(listed(&world, tenant, &ExecutionFilter { job_id: Some(nobody), ..all.clone() }).await.is_empty());

    let by_state = [
        (ExecutionState::Pending, vec![pending, retried]),
        (ExecutionState::Running, vec![running]),
        (ExecutionState::Succeeded, vec![succeeded]),
        (ExecutionState::Failed, vec![failed]),
        (ExecutionState::Cancelled, vec![cancelled_running, cancelled]),
    ];
    for (state, expected) in by_state {
        let of_state = ExecutionFilter { state: Some(state), ..of_job.clone() };
        assert_eq!(listed(&world, tenant, &of_state).await, newest_first(expected.clone()), "{state}");
        let of_tenant = ExecutionFilter { state: Some(state), ..all.clone() };
        let expected = expected.into_iter().chain((state == ExecutionState::Pending).then_some(of_other)).collect();
        assert_eq!(listed(&world, tenant, &of_tenant).await, newest_first(expected), "{state}");
    }
}

pub async fn both_bounds_of_a_span_are_part_of_it(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let ids = one_of_each(&world, &job).await;
    let (succeeded, failed, cancelled, running) = (ids[0], ids[1], ids[2], ids[6]);
    let span = |from: Option<i64>, to: Option<i64>| ExecutionFilter {
        started_from: from.map(at_millis),
        started_to: to.map(at_millis),
        ..ExecutionFilter::default()
    };
    // Only what has started is in any span.
    assert_eq!(listed(&world, tenant, &span(Some(0), None)).await, [running, cancelled, failed, succeeded]);
    assert_eq!(listed(&world, tenant, &span(None, Some(99_000))).await, [running, cancelled, failed, succeeded]);
    assert_eq!(listed(&world, tenant, &span(Some(10_000), Some(20_000))).await, [failed, succeeded]);
    assert_eq!(listed(&world, tenant, &span(Some(10_001), Some(20_000))).await, [failed]);
    assert_eq!(listed(&world, tenant, &span(Some(10_000), Some(19_999))).await, [succeeded]);
    assert_eq!(listed(&world, tenant, &span(Some(30_000), Some(30_000))).await, [cancelled]);
    assert_eq!(listed(&world, tenant, &span(Some(70_000), None)).await, [running]);
    assert!(listed(&world, tenant, &span(Some(20_000), Some(10_000))).await.is_empty());

    let narrow = ExecutionFilter {
        job_id: Some(job.id),
        state: Some(ExecutionState::Failed),
        ..span(Some(10_000), Some(30_000))
    };
    assert_eq!(listed(&world, tenant, &narrow).await, [failed]);
}

pub async fn what_started_long_after_it_was_accepted_is_found_by_its_start(world: World) {
    let tenant = world.tenant().await;
    let (job, other) = (world.job(tenant).await, world.job(tenant).await);
    let of_before = submit_at(&world, &job, 0).await;
    let run = world.claim_one(at(1)).await;
    world.succeed(&run, at(2)).await;
    let waited = submit_at(&world, &job, 10).await;
    let waited_and_failed = submit_at(&world, &job, 11).await;
    let waited_and_runs = submit_at(&world, &other, 12).await;
    let mut runs = world.claim(3, at(7200)).await;
    runs.sort_by_key(|run| run.lease.execution_id);
    world.succeed(&runs[0], at(7260)).await;
    world.fail(&runs[1], at(9000)).await;
    let prompt = submit_at(&world, &job, 7300).await;
    let run = world.claim_one(at(7301)).await;
    world.succeed(&run, at(7302)).await;

    let span = |from: i64, to: Option<i64>| ExecutionFilter {
        started_from: Some(at(from)),
        started_to: to.map(at),
        ..ExecutionFilter::default()
    };
    let since = span(7100, None);
    assert_eq!(listed(&world, tenant, &since).await, [prompt, waited_and_runs, waited_and_failed, waited]);
    assert_eq!(listed(&world, tenant, &span(7100, Some(7200))).await, [waited_and_runs, waited_and_failed, waited]);
    assert_eq!(listed(&world, tenant, &span(0, Some(1))).await, [of_before]);
    assert_eq!(listed(&world, tenant, &span(7301, Some(9999))).await, [prompt]);
    let of_job = ExecutionFilter { job_id: Some(job.id), ..since.clone() };
    assert_eq!(listed(&world, tenant, &of_job).await, [prompt, waited_and_failed, waited]);
    let failed = ExecutionFilter { state: Some(ExecutionState::Failed), ..since.clone() };
    assert_eq!(listed(&world, tenant, &failed).await, [waited_and_failed]);
    let running = ExecutionFilter { state: Some(ExecutionState::Running), ..since.clone() };
    assert_eq!(listed(&world, tenant, &running).await, [waited_and_runs]);

    // Page by page, and with a cursor.
    for (number, expected) in [(1, vec![prompt, waited_and_runs, waited_and_failed]), (2, vec![waited]), (3, vec![])] {
        let page = world.a.executions(tenant, &since, PageRequest { number, size: 3 }).await.unwrap();
        let shown: Vec<_> = page.items.into_iter().map(|summary| summary.id).collect();
        assert_eq!((shown, page.total, page.is_capped), (expected, 4, false), "page {number}");
    }
    let first = world.a.executions_before(tenant, &since, None, 2).await.unwrap();
    assert_eq!(first.next, Some(waited_and_runs));
    let rest = world.a.executions_before(tenant, &since, first.next, 2).await.unwrap();
    assert_eq!(rest.items.iter().map(|item| item.id).collect::<Vec<_>>(), [waited_and_failed, waited]);
    assert_eq!(rest.next, None);
}

pub async fn those_that_started_in_a_span_are_counted_up_to_a_number(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let counted = ExecutionFilter::MAX_COUNTED;
    let since = ExecutionFilter { started_from: Some(at(0)), ..ExecutionFilter::default() };
    let most = usize::try_from(counted).unwrap();
    let run = async |count: usize| {
        world.submit_many(&job, count).await;
        let runs = world.claim(count, at(1)).await;
        assert_eq!(runs.len(), count);
        let ends = runs.iter().map(|run| success(run, at(2))).collect();
        assert!(world.a.settle(ends).await.unwrap().iter().all(|settled| *settled == Settled::Applied));
    };
    run(most).await;
    let page = world.a.executions(tenant, &since, PageRequest::default()).await.unwrap();
    assert_eq!((page.items.len(), page.total, page.is_capped), (20, counted, false));
    run(3).await;
    let page = world.a.executions(tenant, &since, PageRequest::default()).await.unwrap();
    assert_eq!((page.items.len(), page.total, page.is_capped), (20, counted, true));
    // What is not counted is shown all the same.
    let beyond = PageRequest { number: u32::try_from(most).unwrap() / 100 + 1, size: 100 };
    let page = world.a.executions(tenant, &since, beyond).await.unwrap();
    assert_eq!((page.items.len(), page.total, page.is_capped), (3, counted, true));
    // All else has counters.
    let all = world.a.executions(tenant, &ExecutionFilter::default(), PageRequest::default()).await.unwrap();
    assert_eq!((all.total, all.is_capped), (counted + 3, false));
}

pub async fn what_has_no_counters_is_counted_up_to_a_number(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    // Three wait or run, four are over; five have started.
    one_of_each(&world, &job).await;
    let all = ExecutionFilter::default();
    let of = |state| ExecutionFilter { state: Some(state), ..all.clone() };
    let started = ExecutionFilter { started_from: Some(at(0)), ..all.clone() };
    let cases = [
        (&all, 2, (6, true)),
        (&all, 3, (7, false)),
        (&of(ExecutionState::Pending), 1, (1, true)),
        (&of(ExecutionState::Pending), 2, (2, false)),
        (&of(ExecutionState::Running), 1, (1, false)),
        (&of(ExecutionState::Cancelled), 1, (2, false)),
        (&started, 3, (3, true)),
        (&started, 4, (4, false)),
    ];
    for (filter, most, (count, is_capped)) in cases {
        let counted = world.a.count_executions(tenant, filter, most).await.unwrap();
        assert_eq!(counted, Counted { count, is_capped }, "up to {most} of {filter:?}");
    }
    let other = world.tenant().await;
    assert_eq!(world.a.count_executions(other, &all, 10).await.unwrap(), Counted::default());
}

pub async fn several_ways_to_end_come_in_one_order(world: World) {
    use ExecutionState::{Cancelled, Failed, Succeeded};
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let mut shown = Vec::new();
    for (second, state) in [Failed, Succeeded, Cancelled, Failed, Cancelled, Succeeded, Failed].into_iter().enumerate()
    {
        let second = i64::try_from(second).unwrap() * 10;
        let id = world.run(&job, at(second), at(second + 1), state).await;
        if state != Succeeded {
            shown.insert(0, id);
        }
    }
    world.submit_one(&job).await;
    let ends = vec![ExecutionEnd::Cancelled, ExecutionEnd::Failed];
    for job_id in [None, Some(job.id)] {
        let filter = ExecutionFilter { job_id, ends: ends.clone(), ..ExecutionFilter::default() };
        assert_eq!(listed(&world, tenant, &filter).await, shown);
        let mut paged = Vec::new();
        for number in 1..=3 {
            let page = world.a.executions(tenant, &filter, PageRequest { number, size: 2 }).await.unwrap();
            assert_eq!(page.total, 5);
            paged.extend(page.items.into_iter().map(|summary| summary.id));
        }
        assert_eq!(paged, shown);
    }
}

pub async fn the_pages_of_a_list_show_each_execution_once(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let mut ids = world.submit_many(&job, 23).await;
    for run in world.claim(9, at(0)).await {
        world.succeed(&run, at(1)).await;
    }
    world.submit_many(&world.job(tenant).await, 2).await;
    ids.reverse();
    let filter = ExecutionFilter { job_id: Some(job.id), ..ExecutionFilter::default() };
    let mut seen = Vec::new();
    for (number, expected) in [(1, 10), (2, 10), (3, 3), (4, 0), (u32::MAX, 0)] {
        let page = world.a.executions(tenant, &filter, PageRequest { number, size: 10 }).await.unwrap();
        assert_eq!((page.items.len(), page.total), (expected, 23), "page {number}");
        seen.extend(page.items.into_iter().map(|summary| summary.id));
    }
    assert_eq!(seen, ids);
}

pub async fn a_walk_with_a_cursor_visits_each_execution_once(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let mut ids = world.submit_many(&job, 20).await;
    for run in world.claim(8, at(0)).await {
        world.succeed(&run, at(1)).await;
    }
    ids.reverse();
    let filters = [
        (ExecutionFilter::default(), ids.clone()),
        (ExecutionFilter { state: Some(ExecutionState::Succeeded), ..ExecutionFilter::default() }, ids[12..].to_vec()),
    ];
    for (filter, expected) in filters {
        for limit in [1, 4, 7, 100] {
            let mut seen = Vec::new();
            let mut cursor = None;
            loop {
                let page = world.a.executions_before(tenant, &filter, cursor, limit).await.unwrap();
                assert!(page.items.len() <= limit && !page.items.is_empty());
                seen.extend(page.items.iter().map(|summary| summary.id));
                let Some(next) = page.next else { break };
                // What comes meanwhile does not move what is walked.
                world.submit_one(&world.job(world.tenant().await).await).await;
                cursor = Some(next);
            }
            assert_eq!(seen, expected, "{limit} at a time");
        }
    }
    let page = world.a.executions_before(tenant, &ExecutionFilter::default(), ids.last().copied(), 5).await.unwrap();
    assert_eq!((page.items.len(), page.next), (0, None));
}

pub async fn an_event_is_added_to_the_story_in_the_order_of_recording(world: World) {
    let (tenant, stranger) = (world.tenant().await, world.tenant().await);
    let job = world.job(tenant).await;
    let id = world.run(&job, at(1), at(2), ExecutionState::Failed).await;
    let event = |seconds, message: &str| Event {
        execution_id: id,
        at: at(seconds),
        kind: EventKind::Retried,
        attempt: 0,
        attempt_started_at: None,
        source: "Zoë".to_owned(),
        message: message.to_owned(),
        error: None,
    };
    let retried = NewExecution { trigger: Trigger::Retry, retry_parent_id: Some(id), ..world.execution(&job) };
    world.submit(retried).await;
    world.a.record_event(tenant, event(10, "first")).await.unwrap();
    world.b.record_event(tenant, event(10, "second")).await.unwrap();
    assert_not_found(world.a.record_event(stranger, event(11, "not mine")).await);
    let unknown = Event { execution_id: world.ids.execution(START), ..event(11, "of nothing") };
    assert_not_found(world.a.record_event(tenant, unknown).await);

    let read = world.read(tenant, id).await;
    assert_eq!(read.events, [event(10, "first"), event(10, "second")]);
    assert_eq!(read.summary.lifecycle.state, ExecutionState::Failed);
}

/// The recent executions of a tenant since `since` seconds, newest first.
async fn recent(world: &World, tenant: TenantId, since: i64) -> Vec<(ExecutionId, Recent)> {
    world.b.recent_executions(tenant, at(since), 1000).await.unwrap()
}

/// An execution of `job` that is accepted at `seconds`.
async fn submit_at(world: &World, job: &Job, seconds: i64) -> ExecutionId {
    let (id, now) = (world.ids.execution(at(seconds)), at(seconds));
    let execution = NewExecution { id, created_at: now, scheduled_for: now, run_at: now, ..world.execution(job) };
    world.submit(execution).await
}

pub async fn what_was_accepted_lately_is_recent(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let job = world.job(tenant).await;
    submit_at(&world, &job, 100).await;
    let done = world.claim_one(at(101)).await;
    world.succeed(&done, at(102)).await;
    submit_at(&world, &job, 200).await;
    let failed = world.claim_one(at(200)).await;
    world.fail(&failed, at(201)).await;
    submit_at(&world, &job, 300).await;
    let running = world.claim_one(at(300)).await;
    let waiting = submit_at(&world, &job, 400).await;
    let cancelled = submit_at(&world, &job, 500).await;
    world.a.cancel(tenant, cancelled, "alice", at(501)).await.unwrap();
    let [done, failed, running] = [done, failed, running].map(|run| run.lease.execution_id);

    let all = [
        (cancelled, Recent::Over),
        (waiting, Recent::Waiting),
        (running, Recent::Running),
        (failed, Recent::Over),
        (done, Recent::Over),
    ];
    assert_eq!(recent(&world, tenant, 0).await, all);
    assert_eq!(recent(&world, tenant, 100).await, all);
    assert_eq!(recent(&world, tenant, 150).await, all[..4]);
    assert_eq!(recent(&world, tenant, 301).await, all[..2]);
    assert_eq!(recent(&world, tenant, 502).await, []);
    assert_eq!(recent(&world, other, 0).await, []);
}

pub async fn what_changed_lately_is_recent_however_old_it_is(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    // All of them are accepted long before the span, and in this order.
    let accepted: Vec<_> = {
        let mut ids = Vec::new();
        for seconds in 1..=6 {
            ids.push(submit_at(&world, &job, seconds).await);
        }
        ids
    };
    let mut runs = world.claim(4, at(10)).await;
    assert_eq!(recent(&world, tenant, 11).await, []);
    // The first four ran early on; what becomes of them is told from when it happened on.
    world.succeed(&runs.remove(0), at(1000)).await;
    world.settle(retry(&runs.remove(0), at(1100), at(9000))).await;
    world.a.cancel(tenant, accepted[2], "alice", at(1200)).await.unwrap();
    let fifth = world.claim(1, at(1300)).await.remove(0);
    assert_eq!(fifth.lease.execution_id, accepted[4]);
    let told = [
        (accepted[4], Recent::Running),
        (accepted[2], Recent::Over),
        (accepted[1], Recent::Waiting),
        (accepted[0], Recent::Over),
    ];
    assert_eq!(recent(&world, tenant, 1000).await, told);
    assert_eq!(recent(&world, tenant, 1001).await, told[..3]);
    assert_eq!(recent(&world, tenant, 1101).await, told[..2]);
    assert_eq!(recent(&world, tenant, 1201).await, told[..1]);
    assert_eq!(recent(&world, tenant, 1301).await, []);
    // What waits to be tried again and starts has changed once more; what is pruned is gone.
    world.a.promote(at(9000), 10).await.unwrap();
    let again = world.claim(10, at(9000)).await;
    assert!(again.iter().any(|run| run.lease.execution_id == accepted[1]));
    assert_eq!(recent(&world, tenant, 8000).await.len(), again.len());
    world.a.prune_executions(tenant, at(1250), 10).await.unwrap();
    let left = recent(&world, tenant, 1000).await;
    assert!(left.iter().all(|(id, _)| *id != accepted[0] && *id != accepted[2]), "{left:?}");
    // Within the minute in which an end is no late one, it is found all the same.
    let soon = submit_at(&world, &job, 10_000).await;
    let run = world.claim_one(at(10_001)).await;
    world.succeed(&run, at(10_050)).await;
    assert_eq!(recent(&world, tenant, 10_040).await, [(soon, Recent::Over)]);
    assert_eq!(recent(&world, tenant, 10_051).await, []);
}

pub async fn recent_executions_are_the_newest_first_up_to_the_limit(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let mut ids = world.submit_many(&job, 30).await;
    world.submit_many(&world.job(world.tenant().await).await, 5).await;
    for run in world.claim(10, at(1)).await {
        if run.tenant_id == tenant {
            world.succeed(&run, at(900)).await;
        }
    }
    ids.reverse();
    let told = |recent: Vec<(ExecutionId, Recent)>| recent.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(told(world.a.recent_executions(tenant, START, 1000).await.unwrap()), ids);
    assert_eq!(told(world.a.recent_executions(tenant, START, 7).await.unwrap()), ids[..7]);
    let changed = told(world.a.recent_executions(tenant, at(900), 1000).await.unwrap());
    assert!(changed.len() >= 5, "{changed:?}");
    let some = told(world.a.recent_executions(tenant, at(900), 3).await.unwrap());
    assert_eq!(some, changed[..3]);
}

pub async fn what_horarium_does_for_itself_is_not_recent(world: World) {
    let tenant = world.tenant().await;
    let own = world.job_with(tenant, |spec| spec.queue = QueueName::system()).await;
    submit_at(&world, &own, 1).await;
    let run = world.claim_one(at(2)).await;
    assert_eq!(recent(&world, tenant, 0).await, []);
    world.settle(retry(&run, at(500), at(500))).await;
    assert_eq!(recent(&world, tenant, 400).await, []);
    let run = world.claim_one(at(501)).await;
    assert_eq!(recent(&world, tenant, 400).await, []);
    world.succeed(&run, at(900)).await;
    assert_eq!(recent(&world, tenant, 800).await, []);
}

pub async fn text_that_no_database_keeps_does_not_stop_an_end_from_being_written(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let execution = NewExecution {
        payload: Some(json!({"a\0b": ["\0", "c"]})),
        triggered_by: "al\0ice".to_owned(),
        unique_key: Some("k\0".to_owned()),
        ..world.execution(&job)
    };
    let id = world.submit(execution).await;
    world.submit_one(&job).await;
    let runs = world.claim(2, at(0)).await;
    let settlement = Settlement {
        decision: Decision::Finish {
            state: ExecutionState::Succeeded,
            output: Some(Output { text: "before\0after".to_owned(), truncated: false }),
            error: Some("\0".to_owned()),
            items_processed: None,
            partial: false,
        },
        ..success(&runs[0], at(1))
    };
    let answers = world.a.settle(vec![settlement, success(&runs[1], at(1))]).await.unwrap();
    assert_eq!(answers, [Settled::Applied, Settled::Applied]);

    // A store may keep the NUL, or show in its place that there was something.
    let read = world.read(tenant, id).await;
    let shown = |text: &str| text.replace('\0', "\u{FFFD}");
    assert_eq!(shown(&read.output.unwrap().text), "before\u{FFFD}after");
    assert_eq!(shown(&read.error.unwrap()), "\u{FFFD}");
    assert_eq!(shown(&read.summary.triggered_by), "al\u{FFFD}ice");
    assert_eq!(read.payload.unwrap().as_object().unwrap().len(), 1);
}

pub async fn large_values_are_kept_whole(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let text = "0123456789abcde\u{20AC}".repeat(16 * 1024);
    let id = world.submit(NewExecution { payload: Some(json!({ "text": text })), ..world.execution(&job) }).await;
    let run = world.claim_one(at(0)).await;
    assert_eq!(run.payload, Some(json!({ "text": text })));
    let decision = Decision::Finish {
        state: ExecutionState::Succeeded,
        output: Some(Output { text: text.clone(), truncated: false }),
        error: None,
        items_processed: None,
        partial: false,
    };
    world.settle(Settlement { decision, ..success(&run, at(1)) }).await;
    assert_eq!(world.read(tenant, id).await.output.unwrap().text, text);
}

pub async fn a_payload_of_null_is_not_the_same_as_none(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    for payload in [None, Some(json!(null)), Some(json!("")), Some(json!(0)), Some(json!([]))] {
        let id = world.submit(NewExecution { payload: payload.clone(), ..world.execution(&job) }).await;
        assert_eq!(world.read(tenant, id).await.payload, payload);
        let run = world.claim_one(at(0)).await;
        assert_eq!(run.payload, payload);
    }
}

pub async fn instants_at_the_edges_of_time_are_kept(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let execution = NewExecution {
        scheduled_for: Timestamp::MIN,
        run_at: Timestamp::MAX,
        created_at: Timestamp::UNIX_EPOCH,
        ..world.execution(&job)
    };
    let id = world.submit(execution).await;
    let read = world.read(tenant, id).await.summary;
    assert_eq!((read.scheduled_for, read.run_at), (Timestamp::MIN, Some(Timestamp::MAX)));
    assert_eq!(read.created_at, Timestamp::UNIX_EPOCH);
    let everything = ExecutionFilter {
        started_from: Some(Timestamp::MIN),
        started_to: Some(Timestamp::MAX),
        ..ExecutionFilter::default()
    };
    assert!(listed(&world, tenant, &everything).await.is_empty());
    let promoted = world.a.promote(at(0), 10).await.unwrap();
    assert_eq!((promoted.count, promoted.next_at), (0, Some(Timestamp::MAX)));
    assert_eq!(world.a.promote(Timestamp::MAX, 10).await.unwrap().count, 1);
    world.claim_one(at(0)).await;
    assert_eq!(listed(&world, tenant, &everything).await, [id]);
}
