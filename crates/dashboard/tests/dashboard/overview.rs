//! The overview shows what there is.

use std::time::Duration;

use horarium_auth::Role;
use horarium_domain::execution::ExecutionState;

use crate::support::TestApp;

#[actix_web::test]
async fn a_new_tenant_is_told_what_to_do_next() {
    let app = TestApp::start().await;
    let page = app.signed_in(Role::Read).await.get("/overview").await.expect(200);
    for text in ["Nothing is running.", "No job has a slot to come.", "No job has failed three times in a row."] {
        assert!(page.says(text), "{}", page.html);
    }
}

#[actix_web::test]
async fn what_runs_is_shown_with_how_far_it_is() {
    let app = TestApp::start().await;
    let job = app.job("backup <nightly>", None).await;
    let claimed = app.begin(job).await;
    app.core.store.note_progress(&[(claimed.lease, 40)]).await.unwrap();
    app.advance(Duration::from_secs(192));
    let page = app.signed_in(Role::Read).await.get("/overview").await.expect(200);
    assert!(page.says("backup &#60;nightly&#62;") && !page.says("<nightly>"), "{}", page.html);
    assert!(page.says(r#"<progress max="100" value="40""#) && page.says("40 %"));
    assert!(page.says("3 min 12 s") && page.says("worker-1"));
    assert!(page.says(&format!("/executions/{}", claimed.lease.execution_id)));
}

#[actix_web::test]
async fn what_ended_is_counted_and_drawn() {
    let app = TestApp::start().await;
    let job = app.job("flaky", None).await;
    for state in [ExecutionState::Succeeded, ExecutionState::Failed, ExecutionState::Failed, ExecutionState::Failed] {
        let claimed = app.begin(job).await;
        app.end(&claimed, state).await;
    }
    let mut browser = app.signed_in(Role::Read).await;
    let page = browser.get("/overview").await.expect(200);
    assert!(page.says("25 %") && page.says("1 succeeded, 3 failed, 0 cancelled"), "{}", page.html);
    assert!(page.says(r#"<rect class="good""#) && page.says(r#"<rect class="bad""#));
    assert!(page.says("<strong>3</strong> in a row"));
    assert!(page.says("/executions?state=Failed&#38;from=2025-07-09T14:00:00.000Z"), "{}", page.html);
    for range in ["7d", "30d", "nonsense"] {
        let page = browser.get(&format!("/overview?range={range}")).await.expect(200);
        assert!(page.says("1 succeeded, 3 failed, 0 cancelled"));
    }
}

#[actix_web::test]
async fn what_comes_next_is_told() {
    let app = TestApp::start().await;
    app.job("hourly", Some("0 * * * *")).await;
    let page = app.signed_in(Role::Read).await.get("/overview").await.expect(200);
    assert!(page.says("hourly</a>") && page.says("in 10 min"), "{}", page.html);
    assert!(page.says(r#"datetime="2025-07-10T15:00:00.000Z""#));
}

#[actix_web::test]
async fn what_is_unwell_is_said_first() {
    let app = TestApp::start().await;
    app.host.break_something("the database did not answer within 3 s");
    let page = app.signed_in(Role::Read).await.get("/overview").await.expect(200);
    assert!(page.says("Not well") && page.says("the database did not answer within 3 s"), "{}", page.html);
}
