//! Starting and stopping the server, as its users do.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;

use common::{Home, Server};
use serde_json::json;

const API: &str = "/api/v1/scheduler";

/// The token that the first start prints.
fn printed_token(server: &mut Server) -> String {
    let printed = server.printed();
    let line = printed.lines().find_map(|line| line.strip_prefix("export HORARIUM_TOKEN="));
    line.expect("the first start prints a token").to_owned()
}

#[tokio::test]
async fn without_any_argument_a_job_runs_end_to_end() {
    let home = Home::new();
    let mut server = home.serve().await;
    let token = printed_token(&mut server);

    let job = json!({
        "name": "report",
        "jobType": "CodeExecution",
        "jobConfiguration": {"handlerType": "system.reportGeneration"}
    });
    let (status, job) = server.call("POST", &format!("{API}/jobs"), &token, Some(job)).await;
    assert_eq!(status, 201, "{job}");
    let path = format!("{API}/jobs/{}/trigger", job["id"].as_str().unwrap());
    let (status, execution) = server.call("POST", &path, &token, None).await;
    assert_eq!(status, 202, "{execution}");
    let path = format!("{API}/executions/{}", execution.as_str().unwrap());
    server
        .wait_for("the execution succeeds", async |server| {
            server.call("GET", &path, &token, None).await.1["status"] == "Succeeded"
        })
        .await;

    server.stop();
}

#[tokio::test]
async fn what_the_first_start_prints_works_by_paste() {
    let home = Home::new();
    let mut server = home.serve().await;
    let printed = server.printed();
    let commands: Vec<&str> = printed
        .lines()
        .filter(|line| ["export ", "JOB=", "EXECUTION=", "curl "].iter().any(|start| line.starts_with(start)))
        .collect();
    assert_eq!(commands.len(), 4, "{printed}");

    let shell = home.command("bash", &["-euo", "pipefail", "-c", &commands.join("\n")]).output().unwrap();
    let answer = String::from_utf8(shell.stdout).unwrap();
    assert!(shell.status.success(), "{}", String::from_utf8_lossy(&shell.stderr));
    let execution: serde_json::Value = serde_json::from_str(&answer).expect(&answer);
    assert_eq!(execution["jobName"], "hello");
    assert_eq!(execution["trigger"], "Manual");
}

#[tokio::test]
async fn the_data_folder_and_the_secret_are_for_their_owner_alone() {
    let home = Home::new();
    let mut server = home.serve().await;
    let mode = |name: &str| home.path(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("horarium-data"), 0o700);
    assert_eq!(mode("horarium-data/jwt-secret"), 0o600);
    assert_eq!(mode("horarium-data/horarium.db"), 0o600);
    server.stop();

    let secret = home.path("horarium-data/jwt-secret");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = home.error_of(&["serve"]);
    assert!(error.contains("can be read by every user of this machine (mode 0644)"), "{error}");
}

#[tokio::test]
async fn a_later_start_keeps_everything_and_shows_no_token() {
    let home = Home::new();
    let mut server = home.serve().await;
    let token = printed_token(&mut server);
    server.stop();

    let mut server = home.serve().await;
    let printed = server.printed();
    assert_eq!(
        printed,
        format!("Horarium is listening on {} (`horarium token create --role system_admin` makes a token)", server.url)
    );
    assert_eq!(server.call("GET", &format!("{API}/jobs"), &token, None).await.0, 200);
}

#[tokio::test]
async fn a_token_from_the_command_line_is_let_in_and_does_what_its_role_may() {
    let home = Home::new();
    let server = home.serve().await;
    let jobs = format!("{API}/jobs");
    let reader = home.stdout_of(&["token", "create", "--role", "read", "--ttl", "1m"]);
    assert_eq!(server.call("GET", &jobs, &reader, None).await.0, 200);
    assert_eq!(server.call("POST", &jobs, &reader, Some(json!({"name": "x"}))).await.0, 403);
    assert_eq!(server.call("GET", &jobs, "not-a-token", None).await.0, 401);

    // A tenant that a valid token names comes into being.
    let other = home.stdout_of(&["token", "create", "--role", "admin", "--tenant", "org-123"]);
    assert_eq!(server.call("GET", &jobs, &other, None).await.0, 200);
    assert!(home.stdout_of(&["tenants", "list"]).contains("org-123"));
}

#[tokio::test]
async fn jobs_and_executions_are_worked_with_from_the_command_line() {
    let home = Home::new();
    let server = home.serve().await;
    let home = home.with("HORARIUM_SERVER", &server.url);
    let job =
        r#"{"name":"report","jobType":"CodeExecution","jobConfiguration":{"handlerType":"system.reportGeneration"}}"#;
    std::fs::write(home.path("job.json"), job).unwrap();
    home.stdout_of(&["jobs", "create", "-f", "job.json"]);
    let taken = home.run(&["jobs", "create", "-f", "job.json"]);
    assert_eq!(taken.status.code(), Some(1));
    let said = String::from_utf8_lossy(&taken.stderr);
    assert!(said.contains("using a token made for an hour with this server's own secret"), "{said}");
    assert!(said.contains("error: ") && said.contains("(409)"), "{said}");

    let ended = home.stdout_of(&["jobs", "trigger", "report", "--wait", "--timeout", "30s", "--output", "json"]);
    let ended: serde_json::Value = serde_json::from_str(&ended).unwrap();
    assert_eq!(ended["status"], "Succeeded");

    let list = home.stdout_of(&["executions", "list", "--job", "report", "--status", "Succeeded"]);
    assert!(list.contains(ended["id"].as_str().unwrap()), "{list}");
    assert!(home.stdout_of(&["jobs", "pause", "report"]).contains("Paused"));
    assert!(home.stdout_of(&["jobs", "resume", "report"]).contains("Active"));
    let deleted = home.stdout_of(&["jobs", "delete", "report", "--output", "json"]);
    let deleted: serde_json::Value = serde_json::from_str(&deleted).unwrap();
    assert_eq!(deleted["name"], "report");
    assert!(home.run(&["jobs", "get", "report"]).status.code() == Some(1));
}

#[tokio::test]
async fn a_failed_execution_is_told_by_the_exit_code() {
    let home = Home::new();
    let server = home.serve().await;
    let home = home.with("HORARIUM_SERVER", &server.url);
    let job = r#"{"name":"broken","jobType":"CodeExecution","jobConfiguration":{"handlerType":"no such handler"},
                  "retryPolicy":{"maxAttempts":1}}"#;
    std::fs::write(home.path("job.json"), job).unwrap();
    home.stdout_of(&["jobs", "create", "-f", "job.json"]);
    assert_eq!(home.run(&["jobs", "trigger", "broken", "--wait"]).status.code(), Some(3));
}

#[tokio::test]
async fn an_api_key_from_the_command_line_works_until_it_is_revoked() {
    let home = Home::new();
    let server = home.serve().await;
    let made = home.stdout_of(&["keys", "create", "--name", "ci", "--scope", "jobs:read", "--output", "json"]);
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());

    let with_key = home.with("HORARIUM_SERVER", &server.url).with("HORARIUM_API_KEY", key);
    assert!(with_key.stdout_of(&["jobs", "list"]).contains("tokenExpiry"));
    assert!(with_key.error_of(&["jobs", "trigger", "tokenExpiry"]).contains("(403)"));
    let token = with_key.stdout_of(&["token", "create", "--role", "super_admin"]);
    for kind in ["keys", "tenants"] {
        let (status, page) = server.call("GET", &format!("/api/v1/{kind}"), &token, None).await;
        assert_eq!(status, 200, "{page}");
        let listed = with_key.stdout_of(&[kind, "list", "--output", "json"]);
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        assert_eq!(listed, page["items"], "the command line shows {kind} as the API does");
    }
    with_key.stdout_of(&["keys", "revoke", id]);
    // The server remembers a key for a few seconds.
    server.wait_for("the key is refused", async |_| !with_key.run(&["jobs", "list"]).status.success()).await;
}

#[tokio::test]
async fn metrics_are_read_with_their_token_or_at_their_own_address() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let token = "a token for metrics";
    let home = Home::new().with("HORARIUM_METRICS_TOKEN", token).with("HORARIUM_METRICS_LISTEN", free.to_string());
    let server = home.serve().await;
    assert_eq!(server.call("GET", "/metrics", token, None).await.0, 200);
    assert_eq!(server.call("GET", "/metrics", "another", None).await.0, 401);

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let text = client.get(format!("http://{free}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("horarium_http_request_duration_seconds_bucket"), "{text}");
}

#[tokio::test]
async fn a_job_runs_a_program_that_the_operator_listed_and_no_other() {
    let home = Home::new().with("HORARIUM_ALLOWED_COMMANDS", "/bin/echo");
    let server = home.serve().await;
    let home = home.with("HORARIUM_SERVER", &server.url);
    for (name, program) in [("listed", "/bin/echo"), ("unlisted", "/bin/ls")] {
        let job = json!({
            "name": name,
            "jobType": "Command",
            "jobConfiguration": {"command": program, "args": ["hello"]},
            "retryPolicy": {"maxAttempts": 1}
        });
        std::fs::write(home.path("job.json"), job.to_string()).unwrap();
        home.stdout_of(&["jobs", "create", "-f", "job.json"]);
    }
    assert!(home.stdout_of(&["jobs", "trigger", "listed", "--wait"]).ends_with("output: hello"));
    assert_eq!(home.run(&["jobs", "trigger", "unlisted", "--wait"]).status.code(), Some(3));
}

#[tokio::test]
async fn files_are_out_of_reach_until_the_operator_sets_a_folder_aside() {
    for is_set in [false, true] {
        let home = Home::new();
        std::fs::create_dir(home.path("in")).unwrap();
        std::fs::write(home.path("in/a.log"), "line").unwrap();
        let root = home.path("in").display().to_string();
        let home = if is_set { home.with("HORARIUM_FILE_ROOTS", &root) } else { home };
        let server = home.serve().await;
        let home = home.with("HORARIUM_SERVER", &server.url);
        let job = json!({
            "name": "clean",
            "jobType": "FileOperation",
            "jobConfiguration": {"operation": "delete", "sourcePath": format!("{root}/*.log")},
            "retryPolicy": {"maxAttempts": 1}
        });
        std::fs::write(home.path("job.json"), job.to_string()).unwrap();
        home.stdout_of(&["jobs", "create", "-f", "job.json"]);
        let run = home.run(&["jobs", "trigger", "clean", "--wait"]);
        assert_eq!(run.status.success(), is_set, "{run:?}");
        assert_eq!(home.path("in/a.log").exists(), !is_set);
        let said = String::from_utf8(run.stdout).unwrap();
        assert!(said.contains(if is_set { r#""files":1,"bytes":4"# } else { "'file_roots'" }), "{said}");
    }
}

#[test]
fn a_port_that_is_taken_is_told_in_one_line_and_nothing_is_written() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let home = Home::new().with("HORARIUM_LISTEN", &address);
    let error = home.error_of(&["serve"]);
    assert!(error.starts_with(&format!("error: the setting 'listen' cannot be '{address}': ")), "{error}");
    assert!(error.contains("another program listens there"), "{error}");
    assert!(!home.path("horarium-data").exists());
}

#[tokio::test]
async fn a_key_set_file_that_is_not_there_stops_the_start_and_an_issuer_that_is_away_does_not() {
    let missing = Home::new().with("HORARIUM_JWKS", "missing.json");
    let run = missing.run(&["serve"]);
    let said = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(1), "{said}");
    assert!(said.contains("error: the setting 'jwks' cannot be 'missing.json': "), "{said}");

    let away = Home::new().with("HORARIUM_JWKS", "http://127.0.0.1:1/keys");
    let mut server = away.serve().await;
    assert!(server.log().contains("tokens cannot be checked until this is mended"), "{}", server.log());
    server.stop();
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_leaves_nothing_in_the_log() {
    let home = Home::new();
    let mut server = home.serve().await;
    let mut caller = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
    caller.write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n").unwrap();
    let mut answer = String::new();
    caller.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    server.stop();
    assert!(!server.log().contains("actix"), "{}", server.log());
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_says_so_to_load_balancers_before_it_goes_away() {
    let home = Home::new().with("HORARIUM_SHUTDOWN_DELAY_SECONDS", "3600");
    let mut server = home.serve().await;
    let token = printed_token(&mut server);
    server.signal("TERM");
    server
        .wait_for("it is not ready any more", async |server| {
            server.call("GET", "/health/ready", "", None).await.0 == 503
        })
        .await;
    assert_eq!(server.call("GET", &format!("{API}/jobs"), &token, None).await.0, 200, "and it goes on answering");
    assert_eq!(server.signal_until_it_ends("TERM").code(), Some(1));
}

/// Starts a job that runs for as long as anyone waits for it: its target takes the call and never answers.
async fn run_an_endless_job(server: &mut Server) -> (TcpListener, TcpStream) {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let token = printed_token(server);
    let job = json!({
        "name": "endless",
        "jobType": "HttpCall",
        "jobConfiguration": {"url": format!("http://{}/", target.local_addr().unwrap()), "method": "GET"}
    });
    let (_, job) = server.call("POST", &format!("{API}/jobs"), &token, Some(job)).await;
    let path = format!("{API}/jobs/{}/trigger", job["id"].as_str().unwrap());
    assert_eq!(server.call("POST", &path, &token, None).await.0, 202);
    let call = target.accept().unwrap().0;
    (target, call)
}

#[tokio::test]
async fn an_interrupt_stops_it_in_order_and_a_later_one_at_once() {
    let home = Home::new().with("HORARIUM_EGRESS_ALLOW", "127.0.0.1").with("HORARIUM_SHUTDOWN_GRACE_SECONDS", "3600");
    let mut server = home.serve().await;
    let _running = run_an_endless_job(&mut server).await;
    server.signal("INT");
    server.wait_for("it says that it stops", async |server| server.log().contains("engine stopping")).await;
    assert_eq!(server.signal_until_it_ends("TERM").code(), Some(1));
    assert!(server.log().contains("stopped at once"), "{}", server.log());
}

#[tokio::test]
async fn two_signals_at_the_same_time_count_as_one() {
    let home = Home::new().with("HORARIUM_EGRESS_ALLOW", "127.0.0.1").with("HORARIUM_SHUTDOWN_GRACE_SECONDS", "1");
    let mut server = home.serve().await;
    let _running = run_an_endless_job(&mut server).await;
    server.signal("TERM");
    server.signal("INT");
    assert!(server.end().success(), "{}", server.log());
}
