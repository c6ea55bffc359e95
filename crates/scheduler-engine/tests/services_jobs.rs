//! Job definitions: what is refused and how it is told, what a change changes, and what it leaves alone.

mod services_support;

use std::time::Duration;

use futures_util::FutureExt;
use horarium_domain::Timestamp;
use horarium_domain::execution::ExecutionState;
use horarium_domain::job::{ConcurrencyPolicy, JobConfiguration, JobStatus};
use horarium_domain::page::PageRequest;
use horarium_domain::retry::Backoff;
use horarium_domain::schedule::{MisfirePolicy, ScheduleType, ShiftEffect};
use horarium_domain::secret::MASK;
use horarium_domain::store::{Firing, JobFilter};
use horarium_scheduler_engine::service::{JobInput, RescheduleInput, ServiceError, mask_configuration};
use serde_json::json;
use services_support::{START, World, hourly, manual, problems};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn everything_that_is_wrong_with_a_new_job_is_told_at_once() {
    let world = World::new().await;
    let input = JobInput {
        name: Some(" \t ".into()),
        description: Some("x".repeat(4001)),
        job_type: Some("HttpCal".into()),
        schedule_type: Some("Cron".into()),
        schedule_expression: Some("61 * * * *".into()),
        interval_seconds: Some(0),
        run_at: Some("tomorrow".into()),
        job_configuration: Some(json!({"url": "ftp://example.com"})),
        retry_policy: Some(json!({"maxAttempts": 0, "retryBackoffType": "Cubic", "jitter": "much"})),
        timeout_seconds: Some(0),
        timezone: Some("Mars/Olympus".into()),
        is_enabled: None,
        tags: Some(vec!["ok".into(), String::new(), "y".repeat(101)]),
        created_by: Some("a\nb".into()),
        queue: Some("no spaces".into()),
        priority: Some(101),
        group: Some("g".repeat(101)),
        misfire_policy: Some("Never".into()),
        concurrency_policy: Some("Sometimes".into()),
        max_concurrency: Some(-1),
        max_concurrency_per_key: Some(100_001),
        jitter_seconds: Some(90_000),
        expires_at: Some("2026-01-01".into()),
        effective_from: Some("now".into()),
    };
    let told = problems(world.services.jobs.create(&world.alice(), &input).await);
    insta::assert_snapshot!("everything_wrong", told);
    let nothing = problems(world.services.jobs.create(&world.alice(), &JobInput::default()).await);
    insta::assert_snapshot!("nothing_sent", nothing);
}

#[tokio::test]
async fn a_configuration_is_checked_by_its_type() {
    let world = World::new().await;
    let told = |job_type: &str, configuration| {
        let input =
            JobInput { job_type: Some(job_type.into()), job_configuration: Some(configuration), ..manual("job") };
        let (jobs, alice) = (world.services.jobs.clone(), world.alice());
        async move { problems(jobs.create(&alice, &input).await) }
    };
    let all = [
        told("HttpCall", json!({"url": "ftp://example.com"})).await,
        told("HttpCall", json!({})).await,
        told("HttpCall", json!("https://example.com")).await,
        told("HttpCall", json!({"url": "https://example.com", "headers": {"Authorization": MASK}})).await,
        told("FileOperation", json!({"operation": "move", "sourcePath": "a"})).await,
        told("StoredProcedure", json!({"storedProcedureName": "a; drop table b"})).await,
        told("Command", json!({"command": "true", "env": {"NUL": "a\u{0}b"}})).await,
        told("Command", json!({"command": "true", "args": ["x".repeat(300_000)]})).await,
    ];
    insta::assert_snapshot!("configurations", all.concat());
}

#[tokio::test]
async fn a_new_job_takes_the_defaults_of_the_contract() {
    let world = World::new().await;
    let made = world.create(manual(" nightly report ")).await;
    let spec = &made.job.spec;
    assert_eq!(spec.name, "nightly report");
    assert_eq!(spec.schedule.schedule_type(), ScheduleType::Manual);
    assert_eq!((spec.timeout_seconds, spec.is_enabled, spec.priority), (300, true, 0));
    assert_eq!((spec.misfire_policy, spec.concurrency_policy), (MisfirePolicy::FireOnce, ConcurrencyPolicy::Allow));
    assert_eq!(spec.queue.as_str(), "default");
    assert_eq!(spec.retry_policy.max_attempts, 1);
    assert_eq!(made.job.created_by.as_deref(), Some("alice"));
    assert_eq!((made.job.version, made.next_run_at), (1, None));
    assert_eq!(world.job(made.job.id).await, made);
}

#[tokio::test]
async fn names_of_types_and_policies_are_read_in_any_case() {
    let world = World::new().await;
    let input = JobInput {
        job_type: Some("codeexecution".into()),
        schedule_type: Some("INTERVAL".into()),
        interval_seconds: Some(60),
        misfire_policy: Some("fireall".into()),
        concurrency_policy: Some("forbid".into()),
        retry_policy: Some(json!({"maxRetryAttempts": 2, "retryBackoffType": "linear"})),
        created_by: Some("a migration".into()),
        tags: Some(vec![" b ".into(), "a".into(), "b".into()]),
        ..manual("job")
    };
    let job = world.create(input).await.job;
    assert_eq!(job.spec.misfire_policy, MisfirePolicy::FireAll);
    assert_eq!(job.spec.concurrency_policy, ConcurrencyPolicy::Forbid);
    assert_eq!((job.spec.retry_policy.max_attempts, job.spec.retry_policy.backoff), (3, Backoff::Linear));
    assert_eq!(job.spec.tags, ["b", "a"]);
    assert_eq!(job.created_by.as_deref(), Some("a migration"));
}

#[tokio::test]
async fn a_job_that_horarium_finds_by_its_name_cannot_be_replaced() {
    let world = World::new().await;
    let of_alice = JobInput { name: Some("system.callbackDelivery".into()), ..manual("job") };
    assert_eq!(
        problems(world.services.jobs.create(&world.alice(), &of_alice).await),
        "name: begins with 'system.', as only the jobs that Horarium makes for itself do\n"
    );
    let own = json!({"handlerType": "system.callbackDelivery"});
    let restored = JobInput { job_type: Some("CodeExecution".into()), job_configuration: Some(own), ..of_alice };
    world.services.jobs.create(&world.alice(), &restored).await.unwrap();
}

#[tokio::test]
async fn a_name_is_taken_once_in_a_tenant_and_free_again_after_a_delete() {
    let world = World::new().await;
    let first = world.create(manual("report")).await.job;
    let again = world.services.jobs.create(&world.alice(), &manual("report")).await;
    assert!(matches!(&again, Err(ServiceError::Conflict(text)) if text.contains("'report'")), "{again:?}");
    let other = world.create(manual("other")).await.job;
    let rename = JobInput { name: Some("report".into()), ..JobInput::default() };
    let renamed = world.services.jobs.update(&world.alice(), other.id, &rename, None).await;
    assert!(matches!(renamed, Err(ServiceError::Conflict(_))), "{renamed:?}");
    let stranger = world.stranger().await;
    world.services.jobs.create(&stranger, &manual("report")).await.unwrap();

    world.services.jobs.delete(&world.alice(), first.id, None).await.unwrap();
    world.services.jobs.update(&world.alice(), other.id, &rename, None).await.unwrap();
}

#[tokio::test]
async fn a_schedule_without_its_type_is_asked_about_rather_than_dropped() {
    let world = World::new().await;
    for input in [
        JobInput { schedule_expression: Some("0 * * * *".into()), ..manual("job") },
        JobInput { interval_seconds: Some(60), ..manual("job") },
        JobInput { run_at: Some("2026-03-03T00:00:00Z".into()), ..manual("job") },
    ] {
        let told = problems(world.services.jobs.create(&world.alice(), &input).await);
        assert!(told.starts_with("scheduleType: is required"), "{told}");
    }
}

#[tokio::test]
async fn a_schedule_that_could_never_fire_is_refused() {
    let world = World::new().await;
    let past = JobInput {
        schedule_type: Some("OneTime".into()),
        run_at: Some("2026-03-02T11:58:59Z".into()),
        ..manual("job")
    };
    let told = problems(world.services.jobs.create(&world.alice(), &past).await);
    assert_eq!(told, "runAt: must not lie in the past, as 2026-03-02T11:58:59.000Z does\n");

    let over = JobInput { expires_at: Some("2026-03-02T12:30:00Z".into()), ..hourly("job") };
    let told = problems(world.services.jobs.create(&world.alice(), &over).await);
    assert_eq!(told, "expiresAt: must be later: the schedule has no slot before it expires\n");

    let just_now = JobInput { run_at: Some("2026-03-02T12:59:30+01:00".into()), ..past };
    let made = world.create(just_now).await;
    assert_eq!(made.next_run_at, Some(START - Duration::from_secs(30)));
}

#[tokio::test]
async fn an_update_changes_what_is_sent_and_nothing_else() {
    let world = World::new().await;
    let made = world
        .create(JobInput {
            description: Some("hourly figures".into()),
            tags: Some(vec!["a".into()]),
            group: Some("reports".into()),
            max_concurrency: Some(3),
            retry_policy: Some(json!({"maxAttempts": 5})),
            ..hourly("job")
        })
        .await;
    world.clock.advance(Duration::from_secs(90));
    let change = JobInput { priority: Some(7), ..JobInput::default() };
    let updated = world.services.jobs.update(&world.bob(), made.job.id, &change, None).await.unwrap();

    let mut expected = made.clone();
    expected.job.spec.priority = 7;
    expected.job.version = 2;
    expected.job.updated_at = world.now();
    expected.job.last_modified_by = Some("bob".into());
    assert_eq!(updated, expected);
    assert_eq!(world.job(made.job.id).await, expected);

    let cleared = JobInput {
        description: Some(String::new()),
        tags: Some(Vec::new()),
        group: Some(String::new()),
        max_concurrency: Some(0),
        retry_policy: Some(json!({})),
        ..JobInput::default()
    };
    let spec = world.services.jobs.update(&world.bob(), made.job.id, &cleared, None).await.unwrap().job.spec;
    assert_eq!((spec.description, spec.group, spec.max_concurrency), (None, None, None));
    assert!(spec.tags.is_empty());
    assert_eq!(spec.retry_policy.max_attempts, 1);
}

#[tokio::test]
async fn sending_back_what_was_read_changes_nothing_not_even_the_version() {
    let world = World::new().await;
    let every_90 = JobInput {
        schedule_type: Some("Interval".into()),
        interval_seconds: Some(90),
        timezone: Some("europe/berlin".into()),
        ..manual("interval")
    };
    for (input, same) in [
        (hourly("cron"), JobInput { timezone: Some("UTC".into()), jitter_seconds: Some(0), ..hourly("cron") }),
        (every_90.clone(), every_90),
    ] {
        let made = world.create(input).await;
        world.clock.advance(Duration::from_secs(10));
        let back = world.services.jobs.update(&world.bob(), made.job.id, &same, Some(1)).await.unwrap();
        assert_eq!(back, made);
    }
}

#[tokio::test]
async fn a_version_that_is_not_the_expected_one_is_refused() {
    let world = World::new().await;
    let job = world.create(manual("job")).await.job;
    let (jobs, alice) = (&world.services.jobs, world.alice());
    let change = JobInput { priority: Some(1), ..JobInput::default() };
    assert_eq!(jobs.update(&alice, job.id, &change, Some(1)).await.unwrap().job.version, 2);
    let stale = ServiceError::PreconditionFailed { actual: 2 };
    assert_eq!(jobs.update(&alice, job.id, &change, Some(1)).await.unwrap_err(), stale);
    assert_eq!(jobs.pause(&alice, job.id, Some(1)).await.unwrap_err(), stale);
    assert_eq!(jobs.delete(&alice, job.id, Some(3)).await.unwrap_err(), stale);
    assert_eq!(jobs.purge(&alice, job.id, Some(1)).await.unwrap_err(), stale);
    jobs.purge(&alice, job.id, Some(2)).await.unwrap();
}

#[tokio::test]
async fn changes_at_the_same_time_are_all_applied_when_nobody_names_a_version() {
    let world = World::new().await;
    let job = world.create(manual("job")).await.job;
    let (jobs, bob) = (world.services.jobs.clone(), world.bob());
    world.clock.on_next_read(move || {
        let change = JobInput { timeout_seconds: Some(2), ..JobInput::default() };
        jobs.update(&bob, job.id, &change, None).now_or_never().unwrap().unwrap();
    });
    let change = JobInput { priority: Some(1), ..JobInput::default() };
    let job = world.services.jobs.update(&world.alice(), job.id, &change, None).await.unwrap().job;
    assert_eq!((job.spec.priority, job.spec.timeout_seconds, job.version), (1, 2, 3));

    // Who names a version is told instead.
    let change = JobInput { priority: Some(2), ..JobInput::default() };
    let (jobs, bob, id) = (world.services.jobs.clone(), world.bob(), job.id);
    world.clock.on_next_read(move || {
        let change = JobInput { timeout_seconds: Some(3), ..JobInput::default() };
        jobs.update(&bob, id, &change, None).now_or_never().unwrap().unwrap();
    });
    let refused = world.services.jobs.update(&world.alice(), job.id, &change, Some(3)).await;
    assert_eq!(refused.unwrap_err(), ServiceError::PreconditionFailed { actual: 4 });
}

#[tokio::test]
async fn switching_the_type_needs_a_new_configuration() {
    let world = World::new().await;
    let job = world.create(manual("job")).await.job;
    let only_type = JobInput { job_type: Some("HttpCall".into()), ..JobInput::default() };
    let told = problems(world.services.jobs.update(&world.alice(), job.id, &only_type, None).await);
    assert_eq!(told, "jobConfiguration: is required: what the HttpCall job is to do\n");
    let both = JobInput { job_configuration: Some(json!({"url": "https://a.example"})), ..only_type };
    let job = world.services.jobs.update(&world.alice(), job.id, &both, None).await.unwrap().job;
    assert!(matches!(job.spec.configuration, JobConfiguration::HttpCall(_)));
}

#[tokio::test]
async fn a_masked_secret_that_comes_back_is_kept() {
    let world = World::new().await;
    let call = json!({"url": "https://a.example/1", "headers": {"Authorization": "Bearer s3cret", "Accept": "*/*"}});
    let input = JobInput { job_type: Some("HttpCall".into()), job_configuration: Some(call), ..manual("job") };
    let made = world.create(input).await.job;
    let mut shown = mask_configuration(&made.spec.configuration);
    assert_eq!(shown["headers"], json!({"Authorization": "***", "Accept": "*/*"}));

    shown["url"] = json!("https://a.example/2");
    let back = JobInput { job_configuration: Some(shown), ..JobInput::default() };
    let kept = world.services.jobs.update(&world.alice(), made.id, &back, None).await.unwrap().job;
    let JobConfiguration::HttpCall(call) = kept.spec.configuration else { panic!("another type") };
    assert_eq!((call.url.as_str(), call.headers["Authorization"].as_str()), ("https://a.example/2", "Bearer s3cret"));
}

#[tokio::test]
async fn rescheduling_moves_the_next_slot_and_needs_a_type() {
    let world = World::new().await;
    let job = world.create(hourly("job")).await;
    assert_eq!(job.next_run_at, Some(START + HOUR));
    let (jobs, alice) = (&world.services.jobs, world.alice());
    let told = problems(jobs.reschedule(&alice, job.job.id, RescheduleInput::default(), None).await);
    assert!(told.starts_with("scheduleType: is required"), "{told}");

    let daily = RescheduleInput {
        schedule_type: Some("Cron".into()),
        schedule_expression: Some("@daily".into()),
        effective_from: Some("2026-03-10T08:00:00Z".into()),
        ..RescheduleInput::default()
    };
    let moved = jobs.reschedule(&alice, job.job.id, daily, None).await.unwrap();
    assert_eq!(moved.next_run_at, Some("2026-03-11T00:00:00Z".parse().unwrap()));

    let once = RescheduleInput {
        schedule_type: Some("OneTime".into()),
        run_at: Some("2026-03-05T00:00:00Z".into()),
        effective_from: Some(String::new()),
        ..RescheduleInput::default()
    };
    let once = jobs.reschedule(&alice, job.job.id, once, None).await.unwrap();
    assert_eq!(once.next_run_at, Some("2026-03-05T00:00:00Z".parse().unwrap()));
    assert_eq!(world.job(job.job.id).await, once);
}

#[tokio::test]
async fn an_interval_goes_on_counting_when_something_else_changes() {
    let world = World::new().await;
    let every_100 = JobInput { schedule_type: Some("Interval".into()), interval_seconds: Some(100), ..manual("job") };
    let made = world.create(every_100).await;
    world.clock.advance(Duration::from_secs(30));
    let jitter = JobInput { jitter_seconds: Some(5), ..JobInput::default() };
    let kept = world.services.jobs.update(&world.alice(), made.job.id, &jitter, None).await.unwrap();
    assert_eq!(kept.next_run_at, Some(START + Duration::from_secs(100)));
    let faster = JobInput { interval_seconds: Some(50), ..JobInput::default() };
    let restarted = world.services.jobs.update(&world.alice(), made.job.id, &faster, None).await.unwrap();
    assert_eq!(restarted.next_run_at, Some(world.now() + Duration::from_secs(50)));
}

#[tokio::test]
async fn pausing_and_resuming_twice_is_as_good_as_once() {
    let world = World::new().await;
    let job = world.create(hourly("job")).await.job;
    let (jobs, alice) = (&world.services.jobs, world.alice());
    let paused = jobs.pause(&alice, job.id, None).await.unwrap();
    assert_eq!((paused.job.status(), paused.next_run_at), (JobStatus::Paused, None));
    assert_eq!(jobs.pause(&alice, job.id, None).await.unwrap(), paused);
    world.clock.advance(3 * HOUR);
    let resumed = jobs.resume(&alice, job.id, None).await.unwrap();
    assert_eq!((resumed.job.status(), resumed.next_run_at), (JobStatus::Active, Some(START + 4 * HOUR)));
    assert_eq!(jobs.resume(&alice, job.id, None).await.unwrap(), resumed);
}

#[tokio::test]
async fn a_slot_that_is_due_survives_a_change_of_something_else() {
    let world = World::new().await;
    let job = world.create(hourly("job")).await.job;
    world.clock.advance(HOUR + Duration::from_secs(1));
    let change = JobInput { priority: Some(1), ..JobInput::default() };
    let changed = world.services.jobs.update(&world.alice(), job.id, &change, None).await.unwrap();
    assert_eq!(changed.next_run_at, Some(START + HOUR));
}

#[tokio::test]
async fn a_change_that_races_with_the_planner_does_not_bring_a_fired_slot_back() {
    let world = World::new().await;
    let job = world.create(hourly("job")).await.job;
    world.clock.advance(HOUR);
    let store = world.store.clone();
    world.clock.on_next_read(move || {
        let firing = Firing {
            tenant_id: job.tenant_id,
            job_id: job.id,
            slot: START + HOUR,
            next: Some(START + 2 * HOUR),
            executions: Vec::new(),
            skipped: Vec::new(),
            concurrency: ConcurrencyPolicy::Allow,
            now: START + HOUR,
        };
        store.fire(vec![firing]).now_or_never().unwrap().unwrap();
    });
    let change = JobInput { priority: Some(1), ..JobInput::default() };
    let changed = world.services.jobs.update(&world.alice(), job.id, &change, None).await.unwrap();
    assert_eq!((changed.job.version, changed.next_run_at), (2, Some(START + 2 * HOUR)));
    assert_eq!(world.job(job.id).await, changed);
}

#[tokio::test]
async fn a_deleted_job_is_hidden_and_its_history_is_kept() {
    let world = World::new().await;
    let job = world.create(hourly("job")).await.job;
    let waiting = world.trigger(job.id).await;
    let (jobs, alice, tenant) = (&world.services.jobs, world.alice(), world.tenant().id);
    jobs.delete(&alice, job.id, None).await.unwrap();

    let hidden = ServiceError::NotFound("job");
    assert_eq!(jobs.get(tenant, job.id).await.unwrap_err(), hidden);
    assert_eq!(jobs.get_by_name(tenant, "job").await.unwrap_err(), hidden);
    assert_eq!(jobs.delete(&alice, job.id, None).await.unwrap_err(), hidden);
    assert_eq!(jobs.pause(&alice, job.id, None).await.unwrap_err(), hidden);
    let page = PageRequest::default();
    assert_eq!(jobs.list(tenant, &JobFilter::default(), page).await.unwrap().total, 0);

    // What was accepted before still runs, and can be read.
    for claimed in world.claim().await {
        world.finish(&claimed, true).await;
    }
    assert_eq!(world.state(waiting).await, ExecutionState::Succeeded);
}

#[tokio::test]
async fn a_job_is_not_purged_while_it_runs() {
    let world = World::new().await;
    let job = world.create(manual("job")).await.job;
    let execution = world.trigger(job.id).await;
    let claimed = world.claim().await;
    let (jobs, alice) = (&world.services.jobs, world.alice());
    let refused = jobs.purge(&alice, job.id, None).await;
    assert!(matches!(refused, Err(ServiceError::Conflict(_))), "{refused:?}");
    world.finish(&claimed[0], true).await;
    jobs.purge(&alice, job.id, None).await.unwrap();
    let gone = world.services.executions.get(world.tenant().id, execution).await;
    assert_eq!(gone.unwrap_err(), ServiceError::NotFound("execution"));
}

#[tokio::test]
async fn another_tenants_job_does_not_exist() {
    let world = World::new().await;
    let job = world.create(manual("job")).await.job;
    let stranger = world.stranger().await;
    let jobs = &world.services.jobs;
    let missing = ServiceError::NotFound("job");
    assert_eq!(jobs.get(stranger.tenant, job.id).await.unwrap_err(), missing);
    assert_eq!(jobs.get_by_name(stranger.tenant, "job").await.unwrap_err(), missing);
    assert_eq!(jobs.update(&stranger, job.id, &JobInput::default(), None).await.unwrap_err(), missing);
    assert_eq!(jobs.delete(&stranger, job.id, None).await.unwrap_err(), missing);
    assert_eq!(jobs.purge(&stranger, job.id, None).await.unwrap_err(), missing);
    assert_eq!(jobs.preview(stranger.tenant, job.id, 1).await.unwrap_err(), missing);
}

#[tokio::test]
async fn jobs_that_keep_failing_are_listed_worst_first() {
    let world = World::new().await;
    let mild = world.create(manual("mild")).await.job;
    let bad = world.create(manual("bad")).await.job;
    for job in [mild.id, bad.id, bad.id] {
        world.failed_execution(job).await;
    }
    let (jobs, tenant) = (&world.services.jobs, world.tenant().id);
    let names = |threshold, limit| async move {
        let listed = jobs.failing(tenant, threshold, limit).await.unwrap();
        listed.into_iter().map(|summary| summary.job.spec.name).collect::<Vec<_>>()
    };
    assert_eq!(names(1, usize::MAX).await, ["bad", "mild"]);
    assert_eq!(names(1, 1).await, ["bad"]);
    assert_eq!(names(2, 10).await, ["bad"]);
    assert_eq!(problems(jobs.failing(tenant, 0, 10).await), "threshold: must be between 1 and 2147483647\n");
}

#[tokio::test]
async fn a_preview_shows_the_slots_to_come_also_while_the_job_is_paused() {
    let world = World::new().await;
    let job = world.create(hourly("job")).await.job;
    world.services.jobs.pause(&world.alice(), job.id, None).await.unwrap();
    let slots: Vec<Timestamp> = world.services.jobs.preview(world.tenant().id, job.id, 3).await.unwrap();
    assert_eq!(slots, [START + HOUR, START + 2 * HOUR, START + 3 * HOUR]);
}

#[tokio::test]
async fn an_outlook_tells_the_slots_on_the_zones_clock_also_while_the_job_is_paused() {
    let world = World::new().await;
    let berlin = JobInput { timezone: Some("Europe/Berlin".into()), ..hourly("job") };
    let job = world.create(berlin).await.job;
    world.services.jobs.pause(&world.alice(), job.id, None).await.unwrap();
    let outlook = world.services.jobs.outlook(world.tenant().id, job.id, 2).await.unwrap();
    let told: Vec<_> = outlook.slots.iter().map(|slot| slot.local.wall.to_string()).collect();
    assert_eq!(told, ["2026-03-02 14:00:00", "2026-03-02 15:00:00"]);
    let stranger = world.stranger().await;
    let foreign = world.services.jobs.outlook(stranger.tenant, job.id, 1).await;
    assert_eq!(foreign.unwrap_err(), ServiceError::NotFound("job"));
}

#[tokio::test]
async fn the_outlook_of_what_is_not_saved_yet_is_that_of_what_would_be() {
    let world = World::new().await;
    let (jobs, tenant) = (&world.services.jobs, world.tenant().id);
    let cron = |text: &str| RescheduleInput {
        schedule_type: Some("Cron".into()),
        schedule_expression: Some(text.into()),
        ..RescheduleInput::default()
    };
    let outlook = jobs.outlook_of(tenant, None, &cron("30 2 * * *"), 1).await.unwrap();
    assert_eq!(outlook.slots[0].at.to_string(), "2026-03-03T02:30:00.000Z");
    assert_eq!(outlook.shift, None, "UTC is never shifted");

    // What is not sent stays as the job has it.
    let berlin = JobInput { timezone: Some("Europe/Berlin".into()), ..hourly("job") };
    let job = world.create(berlin).await.job;
    let outlook = jobs.outlook_of(tenant, Some(job.id), &cron("30 2 * * *"), 1).await.unwrap();
    assert_eq!(outlook.slots[0].at.to_string(), "2026-03-03T01:30:00.000Z");
    let shift = outlook.shift.unwrap();
    assert!(matches!(shift.effect, ShiftEffect::Moved { merged: 1, .. }), "{shift:?}");
    assert_eq!(world.job(job.id).await.job, job, "nothing is written");

    let wrong = RescheduleInput { timezone: Some("Europe/Nowhere".into()), ..cron("61 2 * * *") };
    let told = problems(jobs.outlook_of(tenant, None, &wrong, 1).await);
    assert!(told.contains("scheduleExpression: ") && told.contains("timezone: "), "{told}");
    let stranger = world.stranger().await;
    let foreign = jobs.outlook_of(stranger.tenant, Some(job.id), &cron("0 0 * * *"), 1).await;
    assert_eq!(foreign.unwrap_err(), ServiceError::NotFound("job"));
}

#[tokio::test]
async fn a_report_tells_of_one_job_by_its_name_or_its_id() {
    let world = World::new().await;
    let (statistics, tenant) = (&world.services.statistics, world.tenant().id);
    let job = world.create(manual("job")).await.job;
    world.create(manual("other")).await;
    for _ in 0..3 {
        world.failed_execution(job.id).await;
    }
    let report = statistics.report_of(tenant, job.id, 2).await.unwrap();
    assert_eq!((report.counters.failed, report.recent.len(), report.success_share()), (3, 2, Some(0.0)));
    assert_eq!(statistics.report(tenant, "job", 2).await.unwrap(), report);
    let stranger = world.stranger().await;
    let foreign = statistics.report_of(stranger.tenant, job.id, 2).await;
    assert_eq!(foreign.unwrap_err(), ServiceError::NotFound("job"));

    let filter = JobFilter { search: Some("oth".into()), ..JobFilter::default() };
    let found = statistics.overview(tenant, &filter, PageRequest::default()).await.unwrap();
    assert_eq!(found.items.iter().map(|it| it.summary.job.spec.name.as_str()).collect::<Vec<_>>(), ["other"]);
}
