//! The dashboard, mounted beside the API.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Home, Server};
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Client, Response, redirect};
use serde_json::json;

fn browser() -> Client {
    Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap()
}

async fn get(server: &Server, path: &str, cookie: &str) -> Response {
    let request = browser().get(format!("{}{path}", server.url)).header(ACCEPT, "text/html").header(COOKIE, cookie);
    request.header(ACCEPT_ENCODING, "gzip").send().await.unwrap()
}

async fn sign_in(server: &Server, credential: &str) -> Response {
    let request = browser().post(format!("{}/sign-in", server.url)).header(ORIGIN, &server.url);
    let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    request.body(format!("credential={credential}")).send().await.unwrap()
}

fn cookie_of(answer: &Response) -> String {
    let line = answer.headers()[SET_COOKIE].to_str().unwrap();
    line.split_once(';').unwrap().0.to_owned()
}

#[tokio::test]
async fn somebody_signs_in_with_what_the_first_start_prints_and_the_audit_log_tells() {
    let home = Home::new();
    let mut server = home.serve().await;
    let printed = server.printed();
    let token = printed.lines().find_map(|line| line.strip_prefix("export HORARIUM_TOKEN=")).unwrap().to_owned();

    let signed_in = sign_in(&server, &token).await;
    assert_eq!((signed_in.status().as_u16(), &signed_in.headers()[LOCATION]), (303, &"/".parse().unwrap()));
    let cookie = cookie_of(&signed_in);
    let page = get(&server, "/overview", &cookie).await;
    assert_eq!(page.status(), 200);
    assert_eq!(page.headers()[CONTENT_ENCODING], "gzip");
    assert!(!page.headers()["x-request-id"].is_empty());
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("script-src 'self'"));

    let (status, audit) = server.call("GET", "/api/v1/audit?action=sign_in", &token, None).await;
    assert_eq!(status, 200, "{audit}");
    let entry = &audit["items"][0];
    assert_eq!((&entry["status"], &entry["route"]), (&303.into(), &"/sign-in".into()), "{audit}");
    server.stop();
}

#[tokio::test]
async fn pages_leave_the_api_as_it_is() {
    let home = Home::new();
    let mut server = home.serve().await;
    for (path, status, media_type) in [
        ("/api/v1/nothing", 404, "application/problem+json"),
        ("/api/v1/scheduler/jobs", 401, "application/problem+json"),
        ("/docs", 200, "text/html"),
        ("/health/live", 200, "application/json"),
        ("/nothing", 404, "text/html"),
    ] {
        let answer = get(&server, path, "").await;
        let given = answer.headers()[CONTENT_TYPE].to_str().unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert!(given.starts_with(media_type), "{path}: {given}");
    }
    server.stop();
}

#[tokio::test]
async fn what_is_refused_before_it_comes_to_a_page_is_a_page_to_a_browser_and_json_to_a_program() {
    let home = Home::new();
    let mut server = home.serve().await;
    for (method, path, status) in
        [("POST", "/nothing", 404), ("GET", "/nothing", 404), ("POST", "/health/live", 405), ("PUT", "/jobs", 405)]
    {
        let call = || browser().request(method.parse().unwrap(), format!("{}{path}", server.url));
        let shown = call().header(ACCEPT, "text/html,*/*;q=0.8").send().await.unwrap();
        assert_eq!(shown.status(), status, "{path}");
        assert_eq!(shown.headers().contains_key("allow"), status == 405, "{path}");
        assert!(shown.headers()["content-security-policy"].to_str().unwrap().contains("style-src 'self'"), "{path}");
        let html = shown.text().await.unwrap();
        assert!(html.starts_with("<!doctype html>") && html.contains(&format!(">{status}</p>")), "{path}: {html}");
    }
    for (path, status) in [("/nothing", 404), ("/health/live", 405)] {
        let (told, problem) = server.call("POST", path, "", None).await;
        assert_eq!((told, &problem["status"]), (status, &status.into()), "{path}: {problem}");
    }
    server.stop();
}

#[tokio::test]
async fn whoever_may_not_is_in_the_audit_log_as_if_he_had_asked_the_api() {
    let home = Home::new();
    let mut server = home.serve().await;
    let job = "00000000-0000-0000-0000-000000000007";
    let cookie = cookie_of(&sign_in(&server, &home.stdout_of(&["token", "create", "--role", "read"])).await);
    let page = browser().get(format!("{}/overview", server.url)).header(COOKIE, &cookie).send().await.unwrap();
    let page = page.text().await.unwrap();
    let (_, form_token) = page.split_once(r#"name="form_token" value=""#).unwrap();
    let (form_token, _) = form_token.split_once('"').unwrap();
    let request = browser().post(format!("{}/jobs/{job}/pause", server.url)).header(COOKIE, cookie);
    let request = request.header(ORIGIN, &server.url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let refused = request.body(format!("form_token={form_token}")).send().await.unwrap();
    assert_eq!(refused.status(), 403);

    let owner = home.stdout_of(&["token", "create", "--role", "owner"]);
    let (_, audit) = server.call("GET", "/api/v1/audit?action=pause_job", &owner, None).await;
    let entry = &audit["items"][0];
    assert_eq!((&entry["status"], &entry["route"]), (&403.into(), &"/jobs/{job}/pause".into()), "{audit}");
    assert_eq!((&entry["target"]["kind"], &entry["target"]["before"]), (&"job".into(), &job.into()), "{audit}");
    server.stop();
}

#[tokio::test]
async fn refused_credentials_count_with_those_of_the_api() {
    let home = Home::new().with("HORARIUM_FAILED_LOGINS_PER_MINUTE", "2");
    let mut server = home.serve().await;
    assert_eq!(sign_in(&server, "nonsense").await.status(), 401);
    assert_eq!(server.call("GET", "/api/v1/scheduler/jobs", "nonsense", None).await.0, 401);
    assert_eq!(sign_in(&server, "nonsense").await.status(), 429);
    server.stop();
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let home = Home::new().with("HORARIUM_DASHBOARD", "false");
    let mut server = home.serve().await;
    for path in ["/", "/sign-in", "/overview"] {
        assert_eq!(get(&server, path, "").await.status(), 404, "{path}");
    }
    server.stop();
}

#[tokio::test]
async fn each_execution_that_is_ticked_has_an_entry_of_its_own() {
    let home = Home::new();
    let mut server = home.serve().await;
    let printed = server.printed();
    let token = printed.lines().find_map(|line| line.strip_prefix("export HORARIUM_TOKEN=")).unwrap().to_owned();
    let call = async |method: &str, path: &str, body| server.call(method, path, &token, Some(body)).await.1;
    call("PUT", "/api/v1/queues/default", json!({"paused": true})).await;
    let configuration = json!({"handlerType": "system.reportGeneration"});
    let job = json!({"name": "ticked", "jobType": "CodeExecution", "jobConfiguration": configuration});
    let job = call("POST", "/api/v1/scheduler/jobs", job).await["id"].as_str().unwrap().to_owned();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let id = call("POST", &format!("/api/v1/scheduler/jobs/{job}/trigger"), json!({})).await;
        ids.push(id.as_str().unwrap().to_owned());
    }

    let cookie = cookie_of(&sign_in(&server, &token).await);
    let page = browser().get(format!("{}/executions", server.url)).header(COOKIE, &cookie).send().await.unwrap();
    let page = page.text().await.unwrap();
    let (_, rest) = page.split_once(r#"name="form_token" value=""#).unwrap();
    let form = format!("form_token={}&action=cancel&id={}&id={}", rest.split_once('"').unwrap().0, ids[0], ids[1]);
    let request = browser().post(format!("{}/executions/selected", server.url)).header(COOKIE, &cookie);
    let request = request.header(ORIGIN, &server.url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    assert_eq!(request.body(form).send().await.unwrap().status(), 303);

    let audit = server.call("GET", "/api/v1/audit?action=stop_execution", &token, None).await.1;
    let entries = audit["items"].as_array().unwrap();
    let told: Vec<_> = entries.iter().map(|entry| (&entry["target"]["before"], &entry["status"])).collect();
    let [one, other] = [&ids[1], &ids[0]].map(|id| json!(id));
    assert_eq!(told, [(&one, &json!(303)), (&other, &json!(303))], "{audit}");
    server.stop();
}
