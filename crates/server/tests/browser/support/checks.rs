//! The support sees what it is there to see.

use serde_json::json;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{Page, View, ZONE, button, field, heading, key, link};

const POLICY: &str = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:";

/// A page with this body, in a browser; its server lives as long as the page is looked at.
async fn shown(body: &str, view: View) -> (Page, MockServer) {
    let server = MockServer::start().await;
    let html = format!(
        "<!doctype html><html lang=en><title>Test</title><link rel=icon href='data:,'>
         <meta name=viewport content='width=device-width, initial-scale=1'><main><h1>Test</h1>{body}</main></html>"
    );
    let answer =
        ResponseTemplate::new(200).insert_header("content-security-policy", POLICY).set_body_raw(html, "text/html");
    Mock::given(path("/")).respond_with(answer).mount(&server).await;
    (Page::open(&server.uri(), view, "/").await, server)
}

#[tokio::test]
async fn a_page_without_fault_passes() {
    let (page, _server) = shown("<p>Fine.", View::DESKTOP).await;
    page.find(heading("Test")).await;
    page.is_accessible().await;
    assert_eq!(page.title().await, "Test");
    assert!(!page.scrolls_sideways().await);
    page.close().await;
}

#[tokio::test]
#[should_panic(expected = "content security policy: script-src-elem stopped inline")]
async fn a_breach_of_the_content_security_policy_fails() {
    let (page, _server) = shown("<script>1</script>", View::DESKTOP).await;
    page.close().await;
}

#[tokio::test]
#[should_panic(expected = "color-contrast")]
async fn what_cannot_be_read_well_fails_in_the_dark_too() {
    let dark = "<style>@media (prefers-color-scheme: dark) { main { background: #000; color: #222 } }</style>";
    let (page, _server) = shown(&format!("{dark}<p>Too dim.</p>"), View::DESKTOP.dark()).await;
    page.is_accessible().await;
}

#[tokio::test]
async fn a_page_that_is_wider_than_its_window_is_noticed() {
    let (page, _server) = shown("<div style='width: 330px'>Wide", View::NARROW).await;
    assert!(page.scrolls_sideways().await);
    let (page, _server) = shown("<div style='width: 330px'>Wide", View::PHONE).await;
    assert!(!page.scrolls_sideways().await);
}

#[tokio::test]
async fn the_keyboard_alone_reaches_types_and_presses() {
    let body = "<a href='/?away'>Away</a>
        <form><label>Name <input name=name></label><label>Note <input name=note></label><button>Save</button></form>";
    let (page, _server) = shown(body, View::DESKTOP).await;
    page.tab_to(field("Note")).await;
    page.press("two words").await;
    page.tab_back_to(field("Name")).await;
    page.press("Ada").await;
    page.tab_to(button("Save")).await;
    page.press(key::ENTER).await;
    page.until("the form is sent", async |page| Ok(page.path().await == "/?name=Ada&note=two+words")).await;
    page.tab_to(link("Away")).await;
    page.press(key::ENTER).await;
    page.until("the link is followed", async |page| Ok(page.path().await == "/?away")).await;
    page.close().await;
}

#[tokio::test]
async fn fields_take_the_place_of_what_they_held() {
    let body = "<form><label>Name <input name=name value=Bob></label>
        <label>State <select name=state><option>Any<option>Failed</select></label><button>Show</button></form>";
    let (page, _server) = shown(body, View::DESKTOP).await;
    page.fill(field("Name"), "Ada").await;
    page.choose(field("State"), "Failed").await;
    page.click(button("Show")).await;
    page.until("the form is sent", async |page| Ok(page.path().await == "/?name=Ada&state=Failed")).await;
    page.close().await;
}

#[tokio::test]
async fn what_is_announced_is_more_than_what_is_shown() {
    let (page, _server) = shown("<p>Shown.</p><p role=status>Saved.</p>", View::DESKTOP).await;
    page.announces("Saved.").await;
    page.sees("Shown.").await;
    page.sees_no("Lost.").await;
    page.close().await;
}

#[tokio::test]
async fn what_opens_is_closed_by_a_key() {
    let (page, _server) = shown("<button popovertarget=help>Help</button><p id=help popover>Keys", View::DESKTOP).await;
    page.click(button("Help")).await;
    page.sees("Keys").await;
    page.press(key::ESCAPE).await;
    page.sees_no("Keys").await;
    page.close().await;
}

#[tokio::test]
#[should_panic(expected = "the focus cannot be seen on")]
async fn a_focus_that_cannot_be_seen_fails() {
    let (page, _server) = shown("<style>a { outline: none }</style><a href='/'>Home</a>", View::DESKTOP).await;
    page.tab_to(link("Home")).await;
}

#[tokio::test]
#[should_panic(expected = "the focus cannot be seen on \"covered")]
async fn a_focus_that_something_lies_over_fails() {
    let body = "<a href='/'>Home</a><div style='position: fixed; inset: 0; background: #fff'></div>";
    let (page, _server) = shown(body, View::DESKTOP).await;
    page.tab_to(link("Home")).await;
}

#[tokio::test]
async fn the_parts_of_a_field_for_a_date_are_stops_on_the_way() {
    let body = "<style>input:focus-within { outline: 3px solid }</style><label>From <input type=datetime-local></label>
        <label>Day <input type=date></label> <button>Show</button>";
    let (page, _server) = shown(body, View::DESKTOP).await;
    page.tab_to(button("Show")).await;
    page.tab_back_to(field("From")).await;
    page.close().await;
}

#[tokio::test]
async fn scripts_can_be_off() {
    let (page, _server) = shown("<noscript>There are no scripts.</noscript>", View::DESKTOP.without_scripts()).await;
    page.sees("There are no scripts.").await;
    page.close().await;
}

#[tokio::test]
async fn the_viewer_is_in_a_zone_that_is_not_utc() {
    let (page, _server) = shown("", View::DESKTOP).await;
    let zone = page.run("return Intl.DateTimeFormat().resolvedOptions().timeZone").await;
    assert_eq!(zone, json!(ZONE));
}
