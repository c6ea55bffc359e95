//! The operations do what they say on a real machine, and nothing that its operator did not allow.

#![allow(clippy::unwrap_used, clippy::expect_used)] // in a test a failed expectation is the report

mod common;

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use common::{Host, listed, process_exists, until};
use horarium_agent::{Allowed, CommandsAllowed};
use horarium_domain::agent::BuiltInOperation;
use horarium_domain::agent::protocol::TaskOutcome;
use serde_json::{Value, json};
use wiremock::matchers::{body_json, header, header_exists, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn everything_below(root: &Path) -> Allowed {
    Allowed { commands: CommandsAllowed::All, roots: vec![root.to_owned()] }
}

#[tokio::test]
async fn an_agent_offers_only_what_its_operator_allows() {
    let folder = tempfile::tempdir().unwrap();
    let harmless = Host::new(&Allowed::default());
    assert!(harmless.offers("node.status.get") && harmless.offers("network.ping.do"));
    for operation in ["command.exec.execute", "command.shell.execute", "file.deploy.execute", "file.status.get"] {
        assert!(!harmless.offers(operation), "{operation}");
        let report = harmless.carry_out(operation, json!({"command": "true", "path": "/tmp/x"})).await;
        assert_eq!(report.outcome, TaskOutcome::Skipped, "{operation}");
    }

    let listed = Host::new(&Allowed { commands: listed(&["echo"]), ..Allowed::default() });
    assert!(listed.offers("command.exec.execute"));
    assert!(!listed.offers("command.shell.execute"), "a shell runs everything, listed or not");

    let all = Host::new(&everything_below(folder.path()));
    assert!(BuiltInOperation::ALL.iter().all(|operation| all.offers(operation.as_str())));
}

#[tokio::test]
async fn an_operation_that_nobody_knows_is_skipped() {
    let report = Host::new(&Allowed::default()).carry_out("node.teapot.get", Value::Null).await;
    assert_eq!(report.outcome, TaskOutcome::Skipped);
    assert!(report.error.unwrap().contains("node.teapot.get"));
}

#[tokio::test]
async fn a_node_tells_of_itself_and_changes_nothing() {
    let host = Host::new(&Allowed::default());
    for (operation, fields) in [
        ("node.hostname.get", &["hostname"][..]),
        ("node.uptime.get", &["uptime_seconds", "boot_time"]),
        ("node.load.get", &["load_1m", "load_5m", "load_15m", "cpus"]),
        ("node.memory.get", &["total_bytes", "used_bytes", "available_bytes", "swap_total_bytes", "swap_used_bytes"]),
        ("node.disk.get", &["disks"]),
        ("node.os.get", &["name", "kernel", "architecture"]),
        ("node.status.get", &["hostname", "uptime_seconds", "load", "memory", "disks", "os"]),
    ] {
        let report = host.carry_out(operation, Value::Null).await;
        assert_eq!(report.outcome, TaskOutcome::Completed, "{operation}: {:?}", report.error);
        assert_eq!(report.changed, Some(false), "{operation}");
        for field in fields {
            assert!(!report.data[*field].is_null(), "{operation} says nothing of {field}: {}", report.data);
        }
    }
    assert!(host.done("node.memory.get", json!({})).await["total_bytes"].as_u64().unwrap() > 1024 * 1024);
}

#[tokio::test]
async fn a_host_is_called_what_its_agent_goes_by() {
    let host = Host::new(&Allowed::default());
    let machine = sysinfo::System::host_name().unwrap();
    for operation in ["node.hostname.get", "node.status.get"] {
        let told = host.done(operation, Value::Null).await;
        assert_eq!((&told["hostname"], &told["machine_hostname"]), (&json!("web-1"), &json!(machine)), "{operation}");
    }
}

#[tokio::test]
async fn data_that_an_operation_does_not_know_is_refused() {
    let host = Host::new(&Allowed::default());
    let report = host.carry_out("network.ping.do", json!({"address": "localhost", "prot": 80})).await;
    assert_eq!((report.outcome, report.retryable), (TaskOutcome::Failed, false));
    assert!(report.error.unwrap().contains("prot"));
}

#[tokio::test]
async fn a_ping_is_answered_by_whoever_accepts_or_refuses_a_connection() {
    let host = Host::new(&Allowed::default());
    let open = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = open.local_addr().unwrap().port();
    let accepted = host.done("network.ping.do", json!({"address": "localhost", "port": port, "count": 2})).await;
    assert_eq!((&accepted["packets_sent"], &accepted["packets_received"]), (&json!(2), &json!(2)));
    assert!(accepted["min_rtt_ms"].as_f64().unwrap() <= accepted["max_rtt_ms"].as_f64().unwrap());

    drop(open);
    let refused = host.done("network.ping.do", json!({"address": "127.0.0.1", "port": port, "count": 1})).await;
    assert_eq!(refused["packet_loss_percent"], 0.0);
}

#[tokio::test]
async fn a_ping_that_nobody_answers_fails_and_says_what_was_lost() {
    let host = Host::new(&Allowed::default());
    let report = host.carry_out("network.ping.do", json!({"address": "no-such-host.invalid"})).await;
    assert_eq!(report.outcome, TaskOutcome::Failed);
    assert!(report.error.unwrap().contains("no-such-host.invalid"));
    for wrong in [json!({"address": "x", "count": 0}), json!({"address": "x", "timeout_ms": 0}), json!({})] {
        assert!(!host.carry_out("network.ping.do", wrong).await.retryable);
    }
}

#[tokio::test]
async fn a_program_gets_its_arguments_as_they_are_and_gives_its_output() {
    let host = Host::new(&Allowed { commands: listed(&["printf", "cat"]), ..Allowed::default() });
    let report = host
        .carry_out("command.exec.execute", json!({"command": "printf", "args": ["%s|", "a b", "$HOME", "; rm -rf /"]}))
        .await;
    assert_eq!((report.outcome, report.changed), (TaskOutcome::Completed, Some(true)));
    assert_eq!(report.data, json!({"exit_code": 0, "stdout": "a b|$HOME|; rm -rf /|", "stderr": ""}));

    let echoed = host.done("command.exec.execute", json!({"command": "cat", "input": "from far away"})).await;
    assert_eq!(echoed["stdout"], "from far away");
}

#[tokio::test]
async fn a_program_that_is_not_listed_is_refused() {
    let host = Host::new(&Allowed { commands: listed(&["printf"]), ..Allowed::default() });
    for command in ["ls", "/bin/ls", "/bin/sh", "./printf", "../bin/printf"] {
        let report = host.carry_out("command.exec.execute", json!({"command": command})).await;
        assert_eq!((report.outcome, report.retryable), (TaskOutcome::Failed, false), "{command}");
    }
}

#[tokio::test]
async fn a_failed_command_tells_its_status_and_what_it_said() {
    let host = Host::new(&everything_below(Path::new("/tmp")));
    let report = host.carry_out("command.shell.execute", json!({"command": "echo out; echo err >&2; exit 3"})).await;
    assert_eq!((report.outcome, report.retryable), (TaskOutcome::Failed, true));
    assert_eq!(report.data, json!({"exit_code": 3, "stdout": "out\n", "stderr": "err\n"}));
    assert!(report.error.unwrap().contains("status 3"));

    let killed = host.carry_out("command.shell.execute", json!({"command": "kill -9 $$"})).await;
    assert_eq!(killed.data["signal"], 9);
}

#[tokio::test]
async fn a_program_sees_nothing_of_the_agents_environment() {
    let host = Host::new(&everything_below(Path::new("/tmp")));
    // Cargo sets this for the test, as an operator sets HORARIUM_TOKEN for an agent.
    assert!(std::env::var("CARGO_MANIFEST_DIR").is_ok());
    let seen = host.done("command.shell.execute", json!({"command": "env", "cwd": "/"})).await;
    let seen = seen["stdout"].as_str().unwrap();
    assert!(!seen.contains("CARGO_MANIFEST_DIR") && seen.contains("HORARIUM_EXECUTION_ID="), "{seen}");
    assert!(seen.contains("PWD=/\n"), "{seen}");
}

#[tokio::test]
async fn output_beyond_the_limit_is_cut_and_said_to_be() {
    let host = Host::with_output_limit(&everything_below(Path::new("/tmp")), 100);
    let output = host.done("command.shell.execute", json!({"command": "seq 1 100000"})).await;
    assert_eq!(output["stdout"].as_str().unwrap().len(), 100);
    assert_eq!(output["stdout_cut_bytes"], 588_895 - 100);
    assert_eq!(output.get("stderr_cut_bytes"), None);
}

#[tokio::test]
async fn a_task_past_its_time_takes_its_whole_process_group_with_it() {
    let host = Host::new(&everything_below(Path::new("/tmp")));
    let began = std::time::Instant::now();
    // The child ignores SIGTERM, as badly written programs do.
    let line = "sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done' & wait";
    let report = host.carry_out_within("command.shell.execute", json!({"command": line}), 1).await;
    assert_eq!(report.outcome, TaskOutcome::Failed);
    assert!(report.error.as_deref().unwrap().starts_with("timeout"), "{:?}", report.error);
    assert!(began.elapsed() < Duration::from_secs(10));
    let child = report.data["stdout"].as_str().unwrap().trim().parse().unwrap();
    until("the child is gone", || !process_exists(child)).await;
}

#[tokio::test]
async fn a_command_may_have_less_time_than_its_task() {
    let host = Host::new(&everything_below(Path::new("/tmp")));
    let data = json!({"command": "echo begun; sleep 300", "timeout_seconds": 1});
    let report = host.carry_out("command.shell.execute", data).await;
    assert_eq!((report.outcome, &report.data["stdout"]), (TaskOutcome::Failed, &json!("begun\n")));
    assert!(report.error.as_deref().unwrap().starts_with("timeout"), "{:?}", report.error);
}

#[tokio::test]
async fn what_a_program_leaves_running_does_not_outlive_its_task() {
    let host = Host::new(&everything_below(Path::new("/tmp")));
    let left = host.done("command.shell.execute", json!({"command": "sleep 300 & echo $!"})).await;
    let child = left["stdout"].as_str().unwrap().trim().parse().unwrap();
    until("what was left running is gone", || !process_exists(child)).await;
}

#[tokio::test]
async fn a_file_is_deployed_once_and_then_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(&everything_below(folder.path()));
    let file = folder.path().join("etc/app/config.toml");
    let data = json!({"path": file, "content": "a = 1\n", "mode": "0640"});

    let first = host.carry_out("file.deploy.execute", data.clone()).await;
    assert_eq!((first.outcome, first.changed), (TaskOutcome::Completed, Some(true)), "{:?}", first.error);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a = 1\n");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);

    let again = host.carry_out("file.deploy.execute", data).await;
    assert_eq!(again.changed, Some(false));
    assert_eq!(again.data, first.data);

    let status = host.carry_out("file.status.get", json!({"path": file})).await;
    assert_eq!((status.changed, status.data), (Some(false), first.data));

    let other = host.carry_out("file.deploy.execute", json!({"path": file, "content": "a = 2\n"})).await;
    assert_eq!((other.changed, &other.data["mode"]), (Some(true), &json!("0640")), "the rights stay as they are");
    let left: Vec<_> = std::fs::read_dir(file.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "something unfinished was left behind: {left:?}");
}

#[tokio::test]
async fn bytes_that_are_no_text_are_deployed_in_base64() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(&everything_below(folder.path()));
    let file = folder.path().join("blob");
    let content = base64::engine::general_purpose::STANDARD.encode([0_u8, 255, 13, 10]);
    host.done("file.deploy.execute", json!({"path": file, "content_base64": content})).await;
    assert_eq!(std::fs::read(&file).unwrap(), [0, 255, 13, 10]);
    for wrong in [
        json!({"path": file}),
        json!({"path": file, "content": "a", "content_base64": "YQ=="}),
        json!({"path": file, "content": "a", "mode": "4755"}),
        json!({"path": "relative", "content": "a"}),
        json!({"path": folder.path(), "content": "a"}),
    ] {
        let report = host.carry_out("file.deploy.execute", wrong.clone()).await;
        assert_eq!((report.outcome, report.retryable), (TaskOutcome::Failed, false), "{wrong}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_told_and_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(&everything_below(folder.path()));
    let path = folder.path().join("missing");
    let status = host.done("file.status.get", json!({"path": path})).await;
    assert_eq!(status, json!({"path": path, "exists": false}));
}

#[tokio::test]
async fn no_path_leads_out_of_the_allowed_roots() {
    let outside = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    symlink(outside.path(), root.join("way-out")).unwrap();
    symlink(outside.path().join("secret"), root.join("link")).unwrap();
    symlink("../..", root.join("up")).unwrap();
    let host = Host::new(&everything_below(&root));

    let outside_name = outside.path().file_name().unwrap().to_str().unwrap();
    for path in [
        outside.path().join("secret"),
        root.join("way-out/secret"),
        root.join("way-out/new"),
        root.join("../sibling"),
        root.join("../../").join(outside_name).join("secret"),
        root.join("up").join(outside_name).join("secret"),
        root.join("sub/../../sibling"),
        folder.path().join("root-beside/file"),
        "/etc/passwd".into(),
    ] {
        let deploy = host.carry_out("file.deploy.execute", json!({"path": path, "content": "x"})).await;
        assert_eq!((deploy.outcome, deploy.retryable), (TaskOutcome::Failed, false), "deployed {}", path.display());
        let status = host.carry_out("file.status.get", json!({"path": path})).await;
        assert_eq!(status.outcome, TaskOutcome::Failed, "told of {}: {}", path.display(), status.data);
    }

    // A link in the file's own place is told of, and replaced, and never followed.
    let status = host.done("file.status.get", json!({"path": root.join("link")})).await;
    assert_eq!((&status["kind"], status.get("sha256")), (&json!("link"), None));
    host.done("file.deploy.execute", json!({"path": root.join("link"), "content": "mine"})).await;
    assert_eq!(std::fs::read_to_string(outside.path().join("secret")).unwrap(), "secret");
    assert_eq!(std::fs::read_to_string(root.join("link")).unwrap(), "mine");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "something was made beside the root");
}

#[tokio::test]
async fn an_http_request_gives_the_answer() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/reload"))
        .and(header("x-test", "1"))
        .and(header_exists("idempotency-key"))
        .and(body_json(json!({"all": true})))
        .respond_with(ResponseTemplate::new(201).insert_header("x-answer", "yes").set_body_string("reloaded"))
        .mount(&server)
        .await;
    let host = Host::new(&Allowed::default());
    let data = json!({
        "url": format!("{}/reload", server.uri()), "method": "post", "headers": {"X-Test": "1"}, "body": {"all": true},
    });
    let report = host.carry_out("http.request.do", data).await;
    assert_eq!((report.outcome, report.changed), (TaskOutcome::Completed, Some(true)), "{:?}", report.error);
    assert_eq!((&report.data["status"], &report.data["body"]), (&json!(201), &json!("reloaded")));
    assert_eq!(report.data["headers"]["x-answer"], "yes");
}

#[tokio::test]
async fn an_http_answer_that_is_no_success_fails_with_the_answer() {
    let server = MockServer::start().await;
    Mock::given(path("/busy")).respond_with(ResponseTemplate::new(503).set_body_string("later")).mount(&server).await;
    Mock::given(path("/moved"))
        .respond_with(ResponseTemplate::new(302).insert_header("location", "http://169.254.169.254/"))
        .mount(&server)
        .await;
    let host = Host::with_output_limit(&Allowed::default(), 3);

    let busy = host.carry_out("http.request.do", json!({"url": format!("{}/busy", server.uri())})).await;
    assert_eq!((busy.outcome, busy.retryable, busy.changed), (TaskOutcome::Failed, true, Some(false)));
    assert_eq!((&busy.data["body"], &busy.data["body_cut_bytes"]), (&json!("lat"), &json!(2)));

    let moved = host.carry_out("http.request.do", json!({"url": format!("{}/moved", server.uri())})).await;
    assert_eq!((moved.data["status"].as_u64(), moved.retryable), (Some(302), false), "a redirect is not followed");

    let metadata = host.carry_out("http.request.do", json!({"url": "http://169.254.169.254/latest"})).await;
    assert!(metadata.error.unwrap().contains("metadata"));
}
