//! The example in Python speaks the protocol as it is documented.

#![allow(clippy::unwrap_used, clippy::expect_used)] // in a test a failed expectation is the report

mod common;

use std::process::{Child, Command, Stdio};

use common::{Script, task, until};
use horarium_domain::agent::protocol::TaskOutcome;
use serde_json::json;
use wiremock::ResponseTemplate;

/// The example, for as long as the test needs it.
struct Python(Child);

impl Python {
    fn start(server: &str) -> Self {
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/agent.py");
        let mut command = Command::new("python3");
        command.args([example, server, "web-1"]).env("HORARIUM_API_KEY", "hrm_test_key").stdin(Stdio::null());
        Self(command.spawn().expect("python3 is installed"))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_example_in_python_works_for_a_server() {
    let script = Script::default();
    script.with(|state| {
        state.tasks = vec![
            task("sum", "demo.add.do", json!({"a": 40, "b": 2})),
            task("wrong", "demo.add.do", json!({"a": 40})),
            task("load", "node.load.get", json!(null)),
        ];
        // It is forgotten once, and its server is away for a moment.
        state.instead = vec![("lease", ResponseTemplate::new(404)), ("report", ResponseTemplate::new(503))];
    });
    let server = script.serve().await;
    let _python = Python::start(&server.uri());
    until("all is reported", || script.with(|state| state.reports.len() == 3)).await;
    script.with(|state| {
        let report = |token| state.reports.iter().find(|report| report.lease_token == token).unwrap();
        assert_eq!((report("sum").outcome, &report("sum").data), (TaskOutcome::Completed, &json!(42)));
        assert_eq!(report("wrong").outcome, TaskOutcome::Failed);
        assert!(report("wrong").error.as_ref().unwrap().contains("KeyError"));
        assert_eq!(report("load").data.as_array().map(Vec::len), Some(3));
        assert_eq!(state.registrations.len(), 2);
        assert_eq!(state.registrations[0].labels["language"], "python");
    });
    until("it shows that it is alive", || script.with(|state| !state.heartbeats.is_empty())).await;
}

#[test]
fn the_example_is_as_short_as_it_is_said_to_be() {
    let example = include_str!("../../../examples/agent.py");
    assert!(example.lines().count() <= 40);
    assert!(example.lines().all(|line| line.chars().count() <= 120));
}
