//! The page that an operator leaves open all day.

use crate::support::{Site, View, ZONE, button, heading, key, link};

/// What the switch says.
const IS_LIVE: &str = "return document.querySelector('[data-switch=live]').getAttribute('aria-checked')";

/// How often the page asks the server within a second of somebody's coming back to it, when live pages ask at once.
const CALLS: &str = "
    let calls = 0;
    const ask = window.fetch;
    window.fetch = (...request) => { calls += 1; return ask(...request); };
    document.dispatchEvent(new Event('visibilitychange'));
    return new Promise(done => setTimeout(() => { window.fetch = ask; done(calls); }, 1200));";

#[tokio::test]
async fn what_starts_shows_up_by_itself_and_the_focus_stays() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    acme.run("search-index").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.tab_to(link("search-index")).await;
    acme.run("log-rotation").await;
    page.find(link("log-rotation")).await;
    assert!(page.focus_is_on(link("search-index")).await);
    page.close().await;
}

#[tokio::test]
async fn where_nothing_has_run_it_says_so() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.sees("Nothing is running.").await;
    page.sees("No job has failed three times in a row.").await;
    let figures = page.text_of("#figures").await.unwrap();
    assert!(figures.contains("Average run\n–\n"), "{figures}");
    page.close().await;
}

#[tokio::test]
async fn the_timeline_goes_further_back_by_the_keyboard_alone() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.tab_to(link("7 days")).await;
    page.press(key::ENTER).await;
    page.until("it goes back a week", async |page| Ok(page.path().await == "/overview?range=7d")).await;
    page.close().await;
}

#[tokio::test]
async fn times_are_the_viewers_with_utc_on_hover() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    acme.run("search-index").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.sees(&format!("Times in {ZONE}")).await;
    let titles = page.run("return [...document.querySelectorAll('main time')].map(time => time.title)").await;
    let titles = titles.as_array().unwrap();
    assert!(!titles.is_empty() && titles.iter().all(|title| title.as_str().unwrap().ends_with(" UTC")), "{titles:?}");
    page.close().await;
}

#[tokio::test]
async fn a_key_tells_all_keys() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.press("?").await;
    page.find(heading("Keyboard")).await;
    page.is_accessible().await;
    page.press(key::ESCAPE).await;
    page.sees_no("Next line of a list").await;
    page.close().await;
}

#[tokio::test]
async fn live_is_paused_on_all_pages_until_it_goes_on() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.tab_to(button("Live")).await;
    page.press(key::ENTER).await;
    page.until("the switch is off", async |page| Ok(page.run(IS_LIVE).await == "false")).await;
    page.go("/overview").await;
    assert_eq!(page.run(IS_LIVE).await, "false", "it is remembered");
    acme.run("search-index").await;
    assert_eq!(page.run(CALLS).await, 0);
    page.sees("Nothing is running.").await;
    page.press(".").await;
    page.find(link("search-index")).await;
    page.close().await;
}

#[tokio::test]
async fn single_keys_are_switched_off_and_on_where_they_are_told() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.press("?").await;
    page.tab_to(button("Single keys")).await;
    page.press(key::ENTER).await;
    page.press(key::ESCAPE).await;
    page.press("gj").await;
    page.press("?").await;
    page.click(button("Keyboard ?")).await;
    assert_eq!(page.path().await, "/overview");
    page.click(button("Single keys")).await;
    page.press(key::ESCAPE).await;
    page.press("gj").await;
    page.find(heading("Jobs")).await;
    page.close().await;
}
