//! Pages that keep themselves fresh, and what that must not disturb.

use serde_json::json;

use crate::support::{Outside, Site, View, button, heading, key, link};

/// Stands for whatever keeps streams from pages, such as a proxy that holds back what it has too little of.
const STREAMS_SAY_NOTHING: &str = "window.EventSource = class extends EventTarget { close() {} };";

/// As many tabs as take every connection that a browser has for a server, if each keeps one, and one more.
const TABS: usize = 7;

#[tokio::test]
async fn what_is_open_stays_open_while_the_page_is_refreshed_behind_it() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.press("?").await;
    page.find(heading("Keyboard")).await;
    acme.run("search-index").await;
    page.sees("search-index").await;
    assert!(page.focus_is_on(button("Close")).await);
    page.press(key::ESCAPE).await;
    page.sees_no("Next line of a list").await;
    page.close().await;
}

#[tokio::test]
async fn what_does_harm_asks_first_also_after_the_page_was_refreshed() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let job = acme.job("quarterly-report", Outside::Slow, json!({"queue": "reports"})).await;
    acme.trigger(&job).await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.go("/queues").await;
    page.find(link("Pause reports")).await;
    acme.trigger(&job).await;
    let running = "[data-row=reports] [data-label=Running]";
    page.until("two run", async |page| Ok(page.text_of(running).await?.contains('2'))).await;
    page.click(link("Pause reports")).await;
    page.find(heading("Pause the queue reports?")).await;
    page.sees("what runs (2) goes on").await;

    // The question stays however often the page is loaded, and nothing is done before the answer.
    acme.trigger(&job).await;
    page.until("it tells of three", async |page| {
        page.reload().await;
        Ok(page.text().await?.contains("what runs (3) goes on"))
    })
    .await;
    assert_eq!(acme.get("/api/v1/queues/reports").await["paused"], false);
    page.click(button("Pause the queue")).await;
    page.announces("Paused reports").await;
    assert_eq!(acme.get("/api/v1/queues/reports").await["paused"], true);
    page.close().await;
}

#[tokio::test]
async fn a_page_is_fresh_also_where_streams_say_nothing() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let page = site.open(View::DESKTOP, "/").await;
    page.begins_with(STREAMS_SAY_NOTHING).await;
    page.sign_in(&acme.key).await;
    let execution = acme.run("search-index").await;
    page.find(link("search-index")).await;
    acme.post(&format!("/api/v1/scheduler/executions/{execution}/cancel"), json!({})).await;
    page.sees("Nothing is running.").await;
    page.close().await;
}

#[tokio::test]
async fn a_page_whose_server_is_gone_says_so_and_goes_on_when_it_is_back() {
    let mut site = Site::start().await;
    let key = site.tenant("acme").await.key;
    let page = site.sign_in(View::DESKTOP, &key).await;
    site.stop();
    page.announces("The server does not answer").await;
    site.start_again().await;
    site.tenant("acme").await.run("search-index").await;
    page.find(link("search-index")).await;
    page.sees_no("The server does not answer").await;
    page.close_having_lost_the_server().await;
}

#[tokio::test]
async fn a_page_of_what_is_gone_says_so() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let job = acme.job("search-index", Outside::Fine, json!({})).await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.go(&format!("/jobs/{job}")).await;
    acme.delete(&format!("/api/v1/scheduler/jobs/{job}")).await;
    page.announces("There is no such thing. This job does not exist in this tenant, or is gone by now.").await;
    page.close_having_met(&[404]).await;
}

#[tokio::test]
async fn many_tabs_are_fresh_when_they_are_looked_at() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    let first = page.tab().await;
    for _ in 1..TABS {
        page.open_tab("/overview").await;
        page.find(heading("Overview")).await;
    }
    acme.run("search-index").await;
    page.find(link("search-index")).await;
    page.show_tab(&first).await;
    page.find(link("search-index")).await;
    page.close().await;
}
