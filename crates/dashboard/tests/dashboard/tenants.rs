//! Tenants are kept apart; whoever may act in any chooses one.

use horarium_auth::Role;

use crate::support::TestApp;

#[actix_web::test]
async fn a_session_shows_its_own_tenant_alone() {
    let app = TestApp::start().await;
    let job = app.job("secret-of-org-1", Some("*/5 * * * *")).await;
    app.begin(job).await;
    let mine = app.signed_in(Role::Read).await.get("/overview").await.expect(200);
    assert!(mine.says("secret-of-org-1"));
    let theirs = app.signed_in_to(Role::Owner, "org-2").await.get("/overview").await.expect(200);
    assert!(!theirs.says("secret-of-org-1") && theirs.says("Nothing is running."), "{}", theirs.html);
}

#[actix_web::test]
async fn a_super_admin_chooses_where_to_act() {
    let app = TestApp::start().await;
    let job = app.job("nightly", None).await;
    app.begin(job).await;
    let mut browser = app.signed_in_to(Role::SuperAdmin, "operators").await;
    assert!(!browser.get("/overview").await.says("nightly"));
    let list = browser.get("/tenant").await.expect(200);
    assert!(list.says("org-1") && list.says("operators"));
    browser.submit("/tenant", &[("tenant", "org-1")]).await.leads_to("/");
    let page = browser.get("/overview").await.expect(200);
    assert!(page.says("nightly") && page.says("You act in org-1 now."), "{}", page.html);
    assert!(page.says("Acting in org-1"), "{}", page.html);
    browser.submit("/tenant", &[("tenant", "operators")]).await.leads_to("/");
    let page = browser.get("/overview").await.expect(200);
    assert!(!page.says("nightly") && !page.says("Acting in"), "who is at home is not away: {}", page.html);
    let refused = browser.submit("/tenant", &[("tenant", "nowhere")]).await.expect(403);
    assert!(refused.says("does not exist"), "{}", refused.html);
}

#[actix_web::test]
async fn a_page_of_the_tenant_before_does_nothing_in_the_next() {
    let app = TestApp::start().await;
    app.tenant("org-1").await;
    let mut browser = app.signed_in_to(Role::SuperAdmin, "operators").await;
    let before = browser.get("/queues/mail/pause").await.expect(200);
    browser.submit("/tenant", &[("tenant", "org-1")]).await.leads_to("/");
    let refused = browser.post("/queues/mail/pause", &[("form_token", &before.form_token())]).await.expect(403);
    assert!(refused.says("or chose another tenant"), "{}", refused.html);
    let queue = app.services.queues.get(app.tenant("org-1").await.id, "mail").await.unwrap();
    assert!(!queue.limits.paused);
    let here = app.tenant("org-1").await.id;
    assert!(browser.get("/queues/mail").await.says(&format!(r#"data-tenant="{here}""#)), "pages tell modules where");
}

#[actix_web::test]
async fn nobody_else_does() {
    let app = TestApp::start().await;
    app.tenant("org-2").await;
    let mut browser = app.signed_in(Role::SystemAdmin).await;
    browser.get("/tenant").await.expect(403);
    browser.submit("/tenant", &[("tenant", "org-2")]).await.expect(403);
    assert!(!browser.get("/overview").await.says("Choose another tenant"));
}
