//! Broadcasts: which hosts take part, and what their answers, or their silence, make of the whole.

use horarium_domain::agent::TaskState;
use horarium_domain::agent::protocol::{ReportStatus, TaskOutcome};
use horarium_domain::execution::ExecutionState;
use horarium_domain::store::StateCounts;
use serde_json::{Value, json};

use crate::agent::{Agent, MINUTE, OPERATION, SECOND, ends, named, node, node_with_timeout, states, submit, tasks};
use crate::support::{World, config, pass};

#[tokio::test(start_paused = true)]
async fn a_broadcast_reaches_those_whose_label_continues_the_target() {
    let world = World::new().await;
    let (_core, services, engine) = node(&world, config("a"));
    let dev = Agent::join_as(&world, &services, "web-dev", "web.dev.us-east", &[OPERATION]).await;
    let web = Agent::join_as(&world, &services, "web", "web", &[OPERATION]).await;
    let webx = Agent::join_as(&world, &services, "webx", "webx", &[OPERATION]).await;
    let id = submit(&world, &services, Some("group:web")).await;
    for agent in [&dev, &web] {
        let task = agent.take().await;
        agent.complete(&task, Value::Null).await;
    }
    assert!(webx.finds_nothing().await);
    ends(&world, id, ExecutionState::Succeeded).await;
    assert_eq!(states(&world, id).await, named([("web", TaskState::Completed), ("web-dev", TaskState::Completed)]));
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_that_fails_on_some_hosts_fails_in_part() {
    let world = World::new().await;
    let (_core, services, engine) = node(&world, config("a"));
    let (good, bad) = (Agent::join(&world, &services, "good").await, Agent::join(&world, &services, "bad").await);
    let id = submit(&world, &services, Some("_all")).await;
    let (of_good, of_bad) = (good.take().await, bad.take().await);
    // A host that joins later is not part of it.
    let late = Agent::join(&world, &services, "late").await;
    assert!(late.finds_nothing().await);
    good.complete(&of_good, json!(1)).await;
    bad.fail(&of_bad, "disk full").await;
    let execution = ends(&world, id, ExecutionState::Failed).await;
    assert!(execution.summary.partial);
    assert_eq!(execution.error.as_deref(), Some("1 of 2 hosts failed: bad: disk full"));
    let expected = StateCounts { partly_failed: 1, ..StateCounts::default() };
    assert_eq!(services.agent_jobs.counts(world.tenant).await.unwrap(), expected);
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_without_the_operation_is_skipped() {
    let world = World::new().await;
    let (_core, services, engine) = node(&world, config("a"));
    let able = Agent::join(&world, &services, "able").await;
    Agent::join_as(&world, &services, "unable", "web", &["node.os.get"]).await;
    let id = submit(&world, &services, Some("_all")).await;
    let task = able.take().await;
    able.complete(&task, Value::Null).await;
    ends(&world, id, ExecutionState::Succeeded).await;
    assert_eq!(states(&world, id).await, named([("able", TaskState::Completed), ("unable", TaskState::Skipped)]));
    let nobody = submit(&world, &services, Some("unable")).await;
    let error = ends(&world, nobody, ExecutionState::Failed).await.error.unwrap();
    assert_eq!(error, format!("the agent does not have the operation '{OPERATION}'"));
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_host_times_out_and_the_others_answers_stand() {
    let world = World::new().await;
    let (_core, services, engine) = node(&world, config("a"));
    let (well, silent) = (Agent::join(&world, &services, "well").await, Agent::join(&world, &services, "silent").await);
    let began = world.now();
    let id = submit(&world, &services, Some("_all")).await;
    let (task, _taken_and_forgotten) = (well.take().await, silent.take().await);
    // An agent that gives signs of life may take as long as it needs.
    well.work(&task, MINUTE).await;
    assert_eq!(states(&world, id).await, named([("silent", TaskState::TimedOut), ("well", TaskState::Leased)]));
    well.complete(&task, json!("done")).await;
    let execution = ends(&world, id, ExecutionState::Failed).await;
    assert!(execution.summary.partial);
    assert_eq!(execution.error.as_deref(), Some("1 of 2 hosts failed: silent: timeout: agent did not respond"));
    let timed_out = tasks(&world, id).await[0].ended_at.unwrap().since(began);
    assert!(timed_out >= 30 * SECOND && timed_out < 33 * SECOND, "{timed_out:?}");
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_late_is_part_of_a_broadcast_and_answers_when_it_calls() {
    let world = World::new().await;
    let (_core, services, engine) = node_with_timeout(&world, 3 * SECOND);
    let late = Agent::join(&world, &services, "late").await;
    let silence = 10 * SECOND;
    let timing = services.agents.timing();
    assert!(timing.lease < silence && silence < timing.alive, "{timing:?}");
    pass(silence).await;
    let punctual = Agent::join(&world, &services, "punctual").await;
    let id = submit(&world, &services, Some("group:web")).await;
    for agent in [&punctual, &late] {
        let task = agent.take().await;
        agent.complete(&task, Value::Null).await;
    }
    ends(&world, id, ExecutionState::Succeeded).await;
    assert_eq!(states(&world, id).await, named([("late", TaskState::Completed), ("punctual", TaskState::Completed)]));
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_fell_silent_is_named_as_silent_until_it_is_gone() {
    let world = World::new().await;
    let (_core, services, engine) = node_with_timeout(&world, 3 * SECOND);
    Agent::join(&world, &services, "silent").await;
    pass(10 * SECOND).await;
    let well = Agent::join(&world, &services, "well").await;
    let id = submit(&world, &services, Some("_all")).await;
    let task = well.take().await;
    well.complete(&task, Value::Null).await;
    let execution = ends(&world, id, ExecutionState::Failed).await;
    assert!(execution.summary.partial);
    assert_eq!(execution.error.as_deref(), Some("1 of 2 hosts failed: silent: timeout: agent did not respond"));
    let took = execution.summary.completed_at.unwrap().since(execution.summary.created_at);
    assert!(took >= 3 * SECOND && took < 5 * SECOND, "{took:?}");

    pass(5 * SECOND).await;
    well.beat(&[]).await;
    let id = submit(&world, &services, Some("_all")).await;
    let task = well.take().await;
    well.complete(&task, Value::Null).await;
    ends(&world, id, ExecutionState::Succeeded).await;
    assert_eq!(states(&world, id).await, named([("well", TaskState::Completed)]));
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_has_not_begun_its_part_of_a_broadcast_in_time_has_failed_it() {
    let world = World::new().await;
    let (_core, services, engine) = node(&world, config("a"));
    let (idle, busy) = (Agent::join(&world, &services, "idle").await, Agent::join(&world, &services, "busy").await);
    submit(&world, &services, Some("busy")).await;
    let other_work = busy.take().await;
    let id = submit(&world, &services, Some("group:web")).await;
    let task = idle.take().await;
    idle.complete(&task, Value::Null).await;
    busy.work(&other_work, MINUTE).await;
    let execution = ends(&world, id, ExecutionState::Failed).await;
    assert_eq!(execution.error.as_deref(), Some("1 of 2 hosts failed: busy: timeout: agent did not respond"));
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn every_call_is_a_sign_of_life() {
    let world = World::new().await;
    let (_core, services, engine) = node(&world, config("a"));
    let agent = Agent::join(&world, &services, "web-1").await;
    let waiting = Agent { service: agent.service.clone(), ..agent };
    let waiting = tokio::spawn(async move { waiting.take().await });
    pass(40 * SECOND).await;
    let id = submit(&world, &services, Some("web-1")).await;
    let task = waiting.await.unwrap();
    assert_eq!(task.execution_id, id, "one that waits for work is there");

    pass(MINUTE).await;
    assert_eq!(agent.report(&task, TaskOutcome::Completed, Value::Null, None).await, ReportStatus::Stale);
    let id = submit(&world, &services, Some("web-1")).await;
    assert_eq!(agent.take().await.execution_id, id, "one that reports is there, however late");
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn agents_are_still_there_when_the_server_is_back() {
    let world = World::new().await;
    let (_core, services, first) = node(&world, config("a"));
    Agent::join(&world, &services, "gone").await;
    pass(20 * SECOND).await;
    let agent = Agent::join(&world, &services, "web-1").await;
    first.shutdown().await;
    pass(10 * MINUTE).await;

    let (_core, services, second) = node(&world, config("b"));
    pass(SECOND).await;
    let id = submit(&world, &services, Some("_all")).await;
    let back = Agent { service: services.agents.clone(), ..agent };
    let task = back.take().await;
    back.complete(&task, Value::Null).await;
    ends(&world, id, ExecutionState::Succeeded).await;
    assert_eq!(states(&world, id).await, named([("web-1", TaskState::Completed)]));
    second.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_matching_agent_a_job_fails_at_once_and_says_so() {
    let world = World::new().await;
    let (_core, services, engine) = node(&world, config("a"));
    for target in [None, Some("_all"), Some("web-9"), Some("group:db")] {
        let asked = world.now();
        let id = submit(&world, &services, target).await;
        let execution = ends(&world, id, ExecutionState::Failed).await;
        let shown = target.unwrap_or("_any");
        assert_eq!(execution.error.unwrap(), format!("no agent matches the target '{shown}'"));
        assert!(world.now().since(asked) < SECOND);
        assert!(!execution.summary.partial);
    }
    // One that has not been heard of for a while is none.
    let agent = Agent::join(&world, &services, "web-9").await;
    pass(20 * SECOND).await;
    let id = submit(&world, &services, Some("web-9")).await;
    ends(&world, id, ExecutionState::Failed).await;
    agent.beat(&[]).await;
    let id = submit(&world, &services, Some("web-9")).await;
    assert_eq!(agent.take().await.execution_id, id);
    engine.shutdown().await;
}
