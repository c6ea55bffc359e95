//! Callbacks, in virtual time: each end that somebody wants to be told of is told, whatever dies in between.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use horarium_domain::ExecutionId;
use horarium_domain::callback::NewCallback;
use horarium_domain::execution::{ExecutionState, Failure, Output};
use horarium_domain::job::Job;
use horarium_domain::store::Enqueued;
use horarium_scheduler_engine::engine::Notifier;
use horarium_scheduler_engine::memory::Disturbance;
use horarium_scheduler_engine::service::{
    Actor, CallbackInput, JobRef, ServiceError, Services, Submission, TenantPolicy, TriggerInput,
};
use horarium_scheduler_engine::{Core, Engine, Outcome, Run, SystemJob};
use serde_json::json;
use support::{World, config, pass};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// Who was told of which end, and by which calls: the delivery, and which attempt at it.
type Told = Arc<Mutex<BTreeMap<ExecutionId, Vec<(ExecutionId, u16)>>>>;

/// The execution that a delivery tells of.
fn told_of(run: &Run) -> ExecutionId {
    serde_json::from_value(run.payload.clone().unwrap()["executionId"].clone()).unwrap()
}

/// A node that does its jobs at once, and whose deliveries fail `failures` times each.
fn node(world: &World, name: &str, told: &Told, failures: u16) -> (Arc<Core>, Engine) {
    let told = Arc::clone(told);
    world.node(name, move |run: Run| {
        let told = Arc::clone(&told);
        async move {
            if run.job.spec.name != SystemJob::CallbackDelivery.name() {
                pass(Duration::from_millis(300)).await;
                return Outcome::succeeded();
            }
            pass(Duration::from_millis(50)).await;
            if run.attempt <= failures {
                return Outcome::failed(Failure::retryable("the receiver is away"));
            }
            told.lock().unwrap().entry(told_of(&run)).or_default().push((run.execution_id, run.attempt));
            Outcome::succeeded()
        }
    })
}

fn to_a_url() -> NewCallback {
    NewCallback { url: Some("https://example.com/hook".to_owned()), reference: None }
}

/// Has an execution accepted that is called back, however often that must be asked for.
async fn submit(world: &World, core: &Core, job: &Job) -> ExecutionId {
    let execution = world.execution_of(job);
    let id = execution.id;
    loop {
        match core.enqueue_with_callback(execution.clone(), to_a_url(), None).await {
            Ok(answer) => {
                assert_eq!(answer, Enqueued::Accepted);
                return id;
            }
            Err(_) => pass(SECOND).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_execution_is_told_as_often_as_it_takes() {
    let world = World::new().await;
    let told = Told::default();
    let (core, engine) = node(&world, "a", &told, 2);
    let job = world.job("work", |_| {}).await;
    let id = submit(&world, &core, &job).await;
    let ended = world.until(id, ExecutionState::Succeeded, MINUTE).await;
    pass(5 * MINUTE).await;

    let callback = world.store.callback(world.tenant, id).await.unwrap().unwrap();
    assert_eq!(callback.due_at, ended.summary.completed_at);
    let delivery = callback.delivery_id.unwrap();
    assert_eq!(told.lock().unwrap().get(&id), Some(&vec![(delivery, 3)]));
    let delivery = world.until(delivery, ExecutionState::Succeeded, MINUTE).await;
    assert_eq!(delivery.summary.lifecycle.attempt, 3);
    assert_eq!((delivery.summary.queue.as_str(), delivery.summary.triggered_by.as_str()), ("system", "system"));
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn no_callback_is_lost_whatever_dies_in_between() {
    let world = World::new().await;
    let told = Told::default();
    let job = world.job("work", |_| {}).await;
    let mut submitted = Vec::new();
    for round in 0_u32..6 {
        // The node of this round vanishes without a word, at another instant each time.
        let (core, engine) = node(&world, &format!("node-{round}"), &told, 0);
        for number in 0..10 {
            let disturbed =
                Disturbance { unavailable: number % 5 == 3, answers_lost: number % 4 == 1, ..Disturbance::default() };
            let calm = world.memory.clone();
            world.memory.disturb(disturbed);
            tokio::spawn(async move {
                pass(Duration::from_millis(700)).await;
                calm.disturb(Disturbance::default());
            });
            submitted.push(submit(&world, &core, &job).await);
            pass(Duration::from_millis(u64::from(37 * round))).await;
        }
        pass(Duration::from_millis(u64::from(90 * round))).await;
        drop(engine);
        world.memory.disturb(Disturbance::default());
    }
    let (_core, engine) = node(&world, "last", &told, 0);
    pass(10 * MINUTE).await;
    engine.shutdown().await;

    assert_eq!(submitted.len(), 60);
    for id in submitted {
        assert_eq!(world.state(id).await, ExecutionState::Succeeded);
        let delivery = world.store.callback(world.tenant, id).await.unwrap().unwrap().delivery_id.unwrap();
        assert_eq!(world.state(delivery).await, ExecutionState::Succeeded);
        let told = told.lock().unwrap();
        let calls = told.get(&id).unwrap_or_else(|| panic!("nobody was told of {id}"));
        // A call that is repeated is one of the same delivery, and tells of the same execution.
        assert!(calls.iter().all(|(of, _)| *of == delivery), "{calls:?}");
        // And says that it is one.
        assert!(calls.is_sorted_by(|(_, one), (_, next)| one < next), "{calls:?}");
    }
    assert!(world.store.due_callbacks(world.now(), 10).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_round_that_is_repeated_delivers_nothing_twice() {
    let world = World::new().await;
    let core = world.core();
    let job = world.job("work", |_| {}).await;
    for _ in 0..5 {
        let id = submit(&world, &core, &job).await;
        world.store.cancel(world.tenant, id, "a test", world.now()).await.unwrap();
    }
    let notifiers: Vec<_> = (0..3).map(|_| Notifier::new(world.core(), &config("n"))).collect();
    let rounds = futures_util::future::join_all(notifiers.iter().map(Notifier::tick)).await;
    let accepted: usize = rounds.into_iter().map(Result::unwrap).sum();
    assert_eq!(accepted, 5);
    assert_eq!(notifiers[0].tick().await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_an_end_hears_of_it_when_it_happens() {
    let world = World::new().await;
    let (core, engine) = world.node("a", |run: Run| async move {
        pass(Duration::from_secs(if run.attempt == 1 { 7 } else { 1 })).await;
        Outcome::Succeeded { output: Some(Output { text: "done".to_owned(), truncated: false }), items_processed: None }
    });
    let services = Services::new(&core, TenantPolicy::without_jobs());
    let job = world.job("slow", |_| {}).await;
    let id = world.trigger(&core, &job).await;
    let asked = world.now();
    let execution = services.executions.wait(world.tenant, id, MINUTE).await.unwrap();
    assert_eq!(execution.output.unwrap().text, "done");
    let waited = world.now().since(asked);
    assert!(waited >= 7 * SECOND && waited < 8 * SECOND, "{waited:?}");

    // Whose patience ends is told how it stands.
    let id = world.trigger(&core, &job).await;
    let asked = world.now();
    let execution = services.executions.wait(world.tenant, id, 2 * SECOND).await.unwrap();
    assert_eq!(execution.summary.lifecycle.state, ExecutionState::Running);
    assert_eq!(world.now().since(asked), 2 * SECOND);
    let nothing = services.executions.wait(world.tenant, world.execution_of(&job).id, SECOND).await;
    assert!(matches!(nothing, Err(ServiceError::NotFound(_))));
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_test_of_the_queue_goes_through_it() {
    let world = World::new().await;
    let (core, engine) = world.node("a", |_| async { Outcome::succeeded() });
    let services = Services::new(&core, TenantPolicy::without_jobs());
    let actor = Actor::new(world.tenant, "ops");
    for _ in 0..2 {
        let execution = services.executions.test_queue(&actor, MINUTE).await.unwrap();
        assert_eq!(execution.summary.lifecycle.state, ExecutionState::Succeeded);
        assert_eq!(execution.summary.job_name, SystemJob::QueueTest.name());
    }
    engine.shutdown().await;
    let execution = services.executions.test_queue(&actor, 3 * SECOND).await.unwrap();
    assert_eq!(execution.summary.lifecycle.state, ExecutionState::Pending);
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_of_a_callback_is_checked() {
    let world = World::new().await;
    let core = world.core();
    let services = Services::new(&core, TenantPolicy::without_jobs());
    let job = world.job("work", |_| {}).await;
    let actor = Actor::new(world.tenant, "program");
    let submit = |url: &str| {
        let submission = Submission { job: JobRef::Id(job.id), input: TriggerInput::default() };
        let callback = CallbackInput { url: Some(url.to_owned()), reference: Some(json!({"order": 7})) };
        let (services, actor) = (services.clone(), actor.clone());
        async move { services.executions.submit_called_back(&actor, submission, callback).await }
    };
    for url in ["", "example.com", "ftp://example.com/", "http://", "https:///path", "http://:80/", "http://a b/"] {
        let Err(ServiceError::Invalid(errors)) = submit(url).await else { panic!("'{url}' was taken") };
        assert!(errors.as_map().contains_key("webhook_url"), "{errors}");
    }
    let admission = submit("HTTPS://user@Example.com:8443/hook?x=1").await.unwrap();
    let callback = services.callbacks.find(world.tenant, admission.id).await.unwrap().unwrap();
    assert_eq!(callback.asked.reference, Some(json!({"order": 7})));

    let huge = CallbackInput { url: None, reference: Some(json!("x".repeat(5000))) };
    let submission = Submission { job: JobRef::Id(job.id), input: TriggerInput::default() };
    let refused = services.executions.submit_called_back(&actor, submission, huge).await;
    assert!(matches!(refused, Err(ServiceError::Invalid(_))));
}

#[tokio::test(start_paused = true)]
async fn the_secret_that_callbacks_are_signed_with_stays_until_it_is_rotated() {
    let world = World::new().await;
    let core = world.core();
    let services = Services::new(&core, TenantPolicy::without_jobs());
    let first = services.callbacks.signing_key(world.tenant).await.unwrap();
    assert!(first.secret.starts_with("whsec_") && first.secret.len() > 64);
    assert!(!format!("{first:?}").contains("whsec_"));
    pass(SECOND).await;
    assert_eq!(services.callbacks.signing_key(world.tenant).await.unwrap(), first);
    let second = services.callbacks.rotate_signing_key(&Actor::new(world.tenant, "ops")).await.unwrap();
    assert_ne!(second.created_at, first.created_at);
    assert_eq!(services.callbacks.signing_key(world.tenant).await.unwrap(), second);
}
