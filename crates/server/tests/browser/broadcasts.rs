//! Operations that go to many hosts at once.

use crate::support::{Agent, Machine, Manner, Page, Site, View, button, heading, link};

/// The hosts of the execution that is looked at, those first that failed: name and state.
async fn hosts(page: &Page) -> Vec<String> {
    let rows = page.run(
        "return [...document.querySelectorAll('#hosts tbody tr')].map(row =>
            [...row.querySelectorAll('th, td')].slice(0, 2).map(cell => cell.innerText.trim()).join(': '))",
    );
    rows.await.as_array().unwrap().iter().map(|row| row.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_dead_host_is_told_of_and_tries_again_alone() {
    let site = Site::start_with(|home| home.with("HORARIUM_BROADCAST_TIMEOUT_SECONDS", "3")).await;
    let acme = site.tenant("acme").await;
    let _web = Machine::start(&acme, "web-1").await;
    Machine::start(&acme, "db-1").await.die();
    let broadcast = acme.broadcast("node.uptime.get").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.go(&format!("/executions/{broadcast}")).await;
    page.sees("2 hosts: 1 completed, 1 no answer").await;
    page.sees("timeout: agent did not respond").await;
    assert_eq!(hosts(&page).await, ["db-1: No answer", "web-1: Completed"]);
    page.is_accessible().await;

    let _db = Machine::start(&acme, "db-1").await;
    page.click(link("Run it again on the failed ones")).await;
    page.find(heading("Run node.uptime.get again on 1 host?")).await;
    page.sees("db-1. The others are left alone.").await;
    page.is_accessible().await;
    page.click(button("Run it again")).await;
    page.announces("It runs again, as this new execution.").await;
    page.sees("1 host: 1 completed").await;
    assert_eq!(hosts(&page).await, ["db-1: Completed"]);
    page.click(link(&broadcast)).await;
    page.sees("Run again as").await;
    page.close().await;
}

#[tokio::test]
async fn a_host_that_fails_says_why_and_tries_again_alone() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let _willing = Agent::start(&acme, "web-1", Manner::Willing).await;
    let _clumsy = Agent::start(&acme, "db-1", Manner::Clumsy).await;
    let broadcast = acme.broadcast("service.restart.do").await;
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
