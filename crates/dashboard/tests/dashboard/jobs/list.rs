//! The list of jobs.

use horarium_auth::{Permission, Role};
use horarium_domain::execution::ExecutionState;
use horarium_scheduler_engine::service::NewAgentJob;
use serde_json::json;

use crate::support::TestApp;

#[actix_web::test]
async fn a_new_tenant_is_told_how_to_begin() {
    let app = TestApp::start().await;
    let page = app.signed_in(Role::Owner).await.get("/jobs").await.expect(200);
    assert!(page.says("No jobs of yours yet.") && page.says(r#"href="/jobs/new""#), "{}", page.html);
}

#[actix_web::test]
async fn jobs_are_shown_with_when_they_run_and_how_it_went() {
    let app = TestApp::start().await;
    let hostile = app.job("<b>nightly</b>", Some("30 2 * * *")).await;
    let failing = app.job("sync", Some("*/5 * * * *")).await;
    for _ in 0..2 {
        let claimed = app.begin(failing).await;
        app.end(&claimed, ExecutionState::Failed).await;
    }
    app.begin(hostile).await;
    let page = app.signed_in(Role::Read).await.get("/jobs").await.expect(200);
    assert!(page.says("&#60;b&#62;nightly&#60;/b&#62;") && !page.says("<b>nightly"), "{}", page.html);
    assert!(page.says("Daily at 02:30") && page.says("Every 5 min"), "{}", page.html);
    assert!(page.says("Running</span>") && page.says("Active</span>") && page.says("Failed</span>"));
    assert!(page.says(r#"<strong class="bad">2</strong>"#) && page.says("1–2 of 2"), "{}", page.html);
}

#[actix_web::test]
async fn jobs_are_found_by_what_the_address_says_and_links_keep_it() {
    let app = TestApp::start().await;
    let paused = app.job("nightly report", Some("30 2 * * *")).await;
    app.services.jobs.pause(&app.actor().await, paused, None).await.unwrap();
    app.job("nightly backup", None).await;
    app.job("sync", None).await;
    let mut browser = app.signed_in(Role::Read).await;

    let page = browser.get("/jobs?search=nightly&status=&type=&group=&tag=").await.expect(200);
    assert!(page.says("nightly report") && page.says("nightly backup") && !page.says(">sync<"), "{}", page.html);
    assert!(page.says(r#"href="/jobs?search=nightly&#38;status=Paused""#), "tabs keep the search: {}", page.html);
    let page = browser.get("/jobs?search=nightly&status=Paused").await.expect(200);
    assert!(page.says("nightly report") && !page.says("nightly backup"));
    assert!(page.says(r#"aria-current="true">Paused"#) && page.says("Clear filters"));

    let page = browser.get("/jobs?search=weekly&status=Paused").await.expect(200);
    assert!(page.says("No job matches <strong>weekly</strong> among those that are paused."), "{}", page.html);
    for (wrong, told) in [
        ("status=Sleeping", "There is no status 'Sleeping' of jobs."),
        ("type=Magic", r#"<p class="problem" id="type-problem">There is no type 'Magic' of jobs."#),
        ("sort=Beauty", "Jobs cannot be sorted by 'Beauty'."),
        ("page=many", "'many' is no number of a page."),
    ] {
        let page = browser.get(&format!("/jobs?search=nightly&{wrong}")).await.expect(400);
        let told = told.replace('\'', "&#39;");
        assert!(page.says(&told) && page.says(r#"value="nightly""#), "{wrong}: {}", page.html);
        assert!(!page.says("nightly report") && !page.says("No job matches"), "nothing was looked for: {}", page.html);
    }
    assert!(browser.get("/jobs?type=Magic").await.says("<option selected>Magic</option>"), "it can be mended");
}

#[actix_web::test]
async fn the_jobs_that_every_tenant_has_are_shown_when_asked_for() {
    let app = TestApp::start().await;
    app.job("nightly", None).await;
    let actor = app.actor().await;
    let operation = NewAgentJob { operation: "node.status".to_owned(), data: json!({}), target: None };
    app.services.agent_jobs.submit(&actor, operation).await.unwrap();
    let mut browser = app.signed_in(Role::Read).await;
    let own = browser.get("/jobs").await.expect(200);
    assert!(own.says("nightly") && own.says("1–1 of 1") && !own.says("agentOperations"), "{}", own.html);
    let all = browser.get("/jobs?builtin=yes").await.expect(200);
    assert!(all.says("agentOperations") && all.says("1–2 of 2"), "{}", all.html);
    assert!(all.says(r#"href="/jobs?builtin=yes&#38;status=Paused""#), "tabs keep it: {}", all.html);
}

#[actix_web::test]
async fn jobs_are_sorted_by_a_click_and_the_other_way_by_another() {
    let app = TestApp::start().await;
    app.job("aaa", None).await;
    app.job("bbb", None).await;
    let mut browser = app.signed_in(Role::Read).await;
    let first = browser.get("/jobs").await.expect(200);
    assert!(first.says(r#"aria-sort="ascending"><a href="/jobs?sort=Name&#38;dir=desc">Job</a>"#), "{}", first.html);
    let turned = browser.get("/jobs?sort=Name&dir=desc").await.expect(200);
    assert!(turned.html.find("bbb") < turned.html.find("aaa"), "{}", turned.html);
    let failing = browser.get("/jobs?sort=ConsecutiveFailures&dir=desc").await.expect(200);
    assert!(failing.says(r#"aria-sort="descending"><a href="/jobs?sort=ConsecutiveFailures">"#), "{}", failing.html);
}

#[actix_web::test]
async fn a_page_behind_the_last_one_leads_back() {
    let app = TestApp::start().await;
    app.job("only", None).await;
    let page = app.signed_in(Role::Read).await.get("/jobs?page=7").await.expect(200);
    assert!(page.says("There is only 1 page.") && page.says(r#"href="/jobs?page=1""#), "{}", page.html);
}

#[actix_web::test]
async fn nobody_is_offered_what_is_refused() {
    let app = TestApp::start().await;
    let job = app.job("nightly", None).await;
    let mut reader = app.signed_in(Role::Read).await;
    for path in ["/jobs".to_owned(), format!("/jobs/{job}")] {
        let page = reader.get(&path).await.expect(200);
        for forbidden in ["New job", "/trigger", "/pause", "/edit", "/delete"] {
            assert!(!page.says(forbidden), "{path}: {forbidden}");
        }
    }
    assert!(reader.get("/jobs").await.says("You can look, not change"));
    for page in ["/jobs/new", &format!("/jobs/{job}/edit"), &format!("/jobs/{job}/delete")] {
        assert!(reader.get(page).await.expect(403).says("jobs:write"));
    }
    for action in ["pause", "resume", "delete", "trigger"] {
        reader.submit(&format!("/jobs/{job}/{action}"), &[("version", "1")]).await.expect(403);
    }
    reader.submit("/jobs", &[("name", "x")]).await.expect(403);

    let (_, key) = app.key(&[Permission::JobsRead.name()]).await;
    let mut browser = app.browser();
    browser.sign_in(&key).await.expect(303);
    let page = browser.get(&format!("/jobs/{job}")).await.expect(200);
    assert!(!page.says("Latest runs") && !page.says("Executions of"), "who may not read executions is shown none");
}
