//! Targets, lease tokens and verdicts.

use std::collections::BTreeMap;

use horarium_domain::agent::{
    Agent, AgentRequest, AgentState, AgentTask, AgentTiming, Target, TaskLease, TaskState, Verdict, verdict,
};
use horarium_domain::job::AgentOperation;
use horarium_domain::{AgentId, AgentTaskId, ExecutionId, TenantId, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

fn agent(hostname: &str, labels: &[(&str, &str)]) -> Agent {
    Agent {
        id: AgentId::from_uuid(Uuid::nil()),
        tenant_id: TenantId::from_uuid(Uuid::nil()),
        hostname: hostname.to_owned(),
        labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>(),
        operations: Vec::new(),
        facts: serde_json::Map::new(),
        version: String::new(),
        draining: false,
        leaving: false,
        session: 1,
        registered_at: Timestamp::UNIX_EPOCH,
        last_seen_at: Timestamp::from_seconds(100),
    }
}

fn task(state: TaskState, retryable: bool) -> AgentTask {
    let (tenant, execution) = (TenantId::from_uuid(Uuid::nil()), ExecutionId::from_uuid(Uuid::nil()));
    let id = AgentTaskId::from_uuid(Uuid::nil());
    let task = AgentTask::new(id, tenant, execution, "node.os.get", 1, Timestamp::UNIX_EPOCH).for_host("web-1");
    AgentTask { state, retryable, fence: 1, attempt: 1, ..task }
}

fn target(text: &str) -> Target {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_label_matches_by_whole_parts_between_dots() {
    let web = agent("web-1", &[("group", "web.dev.us-east"), ("rack", "7")]);
    for text in ["_any", "_all", "web-1", "group:web", "group:web.dev", "group:web.dev.us-east", "rack:7"] {
        assert!(target(text).matches(&web), "{text}");
    }
    for text in ["web-2", "web", "group:we", "group:web.de", "group:web.dev.us", "rack:70", "group:web.", "zone:web"] {
        assert!(!target(text).matches(&web), "{text}");
    }
}

#[test]
fn what_is_no_target_is_refused() {
    for text in ["", "_", "_some", ":", "group:", ":web", "a b", "web/1", "group:a\nb"] {
        assert!(text.parse::<Target>().is_err(), "{text:?}");
    }
}

#[test]
fn an_agent_is_gone_when_nothing_is_heard_of_it_and_draining_when_it_is_to_stop() {
    let state = |agent: &Agent, second| agent.state(Timestamp::from_seconds(second), AgentTiming::default());
    let well = agent("web-1", &[]);
    assert_eq!((state(&well, 115), state(&well, 116)), (AgentState::Alive, AgentState::Gone));
    let drained = Agent { draining: true, ..well.clone() };
    assert_eq!((state(&drained, 115), state(&drained, 116)), (AgentState::Draining, AgentState::Gone));
    // It was to send a heartbeat every five seconds until it had finished.
    let leaving = Agent { leaving: true, ..well };
    assert_eq!((state(&leaving, 110), state(&leaving, 111)), (AgentState::Draining, AgentState::Gone));
}

#[test]
fn only_a_job_for_submitted_operations_lets_a_payload_say_what_is_done() {
    let asked = AgentRequest {
        operation: "node.os.get".to_owned(),
        data: json!({"a": 1}),
        target: Target::All,
        hosts: Some(vec!["web-1".to_owned()]),
    };
    let payload = asked.to_payload();
    let job = |operation: &str, data: Value| AgentOperation { operation: operation.to_owned(), data, target: None };
    assert_eq!(AgentRequest::of(&job(AgentRequest::SUBMITTED, Value::Null), Some(&payload)).ok(), Some(asked.clone()));
    let other = AgentRequest::of(&job("node.load.get", json!({"b": 2})), Some(&payload)).ok();
    let expected = AgentRequest { operation: "node.load.get".to_owned(), data: json!({"b": 2}), ..asked };
    assert_eq!(other, Some(expected));
    // A payload that is none of ours is what the operation works on.
    let plain = AgentRequest::of(&job("node.load.get", Value::Null), Some(&json!({"c": 3}))).unwrap();
    assert_eq!((plain.data, plain.target), (json!({"c": 3}), Target::Any));
}

const OVER: [TaskState; 5] =
    [TaskState::Completed, TaskState::Failed, TaskState::Skipped, TaskState::TimedOut, TaskState::Cancelled];

proptest! {
    #[test]
    fn a_prefix_of_parts_matches_and_nothing_else(parts in prop::collection::vec("[a-z]{1,3}", 1..5), other in "[a-z.]{1,8}") {
        let label = parts.join(".");
        let host = agent("h", &[("k", &label)]);
        for count in 1..=parts.len() {
            let prefix = parts[..count].join(".");
            let wanted = Target::Label { key: "k".to_owned(), value: prefix };
            prop_assert!(wanted.matches(&host));
        }
        let wanted = Target::Label { key: "k".to_owned(), value: other.clone() };
        let fits = label == other || label.starts_with(&format!("{other}."));
        prop_assert_eq!(wanted.matches(&host), fits);
    }

    #[test]
    fn a_target_is_read_back_as_it_is_written(text in "_any|_all|[a-z0-9][a-z0-9.-]{0,20}|[a-z]{1,8}:[a-z.]{1,20}") {
        prop_assert_eq!(target(&text).to_string(), text);
    }

    #[test]
    fn a_lease_token_is_read_back_as_it_is_written(id: u128, fence in 0_i32..) {
        let lease = TaskLease { task_id: AgentTaskId::from_uuid(Uuid::from_u128(id)), fence };
        prop_assert_eq!(lease.to_string().parse::<TaskLease>(), Ok(lease));
    }

    #[test]
    fn whatever_is_no_token_is_refused_without_a_panic(text in ".{0,60}") {
        let _ = text.parse::<TaskLease>();
        let _ = text.parse::<Target>();
    }

    /// In any order and number: all completed is a success, none completed a failure, both a partial one.
    #[test]
    fn the_hosts_decide(ends in prop::collection::vec((prop::sample::select(OVER.to_vec()), any::<bool>()), 1..12)) {
        let tasks: Vec<AgentTask> = ends.iter().map(|(state, retryable)| task(*state, *retryable)).collect();
        let completed = ends.iter().filter(|(state, _)| *state == TaskState::Completed).count();
        let failed: Vec<bool> = ends
            .iter()
            .filter(|(state, _)| !matches!(state, TaskState::Completed | TaskState::Skipped))
            .map(|(_, retryable)| *retryable)
            .collect();
        let may_be_repaired = failed.contains(&true);
        match verdict(&tasks) {
            Some(Verdict::Succeeded) => prop_assert!(completed > 0 && failed.is_empty()),
            Some(Verdict::PartlyFailed { retryable, .. }) => {
                prop_assert!(completed > 0 && !failed.is_empty());
                prop_assert_eq!(retryable, may_be_repaired);
            }
            Some(Verdict::Failed { retryable, error }) => {
                prop_assert!(completed == 0 && !error.is_empty());
                prop_assert_eq!(retryable, may_be_repaired);
            }
            None => prop_assert!(false, "all are over"),
        }
        let mut open = tasks;
        open.push(task(TaskState::Leased, true));
        prop_assert_eq!(verdict(&open), None);
    }
}
