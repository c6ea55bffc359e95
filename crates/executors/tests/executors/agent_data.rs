//! What operations of agents are handed once the templates of their jobs are filled.

use horarium_domain::job::JobType;
use horarium_executors::{Templates, fill_agent_data};
use serde_json::{Value, json};

use crate::support::run_with_payload;

/// The data that an operation gets, or why it gets none.
fn filled(operation: &str, data: &Value) -> Result<Value, String> {
    let payload = json!({"host": "db 1/..", "count": 3, "order": {"id": 7}, "name": "a;reboot", "note": "\"&b"});
    let run = run_with_payload(JobType::Agent, &json!({"operation": operation, "data": data}), payload);
    fill_agent_data(Templates::new("m1"))(&run, operation, data).map_err(|failure| failure.error)
}

#[test]
fn a_value_fills_the_place_that_it_is_given_and_no_more() {
    for (operation, data, wanted) in [
        (
            "http.request.do",
            json!({"url": "https://x/{{Payload.host}}?n={{Payload.name}}", "headers": {"X-Job": "{{Job.Name}}"}, "body": {"order": "{{Payload.order}}"}}),
            json!({"url": "https://x/db%201%2F..?n=a%3Breboot", "headers": {"X-Job": "nightly"}, "body": {"order": {"id": 7}}}),
        ),
        (
            "command.exec.execute",
            json!({"command": "echo", "args": ["{{Payload.name}}", "{{Payload.count}}"], "input": "{{Payload.host}}"}),
            json!({"command": "echo", "args": ["a;reboot", "3"], "input": "db 1/.."}),
        ),
        ("network.ping.do", json!({"port": "{{Payload.count}}"}), json!({"port": 3})),
        ("an.operation.of.their.own", json!(["{{Environment.MachineName}}"]), json!(["m1"])),
        ("node.uptime.get", Value::Null, Value::Null),
    ] {
        assert_eq!(filled(operation, &data), Ok(wanted), "{operation}");
    }
}

#[test]
fn a_text_that_is_a_body_is_filled_as_in_a_call_of_the_server() {
    let body = |content_type: &str, body: &str| {
        let data = json!({"url": "https://x/", "headers": {"content-type": content_type}, "body": body});
        filled("http.request.do", &data).unwrap()["body"].take()
    };
    assert_eq!(body("application/json", r#"{"note": "{{Payload.note}}"}"#), r#"{"note": "\"&b"}"#);
    assert_eq!(body("application/x-www-form-urlencoded", "note={{Payload.note}}"), "note=%22%26b");
    assert_eq!(body("text/plain", "note: {{Payload.note}}"), "note: \"&b");
    assert_eq!(body("application/json", "{{Payload.order}}"), json!({"id": 7}));
}

#[test]
fn a_line_for_a_shell_is_run_as_it_is_written() {
    let data = json!({"command": "docker ps --format '{{.Names}}' {{Payload.name}}", "input": "{{Payload.name}}"});
    let wanted = json!({"command": "docker ps --format '{{.Names}}' {{Payload.name}}", "input": "a;reboot"});
    assert_eq!(filled("command.shell.execute", &data), Ok(wanted));
}

#[test]
fn what_cannot_be_filled_is_told_with_its_field() {
    let told = filled("network.ping.do", &json!({"address": "{{Payload.nothing}}"})).unwrap_err();
    assert!(told.starts_with("jobConfiguration.data.address: template '{{Payload.nothing}}'"), "{told}");
    filled("file.deploy.execute", &json!({"path": "/etc/{{Payload.host}}"})).unwrap_err();
}
