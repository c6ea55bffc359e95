//! Tenants are strangers to each other.

use serde_json::json;

use crate::support::{Agent, Manner, Outside, Page, Site, Tenant, View, heading};

/// The pages that tell of everything there is.
const LISTS: [&str; 10] = [
    "/overview",
    "/overview?range=30d",
    "/jobs",
    "/executions",
    "/executions?state=Failed",
    "/queues",
    "/agents",
    "/keys",
    "/audit",
    "/settings/integrations",
];

/// Notes in `told` what the server tells the page of changes from now on.
const LISTEN: &str = "
    window.told = [];
    const events = new EventSource('/events');
    events.addEventListener('changed', event => window.told.push(event.data));
    return new Promise(done => { events.onopen = () => done(true); });";

/// Something of everything, of which each name holds `acme-`.
struct Everything {
    job: String,
    running: String,
    failed: String,
    key: String,
    _agent: Agent,
}

impl Everything {
    async fn of(acme: &Tenant<'_>) -> Self {
        let running = acme.run("acme-index").await;
        let once = json!({"group": "integration", "tags": ["acme-tag"], "retryPolicy": {"maxAttempts": 1}});
        let job = acme.job("acme-mailer", Outside::Broken, once).await;
        let failed = acme.trigger(&job).await;
        acme.reaches(&failed, "Failed").await;
        acme.put("/api/v1/queues/acme-reports", json!({"paused": true})).await;
        let waiting = acme.job("acme-report", Outside::Fine, json!({"queue": "acme-reports"})).await;
        acme.trigger(&waiting).await;
        let agent = Agent::start(acme, "acme-web-1", Manner::Willing).await;
        let key = acme.post("/api/v1/keys", json!({"name": "acme-robot", "scopes": ["jobs:read"]})).await;
        let key = key["id"].as_str().unwrap().to_owned();
        Self { job, running, failed, key, _agent: agent }
    }

    /// Pages about each by itself.
    fn pages(&self) -> Vec<String> {
        let Self { job, running, failed, key, .. } = self;
        vec![
            format!("/jobs/{job}"),
            format!("/jobs/{job}/edit"),
            format!("/jobs/{job}/trigger"),
            format!("/jobs/{job}/delete"),
            format!("/executions/{running}"),
            format!("/executions/{running}/cancel"),
            format!("/executions/{failed}/error"),
            format!("/executions/{failed}/retry-hosts"),
            "/agents/acme-web-1".to_owned(),
            "/agents/acme-web-1/drain".to_owned(),
            format!("/keys/{key}/rotate"),
            format!("/keys/{key}/revoke"),
        ]
    }

    /// What can be done to each.
    fn forms(&self) -> Vec<String> {
        let Self { job, running, failed, key, .. } = self;
        vec![
            format!("/jobs/{job}/pause"),
            format!("/jobs/{job}/delete"),
            format!("/jobs/{job}/trigger"),
            format!("/executions/{running}/cancel"),
            format!("/executions/{failed}/retry"),
            format!("/executions/{failed}/retry-hosts"),
            "/agents/acme-web-1/drain".to_owned(),
            "/agents/acme-web-1/forget".to_owned(),
            format!("/keys/{key}/rotate"),
            format!("/keys/{key}/revoke"),
        ]
    }
}

/// Fails if anything on the page tells of the other tenant, shown or not.
async fn tells_nothing(page: &Page) {
    let html = page.run("return document.documentElement.outerHTML").await;
    assert!(!html.as_str().unwrap().contains("acme-"), "{} tells of the other tenant: {html}", page.path().await);
}

#[tokio::test]
async fn another_tenant_sees_none_of_it() {
    let site = Site::start().await;
    let (acme, other) = (site.tenant("acme").await, site.tenant("other").await);
    let all = Everything::of(&acme).await;
    let (own, theirs) = (site.sign_in(View::DESKTOP, &acme.key).await, site.sign_in(View::DESKTOP, &other.key).await);
    for list in LISTS {
        own.go(list).await;
        let html = own.run("return document.documentElement.outerHTML").await;
        assert!(html.as_str().unwrap().contains("acme-"), "{list} is of no use here");
        theirs.go(list).await;
        tells_nothing(&theirs).await;
    }
    // Whoever searches for it finds nothing, by its name or its id.
    let by_id = format!("/executions?job={}", all.job);
    for (search, answer) in [
        ("/jobs?search=mailer", "No job matches mailer."),
        ("/jobs?tag=acme-tag", "No job matches."),
        ("/executions?job=acme-mailer", "There is no such job."),
        (by_id.as_str(), "There is no such job."),
        ("/settings/integrations?kind=acme-mailer", "No execution of an integration job matches."),
        ("/audit?target=acme-reports", "No entry matches."),
    ] {
        theirs.go(search).await;
        theirs.sees(answer).await;
    }
    own.close().await;
    theirs.close_having_met(&[400]).await;
}

#[tokio::test]
async fn what_is_another_tenants_is_not_there_for_whoever_knows_its_address() {
    let site = Site::start().await;
    let (acme, other) = (site.tenant("acme").await, site.tenant("other").await);
    let all = Everything::of(&acme).await;
    let page = site.sign_in(View::DESKTOP, &other.key).await;
    page.go(&format!("/executions/{}", all.failed)).await;
    page.find(heading("There is no such thing")).await;
    tells_nothing(&page).await;
    page.go("/jobs").await;
    for (method, paths) in [("GET", all.pages()), ("POST", all.forms())] {
        let statuses = page.asks_for(method, &paths).await;
        let answered: Vec<_> = paths.iter().zip(&statuses).filter(|(_, status)| **status != 404).collect();
        assert!(answered.is_empty(), "{method}: {answered:?}");
    }
    acme.reaches(&all.running, "Running").await;
    assert_eq!(acme.get("/api/v1/agents/acme-web-1").await["state"], "alive");
    page.close_having_met(&[404]).await;
}

#[tokio::test]
async fn nobody_is_told_of_another_tenants_changes() {
    let site = Site::start().await;
    let (acme, other) = (site.tenant("acme").await, site.tenant("other").await);
    let page = site.sign_in(View::DESKTOP, &other.key).await;
    page.run(LISTEN).await;
    let another = acme.run("acme-index").await;
    // What is told comes in the order in which it happened, so the other tenant's would be here by now.
    let own = other.run("search-index").await;
    let told = "return window.told.join(' ')";
    page.until("it is told of its own", async |page| Ok(page.run(told).await.as_str().unwrap().contains(&own))).await;
    let told = page.run(told).await;
    let job = acme.get(&format!("/api/v1/scheduler/executions/{another}")).await["jobId"].clone();
    for id in [another.as_str(), job.as_str().unwrap()] {
        assert!(!told.as_str().unwrap().contains(id), "{told}");
    }
    page.close().await;
}
