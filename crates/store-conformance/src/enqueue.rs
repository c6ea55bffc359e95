//! Accepting executions: each exactly once, unless something stands against it.

use horarium_domain::execution::{Event, EventKind, ExecutionState, Lifecycle, NewExecution, Trigger};
use horarium_domain::store::Enqueued;
use horarium_domain::{JobId, TenantId};
use serde_json::json;

use crate::World;
use crate::world::{at, at_millis};

fn unique(execution: NewExecution, key: &str) -> NewExecution {
    NewExecution { unique_key: Some(key.to_owned()), ..execution }
}

pub async fn a_submitted_execution_waits_and_can_be_read_back(world: World) {
    let tenant = world.tenant().await;
    let job = world.job_with(tenant, |spec| spec.name = "Nightly \"report\" 🌙".to_owned()).await;
    let parent = world.submit_one(&job).await;
    let execution = NewExecution {
        trigger: Trigger::Retry,
        triggered_by: "Zoë O'Neill".to_owned(),
        payload: Some(json!({"text": "it's \"quoted\" \u{1F600}", "n": [1, 2.5, null, true], "nested": {"a": {}}})),
        queue: "reports:eu.1".to_owned(),
        priority: -7,
        scheduled_for: at_millis(1),
        run_at: at_millis(1_234),
        retry_parent_id: Some(parent),
        ..world.execution(&job)
    };
    world.submit(execution.clone()).await;

    let read = world.read(tenant, execution.id).await;
    let summary = &read.summary;
    assert_eq!((summary.id, summary.tenant_id, summary.job_id), (execution.id, tenant, job.id));
    assert_eq!(summary.job_name, job.spec.name);
    assert_eq!(summary.lifecycle, Lifecycle::NEW);
    assert_eq!((summary.trigger, summary.triggered_by.as_str()), (Trigger::Retry, "Zoë O'Neill"));
    assert_eq!((summary.queue.as_str(), summary.priority), ("reports:eu.1", -7));
    assert_eq!(summary.scheduled_for, execution.scheduled_for);
    assert_eq!(summary.created_at, execution.created_at);
    assert_eq!(summary.run_at, Some(execution.run_at));
    assert_eq!(summary.retry_parent_id, Some(parent));
    assert_eq!((summary.started_at, summary.completed_at, summary.worker.as_deref()), (None, None, None));
    assert_eq!((summary.items_processed, summary.progress), (None, None));
    assert_eq!(read.payload, execution.payload);
    assert_eq!((read.output, read.error, read.events), (None, None, Vec::new()));
}

pub async fn the_same_execution_submitted_again_is_accepted_once(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let plain = world.execution(&job);
    let keyed = unique(world.execution(&job), "invoice-7");
    // A caller who did not hear the answer asks again, with everything as it was.
    for _ in 0..2 {
        let answers = world.a.enqueue(vec![plain.clone(), keyed.clone()]).await.unwrap();
        assert_eq!(answers, [Enqueued::Accepted, Enqueued::Accepted]);
    }
    let answers = world.b.enqueue(vec![plain.clone(), plain.clone()]).await.unwrap();
    assert_eq!(answers, [Enqueued::Accepted, Enqueued::Accepted]);
    let runs = world.claim(10, at(0)).await;
    assert_eq!(crate::world::ids_of(&runs), [plain.id, keyed.id]);

    // Also when it has run meanwhile: it does not run a second time.
    for run in &runs {
        world.succeed(run, at(1)).await;
    }
    assert_eq!(world.a.enqueue(vec![plain.clone()]).await.unwrap(), [Enqueued::Accepted]);
    assert!(world.claim(10, at(2)).await.is_empty());
    assert_eq!(world.state(tenant, plain.id).await, ExecutionState::Succeeded);
}

/// What is over holds its unique key no longer; the batch is the same all the same.
pub async fn a_batch_submitted_again_admits_nothing_more(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let first = unique(world.execution(&job), "k");
    let batch = vec![first.clone(), unique(world.execution(&job), "k"), world.execution(&job)];
    let expected = [Enqueued::Accepted, Enqueued::Duplicate(first.id), Enqueued::Accepted];
    assert_eq!(world.a.enqueue(batch.clone()).await.unwrap(), expected);
    for run in world.claim(10, at(0)).await {
        world.succeed(&run, at(1)).await;
    }
    assert_eq!(world.b.enqueue(batch).await.unwrap(), expected);
    assert!(world.claim(10, at(2)).await.is_empty());
}

pub async fn the_answers_are_in_the_order_of_the_batch(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let earlier = unique(world.execution(&job), "live");
    world.submit(earlier.clone()).await;

    let first = unique(world.execution(&job), "new");
    let nowhere = NewExecution { job_id: JobId::from_uuid(world.ids.uuid(at(0))), ..world.execution(&job) };
    // The newest id first: answers sorted by id would show.
    let last = world.execution(&job);
    let batch = vec![
        nowhere,
        unique(world.execution(&job), "live"),
        first.clone(),
        unique(world.execution(&job), "new"),
        last.clone(),
    ];
    let answers = world.a.enqueue(batch).await.unwrap();
    let expected = [
        Enqueued::NoSuchJob,
        Enqueued::Duplicate(earlier.id),
        Enqueued::Accepted,
        Enqueued::Duplicate(first.id),
        Enqueued::Accepted,
    ];
    assert_eq!(answers, expected);
    assert_eq!(crate::world::ids_of(&world.claim(10, at(0)).await).len(), 3);
}

pub async fn a_unique_key_admits_one_live_execution(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let first = world.submit(unique(world.execution(&job), "k")).await;
    let second = || vec![unique(world.execution(&job), "k")];
    assert_eq!(world.b.enqueue(second()).await.unwrap(), [Enqueued::Duplicate(first)]);

    let run = world.claim_one(at(0)).await;
    assert_eq!(world.a.enqueue(second()).await.unwrap(), [Enqueued::Duplicate(first)], "it is running");

    let requeued = crate::world::retry(&run, at(1), at(60));
    world.settle(requeued).await;
    assert_eq!(world.a.enqueue(second()).await.unwrap(), [Enqueued::Duplicate(first)], "it waits for its next attempt");

    let duplicate = unique(world.execution(&job), "k");
    world.a.enqueue(vec![duplicate.clone()]).await.unwrap();
    crate::world::assert_not_found(world.a.execution(tenant, duplicate.id).await);
}

pub async fn a_unique_key_is_free_again_once_its_execution_has_ended(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    for end in ["succeed", "fail", "cancel"] {
        let id = world.submit(unique(world.execution(&job), "k")).await;
        if end == "cancel" {
            world.a.cancel(tenant, id, "alice", at(1)).await.unwrap();
            continue;
        }
        let run = world.claim_one(at(0)).await;
        if end == "succeed" { world.succeed(&run, at(1)).await } else { world.fail(&run, at(1)).await }
    }
    world.submit(unique(world.execution(&job), "k")).await;
}

pub async fn what_is_noted_of_an_execution_that_is_over_frees_no_unique_key(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let over = world.submit(unique(world.execution(&job), "k")).await;
    world.fail(&world.claim_one(at(0)).await, at(1)).await;
    let live = world.submit(unique(world.execution(&job), "k")).await;
    let retried = Event {
        execution_id: over,
        at: at(2),
        kind: EventKind::Retried,
        attempt: 0,
        attempt_started_at: None,
        source: "alice".to_owned(),
        message: "retried".to_owned(),
        error: None,
    };
    world.a.record_event(tenant, retried).await.unwrap();
    let again = unique(world.execution(&job), "k");
    assert_eq!(world.a.enqueue(vec![again]).await.unwrap(), [Enqueued::Duplicate(live)]);
}

pub async fn a_unique_key_belongs_to_one_job(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let other_job = world.job(tenant).await;
    let batch = vec![unique(world.execution(&job), "k"), unique(world.execution(&other_job), "k")];
    assert_eq!(world.a.enqueue(batch).await.unwrap(), [Enqueued::Accepted, Enqueued::Accepted]);
}

pub async fn a_unique_key_holds_against_concurrent_submitters(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    for round in 0..10 {
        let submit = |store: horarium_domain::store::SharedStore| {
            let execution = unique(world.execution(&job), &format!("k{round}"));
            tokio::spawn(async move { (execution.id, store.enqueue(vec![execution]).await.unwrap()[0]) })
        };
        let calls =
            [submit(world.a.clone()), submit(world.b.clone()), submit(world.a.clone()), submit(world.b.clone())];
        let mut answers = Vec::new();
        for call in calls {
            answers.push(call.await.unwrap());
        }
        let accepted: Vec<_> = answers.iter().filter(|(_, answer)| *answer == Enqueued::Accepted).collect();
        assert_eq!(accepted.len(), 1, "{answers:?}");
        let winner = accepted[0].0;
        assert!(answers.iter().all(|(id, answer)| *id == winner || *answer == Enqueued::Duplicate(winner)));
    }
}

pub async fn a_job_that_does_not_exist_takes_no_execution(world: World) {
    let tenant = world.tenant().await;
    let stranger = world.tenant().await;
    let job = world.job(tenant).await;
    let deleted = world.job(tenant).await;
    world.change_job(&deleted, None, |job| job.is_deleted = true).await;

    let unknown = NewExecution { job_id: JobId::from_uuid(world.ids.uuid(at(0))), ..world.execution(&job) };
    let from_elsewhere = NewExecution { tenant_id: stranger, ..world.execution(&job) };
    let from_nowhere = NewExecution { tenant_id: TenantId::from_uuid(world.ids.uuid(at(0))), ..world.execution(&job) };
    let batch = vec![unknown, world.execution(&deleted), from_elsewhere, from_nowhere, world.execution(&job)];
    let answers = world.a.enqueue(batch).await.unwrap();
    let refused = Enqueued::NoSuchJob;
    assert_eq!(answers, [refused, refused, refused, refused, Enqueued::Accepted]);
    assert_eq!(world.claim(10, at(0)).await.len(), 1);
}

pub async fn a_full_queue_refuses_the_next_execution(world: World) {
    let tenant = world.tenant().await;
    world.limit_queue(tenant, |queue| queue.max_length = Some(3)).await;
    let job = world.job(tenant).await;
    let full = Enqueued::QueueFull { max_length: 3 };

    // One that waits for its time takes room as well; a duplicate takes none; the first in the batch go first.
    let later = world.execution_at(&job, at(600));
    let keyed = unique(world.execution(&job), "k");
    let duplicate = unique(world.execution(&job), "k");
    let batch =
        vec![later, keyed.clone(), duplicate, world.execution(&job), world.execution(&job), world.execution(&job)];
    let answers = world.a.enqueue(batch).await.unwrap();
    let accepted = Enqueued::Accepted;
    assert_eq!(answers, [accepted, accepted, Enqueued::Duplicate(keyed.id), accepted, full, full]);
    assert_eq!(world.b.enqueue(vec![world.execution(&job)]).await.unwrap(), [full]);
    // Asking again for what is in it already is not asking for room.
    assert_eq!(world.b.enqueue(vec![keyed.clone()]).await.unwrap(), [accepted]);

    // One that runs does not wait.
    assert_eq!(world.claim(1, at(0)).await.len(), 1);
    let answers = world.a.enqueue(vec![world.execution(&job), world.execution(&job)]).await.unwrap();
    assert_eq!(answers, [accepted, full]);

    // Other queues and other tenants' queues of that name are their own.
    let elsewhere = NewExecution { queue: "other".to_owned(), ..world.execution(&job) };
    let stranger = world.job(world.tenant().await).await;
    let answers = world.a.enqueue(vec![elsewhere, world.execution(&stranger)]).await.unwrap();
    assert_eq!(answers, [accepted, accepted]);

    world.limit_queue(tenant, |queue| queue.max_length = Some(0)).await;
    assert_eq!(world.a.enqueue(vec![world.execution(&job)]).await.unwrap(), [Enqueued::QueueFull { max_length: 0 }]);
    world.limit_queue(tenant, |_| {}).await;
    world.submit_one(&job).await;
}

pub async fn a_queue_fills_to_its_limit_exactly_under_concurrent_submitters(world: World) {
    let tenant = world.tenant().await;
    world.limit_queue(tenant, |queue| queue.max_length = Some(50)).await;
    let job = world.job(tenant).await;
    let submitters: Vec<_> = (0..8)
        .map(|n| {
            let store = if n % 2 == 0 { world.a.clone() } else { world.b.clone() };
            let batches: Vec<Vec<_>> = (0..6).map(|_| (0..3).map(|_| world.execution(&job)).collect()).collect();
            tokio::spawn(async move {
                let mut answers = Vec::new();
                for batch in batches {
                    answers.extend(store.enqueue(batch).await.unwrap());
                }
                answers
            })
        })
        .collect();
    let mut answers = Vec::new();
    for submitter in submitters {
        answers.extend(submitter.await.unwrap());
    }
    let accepted = answers.iter().filter(|answer| **answer == Enqueued::Accepted).count();
    let refused = answers.iter().filter(|answer| **answer == Enqueued::QueueFull { max_length: 50 }).count();
    assert_eq!((accepted, refused), (50, 8 * 6 * 3 - 50));
}

pub async fn an_empty_batch_is_accepted(world: World) {
    assert!(world.a.enqueue(Vec::new()).await.unwrap().is_empty());
    assert!(world.a.settle(Vec::new()).await.unwrap().is_empty());
    assert!(world.a.fire(Vec::new()).await.unwrap().is_empty());
    assert!(world.a.renew(&[], at(30)).await.unwrap().is_empty());
    world.a.note_progress(&[]).await.unwrap();
    world.a.touch_keys(&[]).await.unwrap();
    assert!(world.a.definitions(&[]).await.unwrap().is_empty());
    assert_eq!(world.a.import_jobs(Vec::new(), true).await.unwrap(), 0);
    assert!(world.claim(10, at(0)).await.is_empty());
    assert!(world.claim(0, at(0)).await.is_empty());
}
