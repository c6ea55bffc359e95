//! Forms are taken from pages of ours, and of the very session, alone.

use horarium_auth::Role;
use reqwest::Method;

use crate::support::{TestApp, token};

#[actix_web::test]
async fn a_form_without_the_sessions_token_changes_nothing() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    let foreign = app.signed_in(Role::Owner).await.get("/overview").await.form_token();
    for fields in [&[][..], &[("form_token", "")], &[("form_token", foreign.as_str())]] {
        let refused = browser.post("/sign-out", fields).await.expect(403);
        assert!(refused.says("This form is too old"), "{}", refused.html);
    }
    browser.get("/overview").await.expect(200);
}

#[actix_web::test]
async fn a_form_of_another_site_changes_nothing_even_with_the_token() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    for evil in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        let mut elsewhere = browser.clone().sending_from(Some(evil));
        let refused = elsewhere.submit("/sign-out", &[]).await.expect(403);
        assert!(refused.says("This came from another site"), "{}", refused.html);
    }
    for site in ["cross-site", "same-site"] {
        browser.clone().with_header("sec-fetch-site", site).submit("/sign-out", &[]).await.expect(403);
    }
    browser.get("/overview").await.expect(200);
    browser.with_header("sec-fetch-site", "same-origin").submit("/sign-out", &[]).await.expect(303);
}

#[actix_web::test]
async fn nobody_is_signed_in_by_another_site() {
    let app = TestApp::start().await;
    let shown = token(Role::Owner, "org-1");
    for origin in [Some("https://evil.example"), None] {
        let mut browser = app.browser().sending_from(origin);
        browser.sign_in(&shown).await.expect(403);
        assert!(browser.cookies.is_empty());
    }
    app.browser().sending_from(None).with_header("sec-fetch-site", "same-origin").sign_in(&shown).await.expect(303);
}

#[actix_web::test]
async fn only_forms_of_a_sensible_length_are_taken() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    let long = "x".repeat(70 * 1024);
    browser.submit("/sign-out", &[("note", &long)]).await.expect(400);
    let mut here = browser.clone().with_header("sec-fetch-site", "same-origin");
    here.send_as(Method::POST, "/sign-out").await.expect(400);
    here.send_as(Method::PUT, "/sign-out").await.expect(400);
    browser.get("/overview").await.expect(200);
}
