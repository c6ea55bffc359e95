//! Signing in, staying in, and leaving.

use std::time::Duration;

use horarium_auth::{Permission, Role};
use horarium_scheduler_engine::service::TenantChange;

use crate::support::{TestApp, token};

#[actix_web::test]
async fn somebody_signs_in_with_a_token_and_out_again() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    browser.get("/overview").await.leads_to("/sign-in?to=%2Foverview");
    browser.sign_in(&token(Role::Read, "org-1")).await.leads_to("/");
    browser.get("/").await.leads_to("/overview");
    let page = browser.get("/overview").await.expect(200);
    assert!(page.says("read of org-1") && page.says("Sign out"));

    let kept = browser.clone();
    browser.submit("/sign-out", &[]).await.leads_to("/sign-in");
    assert!(browser.get("/sign-in").await.says("You are signed out."));
    assert!(!browser.get("/sign-in").await.says("You are signed out."), "it is told once");
    for mut browser in [browser, kept] {
        browser.get("/overview").await.expect(303);
    }
    let audited = [("read of org-1", "sign_in"), ("read of org-1", "sign_out")];
    assert_eq!(app.host.audited(), audited.map(|(who, what)| (who.to_owned(), what.to_owned())));
}

#[actix_web::test]
async fn somebody_signs_in_with_a_key_and_may_do_what_the_key_may() {
    let app = TestApp::start().await;
    let (_, key) = app.key(&[Permission::JobsRead.name()]).await;
    let mut browser = app.browser();
    browser.sign_in(&format!("  {key}\n")).await.leads_to("/");
    let page = browser.get("/overview").await.expect(200);
    assert!(page.says("laptop"), "{}", page.html);
    assert!(page.says(">Jobs</a>") && !page.says(">Audit</a>"), "what may not be read is not offered");
    assert!(!page.says("Running now"), "nor shown");
}

#[actix_web::test]
async fn whoever_signs_in_again_is_somebody_else_and_the_former_session_is_over() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    let mut former = browser.clone();
    browser.sign_in(&token(Role::Read, "org-1")).await.leads_to("/");
    assert!(browser.get("/overview").await.says("read of org-1"));
    former.get("/overview").await.expect(303);
}

#[actix_web::test]
async fn what_is_no_credential_lets_nobody_in() {
    let app = TestApp::start().await;
    let (_, key) = app.key(&["*"]).await;
    let expired = token(Role::Owner, "org-1");
    app.advance(Duration::from_hours(3));
    for (credential, told) in [
        ("", "Enter an API key or a token."),
        ("nonsense", "This is neither an API key nor a token."),
        (expired.as_str(), "The token has expired."),
    ] {
        let app = TestApp::start().await;
        if credential == expired {
            app.advance(Duration::from_hours(3));
        }
        let mut browser = app.browser();
        let shown = browser.sign_in(credential).await.expect(401);
        assert!(shown.says(told), "{}", shown.html);
        assert!(browser.cookies.is_empty());
    }
    let other = if key.ends_with('A') { 'Q' } else { 'A' };
    let wrong = format!("{}{other}", &key[..key.len() - 1]);
    let shown = app.browser().sign_in(&wrong).await.expect(401);
    assert!(shown.says("The API key is not valid.") && !shown.html.contains(&wrong));
}

#[actix_web::test]
async fn after_too_many_wrong_ones_no_credential_is_looked_at_for_a_while() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    for _ in 0..3 {
        browser.sign_in("nonsense").await.expect(401);
    }
    let shown = browser.sign_in(&token(Role::Owner, "org-1")).await.expect(429);
    assert_eq!(shown.header("retry-after"), "18");
    assert!(shown.says("Wait 18 s"));
}

#[actix_web::test]
async fn whoever_may_send_no_more_may_sign_in_no_more_either() {
    let app = TestApp::start().await;
    app.host.become_busy();
    let mut browser = app.browser();
    let shown = browser.sign_in(&token(Role::Owner, "org-1")).await.expect(429);
    assert!(shown.says("You send too much. Go on in 3 s.") && browser.cookies.is_empty(), "{}", shown.html);
    assert_eq!(app.host.audited(), [("owner of org-1".to_owned(), "sign_in".to_owned())]);
}

#[actix_web::test]
async fn whoever_asked_for_a_page_gets_there_after_signing_in() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    let asked = browser.get("/overview?range=7d").await;
    assert_eq!(asked.header("location"), "/sign-in?to=%2Foverview%3Frange%3D7d");
    let form = browser.get(asked.header("location")).await.expect(200);
    assert!(form.says(r#"name="to" value="/overview?range=7d""#));
    let shown = token(Role::Read, "org-1");
    browser
        .post("/sign-in", &[("credential", &shown), ("to", "/overview?range=7d")])
        .await
        .leads_to("/overview?range=7d");
}

#[actix_web::test]
async fn nobody_is_sent_to_another_site_after_signing_in() {
    let app = TestApp::start().await;
    let shown = token(Role::Read, "org-1");
    for elsewhere in ["https://evil.example/", "//evil.example", "/\\evil.example", "jobs"] {
        app.browser().post("/sign-in", &[("credential", &shown), ("to", elsewhere)]).await.leads_to("/");
    }
}

#[actix_web::test]
async fn whoever_follows_a_link_from_another_site_is_still_signed_in() {
    let app = TestApp::start().await;
    let mut signed_in = app.signed_in(Role::Read).await;
    // SameSite=Strict: the browser comes without its cookie, and is made to ask again from here.
    let told = [("sec-fetch-site", "cross-site")];
    // Where there is no TLS, it tells less.
    let untold = [("sec-fetch-site", ""), ("referer", "http://chat.example/")];
    for headers in [&told[..], &untold[..1], &untold[..]] {
        let mut browser = headers.iter().fold(app.browser(), |browser, (name, value)| browser.with_header(name, value));
        let page = browser.get("/overview?range=7d").await.expect(200);
        let onward = r#"http-equiv="refresh" content="0;url=/sign-in?to=%2Foverview%3Frange%3D7d""#;
        assert!(page.says(onward), "{headers:?}: {}", page.html);
    }
    signed_in.get("/sign-in?to=%2Foverview%3Frange%3D7d").await.leads_to("/overview?range=7d");
    app.browser().get("/sign-in?to=%2Foverview").await.expect(200);
}

#[actix_web::test]
async fn whoever_follows_a_link_of_ours_is_not_asked_twice() {
    let app = TestApp::at(Some("http://jobs.example")).await;
    let browser = app.browser().with_header("sec-fetch-site", "");
    let mut browser = browser.with_header("referer", "http://jobs.example/jobs?page=2");
    browser.get("/overview").await.leads_to("/sign-in?to=%2Foverview");
}

#[actix_web::test]
async fn a_session_that_nobody_uses_ends() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Read).await;
    app.advance(Duration::from_mins(50));
    browser.get("/overview").await.expect(200);
    app.advance(Duration::from_mins(50));
    browser.get("/overview").await.expect(200);
    app.advance(Duration::from_mins(61));
    browser.get("/overview").await.expect(303);
    assert!(browser.get("/sign-in").await.says("the session was over"));
    assert!(!browser.get("/sign-in").await.says("the session was over"), "it is told once");
}

#[actix_web::test]
async fn whoever_signs_in_after_a_session_ended_has_another_one() {
    let app = TestApp::start().await;
    let (_, key) = app.key(&["*"]).await;
    let mut browser = app.signed_in(Role::Read).await;
    app.advance(Duration::from_mins(61));
    let mut live = browser.clone().with_header("x-horarium-live", "1");
    live.get("/overview").await.expect(401);
    assert!(!live.cookies.is_empty(), "the page that is asked for next tells why");
    browser.sign_in(&key).await.expect(303);
    browser.get("/overview").await.expect(200);
}

#[actix_web::test]
async fn a_page_that_refreshes_itself_does_not_keep_a_session_alive() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Read).await.with_header("x-horarium-live", "1");
    for _ in 0..2 {
        app.advance(Duration::from_mins(29));
        browser.get("/overview").await.expect(200);
    }
    app.advance(Duration::from_mins(3));
    browser.get("/overview").await.expect(401);
}

#[actix_web::test]
async fn a_session_ends_with_its_token_however_much_it_is_used() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Read).await;
    for _ in 0..4 {
        app.advance(Duration::from_mins(29));
        browser.get("/overview").await.expect(200);
    }
    app.advance(Duration::from_mins(5));
    browser.get("/overview").await.expect(303);
}

#[actix_web::test]
async fn a_session_of_a_key_ends_at_its_longest_or_with_the_key() {
    let app = TestApp::start().await;
    let (id, key) = app.key(&["*"]).await;
    let mut browser = app.browser();
    browser.sign_in(&key).await.expect(303);
    browser.get("/overview").await.expect(200);
    app.services.keys.revoke(&app.actor().await, id).await.unwrap();
    let refused = browser.get("/overview").await.expect(303);
    assert!(browser.get(refused.header("location")).await.says("The API key has been revoked."));

    let (_, key) = app.key(&["*"]).await;
    let mut browser = app.browser();
    browser.sign_in(&key).await.expect(303);
    for _ in 0..3 {
        app.advance(Duration::from_mins(59));
        browser.get("/overview").await.expect(200);
    }
    app.advance(Duration::from_mins(4));
    browser.get("/overview").await.expect(303);
}

#[actix_web::test]
async fn a_session_ends_when_its_key_is_given_another_secret() {
    let app = TestApp::start().await;
    let (id, key) = app.key(&["*"]).await;
    let mut browser = app.browser();
    browser.sign_in(&key).await.expect(303);
    let hash = horarium_domain::api_key::SecretHash::from_bytes([1; 32]);
    app.services.keys.rotate(&app.actor().await, id, hash).await.unwrap();
    browser.get("/overview").await.expect(303);
}

#[actix_web::test]
async fn a_session_ends_when_its_tenant_is_switched_off() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    let tenant = app.tenant("org-1").await;
    let off = TenantChange { is_active: Some(false), ..TenantChange::default() };
    app.services.tenants.update(tenant.id, &off).await.unwrap();
    let refused = browser.get("/overview").await.expect(303);
    assert!(browser.get(refused.header("location")).await.says("not active"));
}

#[actix_web::test]
async fn a_cookie_that_is_made_up_is_nobodys() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    for made_up in ["x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        browser.cookies.insert("horarium".to_owned(), made_up.to_owned());
        browser.get("/overview").await.expect(303);
    }
}

#[actix_web::test]
async fn over_tls_cookies_belong_to_this_host_alone() {
    let app = TestApp::at(Some("https://jobs.example.org")).await;
    let mut browser = app.browser().sending_from(Some("https://jobs.example.org"));
    let signed_in = browser.sign_in(&token(Role::Read, "org-1")).await.expect(303);
    let line = signed_in.header("set-cookie");
    assert!(line.starts_with("__Host-horarium="), "{line}");
    for attribute in ["Path=/", "HttpOnly", "SameSite=Strict", "Secure"] {
        assert!(line.split("; ").any(|part| part == attribute), "{line}");
    }
    browser.get("/overview").await.expect(200);

    let app = TestApp::start().await;
    let line = app.browser().sign_in(&token(Role::Read, "org-1")).await.header("set-cookie").to_owned();
    assert!(line.starts_with("horarium=") && !line.contains("Secure"), "{line}");
}
