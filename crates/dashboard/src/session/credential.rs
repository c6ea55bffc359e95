//! The credential that somebody shows to sign in.

use horarium_auth::{AuthError, Principal, api_key};
use horarium_domain::Timestamp;
use horarium_domain::session::SessionHolder;

use crate::state::Dashboard;
use crate::web::PageError;

/// What API keys begin with.
const KEY_PREFIX: &str = "hrm_";

/// A credential that is good: whose it is, what the session is to remember of it, and until when.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) principal: Principal,
    pub(super) holder: SessionHolder,
    pub(super) good_until: Option<Timestamp>,
}

/// Checks an API key or a token, by the API's rules.
///
/// # Errors
/// [`PageError::Auth`] when it is no good.
pub(super) async fn check(dashboard: &Dashboard, text: &str) -> Result<Shown, PageError> {
    let text = text.trim();
    let text = text.strip_prefix("Bearer ").unwrap_or(text).trim();
    match text {
        "" => Err(AuthError::MissingCredential.into()),
        key if key.starts_with(KEY_PREFIX) => check_key(dashboard, key).await,
        token => {
            let (principal, expires_at) = dashboard.tokens.verify_until(token, dashboard.core.now()).await?;
            let holder = SessionHolder::Claims(principal.to_claims());
            Ok(Shown { principal, holder, good_until: Some(expires_at) })
        }
    }
}

async fn check_key(dashboard: &Dashboard, text: &str) -> Result<Shown, PageError> {
    let shown: api_key::ApiKey = text.parse()?;
    let keys = &dashboard.services.keys;
    let record = keys.lookup(shown.id()).await?;
    let principal = api_key::authenticate(&shown, record.as_deref(), dashboard.core.now())?;
    let record = record.ok_or(AuthError::InvalidApiKey)?;
    keys.touch(&record);
    let holder = SessionHolder::ApiKey { id: record.id, secret_hash: record.secret_hash.clone() };
    Ok(Shown { principal, holder, good_until: record.expires_at })
}
