//! Everything that people come for, by the keyboard alone. Where the focus is can be seen at each stop on the way.

use serde_json::json;

use crate::support::{Outside, Site, View, button, field, heading, key, link};

#[tokio::test]
async fn a_job_is_made_run_and_followed_by_the_keyboard_alone() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let page = site.open(View::DESKTOP, "/").await;
    page.tab_to(field("API key or token")).await;
    page.press(&acme.key).await;
    page.press(key::ENTER).await;
    page.find(heading("Overview")).await;

    page.press("gj").await;
    page.find(heading("Jobs")).await;
    page.press("n").await;
    page.find(heading("New job")).await;
    page.tab_to(field("Name (required)")).await;
    page.press("ledger-export").await;
    page.tab_to(field("URL")).await;
    page.press(acme.outside(Outside::Fine)).await;
    page.tab_to(field("It runs")).await;
    page.press("At").await;
    page.tab_to(field("Cron expression")).await;
    page.press("15 4 * * *").await;
    page.sees("Daily at 04:15").await;
    page.tab_to(button("Save")).await;
    page.press(key::ENTER).await;
    page.announces("Created ledger-export. First run").await;

    page.press("t").await;
    page.find(heading("Run ledger-export once now?")).await;
    page.tab_to(button("Run it")).await;
    page.press(key::ENTER).await;
    page.announces("It is accepted").await;
    page.sees("It succeeded after").await;
    page.close().await;
}

#[tokio::test]
async fn a_slow_execution_is_cancelled_and_a_failed_one_run_again_by_the_keyboard_alone() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let job = acme.job("invoice-mailer", Outside::Broken, json!({"retryPolicy": {"maxAttempts": 1}})).await;
    let failed = acme.trigger(&job).await;
    acme.reaches(&failed, "Failed").await;
    let slow = acme.run("search-index").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;

    page.press("ge").await;
    page.find(heading("Executions")).await;
    page.press("j").await;
    assert!(page.focus_is_on(link("search-index")).await, "the newest is the first line");
    page.press(key::ENTER).await;
    page.sees("has been running for").await;
    page.press("c").await;
    page.find(heading("Cancel this execution of search-index?")).await;
    page.tab_to(button("Cancel the execution")).await;
    page.press(key::ENTER).await;
    page.announces("The execution is cancelled.").await;
    acme.reaches(&slow, "Cancelled").await;

    // Across the fields for dates and times, whose parts are stops of their own, and back.
    page.press("ge").await;
    page.tab_to(link("invoice-mailer")).await;
    page.tab_back_to(field("Job, or an id")).await;
    page.tab_to(link("invoice-mailer")).await;
    page.press(key::ENTER).await;
    page.sees("It failed after").await;
    page.press("r").await;
    page.announces("It runs again, as this new execution.").await;
    page.close().await;
}

#[tokio::test]
async fn keys_that_are_typed_into_a_field_do_nothing_else() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.press("gj").await;
    page.find(heading("Jobs")).await;
    page.press("/").await;
    page.press("n?gejk").await;
    let typed = page.run("return document.querySelector('[data-search]').value").await;
    assert_eq!((page.path().await.as_str(), typed), ("/jobs", json!("n?gejk")));
    page.press(key::ENTER).await;
    page.sees("No job matches n?gejk.").await;
    page.close().await;
}

#[tokio::test]
async fn every_stop_of_a_form_can_be_seen() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    for (form, last) in [("/keys/new", link("Cancel")), ("/audit", link("API")), ("/queues/reports", link("API"))] {
        page.go(form).await;
        page.tab_to(last).await;
    }
    page.close().await;
}
