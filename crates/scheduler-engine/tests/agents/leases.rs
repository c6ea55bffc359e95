//! Leases: who is given work, and what becomes of it when its agent, its caller or its node is lost.

use horarium_domain::agent::TaskState;
use horarium_domain::agent::protocol::{HeartbeatRequest, ReportStatus, TaskOutcome};
use horarium_domain::execution::ExecutionState;
use horarium_scheduler_engine::EngineConfig;
use serde_json::{Value, json};

use crate::agent::{Agent, MINUTE, OPERATION, SECOND, actor, ends, named, node, states, submit, tasks};
use crate::support::{World, config, pass};

#[tokio::test(start_paused = true)]
async fn any_agent_does_the_work_and_its_answer_is_the_result() {
    let world = World::new().await;
    let (_core, services, engine) = node(&world, config("a"));
    let (one, other) = (Agent::join(&world, &services, "web-1").await, Agent::join(&world, &services, "web-2").await);
    let id = submit(&world, &services, None).await;
    let task = one.take().await;
    assert_eq!((task.operation.as_str(), &task.data, task.execution_id), (OPERATION, &json!({"unit": "s"}), id));
    assert!(other.finds_nothing().await);
    one.complete(&task, json!({"uptime": 77})).await;
    let execution = ends(&world, id, ExecutionState::Succeeded).await;
    assert_eq!(execution.output.unwrap().text, r#"{"uptime":77}"#);
    assert_eq!(states(&world, id).await, named([("web-1", TaskState::Completed)]));
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_waits_is_told_at_once_of_work() {
    let world = World::new().await;
    let (_core, services, engine) = node(&world, config("a"));
    let agent = Agent::join(&world, &services, "web-1").await;
    let waiting = tokio::spawn(async move { agent.take().await });
    pass(3 * SECOND).await;
    let asked = world.now();
    let id = submit(&world, &services, None).await;
    assert_eq!(waiting.await.unwrap().execution_id, id);
    assert!(world.now().since(asked) < SECOND / 2, "{:?}", world.now().since(asked));
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_drained_agent_finishes_what_it_has_and_takes_no_more() {
    let world = World::new().await;
    let (_core, services, engine) = node(&world, config("a"));
    let (drained, other) =
        (Agent::join(&world, &services, "drained").await, Agent::join(&world, &services, "other").await);
    submit(&world, &services, Some("drained")).await;
    let task = drained.take().await;
    services.agents.drain(world.tenant, "drained", true).await.unwrap();
    let id = submit(&world, &services, Some("_all")).await;
    assert!(drained.finds_nothing().await);
    drained.complete(&task, Value::Null).await;
    assert_eq!(other.take().await.execution_id, id);
    assert_eq!(tasks(&world, id).await.len(), 1);
    services.agents.drain(world.tenant, "drained", false).await.unwrap();
    let id = submit(&world, &services, Some("drained")).await;
    assert_eq!(drained.take().await.execution_id, id);
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_work_of_a_lost_agent_goes_to_another() {
    let world = World::new().await;
    let (_core, services, engine) = node(&world, config("a"));
    let (lost, other) = (Agent::join(&world, &services, "lost").await, Agent::join(&world, &services, "other").await);
    let id = submit(&world, &services, None).await;
    let abandoned = lost.take().await;
    let taken_over = other.take().await;
    assert_eq!(taken_over.attempt, 2);
    assert_eq!(lost.report(&abandoned, TaskOutcome::Completed, json!(1), None).await, ReportStatus::Stale);
    assert_eq!(lost.beat(&[&abandoned]).await, [abandoned.lease_token]);
    other.complete(&taken_over, json!(2)).await;
    assert_eq!(ends(&world, id, ExecutionState::Succeeded).await.output.unwrap().text, "2");
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_handed_back_goes_to_another_agent_at_once() {
    let world = World::new().await;
    let (_core, services, engine) = node(&world, config("a"));
    let (leaving, other) =
        (Agent::join(&world, &services, "leaving").await, Agent::join(&world, &services, "other").await);
    submit(&world, &services, None).await;
    let task = leaving.take().await;
    let asked = world.now();
    assert_eq!(leaving.report(&task, TaskOutcome::Released, Value::Null, None).await, ReportStatus::Accepted);
    assert_eq!(other.take().await.attempt, 1);
    assert!(world.now().since(asked) < SECOND);
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_caller_that_is_gone_was_to_get_goes_to_the_next_at_once() {
    let world = World::new().await;
    let (_core, services, engine) = node(&world, config("a"));
    let agent = Agent::join(&world, &services, "web-1").await;
    let id = submit(&world, &services, Some("web-1")).await;
    let undelivered = agent.service.lease(world.tenant, agent.id, 1, MINUTE).await.unwrap();
    let asked = world.now();
    drop(undelivered);
    let task = agent.take().await;
    assert_eq!((task.execution_id, task.attempt), (id, 1), "what nobody got counts as no attempt");
    assert!(world.now().since(asked) < SECOND, "{:?}", world.now().since(asked));
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_from_before_a_restart_is_given_nothing() {
    let world = World::new().await;
    let (_core, services, engine) = node(&world, config("a"));
    let before = Agent::join(&world, &services, "web-1").await;
    let after = Agent { service: before.service.clone(), ..before };
    let dead = tokio::spawn(async move { before.service.lease(before.tenant, before.id, 1, MINUTE).await });
    pass(2 * SECOND).await;
    let again = Agent::join(&world, &services, "web-1").await;
    assert_eq!(again.id, after.id);
    let id = submit(&world, &services, Some("web-1")).await;
    assert_eq!(after.take().await.execution_id, id);
    assert!(dead.await.unwrap().unwrap().take().is_empty());

    let leaving = HeartbeatRequest { running: Vec::new(), leaving: true };
    let waits = tokio::spawn(async move { after.service.lease(after.tenant, after.id, 1, MINUTE).await });
    pass(2 * SECOND).await;
    let asked = world.now();
    again.service.heartbeat(world.tenant, again.id, leaving).await.unwrap();
    assert!(waits.await.unwrap().unwrap().take().is_empty());
    assert!(world.now().since(asked) < 10 * SECOND, "{:?}", world.now().since(asked));
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_is_stopped_on_its_hosts() {
    let world = World::new().await;
    let (_core, services, engine) = node(&world, config("a"));
    let (busy, idle) = (Agent::join(&world, &services, "busy").await, Agent::join(&world, &services, "idle").await);
    let id = submit(&world, &services, Some("_all")).await;
    let task = busy.take().await;
    services.executions.cancel(&actor(&world), id).await.unwrap();
    pass(SECOND).await;
    assert_eq!(busy.beat(&[&task]).await, std::slice::from_ref(&task.lease_token));
    assert_eq!(busy.report(&task, TaskOutcome::Cancelled, Value::Null, None).await, ReportStatus::Stale);
    assert!(idle.finds_nothing().await);
    assert_eq!(states(&world, id).await, named([("busy", TaskState::Cancelled), ("idle", TaskState::Cancelled)]));
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn another_node_goes_on_waiting_for_the_very_same_tasks() {
    let world = World::new().await;
    let (_core_a, services_a, first) = node(&world, config("a"));
    let agent = Agent::join(&world, &services_a, "web-1").await;
    let id = submit(&world, &services_a, Some("_all")).await;
    let task = agent.take().await;
    let stopping = world.now();
    first.shutdown().await;
    assert!(world.now().since(stopping) < SECOND, "nothing here has to be waited for");

    let (_core_b, services_b, second) = node(&world, config("b"));
    let after = Agent { service: services_b.agents.clone(), tenant: world.tenant, id: agent.id };
    world.until(id, ExecutionState::Running, MINUTE).await;
    assert!(after.finds_nothing().await, "nothing is done twice");
    after.complete(&task, json!("once")).await;
    let execution = ends(&world, id, ExecutionState::Succeeded).await;
    assert_eq!(execution.summary.lifecycle.attempt, 1, "being handed over counts as no attempt");
    assert_eq!(tasks(&world, id).await[0].fence, 1);
    second.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn attempts_that_only_wait_leave_the_slots_to_those_that_work() {
    let world = World::new().await;
    let one_slot = EngineConfig { concurrency: 1, prefetch: 1, claimers: 1, ..config("a") };
    let (_core, services, engine) = node(&world, one_slot);
    let agent = Agent::join(&world, &services, "web-1").await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(submit(&world, &services, None).await);
    }
    for id in &ids {
        world.until(*id, ExecutionState::Running, 10 * SECOND).await;
    }
    for _ in &ids {
        let task = agent.take().await;
        agent.complete(&task, Value::Null).await;
    }
    for id in ids {
        ends(&world, id, ExecutionState::Succeeded).await;
    }
    engine.shutdown().await;
}
