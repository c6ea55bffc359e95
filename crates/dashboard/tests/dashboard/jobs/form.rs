//! The form that makes and changes jobs, and what it says of schedules.

use std::time::Duration;

use horarium_auth::Role;
use horarium_domain::JobId;
use horarium_domain::job::{Job, JobConfiguration};
use horarium_domain::schedule::ScheduleType;
use horarium_scheduler_engine::service::JobInput;
use serde_json::json;

use crate::support::{Browser, Shown, TestApp};

/// What a form holds, with some of it typed anew.
fn typed(fields: &[(String, String)], anew: &[(&str, &str)]) -> Vec<(String, String)> {
    let kept = fields.iter().filter(|(name, _)| !anew.iter().any(|(given, _)| given == name)).cloned();
    kept.chain(anew.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).collect()
}

/// Sends what a form holds.
async fn send(browser: &mut Browser, path: &str, fields: &[(String, String)]) -> Shown {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.submit(path, &fields).await
}

/// Opens the form of a new job and sends it with this typed.
async fn make(browser: &mut Browser, path: &str, anew: &[(&str, &str)]) -> Shown {
    let fields = browser.get("/jobs/new").await.expect(200).fields();
    send(browser, path, &typed(&fields, anew)).await
}

async fn job(app: &TestApp, id: JobId) -> Job {
    let tenant = app.tenant("org-1").await.id;
    app.services.jobs.get(tenant, id).await.unwrap().job
}

const CALL: [(&str, &str); 2] = [("name", "nightly"), ("jobConfiguration.url", "https://example.com/hook")];

fn call<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    CALL.into_iter().chain(more.iter().copied()).collect()
}

#[actix_web::test]
async fn a_job_is_made_with_what_was_typed() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    let typed = call(&[
        ("tags", "a\r\n b, c \r\n\r\n"),
        ("jobConfiguration.method", "POST"),
        ("jobConfiguration.headers", "X-One: 1\nX-Two: a:b"),
        ("bodyKind", "json"),
        ("jobConfiguration.body", "{\"a\": 1}"),
        ("jobConfiguration.successStatusCodes", "200, 204"),
        ("scheduleType", "Cron"),
        ("preset", "weekly"),
        ("weekday", "THU"),
        ("weekday", "MON"),
        ("atTime", "18:05"),
        ("timezone", "Europe/Berlin"),
        ("retryPolicy.maxAttempts", "3"),
        ("retryPolicy.jitter", "25"),
        ("maxConcurrency", "2"),
    ]);
    let made = make(&mut browser, "/jobs", &typed).await.expect(303);
    let id = made.header("location").strip_prefix("/jobs/").unwrap().parse().unwrap();
    let spec = job(&app, id).await.spec;
    assert_eq!((spec.name.as_str(), spec.tags.join("|")), ("nightly", "a|b, c".to_owned()));
    let JobConfiguration::HttpCall(call) = spec.configuration else { panic!("{:?}", spec.configuration) };
    assert_eq!((call.method.as_str(), call.body), ("POST", Some(json!({"a": 1}))));
    assert_eq!(call.headers.get("X-Two").map(String::as_str), Some("a:b"));
    assert_eq!(call.success_status_codes, Some(vec![200, 204]));
    assert_eq!((spec.retry_policy.max_attempts, spec.retry_policy.jitter_percent), (3, 25));
    assert_eq!((spec.max_concurrency, spec.max_concurrency_per_key), (Some(2), None));
    let page = browser.get(&format!("/jobs/{id}")).await.expect(200);
    assert!(page.says("Mon, Thu at 18:05, Europe/Berlin"), "{}", page.html);
    assert!(page.says("Created nightly. First run Thu 10 Jul 2025 18:05 (Europe/Berlin)."), "{}", page.html);
    assert!(app.host.audited().iter().any(|(_, action)| action == "create_job"));
}

#[actix_web::test]
async fn everything_that_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    let numbers = [("name", "a \"b\""), ("timeoutSeconds", "long"), ("jobConfiguration.headers", "no header")];
    let again = make(&mut browser, "/jobs", &numbers).await.expect(422);
    assert!(again.says("2 things to correct") && again.says(r##"href="#f-timeoutSeconds""##), "{}", again.html);
    assert!(again.says("must be a whole number") && again.says("&#39;no header&#39; is no &#39;Name: value&#39;"));
    assert!(again.says("value=\"a &#34;b&#34;\"") && again.says("no header</textarea>"), "{}", again.html);

    let cron = [("scheduleType", "Cron"), ("scheduleExpression", "61 2 * * *"), ("timezone", "Europe/Nowhere")];
    let again = make(&mut browser, "/jobs", &call(&cron)).await.expect(422);
    assert!(again.says("The schedule is not right yet:") && again.says("&#39;61&#39; is not valid"), "{}", again.html);
    assert!(again.says(r##"href="#f-timezone""##) && again.says(r#"value="61 2 * * *""#), "{}", again.html);

    let again = make(&mut browser, "/jobs", &[("name", ""), ("jobType", "Command"), ("jobConfiguration", "{")]).await;
    assert!(again.expect(422).says("must be JSON"));

    app.job("nightly", None).await;
    let again = make(&mut browser, "/jobs", &CALL).await.expect(409);
    assert!(again.says("another job is named &#39;nightly&#39;; choose another name"), "{}", again.html);
}

#[actix_web::test]
async fn the_form_shows_what_the_schedule_would_do_before_it_is_saved() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    // 10 July 2025: the next change is back, on 26 October.
    let autumn = [("scheduleType", "Cron"), ("preset", "daily"), ("atTime", "02:30"), ("timezone", "Europe/Berlin")];
    let shown = make(&mut browser, "/jobs/preview", &call(&autumn)).await.expect(200);
    assert!(shown.says("Daily at 02:30, Europe/Berlin") && shown.says("Fri 11 Jul 2025 02:30"), "{}", shown.html);
    assert!(shown.says(
        "On Sun 26 Oct 2025 the clocks in Europe/Berlin go back from 03:00 to 02:00. 02:30 happens twice that day; the job \
         runs once, at the first (00:30 UTC)."
    ));
    assert!(shown.fields().contains(&("scheduleExpression".to_owned(), "30 2 * * *".to_owned())), "{}", shown.html);

    app.advance(Duration::from_hours(24 * 200));
    let mut browser = app.browser();
    let (_, key) = app.key(&["*"]).await;
    browser.sign_in(&key).await.expect(303);
    let shown = make(&mut browser, "/jobs/preview", &call(&autumn)).await.expect(200);
    assert!(shown.says("02:30 does not exist that day; the job runs at 03:00 instead."), "{}", shown.html);
    assert!(browser.get("/jobs").await.says("No jobs of yours yet."), "nothing is saved");
    assert!(!app.host.audited().iter().any(|(_, action)| action != "sign_in"), "nor on record");
}

#[actix_web::test]
async fn what_is_written_counts_when_it_was_changed_and_what_is_chosen_else() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    let cron = [("scheduleType", "Cron"), ("scheduleExpression", "0 9 * * MON-FRI")];
    let shown = make(&mut browser, "/jobs/preview", &call(&cron)).await.expect(200);
    let fields = shown.fields();
    let says = |name: &str, value: &str| fields.contains(&(name.to_owned(), value.to_owned()));
    assert!(says("preset", "weekdays") && says("atTime", "09:00"), "{fields:?}");
    let chosen = send(&mut browser, "/jobs/preview", &typed(&fields, &[("preset", "hourly"), ("atMinute", "7")])).await;
    assert!(chosen.expect(200).says("Hourly at :07"));
    let none = [("preset", "weekly"), ("weekday", "")];
    let wrong = send(&mut browser, "/jobs/preview", &typed(&fields, &none)).await.expect(200);
    assert!(wrong.says("must be at least one"), "{}", wrong.html);
}

#[actix_web::test]
async fn once_is_meant_on_the_zones_clock() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    let once = |at| [("scheduleType", "OneTime"), ("timezone", "Europe/Berlin"), ("runAt", at)];
    let made = make(&mut browser, "/jobs", &call(&once("2026-03-28T02:30"))).await.expect(303);
    let id = made.header("location").strip_prefix("/jobs/").unwrap().parse().unwrap();
    let slot = job(&app, id).await.spec.schedule.next_after(app.core.now()).unwrap();
    assert_eq!(slot.to_string(), "2026-03-28T01:30:00.000Z");
    let missing = make(&mut browser, "/jobs", &call(&once("2026-03-29T02:30"))).await.expect(422);
    assert!(
        missing.says("does not exist in Europe/Berlin: the clocks go from 02:00 to 03:00 then"),
        "{}",
        missing.html
    );
}

/// A job of which everything is said.
fn everything(job_type: &str, configuration: serde_json::Value) -> JobInput {
    JobInput {
        name: Some(format!("a {job_type} \"<job>\"")),
        description: Some("First.\n\n  Second & last.".to_owned()),
        job_type: Some(job_type.to_owned()),
        job_configuration: Some(configuration),
        schedule_type: Some("Interval".to_owned()),
        interval_seconds: Some(5400),
        timezone: Some("Australia/Lord_Howe".to_owned()),
        effective_from: Some("2025-01-01T00:00:00.123Z".to_owned()),
        expires_at: Some("2030-01-01T00:00:00Z".to_owned()),
        jitter_seconds: Some(30),
        retry_policy: Some(json!({
            "maxAttempts": 4, "delaySeconds": 7, "retryBackoffType": "Linear", "maxDelaySeconds": 70, "jitter": 0.29,
            "shouldRetryHttpStatusCodes": [429, 503]
        })),
        timeout_seconds: Some(77),
        is_enabled: Some(false),
        tags: Some(vec!["one, two".to_owned(), "three".to_owned()]),
        queue: Some("mail".to_owned()),
        priority: Some(-5),
        group: Some("integration".to_owned()),
        misfire_policy: Some("FireAll".to_owned()),
        concurrency_policy: Some("Forbid".to_owned()),
        max_concurrency: Some(3),
        max_concurrency_per_key: Some(2),
        ..JobInput::default()
    }
}

#[actix_web::test]
async fn saving_what_was_shown_changes_nothing() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    let call = json!({
        "url": "https://example.com/a?b=c", "method": "PUT", "headers": {"Authorization": "Bearer x", "X-A": "b: c"},
        "body": {"a": ["<b>", 1]}, "timeoutSeconds": 9, "successStatusCodes": [200, 404], "retryOnStatusCodes": [500]
    });
    let text = json!({"url": "https://example.com", "body": "{\"a\": 1}", "bodySecret": true});
    let command = json!({"command": "/bin/true", "args": ["a b", "{}"], "env": {"TOKEN": "s3cret"}});
    let agent = json!({"operation": "node.status", "target": "_all", "data": {"deep": [1, 2]}});
    for (kind, configuration) in [("HttpCall", call), ("HttpCall", text), ("Command", command), ("Agent", agent)] {
        let input = everything(kind, configuration);
        let before = app.services.jobs.create(&app.actor().await, &input).await.unwrap().job;
        let id = before.id;
        let fields = browser.get(&format!("/jobs/{id}/edit")).await.expect(200).fields();
        send(&mut browser, &format!("/jobs/{id}"), &fields).await.leads_to(&format!("/jobs/{id}"));
        assert_eq!(job(&app, id).await, before, "{fields:#?}");
        assert!(browser.get(&format!("/jobs/{id}")).await.says("Nothing was changed."));

        let zone = typed(&fields, &[("timezone", "UTC"), ("description", "")]);
        send(&mut browser, &format!("/jobs/{id}"), &zone).await.leads_to(&format!("/jobs/{id}"));
        let after = job(&app, id).await;
        assert_eq!((after.version, after.spec.description.as_deref()), (2, None));
        assert_eq!(after.spec.configuration, before.spec.configuration, "secrets stay");
        assert_eq!(after.spec.schedule.timezone().name(), "UTC");
        app.services.jobs.delete(&app.actor().await, id, None).await.unwrap();
    }
}

#[actix_web::test]
async fn every_kind_of_schedule_is_shown_as_it_is() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    let base = || everything("Agent", json!({"operation": "node.status"}));
    let cron = |text: &str| JobInput {
        schedule_type: Some("Cron".to_owned()),
        schedule_expression: Some(text.to_owned()),
        interval_seconds: None,
        ..base()
    };
    let once = JobInput {
        schedule_type: Some("OneTime".to_owned()),
        run_at: Some("2026-04-04T15:10:00.250Z".to_owned()),
        interval_seconds: None,
        ..base()
    };
    let manual = JobInput { schedule_type: Some("Manual".to_owned()), interval_seconds: None, ..base() };
    for input in
        [once, manual, cron("*/15 * * * *"), cron("30 02 * * 1-5"), cron("5 4 31 * *"), cron("0 8 * * SAT,SUN")]
    {
        let before = app.services.jobs.create(&app.actor().await, &input).await.unwrap().job;
        let fields = browser.get(&format!("/jobs/{}/edit", before.id)).await.expect(200).fields();
        send(&mut browser, &format!("/jobs/{}", before.id), &fields).await.expect(303);
        assert_eq!(job(&app, before.id).await, before, "{fields:#?}");
        app.services.jobs.delete(&app.actor().await, before.id, None).await.unwrap();
    }
}

#[actix_web::test]
async fn an_edit_on_stale_knowledge_is_told_and_keeps_what_was_typed() {
    let app = TestApp::start().await;
    let id = app.job("nightly", Some("30 2 * * *")).await;
    let mut browser = app.signed_in(Role::Owner).await;
    let fields = browser.get(&format!("/jobs/{id}/edit")).await.expect(200).fields();
    app.services.jobs.pause(&app.actor().await, id, None).await.unwrap();

    let path = format!("/jobs/{id}");
    let stale = send(&mut browser, &path, &typed(&fields, &[("description", "mine")])).await.expect(409);
    assert!(stale.says("Ada changed this job at 2025-07-10 14:50:00 UTC, after you opened it."), "{}", stale.html);
    assert!(stale.says("mine</textarea>") && stale.says("Saving now overwrites that change."), "{}", stale.html);
    assert_eq!(job(&app, id).await.spec.description, None);
    send(&mut browser, &path, &stale.fields()).await.leads_to(&path);
    let saved = job(&app, id).await;
    assert_eq!((saved.spec.description.as_deref(), saved.is_paused), (Some("mine"), true));
    assert_eq!(saved.spec.schedule.schedule_type(), ScheduleType::Cron);
}

#[actix_web::test]
async fn a_new_job_begins_with_what_the_address_says() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    let fields = browser.get("/jobs/new?group=integration&name=whatsapp&version=9").await.expect(200).fields();
    let says = |name: &str, value: &str| fields.contains(&(name.to_owned(), value.to_owned()));
    assert!(says("group", "integration") && says("name", "whatsapp"), "{fields:?}");
    assert!(!fields.iter().any(|(name, _)| name == "version"));
    let fields = typed(&fields, &CALL[1..]);
    let made = send(&mut browser, "/jobs", &fields).await.expect(303);
    let id = made.header("location").strip_prefix("/jobs/").unwrap().parse().unwrap();
    assert_eq!(job(&app, id).await.spec.retry_policy.max_attempts, 5, "as its group has it");
}
