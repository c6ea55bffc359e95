//! API keys: made once, shown once, checked without giving anything away.

use horarium_auth::api_key::{ApiKey, authenticate};
use horarium_auth::{AuthError, CredentialKind, Permission};
use horarium_domain::api_key::ApiKeyRecord;
use horarium_domain::tenant::TenantRef;
use horarium_domain::{ApiKeyId, TenantId, Timestamp};
use uuid::Uuid;

const ENTROPY: [u8; 32] = [0xFF; 32];

fn key() -> ApiKey {
    ApiKey::generate(ApiKeyId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001)), ENTROPY)
}

fn record_of(key: &ApiKey) -> ApiKeyRecord {
    ApiKeyRecord {
        id: key.id(),
        tenant_id: TenantId::from_uuid(Uuid::from_u128(7)),
        name: "nightly import".into(),
        scopes: vec!["jobs:read".into(), "executions:trigger".into(), "no:longer-known".into()],
        secret_hash: key.secret_hash(),
        created_at: Timestamp::UNIX_EPOCH,
        created_by: "user-1".into(),
        expires_at: Some(Timestamp::from_seconds(1000)),
        last_used_at: None,
        revoked_at: None,
    }
}

fn now() -> Timestamp {
    Timestamp::from_seconds(500)
}

#[test]
fn a_key_reads_back_as_it_was_shown_even_with_underscores_in_its_secret() {
    // 32 bytes of ones are all underscores in base64url, but for the last digit.
    let text = key().reveal();
    assert_eq!(text, format!("hrm_01900000000070008000000000000001_{}8", "_".repeat(42)));
    let read: ApiKey = text.parse().unwrap();
    assert_eq!((read.id(), read.reveal()), (key().id(), text));
}

#[test]
fn a_good_key_becomes_a_caller_with_its_scopes_in_its_tenant() {
    let caller = authenticate(&key(), Some(&record_of(&key())), now()).unwrap();
    assert_eq!(caller.tenant, TenantRef::Id(TenantId::from_uuid(Uuid::from_u128(7))));
    assert_eq!(caller.credential, CredentialKind::ApiKey(key().id()));
    assert_eq!(caller.subject, "api-key:01900000-0000-7000-8000-000000000001");
    assert_eq!(caller.display_name(), "nightly import");
    let allowed: Vec<_> = caller.permissions.iter().collect();
    assert_eq!(allowed, [Permission::JobsRead, Permission::ExecutionsTrigger]);
}

#[test]
fn a_wrong_secret_and_an_unknown_key_are_answered_alike() {
    let guessed = ApiKey::generate(key().id(), [0xFE; 32]);
    assert_eq!(authenticate(&guessed, Some(&record_of(&key())), now()), Err(AuthError::InvalidApiKey));
    assert_eq!(authenticate(&key(), None, now()), Err(AuthError::InvalidApiKey));
}

#[test]
fn a_right_secret_under_another_keys_id_is_refused() {
    let other = ApiKey::generate(ApiKeyId::from_uuid(Uuid::from_u128(2)), ENTROPY);
    assert_eq!(authenticate(&other, Some(&record_of(&key())), now()), Err(AuthError::InvalidApiKey));
}

#[test]
fn only_the_holder_of_a_key_learns_that_it_is_expired_or_revoked() {
    let expired = ApiKeyRecord { expires_at: Some(now()), ..record_of(&key()) };
    let revoked = ApiKeyRecord { revoked_at: Some(now()), ..record_of(&key()) };
    assert_eq!(authenticate(&key(), Some(&expired), now()), Err(AuthError::ApiKeyExpired));
    assert_eq!(authenticate(&key(), Some(&revoked), now()), Err(AuthError::ApiKeyRevoked));
    let guessed = ApiKey::generate(key().id(), [1; 32]);
    assert_eq!(authenticate(&guessed, Some(&expired), now()), Err(AuthError::InvalidApiKey));
    assert_eq!(authenticate(&guessed, Some(&revoked), now()), Err(AuthError::InvalidApiKey));
}

#[test]
fn a_rotated_key_no_longer_opens_with_its_old_secret() {
    let rotated = ApiKey::generate(key().id(), [9; 32]);
    let record = record_of(&rotated);
    assert!(authenticate(&rotated, Some(&record), now()).is_ok());
    assert_eq!(authenticate(&key(), Some(&record), now()), Err(AuthError::InvalidApiKey));
}

#[test]
fn what_is_no_key_is_refused_without_a_look_at_the_store() {
    let good = key().reveal();
    let secret = good.rsplit_once('1').unwrap().1.trim_start_matches('_').to_owned();
    for text in [
        String::new(),
        "hrm".into(),
        "hrm__".into(),
        "hrm_1_2".into(),
        good.replacen("hrm", "HRM", 1),
        good.replacen("hrm_", "hrm", 1),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        format!("{good} "),
        // The same bytes in another spelling: the last digit has bits that belong to no byte.
        format!("{}9", &good[..good.len() - 1]),
        good.replace("0190", "019x"),
        format!("hrm_01900000-0000-7000-8000-000000000001_{secret}"),
        format!("hrm_{}_{}", "é".repeat(16), "_".repeat(43)),
    ] {
        assert_eq!(text.parse::<ApiKey>().unwrap_err(), AuthError::InvalidApiKey, "{text}");
    }
}

#[test]
fn a_key_is_never_printed() {
    let shown = format!("{:?} {:?}", key(), record_of(&key()));
    assert!(!shown.contains("255") && !shown.contains("____"), "{shown}");
}
