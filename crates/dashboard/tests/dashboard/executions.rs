//! Executions: the list with its filters, and the page of one.

use std::time::Duration;

use horarium_auth::Role;
use horarium_domain::execution::ExecutionState;
use horarium_scheduler_engine::service::{QueueInput, TriggerInput};
use serde_json::json;

use crate::support::TestApp;

#[actix_web::test]
async fn a_tenant_without_executions_is_told_what_to_do() {
    let app = TestApp::start().await;
    let page = app.signed_in(Role::Read).await.get("/executions").await.expect(200);
    assert!(page.says("Nothing has run yet.") && page.says("0 executions"), "{}", page.html);
}

#[actix_web::test]
async fn executions_are_listed_by_state_job_and_start() {
    let app = TestApp::start().await;
    let (nightly, mail) = (app.job("nightly", None).await, app.job("mail", None).await);
    let failed = app.begin(nightly).await;
    app.end(&failed, ExecutionState::Failed).await;
    app.advance(Duration::from_hours(1));
    let running = app.begin(mail).await;
    let [failed, running] = [&failed, &running].map(|claimed| claimed.lease.execution_id.to_string());

    let of_mail = format!("?job={mail}");
    let mut browser = app.signed_in(Role::Read).await;
    for (query, shown) in [
        ("", [true, true]),
        ("?state=Failed", [true, false]),
        ("?state=PartlyFailed", [false, false]),
        ("?state=Running&job=&from=&to=", [false, true]),
        ("?job=nightly", [true, false]),
        (of_mail.as_str(), [false, true]),
        ("?from=2025-07-10T15:30", [false, true]),
        ("?to=2025-07-10T15:30:00.000Z", [true, false]),
        ("?state=Running&job=nightly", [false, false]),
    ] {
        let page = browser.get(&format!("/executions{query}")).await.expect(200);
        let found = [&failed, &running].map(|id| page.says(&format!("/executions/{id}")));
        assert_eq!(found, shown, "{query}: {}", page.html);
    }
    // Tabs keep what else is narrowed, and a job is then told by its name.
    let page = browser.get("/executions?job=nightly&from=2025-07-10T00:00").await.expect(200);
    let tab = format!("/executions?state=Failed&#38;job={nightly}&#38;from=2025-07-10T00%3A00%3A00.000Z");
    assert!(page.says(&tab) && page.says(r#"value="nightly""#) && page.says(">1 execution<"), "{}", page.html);
    let page = browser.get("/executions?from=2025-07-10T14:50:45Z").await.expect(200);
    assert!(page.says(r#"step="1" data-utc value="2025-07-10T14:50:45""#), "no second is lost: {}", page.html);
}

#[actix_web::test]
async fn what_cannot_be_asked_for_is_told_where_it_was_asked() {
    let app = TestApp::start().await;
    let job = app.job("nightly", None).await;
    app.begin(job).await;
    let mut browser = app.signed_in(Role::Read).await;
    for (query, problem) in [
        ("state=Lost", "There is no such state."),
        ("job=unheard-of", "There is no such job."),
        ("job=00000000-0000-0000-0000-000000000001", "There is no such job."),
        ("from=yesterday", "This is no date and time."),
        ("before=7", "The address names no place in the list."),
    ] {
        let page = browser.get(&format!("/executions?{query}")).await.expect(400);
        assert!(page.says(problem) && page.says("No execution matches."), "{query}: {}", page.html);
    }
    let page = browser.get("/executions?from=yesterday&to=2025-07-10T15:00").await.expect(400);
    assert!(page.says(r#"aria-invalid="true" aria-describedby="from-problem" value="yesterday""#), "{}", page.html);
    assert!(page.says(r#"data-utc value="2025-07-10T15:00:00""#), "{}", page.html);
}

#[actix_web::test]
async fn the_id_of_an_execution_leads_to_it() {
    let app = TestApp::start().await;
    let claimed = app.begin(app.job("nightly", None).await).await;
    let id = claimed.lease.execution_id;
    let mut browser = app.signed_in(Role::Read).await;
    browser.get(&format!("/executions?job={id}&state=Failed")).await.leads_to(&format!("/executions/{id}"));
    let mut stranger = app.signed_in_to(Role::Owner, "org-2").await;
    assert!(stranger.get(&format!("/executions?job={id}")).await.expect(400).says("There is no such job."));
}

#[actix_web::test]
async fn a_long_list_is_walked_to_its_end_and_back_to_the_newest() {
    let app = TestApp::start().await;
    let job = app.job("many", None).await;
    for _ in 0..60 {
        app.services.executions.trigger(&app.actor().await, job, TriggerInput::default()).await.unwrap();
    }
    let mut browser = app.signed_in(Role::Read).await;
    let first = browser.get("/executions?state=Pending").await.expect(200);
    assert!(first.says("50 of 60 executions") && !first.says("Newest"), "{}", first.html);
    let (_, rest) = first.html.split_once("before=").unwrap();
    let before = rest.split_once('"').unwrap().0;
    let second = browser.get(&format!("/executions?state=Pending&before={before}")).await.expect(200);
    assert!(second.says("10 of 60 executions") && second.says("Newest") && !second.says("Older"), "{}", second.html);
}

#[actix_web::test]
async fn a_running_execution_tells_how_far_it_is_until_it_is_over() {
    let app = TestApp::start().await;
    let job = app.job("backup", None).await;
    let claimed = app.begin(job).await;
    app.core.store.note_progress(&[(claimed.lease, 40)]).await.unwrap();
    app.advance(Duration::from_secs(33));
    let path = format!("/executions/{}", claimed.lease.execution_id);
    let mut browser = app.signed_in(Role::Read).await;
    let page = browser.get(&path).await.expect(200);
    assert!(page.says("has been running for 33.0 s on worker-1") && page.says("40 %"), "{}", page.html);
    assert!(page.says(r#"data-live="2""#) && page.says("Attempt 1 started"));

    app.end_with(&claimed, ExecutionState::Succeeded, Some(r#"{"rows":12345678901234567890}"#), None).await;
    let page = browser.get(&path).await.expect(200);
    assert!(page.says("It succeeded after") && !page.says("data-live"), "{}", page.html);
    assert!(page.html.contains("{\n  &#34;rows&#34;: 12345678901234567890\n}"), "{}", page.html);
}

#[actix_web::test]
async fn an_execution_that_waits_tells_what_for() {
    let app = TestApp::start().await;
    let job = app.job("backup", None).await;
    let later = TriggerInput { run_at: Some("2025-07-10T15:00:00Z".to_owned()), ..TriggerInput::default() };
    let actor = app.actor().await;
    let later = app.services.executions.trigger(&actor, job, later).await.unwrap().id;
    let now = app.services.executions.trigger(&actor, job, TriggerInput::default()).await.unwrap().id;
    let mut browser = app.signed_in(Role::Read).await;
    let page = browser.get(&format!("/executions/{later}")).await.expect(200);
    assert!(page.says("Scheduled") && page.says("It is due <time") && page.says("in 10 min"), "{}", page.html);
    let page = browser.get(&format!("/executions/{now}")).await.expect(200);
    assert!(page.says("It waits in the queue default, with 1 other. It was due"), "{}", page.html);
}

#[actix_web::test]
async fn an_execution_in_a_paused_queue_says_so() {
    let app = TestApp::start().await;
    let job = app.job("backup", None).await;
    let actor = app.actor().await;
    let paused = QueueInput { paused: Some(true), ..QueueInput::default() };
    app.services.queues.set(&actor, "default", paused).await.unwrap();
    let id = app.services.executions.trigger(&actor, job, TriggerInput::default()).await.unwrap().id;
    let page = app.signed_in(Role::Read).await.get(&format!("/executions/{id}")).await.expect(200);
    assert!(page.says("It waits in the queue default, which is paused."), "{}", page.html);
}

#[actix_web::test]
async fn a_failed_execution_is_run_again_and_both_name_each_other() {
    let app = TestApp::start().await;
    let job = app.job("flaky", None).await;
    let claimed = app.begin(job).await;
    let error = "line\n".repeat(50);
    app.end_with(&claimed, ExecutionState::Failed, None, Some(error)).await;
    let failed = claimed.lease.execution_id.to_string();

    let mut reader = app.signed_in(Role::Read).await;
    let page = reader.get(&format!("/executions/{failed}")).await.expect(200);
    assert!(page.says("All of it: 50 lines") && !page.says("Run it again"), "{}", page.html);
    reader.submit(&format!("/executions/{failed}/retry"), &[]).await.expect(403);

    let mut browser = app.signed_in(Role::Write).await;
    assert!(browser.get(&format!("/executions/{failed}")).await.says("Run it again"));
    let answer = browser.submit(&format!("/executions/{failed}/retry"), &[]).await.expect(303);
    let again = answer.header("location").to_owned();
    let page = browser.get(&again).await.expect(200);
    assert!(page.says("It runs again") && page.says(&format!("/executions/{failed}")), "{}", page.html);
    let page = browser.get(&format!("/executions/{failed}")).await.expect(200);
    assert!(page.says(&format!(r#"href="{again}""#)), "{}", page.html);
    assert_eq!(app.host.audited().last().unwrap().1, "rerun_execution");
}

#[actix_web::test]
async fn an_execution_is_cancelled_after_saying_what_that_does() {
    let app = TestApp::start().await;
    let job = app.job("slow", None).await;
    let claimed = app.begin(job).await;
    app.advance(Duration::from_secs(34));
    let path = format!("/executions/{}", claimed.lease.execution_id);
    let mut browser = app.signed_in(Role::Write).await;
    let question = browser.get(&format!("{path}/cancel")).await.expect(200);
    assert!(question.says("Cancel this execution of slow?"), "{}", question.html);
    assert!(question.says("running for 34.0 s and is told to stop") && question.says("is not undone"));
    assert!(question.says("cannot be run again as it was"), "{}", question.html);
    assert!(browser.get(&path).await.says("Running"), "a question changes nothing");

    browser.submit(&format!("{path}/cancel"), &[]).await.leads_to(&path);
    let page = browser.get(&path).await.expect(200);
    assert!(page.says("The execution is cancelled.") && page.says("It was cancelled after 34.0 s."), "{}", page.html);
    assert_eq!(app.host.audited().last().unwrap().1, "stop_execution");
    browser.submit(&format!("{path}/cancel"), &[]).await.expect(409);
    browser.get(&format!("{path}/cancel")).await.leads_to(&path);
    assert!(browser.get(&path).await.says("It had ended meanwhile: Cancelled."));
}

#[actix_web::test]
async fn texts_are_downloaded_as_files_and_secrets_stay_hidden() {
    let app = TestApp::start().await;
    let job = app.job("../nightly \"report\"", None).await;
    let payload = json!({"headers": {"Authorization": "Bearer very-secret"}, "n": 1});
    let input = TriggerInput { payload: Some(payload), ..TriggerInput::default() };
    let id = app.services.executions.trigger(&app.actor().await, job, input).await.unwrap().id;
    let claimed = app.claim().await;
    app.end_with(&claimed, ExecutionState::Failed, Some("<b>plain</b>"), Some("it broke".to_owned())).await;

    let mut browser = app.signed_in(Role::Read).await;
    let page = browser.get(&format!("/executions/{id}")).await.expect(200);
    assert!(page.says("&#60;b&#62;plain") && !page.says("very-secret"), "{}", page.html);
    let output = browser.get(&format!("/executions/{id}/output")).await.expect(200);
    assert_eq!((output.html.as_str(), output.header("content-type")), ("<b>plain</b>", "text/plain; charset=utf-8"));
    let name = format!("attachment; filename=\"---nightly--report--{id}-output.txt\"");
    assert_eq!(output.header("content-disposition"), name);
    assert_eq!(browser.get(&format!("/executions/{id}/error")).await.expect(200).html, "it broke");
    let payload = browser.get(&format!("/executions/{id}/payload")).await.expect(200);
    assert_eq!(payload.header("content-type"), "application/json");
    assert!(payload.says("***") && !payload.says("very-secret"), "{}", payload.html);
    browser.get(&format!("/executions/{id}/job")).await.expect(404);
}

#[actix_web::test]
async fn another_tenants_execution_is_as_good_as_none() {
    let app = TestApp::start().await;
    let job = app.job("secret-of-org-1", None).await;
    let claimed = app.begin(job).await;
    let path = format!("/executions/{}", claimed.lease.execution_id);
    let mut stranger = app.signed_in_to(Role::Owner, "org-2").await;
    for path in [path.clone(), format!("{path}/output"), format!("{path}/cancel"), "/executions/7".to_owned()] {
        let page = stranger.get(&path).await.expect(404);
        assert!(!page.says("secret-of-org-1"), "{}", page.html);
    }
    stranger.submit(&format!("{path}/cancel"), &[]).await.expect(404);
    assert!(!stranger.get("/executions").await.says("secret-of-org-1"));
    stranger.get(&format!("/executions?job={job}")).await.expect(400);
}
