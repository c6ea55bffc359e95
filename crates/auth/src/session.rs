//! Sessions of people who signed in: what their browsers hold, and who they are.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use horarium_domain::api_key::{ApiKeyRecord, ApiKeyState};
use horarium_domain::session::{Session, SessionClaims, SessionHash, SessionHolder};
use horarium_domain::tenant::TenantRef;
use horarium_domain::{ApiKeyId, RequestSeed, TenantId, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::api_key;
use crate::error::AuthError;
use crate::permission::PermissionSet;
use crate::principal::{CredentialKind, Principal};
use crate::role::Role;

/// 32 bytes in base64 without padding.
const LENGTH: usize = 43;

/// What goes into the hash that forms carry, so that it is another one than the store holds.
const FORMS: &[u8] = b"horarium forms\0";

/// What goes into the hash that tells a seed of ours from one that somebody chose.
const SEEDS: &[u8] = b"horarium seeds\0";

/// What a browser holds of a session: 256 random bits. Whoever has them has the session.
#[derive(Clone)]
pub struct SessionToken([u8; 32]);

impl SessionToken {
    /// Makes one out of 32 bytes from a cryptographically secure source. They are its whole strength.
    pub const fn generate(entropy: [u8; 32]) -> Self {
        Self(entropy)
    }

    /// What to store, and to look for.
    pub fn hash(&self) -> SessionHash {
        SessionHash::from_bytes(Sha256::digest(self.0).into())
    }

    /// The token as the browser keeps it. Never store or log it.
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What each form of the session's pages carries while they show this tenant, so that no other site can send one, nor
    /// a page that was made before another tenant was chosen. It tells nothing of the token.
    pub fn form_token(&self, tenant: TenantId) -> String {
        let hash = Sha256::new().chain_update(FORMS).chain_update(self.0).chain_update(tenant.as_uuid());
        URL_SAFE_NO_PAD.encode(hash.finalize())
    }

    /// Whether a form that is to act in this tenant carries what it must; compared in constant time.
    pub fn made_form(&self, tenant: TenantId, shown: &str) -> bool {
        self.form_token(tenant).as_bytes().ct_eq(shown.as_bytes()).into()
    }

    /// What a form that asks for executions carries besides, so that it asks for the same ones however often it is sent.
    /// It is signed: ids of executions are not for senders to choose.
    pub fn once(&self, tenant: TenantId, seed: RequestSeed) -> String {
        let hash = Sha256::new().chain_update(SEEDS).chain_update(self.0);
        let hash = hash.chain_update(tenant.as_uuid()).chain_update(seed.as_uuid());
        format!("{seed}.{}", URL_SAFE_NO_PAD.encode(hash.finalize()))
    }

    /// The seed that a form carries, if a page of this session made it for this tenant.
    pub fn seed(&self, tenant: TenantId, shown: &str) -> Option<RequestSeed> {
        let seed = shown.split_once('.')?.0.parse().ok()?;
        bool::from(self.once(tenant, seed).as_bytes().ct_eq(shown.as_bytes())).then_some(seed)
    }
}

impl FromStr for SessionToken {
    type Err = AuthError;

    fn from_str(text: &str) -> Result<Self, AuthError> {
        let decoded = (text.len() == LENGTH).then(|| URL_SAFE_NO_PAD.decode(text).ok()).flatten();
        decoded.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(AuthError::MissingCredential)
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken([redacted])")
    }
}

/// Who a session is of, and what it may do at `now`: a key's scopes are those that `key` says, the record that the
/// session's key has now; the roles of a token mean what they mean now.
///
/// # Errors
/// [`AuthError::ApiKeyExpired`], [`AuthError::ApiKeyRevoked`]; [`AuthError::InvalidApiKey`] when the key is gone, or was
/// given another secret since the session began.
pub fn session_principal(
    session: &Session,
    key: Option<&ApiKeyRecord>,
    now: Timestamp,
) -> Result<Principal, AuthError> {
    match &session.holder {
        SessionHolder::ApiKey { id, secret_hash } => {
            let is_same = |key: &&ApiKeyRecord| key.id == *id && key.secret_hash.as_bytes() == secret_hash.as_bytes();
            let key = key.filter(is_same).ok_or(AuthError::InvalidApiKey)?;
            match key.state(now) {
                ApiKeyState::Active => Ok(api_key::principal(key)),
                ApiKeyState::Expired => Err(AuthError::ApiKeyExpired),
                ApiKeyState::Revoked => Err(AuthError::ApiKeyRevoked),
            }
        }
        SessionHolder::Claims(claims) => {
            let roles: Vec<_> = claims.roles.iter().filter_map(|name| Role::from_name(name)).collect();
            Ok(Principal {
                subject: claims.subject.clone(),
                tenant: TenantRef::Id(session.tenant_id),
                permissions: roles.iter().fold(PermissionSet::EMPTY, |set, role| set.union(role.permissions())),
                roles,
                email: claims.email.clone(),
                name: claims.name.clone(),
                realm: claims.realm.clone(),
                credential: CredentialKind::Jwt,
            })
        }
    }
}

impl Principal {
    /// What to remember of the bearer of a token for a session.
    pub fn to_claims(&self) -> SessionClaims {
        SessionClaims {
            subject: self.subject.clone(),
            roles: self.roles.iter().map(|role| role.name().to_owned()).collect(),
            name: self.name.clone(),
            email: self.email.clone(),
            realm: self.realm.clone(),
        }
    }

    /// The key that the caller showed, if it was one.
    pub const fn api_key(&self) -> Option<ApiKeyId> {
        match self.credential {
            CredentialKind::ApiKey(id) => Some(id),
            CredentialKind::Jwt => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_token_is_read_back_as_it_was_revealed_and_nothing_else_is_one() {
        let token = SessionToken::generate([7; 32]);
        let read: SessionToken = token.reveal().parse().unwrap();
        assert_eq!(read.hash(), token.hash());
        let long = format!("{}A", token.reveal());
        for text in ["", "x", &token.reveal()[1..], &long, &"=".repeat(LENGTH)] {
            assert!(text.parse::<SessionToken>().is_err(), "{text}");
        }
        assert!(!format!("{token:?}").contains(&token.reveal()));
    }

    #[test]
    fn a_form_is_made_by_its_own_session_in_its_tenant() {
        let (mine, theirs) = (SessionToken::generate([1; 32]), SessionToken::generate([2; 32]));
        let [here, there] = [1, 2].map(|number| TenantId::from_uuid(Uuid::from_u128(number)));
        assert!(mine.made_form(here, &mine.form_token(here)));
        assert!(!mine.made_form(here, &mine.form_token(there)));
        assert!(!mine.made_form(here, &theirs.form_token(here)));
        assert!(!mine.made_form(here, ""));
        let stored = URL_SAFE_NO_PAD.encode(mine.hash().as_bytes());
        assert_ne!(mine.form_token(here), stored, "the store tells it to nobody");
    }

    #[test]
    fn a_seed_is_taken_from_the_session_that_made_it_alone() {
        let (mine, theirs) = (SessionToken::generate([1; 32]), SessionToken::generate([2; 32]));
        let [here, there] = [1, 2].map(|number| TenantId::from_uuid(Uuid::from_u128(number)));
        let [seed, other] = [3, 4].map(|number| RequestSeed::from_uuid(Uuid::from_u128(number)));
        let once = mine.once(here, seed);
        assert_eq!(mine.seed(here, &once), Some(seed));
        assert_eq!((mine.seed(there, &once), theirs.seed(here, &once)), (None, None));
        for chosen in
            [once.replace(&seed.to_string(), &other.to_string()), seed.to_string(), format!("{seed}."), String::new()]
        {
            assert_eq!(mine.seed(here, &chosen), None, "{chosen}");
        }
    }

    #[test]
    fn whoever_came_with_a_token_is_the_same_in_the_session() {
        let tenant = TenantId::from_uuid(Uuid::from_u128(2));
        let caller = Principal {
            subject: "auth0|17".into(),
            tenant: TenantRef::Id(tenant),
            roles: vec![Role::SuperAdmin, Role::Read],
            permissions: Role::SuperAdmin.permissions(),
            email: Some("ada@example.org".into()),
            name: Some("Ada".into()),
            realm: Some("east".into()),
            credential: CredentialKind::Jwt,
        };
        let session = Session {
            hash: SessionToken::generate([1; 32]).hash(),
            tenant_id: tenant,
            acting_in: None,
            holder: SessionHolder::Claims(caller.to_claims()),
            opened_at: Timestamp::UNIX_EPOCH,
            idle_at: Timestamp::MAX,
            expires_at: Timestamp::MAX,
        };
        assert_eq!(session_principal(&session, None, Timestamp::UNIX_EPOCH), Ok(caller));
    }
}
