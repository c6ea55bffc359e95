//! Job definitions: unique names, guarded changes, lists, deletion.

use horarium_domain::execution::{ExecutionState, NewExecution};
use horarium_domain::job::{ConcurrencyPolicy, HttpCall, Job, JobConfiguration, JobStatus, JobType};
use horarium_domain::page::{PageRequest, SortDirection};
use horarium_domain::retry::{Backoff, RetryPolicy};
use horarium_domain::schedule::{MisfirePolicy, Schedule, ScheduleInput};
use horarium_domain::store::{Conflict, FireOutcome, JobChange, JobFilter, JobSort, RollupWindow};
use horarium_domain::{JobId, TenantId};
use serde_json::json;

use crate::World;
use crate::world::{START, assert_conflict, assert_not_found, at, at_millis, every_minute};

const ALL: PageRequest = PageRequest { number: 1, size: PageRequest::MAX_SIZE };

async fn names(world: &World, tenant: TenantId, filter: &JobFilter) -> Vec<String> {
    let page = world.a.jobs(tenant, filter, ALL).await.unwrap();
    assert_eq!(page.total, page.items.len() as u64);
    page.items.into_iter().map(|summary| summary.job.spec.name).collect()
}

async fn ids(world: &World, tenant: TenantId, sort: JobSort, direction: SortDirection) -> Vec<JobId> {
    let filter = JobFilter { sort, direction, ..JobFilter::default() };
    world.a.jobs(tenant, &filter, ALL).await.unwrap().items.into_iter().map(|summary| summary.job.id).collect()
}

pub async fn a_definition_is_read_back_as_it_was_written(world: World) {
    let tenant = world.tenant().await;
    let input = ScheduleInput {
        effective_from: Some(at_millis(1)),
        expires_at: Some(at(9_999_999)),
        jitter_seconds: Some(7),
        ..ScheduleInput::cron("*/5 9-17 * * MON-FRI").in_zone("Europe/Berlin")
    };
    let configuration = JobConfiguration::HttpCall(HttpCall {
        url: "https://example.org/hook?a=1&b={{Payload.x}}".to_owned(),
        method: "PATCH".to_owned(),
        headers: [("X-Trace".to_owned(), "o'clock \"now\"".to_owned())].into(),
        body: Some(json!({"deep": [1, {"ü": null}], "big": 9_007_199_254_740_993_i64})),
        body_secret: true,
        timeout_seconds: Some(9),
        success_status_codes: Some(vec![200, 204]),
        retry_on_status_codes: None,
    });
    let mut job = world.new_job(tenant, |spec| {
        spec.name = "Nächtlicher \"Bericht\" \u{1F319}'; drop table jobs; --".to_owned();
        spec.description = None;
        spec.configuration = configuration;
        spec.schedule = Schedule::new(input, START).unwrap();
        spec.misfire_policy = MisfirePolicy::FireAll;
        spec.retry_policy = RetryPolicy {
            max_attempts: 1000,
            delay_seconds: 3,
            backoff: Backoff::Exponential,
            max_delay_seconds: 2_592_000,
            jitter_percent: 100,
            retry_http_status_codes: Some(vec![429, 503]),
        };
        spec.timeout_seconds = 86_400;
        spec.tags = vec!["b".to_owned(), "a".to_owned(), "with space, comma".to_owned()];
        spec.queue = "reports:eu.1".parse().unwrap();
        spec.priority = -100;
        spec.group = Some("integration".to_owned());
        spec.concurrency_policy = ConcurrencyPolicy::Allow;
        spec.max_concurrency = Some(u32::from(u16::MAX));
    });
    job.is_paused = true;
    job.created_by = None;
    job.created_at = at_millis(-1);
    job.updated_at = at_millis(2);
    job.version = 3;
    world.a.create_job(job.clone(), None).await.unwrap();

    let summary = world.b.job(tenant, job.id).await.unwrap();
    assert_eq!(summary.job, job);
    assert_eq!((summary.next_run_at, summary.last_run, summary.consecutive_failures), (None, None, 0));
    assert_eq!(world.a.job_by_name(tenant, &job.spec.name).await.unwrap(), summary);
    assert_eq!(world.a.definitions(&[job.id]).await.unwrap(), [job.clone()]);
    assert_eq!(world.a.jobs(tenant, &JobFilter::default(), ALL).await.unwrap().items, [summary]);
}

pub async fn a_new_jobs_slot_is_kept(world: World) {
    let tenant = world.tenant().await;
    let job = world.scheduled_job(tenant, at_millis(60_001)).await;
    assert_eq!(world.summary(&job).await.next_run_at, Some(at_millis(60_001)));
}

pub async fn a_name_is_unique_among_a_tenants_live_jobs(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let job = world.job(tenant).await;
    let namesake = |tenant| world.new_job(tenant, |spec| spec.name.clone_from(&job.spec.name));
    assert_conflict(world.a.create_job(namesake(tenant), None).await, Conflict::NameTaken);
    world.a.create_job(namesake(other), None).await.unwrap();

    // Another spelling is another name.
    world.job_with(tenant, |spec| spec.name = job.spec.name.to_uppercase()).await;
    assert_not_found(world.a.job_by_name(tenant, "no such job").await);
}

pub async fn a_name_is_free_again_once_its_job_is_deleted(world: World) {
    let tenant = world.tenant().await;
    let mut deleted = Vec::new();
    for _ in 0..3 {
        let job = world.job_with(tenant, |spec| spec.name = "report".to_owned()).await;
        assert_eq!(world.a.job_by_name(tenant, "report").await.unwrap().job.id, job.id);
        let job = world.change_job(&job, None, |job| job.is_deleted = true).await;
        assert_not_found(world.a.job_by_name(tenant, "report").await);
        deleted.push(job);
    }
    for job in deleted {
        assert_eq!(world.a.job(tenant, job.id).await.unwrap().job, job, "it is still there for its history");
    }
    assert!(names(&world, tenant, &JobFilter::default()).await.is_empty());
}

pub async fn of_two_that_create_a_name_at_once_one_succeeds(world: World) {
    let tenant = world.tenant().await;
    for round in 0..5 {
        let job = || world.new_job(tenant, |spec| spec.name = format!("job {round}"));
        let (first, second) = tokio::join!(world.a.create_job(job(), None), world.b.create_job(job(), None));
        assert_eq!(usize::from(first.is_ok()) + usize::from(second.is_ok()), 1);
        assert_conflict(if first.is_err() { first } else { second }, Conflict::NameTaken);
    }
}

pub async fn a_change_replaces_the_definition(world: World) {
    let tenant = world.tenant().await;
    let job = world.scheduled_job(tenant, at(60)).await;
    let changed = world
        .change_job(&job, Some(at(90)), |job| {
            job.spec.name = "another name".to_owned();
            job.spec.description = None;
            job.spec.tags = vec!["new".to_owned()];
            job.spec.priority = 9;
            job.is_paused = false;
            job.last_modified_by = Some("bob".to_owned());
            job.updated_at = at(30);
        })
        .await;
    let summary = world.summary(&job).await;
    assert_eq!((summary.job, summary.next_run_at), (changed, Some(at(90))));
    assert_not_found(world.a.job_by_name(tenant, &job.spec.name).await);
}

pub async fn a_change_of_an_older_version_is_refused(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let newer = world.change_job(&job, None, |job| job.spec.priority = 1).await;
    let mut late = JobChange {
        job: Job { version: 2, ..job.clone() },
        expected_version: 1,
        seen_next_run_at: None,
        next_run_at: Some(at(60)),
    };
    late.job.spec.priority = 2;
    assert_conflict(world.b.update_job(late).await, Conflict::VersionChanged);
    let summary = world.summary(&job).await;
    assert_eq!((summary.job, summary.next_run_at), (newer, None));
}

pub async fn of_two_changes_at_once_one_is_written(world: World) {
    let tenant = world.tenant().await;
    let mut job = world.job(tenant).await;
    for _ in 0..5 {
        let change = |priority| {
            let mut changed = Job { version: job.version + 1, ..job.clone() };
            changed.spec.priority = priority;
            JobChange { job: changed, expected_version: job.version, seen_next_run_at: None, next_run_at: None }
        };
        let (first, second) = tokio::join!(world.a.update_job(change(1)), world.b.update_job(change(2)));
        let stored = world.summary(&job).await.job;
        assert_eq!(stored.spec.priority, if first.is_ok() { 1 } else { 2 });
        assert_conflict(if first.is_ok() { second } else { first }, Conflict::VersionChanged);
        job = stored;
    }
}

pub async fn a_job_cannot_take_the_name_of_another(world: World) {
    let tenant = world.tenant().await;
    let (job, other) = (world.job(tenant).await, world.job(tenant).await);
    let rename = |expected_version| {
        let mut renamed = Job { version: expected_version + 1, ..job.clone() };
        renamed.spec.name.clone_from(&other.spec.name);
        JobChange { job: renamed, expected_version, seen_next_run_at: None, next_run_at: None }
    };
    assert_conflict(world.a.update_job(rename(1)).await, Conflict::NameTaken);
    world.change_job(&other, None, |job| job.is_deleted = true).await;
    world.a.update_job(rename(1)).await.unwrap();
}

pub async fn what_is_not_there_or_anothers_cannot_be_changed(world: World) {
    let (tenant, stranger) = (world.tenant().await, world.tenant().await);
    let job = world.job(tenant).await;
    let change = |job: Job| JobChange { job, expected_version: 1, seen_next_run_at: None, next_run_at: None };
    assert_not_found(world.a.update_job(change(Job { tenant_id: stranger, version: 2, ..job.clone() })).await);
    assert_not_found(world.a.update_job(change(world.new_job(tenant, |_| {}))).await);
    assert_not_found(world.a.purge_job(stranger, job.id, None).await);
    assert_not_found(world.a.purge_job(tenant, JobId::from_uuid(world.ids.uuid(START)), None).await);
    assert_eq!(world.summary(&job).await.job, job);
}

pub async fn a_list_shows_what_its_filter_asks_for(world: World) {
    let tenant = world.tenant().await;
    world
        .job_with(tenant, |spec| {
            spec.name = "Alpha".to_owned();
            spec.tags = vec!["red".to_owned(), "blue".to_owned()];
        })
        .await;
    world
        .job_with(tenant, |spec| {
            spec.name = "beta".to_owned();
            spec.tags = vec!["blueish".to_owned()];
            spec.group = Some("integration".to_owned());
            spec.configuration =
                JobConfiguration::parse(JobType::HttpCall, &json!({"url": "https://example.org"})).unwrap();
        })
        .await;
    let paused = world.job_with(tenant, |spec| spec.name = "Gamma".to_owned()).await;
    world.change_job(&paused, None, |job| job.is_paused = true).await;
    world
        .job_with(tenant, |spec| {
            spec.name = "delta".to_owned();
            spec.is_enabled = false;
            spec.tags = vec!["it's".to_owned()];
        })
        .await;
    let both = world
        .job_with(tenant, |spec| {
            spec.name = "epsilon".to_owned();
            spec.is_enabled = false;
        })
        .await;
    world.change_job(&both, None, |job| job.is_paused = true).await;
    let gone = world.job_with(tenant, |spec| spec.tags = vec!["blue".to_owned()]).await;
    world.change_job(&gone, None, |job| job.is_deleted = true).await;

    let all = JobFilter::default();
    let shown = async |filter: JobFilter| names(&world, tenant, &filter).await;
    assert_eq!(shown(all.clone()).await, ["Alpha", "beta", "delta", "epsilon", "Gamma"]);
    assert_eq!(shown(JobFilter { job_type: Some(JobType::HttpCall), ..all.clone() }).await, ["beta"]);
    assert_eq!(shown(JobFilter { job_type: Some(JobType::Agent), ..all.clone() }).await, [""; 0]);
    assert_eq!(shown(JobFilter { status: Some(JobStatus::Active), ..all.clone() }).await, ["Alpha", "beta"]);
    assert_eq!(shown(JobFilter { status: Some(JobStatus::Paused), ..all.clone() }).await, ["Gamma"]);
    assert_eq!(shown(JobFilter { status: Some(JobStatus::Disabled), ..all.clone() }).await, ["delta", "epsilon"]);
    assert_eq!(shown(JobFilter { tag: Some("blue".to_owned()), ..all.clone() }).await, ["Alpha"]);
    assert_eq!(shown(JobFilter { tag: Some("it's".to_owned()), ..all.clone() }).await, ["delta"]);
    assert_eq!(shown(JobFilter { tag: Some("%".to_owned()), ..all.clone() }).await, [""; 0]);
    assert_eq!(shown(JobFilter { group: Some("integration".to_owned()), ..all.clone() }).await, ["beta"]);
    let except = JobFilter { except_group: Some("integration".to_owned()), ..all.clone() };
    assert_eq!(shown(except).await, ["Alpha", "delta", "epsilon", "Gamma"]);
    let narrow = JobFilter {
        status: Some(JobStatus::Active),
        tag: Some("red".to_owned()),
        search: Some("ALP".to_owned()),
        ..all
    };
    assert_eq!(shown(narrow).await, ["Alpha"]);
}

pub async fn a_search_takes_its_text_literally_and_without_regard_to_case(world: World) {
    let tenant = world.tenant().await;
    let texts = [
        ("100% sure", None),
        ("100 percent", None),
        ("snake_case", None),
        ("snakeXcase", Some("a_b, c%d and e\\f")),
        ("o'brien", Some("Reports FOR everybody")),
        ("back\\slash", None),
    ];
    for (name, description) in texts {
        world
            .job_with(tenant, |spec| {
                spec.name = name.to_owned();
                spec.description = description.map(str::to_owned);
            })
            .await;
    }
    let cases: [(&str, &[&str]); 10] = [
        ("100%", &["100% sure"]),
        ("%", &["100% sure", "snakeXcase"]),
        ("snake_", &["snake_case"]),
        ("_", &["snakeXcase", "snake_case"]),
        ("\\", &["back\\slash", "snakeXcase"]),
        ("O'BRIEN", &["o'brien"]),
        ("reports for", &["o'brien"]),
        ("SNAKE", &["snakeXcase", "snake_case"]),
        ("' or 1=1", &[]),
        ("", &["100 percent", "100% sure", "back\\slash", "o'brien", "snakeXcase", "snake_case"]),
    ];
    for (text, expected) in cases {
        let filter = JobFilter { search: Some(text.to_owned()), ..JobFilter::default() };
        let mut found = names(&world, tenant, &filter).await;
        found.sort_unstable();
        assert_eq!(found, expected, "{text}");
    }
}

pub async fn a_list_is_sorted_as_asked_and_ties_by_id(world: World) {
    let tenant = world.tenant().await;
    // Made in another order than any of their values.
    let mut jobs = Vec::new();
    for (name, age, failures) in [("beta", 2, 1), ("Alpha", 3, 0), ("beta2", 2, 2), ("alphaz", 1, 1)] {
        let mut job = world.new_job(tenant, |spec| spec.name = name.to_owned());
        job.created_at = at(-age);
        job.updated_at = at(-10 * age);
        world.a.create_job(job.clone(), None).await.unwrap();
        for n in 0..failures {
            world.run(&job, at(10 + age + n), at(20 + age + n), ExecutionState::Failed).await;
        }
        jobs.push(job.id);
    }
    let [beta, alpha, beta2, alphaz] = jobs[..] else { unreachable!("there are four") };
    use SortDirection::{Ascending, Descending};
    let sorted = async |sort, direction| ids(&world, tenant, sort, direction).await;

    assert_eq!(sorted(JobSort::Name, Ascending).await, [alpha, alphaz, beta, beta2]);
    assert_eq!(sorted(JobSort::Name, Descending).await, [beta2, beta, alphaz, alpha]);
    assert_eq!(sorted(JobSort::CreatedAt, Ascending).await, [alpha, beta, beta2, alphaz]);
    assert_eq!(sorted(JobSort::CreatedAt, Descending).await, [alphaz, beta, beta2, alpha]);
    assert_eq!(sorted(JobSort::UpdatedAt, Ascending).await, [alpha, beta, beta2, alphaz]);
    assert_eq!(sorted(JobSort::UpdatedAt, Descending).await, [alphaz, beta, beta2, alpha]);
    assert_eq!(sorted(JobSort::ConsecutiveFailures, Ascending).await, [alpha, beta, alphaz, beta2]);
    assert_eq!(sorted(JobSort::ConsecutiveFailures, Descending).await, [beta2, beta, alphaz, alpha]);
}

pub async fn what_has_no_value_comes_last_whichever_way_it_is_sorted(world: World) {
    let tenant = world.tenant().await;
    let mut jobs = Vec::new();
    for minutes in [Some(2), None, Some(1), None] {
        let job = world.new_job(tenant, |spec| spec.schedule = every_minute());
        world.a.create_job(job.clone(), minutes.map(|minutes| at(60 * minutes))).await.unwrap();
        if let Some(minutes) = minutes {
            world.run(&job, at(minutes), at(minutes + 5), ExecutionState::Succeeded).await;
        }
        jobs.push(job.id);
    }
    for sort in [JobSort::NextRunAt, JobSort::LastExecutedAt] {
        let ascending = ids(&world, tenant, sort, SortDirection::Ascending).await;
        assert_eq!(ascending, [jobs[2], jobs[0], jobs[1], jobs[3]], "{sort:?}");
        let descending = ids(&world, tenant, sort, SortDirection::Descending).await;
        assert_eq!(descending, [jobs[0], jobs[2], jobs[1], jobs[3]], "{sort:?}");
    }
}

pub async fn the_pages_of_a_list_show_each_job_once(world: World) {
    let tenant = world.tenant().await;
    for _ in 0..7 {
        world.job_with(tenant, |spec| spec.tags = vec!["t".to_owned()]).await;
    }
    world.job(tenant).await;
    let filter = JobFilter { tag: Some("t".to_owned()), sort: JobSort::CreatedAt, ..JobFilter::default() };
    let mut seen = Vec::new();
    for (number, expected) in [(1, 3), (2, 3), (3, 1), (4, 0), (u32::MAX, 0)] {
        let page = world.a.jobs(tenant, &filter, PageRequest { number, size: 3 }).await.unwrap();
        assert_eq!((page.items.len(), page.total), (expected, 7), "page {number}");
        seen.extend(page.items.into_iter().map(|summary| summary.job.id));
    }
    assert!(seen.is_sorted_by(|a, b| a < b), "all were made at once, so the ids decide");
    assert_eq!(seen.len(), 7);
}

pub async fn the_latest_run_and_the_failures_in_a_row_are_told(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    use ExecutionState::{Cancelled, Failed, Succeeded};
    let runs = [(Failed, 1), (Failed, 2), (Cancelled, 2), (Failed, 3), (Succeeded, 0), (Failed, 1)];
    for (n, (state, failures)) in (1..).zip(runs) {
        world.run(&job, at(100 * n), at(100 * n + n), state).await;
        let summary = world.summary(&job).await;
        let last = summary.last_run.unwrap();
        assert_eq!(summary.consecutive_failures, failures);
        assert_eq!((last.state, last.duration_ms), (state, Some(1000 * n)));
        assert_eq!((last.started_at, last.completed_at), (Some(at(100 * n)), at(100 * n + n)));
    }
    // An attempt that is followed by another one is no end.
    world.submit_one(&job).await;
    let run = world.claim_one(at(1000)).await;
    world.settle(crate::world::retry(&run, at(1001), at(1100))).await;
    let summary = world.summary(&job).await;
    assert_eq!((summary.consecutive_failures, summary.last_run.unwrap().completed_at), (1, at(606)));

    // One that was cancelled before it started has no start.
    world.a.cancel(tenant, run.lease.execution_id, "alice", at(1050)).await.unwrap();
    let last = world.summary(&job).await.last_run.unwrap();
    assert_eq!((last.state, last.started_at, last.completed_at), (Cancelled, None, at(1050)));
    assert_eq!(last.duration_ms, None);
}

pub async fn an_end_that_is_written_late_is_not_the_latest(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.submit_many(&job, 2).await;
    let runs = world.claim(2, at(0)).await;
    world.succeed(&runs[0], at(20)).await;
    world.fail(&runs[1], at(10)).await;
    let last = world.summary(&job).await.last_run.unwrap();
    assert_eq!((last.state, last.completed_at), (ExecutionState::Succeeded, at(20)));
}

pub async fn failures_in_a_row_follow_the_order_of_a_batch(world: World) {
    let tenant = world.tenant().await;
    let ends: [(&[bool], u32); 3] = [(&[false, true, false, false], 2), (&[false, false, true], 0), (&[false; 3], 3)];
    for (ends, expected) in ends {
        let job = world.job(tenant).await;
        world.submit_many(&job, ends.len()).await;
        let runs = world.claim(10, at(0)).await;
        let batch = runs.iter().zip(ends).zip(1..).map(|((run, well), n)| {
            if *well { crate::world::success(run, at(n)) } else { crate::world::failure(run, at(n)) }
        });
        world.a.settle(batch.collect()).await.unwrap();
        assert_eq!(world.summary(&job).await.consecutive_failures, expected);
    }
}

pub async fn jobs_that_keep_failing_come_worst_first(world: World) {
    let tenant = world.tenant().await;
    let mut jobs = Vec::new();
    for failures in [2, 0, 4, 3, 3, 5] {
        let job = world.job(tenant).await;
        for n in 0..failures {
            world.run(&job, at(n), at(n + 1), ExecutionState::Failed).await;
        }
        jobs.push(job);
    }
    world.change_job(&jobs[5], None, |job| job.is_deleted = true).await;
    let failing = async |threshold, limit| -> Vec<(JobId, u32)> {
        let found = world.a.failing_jobs(tenant, threshold, limit).await.unwrap();
        found.into_iter().map(|summary| (summary.job.id, summary.consecutive_failures)).collect()
    };
    assert_eq!(failing(3, 10).await, [(jobs[2].id, 4), (jobs[3].id, 3), (jobs[4].id, 3)]);
    assert_eq!(failing(1, 2).await, [(jobs[2].id, 4), (jobs[3].id, 3)]);
    assert_eq!(failing(5, 10).await, []);
}

pub async fn a_purge_removes_the_job_and_its_whole_history(world: World) {
    let tenant = world.tenant().await;
    let job = world.scheduled_job(tenant, at(60)).await;
    let kept = world.job(tenant).await;
    let ended = world.run(&job, at(1), at(2), ExecutionState::Failed).await;
    let cancelled = world.submit_one(&job).await;
    world.a.cancel(tenant, cancelled, "alice", at(3)).await.unwrap();
    let keyed = NewExecution { unique_key: Some("k".to_owned()), ..world.execution(&job) };
    let waiting = world.submit(keyed).await;
    let later = world.submit(world.execution_at(&job, at(500))).await;
    let kept_execution = world.submit_one(&kept).await;

    world.b.purge_job(tenant, job.id, Some(1)).await.unwrap();
    assert_not_found(world.a.job(tenant, job.id).await);
    for id in [ended, cancelled, waiting, later] {
        assert_not_found(world.a.execution(tenant, id).await);
    }
    assert_not_found(world.a.job_statistics(tenant, job.id).await);
    assert!(world.a.definitions(&[job.id]).await.unwrap().is_empty());
    let window = RollupWindow { width: std::time::Duration::from_hours(1), from: at(-7200), to: at(7200) };
    assert!(world.a.timeline(tenant, Some(job.id), window).await.unwrap().buckets.is_empty());
    assert!(!world.a.timeline(tenant, None, window).await.unwrap().buckets.is_empty(), "the tenant's memory is longer");
    let outcome = world.a.fire(vec![world.firing(&job, at(60), None)]).await.unwrap();
    assert_eq!(outcome, [FireOutcome::Superseded]);
    world.a.promote(at(600), 10).await.unwrap();
    assert_eq!(world.claim_one(at(600)).await.lease.execution_id, kept_execution);
    // Its name is free.
    world.job_with(tenant, |spec| spec.name.clone_from(&job.spec.name)).await;
}

pub async fn a_purge_is_refused_while_an_execution_runs(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let id = world.submit_one(&job).await;
    let waiting = world.submit(world.execution_at(&job, at(60))).await;
    let run = world.claim_one(at(0)).await;
    assert_conflict(world.a.purge_job(tenant, job.id, None).await, Conflict::ExecutionRunning);
    assert_eq!(world.state(tenant, id).await, ExecutionState::Running);
    assert_eq!(world.state(tenant, waiting).await, ExecutionState::Pending, "nothing of it was done");
    world.succeed(&run, at(1)).await;
    world.a.purge_job(tenant, job.id, None).await.unwrap();
}

pub async fn a_purge_of_an_older_version_is_refused(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.change_job(&job, None, |job| job.spec.priority = 1).await;
    assert_conflict(world.a.purge_job(tenant, job.id, Some(1)).await, Conflict::VersionChanged);
    world.a.purge_job(tenant, job.id, Some(2)).await.unwrap();
}

pub async fn a_deleted_job_can_be_purged(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.change_job(&job, None, |job| job.is_deleted = true).await;
    world.a.purge_job(tenant, job.id, None).await.unwrap();
    assert_not_found(world.a.job(tenant, job.id).await);
}

pub async fn an_import_is_all_or_nothing(world: World) {
    let tenant = world.tenant().await;
    let taken = world.job(tenant).await;
    let fresh = || (world.new_job(tenant, |_| {}), Some(at(60)));
    let namesake = world.new_job(tenant, |spec| spec.name.clone_from(&taken.spec.name));
    let answer = world.a.import_jobs(vec![fresh(), (namesake, None), fresh()], false).await;
    assert_conflict(answer, Conflict::NameTaken);
    let twice = fresh();
    let again = world.new_job(tenant, |spec| spec.name.clone_from(&twice.0.spec.name));
    assert_conflict(world.a.import_jobs(vec![twice, (again, None)], false).await, Conflict::NameTaken);
    assert_eq!(names(&world, tenant, &JobFilter::default()).await, [taken.spec.name.as_str()]);
    assert!(world.a.due(at(600), 10).await.unwrap().is_empty());

    assert_eq!(world.a.import_jobs(vec![fresh(), fresh()], false).await.unwrap(), 2);
    assert_eq!(names(&world, tenant, &JobFilter::default()).await.len(), 3);
    assert_eq!(world.a.due(at(600), 10).await.unwrap().len(), 2);
}

pub async fn an_upsert_writes_over_the_job_of_the_same_name(world: World) {
    let tenant = world.tenant().await;
    let job = world.scheduled_job(tenant, at(60)).await;
    let execution = world.submit_one(&job).await;
    let mut imported = world.new_job(tenant, |spec| {
        spec.name.clone_from(&job.spec.name);
        spec.priority = 50;
        spec.tags = vec!["imported".to_owned()];
    });
    imported.created_by = Some("importer".to_owned());
    imported.last_modified_by = Some("importer".to_owned());
    imported.created_at = at(500);
    imported.updated_at = at(500);
    imported.is_paused = true;
    let fresh = world.new_job(tenant, |_| {});
    let jobs = vec![(imported.clone(), None), (fresh.clone(), Some(at(90)))];
    assert_eq!(world.a.import_jobs(jobs, true).await.unwrap(), 2);

    let summary = world.summary(&job).await;
    let expected = Job {
        id: job.id,
        created_by: job.created_by.clone(),
        created_at: job.created_at,
        version: 2,
        ..imported.clone()
    };
    assert_eq!(summary.job, expected, "it keeps its id and where it comes from, and counts a change");
    assert_eq!(summary.next_run_at, None);
    assert_not_found(world.a.job(tenant, imported.id).await);
    assert_eq!(world.read(tenant, execution).await.summary.job_id, job.id, "it keeps its history");
    assert_eq!(world.summary(&fresh).await.next_run_at, Some(at(90)));
    assert_eq!(world.a.due(at(600), 10).await.unwrap().len(), 1);
}

pub async fn an_upsert_does_not_bring_back_a_deleted_job(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let deleted = world.change_job(&job, None, |job| job.is_deleted = true).await;
    let imported = world.new_job(tenant, |spec| spec.name.clone_from(&job.spec.name));
    world.a.import_jobs(vec![(imported.clone(), None)], true).await.unwrap();
    assert_eq!(world.a.job_by_name(tenant, &job.spec.name).await.unwrap().job, imported);
    assert_eq!(world.summary(&job).await.job, deleted);
}

pub async fn an_upsert_that_changes_a_limit_is_followed_by_what_waits_already(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.submit_many(&job, 5).await;
    let imported = world.new_job(tenant, |spec| {
        spec.name.clone_from(&job.spec.name);
        spec.max_concurrency = Some(2);
    });
    world.a.import_jobs(vec![(imported, None)], true).await.unwrap();
    assert_eq!(world.claim(10, at(0)).await.len(), 2);
}

pub async fn definitions_are_found_over_all_tenants(world: World) {
    let (first, second) = (world.job(world.tenant().await).await, world.job(world.tenant().await).await);
    let unknown = JobId::from_uuid(world.ids.uuid(START));
    let mut found = world.a.definitions(&[second.id, unknown, first.id]).await.unwrap();
    found.sort_by_key(|job| job.id);
    assert_eq!(found, [first, second]);
}

pub async fn all_definitions_are_gone_through_in_the_order_of_their_ids(world: World) {
    let (one, other) = (world.tenant().await, world.tenant().await);
    let mut expected = vec![world.job(one).await, world.job(other).await, world.job(one).await];
    expected.sort_by_key(|job| job.id);
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = world.a.definitions_after(after, 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        found.extend(page);
    }
    assert_eq!(found, expected);
}
