//! Queues, what concerns all jobs at once, and idempotent requests.

mod services_support;

use std::time::Duration;

use horarium_domain::job::JobStatus;
use horarium_domain::store::{Reservation, StoredAnswer};
use horarium_scheduler_engine::service::{JobInput, QueueInput, ServiceError};
use services_support::{World, hourly, manual, problems};

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn a_queues_limits_are_set_as_a_whole() {
    let world = World::new().await;
    let (queues, alice, tenant) = (&world.services.queues, world.alice(), world.tenant().id);
    let limited = QueueInput { max_concurrency: Some(2), max_length: Some(0), ..QueueInput::default() };
    let set = queues.set(&alice, "slow", limited).await.unwrap();
    assert_eq!((set.limits.max_concurrency, set.limits.max_length, set.limits.paused), (Some(2), Some(0), false));
    assert_eq!(queues.list(tenant, None, 10).await.unwrap().items, [set]);

    let paused = QueueInput { paused: Some(true), ..QueueInput::default() };
    let set = queues.set(&alice, "slow", paused).await.unwrap();
    assert_eq!((set.limits.max_concurrency, set.limits.max_length, set.limits.paused), (None, None, true));
    assert_eq!(queues.get(tenant, "slow").await.unwrap(), set);
    assert_eq!(queues.get(tenant, "never-seen").await.unwrap().pending, 0);
    assert_eq!(queues.get(tenant, "no queue").await.unwrap_err(), ServiceError::NotFound("queue"));

    let wrong = QueueInput {
        max_concurrency: Some(0),
        max_length: Some(-1),
        rate_limit_per_second: Some(i64::MAX),
        paused: None,
        weight: Some(10_001),
    };
    insta::assert_snapshot!("wrong_queue", problems(queues.set(&alice, "no queue", wrong).await));
}

#[tokio::test]
async fn a_queue_is_paused_and_resumed_without_touching_its_limits() {
    let world = World::new().await;
    let (queues, alice) = (&world.services.queues, world.alice());
    let limited = QueueInput { max_concurrency: Some(2), ..QueueInput::default() };
    queues.set(&alice, "slow", limited).await.unwrap();
    for paused in [true, false] {
        let limits = queues.set_paused(&alice, "slow", paused).await.unwrap().limits;
        assert_eq!((limits.paused, limits.max_concurrency), (paused, Some(2)));
    }
    assert_eq!(queues.set_paused(&alice, "no queue", true).await.unwrap_err(), ServiceError::NotFound("queue"));
}

#[tokio::test]
async fn nothing_of_a_paused_queue_starts_until_it_is_resumed() {
    let world = World::new().await;
    let job = world.create(JobInput { queue: Some("slow".into()), ..manual("job") }).await.job;
    let paused = |paused| QueueInput { paused: Some(paused), ..QueueInput::default() };
    world.services.queues.set(&world.alice(), "slow", paused(true)).await.unwrap();
    world.trigger(job.id).await;
    assert!(world.claim().await.is_empty());
    world.services.queues.set(&world.alice(), "slow", paused(false)).await.unwrap();
    assert_eq!(world.claim().await.len(), 1);
}

#[tokio::test]
async fn all_jobs_of_the_tenant_are_paused_and_resumed_and_nobody_elses() {
    let world = World::new().await;
    let stranger = world.stranger().await;
    let foreign = world.services.jobs.create(&stranger, &hourly("foreign")).await.unwrap().job;
    let mut ids = Vec::new();
    // More than one page of them.
    for number in 0..250 {
        ids.push(world.create(hourly(&format!("job {number}"))).await.job.id);
    }
    let disabled = world.create(JobInput { is_enabled: Some(false), ..hourly("disabled") }).await.job.id;
    world.services.jobs.pause(&world.alice(), ids[0], None).await.unwrap();

    let admin = &world.services.admin;
    assert_eq!(admin.pause_all(&world.alice()).await.unwrap(), 250);
    assert_eq!(admin.pause_all(&world.alice()).await.unwrap(), 0);
    for id in &ids {
        let job = world.job(*id).await;
        assert_eq!((job.job.status(), job.next_run_at), (JobStatus::Paused, None));
    }
    assert!(world.job(disabled).await.job.is_paused);
    assert_eq!(world.services.jobs.get(stranger.tenant, foreign.id).await.unwrap().job.status(), JobStatus::Active);

    assert_eq!(admin.resume_all(&world.alice()).await.unwrap(), 251);
    for id in &ids {
        assert!(world.job(*id).await.next_run_at.is_some());
    }
    assert_eq!(world.job(disabled).await.next_run_at, None);
}

#[tokio::test]
async fn logs_older_than_so_many_days_are_cleared() {
    let world = World::new().await;
    let job = world.create(manual("job")).await.job;
    let old = world.failed_execution(job.id).await;
    world.clock.advance(2 * DAY);
    let young = world.failed_execution(job.id).await;
    let admin = &world.services.admin;
    assert_eq!(problems(admin.clear_logs(&world.alice(), 0).await), "olderThanDays: must be between 1 and 36500\n");
    assert_eq!(admin.clear_logs(&world.stranger().await, 1).await.unwrap(), 0);
    assert_eq!(admin.clear_logs(&world.alice(), 1).await.unwrap(), 1);
    let (executions, tenant) = (&world.services.executions, world.tenant().id);
    assert_eq!(executions.get(tenant, old).await.unwrap_err(), ServiceError::NotFound("execution"));
    assert!(executions.get(tenant, young).await.is_ok());
    assert_eq!(executions.statistics(tenant, job.id).await.unwrap().counters.failed, 1);
}

#[tokio::test]
async fn the_first_answer_is_given_again_for_a_day() {
    let world = World::new().await;
    let (service, tenant) = (&world.services.idempotency, world.tenant().id);
    let answer = StoredAnswer {
        status: 202,
        location: Some("/x".into()),
        etag: None,
        content_type: "application/json".into(),
        body: b"1".to_vec(),
    };
    let time = Duration::from_mins(10);
    let begin = |request: u8| service.begin(tenant, "key-1", [request; 32], time);
    let fresh = async |request| match begin(request).await.unwrap() {
        Reservation::Fresh(reserved) => reserved,
        other => panic!("{other:?}"),
    };
    let first = fresh(1).await;
    assert_eq!(begin(1).await.unwrap(), Reservation::InProgress);
    service.complete(tenant, "key-1", first, answer.clone()).await.unwrap();
    assert_eq!(begin(1).await.unwrap(), Reservation::Answered(answer));
    assert_eq!(begin(2).await.unwrap(), Reservation::Mismatch);
    let elsewhere = service.begin(world.stranger().await.tenant, "key-1", [2; 32], time).await.unwrap();
    assert!(matches!(elsewhere, Reservation::Fresh(_)));

    world.clock.advance(DAY + Duration::from_secs(1));
    let second = fresh(2).await;
    service.release(tenant, "key-1", second).await.unwrap();
    let third = fresh(3).await;
    assert!(first.seed != second.seed && second.seed != third.seed);
    // Whoever began it may still be at it, and then has died.
    world.clock.advance(time + Duration::from_secs(59));
    assert_eq!(begin(3).await.unwrap(), Reservation::InProgress);
    world.clock.advance(Duration::from_secs(2));
    let again = fresh(3).await;
    assert_eq!(again.seed, third.seed, "it may have been carried out");
    service.abandon(tenant, "key-1", again).await.unwrap();
    assert_eq!(fresh(3).await.seed, third.seed, "it may be sent again at once");
}

#[tokio::test]
async fn an_idempotency_key_is_short_and_visible() {
    let world = World::new().await;
    for key in ["", "with space", "tab\t", "ümlaut", &"x".repeat(256)] {
        let begun = world.services.idempotency.begin(world.tenant().id, key, [0; 32], Duration::from_mins(1)).await;
        let told = problems(begun);
        assert_eq!(told, "Idempotency-Key: must be 1 to 255 visible ASCII characters\n", "{key:?}");
    }
}
