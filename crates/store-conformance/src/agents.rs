//! Agents and their tasks.

use std::collections::BTreeMap;
use std::time::Duration;

use horarium_domain::agent::{Agent, AgentTask, TaskEnd, TaskLease, TaskState};
use horarium_domain::execution::EventKind;
use horarium_domain::store::{
    Decision, Excuse, ExecutionEnd, ExecutionFilter, Heartbeat, Registration, Reported, StateCounts, StoreError,
    TaskRequest, WaitingTasks,
};
use horarium_domain::{ExecutionId, TenantId, Timestamp};
use serde_json::json;

use crate::World;
use crate::world::{LEASE, at, failure, success};

const PATIENCE: Duration = Duration::from_mins(2);

/// How long an agent may be silent and still be alive.
const ALIVE: Duration = LEASE.saturating_mul(2);

fn registration(world: &World, tenant: TenantId, hostname: &str) -> Registration {
    Registration {
        id: world.ids.agent(at(0)),
        tenant_id: tenant,
        hostname: hostname.to_owned(),
        labels: BTreeMap::from([("group".to_owned(), "web.dev".to_owned())]),
        operations: vec!["node.uptime.get".to_owned(), "node.load.get".to_owned()],
        facts: json!({"os": "linux", "cpus": 2}).as_object().cloned().unwrap_or_default(),
        version: "1.0.0".to_owned(),
        now: at(0),
    }
}

async fn register(world: &World, tenant: TenantId, hostname: &str) -> Agent {
    world.a.register_agent(registration(world, tenant, hostname)).await.unwrap()
}

/// A running execution, for whose hosts there are tasks: `None` is for any agent.
async fn running(world: &World, tenant: TenantId, hosts: &[Option<&str>]) -> ExecutionId {
    let job = world.job(tenant).await;
    let id = world.submit_one(&job).await;
    world.claim(100, at(0)).await;
    open(world, tenant, id, hosts, 1).await;
    id
}

async fn open(world: &World, tenant: TenantId, id: ExecutionId, hosts: &[Option<&str>], round: u16) {
    let tasks: Vec<AgentTask> = hosts.iter().map(|host| task(world, tenant, id, *host, round)).collect();
    world.a.open_tasks(&tasks).await.unwrap();
}

pub(crate) fn task(
    world: &World,
    tenant: TenantId,
    execution_id: ExecutionId,
    host: Option<&str>,
    round: u16,
) -> AgentTask {
    let task = AgentTask {
        data: json!({"unit": "s"}),
        round,
        deadline_at: at(0) + PATIENCE,
        ..AgentTask::new(world.ids.agent_task(at(0)), tenant, execution_id, "node.uptime.get", 300, at(0))
    };
    match host {
        Some(host) => task.for_host(host),
        None => task,
    }
}

fn request(tenant: TenantId, hostname: &str, limit: usize, now: Timestamp) -> TaskRequest {
    TaskRequest {
        tenant_id: tenant,
        hostname: hostname.to_owned(),
        operations: vec!["node.uptime.get".to_owned()],
        limit,
        now,
        lease_until: now + LEASE,
        deadline_at: now + PATIENCE,
    }
}

async fn lease_one(world: &World, tenant: TenantId, hostname: &str, now: Timestamp) -> AgentTask {
    let mut leased = world.a.lease_tasks(&request(tenant, hostname, 1, now)).await.unwrap();
    assert_eq!(leased.len(), 1, "there is work for {hostname}");
    leased.remove(0)
}

fn end(lease: TaskLease, state: TaskState) -> TaskEnd {
    TaskEnd { lease, state, result: None, changed: None, error: None, retryable: true, duration_ms: None }
}

async fn report(world: &World, tenant: TenantId, end: TaskEnd, now: Timestamp) -> Reported {
    world.b.report_tasks(tenant, vec![end], now).await.unwrap()[0]
}

async fn tasks(world: &World, tenant: TenantId, id: ExecutionId) -> Vec<AgentTask> {
    world.b.agent_tasks(tenant, &[id]).await.unwrap()
}

pub async fn an_agent_is_read_back_as_it_registered(world: World) {
    let tenant = world.tenant().await;
    let told = registration(&world, tenant, "web-1");
    let agent = world.a.register_agent(told.clone()).await.unwrap();
    assert_eq!((agent.id, agent.tenant_id, agent.hostname.as_str()), (told.id, tenant, "web-1"));
    assert_eq!((&agent.labels, &agent.operations, &agent.facts), (&told.labels, &told.operations, &told.facts));
    assert_eq!((agent.registered_at, agent.last_seen_at), (at(0), at(0)));
    assert!(!agent.draining && !agent.leaving);
    assert_eq!(world.b.agent(tenant, agent.id).await.unwrap(), agent);
    assert_eq!(world.b.agent_named(tenant, "web-1").await.unwrap(), agent);
}

pub async fn an_agent_that_registers_again_is_the_same_and_says_what_it_is_now(world: World) {
    let tenant = world.tenant().await;
    let first = register(&world, tenant, "web-1").await;
    world.a.drain_agent(tenant, "web-1", true).await.unwrap();
    let leaving = Heartbeat { leaving: true, ..heartbeat(&first, &[], at(1)) };
    world.a.agent_heartbeat(&leaving).await.unwrap();
    assert!(world.b.agent(tenant, first.id).await.unwrap().leaving);
    let again = Registration {
        operations: vec!["node.os.get".to_owned()],
        labels: BTreeMap::new(),
        version: "2".to_owned(),
        now: at(9),
        ..registration(&world, tenant, "web-1")
    };
    let second = world.b.register_agent(again).await.unwrap();
    assert_eq!((second.id, second.registered_at, second.last_seen_at), (first.id, at(0), at(9)));
    assert_eq!((second.operations, second.version), (vec!["node.os.get".to_owned()], "2".to_owned()));
    assert!(second.draining, "who drains an agent is not undone by a restart");
    assert!(!second.leaving && second.labels.is_empty());
}

pub async fn agents_are_listed_by_hostname_and_by_when_they_were_heard_of(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    for (hostname, now) in [("web-2", at(20)), ("db-1", at(30)), ("web-1", at(10))] {
        let registration = Registration { now, ..registration(&world, tenant, hostname) };
        world.a.register_agent(registration).await.unwrap();
    }
    register(&world, other, "elsewhere").await;
    let named = async |since: Option<Timestamp>, after: Option<&str>, limit| -> Vec<String> {
        let agents = world.b.agents(tenant, since, after, limit).await.unwrap();
        agents.into_iter().map(|agent| agent.hostname).collect()
    };
    assert_eq!(named(None, None, 10).await, ["db-1", "web-1", "web-2"]);
    assert_eq!(named(Some(at(20)), None, 10).await, ["db-1", "web-2"]);
    assert_eq!(named(None, None, 2).await, ["db-1", "web-1"]);
    assert_eq!(named(None, Some("db-1"), 1).await, ["web-1"]);
    assert_eq!(named(Some(at(20)), Some("db-2"), 10).await, ["web-2"]);
    assert!(named(None, Some("web-2"), 10).await.is_empty());
}

pub async fn a_session_ends_when_its_agent_registers_again_or_leaves(world: World) {
    let tenant = world.tenant().await;
    let first = register(&world, tenant, "web-1").await;
    let session = async || world.b.agent(tenant, first.id).await.unwrap().session;
    assert_eq!(session().await, first.session);
    world.a.agent_heartbeat(&heartbeat(&first, &[], at(1))).await.unwrap();
    assert_eq!(session().await, first.session, "a heartbeat goes on with it");
    let again = register(&world, tenant, "web-1").await;
    assert!(again.session > first.session);
    let leaving = Heartbeat { leaving: true, ..heartbeat(&first, &[], at(2)) };
    world.a.agent_heartbeat(&leaving).await.unwrap();
    assert!(session().await > again.session);
}

pub async fn agents_that_were_heard_of_are_alive(world: World) {
    let tenant = world.tenant().await;
    let (heard, silent) = (register(&world, tenant, "heard").await, register(&world, tenant, "silent").await);
    let forgotten = register(&world, tenant, "forgotten").await;
    world.a.delete_agent(tenant, "forgotten").await.unwrap();
    world.a.note_agents(&[], at(8)).await.unwrap();
    world.a.note_agents(&[forgotten.id, heard.id], at(9)).await.unwrap();
    assert_eq!(world.b.agent(tenant, heard.id).await.unwrap(), Agent { last_seen_at: at(9), ..heard });
    assert_eq!(world.b.agent(tenant, silent.id).await.unwrap(), silent);
}

pub async fn an_agent_can_be_drained_and_removed(world: World) {
    let tenant = world.tenant().await;
    register(&world, tenant, "web-1").await;
    assert!(world.a.drain_agent(tenant, "web-1", true).await.unwrap().draining);
    assert!(world.b.agent_named(tenant, "web-1").await.unwrap().draining);
    assert!(!world.b.drain_agent(tenant, "web-1", false).await.unwrap().draining);
    world.a.delete_agent(tenant, "web-1").await.unwrap();
    assert!(matches!(world.b.agent_named(tenant, "web-1").await, Err(StoreError::NotFound(_))));
    assert!(matches!(world.b.delete_agent(tenant, "web-1").await, Err(StoreError::NotFound(_))));
}

pub async fn agents_that_nothing_is_heard_of_are_forgotten_but_for_drained_ones(world: World) {
    let tenant = world.tenant().await;
    for (hostname, now) in [("silent", at(10)), ("drained", at(10)), ("heard", at(20))] {
        let registration = Registration { now, ..registration(&world, tenant, hostname) };
        world.a.register_agent(registration).await.unwrap();
    }
    world.a.drain_agent(tenant, "drained", true).await.unwrap();
    assert_eq!(world.a.prune_agents(at(20)).await.unwrap(), 1);
    let left = world.b.agents(tenant, None, None, 10).await.unwrap();
    assert_eq!(left.iter().map(|agent| agent.hostname.as_str()).collect::<Vec<_>>(), ["drained", "heard"]);
}

pub async fn a_task_is_made_once_however_often_it_is_asked_for(world: World) {
    let tenant = world.tenant().await;
    let id = running(&world, tenant, &[Some("web-1"), Some("web-2")]).await;
    let made = tasks(&world, tenant, id).await;
    open(&world, tenant, id, &[Some("web-1"), Some("web-2")], 1).await;
    assert_eq!(tasks(&world, tenant, id).await, made);
    assert_eq!(made.iter().map(|task| task.hostname().unwrap()).collect::<Vec<_>>(), ["web-1", "web-2"]);
    assert_eq!(made[0].data, json!({"unit": "s"}));
    assert_eq!(world.b.awaiting_agents(&[id]).await.unwrap(), [id]);
}

pub async fn an_agent_leases_what_is_for_its_host_and_what_any_may_take(world: World) {
    let tenant = world.tenant().await;
    let own = running(&world, tenant, &[Some("web-1")]).await;
    running(&world, tenant, &[Some("web-2")]).await;
    let anyones = running(&world, tenant, &[None]).await;
    let leased = world.a.lease_tasks(&request(tenant, "web-1", 10, at(1))).await.unwrap();
    assert_eq!(leased.iter().map(|task| task.execution_id).collect::<Vec<_>>(), [own, anyones]);
    let task = &leased[1];
    assert_eq!((task.state, task.fence, task.attempt), (TaskState::Leased, 1, 1));
    assert_eq!((task.hostname(), task.leased_at), (Some("web-1"), Some(at(1))));
    assert!(world.b.lease_tasks(&request(tenant, "web-1", 10, at(1))).await.unwrap().is_empty());
}

pub async fn what_any_may_take_waits_for_one_that_can_do_it(world: World) {
    let tenant = world.tenant().await;
    running(&world, tenant, &[None]).await;
    let unable = TaskRequest { operations: vec!["node.os.get".to_owned()], ..request(tenant, "db-1", 1, at(1)) };
    assert!(world.a.lease_tasks(&unable).await.unwrap().is_empty());
    lease_one(&world, tenant, "web-1", at(1)).await;
}

pub async fn agents_that_ask_at_once_never_share_a_task(world: World) {
    let tenant = world.tenant().await;
    for _ in 0..40 {
        running(&world, tenant, &[None]).await;
    }
    let take = async |store: &horarium_domain::store::SharedStore, hostname: &str| {
        let mut taken = Vec::new();
        loop {
            let leased = store.lease_tasks(&request(tenant, hostname, 3, at(1))).await.unwrap();
            if leased.is_empty() && store.sweep_tasks(at(1), PATIENCE).await.unwrap().waiting.is_empty() {
                return taken;
            }
            taken.extend(leased.into_iter().map(|task| task.id));
        }
    };
    let (mut all, others) = tokio::join!(take(&world.a, "web-1"), take(&world.b, "web-2"));
    all.extend(others);
    assert_eq!(all.len(), 40);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 40);
}

pub async fn a_reported_end_is_kept_and_a_second_one_refused(world: World) {
    let tenant = world.tenant().await;
    let id = running(&world, tenant, &[None]).await;
    let leased = lease_one(&world, tenant, "web-1", at(1)).await;
    let told = TaskEnd {
        result: Some(json!({"uptime": 77})),
        changed: Some(false),
        duration_ms: Some(12),
        ..end(leased.lease(), TaskState::Completed)
    };
    assert_eq!(report(&world, tenant, told.clone(), at(2)).await, Reported::Recorded(id));
    let over = tasks(&world, tenant, id).await.remove(0);
    assert_eq!((over.state, over.hostname(), over.ended_at), (TaskState::Completed, Some("web-1"), Some(at(2))));
    assert_eq!((&over.result, over.changed, over.duration_ms), (&told.result, Some(false), Some(12)));
    assert_eq!(report(&world, tenant, end(leased.lease(), TaskState::Failed), at(3)).await, Reported::Stale);
    assert_eq!(tasks(&world, tenant, id).await, [over]);
    assert!(world.b.awaiting_agents(&[id]).await.unwrap().is_empty());
}

pub async fn answers_to_reports_are_in_the_order_of_the_batch(world: World) {
    let tenant = world.tenant().await;
    let id = running(&world, tenant, &[Some("web-1"), Some("web-2")]).await;
    let one = lease_one(&world, tenant, "web-1", at(1)).await.lease();
    let two = lease_one(&world, tenant, "web-2", at(1)).await.lease();
    let stale = TaskLease { fence: 9, ..one };
    let ends = [two, stale, one].map(|lease| end(lease, TaskState::Completed)).to_vec();
    let answers = world.a.report_tasks(tenant, ends, at(2)).await.unwrap();
    assert_eq!(answers, [Reported::Recorded(id), Reported::Stale, Reported::Recorded(id)]);
    assert!(world.a.report_tasks(tenant, Vec::new(), at(2)).await.unwrap().is_empty());
}

fn heartbeat(agent: &Agent, running: &[TaskLease], now: Timestamp) -> Heartbeat {
    Heartbeat {
        tenant_id: agent.tenant_id,
        agent_id: agent.id,
        leaving: false,
        running: running.to_vec(),
        now,
        lease_until: now + LEASE,
        deadline_at: now + PATIENCE,
    }
}

pub async fn a_heartbeat_keeps_what_is_held_and_names_it(world: World) {
    let tenant = world.tenant().await;
    let agent = register(&world, tenant, "web-1").await;
    let id = running(&world, tenant, &[Some("web-1")]).await;
    let lease = lease_one(&world, tenant, "web-1", at(0)).await.lease();
    let foreign = TaskLease { fence: 7, ..lease };
    let beat = heartbeat(&agent, &[foreign, lease], at(25));
    assert_eq!(world.b.agent_heartbeat(&beat).await.unwrap(), [lease]);
    assert_eq!(world.a.agent(tenant, agent.id).await.unwrap().last_seen_at, at(25));
    // Its first lease would have run out by now.
    world.a.sweep_tasks(at(40), PATIENCE).await.unwrap();
    assert_eq!(tasks(&world, tenant, id).await[0].lease_until, Some(at(25) + LEASE));
    assert_eq!(report(&world, tenant, end(lease, TaskState::Completed), at(41)).await, Reported::Recorded(id));
    assert!(world.a.agent_heartbeat(&heartbeat(&agent, &[lease], at(42))).await.unwrap().is_empty());
}

pub async fn a_lost_agents_work_goes_to_another_and_its_late_report_is_refused(world: World) {
    let tenant = world.tenant().await;
    let id = running(&world, tenant, &[None]).await;
    let lost = lease_one(&world, tenant, "web-1", at(0)).await;
    assert!(world.a.sweep_tasks(at(29), PATIENCE).await.unwrap().waiting.is_empty());
    let swept = world.a.sweep_tasks(at(31), PATIENCE).await.unwrap();
    let waiting = WaitingTasks { tenant_id: tenant, count: 1, latest_deadline: at(0) + PATIENCE };
    assert_eq!((swept.waiting, swept.ended), (vec![waiting], Vec::new()));
    assert_eq!(report(&world, tenant, end(lost.lease(), TaskState::Completed), at(32)).await, Reported::Stale);
    let taken_over = lease_one(&world, tenant, "web-2", at(33)).await;
    assert_eq!((taken_over.attempt, taken_over.hostname()), (2, Some("web-2")));
    assert_eq!(report(&world, tenant, end(lost.lease(), TaskState::Completed), at(34)).await, Reported::Stale);
    let end = end(taken_over.lease(), TaskState::Completed);
    assert_eq!(report(&world, tenant, end, at(35)).await, Reported::Recorded(id));
    let history = world.b.execution(tenant, id).await.unwrap().events;
    let [noted] = history.as_slice() else { panic!("the takeover is noted, once: {history:?}") };
    assert_eq!((noted.kind, noted.at, noted.attempt), (EventKind::HandedOn, at(31), 1));
    assert_eq!((noted.source.as_str(), noted.attempt_started_at), ("web-1", Some(at(0))));
    assert_eq!(noted.message, "lease lost: the agent did not renew it; handed out again, attempt 2");
}

pub async fn nodes_that_find_a_lost_agent_at_once_note_it_once(world: World) {
    let tenant = world.tenant().await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(running(&world, tenant, &[None]).await);
    }
    world.a.lease_tasks(&request(tenant, "lost", 100, at(0))).await.unwrap();
    let (one, other) = tokio::join!(world.a.sweep_tasks(at(31), PATIENCE), world.b.sweep_tasks(at(31), PATIENCE));
    assert!(one.unwrap().ended.is_empty() && other.unwrap().ended.is_empty());
    for id in ids {
        assert_eq!(world.a.execution(tenant, id).await.unwrap().events.len(), 1);
    }
}

pub async fn a_silent_host_times_out_and_the_others_answers_stand(world: World) {
    let tenant = world.tenant().await;
    let id = running(&world, tenant, &[Some("loud"), Some("never-asked"), Some("lost")]).await;
    let loud = lease_one(&world, tenant, "loud", at(1)).await;
    report(&world, tenant, end(loud.lease(), TaskState::Completed), at(2)).await;
    lease_one(&world, tenant, "lost", at(3)).await;
    let swept = world.a.sweep_tasks(at(121), PATIENCE).await.unwrap();
    assert_eq!(swept.ended, [id]);
    let states = async || -> Vec<(String, TaskState)> {
        let tasks = tasks(&world, tenant, id).await;
        tasks.into_iter().map(|task| (task.hostname().unwrap().to_owned(), task.state)).collect()
    };
    let expected = |lost| {
        [("lost", lost), ("loud", TaskState::Completed), ("never-asked", TaskState::TimedOut)]
            .map(|(host, state)| (host.to_owned(), state))
    };
    // What was leased later may be silent for longer; its lease is over, but it may still come back for it.
    assert_eq!(states().await, expected(TaskState::Pending));
    world.a.sweep_tasks(at(124), PATIENCE).await.unwrap();
    assert_eq!(states().await, expected(TaskState::TimedOut));
    let silent = tasks(&world, tenant, id).await.remove(2);
    assert_eq!(silent.error.as_deref(), Some(AgentTask::TIMEOUT));
    assert!(world.b.awaiting_agents(&[id]).await.unwrap().is_empty());
}

pub async fn what_any_may_take_outlives_the_deadline_of_the_agent_that_was_lost_with_it(world: World) {
    let tenant = world.tenant().await;
    let id = running(&world, tenant, &[None]).await;
    lease_one(&world, tenant, "lost", at(0)).await;
    let late = at(0) + PATIENCE;
    world.a.register_agent(Registration { now: at(10), ..registration(&world, tenant, "well") }).await.unwrap();
    let swept = world.a.sweep_tasks(late, PATIENCE).await.unwrap();
    let waiting = WaitingTasks { tenant_id: tenant, count: 1, latest_deadline: at(10) + PATIENCE };
    assert_eq!((swept.ended, swept.waiting), (Vec::new(), vec![waiting]));
    // Nobody comes for it, and nobody is heard of any more.
    assert_eq!(world.a.sweep_tasks(at(9) + PATIENCE, PATIENCE).await.unwrap().ended, []);
    assert_eq!(world.a.sweep_tasks(at(10) + PATIENCE, PATIENCE).await.unwrap().ended, [id]);
    assert_eq!(tasks(&world, tenant, id).await[0].state, TaskState::TimedOut);
}

pub async fn what_is_for_one_agent_waits_while_that_one_lives(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let own = running(&world, tenant, &[Some("busy")]).await;
    let anyones = running(&world, tenant, &[None]).await;
    let job = world.job(tenant).await;
    let broadcast = world.submit_one(&job).await;
    world.claim(100, at(0)).await;
    let part = AgentTask { is_broadcast: true, ..task(&world, tenant, broadcast, Some("busy"), 1) };
    world.a.open_tasks(&[part]).await.unwrap();
    let swept = async |now| world.a.sweep_tasks(now, PATIENCE).await.unwrap().ended;
    let beat_of = async |tenant, hostname: &str, operation: &str, now| {
        let operations = vec![operation.to_owned()];
        let registration = Registration { now, operations, ..registration(&world, tenant, hostname) };
        world.a.register_agent(registration).await.unwrap()
    };
    let busy = beat_of(tenant, "busy", "node.uptime.get", at(0)).await;
    // None of these can take what any agent may, nor what is for another.
    beat_of(tenant, "unable", "node.os.get", at(100)).await;
    beat_of(other, "busy", "node.uptime.get", at(100)).await;
    let leaving = beat_of(tenant, "leaving", "node.uptime.get", at(100)).await;
    world.a.agent_heartbeat(&Heartbeat { leaving: true, ..heartbeat(&leaving, &[], at(100)) }).await.unwrap();
    beat_of(tenant, "drained", "node.uptime.get", at(100)).await;
    world.a.drain_agent(tenant, "drained", true).await.unwrap();

    world.a.agent_heartbeat(&heartbeat(&busy, &[], at(60))).await.unwrap();
    // A broadcast wants an answer, or its work begun, in time.
    assert_eq!(swept(at(0) + PATIENCE).await, [broadcast]);
    world.a.agent_heartbeat(&heartbeat(&busy, &[], at(150))).await.unwrap();
    assert_eq!(swept(at(60) + PATIENCE).await, []);
    assert!(tasks(&world, tenant, own).await.iter().all(|task| task.state == TaskState::Pending));
    assert_eq!(swept(at(149) + PATIENCE).await, []);
    assert_eq!(swept(at(150) + PATIENCE).await, [own, anyones]);
}

pub async fn silence_is_excused_where_nobody_listened(world: World) {
    let tenant = world.tenant().await;
    register(&world, tenant, "web-1").await; // heard of at 0
    register(&world, tenant, "web-2").await;
    for (hostname, now) in [("late", at(0) - ALIVE), ("gone", at(-1) - ALIVE)] {
        world.a.register_agent(Registration { now, ..registration(&world, tenant, hostname) }).await.unwrap();
    }
    let id = running(&world, tenant, &[Some("web-1")]).await;
    let lease = lease_one(&world, tenant, "web-1", at(0)).await.lease();
    let back = at(0) + PATIENCE + PATIENCE;
    // Somebody listened: an agent was heard of.
    let excuse =
        Excuse { unheard_since: at(-1), until: back, now: back, lease: LEASE, alive: ALIVE, patience: PATIENCE };
    world.a.excuse_silence(&excuse).await.unwrap();
    assert!(tasks(&world, tenant, id).await[0].deadline_at < back);

    // Nobody did, and one agent was quick to come back.
    world.a.register_agent(Registration { now: back, ..registration(&world, tenant, "web-2") }).await.unwrap();
    world.a.excuse_silence(&Excuse { unheard_since: at(0), ..excuse }).await.unwrap();
    assert_eq!(world.a.sweep_tasks(back, PATIENCE).await.unwrap().ended, []);
    assert_eq!(report(&world, tenant, end(lease, TaskState::Completed), back).await, Reported::Recorded(id));
    let alive = world.b.agents(tenant, Some(back), None, 10).await.unwrap();
    assert_eq!(alive.iter().map(|agent| agent.hostname.as_str()).collect::<Vec<_>>(), ["late", "web-1", "web-2"]);
}

pub async fn a_task_that_takes_its_agents_down_is_given_up(world: World) {
    let tenant = world.tenant().await;
    let id = running(&world, tenant, &[None]).await;
    for number in 0..i64::from(AgentTask::MAX_LEASES) {
        let now = at(number * 60);
        lease_one(&world, tenant, "web-1", now).await;
        world.a.sweep_tasks(now + LEASE + LEASE, PATIENCE).await.unwrap();
    }
    assert_eq!(tasks(&world, tenant, id).await[0].state, TaskState::TimedOut);
}

pub async fn a_task_that_is_handed_back_goes_on_elsewhere_and_does_not_count(world: World) {
    let tenant = world.tenant().await;
    let id = running(&world, tenant, &[None]).await;
    let lease = lease_one(&world, tenant, "web-1", at(1)).await.lease();
    assert_eq!(report(&world, tenant, end(lease, TaskState::Pending), at(2)).await, Reported::Recorded(id));
    let next = lease_one(&world, tenant, "web-2", at(3)).await;
    assert_eq!((next.attempt, next.fence), (1, 2));
    let history = world.b.execution(tenant, id).await.unwrap().events;
    let [noted] = history.as_slice() else { panic!("that it was handed back is noted: {history:?}") };
    assert_eq!((noted.kind, noted.source.as_str(), noted.attempt), (EventKind::HandedOn, "web-1", 1));
    assert_eq!(noted.message, "handed back by the agent unfinished; handed out again, attempt 1");
    assert_eq!(report(&world, tenant, end(lease, TaskState::Completed), at(4)).await, Reported::Stale);
}

pub async fn a_lease_that_never_reached_its_agent_leaves_no_trace(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let id = running(&world, tenant, &[None, Some("web-1")]).await;
    let before = tasks(&world, tenant, id).await;
    let taken = world.a.lease_tasks(&request(tenant, "web-1", 10, at(1))).await.unwrap();
    let leases: Vec<TaskLease> = taken.iter().map(AgentTask::lease).collect();
    world.b.return_tasks(other, &leases).await.unwrap();
    let stale: Vec<_> = leases.iter().map(|lease| TaskLease { fence: 9, ..*lease }).collect();
    world.b.return_tasks(tenant, &stale).await.unwrap();
    assert!(tasks(&world, tenant, id).await.iter().all(|task| task.state == TaskState::Leased));

    world.b.return_tasks(tenant, &leases).await.unwrap();
    world.b.return_tasks(tenant, &leases).await.unwrap();
    let after = tasks(&world, tenant, id).await;
    for (after, before) in after.into_iter().zip(before) {
        assert_eq!(AgentTask { fence: 0, deadline_at: before.deadline_at, ..after }, before);
    }
    assert!(world.b.execution(tenant, id).await.unwrap().events.is_empty());
    assert_eq!(report(&world, tenant, end(leases[0], TaskState::Completed), at(2)).await, Reported::Stale);
}

pub async fn the_tasks_of_an_execution_that_is_over_are_cancelled(world: World) {
    let tenant = world.tenant().await;
    let agent = register(&world, tenant, "web-1").await;
    let id = running(&world, tenant, &[Some("web-1"), Some("web-2")]).await;
    let lease = lease_one(&world, tenant, "web-1", at(1)).await.lease();
    world.a.cancel(tenant, id, "alice", at(2)).await.unwrap();
    assert_eq!(world.a.sweep_tasks(at(3), PATIENCE).await.unwrap().ended, [id]);
    assert!(tasks(&world, tenant, id).await.iter().all(|task| task.state == TaskState::Cancelled));
    assert!(world.a.agent_heartbeat(&heartbeat(&agent, &[lease], at(4))).await.unwrap().is_empty());
    assert_eq!(report(&world, tenant, end(lease, TaskState::Completed), at(5)).await, Reported::Stale);
    assert!(world.a.lease_tasks(&request(tenant, "web-2", 1, at(6))).await.unwrap().is_empty());
}

pub async fn another_round_repairs_what_failed_and_leaves_the_rest(world: World) {
    let tenant = world.tenant().await;
    let hosts = [Some("bad"), Some("good"), Some("hopeless")];
    let id = running(&world, tenant, &hosts).await;
    for (hostname, state, retryable) in
        [("bad", TaskState::Failed, true), ("good", TaskState::Completed, true), ("hopeless", TaskState::Failed, false)]
    {
        let lease = lease_one(&world, tenant, hostname, at(1)).await.lease();
        let told = TaskEnd { retryable, error: Some("no".to_owned()), ..end(lease, state) };
        report(&world, tenant, told, at(2)).await;
    }
    open(&world, tenant, id, &hosts, 1).await;
    assert!(world.a.awaiting_agents(&[id]).await.unwrap().is_empty(), "the same round repairs nothing");
    open(&world, tenant, id, &hosts, 2).await;
    let states: Vec<TaskState> = tasks(&world, tenant, id).await.iter().map(|task| task.state).collect();
    assert_eq!(states, [TaskState::Pending, TaskState::Completed, TaskState::Failed]);
    let again = lease_one(&world, tenant, "bad", at(3)).await;
    assert_eq!((again.round, again.attempt, again.fence, again.error), (2, 2, 2, None));
}

pub async fn what_agents_have_now_is_told_by_host(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let id = running(&world, tenant, &[None, Some("web-1"), Some("web-2"), Some("web-3")]).await;
    running(&world, other, &[Some("web-1")]).await;
    lease_one(&world, other, "web-1", at(1)).await;
    let hosts = ["web-1", "web-2", "web-3"].map(str::to_owned);
    let told = async |hosts: &[String], limit| {
        let held = world.b.held_tasks(tenant, hosts, limit).await.unwrap();
        assert!(held.iter().all(|task| task.execution_id == id && task.operation == "node.uptime.get"));
        held.into_iter().map(|task| (task.hostname, task.attempt, task.leased_at)).collect::<Vec<_>>()
    };
    assert!(told(&hosts[..], 10).await.is_empty(), "what waits is nobody's");

    let of = |host: &str, since| (host.to_owned(), 1_u16, at(since));
    lease_one(&world, tenant, "web-2", at(1)).await;
    lease_one(&world, tenant, "web-2", at(2)).await;
    let task = lease_one(&world, tenant, "web-1", at(3)).await;
    assert_eq!(told(&hosts[..], 10).await, [of("web-1", 3), of("web-2", 1), of("web-2", 2)]);
    assert_eq!(told(&hosts[..1], 10).await, [of("web-1", 3)]);
    assert_eq!(told(&hosts[..], 2).await.len(), 2);
    assert!(told(&hosts[2..], 10).await.is_empty() && told(&hosts[..0], 10).await.is_empty());

    report(&world, tenant, end(task.lease(), TaskState::Completed), at(4)).await;
    assert_eq!(told(&hosts[..], 10).await, [of("web-2", 1), of("web-2", 2)], "what is over is nobody's");
}

pub async fn another_tenants_agents_and_tasks_are_not_there(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let agent = register(&world, tenant, "web-1").await;
    let id = running(&world, tenant, &[None, Some("web-1")]).await;
    assert!(matches!(world.a.agent(other, agent.id).await, Err(StoreError::NotFound(_))));
    assert!(matches!(world.a.agent_named(other, "web-1").await, Err(StoreError::NotFound(_))));
    assert!(matches!(world.a.drain_agent(other, "web-1", true).await, Err(StoreError::NotFound(_))));
    assert!(matches!(world.a.delete_agent(other, "web-1").await, Err(StoreError::NotFound(_))));
    assert!(world.a.agents(other, None, None, 10).await.unwrap().is_empty());
    assert!(world.a.agent_tasks(other, &[id]).await.unwrap().is_empty());
    assert!(world.a.lease_tasks(&request(other, "web-1", 10, at(1))).await.unwrap().is_empty());
    let lease = lease_one(&world, tenant, "web-1", at(1)).await.lease();
    assert_eq!(report(&world, other, end(lease, TaskState::Completed), at(2)).await, Reported::Stale);
    let foreign = Heartbeat { tenant_id: other, ..heartbeat(&agent, &[lease], at(3)) };
    assert!(matches!(world.a.agent_heartbeat(&foreign).await, Err(StoreError::NotFound(_))));
    // The same hostname is another agent there.
    assert_ne!(register(&world, other, "web-1").await.id, agent.id);
}

pub async fn a_partial_failure_is_a_failure_that_can_be_told_apart(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let job = world.job(tenant).await;
    let ids = world.submit_many(&job, 4).await;
    let runs = world.claim(3, at(1)).await;
    world.settle(success(&runs[2], at(2))).await;
    world.settle(failure(&runs[1], at(2))).await;
    let mut partly = failure(&runs[0], at(2));
    if let Decision::Finish { partial, .. } = &mut partly.decision {
        *partial = true;
    }
    world.settle(partly).await;
    assert!(world.b.execution(tenant, ids[0]).await.unwrap().summary.partial);
    assert!(!world.b.execution(tenant, ids[1]).await.unwrap().summary.partial);
    let expected = StateCounts { pending: 1, succeeded: 1, failed: 1, partly_failed: 1, ..StateCounts::default() };
    assert_eq!(world.b.state_counts(tenant).await.unwrap(), expected);
    assert_eq!(world.b.state_counts(other).await.unwrap(), StateCounts::default());
    let ended = async |ends: &[ExecutionEnd]| -> (u64, Vec<ExecutionId>) {
        let filter = ExecutionFilter { ends: ends.to_vec(), ..ExecutionFilter::default() };
        let page = world.a.executions(tenant, &filter, horarium_domain::page::PageRequest::default()).await.unwrap();
        (page.total, page.items.into_iter().map(|item| item.id).collect())
    };
    assert_eq!(ended(&[ExecutionEnd::PartlyFailed]).await, (1, vec![ids[0]]));
    assert_eq!(ended(&[ExecutionEnd::Failed]).await, (1, vec![ids[1]]));
    assert_eq!(ended(&[ExecutionEnd::PartlyFailed, ExecutionEnd::Failed]).await, (2, vec![ids[1], ids[0]]));
    assert_eq!(ended(&[ExecutionEnd::Succeeded, ExecutionEnd::Failed]).await, (2, vec![ids[2], ids[1]]));
    assert_eq!(ended(&[ExecutionEnd::Cancelled]).await, (0, Vec::new()));
    // The recount agrees, and what retention takes is no longer counted.
    assert!(world.a.reconcile_counters(tenant).await.unwrap().is_empty());
    assert_eq!(world.a.prune_executions(tenant, at(10), 100).await.unwrap(), 3);
    let left = StateCounts { pending: 1, ..StateCounts::default() };
    assert_eq!(world.b.state_counts(tenant).await.unwrap(), left);
}

pub async fn tasks_go_with_their_execution(world: World) {
    let tenant = world.tenant().await;
    let id = running(&world, tenant, &[Some("web-1")]).await;
    world.a.cancel(tenant, id, "alice", at(1)).await.unwrap();
    assert_eq!(world.a.prune_executions(tenant, at(10), 100).await.unwrap(), 1);
    assert!(tasks(&world, tenant, id).await.is_empty());
    let nobodys = task(&world, tenant, id, Some("web-1"), 1);
    assert!(matches!(world.a.open_tasks(&[nobodys]).await, Err(StoreError::NotFound(_))));
}
