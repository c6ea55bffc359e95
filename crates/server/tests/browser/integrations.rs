//! The page that the integrations' document asks for.

use serde_json::json;

use crate::support::{Outside, Site, View, button, heading, key, link};

#[tokio::test]
async fn the_indicator_goes_from_ok_to_warn_to_error_and_back_by_itself() {
    let site = Site::start_with(|home| home.with("HORARIUM_INTEGRATIONS_ERROR_FAILURES", "2")).await;
    let acme = site.tenant("acme").await;
    let once = json!({"group": "integration", "retryPolicy": {"maxAttempts": 1}});
    let job = acme.job("whatsapp", Outside::Broken, once).await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.go("/settings/integrations").await;
    page.announces("All integration jobs are well.").await;
    for (told, reason) in [
        ("Some integration jobs need a look.", "1 job failed."),
        ("Integration jobs are in trouble.", "2 jobs failed."),
    ] {
        let execution = acme.trigger(&job).await;
        acme.reaches(&execution, "Failed").await;
        page.announces(told).await;
        page.sees(reason).await;
    }
    page.is_accessible().await;
    page.tab_to(link("Clear failed")).await;
    page.press(key::ENTER).await;
    page.find(heading("Delete 2 failed executions of integration jobs?")).await;
    page.is_accessible().await;
    page.tab_to(button("Clear failed")).await;
    page.press(key::ENTER).await;
    page.announces("2 failed executions are deleted.").await;
    page.announces("All integration jobs are well.").await;
    page.close().await;
}
