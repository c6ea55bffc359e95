//! A part of a page that cannot be read is missing alone; whatever is the page itself takes the page with it.

use horarium_auth::Role;
use horarium_domain::agent::TaskState;
use horarium_scheduler_engine::service::TriggerInput;

use crate::support::TestApp;

#[actix_web::test]
async fn a_part_that_cannot_be_read_is_missing_alone_and_comes_back() {
    let app = TestApp::start().await;
    let job = app.job("nightly", Some("0 3 * * *")).await;
    let runs = app.begin(job).await;
    app.broadcast(&[("web-1", TaskState::Leased)]).await;
    let of_job = format!("/jobs/{job}");
    let running = format!("/executions/{}", runs.lease.execution_id);
    let (of_job, running) = (of_job.as_str(), running.as_str());
    let integrations = "/settings/integrations";
    let mut browser = app.signed_in(Role::Owner).await;
    for (path, read, missing, stands) in [
        ("/overview", "dashboard", "the figures and what comes next", "Failing repeatedly"),
        ("/overview", "timeline", "the timeline", "nightly</a>"),
        ("/overview", "executions_before", "what runs", "Average run"),
        ("/overview", "failing_jobs", "the failing jobs", "Average run"),
        (of_job, "timeline", "the timeline", "Success rate"),
        (of_job, "skipped_slots", "the skipped slots", "Success rate"),
        ("/executions", "count_executions", "their number", "nightly</a>"),
        (running, "callback", "its callback", "has been running"),
        ("/agents", "held_tasks", "what runs on them", "web-1</a>"),
        ("/agents/web-1", "held_tasks", "what runs here", "It takes work."),
        (integrations, "group_figures", "the health", "Behind the counts"),
        (integrations, "executions_of_group", "the executions", "All integration jobs are well."),
    ] {
        app.memory.fail_reads(&[read]);
        let page = browser.get(path).await.expect(200);
        let told = format!("The database did not answer, so {missing} cannot be shown.");
        assert!(page.says(&told) && page.says(stands), "{path} without {read}: {}", page.html);
        app.memory.fail_reads(&[]);
        let page = browser.get(path).await.expect(200);
        assert!(!page.says("cannot be shown") && page.says(stands), "{path}: {}", page.html);
    }
}

#[actix_web::test]
async fn what_waits_is_shown_though_its_queue_cannot_be_read() {
    let app = TestApp::start().await;
    let job = app.job("nightly", None).await;
    let waits = app.services.executions.trigger(&app.actor().await, job, TriggerInput::default()).await.unwrap().id;
    let mut browser = app.signed_in(Role::Owner).await;
    app.memory.fail_reads(&["queue"]);
    for (path, missing, stands) in [
        (format!("/executions/{waits}"), "its queue", "It waits in the queue default."),
        (format!("/jobs/{job}/trigger"), "what waits in its queue", "Its schedule is not touched."),
    ] {
        let page = browser.get(&path).await.expect(200);
        let told = format!("The database did not answer, so {missing} cannot be shown.");
        assert!(page.says(&told) && page.says(stands), "{path}: {}", page.html);
    }
}

#[actix_web::test]
async fn what_was_done_is_told_though_something_beside_it_cannot_be_read() {
    let app = TestApp::start().await;
    let job = app.job("nightly", Some("0 3 * * *")).await;
    let mut browser = app.signed_in(Role::Owner).await;
    app.memory.fail_reads(&["job_statistics"]);
    browser.submit(&format!("/jobs/{job}/pause"), &[("to", "/jobs")]).await.leads_to("/jobs");
    assert!(browser.get("/jobs").await.says("Paused nightly. Its schedule fires nothing until it is resumed."));
}

#[actix_web::test]
async fn what_is_the_page_itself_takes_the_page_with_it() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Owner).await;
    app.memory.fail_reads(&["executions_before"]);
    let page = browser.get("/executions").await.expect(503);
    assert!(page.says("The database does not answer") && page.says("Sign out"), "{}", page.html);
    assert!(!page.header("retry-after").is_empty() && !page.says("executions_before"), "{}", page.html);
}
