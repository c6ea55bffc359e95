//! What a browser is shown where a server has pages beside the API.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig};
use horarium_api::{ApiConfig, RefusalPage};
use horarium_scheduler_engine::memory::MemoryStore;
use reqwest::Method;

use crate::support::TestApp;

/// What browsers say they read.
const BROWSER: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

fn draw(status: StatusCode, detail: &str, request_id: &str) -> HttpResponse {
    HttpResponse::build(status).content_type("text/html").body(format!("<p>{detail}</p>{request_id}"))
}

async fn slow() -> HttpResponse {
    std::future::pending().await
}

async fn broken() -> HttpResponse {
    panic!("the inside of it")
}

fn pages(cfg: &mut ServiceConfig) {
    cfg.app_data(RefusalPage::new(draw)).route("/slow", web::get().to(slow)).route("/broken", web::get().to(broken));
}

async fn start() -> TestApp {
    let config = ApiConfig { request_timeout: Duration::from_millis(100), ..ApiConfig::default() };
    TestApp::beside(pages, Arc::new(MemoryStore::new()), config).await
}

#[tokio::test]
async fn a_browser_is_shown_a_page_whatever_the_refusal() {
    let app = start().await;
    let browser = app.anonymous().with_header("accept", BROWSER);
    for (method, path, status, told) in [
        (Method::GET, "/nowhere", 404, "There is nothing at this path"),
        (Method::POST, "/nowhere", 404, "There is nothing at this path"),
        (Method::POST, "/health/live", 405, "This path does not take POST"),
        (Method::GET, "/slow", 503, "The request took too long"),
        (Method::GET, "/broken", 500, "An internal error occurred."),
    ] {
        let shown = browser.send(method, path, None).await.expect(status);
        assert_eq!(shown.header("content-type"), "text/html", "{path}");
        assert_eq!(shown.header("allow").is_empty(), status != 405, "{path}");
        assert_eq!(shown.header("retry-after").is_empty(), status != 503, "{path}");
        let html = shown.text();
        assert!(html.contains(told) && html.ends_with(shown.header("x-request-id")), "{path}: {html}");
        assert!(!html.contains("the inside"), "{path}: {html}");
    }
}

#[tokio::test]
async fn programs_are_told_as_ever() {
    let app = start().await;
    let browser = app.anonymous().with_header("accept", BROWSER);
    let program = app.anonymous().with_header("accept", "*/*");
    for (path, status) in [("/nowhere", 404), ("/slow", 503), ("/broken", 500)] {
        program.get(path).await.problem(status);
    }
    for path in ["/api/v1/nowhere", "/api/integrations/nowhere", "/v1/toolkit/nowhere", "/paid/nowhere", "/job/a/b"] {
        let answer = browser.get(path).await.expect(404);
        assert!(answer.header("content-type").contains("json"), "{path}: {}", answer.header("content-type"));
    }
}

#[tokio::test]
async fn a_route_that_panics_costs_its_own_request_alone() {
    let app = start().await;
    for _ in 0..3 {
        let refused = app.anonymous().get("/broken").await;
        assert!(!refused.problem(500).to_string().contains("the inside"));
        app.anonymous().get("/health/live").await.expect(200);
    }
}
