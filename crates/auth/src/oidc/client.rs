//! The two ways: to the provider, and back.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::lock::Mutex;
use horarium_domain::Timestamp;
use serde::Deserialize;

use super::address::{encode, with_query};
use super::attempt::SignInAttempt;
use super::config::{OidcConfig, OidcConfigError};
use super::discovery::Metadata;
use super::error::{OidcError, sound};
use super::id_token;
use crate::jwt::{JwksConfig, JwksError, JwksSource, JwtConfig, JwtKeys, JwtVerifier};
use crate::principal::Principal;

/// How long what the provider tells of itself is kept.
const KEPT_FOR: Duration = Duration::from_hours(1);

/// The least time between two tries to hear it, however many people want to sign in.
const ASKED_EVERY: Duration = Duration::from_secs(10);

/// The longest ID token that is read, in bytes. It comes from the provider itself, and may name many groups.
const MAX_ID_TOKEN_LENGTH: usize = 64 * 1024;

/// Asks the provider over HTTP. An implementation has a timeout, bounds what it reads, and follows no redirect.
#[async_trait]
pub trait IdentityProvider: Send + Sync {
    /// A document of its own.
    ///
    /// # Errors
    /// [`OidcError::Provider`] when there is none.
    async fn get(&self, url: &str) -> Result<Vec<u8>, OidcError>;

    /// Posts a form, with a name and a password (HTTP Basic) if any; answers the status and the body.
    ///
    /// # Errors
    /// [`OidcError::Provider`] when there is no answer.
    async fn post_form(
        &self,
        url: &str,
        basic: Option<(&str, &str)>,
        form: &[(&str, &str)],
    ) -> Result<(u16, Vec<u8>), OidcError>;
}

/// What the provider sends a browser back with.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct OidcAnswer {
    /// What the ID token is had for.
    pub code: Option<String>,
    /// To which attempt it belongs.
    pub state: Option<String>,
    /// Who answers (RFC 9207).
    pub iss: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
}

/// Signs people in with one provider.
pub struct OidcClient {
    config: OidcConfig,
    provider: Arc<dyn IdentityProvider>,
    // Held for a pointer's copy, never over I/O.
    current: RwLock<Option<Arc<Known>>>,
    // Held over a fetch, so that there is one at a time and those who need its outcome wait for it.
    last_failure: Mutex<Option<(Timestamp, OidcError)>>,
}

/// What is known of the provider.
struct Known {
    metadata: Metadata,
    tokens: Arc<JwtVerifier>,
    at: Timestamp,
}

/// The provider's key set.
struct ProviderKeys {
    provider: Arc<dyn IdentityProvider>,
    url: String,
}

#[async_trait]
impl JwksSource for ProviderKeys {
    async fn fetch(&self) -> Result<Vec<u8>, JwksError> {
        let document = self.provider.get(&self.url).await;
        document.map_err(|error| JwksError::new(error.reason().unwrap_or_default()))
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: Option<String>,
}

#[derive(Deserialize)]
struct TokenRefusal {
    error: String,
}

impl OidcClient {
    /// Takes the configuration. The provider is first asked when somebody signs in.
    ///
    /// # Errors
    /// When nobody could sign in with it.
    pub fn new(config: OidcConfig, provider: Arc<dyn IdentityProvider>) -> Result<Self, OidcConfigError> {
        config.check()?;
        Ok(Self { config, provider, current: RwLock::new(None), last_failure: Mutex::new(None) })
    }

    /// Where to send the browser that makes this attempt.
    ///
    /// # Errors
    /// [`OidcError::Provider`].
    pub async fn begin(&self, attempt: &SignInAttempt, now: Timestamp) -> Result<String, OidcError> {
        let known = self.known(now).await?;
        let scopes = self.config.scopes.join(" ");
        let (state, nonce, challenge) = (attempt.state(), attempt.nonce(), attempt.code_challenge());
        let fields = [
            ("response_type", "code"),
            ("client_id", self.config.client_id.as_str()),
            ("redirect_uri", self.config.redirect_uri.as_str()),
            ("scope", scopes.as_str()),
            ("state", state.as_str()),
            ("nonce", nonce.as_str()),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        Ok(with_query(&known.metadata.authorization_endpoint, &fields))
    }

    /// Whoever the provider vouches for, in answer to this attempt.
    ///
    /// # Errors
    /// Any [`OidcError`].
    pub async fn complete(
        &self,
        attempt: &SignInAttempt,
        answer: &OidcAnswer,
        now: Timestamp,
    ) -> Result<Principal, OidcError> {
        if !answer.state.as_deref().is_some_and(|state| attempt.made_state(state)) {
            return Err(OidcError::NotBegunHere);
        }
        let known = self.known(now).await?;
        match &answer.iss {
            Some(issuer) if *issuer != self.config.issuer => return Err(OidcError::NotBegunHere),
            None if known.metadata.names_itself => return Err(OidcError::NotBegunHere),
            Some(_) | None => {}
        }
        if let Some(error) = &answer.error {
            return Err(OidcError::refused(error));
        }
        let code = answer.code.as_deref().ok_or(OidcError::NotBegunHere)?;
        let token = self.redeem(&known.metadata, code, attempt).await?;
        let payload = known.tokens.verify_payload(&token, MAX_ID_TOKEN_LENGTH, now).await?;
        let claims = id_token::read(&payload, &self.config.client_id, attempt, now)?;
        self.config.mapping.principal(&claims)
    }

    /// Where somebody signs out of the provider too, and from where he comes back to `to`, which the provider must know.
    /// `None` where the provider has no such place, or tells of none at present.
    pub async fn way_out(&self, to: Option<&str>, now: Timestamp) -> Option<String> {
        let known = self.known(now).await.ok()?;
        let endpoint = known.metadata.end_session_endpoint.as_ref()?;
        let mut fields = vec![("client_id", self.config.client_id.as_str())];
        fields.extend(to.map(|to| ("post_logout_redirect_uri", to)));
        Some(with_query(endpoint, &fields))
    }

    /// Asks the provider for what it tells of itself and for its keys, and answers how many of these can be used.
    ///
    /// # Errors
    /// [`OidcError::Provider`].
    pub async fn examine(&self, now: Timestamp) -> Result<usize, OidcError> {
        let known = self.known(now).await?;
        known.tokens.refresh_keys(now).await.map_err(|error| OidcError::Provider(error.to_string()))
    }

    /// The ID token that a code is good for.
    async fn redeem(&self, metadata: &Metadata, code: &str, attempt: &SignInAttempt) -> Result<String, OidcError> {
        let OidcConfig { client_id, client_secret, redirect_uri, .. } = &self.config;
        let verifier = attempt.code_verifier();
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri.as_str()),
            ("code_verifier", verifier.as_str()),
            ("client_id", client_id.as_str()),
        ];
        let mut basic = None;
        match client_secret {
            Some(secret) if metadata.wants_secret_in_form() => form.push(("client_secret", secret.reveal())),
            // Both are encoded first (RFC 6749 section 2.3.1).
            Some(secret) => basic = Some((encode(client_id), encode(secret.reveal()))),
            None => {}
        }
        let basic = basic.as_ref().map(|(name, password)| (name.as_str(), password.as_str()));
        let (status, body) = self.provider.post_form(&metadata.token_endpoint, basic, &form).await?;
        if status != 200 {
            let refusal = serde_json::from_slice::<TokenRefusal>(&body).map(|it| sound(&it.error)).unwrap_or_default();
            return Err(OidcError::NotRedeemed(format!("the token endpoint answered {status} {refusal}")));
        }
        let answer: Option<TokenAnswer> = serde_json::from_slice(&body).ok();
        let token = answer.and_then(|answer| answer.id_token);
        token.ok_or_else(|| OidcError::NotRedeemed("the token endpoint answered without an ID token".to_owned()))
    }

    /// What is known of the provider: it is asked anew now and then, and what was known serves while it is away.
    async fn known(&self, now: Timestamp) -> Result<Arc<Known>, OidcError> {
        let is_fresh = |known: &Arc<Known>| now.since(known.at) < KEPT_FOR;
        if let Some(known) = self.current().filter(is_fresh) {
            return Ok(known);
        }
        let mut last_failure = self.last_failure.lock().await;
        let former = self.current();
        if let Some(known) = former.clone().filter(is_fresh) {
            // Somebody else asked meanwhile.
            return Ok(known);
        }
        if let Some((at, error)) = last_failure.as_ref()
            && now.since(*at) < ASKED_EVERY
        {
            return former.ok_or_else(|| error.clone());
        }
        match self.discover(former.as_deref(), now).await {
            Ok(known) => {
                *last_failure = None;
                let known = Arc::new(known);
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&known));
                Ok(known)
            }
            Err(error) => {
                *last_failure = Some((now, error.clone()));
                former.ok_or(error)
            }
        }
    }

    async fn discover(&self, former: Option<&Known>, now: Timestamp) -> Result<Known, OidcError> {
        let issuer = &self.config.issuer;
        let metadata = Metadata::parse(&self.provider.get(&Metadata::address(issuer)).await?, issuer)?;
        // Its keys are kept along, as long as they are to be found at the same place.
        let tokens = match former.filter(|former| former.metadata.jwks_uri == metadata.jwks_uri) {
            Some(former) => Arc::clone(&former.tokens),
            None => Arc::new(self.verifier(&metadata.jwks_uri)?),
        };
        Ok(Known { metadata, tokens, at: now })
    }

    fn verifier(&self, jwks_uri: &str) -> Result<JwtVerifier, OidcError> {
        let source = ProviderKeys { provider: Arc::clone(&self.provider), url: jwks_uri.to_owned() };
        let keys = JwksConfig::new(Arc::new(source), self.config.algorithms.clone());
        let mut config = JwtConfig::new(JwtKeys::Jwks(keys));
        config.issuers = vec![self.config.issuer.clone()];
        config.audiences = vec![self.config.client_id.clone()];
        JwtVerifier::new(config).map_err(|error| OidcError::Provider(error.to_string()))
    }

    fn current(&self) -> Option<Arc<Known>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for OidcClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcClient").field("config", &self.config).finish_non_exhaustive()
    }
}
