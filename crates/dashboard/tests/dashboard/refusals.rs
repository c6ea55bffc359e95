//! What is shown in the place of a page.

use horarium_auth::Role;

use crate::support::TestApp;

#[actix_web::test]
async fn where_there_is_nothing_a_page_says_so() {
    let app = TestApp::start().await;
    let page = app.signed_in(Role::Read).await.get("/jobz").await.expect(404);
    assert!(page.says("There is nothing here") && page.says("Sign out"), "{}", page.html);
    app.browser().get("/jobz").await.expect(404);
}

#[actix_web::test]
async fn whoever_may_not_is_told_what_it_needs() {
    let app = TestApp::start().await;
    let page = app.signed_in(Role::Owner).await.get("/tenant").await.expect(403);
    assert!(page.says("tenants:any"), "{}", page.html);
}

#[actix_web::test]
async fn whoever_may_read_nothing_is_told_so() {
    let app = TestApp::start().await;
    let page = app.signed_in(Role::Agent).await.get("/").await.expect(403);
    assert!(page.says("jobs:read"), "{}", page.html);
}

#[actix_web::test]
async fn an_address_that_cannot_be_read_is_a_page_too() {
    let app = TestApp::start().await;
    let page = app.signed_in(Role::SuperAdmin).await.get("/tenant?page=many").await.expect(400);
    assert!(page.says("could not be read"), "{}", page.html);
}

#[actix_web::test]
async fn whoever_sends_too_much_is_told_how_long_to_wait() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(Role::Read).await;
    app.host.become_busy();
    let page = browser.get("/overview").await.expect(429);
    assert_eq!(page.header("retry-after"), "3");
    assert!(page.says("You send too much. Go on in 3 s."), "{}", page.html);
}
