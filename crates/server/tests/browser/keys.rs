//! API keys, as somebody makes and takes them back.

use crate::support::{Site, View, button, field, heading, link};

#[tokio::test]
async fn a_key_is_shown_once_signs_in_and_is_taken_back() {
    let site = Site::start().await;
    let acme = site.tenant("acme").await;
    let page = site.sign_in(View::DESKTOP, &acme.key).await;
    page.go("/keys/new").await;
    page.fill(field("Name"), "laptop").await;
    page.click(field("everything that an owner may")).await;
    page.click(button("Make the key")).await;
    page.announces("Copy the key now.").await;
    page.is_accessible().await;
    let made = page.text_of("#key").await.unwrap();

    // The same form, sent again: no second key, and the text of the first one is nowhere any more.
    page.reload().await;
    page.sees("This form was sent already").await;
    for path in ["/keys", "/audit", "/overview"] {
        page.go(path).await;
        let html = page.run("return document.documentElement.outerHTML").await;
        assert!(!html.as_str().unwrap().contains(&made), "{path} shows it again");
    }
    page.go("/keys").await;
    let named = "return [...document.querySelectorAll('tbody th')].filter(name => name.innerText === 'laptop').length";
    assert_eq!(page.run(named).await, 1);

    let theirs = site.sign_in(View::DESKTOP, &made).await;
    page.click(link("Revoke laptop")).await;
    page.find(heading("Revoke the key laptop for good?")).await;
    page.click(button("Revoke the key")).await;
    page.announces("laptop is revoked.").await;
    theirs.announces("You are signed out.").await;
    theirs.close_having_met(&[401]).await;
    page.close_having_met(&[409]).await;
}
