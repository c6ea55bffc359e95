//! What every page tells browsers not to do.

use horarium_auth::Role;
use horarium_domain::execution::ExecutionState;

use crate::support::TestApp;

#[actix_web::test]
async fn every_page_takes_everything_from_this_server_and_is_kept_by_nobody() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    for (path, status) in [("/sign-in", 303), ("/", 303), ("/overview", 200), ("/tenant", 403), ("/nothing", 404)] {
        let shown = browser.get(path).await.expect(status);
        let policy = shown.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(shown.header("x-content-type-options"), "nosniff");
        assert_eq!(shown.header("x-frame-options"), "DENY");
        assert_eq!(shown.header("cache-control"), "no-store");
        assert_eq!(shown.header("referrer-policy"), "same-origin");
    }
}

#[actix_web::test]
async fn where_the_public_address_has_tls_browsers_come_by_nothing_else() {
    let shown = TestApp::at(Some("https://jobs.example.org")).await.browser().get("/sign-in").await.expect(200);
    assert_eq!(shown.header("strict-transport-security"), "max-age=31536000");
    for address in [None, Some("http://jobs.example.org")] {
        let app = TestApp::at(address).await;
        let shown = app.browser().with_header("x-forwarded-proto", "https").get("/sign-in").await.expect(200);
        assert_eq!(shown.header("strict-transport-security"), "");
    }
}

#[actix_web::test]
async fn no_page_holds_a_script_or_a_style_of_its_own() {
    let app = TestApp::start().await;
    let job = app.job("nightly", Some("30 2 * * *")).await;
    let claimed = app.begin(job).await;
    app.end(&claimed, ExecutionState::Succeeded).await;
    let mut browser = app.signed_in(Role::SuperAdmin).await;
    let of_job = ["", "/edit", "/delete", "/trigger"].map(|page| format!("/jobs/{job}{page}"));
    let others = ["/overview", "/tenant", "/nothing", "/jobs", "/jobs/new"].map(str::to_owned);
    for path in others.iter().chain(&of_job) {
        let html = browser.get(path).await.html;
        assert_eq!(html.matches("<script").count(), html.matches("<script type=\"module\" src=\"/assets/").count());
        for forbidden in ["<style", " style=", " onclick=", " onload=", "javascript:"] {
            assert!(!html.contains(forbidden), "{path}: {forbidden}");
        }
    }
}
