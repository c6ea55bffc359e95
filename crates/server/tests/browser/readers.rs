//! Somebody who may look, and change nothing.

use std::collections::BTreeSet;

use crate::every_page::PAGES;
use crate::samples::Samples;
use crate::support::{View, heading};

/// What the page offers: where its links lead to, what its forms ask for and what they post to.
const OFFERED: &str = "
    const local = address => address.href.startsWith(location.origin) ? address.pathname + address.search : null;
    const links = [...document.querySelectorAll('a[href]')].map(link => local(new URL(link.href)));
    const forms = [...document.forms].map(form => [form.method, local(new URL(form.action))]);
    const of = method => forms.filter(form => form[0] === method).map(form => form[1]);
    return {asked: [...links, ...of('get')].filter(path => path !== null), posted: of('post')};";

#[tokio::test]
async fn a_reader_is_offered_nothing_that_would_be_refused() {
    let samples = Samples::make().await;
    let reader = samples.site.token("acme", "read", "Grace");
    let page = samples.site.sign_in(View::DESKTOP, &reader).await;
    let (mut offered, mut seen) = (BTreeSet::new(), 0);
    for (name, address) in PAGES {
        let address = address(&samples);
        if page.asks_for("GET", std::slice::from_ref(&address)).await == [403] {
            continue;
        }
        seen += 1;
        page.go(&address).await;
        let found = page.run(OFFERED).await;
        let list = |what: &str| found[what].as_array().unwrap().iter().map(|path| path.as_str().unwrap().to_owned());
        assert_eq!(list("posted").collect::<Vec<_>>(), ["/sign-out"], "{name}");
        offered.extend(list("asked"));
    }
    assert!(seen >= 9, "a reader sees the overview, jobs, executions, queues and agents");
    let offered: Vec<String> = offered.into_iter().collect();
    let statuses = page.asks_for("GET", &offered).await;
    let refused: Vec<_> = offered.iter().zip(statuses).filter(|(_, status)| *status >= 400).collect();
    assert!(refused.is_empty(), "{refused:?}");
    page.close_having_met(&[403]).await;
}

#[tokio::test]
async fn a_reader_who_asks_all_the_same_is_refused_and_that_is_on_record() {
    let samples = Samples::make().await;
    let reader = samples.site.token("acme", "read", "Grace");
    let page = samples.site.sign_in(View::DESKTOP, &reader).await;
    let forms = [
        format!("/jobs/{}/pause", samples.job),
        format!("/jobs/{}/delete", samples.job),
        format!("/jobs/{}/trigger", samples.job),
        format!("/executions/{}/cancel", samples.running),
        format!("/executions/{}/retry", samples.failed),
        format!("/executions/{}/retry-hosts", samples.broadcast),
        format!("/queues/{}/resume", samples.queue),
        format!("/agents/{}/drain", samples.agent),
        "/keys".to_owned(),
        "/settings/integrations/clear".to_owned(),
    ];
    assert_eq!(page.asks_for("POST", &forms).await, [403; 10]);
    page.go("/audit").await;
    page.find(heading("You may not do this")).await;
    page.sees("It needs the permission 'audit:read'").await;
    page.close_having_met(&[403]).await;

    let owner = samples.site.tenant("acme").await;
    let entries = owner.get("/api/v1/audit?limit=200").await;
    let refused = entries["items"].as_array().unwrap().iter();
    let refused = refused.filter(|entry| entry["status"] == 403 && entry["actor"]["name"] == "Grace");
    assert_eq!(refused.count(), forms.len(), "{entries}");
}
