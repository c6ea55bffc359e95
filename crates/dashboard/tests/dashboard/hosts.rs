//! The hosts of an operation for agents.

use horarium_auth::Role;
use horarium_domain::agent::TaskState;
use horarium_domain::execution::ExecutionState;

use crate::support::TestApp;

const HOSTS: [(&str, TaskState); 4] = [
    ("web-1", TaskState::Completed),
    ("web-2", TaskState::Failed),
    ("web-3", TaskState::TimedOut),
    ("web-4", TaskState::Completed),
];

#[actix_web::test]
async fn those_that_failed_are_shown_first() {
    let app = TestApp::start().await;
    let claimed = app.broadcast(&HOSTS).await;
    app.end(&claimed, ExecutionState::Failed).await;
    let path = format!("/executions/{}", claimed.lease.execution_id);
    let page = app.signed_in(Role::Read).await.get(&path).await.expect(200);
    assert!(page.says("4 hosts: 2 completed, 1 failed, 1 no answer"), "{}", page.html);
    assert!(page.says("the disk is full") && page.says("30.0 s"), "{}", page.html);
    let at = |host: &str| page.html.find(&format!("/agents/{host}")).unwrap();
    assert!(at("web-2") < at("web-3") && at("web-3") < at("web-1") && at("web-1") < at("web-4"));
    assert!(!page.says("Run it again"), "who only reads runs nothing again");
}

#[actix_web::test]
async fn the_failed_ones_are_tried_again_alone() {
    let app = TestApp::start().await;
    let claimed = app.broadcast(&HOSTS).await;
    app.end(&claimed, ExecutionState::Failed).await;
    let path = format!("/executions/{}", claimed.lease.execution_id);
    let mut browser = app.signed_in(Role::Write).await;
    assert!(browser.get(&path).await.says("Run it again on the failed ones"));
    let question = browser.get(&format!("{path}/retry-hosts?hosts=failed")).await.expect(200);
    assert!(question.says("Run node.status again on 2 hosts?"), "{}", question.html);
    assert!(question.says("web-2, web-3. The others are left alone."), "{}", question.html);

    let question = browser.get(&format!("{path}/retry-hosts?hosts=all")).await.expect(200);
    assert!(question.says("Run node.status again on 4 hosts?"), "{}", question.html);
    assert!(question.says("&#39;_all&#39; reaches web-1, web-2, web-3, web-4 now."), "{}", question.html);

    let answer = browser.submit(&format!("{path}/retry-hosts"), &[("hosts", "failed")]).await.expect(303);
    let again = answer.header("location").rsplit('/').next().unwrap().parse().unwrap();
    let again = app.services.agent_jobs.get(app.actor().await.tenant, again).await.unwrap();
    assert_eq!(again.request.unwrap().hosts.unwrap(), ["web-2", "web-3"]);
    assert_eq!(app.host.audited().last().unwrap().1, "retry_agent_job");
    browser.get(&format!("{path}/retry-hosts?hosts=some")).await.expect(400);
}

#[actix_web::test]
async fn what_is_no_operation_for_agents_is_not_run_again_by_whoever_only_uses_those() {
    let app = TestApp::start().await;
    let claimed = app.begin(app.job("payout", None).await).await;
    app.end(&claimed, ExecutionState::Succeeded).await;
    let (_, key) = app.key(&["jobs:read", "executions:read", "agents:use"]).await;
    let mut browser = app.browser();
    browser.sign_in(&key).await.expect(303);
    let path = format!("/executions/{}/retry-hosts", claimed.lease.execution_id);
    browser.get(&path).await.expect(404);
    browser.submit(&path, &[("hosts", "all")]).await.expect(409);
    assert!(browser.get("/executions").await.says("1 of 1 execution<"));
}

#[actix_web::test]
async fn what_still_runs_says_how_many_have_answered() {
    let app = TestApp::start().await;
    let hosts = [("web-1", TaskState::Completed), ("web-2", TaskState::Leased), ("web-3", TaskState::Pending)];
    let claimed = app.broadcast(&hosts).await;
    let path = format!("/executions/{}", claimed.lease.execution_id);
    let mut browser = app.signed_in(Role::Write).await;
    let page = browser.get(&path).await.expect(200);
    assert!(page.says("3 hosts: 1 completed, 1 running, 1 pending") && !page.says("Run it again"), "{}", page.html);
    let question = browser.get(&format!("{path}/cancel")).await.expect(200);
    assert!(question.says("1 of its 3 hosts have answered; the other 2 are told to stop."), "{}", question.html);
}

#[actix_web::test]
async fn hundreds_of_hosts_are_folded_until_they_are_asked_for() {
    let app = TestApp::start().await;
    let names: Vec<String> = (0..203).map(|number| format!("node-{number:03}")).collect();
    let hosts: Vec<_> = names.iter().map(|name| (name.as_str(), TaskState::Completed)).collect();
    let claimed = app.broadcast(&hosts).await;
    app.end(&claimed, ExecutionState::Succeeded).await;
    let path = format!("/executions/{}", claimed.lease.execution_id);
    let mut browser = app.signed_in(Role::Read).await;
    let page = browser.get(&path).await.expect(200);
    assert!(page.says("203 hosts: 203 completed") && page.says("node-199") && !page.says("node-200"));
    assert!(page.html.len() < 400_000, "of long answers, the beginning is shown: {}", page.html.len());
    let (_, rest) = page.html.split_once(&format!("{path}/hosts/")).unwrap();
    let answer = browser.get(&format!("{path}/hosts/{}", rest.split_once('"').unwrap().0)).await.expect(200);
    assert_eq!(answer.html.matches("all is well").count(), 500);
    assert!(answer.header("content-disposition").ends_with("-node-000.json\""), "{:?}", answer.headers);
    assert!(page.says(&format!("{path}?hosts=all")));
    let page = browser.get(&format!("{path}?hosts=all")).await.expect(200);
    assert!(page.says("node-202") && !page.says("Show all hosts"));
}
