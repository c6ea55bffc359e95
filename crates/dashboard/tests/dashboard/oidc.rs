//! Signing in with an OpenID provider.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use horarium_auth::JwtAlgorithm;
use horarium_auth::Role;
use horarium_auth::oidc::{ClaimMapping, IdentityProvider, OidcClient, OidcConfig, OidcError};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::support::{BEGINNING, Browser, Shown, TestApp};

/// The key that the provider signs with: one of those of the tests of `horarium-auth`.
const KEY: &str = include_str!("../../../auth/tests/keys/rsa.private.pem");

const CALLBACK: &str = "/sign-in/oidc/callback";

/// A provider that vouches for whoever a test names.
#[derive(Default)]
struct Provider {
    id_token: Mutex<String>,
    is_away: Mutex<bool>,
}

fn key() -> EncodingKey {
    EncodingKey::from_rsa_pem(KEY.as_bytes()).unwrap()
}

#[async_trait]
impl IdentityProvider for Provider {
    async fn get(&self, url: &str) -> Result<Vec<u8>, OidcError> {
        if *self.is_away.lock().unwrap() {
            return Err(OidcError::Provider("10.0.0.7: connection refused".to_owned()));
        }
        let document = if url.ends_with("/keys") {
            let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&key(), Algorithm::RS256).unwrap()).unwrap();
            jwk["kid"] = json!("k");
            json!({ "keys": [jwk] })
        } else {
            json!({
                "issuer": "https://id.example", "authorization_endpoint": "https://id.example/authorize",
                "token_endpoint": "https://id.example/token", "jwks_uri": "https://id.example/keys",
                "end_session_endpoint": "https://id.example/logout?theme=dark",
            })
        };
        Ok(document.to_string().into_bytes())
    }

    async fn post_form(
        &self,
        _: &str,
        _: Option<(&str, &str)>,
        _: &[(&str, &str)],
    ) -> Result<(u16, Vec<u8>), OidcError> {
        // A code is good once.
        let token = std::mem::take(&mut *self.id_token.lock().unwrap());
        let status = if token.is_empty() { 400 } else { 200 };
        Ok((status, json!({ "id_token": token, "error": "invalid_grant" }).to_string().into_bytes()))
    }
}

impl Provider {
    /// Vouches for somebody with these claims besides those that every ID token has.
    fn vouches(&self, sent: &BTreeMap<String, String>, claims: &Value) {
        let mut all = json!({
            "iss": "https://id.example", "aud": "horarium", "sub": "ada", "name": "Ada Lovelace",
            "iat": BEGINNING.as_seconds(), "exp": BEGINNING.as_seconds() + 300, "nonce": sent["nonce"],
        });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some("k".to_owned());
        *self.id_token.lock().unwrap() = jsonwebtoken::encode(&header, &all, &key()).unwrap();
    }
}

async fn start() -> (TestApp, Arc<Provider>) {
    let provider = Arc::new(Provider::default());
    let config = OidcConfig {
        issuer: "https://id.example".to_owned(),
        client_id: "horarium".to_owned(),
        client_secret: None,
        redirect_uri: format!("https://jobs.example{CALLBACK}"),
        scopes: vec!["openid".to_owned()],
        algorithms: vec![JwtAlgorithm::Rs256],
        mapping: ClaimMapping { roles: vec![("ops".to_owned(), Role::Owner)], ..ClaimMapping::default() },
    };
    let client = OidcClient::new(config, Arc::clone(&provider) as Arc<dyn IdentityProvider>).unwrap();
    (TestApp::with_provider(client).await, provider)
}

/// Goes to the provider; answers what it was sent there with.
async fn go(browser: &mut Browser, path: &str) -> BTreeMap<String, String> {
    let sent = browser.get(path).await.expect(303);
    let address: url::Url = sent.header("location").parse().unwrap();
    assert_eq!(address.host_str(), Some("id.example"));
    address.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

async fn come_back(browser: &mut Browser, sent: &BTreeMap<String, String>) -> Shown {
    browser.get(&format!("{CALLBACK}?code=c0de&state={}", sent["state"])).await
}

fn owner() -> Value {
    json!({"tenant_id": "org-1", "roles": ["ops", "others"]})
}

#[actix_web::test]
async fn somebody_signs_in_with_the_provider() {
    let (app, provider) = start().await;
    let mut browser = app.browser();
    let page = browser.get("/sign-in?to=%2Foverview%3Frange%3D7d").await.expect(200);
    assert!(page.says(r#"href="/sign-in/oidc?to=%2Foverview%3Frange%3D7d">Sign in with Acme ID</a>"#), "{}", page.html);

    let begun = browser.get("/sign-in/oidc?to=%2Foverview%3Frange%3D7d").await.expect(303);
    let cookie = begun.header("set-cookie");
    assert!(cookie.contains("HttpOnly; SameSite=Lax") && cookie.ends_with("; Max-Age=600"), "{cookie}");
    let sent = go(&mut browser, "/sign-in/oidc?to=%2Foverview%3Frange%3D7d").await;
    provider.vouches(&sent, &owner());
    let page = come_back(&mut browser, &sent).await.expect(200);
    assert!(page.says(r#"http-equiv="refresh" content="0;url=/overview?range=7d""#), "{}", page.html);
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["horarium"], "an attempt is good for one answer");
    assert!(browser.get("/overview").await.expect(200).says("Ada Lovelace"));
    assert_eq!(app.host.audited(), [("Ada Lovelace".to_owned(), "sign_in".to_owned())]);
}

#[actix_web::test]
async fn an_answer_counts_once_and_only_in_the_browser_that_asked() {
    let (app, provider) = start().await;
    let mut browser = app.browser();
    let sent = go(&mut browser, "/sign-in/oidc").await;
    let mut before = browser.clone();
    provider.vouches(&sent, &owner());
    let refused = come_back(&mut app.browser(), &sent).await.expect(401);
    assert!(refused.says("was not begun in this browser"), "{}", refused.html);
    come_back(&mut browser, &sent).await.expect(200);
    come_back(&mut browser, &sent).await.expect(401);
    let replayed = come_back(&mut before, &sent).await.expect(401);
    assert!(replayed.says("did not complete the sign-in") && !before.cookies.contains_key("horarium"));
}

#[actix_web::test]
async fn whoever_signs_in_anew_is_somebody_else_and_the_former_session_is_over() {
    let (app, provider) = start().await;
    let mut browser = app.signed_in(Role::Read).await;
    let mut former = browser.clone();
    let sent = go(&mut browser, "/sign-in/oidc").await;
    provider.vouches(&sent, &owner());
    // What comes from another site brings no cookie of the session along.
    browser.cookies.remove("horarium");
    come_back(&mut browser, &sent).await.expect(200);
    assert!(browser.get("/overview").await.says("Ada Lovelace"));
    former.get("/overview").await.expect(303);
}

#[actix_web::test]
async fn a_page_that_sends_people_here_locks_nobody_out() {
    let (app, _) = start().await;
    for _ in 0..10 {
        app.browser().get(&format!("{CALLBACK}?code=c0de&state=x")).await.expect(401);
    }
    app.signed_in(Role::Read).await;
}

#[actix_web::test]
async fn codes_that_are_guessed_are_counted() {
    let (app, _) = start().await;
    let mut browser = app.browser();
    for _ in 0..3 {
        let sent = go(&mut browser, "/sign-in/oidc").await;
        come_back(&mut browser, &sent).await.expect(401);
    }
    browser.sign_in("nonsense").await.expect(429);
}

#[actix_web::test]
async fn nobody_is_led_to_another_site() {
    let (app, provider) = start().await;
    for evil in ["%2F%2Fevil.example", "%2F%5Cevil.example", "https%3A%2F%2Fevil.example"] {
        let mut browser = app.browser();
        let sent = go(&mut browser, &format!("/sign-in/oidc?to={evil}")).await;
        provider.vouches(&sent, &owner());
        let page = come_back(&mut browser, &sent).await.expect(200);
        assert!(page.says(r#"content="0;url=/""#) && !page.says("evil"), "{}", page.html);
    }
}

#[actix_web::test]
async fn whoever_has_no_role_here_is_told_which_he_has() {
    let (app, provider) = start().await;
    let mut browser = app.browser();
    let sent = go(&mut browser, "/sign-in/oidc").await;
    provider.vouches(&sent, &json!({"tenant_id": "org-1", "roles": ["owner", "<b>"]}));
    let page = come_back(&mut browser, &sent).await.expect(403);
    assert!(page.says("gives you no role here") && page.says("owner, &#60;b&#62;"), "{}", page.html);
    let sent = go(&mut browser, "/sign-in/oidc").await;
    let declined = browser.get(&format!("{CALLBACK}?error=access_denied&state={}", sent["state"])).await.expect(403);
    assert!(declined.says("You declined to sign in."), "{}", declined.html);
}

#[actix_web::test]
async fn whoever_is_signed_in_that_way_stays_for_as_long_as_a_session_lasts() {
    let (app, provider) = start().await;
    let mut browser = app.browser();
    let sent = go(&mut browser, "/sign-in/oidc").await;
    provider.vouches(&sent, &owner());
    come_back(&mut browser, &sent).await.expect(200);
    for _ in 0..3 {
        app.advance(std::time::Duration::from_mins(55));
        browser.get("/overview").await.expect(200);
    }
    app.advance(std::time::Duration::from_mins(16));
    browser.get("/overview").await.expect(303);
}

#[actix_web::test]
async fn whoever_signs_out_is_led_to_sign_out_of_the_provider_as_well() {
    let (app, provider) = start().await;
    let mut browser = app.browser();
    let sent = go(&mut browser, "/sign-in/oidc").await;
    provider.vouches(&sent, &owner());
    come_back(&mut browser, &sent).await.expect(200);
    browser.submit("/sign-out", &[]).await.leads_to("/sign-in?left=provider");
    let page = browser.get("/sign-in?left=provider").await.expect(200);
    let there = r#"href="https://id.example/logout?theme=dark&#38;client_id=horarium">Sign out of Acme ID as well"#;
    assert!(page.says("You are signed out.") && page.says(there), "{}", page.html);
    assert!(!browser.get("/sign-in").await.says("as well"));

    let (_, key) = app.key(&["*"]).await;
    browser.sign_in(&key).await.expect(303);
    browser.submit("/sign-out", &[]).await.leads_to("/sign-in");
}

#[actix_web::test]
async fn while_the_provider_is_away_there_is_another_way_in() {
    let (app, provider) = start().await;
    *provider.is_away.lock().unwrap() = true;
    let page = app.browser().get("/sign-in/oidc").await.expect(503);
    assert!(page.says("cannot be reached") && page.says("API key or token"), "{}", page.html);
    assert!(!page.says("10.0.0.7"));
}

#[actix_web::test]
async fn without_a_provider_there_is_no_such_way() {
    let app = TestApp::start().await;
    for path in ["/sign-in/oidc", "/sign-in/oidc/callback?code=x&state=y"] {
        app.browser().get(path).await.expect(404);
    }
    assert!(!app.browser().get("/sign-in").await.says("Acme ID"));
}
