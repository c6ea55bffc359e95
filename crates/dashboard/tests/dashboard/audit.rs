//! Who changed what.

use horarium_auth::Role;
use horarium_domain::audit::{AuditActor, AuditActorKind, AuditEntry, AuditTarget};

use crate::support::TestApp;

const PAGE: &str = "/audit";

/// Has somebody of `org-1` have done something to a job.
async fn note(app: &TestApp, who: &str, action: &str, job: &str, status: Option<u16>) {
    let entry = AuditEntry {
        id: app.core.ids.audit(app.core.now()),
        tenant_id: app.tenant("org-1").await.id,
        at: app.core.now(),
        actor: AuditActor {
            kind: AuditActorKind::Token,
            id: who.to_owned(),
            name: Some(format!("{who} <name>")),
            email: None,
        },
        action: action.to_owned(),
        method: "POST".to_owned(),
        route: "/api/v1/scheduler/jobs/{jobId}/trigger".to_owned(),
        target: Some(AuditTarget {
            kind: "job".to_owned(),
            before: Some(job.to_owned()),
            after: Some(job.to_owned()),
            ..AuditTarget::default()
        }),
        status,
        address: Some("192.0.2.7".to_owned()),
        user_agent: Some("curl/8".to_owned()),
        request_id: "request-42".to_owned(),
    };
    app.services.audit.record(entry).await.unwrap();
}

#[actix_web::test]
async fn what_was_changed_is_told_with_who_did_it_and_how_it_ended() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    assert!(browser.get(PAGE).await.expect(200).says("Nothing was changed yet."));
    note(&app, "ada", "trigger_job", "job-1", Some(202)).await;
    note(&app, "bob", "delete_job", "job-2", Some(403)).await;
    note(&app, "bob", "pause_job", "job-3", None).await;
    let page = browser.get(PAGE).await.expect(200);
    for told in ["Trigger job", "ada &#60;name&#62;", "Done</span>", "Refused</span>", "the caller left", "request-42"]
    {
        assert!(page.says(told), "{told}: {}", page.html);
    }
    assert!(page.says(r#"href="/jobs/job-1""#) && page.says("192.0.2.7") && page.says("curl/8"));
}

#[actix_web::test]
async fn entries_are_found_by_who_what_and_when() {
    let app = TestApp::start().await;
    note(&app, "ada", "trigger_job", "job-1", Some(202)).await;
    note(&app, "bob", "pause_job", "job-2", Some(200)).await;
    let mut browser = app.signed_in(Role::Owner).await;
    for (query, shown, hidden) in [
        ("actor=ada", "Trigger job", "Pause job"),
        ("action=pause_job", "Pause job", "Trigger job"),
        ("target=job-2&actor=", "Pause job", "Trigger job"),
        ("since=2025-07-10T14:00&until=2025-07-11T00:00:00Z&action=pause_job", "Pause job", "Trigger job"),
    ] {
        let page = browser.get(&format!("{PAGE}?{query}")).await.expect(200);
        assert!(page.says(shown) && !page.says(hidden) && page.says("Clear filters"), "{query}: {}", page.html);
    }
    let none = browser.get("/audit?since=2025-07-10T14:51").await.expect(200);
    assert!(none.says("No entry matches.") && none.says(r#"data-utc value="2025-07-10T14:51:00""#), "{}", none.html);
    assert!(browser.get("/audit?actor=nobody").await.expect(200).says("No entry matches."));
    let page = browser.get("/audit?actor=ada&since=yesterday&until=2025-07-10T15:00").await.expect(400);
    assert!(page.says(r#"id="since-problem""#) && page.says("is no date and time"), "{}", page.html);
    for typed in ["ada", "yesterday", "2025-07-10T15:00:00"] {
        assert!(page.says(&format!(r#"value="{typed}""#)), "what was typed stays: {}", page.html);
    }
    let page = browser.get("/audit?before=7").await.expect(400);
    assert!(page.says("The address names no place in the log."), "{}", page.html);
    let page = browser.get("/audit?actor=ada").await.expect(200);
    assert!(page.says("/audit?actor=ada&#38;action=trigger_job"), "a link keeps the rest: {}", page.html);
}

#[actix_web::test]
async fn a_long_log_is_walked_to_its_end() {
    let app = TestApp::start().await;
    for number in 0..60 {
        note(&app, "ada", "trigger_job", &format!("job-{number}"), Some(202)).await;
    }
    let mut browser = app.signed_in(Role::Owner).await;
    let first = browser.get("/audit?actor=ada").await.expect(200);
    assert!(first.says("50 shown"), "{}", first.html);
    let (before, _) = first.html.split_once("\" rel=\"next\"").unwrap();
    let older = before.rsplit_once('"').unwrap().1.replace("&#38;", "&");
    let second = browser.get(&older).await.expect(200);
    assert!(second.says("10 shown") && second.says("Newest"), "{older}: {}", second.html);
}

#[actix_web::test]
async fn the_log_is_for_owners_of_its_own_tenant() {
    let app = TestApp::start().await;
    note(&app, "ada", "trigger_job", "job-1", Some(202)).await;
    app.signed_in(Role::Manager).await.get(PAGE).await.expect(403);
    let page = app.signed_in_to(Role::Owner, "org-2").await.get(PAGE).await.expect(200);
    assert!(page.says("Nothing was changed yet."), "{}", page.html);
}
