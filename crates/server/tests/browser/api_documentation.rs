//! The browsable OpenAPI document.

use crate::support::{Site, View};

#[tokio::test]
async fn the_api_can_be_browsed() {
    let site = Site::start().await;
    let page = site.open(View::DESKTOP, "/docs").await;
    page.sees("List jobs that keep failing").await;
    page.close().await;
}
