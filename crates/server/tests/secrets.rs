//! Secrets at rest, as whoever runs the server meets them: not in the database, not in the log, and what happens when
//! the key changes.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Home, Server};
use serde_json::{Value, json};
use wiremock::matchers::{body_json, header, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

const API: &str = "/api/v1/scheduler";
const HEADER_SECRET: &str = "Bearer plaintext-of-the-header";
const BODY_SECRET: &str = "plaintext-of-the-body";
const OLD_KEY: &str = "the-old-key-of-this-test-is-long-enough";
const NEW_KEY: &str = "the-new-key-of-this-test-is-long-enough";

fn home() -> Home {
    Home::new().with("HORARIUM_EGRESS_ALLOW", "127.0.0.1").with("HORARIUM_LOG", "debug")
}

/// A target that lets in only who knows the secrets.
async fn target() -> MockServer {
    let target = MockServer::start().await;
    Mock::given(method("POST"))
        .and(header("authorization", HEADER_SECRET))
        .and(body_json(json!({"pin": BODY_SECRET})))
        .respond_with(ResponseTemplate::new(204))
        .mount(&target)
        .await;
    target
}

fn token(home: &Home) -> String {
    home.stdout_of(&["token", "create", "--tenant", "default", "--role", "admin"])
}

async fn create(server: &Server, token: &str, url: &str) -> String {
    let job = json!({
        "name": "call", "jobType": "HttpCall", "retryPolicy": {"maxAttempts": 1},
        "jobConfiguration": {
            "url": url, "method": "POST", "headers": {"Authorization": HEADER_SECRET},
            "body": {"pin": BODY_SECRET}, "bodySecret": true,
        },
    });
    let (status, job) = server.call("POST", &format!("{API}/jobs"), token, Some(job)).await;
    assert_eq!(status, 201, "{job}");
    assert_eq!(job["jobConfiguration"]["headers"]["Authorization"], "***");
    assert_eq!(job["jobConfiguration"]["body"], "***");
    job["id"].as_str().unwrap().to_owned()
}

/// Triggers the job and waits for its end.
async fn run(server: &Server, token: &str, job: &str) -> Value {
    let (status, id) = server.call("POST", &format!("{API}/jobs/{job}/trigger"), token, None).await;
    assert_eq!(status, 202, "{id}");
    let path = format!("{API}/executions/{}", id.as_str().unwrap());
    let mut last = Value::Null;
    server
        .wait_for("the execution ends", async |server| {
            last = server.call("GET", &path, token, None).await.1;
            last["status"] == "Succeeded" || last["status"] == "Failed"
        })
        .await;
    last
}

/// Everything in the data folder.
fn at_rest(home: &Home) -> Vec<u8> {
    let files = std::fs::read_dir(home.path("horarium-data")).unwrap();
    files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn a_secret_reaches_its_target_and_is_neither_in_the_database_nor_in_the_log() {
    let (home, target) = (home(), target().await);
    let mut server = home.serve().await;
    let token = token(&home);
    let job = create(&server, &token, &target.uri()).await;
    let execution = run(&server, &token, &job).await;
    assert_eq!(execution["status"], "Succeeded", "{execution}");

    // A change that does not touch the secrets, and one that is refused, with the whole of them in it.
    let shown = server.call("GET", &format!("{API}/jobs/{job}"), &token, None).await.1;
    let change = json!({"name": "renamed", "jobConfiguration": shown["jobConfiguration"]});
    assert_eq!(server.call("PUT", &format!("{API}/jobs/{job}"), &token, Some(change)).await.0, 200);
    let wrong = json!({"jobConfiguration": {"url": 1, "headers": {"Authorization": HEADER_SECRET}}});
    assert_eq!(server.call("PUT", &format!("{API}/jobs/{job}"), &token, Some(wrong)).await.0, 400);
    assert_eq!(run(&server, &token, &job).await["status"], "Succeeded");

    let at_rest_while_running = at_rest(&home);
    server.stop();
    for bytes in [at_rest_while_running, at_rest(&home), server.log().into_bytes()] {
        assert!(!holds(&bytes, HEADER_SECRET) && !holds(&bytes, BODY_SECRET));
    }
    assert!(holds(&at_rest(&home), "sealed:v1:"), "this test reads the right files");
}

#[tokio::test]
async fn keys_rotate_without_a_secret_being_sent_again() {
    let (home, target) = (home().with("HORARIUM_SECRET_KEY", OLD_KEY), target().await);
    let mut server = home.serve().await;
    let job = create(&server, &token(&home), &target.uri()).await;
    server.stop();

    // Who has only the new key says at once what is missing, and what to do.
    let home = home.with("HORARIUM_SECRET_KEY", NEW_KEY);
    let mut server = home.serve().await;
    server.wait_for("it says so", async |server| server.log().contains("secrets this node cannot open")).await;
    let failed = run(&server, &token(&home), &job).await;
    assert_eq!(failed["status"], "Failed");
    assert!(failed["errorMessage"].as_str().unwrap().contains("HORARIUM_SECRET_KEY"), "{failed}");
    server.stop();
    let doctor = home.run(&["doctor"]);
    let said = String::from_utf8(doctor.stdout).unwrap();
    assert!(said.contains("fail  sealed secrets: those of 1 jobs do not open here (missing keys: "), "{said}");
    assert_eq!(home.run(&["secrets", "check"]).status.code(), Some(1));

    let home = home.with("HORARIUM_SECRET_KEY", format!("{NEW_KEY},{OLD_KEY}"));
    let mut server = home.serve().await;
    assert_eq!(run(&server, &token(&home), &job).await["status"], "Succeeded");
    assert!(home.stdout_of(&["secrets", "rotate"]).starts_with("1 jobs, executions and webhooks were sealed anew"));
    assert_eq!(run(&server, &token(&home), &job).await["status"], "Succeeded");
    server.stop();

    let home = home.with("HORARIUM_SECRET_KEY", NEW_KEY);
    home.stdout_of(&["secrets", "check"]);
    let mut server = home.serve().await;
    assert_eq!(run(&server, &token(&home), &job).await["status"], "Succeeded");
    server.stop();
}

#[test]
fn a_key_that_cannot_be_used_stops_the_start_and_is_not_shown() {
    let home = Home::new().with("HORARIUM_SECRET_KEY", format!("{NEW_KEY},too-short"));
    let said = home.error_of(&["serve"]);
    assert!(said.contains("the setting 'secret_key' cannot be used: a key needs at least 32 bytes"), "{said}");
    assert!(!said.contains("too-short") && !said.contains(NEW_KEY));
}
