//! Pausing, resuming, deleting and triggering jobs.

use horarium_auth::Role;
use horarium_domain::job::JobStatus;

use crate::support::TestApp;

#[actix_web::test]
async fn a_job_is_paused_and_resumed_where_it_is_clicked() {
    let app = TestApp::start().await;
    let job = app.job("nightly", Some("0 * * * *")).await;
    let tenant = app.tenant("org-1").await.id;
    let mut browser = app.signed_in(Role::Owner).await;
    let pause = format!("/jobs/{job}/pause");
    browser.submit(&pause, &[("to", "/jobs?search=night")]).await.leads_to("/jobs?search=night");
    let page = browser.get("/jobs?search=night").await.expect(200);
    assert!(page.says("Paused nightly.") && page.says("Resume</button>"), "{}", page.html);
    assert_eq!(app.services.jobs.get(tenant, job).await.unwrap().job.status(), JobStatus::Paused);

    browser.submit(&pause, &[]).await.leads_to(&format!("/jobs/{job}"));
    assert!(browser.get(&format!("/jobs/{job}")).await.says("nightly was paused already."));
    browser.submit(&format!("/jobs/{job}/resume"), &[("to", "//evil.example")]).await.leads_to(&format!("/jobs/{job}"));
    let page = browser.get(&format!("/jobs/{job}")).await.expect(200);
    assert!(page.says("It runs next at 2025-07-10 15:00:00 UTC."), "{}", page.html);
    assert_eq!(app.services.jobs.get(tenant, job).await.unwrap().job.status(), JobStatus::Active);
    let audited: Vec<_> = app.host.audited().into_iter().map(|(_, action)| action).collect();
    assert_eq!(audited, ["sign_in", "pause_job", "pause_job", "resume_job"]);
}

#[actix_web::test]
async fn a_job_is_deleted_only_after_it_was_said_what_that_means() {
    let app = TestApp::start().await;
    let job = app.job("nightly", Some("0 * * * *")).await;
    app.begin(job).await;
    let tenant = app.tenant("org-1").await.id;
    let mut browser = app.signed_in(Role::Owner).await;
    let path = format!("/jobs/{job}/delete");
    let asked = browser.get(&path).await.expect(200);
    assert!(asked.says("Delete the job &#39;nightly&#39;?"), "{}", asked.html);
    assert!(asked.says("1 running and 0 waiting executions still run to their end."), "{}", asked.html);
    let fields = asked.fields();
    assert_eq!(fields, [("version".to_owned(), "1".to_owned())]);

    // Somebody changes it meanwhile.
    app.services.jobs.pause(&app.actor().await, job, None).await.unwrap();
    let refused = browser.submit(&path, &[("version", "1")]).await.expect(409);
    assert!(refused.says("Somebody else was faster"), "{}", refused.html);
    app.services.jobs.get(tenant, job).await.unwrap();

    browser.submit(&path, &[("version", "2")]).await.leads_to("/jobs");
    assert!(browser.get("/jobs").await.says("Deleted nightly."));
    app.services.jobs.get(tenant, job).await.unwrap_err();
}

#[actix_web::test]
async fn a_job_is_triggered_with_what_was_typed() {
    let app = TestApp::start().await;
    let job = app.job("nightly", None).await;
    let tenant = app.tenant("org-1").await.id;
    let mut browser = app.signed_in(Role::Owner).await;
    let path = format!("/jobs/{job}/trigger");
    let asked = browser.get(&path).await.expect(200);
    assert!(asked.says("Run nightly once now?") && asked.says("where nothing waits"), "{}", asked.html);

    let wrong = [("payload", "{"), ("priority", "high"), ("runAt", "tomorrow")];
    let again = browser.submit(&path, &wrong).await.expect(422);
    assert!(again.says("3 things to correct") && again.says("must be JSON"), "{}", again.html);
    assert!(again.says(r##"href="#f-payload""##) && again.says(r#"value="high""#), "{}", again.html);
    let out_of_range = browser.submit(&path, &[("priority", "101")]).await.expect(422);
    assert!(out_of_range.says("must be between -100 and 100"), "{}", out_of_range.html);

    let typed = [("payload", r#"{"a": 1}"#), ("priority", "7"), ("runAt", "2025-07-11T08:30:15.000Z")];
    let sent = browser.submit(&path, &typed).await.expect(303);
    let id = sent.header("location").strip_prefix("/executions/").unwrap().parse().unwrap();
    let execution = app.services.executions.get(tenant, id).await.unwrap();
    assert_eq!((execution.payload, execution.summary.priority), (Some(serde_json::json!({"a": 1})), 7));
    assert_eq!(execution.summary.scheduled_for.to_string(), "2025-07-11T08:30:15.000Z");
}
