//! The style sheet and the modules.

use std::collections::BTreeSet;

use crate::support::TestApp;

/// The addresses of the files that a page names.
fn files_of(html: &str) -> BTreeSet<String> {
    let parts = html.split(['"', '\'']);
    parts.filter(|part| part.starts_with("/assets/")).map(str::to_owned).collect()
}

#[actix_web::test]
async fn every_file_that_a_page_names_is_there_and_kept_for_good() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    let files = files_of(&browser.get("/sign-in").await.expect(200).html);
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        let shown = browser.get(&file).await.expect(200);
        assert_eq!(shown.header("cache-control"), "public, max-age=31536000, immutable", "{file}");
        assert_eq!(shown.header("x-content-type-options"), "nosniff");
        assert!(!shown.header("content-type").starts_with("text/html"));
    }
}

#[actix_web::test]
async fn every_module_that_a_module_imports_is_there() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    let page = browser.get("/sign-in").await.expect(200).html;
    let main = files_of(&page).into_iter().find(|file| file.ends_with("/main.js")).unwrap();
    let folder = main.trim_end_matches("main.js");
    let text = browser.get(&main).await.expect(200).html;
    let imported: Vec<_> = text.split('"').filter_map(|part| part.strip_prefix("./")).collect();
    assert!(imported.len() >= 4, "{imported:?}");
    for module in imported {
        let shown = browser.get(&format!("{folder}{module}")).await.expect(200);
        assert_eq!(shown.header("content-type"), "text/javascript; charset=utf-8");
    }
}

#[actix_web::test]
async fn a_page_of_another_version_gets_what_there_is_and_keeps_it_not() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    let shown = browser.get("/assets/0123456789ab/dashboard.css").await.expect(200);
    assert_eq!(shown.header("cache-control"), "no-cache");
    browser.get("/assets/0123456789ab/nothing.css").await.expect(404);
}
