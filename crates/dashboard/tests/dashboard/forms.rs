//! Forms are taken from pages of ours, and of the very session, alone.

use horarium_auth::Role;
use horarium_domain::agent::TaskState;
use horarium_domain::execution::ExecutionState;
use reqwest::Method;

use crate::support::{Browser, Shown, TestApp, token};

#[actix_web::test]
async fn a_form_without_the_sessions_token_changes_nothing() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    let foreign = app.signed_in(Role::Owner).await.get("/overview").await.form_token();
    for fields in [&[][..], &[("form_token", "")], &[("form_token", foreign.as_str())]] {
        let refused = browser.post("/sign-out", fields).await.expect(403);
        assert!(refused.says("This form is too old"), "{}", refused.html);
    }
    browser.get("/overview").await.expect(200);
}

#[actix_web::test]
async fn a_form_of_another_site_changes_nothing_even_with_the_token() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    for evil in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        let mut elsewhere = browser.clone().sending_from(Some(evil));
        let refused = elsewhere.submit("/sign-out", &[]).await.expect(403);
        assert!(refused.says("This came from another site"), "{}", refused.html);
    }
    for site in ["cross-site", "same-site"] {
        browser.clone().with_header("sec-fetch-site", site).submit("/sign-out", &[]).await.expect(403);
    }
    browser.get("/overview").await.expect(200);
    browser.with_header("sec-fetch-site", "same-origin").submit("/sign-out", &[]).await.expect(303);
}

#[actix_web::test]
async fn nobody_is_signed_in_by_another_site() {
    let app = TestApp::start().await;
    let shown = token(Role::Owner, "org-1");
    for origin in [Some("https://evil.example"), None] {
        let mut browser = app.browser().sending_from(origin);
        browser.sign_in(&shown).await.expect(403);
        assert!(browser.cookies.is_empty());
    }
    app.browser().sending_from(None).with_header("sec-fetch-site", "same-origin").sign_in(&shown).await.expect(303);
}

#[actix_web::test]
async fn only_forms_of_a_sensible_length_are_taken() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    let long = "x".repeat(70 * 1024);
    browser.submit("/sign-out", &[("note", &long)]).await.expect(413);
    let mut here = browser.clone().with_header("sec-fetch-site", "same-origin");
    here.send_as(Method::POST, "/sign-out").await.expect(400);
    here.send_as(Method::PUT, "/sign-out").await.expect(405);
    browser.get("/overview").await.expect(200);
}

/// Sends the form of a page twice, as somebody does who clicks twice; answers where both led.
async fn sent_twice(browser: &mut Browser, page: &Shown, path: &str) -> [String; 2] {
    let fields = page.fields();
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let first = browser.submit(path, &fields).await.expect(303);
    let second = browser.submit(path, &fields).await.expect(303);
    [first, second].map(|answer| answer.header("location").to_owned())
}

#[actix_web::test]
async fn a_form_that_is_sent_twice_runs_the_work_once() {
    let app = TestApp::start().await;
    let job = app.job("payout", None).await;
    let mut browser = app.signed_in(Role::Write).await;
    let path = format!("/jobs/{job}/trigger");
    let form = browser.get(&path).await.expect(200);
    let [first, second] = sent_twice(&mut browser, &form, &path).await;
    assert_eq!(first, second);
    let another = browser.get(&path).await.expect(200);
    assert_ne!(sent_twice(&mut browser, &another, &path).await[0], first, "whoever asks anew means it");
    assert!(browser.get("/executions").await.says("2 of 2 executions"));

    let claimed = [app.claim().await, app.claim().await];
    for claimed in &claimed {
        app.end(claimed, ExecutionState::Failed).await;
    }
    let [one, other] = claimed.map(|claimed| claimed.lease.execution_id);
    let page = browser.get(&format!("/executions/{one}")).await.expect(200);
    let [first, second] = sent_twice(&mut browser, &page, &format!("/executions/{one}/retry")).await;
    assert_eq!(first, second);
    let page = browser.get(&format!("/executions/{one}")).await.expect(200);
    assert_eq!(page.html.matches(&format!(r#"href="{first}""#)).count(), 1, "it is noted once: {}", page.html);

    let question = format!("/executions/selected?action=retry&back=/executions&id={one}&id={other}");
    let question = browser.get(&question).await.expect(200);
    sent_twice(&mut browser, &question, "/executions/selected").await;
    assert!(browser.get("/executions").await.says("5 of 5 executions"), "two more of the two that were ticked");
}

#[actix_web::test]
async fn hosts_are_asked_once_by_a_form_that_is_sent_twice() {
    let app = TestApp::start().await;
    let claimed = app.broadcast(&[("web-1", TaskState::Failed)]).await;
    app.end(&claimed, ExecutionState::Failed).await;
    let path = format!("/executions/{}/retry-hosts", claimed.lease.execution_id);
    let mut browser = app.signed_in(Role::Write).await;
    let question = browser.get(&path).await.expect(200);
    let [first, second] = sent_twice(&mut browser, &question, &path).await;
    assert_eq!(first, second);
}

#[actix_web::test]
async fn nobody_chooses_the_ids_of_executions() {
    let app = TestApp::start().await;
    let job = app.job("payout", None).await;
    let path = format!("/jobs/{job}/trigger");
    let mut browser = app.signed_in(Role::Write).await;
    let form = browser.get(&path).await.expect(200).fields();
    let (_, theirs) = form.into_iter().find(|(name, _)| name == "once").unwrap();
    let mut browser = app.signed_in(Role::Write).await;
    for chosen in [theirs.as_str(), "01980000-0000-7000-8000-000000000000", "x.y"] {
        let led = browser.submit(&path, &[("once", chosen)]).await.expect(303).header("location").to_owned();
        assert!(!led.contains(&chosen[..chosen.len().min(30)]), "{led}");
    }
    assert!(browser.get("/executions").await.says("3 of 3 executions"));
}
