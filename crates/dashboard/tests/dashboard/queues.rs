//! Queues: what waits in them, and their limits.

use std::time::Duration;

use horarium_auth::Role;
use horarium_scheduler_engine::service::{QueueInput, TriggerInput};

use crate::support::TestApp;

#[actix_web::test]
async fn a_tenant_without_queues_is_told_what_they_are() {
    let app = TestApp::start().await;
    let page = app.signed_in(Role::Read).await.get("/queues").await.expect(200);
    assert!(page.says("No queue holds anything or has limits."), "{}", page.html);
}

#[actix_web::test]
async fn what_waits_is_told_with_how_long_the_oldest_does() {
    let app = TestApp::start().await;
    let job = app.job("mail", None).await;
    app.begin(job).await;
    for _ in 0..3 {
        app.services.executions.trigger(&app.actor().await, job, TriggerInput::default()).await.unwrap();
    }
    let limits = QueueInput { max_concurrency: Some(4), max_length: Some(2000), ..QueueInput::default() };
    app.services.queues.set(&app.actor().await, "default", limits).await.unwrap();
    let mut browser = app.signed_in(Role::Read).await;
    app.advance(Duration::from_mins(9));
    let page = browser.get("/queues").await.expect(200);
    assert!(page.says("3 of 2,000") && page.says("1 of 4") && page.says("9 min 0 s"), "{}", page.html);
    assert!(!page.says("badge warn") && !page.says("Pause"), "who only reads pauses nothing: {}", page.html);
    app.advance(Duration::from_mins(1));
    assert!(browser.get("/queues").await.says(r#"<span class="badge warn i-warn">10 min 0 s</span>"#));
    app.advance(Duration::from_mins(49));
    let page = browser.get("/queues/default").await.expect(200);
    assert!(page.says("59 min 0 s") && page.says("figure warn"), "{}", page.html);
    browser.submit("/queues/default", &[("maxLength", "1")]).await.expect(403);
}

#[actix_web::test]
async fn a_queue_is_paused_after_a_question_and_keeps_its_limits() {
    let app = TestApp::start().await;
    let job = app.job("mail", None).await;
    app.services.executions.trigger(&app.actor().await, job, TriggerInput::default()).await.unwrap();
    let limits = QueueInput { max_concurrency: Some(4), ..QueueInput::default() };
    app.services.queues.set(&app.actor().await, "default", limits).await.unwrap();
    let mut browser = app.signed_in(Role::Owner).await;
    let question = browser.get("/queues/default/pause").await.expect(200);
    assert!(question.says("Pause the queue default?") && question.says("(1 now)"), "{}", question.html);

    browser.submit("/queues/default/pause", &[]).await.leads_to("/queues/default");
    let page = browser.get("/queues/default").await.expect(200);
    assert!(page.says("Paused default, with 1 waiting.") && page.says("Resume"), "{}", page.html);
    let stored = app.services.queues.get(app.actor().await.tenant, "default").await.unwrap().limits;
    assert_eq!((stored.paused, stored.max_concurrency), (true, Some(4)));
    browser.get("/queues/default/pause").await.leads_to("/queues/default");

    browser.submit("/queues/default/resume", &[]).await.leads_to("/queues/default");
    let stored = app.services.queues.get(app.actor().await.tenant, "default").await.unwrap().limits;
    assert_eq!((stored.paused, stored.max_concurrency), (false, Some(4)));
    assert_eq!(app.host.audited().last().unwrap().1, "set_queue");
}

#[actix_web::test]
async fn limits_are_set_as_a_whole_and_what_is_wrong_is_told_at_its_field() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    let wrong = [("maxConcurrency", "many"), ("maxLength", "7"), ("weight", "100")];
    let page = browser.submit("/queues/mail", &wrong).await.expect(422);
    assert!(page.says("must be a whole number") && page.says(r#"value="many""#), "{}", page.html);
    let page = browser.submit("/queues/mail", &[("weight", "20000")]).await.expect(422);
    assert!(page.says(r#"id="weight-problem""#) && page.says(r#"value="20000""#), "{}", page.html);

    let fields = [("maxConcurrency", "3"), ("maxLength", ""), ("rateLimitPerSecond", "5"), ("weight", "200")];
    browser.submit("/queues/mail", &fields).await.leads_to("/queues/mail");
    let page = browser.get("/queues/mail").await.expect(200);
    assert!(page.says("The limits of mail are set."), "{}", page.html);
    assert!(page.says(r#"value="3""#) && page.says(r#"value="5""#) && page.says(r#"value="200""#));
    let stored = app.services.queues.get(app.actor().await.tenant, "mail").await.unwrap().limits;
    assert_eq!((stored.max_concurrency, stored.max_length, stored.paused), (Some(3), None, false));
}

#[actix_web::test]
async fn limits_are_set_without_a_word_on_whether_it_is_paused() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    let form = browser.get("/queues/mail").await.expect(200).fields();
    assert!(form.iter().all(|(name, _)| name != "paused"), "{form:?}");
    app.services.queues.set_paused(&app.actor().await, "mail", true).await.unwrap();
    let typed: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.submit("/queues/mail", &typed).await.leads_to("/queues/mail");
    let limits = app.services.queues.get(app.actor().await.tenant, "mail").await.unwrap().limits;
    assert!(limits.paused, "what somebody else paused stays so");
}

#[actix_web::test]
async fn limits_that_somebody_else_changed_meanwhile_are_told_and_not_overwritten() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    let form = browser.get("/queues/mail").await.expect(200).fields();
    let theirs = QueueInput { max_concurrency: Some(2), ..QueueInput::default() };
    app.services.queues.set(&app.actor().await, "mail", theirs).await.unwrap();
    let typed = |form: &[(String, String)]| -> Vec<(String, String)> {
        let others = form.iter().filter(|(name, _)| name != "rateLimitPerSecond").cloned();
        others.chain([("rateLimitPerSecond".to_owned(), "5".to_owned())]).collect()
    };
    let mut send = async |form: &[(String, String)]| {
        let fields: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        browser.submit("/queues/mail", &fields).await
    };
    let told = send(&typed(&form)).await.expect(409);
    assert!(told.says("most at once 2, most that wait no limit") && told.says(r#"value="5""#), "{}", told.html);
    let limits = async || app.services.queues.get(app.actor().await.tenant, "mail").await.unwrap().limits;
    assert_eq!((limits().await.max_concurrency, limits().await.rate_limit_per_second), (Some(2), None));
    send(&told.fields()).await.leads_to("/queues/mail");
    assert_eq!((limits().await.max_concurrency, limits().await.rate_limit_per_second), (None, Some(5)));
}

#[actix_web::test]
async fn a_queue_is_closed_only_after_a_question() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    let fields = [("maxLength", "0"), ("weight", "100"), ("maxConcurrency", "9")];
    let question = browser.submit("/queues/mail", &fields).await.expect(200);
    assert!(question.says("Accept nothing more into mail?"), "{}", question.html);
    assert!(question.says(r#"name="maxConcurrency" value="9""#) && question.says(r#"name="sure""#));
    let queue = async || app.services.queues.get(app.actor().await.tenant, "mail").await.unwrap().limits;
    assert_eq!(queue().await.max_length, None);
    let sure = [("maxLength", "0"), ("weight", "100"), ("maxConcurrency", "9"), ("sure", "yes")];
    browser.submit("/queues/mail", &sure).await.leads_to("/queues/mail");
    assert_eq!((queue().await.max_length, queue().await.max_concurrency), (Some(0), Some(9)));
}

#[actix_web::test]
async fn a_queue_is_found_by_its_name() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Read).await;
    browser.get("/queues?name=mail").await.leads_to("/queues/mail");
    assert!(browser.get("/queues/mail").await.expect(200).says("no limit"));
    let page = browser.get("/queues?name=no+queue").await.expect(400);
    assert!(page.says(r#"id="name-problem""#), "{}", page.html);
    browser.get("/queues/no%20queue").await.expect(404);
}

#[actix_web::test]
async fn many_queues_are_walked_by_name() {
    let app = TestApp::start().await;
    for number in 0..52 {
        let limits = QueueInput { max_length: Some(number + 1), ..QueueInput::default() };
        app.services.queues.set(&app.actor().await, &format!("queue-{number:02}"), limits).await.unwrap();
    }
    let mut browser = app.signed_in(Role::Read).await;
    let first = browser.get("/queues").await.expect(200);
    assert!(first.says("queue-49") && !first.says("queue-50") && first.says("/queues?after=queue-49"));
    let rest = browser.get("/queues?after=queue-49").await.expect(200);
    assert!(rest.says("queue-51") && rest.says("First") && !rest.says("Next"), "{}", rest.html);
}
