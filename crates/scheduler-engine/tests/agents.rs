//! Work that agents do, in virtual time: what becomes of it when agents answer, when they do not, and when a node is
//! lost meanwhile.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use horarium_domain::agent::protocol::{
    HeartbeatRequest, LeasedTask, RegisterRequest, Report, ReportStatus, TaskOutcome,
};
use horarium_domain::agent::{AgentTask, TaskState};
use horarium_domain::execution::{Execution, ExecutionState};
use horarium_domain::job::{Job, JobConfiguration, JobSpec, JobType};
use horarium_domain::retry::{Backoff, RetryPolicy};
use horarium_domain::store::StateCounts;
use horarium_domain::{AgentId, ExecutionId};
use horarium_scheduler_engine::service::{Actor, AgentService, NewAgentJob, RetryAgentJob, ServiceError, TenantPolicy};
use horarium_scheduler_engine::{AgentExecutor, Core, Engine, EngineConfig, Registry, Services};
use serde_json::{Value, json};
use support::{World, config, pass};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const OPERATION: &str = "node.uptime.get";

/// A node that runs agent jobs.
fn node(world: &World, config: EngineConfig) -> (Arc<Core>, Services, Engine) {
    let core = world.core();
    let registry = Registry::new().with(JobType::Agent, AgentExecutor::new(core.clone()));
    let engine = Engine::start(core.clone(), registry, config);
    let services = Services::new(&core, TenantPolicy::without_jobs());
    (core, services, engine)
}

/// An agent that does exactly what a test says.
struct Agent {
    service: AgentService,
    world: horarium_domain::TenantId,
    id: AgentId,
}

impl Agent {
    async fn join(world: &World, services: &Services, hostname: &str) -> Self {
        Self::join_as(world, services, hostname, "web.dev", &[OPERATION]).await
    }

    async fn join_as(world: &World, services: &Services, hostname: &str, group: &str, operations: &[&str]) -> Self {
        let request = RegisterRequest {
            hostname: hostname.to_owned(),
            labels: BTreeMap::from([("group".to_owned(), group.to_owned())]),
            operations: operations.iter().map(|name| (*name).to_owned()).collect(),
            version: "test".to_owned(),
            facts: serde_json::Map::new(),
        };
        let agent = services.agents.register(world.tenant, request).await.unwrap();
        Self { service: services.agents.clone(), world: world.tenant, id: agent.id }
    }

    /// Waits for a task.
    async fn take(&self) -> LeasedTask {
        let mut leased = self.service.lease(self.world, self.id, 1, MINUTE).await.unwrap().take();
        assert_eq!(leased.len(), 1, "a task comes");
        leased.remove(0)
    }

    async fn finds_nothing(&self) -> bool {
        self.service.lease(self.world, self.id, 10, Duration::ZERO).await.unwrap().take().is_empty()
    }

    async fn report(&self, task: &LeasedTask, outcome: TaskOutcome, data: Value, error: Option<&str>) -> ReportStatus {
        let report = Report {
            lease_token: task.lease_token.clone(),
            outcome,
            data,
            changed: Some(false),
            error: error.map(str::to_owned),
            retryable: true,
            duration_ms: Some(5),
        };
        self.service.report(self.world, self.id, vec![Ok(report)]).await.unwrap()[0].status
    }

    async fn complete(&self, task: &LeasedTask, data: Value) {
        assert_eq!(self.report(task, TaskOutcome::Completed, data, None).await, ReportStatus::Accepted);
    }

    async fn fail(&self, task: &LeasedTask, error: &str) {
        assert_eq!(self.report(task, TaskOutcome::Failed, Value::Null, Some(error)).await, ReportStatus::Accepted);
    }

    /// Says that it lives; answers which of what it works on is to be stopped.
    async fn beat(&self, running: &[&LeasedTask]) -> Vec<String> {
        let running = running.iter().map(|task| task.lease_token.clone()).collect();
        let request = HeartbeatRequest { running, leaving: false };
        self.service.heartbeat(self.world, self.id, request).await.unwrap().stop
    }

    /// Works on a task for a while, as an agent that is well does.
    async fn work(&self, task: &LeasedTask, time: Duration) {
        let mut left = time;
        while left > Duration::ZERO {
            pass(left.min(5 * SECOND)).await;
            left = left.saturating_sub(5 * SECOND);
            assert!(self.beat(&[task]).await.is_empty());
        }
    }
}

fn actor(world: &World) -> Actor {
    Actor::new(world.tenant, "alice")
}

async fn submit(world: &World, services: &Services, target: Option<&str>) -> ExecutionId {
    let new =
        NewAgentJob { operation: OPERATION.to_owned(), data: json!({"unit": "s"}), target: target.map(str::to_owned) };
    services.agent_jobs.submit(&actor(world), new).await.unwrap().0
}

async fn tasks(world: &World, id: ExecutionId) -> Vec<AgentTask> {
    world.store.agent_tasks(world.tenant, &[id]).await.unwrap()
}

async fn states(world: &World, id: ExecutionId) -> Vec<(String, TaskState)> {
    let tasks = tasks(world, id).await;
    tasks.into_iter().map(|task| (task.hostname().unwrap_or("nobody").to_owned(), task.state)).collect()
}

fn named<const N: usize>(states: [(&str, TaskState); N]) -> Vec<(String, TaskState)> {
    states.map(|(host, state)| (host.to_owned(), state)).to_vec()
}

async fn ends(world: &World, id: ExecutionId, state: ExecutionState) -> Execution {
    world.until(id, state, 3 * MINUTE).await
}

/// A job of the scheduler dialect.
async fn agent_job(world: &World, target: &str, change: impl FnOnce(&mut JobSpec)) -> Job {
    let configuration = json!({"operation": OPERATION, "target": target});
    world
        .job("uptime", |spec| {
            spec.configuration = JobConfiguration::parse(JobType::Agent, &configuration).unwrap();
            change(spec);
        })
        .await
}

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
    let dead = tokio::spawn(async move { before.service.lease(before.world, before.id, 1, MINUTE).await });
    pass(2 * SECOND).await;
    let again = Agent::join(&world, &services, "web-1").await;
    assert_eq!(again.id, after.id);
    let id = submit(&world, &services, Some("web-1")).await;
    assert_eq!(after.take().await.execution_id, id);
    assert!(dead.await.unwrap().unwrap().take().is_empty());

    let leaving = HeartbeatRequest { running: Vec::new(), leaving: true };
    let waits = tokio::spawn(async move { after.service.lease(after.world, after.id, 1, MINUTE).await });
    pass(2 * SECOND).await;
    let asked = world.now();
    again.service.heartbeat(world.tenant, again.id, leaving).await.unwrap();
    assert!(waits.await.unwrap().unwrap().take().is_empty());
    assert!(world.now().since(asked) < 10 * SECOND, "{:?}", world.now().since(asked));
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
    let after = Agent { service: services_b.agents.clone(), world: world.tenant, id: agent.id };
    world.until(id, ExecutionState::Running, MINUTE).await;
    assert!(after.finds_nothing().await, "nothing is done twice");
    after.complete(&task, json!("once")).await;
    let execution = ends(&world, id, ExecutionState::Succeeded).await;
    assert_eq!(execution.summary.lifecycle.attempt, 1, "being handed over counts as no attempt");
    assert_eq!(tasks(&world, id).await[0].fence, 1);
    second.shutdown().await;
}

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

    let (failed, _) = retry(RetryAgentJob { only_failed: true, target: None }).await.unwrap();
    let again = bad.take().await;
    assert_eq!((again.execution_id, &again.data), (failed, &json!({"unit": "s"})));
    assert!(good.finds_nothing().await);
    bad.complete(&again, Value::Null).await;
    ends(&world, failed, ExecutionState::Succeeded).await;

    let (elsewhere, _) = retry(RetryAgentJob { only_failed: false, target: Some("good".to_owned()) }).await.unwrap();
    assert_eq!(good.take().await.execution_id, elsewhere);
    let source = world.execution(id).await;
    assert_eq!(source.summary.lifecycle.state, ExecutionState::Failed);
    assert_eq!(source.events.len(), 2, "{:?}", source.events);
    let only_failed = RetryAgentJob { only_failed: true, target: None };
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
    let other = horarium_domain::agent::AgentRequest {
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
