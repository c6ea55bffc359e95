//! Work that waits for an agent that is busy, and the time that it has.

use horarium_domain::agent::{AgentTask, TaskState};
use horarium_domain::execution::ExecutionState;
use horarium_domain::retry::RetryPolicy;
use serde_json::{Value, json};

use crate::agent::{Agent, MINUTE, SECOND, agent_job, ends, node, submit, tasks};
use crate::support::{World, config, pass};

#[tokio::test(start_paused = true)]
async fn what_is_for_one_agent_waits_until_a_busy_one_has_time() {
    let world = World::new().await;
    let (_core, services, engine) = node(&world, config("a"));
    let agent = Agent::join(&world, &services, "web-1").await;
    let mut ids = Vec::new();
    for target in [None, Some("web-1"), None, Some("web-1")] {
        ids.push(submit(&world, &services, target).await);
    }
    for id in ids {
        let task = agent.take().await;
        assert_eq!((task.execution_id, task.attempt), (id, 1));
        agent.work(&task, MINUTE).await;
        agent.complete(&task, Value::Null).await;
        ends(&world, id, ExecutionState::Succeeded).await;
    }
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_busy_agent_fails_once_that_one_is_silent_for_too_long() {
    let world = World::new().await;
    let (_core, services, engine) = node(&world, config("a"));
    let agent = Agent::join(&world, &services, "web-1").await;
    submit(&world, &services, None).await;
    let task = agent.take().await;
    let waiting = [submit(&world, &services, None).await, submit(&world, &services, Some("web-1")).await];
    agent.work(&task, 2 * MINUTE).await;
    let last_heard_of = world.now();
    for id in waiting {
        let execution = ends(&world, id, ExecutionState::Failed).await;
        assert_eq!(execution.error.as_deref(), Some(AgentTask::TIMEOUT));
        let silence = tasks(&world, id).await[0].ended_at.unwrap().since(last_heard_of);
        assert!(silence >= 30 * SECOND && silence < 32 * SECOND, "{silence:?}");
    }
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_busy_agent_waits_no_longer_than_its_job_allows() {
    let world = World::new().await;
    let (core, services, engine) = node(&world, config("a"));
    let agent = Agent::join(&world, &services, "web-1").await;
    submit(&world, &services, Some("web-1")).await;
    let task = agent.take().await;
    let job = agent_job(&world, "web-1", |spec| {
        spec.timeout_seconds = 60;
        spec.retry_policy = RetryPolicy { max_attempts: 1, ..RetryPolicy::default() };
    })
    .await;
    let id = world.trigger(&core, &job).await;
    agent.work(&task, MINUTE + 5 * SECOND).await;
    let execution = ends(&world, id, ExecutionState::Failed).await;
    let took = execution.summary.completed_at.unwrap().since(execution.summary.created_at);
    assert!(took >= MINUTE && took < MINUTE + 10 * SECOND, "{took:?}");
    pass(SECOND).await;
    assert_eq!(tasks(&world, id).await[0].state, TaskState::Cancelled);
    assert!(agent.finds_nothing().await);
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_may_use_all_the_time_that_its_job_has() {
    let world = World::new().await;
    let (core, services, engine) = node(&world, config("a"));
    let agent = Agent::join(&world, &services, "web-1").await;
    let id = world.trigger(&core, &agent_job(&world, "web-1", |spec| spec.timeout_seconds = 3).await).await;
    let task = agent.take().await;
    assert_eq!(task.timeout_seconds, 3);
    // What it stops at its time, it tells of a little later.
    agent.work(&task, 3 * SECOND + SECOND / 2).await;
    agent.complete(&task, json!("just in time")).await;
    ends(&world, id, ExecutionState::Succeeded).await;
    engine.shutdown().await;
}
