//! Signing in with an OpenID provider, over a provider that says what a test has it say.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics
#![allow(clippy::needless_pass_by_value)] // a test reads best with its json!(…) written in place

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{Key, RSA_PUBLIC, at, now, sign_with};
use horarium_auth::oidc::{
    ClaimMapping, ClientSecret, IdentityProvider, OidcAnswer, OidcClient, OidcConfig, OidcConfigError, OidcError,
    SignInAttempt,
};
use horarium_auth::{AuthError, JwtAlgorithm, JwtConfigError, Role};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const ISSUER: &str = "https://id.example";

/// What a provider says, and what it was asked.
struct Says {
    metadata: Value,
    token: (u16, String),
    is_away: bool,
    fetches: usize,
    posted: Vec<Posted>,
}

#[derive(Debug, Clone)]
struct Posted {
    url: String,
    basic: Option<(String, String)>,
    form: BTreeMap<String, String>,
}

struct Provider(Mutex<Says>);

impl Provider {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Says {
            metadata: json!({
                "issuer": ISSUER,
                "authorization_endpoint": "https://id.example/authorize?theme=dark",
                "token_endpoint": "https://id.example/token",
                "jwks_uri": "https://id.example/keys",
            }),
            token: (500, String::new()),
            is_away: false,
            fetches: 0,
            posted: Vec::new(),
        })))
    }

    fn says(&self) -> MutexGuard<'_, Says> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn posted(&self) -> Posted {
        self.says().posted.last().unwrap().clone()
    }
}

#[async_trait]
impl IdentityProvider for Provider {
    async fn get(&self, url: &str) -> Result<Vec<u8>, OidcError> {
        let mut says = self.says();
        says.fetches += 1;
        match url {
            _ if says.is_away => Err(OidcError::Provider("10.0.0.7: connection refused".to_owned())),
            "https://id.example/.well-known/openid-configuration" => Ok(says.metadata.to_string().into_bytes()),
            "https://id.example/keys" => Ok(json!({ "keys": [Key::Rsa.jwk("k")] }).to_string().into_bytes()),
            other => Err(OidcError::Provider(format!("{other}: 404"))),
        }
    }

    async fn post_form(
        &self,
        url: &str,
        basic: Option<(&str, &str)>,
        form: &[(&str, &str)],
    ) -> Result<(u16, Vec<u8>), OidcError> {
        let mut says = self.says();
        says.posted.push(Posted {
            url: url.to_owned(),
            basic: basic.map(|(name, password)| (name.to_owned(), password.to_owned())),
            form: form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        });
        Ok((says.token.0, says.token.1.clone().into_bytes()))
    }
}

fn config() -> OidcConfig {
    OidcConfig {
        issuer: ISSUER.to_owned(),
        client_id: "horarium".to_owned(),
        client_secret: Some(ClientSecret::new("s:cret".to_owned())),
        redirect_uri: "https://jobs.example/sign-in/oidc/callback".to_owned(),
        scopes: vec!["openid".to_owned(), "email".to_owned()],
        algorithms: vec![JwtAlgorithm::Rs256],
        mapping: ClaimMapping::default(),
    }
}

/// A client, its provider, and an attempt that was begun.
struct World {
    provider: Arc<Provider>,
    client: OidcClient,
    attempt: SignInAttempt,
    /// What the browser is sent to the provider with.
    sent: BTreeMap<String, String>,
}

impl World {
    async fn new() -> Self {
        let provider = Provider::new();
        let client = OidcClient::new(config(), Arc::clone(&provider) as Arc<dyn IdentityProvider>).unwrap();
        let attempt = SignInAttempt::generate([7; 32]);
        let sent = fields(&client.begin(&attempt, now()).await.unwrap());
        Self { provider, client, attempt, sent }
    }

    /// Claims of a good ID token, some of them changed; `null` takes one away.
    fn claims(&self, changes: Value) -> Value {
        let mut claims = json!({
            "iss": ISSUER, "aud": "horarium", "sub": "ada", "iat": at(-1).as_seconds(), "exp": at(300).as_seconds(),
            "nonce": self.sent["nonce"], "org_id": "org-1", "roles": ["manager"], "name": "Ada",
        });
        for (name, value) in changes.as_object().unwrap().clone() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(&name);
            } else {
                claims[name] = value;
            }
        }
        claims
    }

    /// Has the provider give this ID token for a code.
    fn gives(&self, token: &str) {
        self.provider.says().token = (200, json!({ "id_token": token, "access_token": "x" }).to_string());
    }

    fn answer(&self) -> OidcAnswer {
        let (code, state) = (Some("c0de".to_owned()), Some(self.sent["state"].clone()));
        OidcAnswer { code, state, ..OidcAnswer::default() }
    }

    async fn complete(&self, answer: &OidcAnswer) -> Result<horarium_auth::Principal, OidcError> {
        self.client.complete(&self.attempt, answer, now()).await
    }
}

/// The fields of an address's query, none of which is escaped but those with blanks and slashes.
fn fields(address: &str) -> BTreeMap<String, String> {
    let (_, query) = address.split_once('?').unwrap();
    let unescaped = |text: &str| text.replace("%20", " ").replace("%3A", ":").replace("%2F", "/");
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), unescaped(value))).collect()
}

#[tokio::test]
async fn whoever_the_provider_vouches_for_is_let_in() {
    let world = World::new().await;
    let sent = |name: &str| world.sent[name].as_str();
    assert_eq!((sent("theme"), sent("response_type"), sent("client_id")), ("dark", "code", "horarium"));
    assert_eq!((sent("redirect_uri"), sent("scope")), ("https://jobs.example/sign-in/oidc/callback", "openid email"));
    assert_eq!(sent("code_challenge_method"), "S256");

    world.gives(&Key::Rsa.sign_as("k", &world.claims(json!({}))));
    let who = world.complete(&world.answer()).await.unwrap();
    assert_eq!((who.subject.as_str(), who.display_name()), ("ada", "Ada"));
    assert_eq!((who.tenant.to_string().as_str(), who.roles.as_slice()), ("org-1", &[Role::Manager][..]));

    let posted = world.provider.posted();
    assert_eq!(posted.url, "https://id.example/token");
    assert_eq!(posted.basic, Some(("horarium".to_owned(), "s%3Acret".to_owned())));
    assert_eq!((posted.form["code"].as_str(), posted.form["grant_type"].as_str()), ("c0de", "authorization_code"));
    assert_eq!(posted.form["redirect_uri"], sent("redirect_uri"));
    assert!(!posted.form.contains_key("client_secret"));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&posted.form["code_verifier"]));
    assert_eq!(challenge, sent("code_challenge"), "who redeems the code is who began");
}

#[tokio::test]
async fn an_answer_that_belongs_to_no_attempt_of_the_browser_is_refused() {
    let world = World::new().await;
    world.gives(&Key::Rsa.sign_as("k", &world.claims(json!({}))));
    let other = SignInAttempt::generate([8; 32]);
    let others = fields(&world.client.begin(&other, now()).await.unwrap());
    for answer in [
        OidcAnswer { state: None, ..world.answer() },
        OidcAnswer { state: Some(String::new()), ..world.answer() },
        OidcAnswer { state: Some(others["state"].clone()), ..world.answer() },
        OidcAnswer { iss: Some("https://evil.example".to_owned()), ..world.answer() },
        OidcAnswer { code: None, ..world.answer() },
    ] {
        assert_eq!(world.complete(&answer).await.unwrap_err(), OidcError::NotBegunHere, "{answer:?}");
    }
    assert!(world.provider.says().posted.is_empty(), "nothing was asked for on behalf of a stranger");
    world.complete(&OidcAnswer { iss: Some(ISSUER.to_owned()), ..world.answer() }).await.unwrap();
}

#[tokio::test]
async fn a_provider_that_names_itself_in_its_answers_does_so_in_all() {
    let world = World::new().await;
    world.provider.says().metadata["authorization_response_iss_parameter_supported"] = json!(true);
    let client = OidcClient::new(config(), Arc::clone(&world.provider) as Arc<dyn IdentityProvider>).unwrap();
    let refused = client.complete(&world.attempt, &world.answer(), now()).await;
    assert_eq!(refused.unwrap_err(), OidcError::NotBegunHere);
}

#[tokio::test]
async fn an_id_token_for_something_else_lets_nobody_in() {
    let world = World::new().await;
    let two = json!(["horarium", "another"]);
    let cases = [
        (json!({"nonce": null}), AuthError::MissingClaim("nonce")),
        (json!({"nonce": "another"}), AuthError::InvalidClaim("nonce")),
        (json!({"nonce": 7}), AuthError::InvalidClaim("nonce")),
        (json!({"aud": "another"}), AuthError::WrongAudience),
        (json!({"aud": null}), AuthError::MissingClaim("aud")),
        (json!({"aud": two}), AuthError::MissingClaim("azp")),
        (json!({"aud": two, "azp": "another"}), AuthError::InvalidClaim("azp")),
        (json!({"azp": "another"}), AuthError::InvalidClaim("azp")),
        (json!({"iss": "https://evil.example"}), AuthError::WrongIssuer),
        (json!({"iss": format!("{ISSUER}/")}), AuthError::WrongIssuer),
        (json!({"exp": at(-31).as_seconds()}), AuthError::TokenExpired),
        (json!({"exp": null}), AuthError::MissingClaim("exp")),
        (json!({"iat": null}), AuthError::MissingClaim("iat")),
        (json!({"iat": at(31).as_seconds()}), AuthError::InvalidClaim("iat")),
        (json!({"iat": at(-601).as_seconds()}), AuthError::InvalidClaim("iat")),
        (json!({"sub": null}), AuthError::MissingClaim("sub")),
    ];
    for (changes, error) in cases {
        world.gives(&Key::Rsa.sign_as("k", &world.claims(changes.clone())));
        assert_eq!(world.complete(&world.answer()).await.unwrap_err(), OidcError::Token(error), "{changes}");
    }
    world.gives(&Key::Rsa.sign_as("k", &world.claims(json!({"aud": two, "azp": "horarium"}))));
    world.complete(&world.answer()).await.unwrap();
}

#[tokio::test]
async fn an_id_token_that_the_provider_did_not_sign_lets_nobody_in() {
    let world = World::new().await;
    let claims = world.claims(json!({})).to_string();
    let refused = async |token: &str| {
        world.gives(token);
        world.complete(&world.answer()).await.unwrap_err()
    };
    let of_another = Key::OtherRsa.sign_as("k", &world.claims(json!({})));
    assert_eq!(refused(&of_another).await, OidcError::Token(AuthError::BadSignature));
    let unknown = Key::OtherRsa.sign_as("x", &world.claims(json!({})));
    assert_eq!(refused(&unknown).await, OidcError::Token(AuthError::UnknownSigningKey));
    let public_as_secret = EncodingKey::from_secret(RSA_PUBLIC.as_bytes());
    let confused = sign_with(&public_as_secret, Algorithm::HS256, r#"{"alg":"HS256","kid":"k"}"#, &claims);
    assert_eq!(refused(&confused).await, OidcError::Token(AuthError::AlgorithmNotAccepted));
    let parts = [r#"{"alg":"none"}"#, claims.as_str()].map(|part| URL_SAFE_NO_PAD.encode(part));
    let unsigned = format!("{}.{}.", parts[0], parts[1]);
    assert_eq!(refused(&unsigned).await, OidcError::Token(AuthError::AlgorithmNotAccepted));
    let endless = format!("{}.{}.x", "a".repeat(70_000), parts[1]);
    assert_eq!(refused(&endless).await, OidcError::Token(AuthError::TokenTooLong));
}

#[tokio::test]
async fn whoever_declines_or_is_refused_is_told_so_and_nothing_that_a_stranger_wrote() {
    let world = World::new().await;
    let told = async |code: &str| {
        let answer = OidcAnswer { error: Some(code.to_owned()), code: None, ..world.answer() };
        world.complete(&answer).await.unwrap_err().to_string()
    };
    assert_eq!(told("access_denied").await, "You declined to sign in.");
    assert_eq!(told("login_required").await, "The identity provider refused: login_required.");
    for strange in ["<script>", "Call 555-0199 now", "a".repeat(65).as_str(), ""] {
        assert_eq!(told(strange).await, "The identity provider refused: for an unknown reason.");
    }
    world.provider.says().token = (400, json!({"error": "invalid_grant", "error_description": "s:cret"}).to_string());
    let used_twice = world.complete(&world.answer()).await.unwrap_err();
    assert_eq!(used_twice.reason(), Some("the token endpoint answered 400 invalid_grant"));
    assert!(!format!("{used_twice:?} {used_twice}").contains("s:cret"));
    for body in ["", "{}", "[]", r#"{"id_token": 7}"#] {
        world.provider.says().token = (200, body.to_owned());
        assert!(matches!(world.complete(&world.answer()).await, Err(OidcError::NotRedeemed(_))), "{body}");
    }
}

#[tokio::test]
async fn a_secret_goes_where_the_provider_understands_it() {
    let world = World::new().await;
    world.provider.says().metadata["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
    let open = |config| OidcClient::new(config, Arc::clone(&world.provider) as Arc<dyn IdentityProvider>).unwrap();
    world.gives(&Key::Rsa.sign_as("k", &world.claims(json!({}))));
    open(config()).complete(&world.attempt, &world.answer(), now()).await.unwrap();
    let posted = world.provider.posted();
    assert_eq!((posted.basic, posted.form["client_secret"].as_str()), (None, "s:cret"));
    let public = OidcConfig { client_secret: None, ..config() };
    open(public).complete(&world.attempt, &world.answer(), now()).await.unwrap();
    let posted = world.provider.posted();
    assert!(posted.basic.is_none() && !posted.form.contains_key("client_secret"));
    assert!(!format!("{:?}", open(config())).contains("s:cret"));
}

#[tokio::test]
async fn what_the_provider_tells_of_itself_is_believed_only_where_it_is_safe() {
    for (field, value) in [
        ("issuer", "https://id.example/"),
        ("token_endpoint", "http://id.example/token"),
        ("jwks_uri", "http://id.example/keys"),
        ("authorization_endpoint", "javascript:alert(1)"),
        ("end_session_endpoint", "http://id.example/logout"),
    ] {
        let provider = Provider::new();
        provider.says().metadata[field] = json!(value);
        let client = OidcClient::new(config(), provider).unwrap();
        let refused = client.begin(&SignInAttempt::generate([7; 32]), now()).await.unwrap_err();
        assert!(refused.reason().unwrap().contains(value) && !refused.to_string().contains(value), "{refused:?}");
    }
}

#[tokio::test]
async fn whoever_leaves_is_shown_the_providers_own_way_out() {
    let provider = Provider::new();
    let client = || OidcClient::new(config(), Arc::clone(&provider) as Arc<dyn IdentityProvider>).unwrap();
    assert_eq!(client().way_out(None, now()).await, None, "it has none");
    provider.says().metadata["end_session_endpoint"] = json!("https://id.example/logout");
    let address = client().way_out(Some("https://jobs.example/sign-in"), now()).await.unwrap();
    let sent = fields(&address);
    assert_eq!(sent["post_logout_redirect_uri"], "https://jobs.example/sign-in");
    assert_eq!(sent["client_id"], "horarium");
    provider.says().is_away = true;
    assert_eq!(client().way_out(None, now()).await, None);
}

#[tokio::test]
async fn a_provider_is_examined_before_anybody_relies_on_it() {
    let provider = Provider::new();
    let client = || OidcClient::new(config(), Arc::clone(&provider) as Arc<dyn IdentityProvider>).unwrap();
    assert_eq!(client().examine(now()).await, Ok(1));
    provider.says().metadata["jwks_uri"] = json!("https://id.example/none");
    assert!(client().examine(now()).await.unwrap_err().reason().unwrap().contains("404"));
    provider.says().is_away = true;
    assert!(client().examine(now()).await.unwrap_err().reason().unwrap().contains("connection refused"));
}

#[tokio::test]
async fn a_provider_that_is_away_is_asked_seldom_and_what_was_known_of_it_serves_meanwhile() {
    let provider = Provider::new();
    provider.says().is_away = true;
    let client = OidcClient::new(config(), Arc::clone(&provider) as Arc<dyn IdentityProvider>).unwrap();
    let attempt = SignInAttempt::generate([7; 32]);
    for _ in 0..20 {
        let refused = client.begin(&attempt, now()).await.unwrap_err();
        assert!(!refused.to_string().contains("10.0.0.7"), "{refused}");
    }
    assert_eq!(provider.says().fetches, 1);
    provider.says().is_away = false;
    client.begin(&attempt, at(10)).await.unwrap();
    provider.says().is_away = true;
    client.begin(&attempt, at(10 + 7200)).await.unwrap();
    assert_eq!(provider.says().fetches, 3);
}

#[test]
fn a_configuration_with_which_nobody_could_sign_in_safely_is_refused() {
    let refused = |config| OidcClient::new(config, Provider::new()).unwrap_err();
    let unsafe_issuer = OidcConfig { issuer: "http://id.example".to_owned(), ..config() };
    assert!(matches!(refused(unsafe_issuer), OidcConfigError::UnsafeIssuer(_)));
    assert_eq!(refused(OidcConfig { scopes: vec!["email".to_owned()], ..config() }), OidcConfigError::NoOpenId);
    let shared = OidcConfig { algorithms: vec![JwtAlgorithm::Hs256], ..config() };
    assert_eq!(refused(shared), OidcConfigError::Algorithms(JwtConfigError::SymmetricAlgorithm));
}
