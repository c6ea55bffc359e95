//! The credentials of machines.

use std::time::Duration;

use horarium_auth::{Permission, Role};

use crate::support::{Shown, TestApp};

/// What follows `before` on a page, up to `after`.
#[track_caller]
fn between<'a>(page: &'a Shown, before: &str, after: char) -> &'a str {
    let (_, rest) = page.html.split_once(before).unwrap_or_else(|| panic!("no {before} in {}", page.html));
    rest.split_once(after).unwrap().0
}

/// The key that a page shows.
#[track_caller]
fn shown_key(page: &Shown) -> String {
    between(page, r#"data-copy-name="the key">"#, '<').to_owned()
}

/// The id that the form for a new key carries.
#[track_caller]
fn form_id(page: &Shown) -> String {
    between(page, r#"name="id" value=""#, '"').to_owned()
}

#[actix_web::test]
async fn a_key_is_made_shown_once_and_good() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    assert!(browser.get("/keys").await.expect(200).says("No API keys."));
    let id = form_id(&browser.get("/keys/new").await.expect(200));
    let fields = [("id", id.as_str()), ("name", "ci"), ("scopes", "jobs:read"), ("scopes", "keys:read")];
    let fields: Vec<_> = fields.into_iter().chain([("expiresIn", "30"), ("expiresOn", "")]).collect();
    let made = browser.submit("/keys", &fields).await.expect(200);
    assert!(made.says("It is not shown again.") && made.header("cache-control") == "no-store");
    let key = shown_key(&made);

    let again = browser.submit("/keys", &fields).await.expect(409);
    assert!(again.says("was sent already") && !again.html.contains(&key), "{}", again.html);
    let list = browser.get("/keys").await.expect(200);
    assert!(list.says("ci") && list.says("jobs:read") && list.says("Active</span>"), "{}", list.html);
    assert!(list.says("2025-08-09 14:50:00 UTC") && list.says("1–1 of 1") && !list.html.contains(&key));
    assert_eq!(app.host.audited().last().unwrap().1, "create_key");

    let mut machine = app.browser();
    machine.sign_in(&key).await.expect(303);
    machine.get("/keys").await.expect(200);
    machine.get("/audit").await.expect(403);
}

#[actix_web::test]
async fn what_is_wrong_with_a_new_key_is_said_where_it_is_wrong() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    let id = form_id(&browser.get("/keys/new").await.expect(200));
    let wrong = [
        (&[("name", "ci")][..], "needs at least one scope"),
        (&[("name", "  "), ("scopes", "jobs:read")], r#"id="name-problem""#),
        (&[("name", "ci"), ("scopes", "admin:jobs")], "allows more than your own credential"),
        (&[("name", "ci"), ("scopes", "jobs:read"), ("expiresOn", "2020-01-01")], "must lie in the future"),
    ];
    for (fields, told) in wrong {
        let fields: Vec<_> = fields.iter().copied().chain([("id", id.as_str())]).collect();
        let page = browser.submit("/keys", &fields).await.expect(422);
        assert!(page.says(told) && page.says(r#"aria-describedby=""#), "{told}: {}", page.html);
        assert_eq!(form_id(&page), id, "what was typed in stays");
    }
    browser.submit("/keys", &[("id", "x"), ("name", "ci")]).await.expect(400);
    assert!(browser.get("/keys").await.says("No API keys."));
}

#[actix_web::test]
async fn nobody_gives_more_than_he_may() {
    let app = TestApp::start().await;
    let (strong, _) = app.key(&["*"]).await;
    let (_, weak) = app.key(&[Permission::KeysManage.name(), Permission::KeysRead.name(), "jobs:read"]).await;
    let mut browser = app.browser();
    browser.sign_in(&weak).await.expect(303);
    let form = browser.get("/keys/new").await.expect(200);
    assert!(form.says(r#"value="jobs:read""#) && !form.says(r#"value="jobs:write""#), "{}", form.html);
    let refused = browser.submit(&format!("/keys/{strong}/rotate"), &[]).await.expect(403);
    assert!(refused.says("more than your own credential"), "{}", refused.html);
}

#[actix_web::test]
async fn a_rotated_key_has_another_text_and_its_sessions_end() {
    let app = TestApp::start().await;
    let (id, former) = app.key(&["*"]).await;
    let mut machine = app.browser();
    machine.sign_in(&former).await.expect(303);
    let mut browser = app.signed_in(Role::Owner).await;
    app.advance(Duration::from_mins(3));
    let asked = browser.get(&format!("/keys/{id}/rotate")).await.expect(200);
    assert!(asked.says("Give the key laptop another secret?"), "{}", asked.html);
    let present = between(&asked, r#"name="present" value=""#, '"');
    let key = shown_key(&browser.submit(&format!("/keys/{id}/rotate"), &[("present", present)]).await.expect(200));
    assert_ne!(key, former);
    // Whoever reloads the page sends its form again.
    let again = browser.submit(&format!("/keys/{id}/rotate"), &[("present", present)]).await.expect(409);
    assert!(again.says("was given another secret since this was asked"), "{}", again.html);
    machine.get("/overview").await.expect(303);
    machine.sign_in(&former).await.expect(401);
    machine.sign_in(&key).await.expect(303);
}

#[actix_web::test]
async fn a_revoked_key_is_no_good_any_more() {
    let app = TestApp::start().await;
    let (id, key) = app.key(&["*"]).await;
    let mut machine = app.browser();
    machine.sign_in(&key).await.expect(303);
    let asked = machine.get(&format!("/keys/{id}/revoke")).await.expect(200);
    assert!(asked.says("You are signed in with this very key"), "{}", asked.html);
    let mut browser = app.signed_in(Role::Owner).await;
    assert!(!browser.get(&format!("/keys/{id}/revoke")).await.expect(200).says("this very key"));
    browser.submit(&format!("/keys/{id}/revoke"), &[]).await.leads_to("/keys");
    let list = browser.get("/keys").await.expect(200);
    assert!(list.says("laptop is revoked.") && list.says("Revoked</span>") && !list.says("Rotate</a>"));
    machine.get("/overview").await.expect(303);
    browser.get(&format!("/keys/{id}/revoke")).await.leads_to("/keys");
    browser.submit(&format!("/keys/{id}/rotate"), &[]).await.expect(409);
}

#[actix_web::test]
async fn keys_are_managed_by_whoever_may_and_in_his_own_tenant() {
    let app = TestApp::start().await;
    let (id, _) = app.key(&["jobs:read"]).await;
    let mut writer = app.signed_in(Role::Write).await;
    let mut manager = app.signed_in(Role::Manager).await;
    writer.get("/keys").await.expect(403);
    let list = manager.get("/keys").await.expect(200);
    assert!(list.says("laptop") && !list.says("New key") && !list.says("Revoke</a>"), "{}", list.html);
    let mut stranger = app.signed_in_to(Role::Owner, "org-2").await;
    assert!(!stranger.get("/keys").await.expect(200).says("laptop"));
    for (browser, status) in [(&mut manager, 403), (&mut stranger, 404)] {
        for path in ["rotate", "revoke"] {
            browser.get(&format!("/keys/{id}/{path}")).await.expect(status);
            browser.submit(&format!("/keys/{id}/{path}"), &[]).await.expect(status);
        }
    }
    stranger.get("/keys/7/revoke").await.expect(404);
}
