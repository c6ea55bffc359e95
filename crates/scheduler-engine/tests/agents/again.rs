//! Jobs of agents that run again, by themselves, by hand and on schedules.

use horarium_domain::agent::AgentRequest;
use horarium_domain::execution::ExecutionState;
use horarium_domain::retry::{Backoff, RetryPolicy};
use horarium_scheduler_engine::service::{RetryAgentJob, ServiceError};
use serde_json::{Value, json};

use crate::agent::{Agent, OPERATION, actor, agent_job, ends, node, submit};
use crate::support::{World, config};

#[tokio::test(start_paused = true)]
async fn an_automatic_retry_repairs_only_the_hosts_that_failed() {
    let world = World::new().await;
    let (core, services, engine) = node(&world, config("a"));
    let (good, bad) = (Agent::join(&world, &services, "good").await, Agent::join(&world, &services, "bad").await);
    let policy = RetryPolicy { max_attempts: 2, delay_seconds: 1, backoff: Backoff::Fixed, ..RetryPolicy::default() };
    let job = agent_job(&world, "_all", |spec| spec.retry_policy = policy).await;
    let id = world.trigger(&core, &job).await;
    let (of_good, of_bad) = (good.take().await, bad.take().await);
    good.complete(&of_good, Value::Null).await;
    bad.fail(&of_bad, "busy").await;
    let again = bad.take().await;
    assert_eq!(again.attempt, 2);
    assert!(good.finds_nothing().await);
    bad.complete(&again, Value::Null).await;
    let execution = ends(&world, id, ExecutionState::Succeeded).await;
    assert_eq!(execution.summary.lifecycle.attempt, 2);
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_can_be_run_again_on_the_hosts_that_failed_or_on_others() {
    let world = World::new().await;
    let (_core, services, engine) = node(&world, config("a"));
    let (good, bad) = (Agent::join(&world, &services, "good").await, Agent::join(&world, &services, "bad").await);
    let id = submit(&world, &services, Some("_all")).await;
    let retry = |retry: RetryAgentJob| {
        let (services, actor) = (services.clone(), actor(&world));
        async move { services.agent_jobs.retry(&actor, id, &retry).await }
    };
    let early = retry(RetryAgentJob::default()).await;
    assert!(matches!(early, Err(ServiceError::Conflict(_))), "{early:?}");
    let (of_good, of_bad) = (good.take().await, bad.take().await);
    good.complete(&of_good, Value::Null).await;
    bad.fail(&of_bad, "no").await;
    ends(&world, id, ExecutionState::Failed).await;

    let (failed, _) = retry(RetryAgentJob { only_failed: true, ..RetryAgentJob::default() }).await.unwrap();
    let again = bad.take().await;
    assert_eq!((again.execution_id, &again.data), (failed, &json!({"unit": "s"})));
    assert!(good.finds_nothing().await);
    bad.complete(&again, Value::Null).await;
    ends(&world, failed, ExecutionState::Succeeded).await;

    let (elsewhere, _) =
        retry(RetryAgentJob { target: Some("good".to_owned()), ..RetryAgentJob::default() }).await.unwrap();
    assert_eq!(good.take().await.execution_id, elsewhere);
    let source = world.execution(id).await;
    assert_eq!(source.summary.lifecycle.state, ExecutionState::Failed);
    assert_eq!(source.events.len(), 2, "{:?}", source.events);
    let only_failed = RetryAgentJob { only_failed: true, ..RetryAgentJob::default() };
    let none = services.agent_jobs.retry(&actor(&world), failed, &only_failed).await;
    assert!(matches!(none, Err(ServiceError::Conflict(_))), "{none:?}");
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_scheduled_job_does_is_not_for_a_payload_to_say() {
    let world = World::new().await;
    let (core, services, engine) = node(&world, config("a"));
    let agent = Agent::join(&world, &services, "web-1").await;
    let job = agent_job(&world, "_any", |_| {}).await;
    let other = AgentRequest {
        operation: "command.shell.execute".to_owned(),
        data: json!({"command": "id"}),
        target: "web-1".parse().unwrap(),
        hosts: None,
    };
    let mut execution = world.execution_of(&job);
    execution.payload = Some(other.to_payload());
    core.enqueue(execution).await.unwrap();
    assert_eq!(agent.take().await.operation, OPERATION);
    engine.shutdown().await;
}
