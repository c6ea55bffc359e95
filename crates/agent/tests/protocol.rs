//! An agent speaks the protocol as it is documented, and no outage, restart or refusal makes it lose a result.

#![allow(clippy::unwrap_used, clippy::expect_used)] // in a test a failed expectation is the report

mod common;

use std::time::{Duration, Instant};

use common::{Running, Script, process_exists, settings, task, until};
use horarium_agent::{AgentError, Allowed, CommandsAllowed};
use horarium_domain::agent::protocol::TaskOutcome;
use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate};

fn all_commands() -> Allowed {
    Allowed { commands: CommandsAllowed::All, ..Allowed::default() }
}

fn hostname(token: &str) -> Value {
    task(token, "node.hostname.get", Value::Null)
}

fn shell(token: &str, line: &str) -> Value {
    task(token, "command.shell.execute", json!({"command": line}))
}

/// The tokens of what was reported, sorted.
fn reported(script: &Script) -> Vec<String> {
    let mut tokens: Vec<_> =
        script.with(|state| state.reports.iter().map(|report| report.lease_token.clone()).collect());
    tokens.sort();
    tokens
}

/// A command that shows its process id in a file and goes on for minutes.
fn long_line(file: &std::path::Path) -> String {
    format!("sleep 300 & echo $! > {0}.part; mv {0}.part {0}; wait", file.display())
}

fn child_of(file: &std::path::Path) -> Option<u32> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[tokio::test]
async fn an_agent_introduces_itself_works_and_says_goodbye() {
    let script = Script::default();
    script.with(|state| state.tasks.push(hostname("t1")));
    let server = script.serve().await;
    let agent = Running::start(settings(&server.uri()), &Allowed::default());
    until("the task is reported", || script.with(|state| state.reports.len() == 1)).await;
    agent.stop().await.unwrap();

    script.with(|state| {
        let introduced = &state.registrations[0];
        assert_eq!((introduced.hostname.as_str(), introduced.labels["group"].as_str()), ("web-1", "web.dev"));
        assert!(introduced.operations.contains(&"node.load.get".to_owned()));
        assert!(!introduced.operations.contains(&"command.exec.execute".to_owned()));
        assert!(introduced.facts.contains_key("os") && !introduced.version.is_empty());
        let report = &state.reports[0];
        assert_eq!((report.outcome, report.changed), (TaskOutcome::Completed, Some(false)));
        assert!(report.duration_ms.is_some());
        assert!(state.heartbeats.last().unwrap().leaving, "the server is not told that the agent leaves");
    });
    let keys: Vec<_> = server.received_requests().await.unwrap();
    assert!(keys.iter().all(|request| request.headers["x-api-key"] == "hrm_test_key"));
}

#[tokio::test]
async fn operations_run_side_by_side_up_to_the_limit() {
    let script = Script::default();
    let folder = tempfile::tempdir().unwrap();
    script.with(|state| {
        for number in 0..6 {
            // Each waits for a sign that comes only when four of them run.
            let line = format!(
                "touch {0}/run-{number}; while [ ! -e {0}/go ]; do sleep 0.02; done; rm {0}/run-{number}",
                folder.path().display()
            );
            state.tasks.push(shell(&format!("t{number}"), &line));
        }
    });
    let running = || std::fs::read_dir(folder.path()).unwrap().count();
    let server = script.serve().await;
    let agent = Running::start(settings(&server.uri()), &all_commands());
    until("four run", || running() == 4).await;
    assert_eq!(script.with(|state| state.tasks.len()), 2, "more was taken than may run");
    std::fs::write(folder.path().join("go"), "").unwrap();
    until("all are reported", || reported(&script).len() == 6).await;
    agent.stop().await.unwrap();
    script.with(|state| assert_eq!((state.asked_for[0], state.asked_for.iter().max()), (4, Some(&4))));
}

#[tokio::test]
async fn results_outlive_the_servers_restart() {
    let script = Script::default();
    let folder = tempfile::tempdir().unwrap();
    let (began, go) = (folder.path().join("began"), folder.path().join("go"));
    script.with(|state| {
        let (began, go) = (began.display(), go.display());
        let line = format!("touch {began}; while [ ! -e {go} ]; do sleep 0.02; done; rm {began}");
        state.tasks.push(shell("t1", &line));
    });
    // Not one of wiremock's pool, whose servers listen on after they were dropped.
    let server = MockServer::builder().start().await;
    script.mount(&server).await;
    let address = *server.address();
    let agent = Running::start(settings(&server.uri()), &all_commands());
    until("the task runs", || began.exists()).await;

    drop(server);
    std::fs::write(&go, "").unwrap();
    until("the task has ended, with nobody there to report to", || !began.exists()).await;
    script.with(|state| state.tasks.push(hostname("t2")));
    let mut listener = None;
    until("the server's address is free again", || {
        listener = std::net::TcpListener::bind(address).ok();
        listener.is_some()
    })
    .await;
    let server = MockServer::builder().listener(listener.unwrap()).start().await;
    script.mount(&server).await;

    until("both tasks are reported", || reported(&script) == ["t1", "t2"]).await;
    assert_eq!(script.with(|state| state.registrations.len()), 1, "it registered again although it was known");
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn a_report_is_sent_until_it_is_acknowledged() {
    let script = Script::default();
    script.with(|state| {
        state.tasks.push(hostname("t1"));
        state.instead = vec![
            ("report", ResponseTemplate::new(500)),
            ("report", ResponseTemplate::new(503).insert_header("retry-after", "1")),
            ("report", ResponseTemplate::new(200).set_body_string("not JSON")),
            ("report", ResponseTemplate::new(200).set_body_json(json!([]))),
        ];
    });
    let server = script.serve().await;
    let agent = Running::start(settings(&server.uri()), &Allowed::default());
    until("the task is reported", || reported(&script) == ["t1"]).await;
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn a_stale_token_is_not_reported_again() {
    let script = Script::default();
    script.with(|state| {
        state.tasks = vec![hostname("old"), hostname("new")];
        state.stale.push("old".to_owned());
    });
    let server = script.serve().await;
    let agent = Running::start(settings(&server.uri()), &Allowed::default());
    until("both are reported", || reported(&script) == ["new", "old"]).await;
    let heartbeats = script.with(|state| state.heartbeats.len());
    until("two more heartbeats", || script.with(|state| state.heartbeats.len() >= heartbeats + 2)).await;
    agent.stop().await.unwrap();
    assert_eq!(reported(&script), ["new", "old"]);
}

#[tokio::test]
async fn an_agent_that_was_forgotten_registers_once_and_keeps_its_results() {
    let script = Script::default();
    script.with(|state| {
        state.tasks.push(hostname("t1"));
        // All three loops find out at about the same time.
        state.instead = vec![
            ("report", ResponseTemplate::new(404)),
            ("lease", ResponseTemplate::new(200).set_body_json(json!([hostname("t0")]))),
            ("lease", ResponseTemplate::new(404)),
            ("heartbeat", ResponseTemplate::new(404)),
        ];
    });
    let server = script.serve().await;
    let agent = Running::start(settings(&server.uri()), &Allowed::default());
    until("both results arrive", || reported(&script) == ["t0", "t1"]).await;
    agent.stop().await.unwrap();
    script.with(|state| {
        assert!((2..=3).contains(&state.registrations.len()), "registered {} times", state.registrations.len());
        assert_ne!(state.leased_as.first(), None);
    });
}

#[tokio::test]
async fn a_refused_credential_ends_the_agent_with_a_message() {
    for status in [401, 403] {
        let script = Script::default();
        let problem = json!({"title": "Unauthorized", "detail": "the key was revoked"});
        script.with(|state| state.instead.push(("", ResponseTemplate::new(status).set_body_json(problem))));
        let server = script.serve().await;
        let error = Running::start(settings(&server.uri()), &Allowed::default()).end().await.unwrap_err();
        assert!(matches!(error, AgentError::Credential { .. }));
        let told = error.to_string();
        assert!(told.contains("the key was revoked") && told.contains("agents:lease"), "{told}");
    }
}

#[tokio::test]
async fn a_credential_that_is_revoked_later_ends_the_agent_and_its_programs() {
    let script = Script::default();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    script.with(|state| state.tasks.push(shell("t1", &long_line(&file))));
    let server = script.serve().await;
    let agent = Running::start(settings(&server.uri()), &all_commands());
    until("the program runs", || child_of(&file).is_some()).await;
    script.with(|state| state.instead.push(("heartbeat", ResponseTemplate::new(401))));
    assert!(matches!(agent.end().await, Err(AgentError::Credential { .. })));
    until("the program is gone", || !process_exists(child_of(&file).unwrap())).await;
}

#[tokio::test]
async fn an_address_without_a_server_is_told_from_one_without_agents() {
    let nobody = Script::default();
    nobody.with(|state| state.instead.push(("register", ResponseTemplate::new(404))));
    let server = nobody.serve().await;
    let error = Running::start(settings(&server.uri()), &Allowed::default()).end().await.unwrap_err();
    assert!(matches!(error, AgentError::NoServer { .. }));

    // Whoever is there says nothing: it may yet.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let agent = Running::start(settings(&format!("http://{}", mute.local_addr().unwrap())), &Allowed::default());
    for _ in 0..3 {
        drop(mute.accept().await.unwrap());
    }
    agent.stop().await.expect("an agent that finds no server keeps trying, and ends in order when told to");
}

#[tokio::test]
async fn what_the_server_wants_stopped_is_stopped_with_all_its_children() {
    let script = Script::default();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    script.with(|state| state.tasks.push(shell("t1", &long_line(&file))));
    let server = script.serve().await;
    let agent = Running::start(settings(&server.uri()), &all_commands());
    until("the program runs", || child_of(&file).is_some()).await;
    until("a heartbeat names it", || script.with(|state| state.heartbeats.iter().any(|beat| beat.running == ["t1"])))
        .await;
    script.with(|state| state.stop.push("t1".to_owned()));
    until("it is reported", || reported(&script) == ["t1"]).await;
    assert_eq!(script.with(|state| state.reports[0].outcome), TaskOutcome::Cancelled);
    until("its child is gone", || !process_exists(child_of(&file).unwrap())).await;
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn an_agent_that_stops_finishes_what_it_can_and_hands_back_the_rest() {
    let script = Script::default();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let began = folder.path().join("began");
    script.with(|state| {
        state.tasks = vec![
            shell("long", &long_line(&file)),
            shell("short", &format!("touch {}; sleep 0.2; echo done", began.display())),
        ];
    });
    let server = script.serve().await;
    let mut settings = settings(&server.uri());
    settings.grace = Duration::from_secs(2);
    let agent = Running::start(settings, &all_commands());
    until("both run", || child_of(&file).is_some() && began.exists()).await;
    script.with(|state| state.tasks.push(hostname("too late")));
    let told = Instant::now();
    agent.stop().await.unwrap();

    assert!(told.elapsed() < Duration::from_secs(6), "it took {:?}", told.elapsed());
    assert_eq!(reported(&script), ["long", "short"]);
    script.with(|state| {
        let outcome = |token| state.reports.iter().find(|report| report.lease_token == token).unwrap().outcome;
        assert_eq!((outcome("short"), outcome("long")), (TaskOutcome::Completed, TaskOutcome::Released));
        assert!(state.heartbeats.iter().any(|beat| beat.leaving));
    });
    until("the program is gone", || !process_exists(child_of(&file).unwrap())).await;
}

#[tokio::test]
async fn results_that_are_too_large_together_are_sent_apart_and_one_alone_without_its_data() {
    let script = Script::default();
    script.with(|state| {
        state.tasks = vec![hostname("t1"), hostname("t2"), hostname("t3")];
        state.instead = vec![
            ("report", ResponseTemplate::new(500)), // while the others join the first
            ("report", ResponseTemplate::new(413)), // for all three
            ("report", ResponseTemplate::new(413)), // for one alone
        ];
    });
    let server = script.serve().await;
    let agent = Running::start(settings(&server.uri()), &Allowed::default());
    until("all are reported", || reported(&script) == ["t1", "t2", "t3"]).await;
    agent.stop().await.unwrap();
    let without_data = script.with(|state| state.reports.iter().filter(|report| report.data.is_null()).count());
    assert_eq!(without_data, 1);
}
