//! What open pages follow.

use std::time::Duration;

use horarium_auth::Role;

use crate::support::TestApp;

#[actix_web::test]
async fn a_page_is_told_what_changed_in_its_tenant_and_nowhere_else() {
    let app = TestApp::start().await;
    let job = app.job("nightly", None).await;
    let mut mine = app.signed_in(Role::Read).await.follow("/events").await;
    let mut theirs = app.signed_in_to(Role::Read, "org-2").await.follow("/events").await;
    assert!(mine.block().await.unwrap().starts_with("retry:"));
    assert!(theirs.block().await.unwrap().starts_with("retry:"));

    let claimed = app.begin(job).await;
    let told = mine.block().await.unwrap();
    let topics = format!("data: executions execution:{} job:{job}", claimed.lease.execution_id);
    assert!(told.contains("event: changed") && told.contains(&topics), "{told}");

    app.job("hourly", None).await;
    assert!(mine.block().await.unwrap().contains("data: jobs job:"));
    let closed = tokio::time::timeout(Duration::from_millis(200), theirs.block()).await;
    assert!(closed.is_err(), "nothing of another tenant is told: {closed:?}");
}

#[actix_web::test]
async fn what_changes_within_a_second_is_told_together_and_of_too_much_only_that() {
    let app = TestApp::start().await;
    let mut followed = app.signed_in(Role::Read).await.follow("/events").await;
    assert!(followed.block().await.unwrap().starts_with("retry:"));
    let first = app.job("first", None).await;
    let told = followed.block().await.unwrap();
    assert!(told.ends_with(&format!("event: changed\ndata: jobs job:{first}")), "nothing is gathered yet: {told}");

    let (second, third) = (app.job("second", None).await, app.job("third", None).await);
    let told = followed.block().await.unwrap();
    assert!(told.ends_with(&format!("event: changed\ndata: jobs job:{second} job:{third}")), "{told}");

    for number in 0..60 {
        app.job(&format!("job-{number}"), None).await;
    }
    let told = followed.block().await.unwrap();
    assert!(told.starts_with("id: ") && told.ends_with("event: reset\ndata: all"), "{told}");
}

#[actix_web::test]
async fn a_stream_ends_with_its_session() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Read).await;
    let mut followed = browser.follow("/events").await;
    assert!(followed.block().await.is_some());
    browser.submit("/sign-out", &[]).await.expect(303);
    assert_eq!(followed.block().await, None);
}

#[actix_web::test]
async fn to_follow_is_no_use_of_a_session() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Read).await;
    app.advance(Duration::from_mins(50));
    assert!(browser.follow("/events").await.block().await.is_some());
    app.advance(Duration::from_mins(20));
    browser.get("/events").await.expect(401);
}

#[actix_web::test]
async fn whoever_may_not_follow_is_not_made_to_try() {
    let app = TestApp::start().await;
    let (_, key) = app.key(&["jobs:read"]).await;
    let mut browser = app.browser();
    browser.sign_in(&key).await.expect(303);
    assert!(!browser.get("/overview").await.expect(200).says("data-events"));
    browser.get("/events").await.expect(403);
    assert!(app.signed_in(Role::Read).await.get("/overview").await.says(r#"data-events="/events""#));
}
