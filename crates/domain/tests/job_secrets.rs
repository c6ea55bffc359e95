//! What of an HTTP call is secret, and that its `Debug` form does not tell it.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

use horarium_domain::job::{HttpCall, JobConfiguration, JobType};
use serde_json::json;

#[test]
fn headers_that_hold_secrets_are_known_by_their_names() {
    let secret = [
        "Authorization",
        "proxy-authorization",
        "Cookie",
        "Set-Cookie",
        "X-API-Key",
        "x-auth-TOKEN",
        "Client_Secret",
        "apikey",
        "Token",
    ];
    for name in secret {
        assert!(HttpCall::is_secret_header(name), "{name}");
    }
    for name in ["Accept", "Content-Type", "X-Monkey", "Tokens", "X-Key-Id"] {
        assert!(!HttpCall::is_secret_header(name), "{name}");
    }
}

#[test]
fn the_debug_form_of_a_call_hides_its_secrets() {
    let call = json!({
        "url": "https://a.example", "headers": {"Authorization": "Bearer s3cret", "Accept": "text/plain"},
        "body": "s3cret", "bodySecret": true,
    });
    let shown = format!("{:?}", JobConfiguration::parse(JobType::HttpCall, &call).unwrap());
    assert!(!shown.contains("s3cret") && shown.contains("text/plain"), "{shown}");
}
