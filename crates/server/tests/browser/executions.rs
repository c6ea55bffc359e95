//! Executions: followed to their end, cancelled, run again, and listed while others come in.

use serde_json::json;

use crate::support::{Outside, Site, View, button, heading, key, link};

#[tokio::test]
async fn a_running_execution_is_followed_to_its_end() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let execution = acme.run("search-index").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.go(&format!("/executions/{execution}")).await;
    page.sees("has been running for").await;
    acme.post(&format!("/api/v1/scheduler/executions/{execution}/cancel"), json!({})).await;
    page.announces("Cancelled").await;
    page.sees("It was cancelled after").await;
    page.until("the title tells the end", async |page| Ok(page.title().await.starts_with("Cancelled"))).await;
    let fresh = "return document.querySelectorAll('[data-live]').length";
    page.until("nothing is looked at any more", async |page| Ok(page.run(fresh).await == 0)).await;
    page.close().await;
}

#[tokio::test]
async fn an_execution_is_cancelled_by_the_keyboard_alone_after_a_question() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let execution = acme.run("search-index").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.go(&format!("/executions/{execution}")).await;
    page.press("c").await;
    page.find(heading("Cancel this execution of search-index?")).await;
    page.sees("What it did so far is not undone.").await;
    page.is_accessible().await;
    page.tab_to(button("Cancel the execution")).await;
    page.press(key::ENTER).await;
    page.announces("The execution is cancelled.").await;
    acme.reaches(&execution, "Cancelled").await;
    page.close().await;
}

#[tokio::test]
async fn a_failed_execution_is_run_again_and_leads_to_the_new_one() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let job = acme.job("invoice-mailer", Outside::Broken, json!({"retryPolicy": {"maxAttempts": 1}})).await;
    let failed = acme.trigger(&job).await;
    acme.reaches(&failed, "Failed").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.go(&format!("/executions/{failed}")).await;
    page.press("r").await;
    page.announces("It runs again, as this new execution.").await;
    page.click(link(&failed)).await;
    page.sees("Run again as").await;
    page.close().await;
}

#[tokio::test]
async fn a_list_is_walked_and_ticked_by_keys() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    acme.put("/api/v1/queues/reports", json!({"paused": true})).await;
    let job = acme.job("quarterly-report", Outside::Fine, json!({"queue": "reports"})).await;
    for _ in 0..2 {
        acme.trigger(&job).await;
    }
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.go("/executions").await;
    page.press("jjx").await;
    let ticked = "return [...document.querySelectorAll('tbody input')].map(box => box.checked)";
    assert_eq!(page.run(ticked).await, json!([false, true]));
    page.press("k").await;
    page.press(key::ENTER).await;
    page.find(heading("quarterly-report")).await;
    page.close().await;
}

#[tokio::test]
async fn a_list_keeps_its_place_while_others_come_in() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    acme.put("/api/v1/queues/reports", json!({"paused": true})).await;
    let job = acme.job("quarterly-report", Outside::Fine, json!({"queue": "reports"})).await;
    for _ in 0..3 {
        acme.trigger(&job).await;
    }
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.go("/executions").await;
    page.run("document.querySelector('tbody tr:last-child input').click()").await;
    for _ in 0..2 {
        acme.trigger(&job).await;
    }
    page.find(button("2 new – show")).await;
    let rows = "return document.querySelectorAll('tbody tr').length";
    let ticked = "return document.querySelector('tbody tr:last-child input').checked";
    assert_eq!((page.run(rows).await, page.run(ticked).await), (json!(3), json!(true)));
    page.click(button("2 new – show")).await;
    page.until("the new ones are shown", async |page| Ok(page.run(rows).await == 5)).await;
    assert_eq!(page.run(ticked).await, json!(true));
    page.close().await;
}

#[tokio::test]
async fn one_tick_is_for_all_that_are_shown() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    acme.put("/api/v1/queues/reports", json!({"paused": true})).await;
    let job = acme.job("quarterly-report", Outside::Fine, json!({"queue": "reports"})).await;
    for _ in 0..3 {
        acme.trigger(&job).await;
    }
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.go("/executions").await;
    let all = "const all = document.querySelector('[data-tick-all] input');";
    let ticked = "return document.querySelectorAll('tbody input:checked').length";
    page.run(&format!("{all} all.click()")).await;
    assert_eq!(page.run(ticked).await, json!(3));
    page.run("document.querySelector('tbody input').click()").await;
    let told = format!("{all} return [all.closest('label').hidden, all.checked, all.indeterminate]");
    assert_eq!(page.run(&told).await, json!([false, false, true]));
    page.run("document.querySelector('tbody input').click()").await;
    page.click(button("Cancel what is ticked")).await;
    page.find(heading("Cancel 3 executions?")).await;
    page.close().await;
}

#[tokio::test]
async fn a_list_of_what_runs_loses_what_has_ended() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    acme.run("search-index").await;
    let ends = acme.run("log-rotation").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.go("/executions?state=Running").await;
    page.press("j").await;
    assert!(page.focus_is_on(link("log-rotation")).await);
    acme.post(&format!("/api/v1/scheduler/executions/{ends}/cancel"), json!({})).await;
    page.sees_no("log-rotation").await;
    assert!(page.focus_is_on(link("search-index")).await, "the focus goes to the line in its place");
    page.close().await;
}
