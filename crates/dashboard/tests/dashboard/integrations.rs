//! The page that the integrations' document asks for.

use std::time::Duration;

use horarium_auth::Role;
use horarium_domain::JobId;
use horarium_domain::execution::ExecutionState;
use horarium_scheduler_engine::service::{JobInput, TriggerInput};
use serde_json::json;

use crate::support::{Browser, Shown, TestApp};

const PAGE: &str = "/settings/integrations";

async fn integration(app: &TestApp, kind: &str) -> JobId {
    let input = JobInput {
        name: Some(kind.to_owned()),
        group: Some("integration".to_owned()),
        job_type: Some("HttpCall".to_owned()),
        job_configuration: Some(json!({"url": "https://example.com/hook"})),
        ..JobInput::default()
    };
    app.services.jobs.create(&app.actor().await, &input).await.unwrap().job.id
}

async fn fail(app: &TestApp, job: JobId) {
    let claimed = app.begin(job).await;
    app.end(&claimed, ExecutionState::Failed).await;
}

/// Answers the question before failures are deleted.
async fn clear(browser: &mut Browser, asked: &Shown) -> Shown {
    let fields = asked.fields();
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.submit("/settings/integrations/clear", &fields).await
}

#[track_caller]
fn is_well(page: &Shown, status: &str, sentence: &str) {
    assert!(page.says(&format!("{status}</span> {sentence}")), "{}", page.html);
}

#[actix_web::test]
async fn a_new_tenant_is_told_what_an_integration_job_is() {
    let app = TestApp::start().await;
    let page = app.signed_in(Role::Owner).await.get(PAGE).await.expect(200);
    is_well(&page, "OK", "All integration jobs are well.");
    for text in ["No integration job has anything to show.", "No job has run yet.", "none is waiting", "Create one"] {
        assert!(page.says(text), "{text}: {}", page.html);
    }
    assert!(page.says("WARN from 1 failure or a wait of 10 min on, ERROR from 5 failures or a wait of 1 h on."));
}

#[actix_web::test]
async fn failures_make_it_worse_and_clearing_them_makes_it_well_again() {
    let app = TestApp::start().await;
    let job = integration(&app, "whatsapp").await;
    let mut browser = app.signed_in(Role::Owner).await;
    fail(&app, job).await;
    let page = browser.get(PAGE).await.expect(200);
    is_well(&page, "WARN", "Some integration jobs need a look.");
    assert!(page.says("<li>1 job failed.</li>") && page.says("took 1.0 s"), "{}", page.html);
    assert!(page.says(">2025-07-10 14:50:01 UTC</time> (<time"), "when it ran last: {}", page.html);
    for _ in 0..4 {
        fail(&app, job).await;
    }
    let page = browser.get(PAGE).await.expect(200);
    is_well(&page, "ERROR", "Integration jobs are in trouble.");
    assert!(page.says("<li>5 jobs failed.</li>"));

    let asked = browser.get("/settings/integrations/clear").await.expect(200);
    assert!(asked.says("Delete 5 failed executions of integration jobs?"), "{}", asked.html);
    // Nobody has seen this one.
    app.advance(Duration::from_secs(1));
    fail(&app, job).await;
    clear(&mut browser, &asked).await.leads_to(PAGE);
    let page = browser.get(PAGE).await.expect(200);
    assert!(page.says("5 failed executions are deleted.") && page.says("<li>1 job failed.</li>"), "{}", page.html);

    let asked = browser.get("/settings/integrations/clear").await.expect(200);
    assert!(asked.says("Delete 1 failed execution of integration jobs?"), "{}", asked.html);
    clear(&mut browser, &asked).await.leads_to(PAGE);
    let page = browser.get(PAGE).await.expect(200);
    is_well(&page, "OK", "All integration jobs are well.");
    assert!(page.says("1 failed execution is deleted.") && !page.says("Clear failed"), "{}", page.html);
    assert_eq!(app.host.audited().last().unwrap().1, "clear_failed_integrations");
    browser.get("/settings/integrations/clear").await.leads_to(PAGE);
}

#[actix_web::test]
async fn what_waits_for_long_makes_it_worse() {
    let app = TestApp::start().await;
    let job = integration(&app, "meta_spend").await;
    app.services.executions.trigger(&app.actor().await, job, TriggerInput::default()).await.unwrap();
    let mut browser = app.signed_in(Role::Manager).await;
    let page = browser.get(PAGE).await.expect(200);
    is_well(&page, "OK", "All integration jobs are well.");
    assert!(page.says("less than a minute"), "{}", page.html);
    app.advance(Duration::from_mins(12));
    let page = browser.get(PAGE).await.expect(200);
    is_well(&page, "WARN", "Some integration jobs need a look.");
    assert!(page.says("The oldest pending job has been due for 12 min."), "{}", page.html);
    app.advance(Duration::from_mins(48));
    let page = browser.get(PAGE).await.expect(200);
    is_well(&page, "ERROR", "Integration jobs are in trouble.");
    assert!(page.says("has been due for 1 h."), "{}", page.html);
}

#[actix_web::test]
async fn what_is_due_later_has_not_been_due_at_all() {
    let app = TestApp::start().await;
    let job = integration(&app, "meta_spend").await;
    let later = TriggerInput { run_at: Some("2025-07-10T15:00:00Z".to_owned()), ..TriggerInput::default() };
    app.services.executions.trigger(&app.actor().await, job, later).await.unwrap();
    let mut browser = app.signed_in(Role::Manager).await;
    let page = browser.get(PAGE).await.expect(200);
    assert!(page.says("not due yet") && !page.says("since it was due"), "{}", page.html);
    app.advance(Duration::from_mins(11));
    let page = browser.get(PAGE).await.expect(200);
    assert!(page.says("since it was due") && !page.says("not due yet"), "{}", page.html);
}

#[actix_web::test]
async fn the_list_shows_what_is_behind_a_count() {
    let app = TestApp::start().await;
    let (whatsapp, spend) = (integration(&app, "whatsapp").await, integration(&app, "meta_spend").await);
    fail(&app, whatsapp).await;
    let claimed = app.begin(spend).await;
    app.end(&claimed, ExecutionState::Succeeded).await;
    app.begin(app.job("no-integration", None).await).await;
    app.begin(spend).await;
    app.advance(Duration::from_secs(33));
    let mut browser = app.signed_in(Role::Owner).await;
    let row = |kind: &str| format!("\">{kind}</a></th>");
    for (query, shown, hidden) in [
        ("", &["whatsapp", "meta_spend"][..], &["no-integration"][..]),
        ("?status=FAILED", &["whatsapp"], &["meta_spend"]),
        ("?status=done", &["meta_spend"], &["whatsapp"]),
        ("?kind=meta_spend", &["meta_spend"], &["whatsapp"]),
        ("?status=PENDING&kind=", &[], &["meta_spend", "whatsapp"]),
    ] {
        let page = browser.get(&format!("{PAGE}{query}")).await.expect(200);
        assert!(shown.iter().all(|kind| page.says(&row(kind))), "{query}: {}", page.html);
        assert!(hidden.iter().all(|kind| !page.says(&row(kind))), "{query}: {}", page.html);
    }
    let running = browser.get("/settings/integrations?status=PROCESSING").await.expect(200);
    assert!(running.says(r#"data-label="Took" class="number">33.0 s<"#), "{}", running.html);
    assert!(browser.get("/settings/integrations?status=PENDING").await.says("Clear filters"));
    let page = browser.get("/settings/integrations?status=broken&kind=whatsapp").await.expect(400);
    assert!(page.says("PENDING, PROCESSING") && page.says(r#"value="whatsapp""#), "{}", page.html);
    assert!(page.says("Some integration jobs need a look.") && !page.says(&row("whatsapp")), "{}", page.html);
    assert!(browser.get("/settings/integrations?before=7").await.expect(400).says("names no place in the list"));
    let tabs = browser.get("/settings/integrations?kind=a%26b").await.expect(200);
    assert!(tabs.says("?status=FAILED&#38;kind=a%26b"), "a tab keeps the kind: {}", tabs.html);
}

#[actix_web::test]
async fn a_long_list_is_walked_to_its_end() {
    let app = TestApp::start().await;
    let job = integration(&app, "whatsapp").await;
    for _ in 0..30 {
        app.services.executions.trigger(&app.actor().await, job, TriggerInput::default()).await.unwrap();
    }
    let mut browser = app.signed_in(Role::Owner).await;
    let first = browser.get("/settings/integrations?status=PENDING").await.expect(200);
    assert!(first.says("25 shown"), "{}", first.html);
    let (before, _) = first.html.split_once("\" rel=\"next\"").unwrap();
    let older = before.rsplit_once('"').unwrap().1.replace("&#38;", "&");
    let second = browser.get(&older).await.expect(200);
    assert!(second.says("5 shown") && second.says("Newest") && !second.says("Older"), "{older}: {}", second.html);
}

#[actix_web::test]
async fn it_is_shown_to_its_own_organization_alone() {
    let app = TestApp::start().await;
    fail(&app, integration(&app, "secret-of-org-1").await).await;
    let page = app.signed_in_to(Role::Owner, "org-2").await.get(PAGE).await.expect(200);
    is_well(&page, "OK", "All integration jobs are well.");
    assert!(!page.says("secret-of-org-1"));
    let mut browser = app.signed_in_to(Role::SuperAdmin, "operators").await;
    browser.get(PAGE).await.expect(200);
    browser.submit("/tenant", &[("tenant", "org-1")]).await.leads_to("/");
    for path in [PAGE, "/settings/integrations/clear"] {
        let refused = browser.get(path).await.expect(403);
        assert!(refused.says("their own organization alone") && !refused.says("secret-of-org-1"), "{}", refused.html);
    }
    browser.submit("/settings/integrations/clear", &[]).await.expect(403);
}

#[actix_web::test]
async fn only_who_may_sees_or_clears_it() {
    let app = TestApp::start().await;
    let job = integration(&app, "whatsapp").await;
    fail(&app, job).await;
    assert!(app.signed_in(Role::Read).await.get(PAGE).await.expect(403).says("integrations:read"));
    let reader = app.key(&["integrations:read"]).await.1;
    let blind = app.key(&["integrations:write", "jobs:write"]).await.1;
    let mut writer = app.signed_in(Role::Write).await;
    for credential in [None, Some(reader), Some(blind)] {
        if let Some(credential) = &credential {
            writer.sign_in(credential).await.expect(303);
        }
        let question = writer.get("/settings/integrations/clear").await.expect(403);
        assert!(question.says("integrations:") && !question.says("Delete 1"), "{}", question.html);
        let token = writer.get("/tenant").await.form_token();
        let fields = [("form_token", token.as_str()), ("failed_by", "9000000000000000")];
        writer.post("/settings/integrations/clear", &fields).await.expect(403);
    }
    let mut manager = app.signed_in(Role::Manager).await;
    let page = manager.get(PAGE).await.expect(200);
    assert!(page.says("1 job failed.") && page.says("Clear failed"), "{}", page.html);
    let asked = manager.get("/settings/integrations/clear").await.expect(200);
    clear(&mut manager, &asked).await.leads_to(PAGE);
    assert!(manager.get(PAGE).await.says("All integration jobs are well."));
}
