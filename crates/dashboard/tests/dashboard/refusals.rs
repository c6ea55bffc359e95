//! What is shown in the place of a page.

use horarium_auth::Role;
use reqwest::Method;

use crate::support::TestApp;

#[actix_web::test]
async fn where_there_is_nothing_a_page_says_so() {
    let app = TestApp::start().await;
    let page = app.signed_in(Role::Read).await.get("/jobz").await.expect(404);
    assert!(page.says("There is nothing here") && page.says("Sign out"), "{}", page.html);
    app.browser().get("/jobz").await.expect(404);
}

#[actix_web::test]
async fn whoever_may_not_is_told_what_it_needs() {
    let app = TestApp::start().await;
    let page = app.signed_in(Role::Owner).await.get("/tenant").await.expect(403);
    assert!(page.says("tenants:any"), "{}", page.html);
}

#[actix_web::test]
async fn whoever_may_read_nothing_is_told_so() {
    let app = TestApp::start().await;
    let page = app.signed_in(Role::Agent).await.get("/").await.expect(403);
    assert!(page.says("jobs:read"), "{}", page.html);
}

#[actix_web::test]
async fn an_address_that_cannot_be_read_is_a_page_too() {
    let app = TestApp::start().await;
    let page = app.signed_in(Role::SuperAdmin).await.get("/tenant?page=many").await.expect(400);
    assert!(page.says("could not be read"), "{}", page.html);
}

#[actix_web::test]
async fn whoever_sends_too_much_is_told_how_long_to_wait() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Read).await;
    app.host.become_busy();
    let page = browser.get("/overview").await.expect(429);
    assert_eq!(page.header("retry-after"), "3");
    assert!(page.says("You send too much. Go on in 3 s."), "{}", page.html);
}

#[actix_web::test]
async fn what_an_address_does_not_take_is_told_with_what_it_does() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    let page = browser.get("/jobs/7/pause").await.expect(405);
    assert!(page.header("allow") == "POST" && page.says("this address takes POST"), "{}", page.html);
    let page = browser.submit("/overview", &[]).await.expect(405);
    assert_eq!(page.header("allow"), "GET, HEAD");
    for method in [Method::PUT, Method::DELETE, Method::OPTIONS] {
        let page = browser.send_as(method, "/jobs").await.expect(405);
        assert_eq!(page.header("allow"), "GET, HEAD, POST");
    }
    browser.submit("/jobz", &[]).await.expect(404);
}

#[actix_web::test]
async fn a_form_that_is_too_long_is_told_how_long_it_may_be() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    let long = "x".repeat(70 * 1024);
    let page = browser.submit("/jobs", &[("description", &long)]).await.expect(413);
    assert!(page.says("a form may hold 64 KiB") && page.html.len() < 10_000, "{}", page.html);
}

#[actix_web::test]
async fn whoever_may_not_is_on_record_with_what_he_asked_for() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Read).await;
    for (path, operation) in [
        ("/agents/web-1/drain", "drain_agent"),
        ("/agents/web-1/forget", "delete_agent"),
        ("/agents/web-1/undrain", "undrain_agent"),
        ("/executions/7/cancel", "stop_execution"),
        ("/executions/7/retry", "rerun_execution"),
        ("/executions/7/retry-hosts", "retry_agent_job"),
        ("/jobs", "create_job"),
        ("/jobs/7", "update_job"),
        ("/jobs/7/delete", "delete_job"),
        ("/jobs/7/pause", "pause_job"),
        ("/jobs/7/resume", "resume_job"),
        ("/jobs/7/trigger", "trigger_job"),
        ("/keys", "create_key"),
        ("/keys/7/revoke", "revoke_key"),
        ("/keys/7/rotate", "rotate_key"),
        ("/queues/mail", "set_queue"),
        ("/queues/mail/pause", "set_queue"),
        ("/queues/mail/resume", "set_queue"),
        ("/settings/integrations/clear", "clear_failed_integrations"),
        ("/tenant", "choose_tenant"),
    ] {
        browser.submit(path, &[]).await.expect(403);
        assert_eq!(app.host.audited().last().unwrap(), &("read of org-1".to_owned(), operation.to_owned()), "{path}");
    }
    for (action, operation) in [("cancel", "stop_execution"), ("retry", "rerun_execution")] {
        browser.submit("/executions/selected", &[("action", action)]).await.expect(403);
        assert_eq!(app.host.audited().last().unwrap().1, operation);
    }
}
