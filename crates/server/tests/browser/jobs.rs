//! Jobs, as people make, change, trigger and delete them.

use serde_json::json;

use crate::support::{Outside, Site, View, button, field, heading, key, link};

#[tokio::test]
async fn a_job_is_made_with_the_builder_while_what_it_will_do_is_shown() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.go("/jobs/new").await;
    page.fill(field("Name (required)"), "ledger-export").await;
    page.fill(field("URL"), site.url()).await;
    page.choose(field("It runs"), "At times of the clock").await;
    page.fill(field("Time zone"), "Europe/Berlin").await;
    page.sees("Daily at 02:30, Europe/Berlin").await;
    page.sees("the clocks in Europe/Berlin go").await;
    page.choose(field("Times"), "Monday to Friday").await;
    page.sees("Mon–Fri at 02:30, Europe/Berlin").await;

    // What is written takes the place of what was chosen, and what is wrong with it is said while it is typed.
    page.fill(field("Cron expression"), "61 2 * * *").await;
    page.sees("'61' is not valid").await;
    page.fill(field("Cron expression"), "15 4 * * *").await;
    page.sees("Daily at 04:15, Europe/Berlin").await;
    page.is_accessible().await;
    page.click(button("Save")).await;
    page.announces("Created ledger-export. First run").await;
    page.find(heading("ledger-export")).await;
    page.close().await;
}

#[tokio::test]
async fn a_job_is_triggered_and_paused_by_single_keys() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let job = acme.job("search-index", Outside::Fine, json!({})).await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.go(&format!("/jobs/{job}")).await;
    page.press("p").await;
    page.announces("Paused search-index.").await;
    page.press("p").await;
    page.announces("Resumed search-index.").await;
    page.press("t").await;
    page.find(heading("Run search-index once now?")).await;
    page.click(button("Run it")).await;
    page.until("it is accepted", async |page| Ok(page.path().await.starts_with("/executions/"))).await;
    page.close().await;
}

#[tokio::test]
async fn what_was_typed_into_a_job_that_changed_meanwhile_is_kept_and_asked_for_again() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let job = acme.job("ledger-export", Outside::Fine, json!({"description": "The old one."})).await;
    let address = format!("/api/v1/scheduler/jobs/{job}");
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.go(&format!("/jobs/{job}/edit")).await;
    page.fill(field("Description"), "What was typed.").await;
    acme.put(&address, json!({"description": "Somebody else's.", "priority": 7})).await;
    page.click(button("Save")).await;
    page.announces("Ada Lovelace changed this job at").await;
    page.announces("Your values are below and not saved.").await;
    page.is_accessible().await;
    assert_eq!(page.run("return document.getElementById('f-description').value").await, "What was typed.");
    assert_eq!(acme.get(&address).await["description"], "Somebody else's.");
    page.click(button("Save")).await;
    page.announces("Saved.").await;
    page.sees("What was typed.").await;
    page.close_having_met(&[409]).await;
}

#[tokio::test]
async fn a_job_is_deleted_only_after_a_second_thought() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let job = acme.job("log-rotation", Outside::Fine, json!({})).await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.go(&format!("/jobs/{job}")).await;
    page.click(link("Delete")).await;
    page.click(link("Leave it as it is")).await;
    page.click(link("Delete")).await;
    page.tab_to(button("Delete this job")).await;
    page.press(key::ENTER).await;
    page.announces("Deleted log-rotation.").await;
    assert!(page.look_for(link("log-rotation")).await.unwrap().is_none());
    page.close().await;
}
