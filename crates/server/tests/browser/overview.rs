//! The page that an operator leaves open all day.

use crate::support::{Site, View, ZONE, heading, key, link};

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
