//! Signing in and out.

use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{Site, View, button, field, heading, key};

#[tokio::test]
async fn a_key_signs_in_by_the_keyboard_alone() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let page = site.open(View::DESKTOP, "/").await;
    page.tab_to(field("API key or token")).await;
    page.press(&acme.key).await;
    page.press(key::ENTER).await;
    page.find(heading("Overview")).await;
    page.close().await;
}

#[tokio::test]
async fn a_token_signs_in_without_scripts() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let page = site.sign_in(View::DESKTOP.without_scripts(), &acme.token).await;
    page.close().await;
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_told_of() {
    let site = Site::start().await;
    let page = site.open(View::DESKTOP, "/").await;
    page.fill(field("API key or token"), "neither-this-nor-that").await;
    page.click(button("Sign in")).await;
    page.announces("This is neither an API key nor a token.").await;
    let described =
        "return document.getElementById(document.activeElement.getAttribute('aria-describedby'))?.innerText";
    assert_eq!(page.run(described).await, "This is neither an API key nor a token.");
    page.is_accessible().await;
    page.close_having_met(&[401]).await;
}

#[tokio::test]
async fn the_page_that_was_asked_for_is_shown_after_signing_in() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let page = site.open(View::DESKTOP, "/overview?range=7d").await;
    page.sign_in(&acme.key).await;
    assert_eq!(page.path().await, "/overview?range=7d");
    page.close().await;
}

#[tokio::test]
async fn whoever_has_signed_out_sees_nothing_any_more() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.click(button("Sign out")).await;
    page.announces("You are signed out.").await;
    page.go("/overview").await;
    page.find(heading("Sign in")).await;
    page.close().await;
}

#[tokio::test]
async fn a_session_ends_with_the_key_that_opened_it() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    acme.revoke_key().await;
    page.go("/overview").await;
    page.find(heading("Sign in")).await;
    page.close().await;
}

#[tokio::test]
async fn a_page_of_another_site_can_do_nothing_in_a_session() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let form = format!("<form method=post action='{}/sign-out'><button>Win a prize</button></form>", site.url());
    let lure = MockServer::start().await;
    let answer = ResponseTemplate::new(200).set_body_raw(format!("<link rel=icon href='data:,'>{form}"), "text/html");
    Mock::given(any()).respond_with(answer).mount(&lure).await;

    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.go_away(&lure.uri()).await;
    page.click(button("Win a prize")).await;
    page.until("it is refused", async |page| Ok(page.path().await == "/sign-out")).await;
    page.go("/overview").await;
    page.find(button("Sign out")).await;
    page.close_having_met(&[403]).await;
}
