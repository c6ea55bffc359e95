//! An OpenID provider: it takes everybody for Ada, and is asked by its own page to answer as it must not.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use horarium_domain::{Clock, SystemClock};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::common::Home;

/// What it signs with, and what somebody else does: the keys of the tests of `horarium-auth`.
const KEY: &str = include_str!("../../../../auth/tests/keys/rsa.private.pem");
const OTHER_KEY: &str = include_str!("../../../../auth/tests/keys/other-rsa.private.pem");

const CLIENT: &str = "horarium";
const SECRET: &str = "of-the-client-alone";

/// How it sends somebody back: what the link on its page says, the code, and the state unless that is what it was given.
const WAYS_BACK: [(&str, &str, Option<&str>); 6] = [
    ("Go on as Ada Lovelace", "good", None),
    ("with another state", "good", Some("of-another-sign-in")),
    ("with the code of another sign-in", "of-another-sign-in", None),
    ("with the nonce of another sign-in", "other-nonce", None),
    ("with what another provider signed", "other-key", None),
    ("with what is for another client", "other-client", None),
];

/// The provider, for as long as it lives.
pub(crate) struct Provider {
    issuer: String,
    _server: MockServer,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let server = MockServer::start().await;
        // Under another name than the server under test has, so that it is another site to the browser.
        let issuer = format!("http://localhost:{}", server.address().port());
        let metadata = json!({
            "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
        });
        let asked = Asked::default();
        let document = |document: Value| ResponseTemplate::new(200).set_body_json(document);
        let mock = |wanted: &str, at: &str| Mock::given(method(wanted)).and(path(at));
        mock("GET", "/.well-known/openid-configuration").respond_with(document(metadata)).mount(&server).await;
        mock("GET", "/keys").respond_with(document(json!({"keys": [jwk()]}))).mount(&server).await;
        mock("GET", "/authorize").respond_with(SignIn(asked.clone())).mount(&server).await;
        mock("POST", "/token").respond_with(Redeem { asked, issuer: issuer.clone() }).mount(&server).await;
        Self { issuer, _server: server }
    }

    /// The settings of a server at this address whose people sign in with it, those of `ops` as owners of `acme`.
    pub(crate) fn settings(&self, home: Home, address: &str) -> Home {
        home.with("HORARIUM_LISTEN", address)
            .with("HORARIUM_PUBLIC_URL", format!("http://{address}"))
            .with("HORARIUM_OIDC_ISSUER", &self.issuer)
            .with("HORARIUM_OIDC_CLIENT_ID", CLIENT)
            .with("HORARIUM_OIDC_CLIENT_SECRET", SECRET)
            .with("HORARIUM_OIDC_NAME", "Acme ID")
            .with("HORARIUM_OIDC_TENANT", "acme")
            .with("HORARIUM_OIDC_ROLES", "ops=owner")
    }
}

/// What it was asked with the last time that a browser was sent to it.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<HashMap<String, String>>>);

/// Its own page.
struct SignIn(Asked);

impl Respond for SignIn {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let asked: HashMap<String, String> = request.url.query_pairs().into_owned().collect();
        let mut page = "<!doctype html><title>Acme ID</title><link rel=icon href='data:,'><h1>Acme ID</h1>".to_owned();
        for (words, code, state) in WAYS_BACK {
            let state = state.unwrap_or(&asked["state"]);
            write!(page, "<p><a href='{}?code={code}&state={state}'>{words}</a>", asked["redirect_uri"]).unwrap();
        }
        *self.0.0.lock().unwrap() = asked;
        ResponseTemplate::new(200).set_body_raw(page, "text/html")
    }
}

/// Its answer to whoever shows a code.
struct Redeem {
    asked: Asked,
    issuer: String,
}

impl Respond for Redeem {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let shown: HashMap<String, String> = url::form_urlencoded::parse(&request.body).into_owned().collect();
        let asked = self.asked.0.lock().unwrap();
        if !is_due(request, &shown, &asked) {
            return ResponseTemplate::new(400).set_body_json(json!({"error": "invalid_grant"}));
        }
        let now = SystemClock.now().as_seconds();
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT, "sub": "ada", "name": "Ada Lovelace", "roles": ["ops", "others"],
            "iat": now, "exp": now + 300, "nonce": asked["nonce"],
        });
        let mut key = KEY;
        match shown["code"].as_str() {
            "good" => {}
            "other-nonce" => claims["nonce"] = json!("of-another-sign-in"),
            "other-client" => claims["aud"] = json!("another"),
            "other-key" => key = OTHER_KEY,
            other => panic!("no code of ours: {other}"),
        }
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some("k".to_owned());
        let token = jsonwebtoken::encode(&header, &claims, &encoding_key(key)).unwrap();
        ResponseTemplate::new(200).set_body_json(json!({"id_token": token, "token_type": "Bearer"}))
    }
}

/// Whether a code is shown by the client that it is for, in the sign-in that it is of (RFC 7636, section 4.6).
fn is_due(request: &Request, shown: &HashMap<String, String>, asked: &HashMap<String, String>) -> bool {
    let credentials = format!("Basic {}", BASE64_STANDARD.encode(format!("{CLIENT}:{SECRET}")));
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&shown["code_verifier"]));
    request.headers.get("authorization").is_some_and(|given| given == credentials.as_str())
        && shown["grant_type"] == "authorization_code"
        && shown["redirect_uri"] == asked["redirect_uri"]
        && asked["code_challenge_method"] == "S256"
        && asked["code_challenge"] == challenge
        && shown["code"] != "of-another-sign-in"
}

fn encoding_key(pem: &str) -> EncodingKey {
    EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()
}

fn jwk() -> Value {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&encoding_key(KEY), Algorithm::RS256).unwrap()).unwrap();
    jwk["kid"] = json!("k");
    jwk
}
