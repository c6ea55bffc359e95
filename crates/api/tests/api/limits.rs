//! How much one caller may take of the service, and what becomes of clients that hold on to it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroU32;
use std::time::Duration;

use horarium_api::ApiConfig;
use horarium_auth::Role;
use serde_json::json;

use crate::support::TestApp;

const JOBS: &str = "/api/v1/scheduler/jobs";

fn few_failures() -> ApiConfig {
    ApiConfig { failures_per_minute: NonZeroU32::new(3), ..ApiConfig::default() }
}

#[tokio::test]
async fn a_credential_that_sends_too_much_is_slowed_down_and_its_neighbours_are_not() {
    let app = TestApp::with(ApiConfig { rate_limits: "credential=3".parse().unwrap(), ..ApiConfig::default() }).await;
    let key = app.owner().post("/api/v1/keys", json!({"name": "k", "scopes": ["jobs:read"]})).await.expect(201);
    let machine = app.with_key(&key.member("key"));
    for _ in 0..3 {
        machine.get(JOBS).await.expect(200);
    }
    let refused = machine.get(JOBS).await;
    assert!(refused.problem(429)["detail"].as_str().unwrap().contains("Your credential"));
    assert_eq!(refused.header("retry-after"), "1");
    app.owner().get(JOBS).await.expect(200);
    app.as_role(Role::Read).get(JOBS).await.expect(200);
    app.advance(Duration::from_secs(1));
    machine.get(JOBS).await.expect(200);
}

#[tokio::test]
async fn a_tenant_that_sends_too_much_is_slowed_down_in_every_dialect_and_the_others_are_not() {
    let app = TestApp::with(ApiConfig { rate_limits: "tenant=3".parse().unwrap(), ..ApiConfig::default() }).await;
    for role in [Role::Owner, Role::Admin, Role::Read] {
        app.as_role(role).get(JOBS).await.expect(200);
    }
    for path in [JOBS, "/api/v1/queues", "/api/integrations/jobs", "/job"] {
        app.owner().get(path).await.expect(429);
    }
    app.as_role(Role::SystemAdmin).with_header("x-tenantid", "org-1").get("/api/v1/admin/jobs").await.expect(429);
    for path in [JOBS, "/api/integrations/jobs", "/job"] {
        app.as_role_in(Role::Owner, "org-2").get(path).await.expect(200);
    }
}

#[tokio::test]
async fn keys_cannot_be_guessed_in_bulk_and_good_ones_still_work() {
    let app = TestApp::with(few_failures()).await;
    let key = app.owner().post("/api/v1/keys", json!({"name": "k", "scopes": ["jobs:read"]})).await.expect(201);
    let machine = app.with_key(&key.member("key"));
    machine.get(JOBS).await.expect(200);
    // Whoever shows nothing guesses at nothing.
    for _ in 0..10 {
        app.anonymous().get(JOBS).await.expect(401);
    }
    for guess in 0..3 {
        app.with_key(&format!("hrm_{guess}_guess")).get(JOBS).await.expect(401);
    }
    let refused = app.with_key("hrm_4_guess").get(JOBS).await;
    assert!(refused.problem(429)["detail"].as_str().unwrap().contains("your address"));
    assert_eq!(refused.header("retry-after"), "21");
    // A key that was good a moment ago is known; one that was never seen has to wait like any guess.
    machine.get(JOBS).await.expect(200);
    app.as_role(Role::Read).get(JOBS).await.expect(429);
    app.advance(Duration::from_secs(21));
    app.as_role(Role::Read).get(JOBS).await.expect(200);
}

#[tokio::test]
async fn credentials_cannot_be_guessed_at_the_metrics_either() {
    let app = TestApp::with(few_failures()).await;
    for guess in 0..3 {
        app.with_key(&format!("hrm_{guess}_guess")).get("/metrics").await.expect(401);
    }
    for path in ["/metrics", JOBS] {
        app.with_key("hrm_4_guess").get(path).await.problem(429);
    }
}

#[tokio::test]
async fn failures_are_counted_by_the_address_that_a_trusted_proxy_tells() {
    let config = ApiConfig { trusted_proxies: "127.0.0.1".parse().unwrap(), ..few_failures() };
    let app = TestApp::with(config).await;
    let guess = |from: &str| app.with_key("hrm_1_guess").with_header("x-forwarded-for", from);
    for forged in ["203.0.113.1", "203.0.113.2", "203.0.113.3"] {
        guess(&format!("{forged}, 198.51.100.7")).get(JOBS).await.expect(401);
    }
    guess("203.0.113.4, 198.51.100.7").get(JOBS).await.expect(429);
    guess("198.51.100.8").get(JOBS).await.expect(401);
}

#[tokio::test]
async fn a_body_that_drips_is_a_408_and_its_connection_is_closed() {
    let app = TestApp::with(ApiConfig { body_grace: Duration::from_millis(300), ..ApiConfig::default() }).await;
    let (token, address) = (app.token(Role::Owner, "org-1"), app.address().to_owned());
    let answer = tokio::task::spawn_blocking(move || {
        let mut socket = TcpStream::connect(address).unwrap();
        write!(
            socket,
            "POST {JOBS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: 1000\r\n\r\n"
        )
        .unwrap();
        let mut dripping = socket.try_clone().unwrap();
        std::thread::spawn(move || {
            while dripping.write_all(b" ").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let mut answer = Vec::new();
        let mut chunk = [0; 4096];
        // The server may reset what it no longer reads; what it said before counts.
        while let Ok(count) = socket.read(&mut chunk) {
            if count == 0 {
                break;
            }
            answer.extend_from_slice(&chunk[..count]);
        }
        String::from_utf8(answer).unwrap()
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("came too slowly"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
}
