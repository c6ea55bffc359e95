//! Executions: followed to their end, cancelled, run again, and listed while others come in.

use serde_json::json;

use crate::support::{Agent, Manner, Outside, Site, Tenant, View, button, heading, key, link};

/// Has a job run that does not end; gives the execution.
async fn run(tenant: &Tenant<'_>, name: &str) -> String {
    let job = tenant.job(name, Outside::Slow, json!({})).await;
    let execution = tenant.trigger(&job).await;
    tenant.reaches(&execution, "Running").await;
    execution
}

#[tokio::test]
async fn a_running_execution_is_followed_to_its_end() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let execution = run(&acme, "search-index").await;
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
    let execution = run(&acme, "search-index").await;
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
async fn a_broadcast_is_run_again_on_the_host_that_failed_alone() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let _willing = Agent::start(&acme, "web-1", Manner::Willing).await;
    let _clumsy = Agent::start(&acme, "db-1", Manner::Clumsy).await;
    let broadcast = json!({"operation": {"type": "service.restart.do", "data": {}}, "target_hostname": "_all"});
    let broadcast = acme.post("/job", broadcast).await["job_id"].as_str().unwrap().to_owned();
    acme.reaches(&broadcast, "Failed").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.go(&format!("/executions/{broadcast}")).await;
    page.sees("2 hosts: 1 completed, 1 failed").await;
    page.sees("unit nginx.service is masked").await;
    page.click(link("Run it again on the failed ones")).await;
    page.find(heading("Run service.restart.do again on 1 host?")).await;
    page.sees("db-1. The others are left alone.").await;
    page.click(button("Run it again")).await;
    page.announces("It runs again, as this new execution.").await;
    page.sees("1 host: 1 failed").await;
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
async fn a_list_of_what_runs_loses_what_has_ended() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    run(&acme, "search-index").await;
    let ends = run(&acme, "log-rotation").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.go("/executions?state=Running").await;
    page.press("j").await;
    assert!(page.focus_is_on(link("log-rotation")).await);
    acme.post(&format!("/api/v1/scheduler/executions/{ends}/cancel"), json!({})).await;
    page.sees_no("log-rotation").await;
    assert!(page.focus_is_on(link("search-index")).await, "the focus goes to the line in its place");
    page.close().await;
}
