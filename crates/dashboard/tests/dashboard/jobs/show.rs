//! A job's own page.

use horarium_auth::Role;
use horarium_domain::execution::ExecutionState;
use horarium_scheduler_engine::service::JobInput;
use serde_json::json;

use crate::support::TestApp;

#[actix_web::test]
async fn a_job_is_shown_with_how_its_runs_went() {
    let app = TestApp::start().await;
    let job = app.job("sync", Some("30 2 * * *")).await;
    for state in [ExecutionState::Succeeded, ExecutionState::Failed, ExecutionState::Succeeded] {
        let claimed = app.begin(job).await;
        app.end(&claimed, state).await;
    }
    let running = app.begin(job).await;
    let mut browser = app.signed_in(Role::Read).await;
    let page = browser.get(&format!("/jobs/{job}")).await.expect(200);
    assert!(page.says("66.7 %") && page.says("of 3 that are kept"), "{}", page.html);
    assert!(page.says("Last 4: 2 succeeded, 1 failed, 1 running"), "{}", page.html);
    assert_eq!(page.html.matches(r#"class="h5 good i-check""#).count(), 2, "{}", page.html);
    assert!(page.says("average run, up to 1.0 s") && page.says(r#"<path class="curve""#), "{}", page.html);
    assert!(page.says(&format!("/executions/{}", running.lease.execution_id)));
    assert!(page.says("Daily at 02:30") && page.says("Next runs in UTC") && page.says("Fri 11 Jul 2025 02:30"));
    assert!(page.says("UTC has no daylight saving time."));

    let failed = browser.get(&format!("/jobs/{job}?state=Failed&range=7d")).await.expect(200);
    assert_eq!(failed.html.matches("Failed</span></span></td>").count(), 1, "{}", failed.html);
    assert!(!failed.says("Succeeded</span></span></td>"), "{}", failed.html);
    assert!(failed.says(&format!("/jobs/{job}?range=7d&#38;state=Cancelled#executions")), "{}", failed.html);
    for (wrong, told) in
        [("state=Asleep", "There is no state &#39;Asleep&#39;"), ("before=7", "names no place in the list")]
    {
        let page = browser.get(&format!("/jobs/{job}?{wrong}")).await.expect(400);
        assert!(page.says(told) && page.says("Success rate"), "{wrong}: {}", page.html);
    }
}

#[actix_web::test]
async fn a_job_that_never_ran_says_so() {
    let app = TestApp::start().await;
    let job = app.job("manual", None).await;
    let page = app.signed_in(Role::Owner).await.get(&format!("/jobs/{job}")).await.expect(200);
    assert!(page.says("This job has not run yet.") && page.says("It runs when somebody triggers it."), "{}", page.html);
}

#[actix_web::test]
async fn secrets_are_masked() {
    let app = TestApp::start().await;
    let input = JobInput {
        name: Some("hook".to_owned()),
        job_type: Some("HttpCall".to_owned()),
        job_configuration: Some(json!({"url": "https://example.com", "headers": {"Authorization": "Bearer s3cret"}})),
        ..JobInput::default()
    };
    let job = app.services.jobs.create(&app.actor().await, &input).await.unwrap().job.id;
    let mut browser = app.signed_in(Role::Owner).await;
    for page in [format!("/jobs/{job}"), format!("/jobs/{job}/edit")] {
        let page = browser.get(&page).await.expect(200);
        assert!(page.says("***") && !page.says("s3cret"), "{}", page.html);
    }
}

#[actix_web::test]
async fn another_tenants_job_is_nowhere() {
    let app = TestApp::start().await;
    let job = app.job("secret", None).await;
    let mut stranger = app.signed_in_to(Role::Owner, "org-2").await;
    for page in ["", "/edit", "/delete", "/trigger"] {
        let page = stranger.get(&format!("/jobs/{job}{page}")).await.expect(404);
        assert!(!page.says("secret"), "{}", page.html);
    }
    for action in ["pause", "resume", "delete", "trigger"] {
        stranger.submit(&format!("/jobs/{job}/{action}"), &[("version", "1")]).await.expect(404);
    }
    assert!(!stranger.get("/jobs").await.expect(200).says("secret"));
    stranger.get("/jobs/nonsense").await.expect(404);
}

#[actix_web::test]
async fn of_a_deleted_job_the_executions_are_still_found() {
    let app = TestApp::start().await;
    let (ran, idle) = (app.job("ran", None).await, app.job("idle", None).await);
    let claimed = app.begin(ran).await;
    app.end(&claimed, ExecutionState::Succeeded).await;
    for job in [ran, idle] {
        app.services.jobs.delete(&app.actor().await, job, None).await.unwrap();
    }
    let mut browser = app.signed_in(Role::Read).await;
    let page = browser.get(&format!("/jobs/{ran}")).await.expect(404);
    assert!(page.says("This job was deleted") && page.says(&format!("/executions?job={ran}")), "{}", page.html);
    assert!(!browser.get(&format!("/jobs/{idle}")).await.expect(404).says("was deleted"));
}
