//! Health, metrics, documentation.

use horarium_api::ApiConfig;
use horarium_auth::Role;
use insta::assert_json_snapshot;

use crate::support::TestApp;

#[tokio::test]
async fn a_process_that_is_well_says_so_to_everybody() {
    let app = TestApp::start().await;
    assert_json_snapshot!("live", app.anonymous().get("/health/live").await.expect(200).json());
    assert_json_snapshot!("ready", app.anonymous().get("/health/ready").await.expect(200).json());
    assert_json_snapshot!("health", app.anonymous().get("/health").await.expect(200).json());
}

#[tokio::test]
async fn a_process_that_cannot_run_jobs_says_why_and_still_lives() {
    let app = TestApp::start().await;
    app.break_database("the schema is older than this program");
    assert_json_snapshot!("not_ready", app.anonymous().get("/health/ready").await.expect(503).json());
    app.anonymous().get("/health").await.expect(503);
    app.anonymous().get("/health/live").await.expect(200);
}

#[tokio::test]
async fn metrics_are_never_open_to_the_world() {
    let config = ApiConfig { metrics_token: Some("scrape-me".to_owned()), ..ApiConfig::default() };
    let app = TestApp::with(config).await;
    app.anonymous().get("/metrics").await.problem(401);
    app.anonymous().with_header("authorization", "Bearer scrape-you").get("/metrics").await.problem(401);
    app.owner().get("/metrics").await.problem(403);

    let answer = app.anonymous().with_header("authorization", "Bearer scrape-me").get("/metrics").await.expect(200);
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    app.as_role(Role::SystemAdmin).get("/metrics").await.expect(200);
    app.anonymous().with_header("authorization", "Bearer scrape-me").get("/api/v1/queues").await.problem(401);
}

#[tokio::test]
async fn without_a_metrics_token_an_empty_one_opens_nothing() {
    let app = TestApp::start().await;
    for value in ["Bearer ", "Bearer", "bearer  "] {
        app.anonymous().with_header("authorization", value).get("/metrics").await.problem(401);
    }
}

#[tokio::test]
async fn the_documentation_is_browsable_and_fetches_nothing_from_elsewhere() {
    let app = TestApp::start().await;
    let page = app.anonymous().get("/docs").await.expect(200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(!page.text().contains("http://") && !page.text().contains("https://"), "{}", page.text());
    assert!(!page.header("content-security-policy").contains("http"));
    for file in ["swagger-initializer.js", "swagger-ui-bundle.js", "swagger-ui.css"] {
        app.anonymous().get(&format!("/docs/{file}")).await.expect(200);
    }
    let script = app.anonymous().get("/docs/swagger-initializer.js").await.text();
    assert!(script.contains("/openapi.json"), "{script}");
    app.anonymous().get("/docs/no-such-file").await.problem(404);
}
