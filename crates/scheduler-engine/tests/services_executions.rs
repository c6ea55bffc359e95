//! Executions: what may be asked for, cancelled and tried again.

mod services_support;

use std::sync::Arc;
use std::time::Duration;

use horarium_domain::execution::{EventKind, ExecutionState, NewExecution, Trigger};
use horarium_domain::page::PageRequest;
use horarium_domain::store::ExecutionFilter;
use horarium_domain::{ExecutionId, RequestSeed};
use horarium_scheduler_engine::service::{
    ExecutionService, IntegrationInput, JobInput, JobRef, QueueInput, ServiceError, Submission, TenantPolicy,
    TriggerInput,
};
use horarium_scheduler_engine::{Core, Services, SystemEntropy};
use serde_json::json;
use services_support::{START, World, manual, problems};

#[tokio::test]
async fn a_triggered_execution_takes_after_its_job_unless_told_otherwise() {
    let world = World::new().await;
    let input = JobInput { queue: Some("slow".into()), priority: Some(5), ..manual("job") };
    let job = world.create(input).await.job;
    let executions = &world.services.executions;
    let plain = world.trigger(job.id).await;
    let plain = executions.get(world.tenant().id, plain).await.unwrap().summary;
    assert_eq!((plain.queue.as_str(), plain.priority, plain.trigger), ("slow", 5, Trigger::Manual));
    assert_eq!((plain.triggered_by.as_str(), plain.scheduled_for), ("alice", START));

    let told = TriggerInput {
        payload: Some(json!({"n": 1})),
        priority: Some(-3),
        run_at: Some("2026-03-02T15:00:00+02:00".into()),
        ..TriggerInput::default()
    };
    let later = executions.trigger_by_name(&world.alice(), "job", told).await.unwrap().id;
    let later = executions.get(world.tenant().id, later).await.unwrap();
    assert_eq!((later.payload, later.summary.priority), (Some(json!({"n": 1})), -3));
    assert_eq!(later.summary.scheduled_for, START + Duration::from_hours(1));
    assert_eq!(world.claim().await.len(), 1, "the later one must not start yet");
}

#[tokio::test]
async fn a_change_of_a_job_counts_for_the_next_submission_to_any_node() {
    let world = World::new().await;
    let core = Core::new(world.store.clone(), world.clock.clone(), Arc::new(SystemEntropy));
    let (elsewhere, alice) = (Services::new(&core, TenantPolicy::without_jobs()), world.alice());
    let job = world.create(manual("job")).await.job;
    for (priority, queue) in [(1, "one"), (2, "two")] {
        let input = JobInput { queue: Some(queue.into()), priority: Some(priority), ..manual("job") };
        world.services.jobs.update(&alice, job.id, &input, None).await.unwrap();
        for node in [&world.services, &elsewhere] {
            let trigger = || node.executions.trigger(&alice, job.id, TriggerInput::default());
            let (first, second) = tokio::try_join!(trigger(), trigger()).unwrap();
            for admitted in [first, second] {
                assert_eq!((i64::from(admitted.priority), admitted.queue.as_str()), (priority, queue));
            }
        }
    }
    world.services.jobs.delete(&alice, job.id, None).await.unwrap();
    let gone = elsewhere.executions.trigger(&alice, job.id, TriggerInput::default()).await;
    assert!(matches!(gone, Err(ServiceError::NotFound("job"))), "{gone:?}");
}

#[tokio::test]
async fn what_is_wrong_with_a_trigger_is_told_at_once() {
    let world = World::new().await;
    let job = world.create(manual("job")).await.job;
    let input = TriggerInput {
        payload: Some(json!({"text": "a\u{0}b"})),
        priority: Some(1000),
        run_at: Some("2026-03-02T15:00:00".into()),
        unique_key: Some(String::new()),
        concurrency_key: Some("x".repeat(201)),
    };
    let told = problems(world.services.executions.trigger(&world.alice(), job.id, input).await);
    insta::assert_snapshot!("wrong_trigger", told);
}

#[tokio::test]
async fn paused_and_disabled_jobs_can_be_triggered_and_deleted_ones_cannot() {
    let world = World::new().await;
    let (jobs, executions, alice) = (&world.services.jobs, &world.services.executions, world.alice());
    let paused = world.create(manual("paused")).await.job.id;
    jobs.pause(&alice, paused, None).await.unwrap();
    world.trigger(paused).await;
    let disabled = world.create(JobInput { is_enabled: Some(false), ..manual("disabled") }).await.job.id;
    world.trigger(disabled).await;
    let deleted = world.create(manual("deleted")).await.job.id;
    jobs.delete(&alice, deleted, None).await.unwrap();
    let missing = ServiceError::NotFound("job");
    assert_eq!(executions.trigger(&alice, deleted, TriggerInput::default()).await.unwrap_err(), missing);
    let by_name = executions.trigger_by_name(&alice, "deleted", TriggerInput::default()).await;
    assert_eq!(by_name.unwrap_err(), missing);
    let stranger = world.stranger().await;
    assert_eq!(executions.trigger(&stranger, paused, TriggerInput::default()).await.unwrap_err(), missing);
}

#[tokio::test]
async fn a_unique_key_is_accepted_once_while_its_execution_lives() {
    let world = World::new().await;
    let job = world.create(manual("job")).await.job;
    let input = TriggerInput { unique_key: Some("2026-03".into()), ..TriggerInput::default() };
    let alice = world.alice();
    let trigger = || world.services.executions.trigger(&alice, job.id, input.clone());
    let first = trigger().await.unwrap();
    let second = trigger().await.unwrap();
    assert_eq!((second.id, second.is_duplicate), (first.id, true));
    world.services.executions.cancel(&world.alice(), first.id).await.unwrap();
    assert!(!trigger().await.unwrap().is_duplicate);
}

#[tokio::test]
async fn a_full_queue_refuses_and_says_which_and_how_much_it_holds() {
    let world = World::new().await;
    let job = world.create(JobInput { queue: Some("small".into()), ..manual("job") }).await.job;
    let one = QueueInput { max_length: Some(1), ..QueueInput::default() };
    world.services.queues.set(&world.alice(), "small", one).await.unwrap();
    world.trigger(job.id).await;
    let refused = world.services.executions.trigger(&world.alice(), job.id, TriggerInput::default()).await;
    assert_eq!(refused.unwrap_err(), ServiceError::QueueFull { queue: "small".into(), max_length: 1 });
}

#[tokio::test]
async fn a_batch_is_answered_item_by_item_in_its_order() {
    let world = World::new().await;
    let job = world.create(manual("job")).await.job;
    let foreign = world.services.jobs.create(&world.stranger().await, &manual("foreign")).await.unwrap().job;
    let by_name = |name: &str| JobRef::Name(name.to_owned());
    let item = |job, input| Submission { job, input };
    let keyed = TriggerInput { unique_key: Some("k".into()), ..TriggerInput::default() };
    let wrong = TriggerInput { priority: Some(500), ..TriggerInput::default() };
    let batch = vec![
        item(JobRef::Id(job.id), keyed.clone()),
        item(by_name("nobody"), TriggerInput::default()),
        item(by_name("job"), TriggerInput::default()),
        item(JobRef::Id(foreign.id), TriggerInput::default()),
        item(by_name("job"), keyed),
        item(JobRef::Id(job.id), wrong),
    ];
    let answers = world.services.executions.submit_many(&world.alice(), batch).await.unwrap();
    let first = answers[0].clone().unwrap();
    assert!(!first.is_duplicate);
    assert_eq!(answers[1], Err(ServiceError::NotFound("job")));
    assert!(!answers[2].clone().unwrap().is_duplicate);
    assert_eq!(answers[3], Err(ServiceError::NotFound("job")));
    assert_eq!(answers[4].clone().unwrap().id, first.id);
    assert_eq!(problems(answers[5].clone()), "priority: must be between -100 and 100\n");
    let all = ExecutionFilter::default();
    let page = world.services.executions.list(world.tenant().id, &all, PageRequest::default()).await.unwrap();
    assert_eq!(page.total, 2);
    assert!(page.items.iter().all(|summary| summary.trigger == Trigger::Api));
}

#[tokio::test]
async fn a_batch_is_bounded() {
    let world = World::new().await;
    let one = Submission { job: JobRef::Name("job".into()), input: TriggerInput::default() };
    let batch = vec![one; ExecutionService::MAX_BATCH + 1];
    let refused = world.services.executions.submit_many(&world.alice(), batch).await;
    assert_eq!(problems(refused), "items: must hold at most 10000 executions\n");
    assert_eq!(world.services.executions.submit_many(&world.alice(), Vec::new()).await.unwrap(), []);
}

#[tokio::test]
async fn what_waits_or_runs_can_be_cancelled_and_what_is_over_cannot() {
    let world = World::new().await;
    let job = world.create(manual("job")).await.job;
    let (executions, bob) = (&world.services.executions, world.bob());
    let waiting = world.trigger(job.id).await;
    executions.cancel(&bob, waiting).await.unwrap();
    assert_eq!(world.state(waiting).await, ExecutionState::Cancelled);

    let running = world.trigger(job.id).await;
    assert_eq!(world.claim().await.len(), 1);
    executions.cancel(&bob, running).await.unwrap();
    let cancelled = executions.get(world.tenant().id, running).await.unwrap();
    assert_eq!(cancelled.summary.lifecycle.state, ExecutionState::Cancelled);
    assert_eq!(
        cancelled.events.last().map(|event| (event.kind, event.source.as_str())),
        Some((EventKind::Cancelled, "bob"))
    );

    let again = executions.cancel(&bob, running).await.unwrap_err();
    assert_eq!(again.to_string(), "the execution is Cancelled already; it cannot be cancelled");
    assert!(matches!(again, ServiceError::Conflict(_)));
    let failed = world.failed_execution(job.id).await;
    assert!(matches!(executions.cancel(&bob, failed).await, Err(ServiceError::Conflict(_))));
}

#[tokio::test]
async fn a_failed_execution_is_retried_as_a_new_one_that_names_its_parent() {
    let world = World::new().await;
    let job = world.create(JobInput { queue: Some("q1".into()), ..manual("job") }).await.job;
    let executions = &world.services.executions;
    let input = TriggerInput {
        payload: Some(json!([1])),
        priority: Some(9),
        unique_key: Some("k".into()),
        concurrency_key: Some("customer-7".into()),
        ..Default::default()
    };
    let source = executions.trigger(&world.alice(), job.id, input).await.unwrap().id;
    world.finish(&world.claim().await[0], false).await;
    // The retry stays where its source was, whatever the job says now.
    let moved = JobInput { queue: Some("q2".into()), priority: Some(1), ..JobInput::default() };
    world.services.jobs.update(&world.alice(), job.id, &moved, None).await.unwrap();

    let retry = executions.retry(&world.bob(), source).await.unwrap().id;
    let new = executions.get(world.tenant().id, retry).await.unwrap();
    assert_eq!((new.payload, new.summary.priority, new.summary.queue.as_str()), (Some(json!([1])), 9, "q1"));
    assert_eq!(new.summary.concurrency_key, Some("customer-7".parse().unwrap()));
    assert_eq!((new.summary.trigger, new.summary.retry_parent_id), (Trigger::Retry, Some(source)));
    assert_eq!((new.summary.triggered_by.as_str(), new.summary.lifecycle.attempt), ("bob", 0));

    let source = executions.get(world.tenant().id, source).await.unwrap();
    assert_eq!(source.summary.lifecycle.state, ExecutionState::Failed);
    let noted = source.events.last().unwrap();
    assert_eq!((noted.kind, noted.source.as_str()), (EventKind::Retried, "bob"));
    assert!(noted.message.contains(&retry.to_string()));
}

#[tokio::test]
async fn a_retry_that_is_asked_for_twice_in_one_request_is_one() {
    let world = World::new().await;
    let job = world.create(manual("job")).await.job;
    let [one, other] = [world.failed_execution(job.id).await, world.failed_execution(job.id).await];
    let executions = &world.services.executions;
    let bob = world.bob().in_request(RequestSeed::from_uuid(job.id.as_uuid()));
    let first = executions.retry(&bob, one).await.unwrap().id;
    assert_eq!(executions.retry(&bob, one).await.unwrap().id, first);
    let source = executions.get(world.tenant().id, one).await.unwrap();
    assert_eq!(source.events.iter().filter(|event| event.kind == EventKind::Retried).count(), 1);
    assert_ne!(executions.retry(&bob.after(1), other).await.unwrap().id, first, "the next of the request is another");
}

#[tokio::test]
async fn a_retry_is_tried_as_often_as_its_source_was_to_be() {
    let world = World::new().await;
    world.create(JobInput { group: Some("integration".into()), ..manual("push") }).await;
    let once = IntegrationInput { max_attempts: Some(1), ..IntegrationInput::default() };
    let (source, _) = world.services.integrations.submit(&world.alice(), "push", once).await.unwrap();
    world.finish(&world.claim().await[0], false).await;
    world.services.executions.retry(&world.bob(), source.id).await.unwrap();
    assert_eq!(world.claim().await[0].max_attempts, Some(1));
}

#[tokio::test]
async fn only_a_failed_execution_is_retried() {
    let world = World::new().await;
    let job = world.create(manual("job")).await.job;
    let (executions, alice) = (&world.services.executions, world.alice());
    let id = world.trigger(job.id).await;
    assert_eq!(executions.retry(&alice, id).await.unwrap_err(), ServiceError::NotFailed(ExecutionState::Pending));
    let claimed = world.claim().await;
    assert_eq!(executions.retry(&alice, id).await.unwrap_err(), ServiceError::NotFailed(ExecutionState::Running));
    world.finish(&claimed[0], true).await;
    assert_eq!(executions.retry(&alice, id).await.unwrap_err(), ServiceError::NotFailed(ExecutionState::Succeeded));
    let unknown = ExecutionId::from_uuid(job.id.as_uuid());
    assert_eq!(executions.retry(&alice, unknown).await.unwrap_err(), ServiceError::NotFound("execution"));

    let failed = world.failed_execution(job.id).await;
    let stranger = world.stranger().await;
    assert_eq!(executions.retry(&stranger, failed).await.unwrap_err(), ServiceError::NotFound("execution"));
    assert_eq!(executions.cancel(&stranger, failed).await.unwrap_err(), ServiceError::NotFound("execution"));
    world.services.jobs.delete(&alice, job.id, None).await.unwrap();
    assert_eq!(executions.retry(&alice, failed).await.unwrap_err(), ServiceError::NotFound("job"));
}

#[tokio::test]
async fn the_history_of_a_deleted_job_can_be_read_and_that_of_an_unknown_one_is_not_found() {
    let world = World::new().await;
    let job = world.create(manual("job")).await.job;
    world.trigger(job.id).await;
    world.services.jobs.delete(&world.alice(), job.id, None).await.unwrap();
    let (executions, tenant) = (&world.services.executions, world.tenant().id);
    let of = |id| ExecutionFilter { job_id: Some(id), ..ExecutionFilter::default() };
    assert_eq!(executions.list(tenant, &of(job.id), PageRequest::default()).await.unwrap().total, 1);
    assert_eq!(executions.list_before(tenant, &of(job.id), None, 0).await.unwrap().items.len(), 1);

    let unknown = of(horarium_domain::JobId::from_uuid(tenant.as_uuid()));
    let missing = ServiceError::NotFound("job");
    assert_eq!(executions.list(tenant, &unknown, PageRequest::default()).await.unwrap_err(), missing);
    assert_eq!(executions.list_before(tenant, &unknown, None, 10).await.unwrap_err(), missing);
    assert_eq!(executions.skipped_slots(tenant, unknown.job_id.unwrap()).await.unwrap_err(), missing);
}

#[tokio::test]
async fn a_page_that_lies_too_deep_is_refused_and_one_behind_the_end_is_empty() {
    let world = World::new().await;
    let job = world.create(manual("job")).await.job;
    let (executions, tenant) = (&world.services.executions, world.tenant().id);
    let most = u32::try_from(PageRequest::MAX_SKIPPED).unwrap();
    let accepted = (0..most + 150).map(|_| NewExecution {
        id: world.core.ids.execution(START),
        tenant_id: tenant,
        job_id: job.id,
        trigger: Trigger::Api,
        triggered_by: "alice".to_owned(),
        payload: None,
        queue: "default".to_owned(),
        priority: 0,
        scheduled_for: START,
        run_at: START,
        created_at: START,
        retry_parent_id: None,
        unique_key: None,
        concurrency_key: None,
        max_attempts: None,
    });
    world.store.enqueue(accepted.collect()).await.unwrap();
    let all = ExecutionFilter::default();
    let page = async |number| executions.list(tenant, &all, PageRequest { number, size: 100 }).await;
    assert_eq!(page(most / 100 + 1).await.unwrap().items.len(), 100);
    assert!(problems(page(most / 100 + 2).await).starts_with("pageNumber: "));
    assert!(page(u32::MAX).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn the_dashboard_tells_rates_of_what_ended_and_a_hundred_percent_of_nothing() {
    let world = World::new().await;
    let job = world.create(manual("job")).await.job;
    let (executions, tenant) = (&world.services.executions, world.tenant().id);
    let empty = executions.dashboard(tenant).await.unwrap();
    assert_eq!((empty.success_rate.to_string().as_str(), empty.average_duration_seconds), ("100", None));

    for well in [true, true, false] {
        world.trigger(job.id).await;
        let claimed = world.claim().await;
        world.clock.advance(Duration::from_secs(2));
        world.finish(&claimed[0], well).await;
    }
    let told = executions.dashboard(tenant).await.unwrap();
    assert_eq!(told.success_rate.to_string(), "66.67");
    assert_eq!((told.stats.succeeded, told.stats.failed, told.stats.total_jobs), (2, 1, 1));
    let statistics = executions.statistics(tenant, job.id).await.unwrap();
    assert_eq!((statistics.counters.succeeded, statistics.counters.failed), (2, 1));
    assert_eq!(statistics.durations.iter().map(|(_, count)| count).sum::<i64>(), 3);

    let points = executions.timeline(tenant, 1).await.unwrap();
    assert_eq!(points.len(), 12);
    assert_eq!(points.last().map(|point| (point.succeeded, point.failed, point.running)), Some((2, 1, 0)));
    assert_eq!(problems(executions.timeline(tenant, 0).await), "hours: must be between 1 and 2160\n");

    let other = world.create(manual("other")).await.job;
    let last = async |job| *executions.timeline_of(tenant, job, 24).await.unwrap().last().unwrap();
    let (point, nothing) = (last(job.id).await, last(other.id).await);
    assert_eq!((point.succeeded, point.failed, point.average_ms()), (2, 1, Some(2000.0)));
    assert_eq!((nothing.succeeded, nothing.failed, nothing.average_ms()), (0, 0, None));
}

#[tokio::test]
async fn the_timeline_shows_what_ran_across_a_buckets_boundary() {
    let world = World::new().await;
    let job = world.create(manual("job")).await.job;
    for _ in 0..2 {
        world.trigger(job.id).await;
    }
    world.clock.advance(Duration::from_mins(1));
    let claimed = world.claim().await;
    world.clock.advance(Duration::from_mins(5));
    world.finish_started_at(&claimed[0], true, START + Duration::from_mins(1)).await;
    world.clock.advance(Duration::from_mins(5));
    let points = world.services.executions.timeline(world.tenant().id, 1).await.unwrap();
    let running: Vec<_> = points.iter().rev().take(4).map(|point| point.running).collect();
    // Newest first: one still runs; both ran at 12:05; none at 12:00 and before.
    assert_eq!(running, [1, 2, 0, 0]);
}
