//! Signing in with an OpenID provider, which is another site.

use crate::support::{Page, Provider, Site, View, button, field, free_address, heading, link};

async fn start(provider: &Provider) -> Site {
    let address = free_address();
    Site::start_with(|home| provider.settings(home, &address)).await
}

/// Goes to the provider, and comes back by one of the links on its page.
async fn come_back(page: &Page, way: &str) {
    page.click(link("Sign in with Acme ID")).await;
    page.find(heading("Acme ID")).await;
    page.click(link(way)).await;
}

#[tokio::test]
async fn somebody_signs_in_with_the_provider_and_comes_to_the_page_that_was_asked_for() {
    let provider = Provider::start().await;
    let site = start(&provider).await;
    let page = site.open(View::DESKTOP, "/overview?range=7d").await;
    page.is_accessible().await;
    page.click(link("Sign in with Acme ID")).await;
    page.find(heading("Acme ID")).await;
    let way_back = page.run("return document.querySelector('a').href").await;
    page.click(link("Go on as Ada Lovelace")).await;
    page.find(button("Sign out")).await;
    assert_eq!(page.path().await, "/overview?range=7d");
    page.sees("Ada Lovelace").await;
    page.click(button("Sign out")).await;
    page.announces("You are signed out.").await;

    // What the provider sent is good once.
    page.go_away(way_back.as_str().unwrap()).await;
    page.announces("This sign-in was not begun in this browser").await;
    page.close_having_met(&[401]).await;
}

#[tokio::test]
async fn nobody_signs_in_with_what_was_tampered_with() {
    let provider = Provider::start().await;
    let site = start(&provider).await;
    let page = site.open(View::DESKTOP, "/").await;
    for (way, told) in [
        ("with another state", "This sign-in was not begun in this browser"),
        ("with the code of another sign-in", "The identity provider did not complete the sign-in."),
        ("with the nonce of another sign-in", "What the identity provider says of you cannot be accepted."),
        ("with what another provider signed", "What the identity provider says of you cannot be accepted."),
        ("with what is for another client", "What the identity provider says of you cannot be accepted."),
    ] {
        come_back(&page, way).await;
        page.announces(told).await;
        page.find(field("API key or token")).await;
        page.go("/overview").await;
        page.find(heading("Sign in")).await;
    }
    page.close_having_met(&[401]).await;
}
