//! Operations for agents, as an operator sees to them: no agent takes part, and no time passes by itself.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod services_support;

use futures_util::FutureExt;
use horarium_domain::execution::Trigger;
use horarium_scheduler_engine::bus::LiveEventKind;
use horarium_scheduler_engine::service::{JobInput, RetryAgentJob, ServiceError, TriggerInput};
use serde_json::json;
use services_support::{World, manual};

#[tokio::test]
async fn a_retry_on_another_host_is_what_its_source_was_but_for_the_host() {
    let world = World::new().await;
    let input = JobInput {
        name: Some("deploy".into()),
        job_type: Some("Agent".into()),
        job_configuration: Some(json!({"operation": "custom.deploy.do", "data": {"version": "{{Payload.version}}"}})),
        queue: Some("deployments".into()),
        priority: Some(1),
        ..JobInput::default()
    };
    let job = world.create(input).await.job;
    let asked = TriggerInput { payload: Some(json!({"version": 7})), priority: Some(9), ..TriggerInput::default() };
    let source = world.services.executions.trigger(&world.alice(), job.id, asked).await.unwrap().id;
    world.finish(&world.claim().await[0], false).await;
    let moved = JobInput { queue: Some("other".into()), priority: Some(2), ..JobInput::default() };
    world.services.jobs.update(&world.alice(), job.id, &moved, None).await.unwrap();

    let elsewhere = RetryAgentJob { target: Some("web-2".into()), ..RetryAgentJob::default() };
    let (retry, _) = world.services.agent_jobs.retry(&world.bob(), source, &elsewhere).await.unwrap();
    let retry = world.services.agent_jobs.get(world.tenant().id, retry).await.unwrap();
    assert_eq!(retry.request.unwrap().target.to_string(), "web-2");
    let summary = retry.execution.summary;
    assert_eq!((summary.trigger, summary.retry_parent_id), (Trigger::Retry, Some(source)));
    assert_eq!((summary.queue.as_str(), summary.priority), ("deployments", 9));
    let payload = retry.execution.payload.unwrap();
    assert_eq!(payload["version"], 7, "the job's templates name it: {payload}");
}

#[tokio::test]
async fn only_operations_for_agents_are_run_again_as_such() {
    let world = World::new().await;
    let job = world.create(manual("payout")).await.job.id;
    let [failed, succeeded] = [world.failed_execution(job).await, world.trigger(job).await];
    world.finish(&world.claim().await[0], true).await;
    for id in [failed, succeeded] {
        let refused = world.services.agent_jobs.retry(&world.bob(), id, &RetryAgentJob::default()).await.unwrap_err();
        assert!(matches!(refused, ServiceError::Conflict(_)), "{refused}");
    }
    assert!(world.claim().await.is_empty(), "nothing runs again");
    let may = RetryAgentJob { may_retry_others: true, ..RetryAgentJob::default() };
    world.services.agent_jobs.retry(&world.bob(), succeeded, &may).await.unwrap();
}

#[tokio::test]
async fn what_ended_just_before_it_is_deleted_is_not_said_to_be_cancelled_by_that() {
    let world = World::new().await;
    let id = world.trigger(world.create(manual("job")).await.job.id).await;
    let mut events = world.core.bus.subscribe(world.tenant().id, None, world.now()).events;
    let (executions, bob) = (world.services.executions.clone(), world.bob());
    world.clock.on_next_read(move || executions.cancel(&bob, id).now_or_never().unwrap().unwrap());
    world.services.agent_jobs.delete(&world.alice(), id).await.unwrap();
    let told = std::iter::from_fn(|| events.try_recv().ok());
    assert_eq!(told.filter(|event| event.kind == LiveEventKind::ExecutionCancelled).count(), 1);
}
