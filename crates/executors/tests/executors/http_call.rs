//! Requests as they arrive and responses as they are judged.

use std::time::Duration;

use horarium_domain::execution::Output;
use horarium_domain::job::JobType;
use horarium_executors::{HttpCallExecutor, HttpCallSettings};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use wiremock::matchers::{any, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::{
    EXECUTION, RawServer, call, call_with, execute, failed, open_settings, read_head, run, run_with_payload, succeeded,
};

async fn server_answering(response: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response).mount(&server).await;
    server
}

async fn only_request(server: &MockServer) -> Request {
    let mut requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let values: Vec<_> = request.headers.get_all(name).iter().collect();
    assert!(values.len() <= 1, "{name} is sent {} times", values.len());
    values.first().map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_call_tells_its_target_which_execution_and_attempt_it_is() {
    let server = server_answering(ResponseTemplate::new(200)).await;
    succeeded(call(&json!({ "url": server.uri() })).await);

    let request = only_request(&server).await;
    assert_eq!(request.method.as_str(), "GET");
    assert_eq!(header(&request, "Idempotency-Key"), Some(EXECUTION));
    assert_eq!(header(&request, "X-Horarium-Execution-Id"), Some(EXECUTION));
    assert_eq!(header(&request, "X-Horarium-Attempt"), Some("2"));
    assert_eq!(header(&request, "User-Agent"), Some(concat!("horarium/", env!("CARGO_PKG_VERSION"))));
}

#[tokio::test]
async fn a_job_may_name_its_own_key_and_agent_but_not_another_attempt() {
    let server = server_answering(ResponseTemplate::new(200)).await;
    let headers = json!({
        "idempotency-key": "order-{{Execution.Attempt}}",
        "USER-AGENT": "nightly/1",
        "x-horarium-attempt": "99",
        "Content-Length": "7000",
        "Transfer-Encoding": "chunked",
        "Authorization": "Bearer abc",
    });
    succeeded(call(&json!({ "url": server.uri(), "method": "post", "headers": headers, "body": "x" })).await);

    let request = only_request(&server).await;
    assert_eq!(request.method.as_str(), "POST");
    assert_eq!(header(&request, "Idempotency-Key"), Some("order-2"));
    assert_eq!(header(&request, "User-Agent"), Some("nightly/1"));
    assert_eq!(header(&request, "X-Horarium-Attempt"), Some("2"));
    assert_eq!(header(&request, "Authorization"), Some("Bearer abc"));
    assert_eq!(header(&request, "Content-Length"), Some("1"));
    assert_eq!(header(&request, "Transfer-Encoding"), None);
}

#[tokio::test]
async fn a_text_body_is_sent_as_it_is_and_any_other_as_json() {
    for (body, content_type, sent) in [
        (json!("a=1&b=2"), None, "a=1&b=2"),
        (json!({ "b": [1, "{{Today}}"] }), Some("application/json"), r#"{"b":[1,"2025-07-10"]}"#),
        (json!(7), Some("application/json"), "7"),
    ] {
        let server = server_answering(ResponseTemplate::new(200)).await;
        succeeded(call(&json!({ "url": server.uri(), "method": "PUT", "body": body })).await);
        let request = only_request(&server).await;
        assert_eq!(String::from_utf8_lossy(&request.body), sent);
        assert_eq!(header(&request, "Content-Type"), content_type);
    }
}

#[tokio::test]
async fn a_content_type_of_the_job_is_kept() {
    let server = server_answering(ResponseTemplate::new(200)).await;
    let headers = json!({ "content-type": "application/vnd.api+json" });
    succeeded(call(&json!({ "url": server.uri(), "method": "POST", "headers": headers, "body": {} })).await);
    assert_eq!(header(&only_request(&server).await, "Content-Type"), Some("application/vnd.api+json"));
}

#[tokio::test]
async fn the_payload_is_the_body_of_a_post_without_one_and_never_of_a_get() {
    for (method, body) in [("POST", r#"{"order":7}"#), ("PATCH", r#"{"order":7}"#), ("GET", ""), ("DELETE", "")] {
        let server = server_answering(ResponseTemplate::new(200)).await;
        let configuration = json!({ "url": server.uri(), "method": method });
        let run = run_with_payload(JobType::HttpCall, &configuration, json!({ "order": 7 }));
        succeeded(execute(&HttpCallExecutor::new(open_settings()).unwrap(), run).await);
        assert_eq!(String::from_utf8_lossy(&only_request(&server).await.body), body, "{method}");
    }
}

#[tokio::test]
async fn credentials_in_the_url_are_sent_and_told_to_nobody() {
    let server = server_answering(ResponseTemplate::new(500)).await;
    let url = server.uri().replace("http://", "http://ann:s3cret@") + "/orders?token=t0ken";
    let (failure, _) = failed(call(&json!({ "url": url })).await);

    assert_eq!(header(&only_request(&server).await, "Authorization"), Some("Basic YW5uOnMzY3JldA=="));
    assert!(failure.error.contains("/orders answered 500 Internal Server Error"), "{}", failure.error);
    assert!(!failure.error.contains("s3cret") && !failure.error.contains("t0ken"), "{}", failure.error);
}

#[tokio::test]
async fn the_body_of_a_success_is_the_output() {
    let server = server_answering(ResponseTemplate::new(201).set_body_string("done")).await;
    let (output, items) = succeeded(call(&json!({ "url": server.uri() })).await);
    assert_eq!(output, Some(Output { text: "done".into(), truncated: false }));
    assert_eq!(items, None);
}

#[tokio::test]
async fn a_json_object_may_say_how_many_items_were_processed() {
    for (body, items) in [
        (json!({ "itemsProcessed": 42 }), Some(42)),
        (json!({ "itemsProcessed": "42" }), None),
        (json!({ "itemsProcessed": -1 }), None),
        (json!([{ "itemsProcessed": 42 }]), None),
    ] {
        let server = server_answering(ResponseTemplate::new(200).set_body_json(&body)).await;
        assert_eq!(succeeded(call(&json!({ "url": server.uri() })).await).1, items, "{body}");
    }
}

#[tokio::test]
async fn only_the_listed_statuses_are_a_success_when_any_are_listed() {
    let server = MockServer::start().await;
    for status in [200, 204, 404] {
        let response = ResponseTemplate::new(status);
        Mock::given(path(format!("/{status}"))).respond_with(response).mount(&server).await;
    }
    let outcome = |status: u16, codes: Value| {
        let url = format!("{}/{status}", server.uri());
        async move { call(&json!({ "url": url, "successStatusCodes": codes })).await }
    };
    succeeded(outcome(204, Value::Null).await);
    succeeded(outcome(404, json!([200, 404])).await);
    assert_eq!(failed(outcome(204, json!([200])).await).0.http_status, Some(204));
    assert_eq!(failed(outcome(404, Value::Null).await).0.http_status, Some(404));
}

#[tokio::test]
async fn the_jobs_own_list_decides_which_statuses_are_worth_another_attempt() {
    let server = server_answering(ResponseTemplate::new(503).set_body_string("busy")).await;
    for (codes, retryable) in
        [(Value::Null, true), (json!([429, 503]), true), (json!([429]), false), (json!([]), false)]
    {
        let (failure, output) = failed(call(&json!({ "url": server.uri(), "retryOnStatusCodes": codes })).await);
        assert_eq!((failure.retryable, failure.http_status), (retryable, Some(503)), "{codes}");
        assert_eq!(output.unwrap().text, "busy");
    }
}

#[tokio::test]
async fn a_long_body_is_cut_and_the_attempt_does_not_wait_for_its_end() {
    let server = RawServer::start().await;
    let settings = HttpCallSettings { output_limit: 10, drain_limit: 100, ..open_settings() };
    let configuration = json!({ "url": server.url() });
    let endless = async {
        let (mut stream, _) = server.accept().await;
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head).await.unwrap();
        // Until the client has had enough and closes the connection.
        while stream.write_all(b"20\r\n0123456789abcdef0123456789abcdef\r\n").await.is_ok() {}
    };
    let (outcome, ()) = tokio::join!(call_with(settings, &configuration), endless);
    assert_eq!(succeeded(outcome).0, Some(Output { text: "0123456789".into(), truncated: true }));
}

#[tokio::test]
async fn a_cut_json_object_counts_no_items() {
    let server = server_answering(ResponseTemplate::new(200).set_body_string(r#"{"itemsProcessed":1}"#)).await;
    let settings = HttpCallSettings { output_limit: 19, ..open_settings() };
    let (output, items) = succeeded(call_with(settings, &json!({ "url": server.uri() })).await);
    assert_eq!((output.unwrap().truncated, items), (true, None));
}

#[tokio::test]
async fn bytes_that_are_no_text_do_not_spoil_the_output() {
    let server = server_answering(ResponseTemplate::new(200).set_body_bytes(b"caf\xe9 ok".to_vec())).await;
    let (output, _) = succeeded(call(&json!({ "url": server.uri() })).await);
    assert_eq!(output.unwrap().text, "caf\u{FFFD} ok");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_failure_even_after_a_200() {
    let server = RawServer::start().await;
    let configuration = json!({ "url": server.url() });
    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    let (outcome, _) = tokio::join!(call(&configuration), server.answer(response));
    let (failure, output) = failed(outcome);
    assert!(failure.retryable && failure.error.contains("but its body broke off"), "{failure:?}");
    assert_eq!(output.unwrap().text, "half");
}

#[tokio::test]
async fn a_call_that_takes_longer_than_its_own_timeout_fails_and_may_be_retried() {
    let server = server_answering(ResponseTemplate::new(200).set_delay(Duration::from_mins(1))).await;
    let (failure, _) = failed(call(&json!({ "url": server.uri(), "timeoutSeconds": 1 })).await);
    assert!(failure.retryable && failure.error.contains("within 1 s"), "{failure:?}");
}

#[tokio::test]
async fn what_went_wrong_is_told_plainly() {
    let closed = RawServer::start().await.address;
    let (failure, _) = failed(call(&json!({ "url": format!("http://{closed}/") })).await);
    assert!(failure.retryable && failure.error.contains("the connection was refused"), "{failure:?}");

    let (failure, _) = failed(call(&json!({ "url": "http://no-such-host.invalid/" })).await);
    assert!(failure.retryable && failure.error.contains("'no-such-host.invalid' cannot be resolved"), "{failure:?}");

    let plain = RawServer::start().await;
    let configuration = json!({ "url": format!("https://{}/", plain.address) });
    let not_tls = async {
        let mut stream = plain.accept_silently().await;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream
    };
    let (outcome, _) = tokio::join!(call(&configuration), not_tls);
    let (failure, _) = failed(outcome);
    assert!(failure.retryable && failure.error.contains("(TLS)"), "{failure:?}");

    let silent = RawServer::start().await;
    let configuration = json!({ "url": silent.url() });
    let (outcome, _) = tokio::join!(call(&configuration), silent.answer(b""));
    let (failure, _) = failed(outcome);
    assert!(failure.retryable && failure.error.contains("broke off"), "{failure:?}");
}

#[tokio::test]
async fn a_request_that_cannot_be_made_fails_for_good() {
    for (configuration, told) in [
        (json!({ "url": "http://[::1/" }), "jobConfiguration.url"),
        (json!({ "url": "http://a.example/", "method": "CONNECT" }), "jobConfiguration.method"),
        (json!({ "url": "http://a.example/{{Nonsense}}" }), "unknown template '{{Nonsense}}'"),
        (json!({ "url": "http://a.example/", "headers": { "X-A": "{{Payload.a}}" } }), "jobConfiguration.headers.X-A"),
    ] {
        let (failure, _) = failed(call(&configuration).await);
        assert!(!failure.retryable && failure.error.contains(told), "{failure:?}");
    }
}

#[tokio::test]
async fn calls_to_one_server_share_a_connection() {
    let server = RawServer::start().await;
    let executor = HttpCallExecutor::new(open_settings()).unwrap();
    let configuration = json!({ "url": server.url() });
    let one_connection = async {
        let (mut stream, _) = server.accept().await;
        for _ in 0..2 {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
            read_head(&mut stream).await;
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    };
    let calls = async {
        for _ in 0..3 {
            succeeded(execute(&executor, run(JobType::HttpCall, &configuration)).await);
        }
    };
    tokio::join!(one_connection, calls);
    assert!(server.was_left_alone());
}
