//! The machines that work for a tenant.

use std::collections::BTreeMap;
use std::time::Duration;

use horarium_auth::Role;
use horarium_domain::agent::AgentTask;
use horarium_domain::agent::protocol::RegisterRequest;
use horarium_domain::store::TaskRequest;
use serde_json::json;

use crate::support::TestApp;

async fn register(app: &TestApp, hostname: &str) {
    let request = RegisterRequest {
        hostname: hostname.to_owned(),
        labels: BTreeMap::from([("group".to_owned(), "web.<b>".to_owned())]),
        operations: vec!["node.uptime.get".to_owned()],
        version: "1.2.3".to_owned(),
        facts: json!({"os": "linux", "disks": [{"name": "sda"}]}).as_object().cloned().unwrap(),
    };
    app.services.agents.register(app.tenant("org-1").await.id, request).await.unwrap();
}

/// Gives a host something to do; answers the execution's id.
async fn occupy(app: &TestApp, hostname: &str) -> String {
    let job = app.job("uptimes", None).await;
    let claimed = app.begin(job).await;
    let (now, id) = (app.core.now(), claimed.lease.execution_id);
    let task_id = app.core.ids.agent_task(now);
    let task = AgentTask::new(task_id, claimed.tenant_id, id, "node.uptime.get", 60, now).for_host(hostname);
    app.core.store.open_tasks(&[task]).await.unwrap();
    let request = TaskRequest {
        tenant_id: claimed.tenant_id,
        hostname: hostname.to_owned(),
        operations: Vec::new(),
        limit: 1,
        now,
        lease_until: now + Duration::from_secs(30),
        deadline_at: now + Duration::from_secs(30),
    };
    assert_eq!(app.core.store.lease_tasks(&request).await.unwrap().len(), 1);
    id.to_string()
}

#[actix_web::test]
async fn a_tenant_without_agents_is_told_how_to_start_one() {
    let app = TestApp::start().await;
    let page = app.signed_in(Role::Owner).await.get("/agents").await.expect(200);
    assert!(page.says("No agent has registered.") && page.says("Make a key"), "{}", page.html);
    let page = app.signed_in(Role::Read).await.get("/agents").await.expect(200);
    assert!(page.says("No agent has registered.") && !page.says("Make a key"), "{}", page.html);
}

#[actix_web::test]
async fn agents_are_shown_with_how_they_stand_and_what_they_do() {
    let app = TestApp::start().await;
    register(&app, "web-0").await;
    app.advance(Duration::from_mins(4));
    register(&app, "web-1").await;
    register(&app, "web-2").await;
    let execution = occupy(&app, "web-1").await;
    let mut browser = app.signed_in(Role::Read).await;
    let page = browser.get("/agents").await.expect(200);
    assert!(page.says("2 alive, 0 draining, 1 gone"), "{}", page.html);
    assert!(page.says("group:web.&#60;b&#62;") && page.says("node.uptime.get") && page.says("4 min ago"));
    assert!(page.says(r#"<td data-label="Running" class="number">1</td>"#));

    let page = browser.get("/agents/web-1").await.expect(200);
    assert!(page.says("It takes work.") && page.says(&format!("/executions/{execution}")), "{}", page.html);
    assert!(page.says("linux") && page.says("&#34;sda&#34;"), "{}", page.html);
    assert!(!page.says("Drain</a>"), "who only reads is offered nothing else");
    let page = browser.get("/agents/web-0").await.expect(200);
    assert!(page.says("Nothing was heard of it for more than 15 s.") && page.says("It works on nothing now."));
    browser.get("/agents/web-9").await.expect(404);
    browser.get("/agents/_all").await.expect(404);
}

#[actix_web::test]
async fn an_agent_is_found_by_its_hostname_or_how_that_begins() {
    let app = TestApp::start().await;
    for hostname in ["db-1", "web-1", "web-2"] {
        register(&app, hostname).await;
    }
    let mut browser = app.signed_in(Role::Read).await;
    browser.get("/agents?name=web-2").await.leads_to("/agents/web-2");
    let page = browser.get("/agents?name=+web-").await.expect(200);
    assert!(page.says("2 shown") && page.says("web-1") && !page.says("db-1") && page.says("First"), "{}", page.html);
    let page = browser.get("/agents?name=x").await.expect(200);
    assert!(page.says("No agent has such a hostname") && page.says("Show all agents"), "{}", page.html);
    assert!(browser.get("/agents?name=").await.expect(200).says("3 shown"));
    browser.get("/agents?name=%3Cb%3E").await.expect(400);
}

#[actix_web::test]
async fn an_agent_is_drained_and_works_again() {
    let app = TestApp::start().await;
    register(&app, "web-1").await;
    occupy(&app, "web-1").await;
    let mut browser = app.signed_in(Role::Owner).await;
    let asked = browser.get("/agents/web-1/drain").await.expect(200);
    assert!(asked.says("Drain web-1?") && asked.says("It finishes its 1 task, and takes no more"), "{}", asked.html);
    browser.submit("/agents/web-1/drain", &[]).await.leads_to("/agents/web-1");
    let page = browser.get("/agents/web-1").await.expect(200);
    assert!(page.says("Draining</span>") && page.says("Let it work again"), "{}", page.html);
    browser.get("/agents/web-1/drain").await.leads_to("/agents/web-1");
    browser.submit("/agents/web-1/undrain", &[]).await.leads_to("/agents/web-1");
    let page = browser.get("/agents/web-1").await.expect(200);
    assert!(page.says("web-1 takes work again.") && page.says("Alive</span>"), "{}", page.html);
    let actions: Vec<String> = app.host.audited().into_iter().map(|(_, action)| action).collect();
    assert_eq!(actions, ["sign_in", "drain_agent", "undrain_agent"]);
}

#[actix_web::test]
async fn an_agent_is_forgotten() {
    let app = TestApp::start().await;
    register(&app, "web-1").await;
    let mut browser = app.signed_in(Role::Owner).await;
    assert!(browser.get("/agents/web-1/forget").await.expect(200).says("It is alive"));
    browser.submit("/agents/web-1/forget", &[]).await.leads_to("/agents");
    assert!(browser.get("/agents").await.expect(200).says("web-1 is forgotten."));
    browser.submit("/agents/web-1/forget", &[]).await.expect(404);
}

#[actix_web::test]
async fn only_who_manages_agents_changes_them_and_only_ones_own() {
    let app = TestApp::start().await;
    register(&app, "web-1").await;
    let mut writer = app.signed_in(Role::Write).await;
    let mut stranger = app.signed_in_to(Role::Owner, "org-2").await;
    assert!(!stranger.get("/agents").await.expect(200).says("web-1"));
    for (browser, status) in [(&mut writer, 403), (&mut stranger, 404)] {
        for path in ["drain", "undrain", "forget"] {
            browser.submit(&format!("/agents/web-1/{path}"), &[]).await.expect(status);
        }
    }
    let agent = app.services.agents.get(app.tenant("org-1").await.id, "web-1").await.unwrap();
    assert!(!agent.draining);
}

#[actix_web::test]
async fn many_agents_are_walked_by_name() {
    let app = TestApp::start().await;
    for number in 0..60 {
        register(&app, &format!("web-{number:02}")).await;
    }
    let mut browser = app.signed_in(Role::Read).await;
    let page = browser.get("/agents").await.expect(200);
    assert!(page.says("50 shown") && page.says("/agents?after=web-49"), "{}", page.html);
    let page = browser.get("/agents?after=web-49").await.expect(200);
    assert!(page.says("10 shown") && page.says("web-59") && page.says("on this page"), "{}", page.html);
    let page = browser.get("/agents?after=%00").await.expect(400);
    assert!(page.says(r#"id="name-problem""#) && page.says("Nothing was looked for."), "{}", page.html);
    let page = browser.get("/agents?name=web+1").await.expect(400);
    assert!(page.says(r#"value="web 1" aria-invalid="true""#), "what was typed stays: {}", page.html);
}
