//! Who a token makes of its bearer.

mod common;

use std::time::Duration;

use common::{Key, at, claims, claims_with, hs256, hs256_config, now};
use horarium_auth::{
    AuthError, CredentialKind, JwtVerifier, Permission, Principal, Role, SharedSecret, TokenClaims, mint,
};
use serde_json::{Value, json};

async fn caller(claims: Value) -> Result<Principal, AuthError> {
    hs256().verify(&Key::Secret.sign(&claims), now()).await
}

#[tokio::test]
async fn a_good_token_becomes_a_caller_with_its_tenant_and_permissions() {
    let caller = caller(claims_with(json!({
        "roles": ["Manager", "offline_access", "READ", "read"],
        "email": "ada@example.org", "name": "Ada", "realm": "main",
    })))
    .await
    .unwrap();
    assert_eq!(caller.subject, "user-1");
    assert_eq!(caller.tenant.to_string(), "org-1");
    assert_eq!(caller.roles, [Role::Manager, Role::Read]);
    assert!(caller.can(Permission::ExecutionsTrigger) && !caller.can(Permission::JobsWrite));
    assert_eq!((caller.display_name(), caller.realm.as_deref()), ("Ada", Some("main")));
    assert_eq!(caller.credential, CredentialKind::Jwt);
}

#[tokio::test]
async fn the_tenant_is_read_from_any_of_its_known_claims_the_first_one_first() {
    let names = ["tenant_id", "tenantId", "organization_id", "organizationId", "org_id"];
    for (index, name) in names.into_iter().enumerate() {
        let mut with = json!({ "tenant_id": null });
        with[name] = json!("org-7");
        for later in &names[index + 1..] {
            with[*later] = json!("another");
        }
        assert_eq!(caller(claims_with(with)).await.unwrap().tenant.to_string(), "org-7", "{name}");
    }
}

#[tokio::test]
async fn a_token_without_a_tenant_or_with_an_impossible_one_is_refused() {
    assert_eq!(caller(claims_with(json!({ "tenant_id": null }))).await, Err(AuthError::MissingClaim("tenant_id")));
    for tenant in [json!(""), json!("  "), json!("a/b"), json!("../x"), json!(17), json!(["org-1"]), json!("é")] {
        let refused = caller(claims_with(json!({ "tenant_id": tenant }))).await;
        assert_eq!(refused, Err(AuthError::InvalidClaim("tenant_id")), "{tenant}");
    }
}

#[tokio::test]
async fn an_impossible_tenant_is_not_passed_over_for_another_claim() {
    let refused = caller(claims_with(json!({ "tenant_id": 17, "org_id": "org-2" }))).await;
    assert_eq!(refused, Err(AuthError::InvalidClaim("tenant_id")));
}

#[tokio::test]
async fn roles_are_an_array_or_one_string_under_either_name() {
    for (with, expected) in [
        (json!({ "roles": "ADMIN" }), vec![Role::Admin]),
        (json!({ "roles": null, "role": "owner" }), vec![Role::Owner]),
        (json!({ "roles": ["read"], "role": ["write"] }), vec![Role::Write, Role::Read]),
        (json!({ "roles": null }), vec![]),
        (json!({ "roles": [17, null, "unheard of"] }), vec![]),
        (json!({ "roles": { "admin": true } }), vec![]),
    ] {
        assert_eq!(caller(claims_with(with.clone())).await.unwrap().roles, expected, "{with}");
    }
}

#[tokio::test]
async fn a_caller_without_a_known_role_may_do_nothing() {
    assert!(caller(claims_with(json!({ "roles": ["guest"] }))).await.unwrap().permissions.is_empty());
}

#[tokio::test]
async fn a_token_needs_a_subject_that_can_be_stored_and_shown() {
    assert_eq!(caller(claims_with(json!({ "sub": null }))).await, Err(AuthError::MissingClaim("sub")));
    for subject in [json!(""), json!("a\u{0}b"), json!("a\nb"), json!(17)] {
        assert_eq!(caller(claims_with(json!({ "sub": subject }))).await, Err(AuthError::InvalidClaim("sub")));
    }
}

#[tokio::test]
async fn an_unreadable_name_is_left_out_but_an_unreadable_realm_is_refused() {
    let caller_without_names = caller(claims_with(json!({ "name": 17, "email": "a\u{0}" }))).await.unwrap();
    assert_eq!(caller_without_names.display_name(), "user-1");
    assert_eq!(caller(claims_with(json!({ "realm": ["main"] }))).await, Err(AuthError::InvalidClaim("realm")));
}

#[tokio::test]
async fn a_token_holds_until_its_expiry_and_thirty_seconds_more() {
    let token = Key::Secret.sign(&claims_with(json!({ "exp": at(0).as_seconds() })));
    assert!(hs256().verify(&token, at(29)).await.is_ok());
    assert_eq!(hs256().verify(&token, at(30)).await, Err(AuthError::TokenExpired));
}

#[tokio::test]
async fn a_token_holds_from_thirty_seconds_before_its_start() {
    let token = Key::Secret.sign(&claims_with(json!({ "nbf": at(100).as_seconds() })));
    assert_eq!(hs256().verify(&token, at(69)).await, Err(AuthError::TokenNotYetValid));
    assert!(hs256().verify(&token, at(70)).await.is_ok());
}

#[tokio::test]
async fn a_token_without_an_expiry_is_refused() {
    assert_eq!(caller(claims_with(json!({ "exp": null }))).await, Err(AuthError::MissingClaim("exp")));
    let null = claims().to_string().replace(&at(3600).as_seconds().to_string(), "null");
    let token = Key::Secret.sign_parts(r#"{"alg":"HS256"}"#, &null);
    assert_eq!(hs256().verify(&token, now()).await, Err(AuthError::MissingClaim("exp")));
}

#[tokio::test]
async fn times_may_have_fractions_or_be_far_away_but_must_be_numbers() {
    for exp in [json!(at(3600).as_seconds() as f64 + 0.5), json!(1e300), json!(u64::MAX), json!(i64::MAX)] {
        assert!(caller(claims_with(json!({ "exp": exp }))).await.is_ok(), "{exp}");
    }
    for exp in [json!(0), json!(-1), json!(i64::MIN), json!(-1e300)] {
        assert_eq!(caller(claims_with(json!({ "exp": exp }))).await, Err(AuthError::TokenExpired), "{exp}");
    }
    for wrong in [json!("4102444800"), json!(true), json!([4_102_444_800_i64])] {
        assert_eq!(caller(claims_with(json!({ "exp": wrong }))).await, Err(AuthError::InvalidClaim("exp")));
        assert_eq!(caller(claims_with(json!({ "nbf": wrong }))).await, Err(AuthError::InvalidClaim("nbf")));
    }
}

#[tokio::test]
async fn the_issuer_counts_only_where_one_is_configured() {
    let mut config = hs256_config();
    config.issuers = vec!["https://id.example.org/".into()];
    let strict = JwtVerifier::new(config).unwrap();
    let verify = |claims: Value| {
        let token = Key::Secret.sign(&claims);
        let strict = &strict;
        async move { strict.verify(&token, now()).await.map(|_| ()) }
    };
    assert_eq!(verify(claims_with(json!({ "iss": "https://id.example.org/" }))).await, Ok(()));
    assert_eq!(verify(claims()).await, Err(AuthError::MissingClaim("iss")));
    for issuer in [json!("https://id.example.org"), json!("https://evil.example"), json!(["https://id.example.org/"])] {
        assert_eq!(verify(claims_with(json!({ "iss": issuer }))).await, Err(AuthError::WrongIssuer), "{issuer}");
    }
    assert!(caller(claims_with(json!({ "iss": "anyone" }))).await.is_ok());
}

#[tokio::test]
async fn the_audience_is_a_string_or_an_array_that_holds_this_service() {
    let mut config = hs256_config();
    config.audiences = vec!["horarium".into(), "jobs".into()];
    let strict = JwtVerifier::new(config).unwrap();
    for (audience, expected) in [
        (json!("horarium"), Ok(())),
        (json!(["other", "jobs"]), Ok(())),
        (json!("Horarium"), Err(AuthError::WrongAudience)),
        (json!(["other"]), Err(AuthError::WrongAudience)),
        (json!([]), Err(AuthError::WrongAudience)),
        (json!({ "horarium": true }), Err(AuthError::WrongAudience)),
        (json!(null), Err(AuthError::MissingClaim("aud"))),
    ] {
        let token = Key::Secret.sign(&claims_with(json!({ "aud": audience })));
        assert_eq!(strict.verify(&token, now()).await.map(|_| ()), expected, "{audience}");
    }
    assert!(caller(claims_with(json!({ "aud": "anything" }))).await.is_ok());
}

#[tokio::test]
async fn a_minted_token_is_accepted_for_its_time_to_live() {
    let mut config = hs256_config();
    config.issuers = vec!["horarium".into()];
    config.audiences = vec!["horarium".into()];
    let verifier = JwtVerifier::new(config).unwrap();
    let secret = SharedSecret::new(common::SECRET).unwrap();
    let claims = TokenClaims {
        name: Some("First admin".into()),
        email: Some("root@example.org".into()),
        realm: Some("main".into()),
        issuer: Some("horarium".into()),
        audience: Some("horarium".into()),
        ..TokenClaims::new("admin", "default".parse().unwrap(), vec![Role::SuperAdmin])
    };
    let token = mint(&secret, &claims, now(), Duration::from_hours(1)).unwrap();

    let caller = verifier.verify(&token, at(3600)).await.unwrap();
    assert_eq!((caller.subject.as_str(), caller.display_name()), ("admin", "First admin"));
    assert!(caller.has_role(Role::SuperAdmin) && caller.can(Permission::AnyTenant));
    assert_eq!(caller.realm.as_deref(), Some("main"));
    assert_eq!(verifier.verify(&token, at(3630)).await, Err(AuthError::TokenExpired));
}
