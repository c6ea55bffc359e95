//! Redirects: where they lead, what travels along and what stays behind.

use horarium_executors::HttpCallSettings;
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::{call, call_with, failed, open_settings, succeeded};

async fn redirecting(status: u16, location: &str) -> MockServer {
    let server = MockServer::start().await;
    let response = ResponseTemplate::new(status).insert_header("Location", location).set_body_string("moved");
    Mock::given(path("/from")).respond_with(response).mount(&server).await;
    Mock::given(path("/to")).respond_with(ResponseTemplate::new(200).set_body_string("arrived")).mount(&server).await;
    server
}

fn post(server: &MockServer) -> Value {
    json!({
        "url": format!("{}/from", server.uri()),
        "method": "POST",
        "headers": { "Authorization": "Bearer a", "Cookie": "b", "X-Api-Key": "c", "Idempotency-Key": "d", "X-Trace": "e" },
        "body": { "order": 7 },
    })
}

async fn last_request(server: &MockServer) -> Request {
    server.received_requests().await.unwrap().pop().unwrap()
}

fn names(request: &Request) -> Vec<&str> {
    let all =
        ["authorization", "cookie", "x-api-key", "idempotency-key", "x-trace", "content-type", "x-horarium-attempt"];
    all.into_iter().filter(|name| request.headers.contains_key(*name)).collect()
}

#[tokio::test]
async fn a_redirect_turns_a_post_into_a_get_unless_its_status_forbids_that() {
    for (status, method, body) in [
        (301, "GET", ""),
        (302, "GET", ""),
        (303, "GET", ""),
        (307, "POST", r#"{"order":7}"#),
        (308, "POST", r#"{"order":7}"#),
    ] {
        let server = redirecting(status, "/to").await;
        let (output, _) = succeeded(call(&post(&server)).await);
        assert_eq!(output.unwrap().text, "arrived");
        let request = last_request(&server).await;
        assert_eq!(
            (request.method.as_str(), String::from_utf8_lossy(&request.body).as_ref()),
            (method, body),
            "{status}"
        );
        assert_eq!(request.headers.contains_key("content-type"), !body.is_empty(), "{status}");
    }
}

#[tokio::test]
async fn secrets_follow_within_a_server_and_stay_behind_on_the_way_to_another() {
    let server = redirecting(307, "/to").await;
    succeeded(call(&post(&server)).await);
    let kept = names(&last_request(&server).await).len();
    assert_eq!(kept, 7);

    let other = redirecting(200, "/").await;
    let server = redirecting(307, &format!("{}/to", other.uri())).await;
    succeeded(call(&post(&server)).await);
    let arrived = last_request(&other).await;
    assert_eq!(names(&arrived), ["idempotency-key", "x-trace", "content-type", "x-horarium-attempt"]);
}

#[tokio::test]
async fn credentials_of_the_url_stay_behind_as_well() {
    let other = redirecting(200, "/").await;
    let server = redirecting(302, &format!("{}/to", other.uri())).await;
    let url = server.uri().replace("http://", "http://ann:s3cret@") + "/from";
    succeeded(call(&json!({ "url": url })).await);
    assert!(last_request(&server).await.headers.contains_key("authorization"));
    assert!(!last_request(&other).await.headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_redirect_that_counts_as_success_is_not_followed() {
    let server = redirecting(302, "/to").await;
    let configuration = json!({ "url": format!("{}/from", server.uri()), "successStatusCodes": [302] });
    let (output, _) = succeeded(call(&configuration).await);
    assert_eq!(output.unwrap().text, "moved");
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_redirect_without_a_place_to_go_is_an_ordinary_answer() {
    let server = MockServer::start().await;
    Mock::given(path("/from")).respond_with(ResponseTemplate::new(302)).mount(&server).await;
    let (failure, _) = failed(call(&json!({ "url": format!("{}/from", server.uri()) })).await);
    assert_eq!(failure.http_status, Some(302));
}

#[tokio::test]
async fn going_in_circles_ends() {
    let server = redirecting(302, "/from").await;
    let settings = HttpCallSettings { max_redirects: 3, ..open_settings() };
    let (failure, _) = failed(call_with(settings, &json!({ "url": format!("{}/from", server.uri()) })).await);
    assert!(failure.error.contains("yet another redirect after 3"), "{failure:?}");
    assert_eq!(server.received_requests().await.unwrap().len(), 4);
}

#[tokio::test]
async fn only_http_is_followed() {
    for location in ["ftp://files.example/x", "file:///etc/passwd", "javascript:alert(1)"] {
        let server = redirecting(302, location).await;
        let (failure, _) = failed(call(&json!({ "url": format!("{}/from", server.uri()) })).await);
        assert!(!failure.retryable && failure.error.contains("only http and https are followed"), "{failure:?}");
    }
}
