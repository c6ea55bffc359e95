//! Several executions at once.

use horarium_auth::Role;
use horarium_domain::execution::ExecutionState;
use horarium_scheduler_engine::service::{QueueInput, TriggerInput};

use crate::support::TestApp;

/// One that runs, one that waits and one that failed, by their ids.
async fn three(app: &TestApp) -> [String; 3] {
    let job = app.job("nightly", None).await;
    let failed = app.begin(job).await;
    app.end(&failed, ExecutionState::Failed).await;
    let running = app.begin(job).await;
    let waiting = app.services.executions.trigger(&app.actor().await, job, TriggerInput::default()).await.unwrap().id;
    [running.lease.execution_id, waiting, failed.lease.execution_id].map(|id| id.to_string())
}

/// What the form of a list asks, and what the answer to the question sends.
fn ticked<'a>(action: &'a str, ids: &'a [String]) -> (String, Vec<(&'a str, &'a str)>) {
    let ids = ids.iter().map(|id| ("id", id.as_str()));
    let fields: Vec<_> = [("back", "/executions?state=Failed"), ("action", action)].into_iter().chain(ids).collect();
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
    (format!("/executions/selected?{query}"), fields)
}

#[actix_web::test]
async fn what_is_ticked_is_cancelled_after_a_question_and_what_is_over_is_left_alone() {
    let app = TestApp::start().await;
    let ids = three(&app).await;
    let mut browser = app.signed_in(Role::Write).await;
    let list = browser.get("/executions").await.expect(200);
    assert!(
        list.says("Tick all that are shown")
            && list.says("Cancel what is ticked")
            && list.says(&format!(r#"value="{}""#, ids[0])),
        "{}",
        list.html
    );

    let (question, fields) = ticked("cancel", &ids);
    let asked = browser.get(&question).await.expect(200);
    assert!(asked.says("Cancel 2 executions?") && asked.says("Told to stop: 1."), "{}", asked.html);
    assert!(asked.says("Not started yet: 1.") && asked.says("because they are over already: 1."), "{}", asked.html);
    assert!(asked.says(&ids[0]) && asked.says(&ids[1]) && !asked.says(&ids[2]), "only those that fit are sent on");
    assert!(browser.get(&format!("/executions/{}", ids[0])).await.says("Running"), "a question changes nothing");

    browser.submit("/executions/selected", &fields).await.leads_to("/executions?state=Failed");
    let page = browser.get("/executions?state=Cancelled").await.expect(200);
    assert!(page.says("Cancelled 2 executions. Changed meanwhile, and left alone: 1."), "{}", page.html);
    assert!(page.says("2 of 2 executions"), "{}", page.html);
    assert_eq!(app.host.audited().last().unwrap().1, "stop_execution");
    let told: Vec<_> = app.host.done_to().into_iter().filter_map(|target| target.before).collect();
    assert_eq!(told, ids[..2], "the audit log has an entry for each that was cancelled");
    browser.get(&question).await.leads_to("/executions?state=Failed");
    assert!(browser.get("/executions").await.says("Nothing can be done: those that you ticked are over already."));
}

#[actix_web::test]
async fn what_failed_of_what_is_ticked_runs_again() {
    let app = TestApp::start().await;
    let ids = three(&app).await;
    let mut browser = app.signed_in(Role::Write).await;
    let (question, _) = ticked("retry", &ids);
    let asked = browser.get(&question).await.expect(200);
    assert!(asked.says("Run 1 execution again?"), "{}", asked.html);
    let (_, fields) = ticked("retry", &ids[2..]);
    browser.submit("/executions/selected", &fields).await.expect(303);
    let page = browser.get(&format!("/executions/{}", ids[2])).await.expect(200);
    assert!(page.says("1 execution run again, as new ones.") && page.says("Run again as"), "{}", page.html);
}

#[actix_web::test]
async fn what_was_done_before_something_went_wrong_is_told() {
    let app = TestApp::start().await;
    let job = app.job("nightly", None).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let failed = app.begin(job).await;
        app.end(&failed, ExecutionState::Failed).await;
        ids.push(failed.lease.execution_id.to_string());
    }
    let limits = QueueInput { max_length: Some(1), ..QueueInput::default() };
    app.services.queues.set(&app.actor().await, "default", limits).await.unwrap();
    let mut browser = app.signed_in(Role::Write).await;
    let (_, fields) = ticked("retry", &ids);
    browser.submit("/executions/selected", &fields).await.expect(303);
    let page = browser.get("/executions").await.expect(200);
    assert!(page.says("1 execution run again, as new ones. Not done: 2. The queue is full."), "{}", page.html);
    browser.submit("/executions/selected", &fields).await.expect(429);
}

#[actix_web::test]
async fn what_is_gone_by_now_does_not_keep_the_rest_from_being_asked_about() {
    let app = TestApp::start().await;
    let ids = three(&app).await;
    let tenant = app.actor().await.tenant;
    app.core.store.delete_execution(tenant, ids[2].parse().unwrap()).await.unwrap();
    let mut browser = app.signed_in(Role::Write).await;
    let asked = browser.get(&ticked("cancel", &ids).0).await.expect(200);
    assert!(asked.says("Cancel 2 executions?") && asked.says("Not there any more: 1."), "{}", asked.html);
    browser.get(&ticked("cancel", &ids[2..]).0).await.expect(404);
}

#[actix_web::test]
async fn whoever_thinks_better_of_it_stays_on_this_site() {
    let app = TestApp::start().await;
    let ids = three(&app).await;
    let mut browser = app.signed_in(Role::Write).await;
    for elsewhere in ["https://evil.example/sign-in", "//evil.example", "javascript:x"] {
        let asked = format!("/executions/selected?action=cancel&id={}&back={elsewhere}", ids[0]);
        let asked = browser.get(&asked).await.expect(200);
        assert!(!asked.says(elsewhere) && asked.says(r#"href="/executions">Leave it as it is"#), "{}", asked.html);
    }
}

#[actix_web::test]
async fn what_makes_no_sense_is_refused() {
    let app = TestApp::start().await;
    let ids = three(&app).await;
    let mut browser = app.signed_in(Role::Write).await;
    browser.get(&ticked("cancel", &[]).0).await.leads_to("/executions?state=Failed");
    assert!(browser.get("/executions").await.says("Nothing is ticked."));
    browser.get(&ticked("delete", &ids).0).await.expect(400);
    browser.submit("/executions/selected", &ticked("cancel", &vec![ids[0].clone(); 51]).1).await.expect(400);

    let mut reader = app.signed_in(Role::Read).await;
    assert!(!reader.get("/executions").await.says("checkbox"));
    reader.get(&ticked("cancel", &ids).0).await.expect(403);
    reader.submit("/executions/selected", &ticked("cancel", &ids).1).await.expect(403);
    let mut stranger = app.signed_in_to(Role::Owner, "org-2").await;
    stranger.get(&ticked("cancel", &ids).0).await.expect(404);
    stranger.submit("/executions/selected", &ticked("cancel", &ids).1).await.expect(303);
    assert!(stranger.get("/executions").await.says("Cancelled 0 executions. Changed meanwhile, and left alone: 3."));
    assert!(browser.get(&format!("/executions/{}", ids[0])).await.says("Running"), "nobody else's is touched");
}
