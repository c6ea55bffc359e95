//! Tokens that are checked with an issuer's published key set, and what happens when it changes.

#![allow(clippy::unwrap_used, reason = "the helpers below only run in tests")]

mod common;

use std::sync::Arc;
use std::task::{Context, Waker};

use common::{Issuer, Key, at, claims, now};
use horarium_auth::{
    AuthError, AuthStatus, FileJwks, JwksConfig, JwtAlgorithm, JwtConfig, JwtConfigError, JwtKeys, JwtVerifier,
};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

const ASYMMETRIC: [JwtAlgorithm; 3] = [JwtAlgorithm::Rs256, JwtAlgorithm::Es256, JwtAlgorithm::EdDsa];

fn verifier(issuer: &Arc<Issuer>) -> JwtVerifier {
    verifier_for(issuer, &ASYMMETRIC).unwrap()
}

fn verifier_for(issuer: &Arc<Issuer>, algorithms: &[JwtAlgorithm]) -> Result<JwtVerifier, JwtConfigError> {
    let source = Arc::clone(issuer);
    JwtVerifier::new(JwtConfig::new(JwtKeys::Jwks(JwksConfig::new(source, algorithms.to_vec()))))
}

async fn outcome(verifier: &JwtVerifier, token: &str, after_seconds: i64) -> Result<(), AuthError> {
    verifier.verify(token, at(after_seconds)).await.map(|_| ())
}

#[tokio::test]
async fn a_token_is_checked_with_the_key_that_it_names() {
    let issuer = Issuer::serving([Ok(vec![Key::Rsa.jwk("r"), Key::P256.jwk("p"), Key::Ed25519.jwk("e")])]);
    let verifier = verifier(&issuer);
    for (key, kid) in [(Key::Rsa, "r"), (Key::P256, "p"), (Key::Ed25519, "e")] {
        assert_eq!(outcome(&verifier, &key.sign_as(kid, &claims()), 0).await, Ok(()));
    }
    // Signed by another key than the one it names.
    assert_eq!(outcome(&verifier, &Key::OtherRsa.sign_as("r", &claims()), 0).await, Err(AuthError::BadSignature));
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn a_token_that_names_no_key_is_tried_with_those_of_its_algorithm() {
    let issuer = Issuer::serving([Ok(vec![Key::Rsa.jwk("a"), Key::OtherRsa.jwk("b")])]);
    let verifier = verifier(&issuer);
    assert_eq!(outcome(&verifier, &Key::OtherRsa.sign(&claims()), 0).await, Ok(()));
    assert_eq!(outcome(&verifier, &Key::P256.sign(&claims()), 20).await, Err(AuthError::UnknownSigningKey));
}

#[tokio::test]
async fn two_keys_of_one_name_are_both_tried() {
    let issuer = Issuer::serving([Ok(vec![Key::Rsa.jwk("same"), Key::OtherRsa.jwk("same"), Key::P256.jwk("same")])]);
    let verifier = verifier(&issuer);
    for key in [Key::Rsa, Key::OtherRsa, Key::P256] {
        assert_eq!(outcome(&verifier, &key.sign_as("same", &claims()), 0).await, Ok(()));
    }
}

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_names_it() {
    let issuer = Issuer::serving([Ok(vec![Key::Rsa.jwk("old")]), Ok(vec![Key::OtherRsa.jwk("new")])]);
    let verifier = verifier(&issuer);
    let (old, new) = (Key::Rsa.sign_as("old", &claims()), Key::OtherRsa.sign_as("new", &claims()));
    assert_eq!(outcome(&verifier, &old, 0).await, Ok(()));
    assert_eq!(outcome(&verifier, &new, 10).await, Ok(()));
    // The old key was withdrawn in the same document.
    assert_eq!(outcome(&verifier, &old, 11).await, Err(AuthError::UnknownSigningKey));
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test]
async fn unknown_key_names_cannot_make_the_server_hammer_the_issuer() {
    let issuer = Issuer::serving([Ok(vec![Key::Rsa.jwk("k")])]);
    let verifier = verifier(&issuer);
    for attempt in 0..100 {
        let token = Key::Rsa.sign_as(&format!("../../etc/passwd?{attempt}"), &claims());
        assert_eq!(outcome(&verifier, &token, attempt / 10).await, Err(AuthError::UnknownSigningKey));
    }
    assert_eq!(issuer.fetches(), 1);
    assert_eq!(outcome(&verifier, &Key::Rsa.sign_as("x", &claims()), 10).await, Err(AuthError::UnknownSigningKey));
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test]
async fn callers_who_come_at_once_share_one_fetch() {
    let issuer = Issuer::serving([Ok(vec![Key::Rsa.jwk("k")])]);
    let verifier = verifier(&issuer);
    let token = Key::Rsa.sign_as("k", &claims());
    let checks = (0..20).map(|_| outcome(&verifier, &token, 0));
    assert!(futures_util::future::join_all(checks).await.into_iter().all(|checked| checked.is_ok()));
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn a_withdrawn_key_is_noticed_once_the_set_has_aged() {
    let issuer = Issuer::serving([Ok(vec![Key::Rsa.jwk("k")]), Ok(vec![])]);
    let verifier = verifier(&issuer);
    let token = Key::Rsa.sign_as("k", &claims());
    assert_eq!(outcome(&verifier, &token, 0).await, Ok(()));
    assert_eq!(outcome(&verifier, &token, 600).await, Ok(()));
    assert_eq!(outcome(&verifier, &token, 601).await, Err(AuthError::UnknownSigningKey));
}

#[tokio::test]
async fn a_signature_that_was_good_counts_no_longer_than_its_key_and_its_time() {
    let sets = [Ok(vec![Key::Rsa.jwk("k")]), Ok(vec![Key::OtherRsa.jwk("k")])];
    let issuer = Issuer::serving(sets);
    let verifier = verifier(&issuer);
    let token = Key::Rsa.sign_as("k", &claims());
    for _ in 0..2 {
        assert_eq!(outcome(&verifier, &token, 0).await, Ok(()));
    }
    assert_eq!(outcome(&verifier, &token, 601).await, Err(AuthError::BadSignature), "another key has its name now");
    let token = Key::OtherRsa.sign_as("k", &claims());
    assert_eq!(outcome(&verifier, &token, 602).await, Ok(()));
    assert_eq!(outcome(&verifier, &token, 3630).await, Err(AuthError::TokenExpired));
}

#[tokio::test]
async fn an_issuer_that_is_down_locks_nobody_out_whose_key_is_known() {
    let issuer = Issuer::serving([Ok(vec![Key::Rsa.jwk("k")]), Err("connection refused")]);
    let verifier = verifier(&issuer);
    let token = Key::Rsa.sign_as("k", &claims());
    for seconds in [0, 601, 602, 1300] {
        assert_eq!(outcome(&verifier, &token, seconds).await, Ok(()));
    }
    assert_eq!(issuer.fetches(), 3);
    assert_eq!(outcome(&verifier, &Key::Rsa.sign_as("x", &claims()), 1400).await, Err(AuthError::UnknownSigningKey));
}

#[tokio::test]
async fn until_a_key_set_has_been_had_the_answer_is_that_it_cannot_be_told() {
    let issuer = Issuer::serving([Err("connection refused"), Ok(vec![Key::Rsa.jwk("k")])]);
    let verifier = verifier(&issuer);
    let token = Key::Rsa.sign_as("k", &claims());
    for seconds in [0, 1] {
        let error = outcome(&verifier, &token, seconds).await.unwrap_err();
        assert_eq!(error.status(), AuthStatus::Unavailable);
        assert_eq!(error.www_authenticate(), None);
        assert!(std::error::Error::source(&error).unwrap().to_string().ends_with("connection refused"));
    }
    assert_eq!(issuer.fetches(), 1);
    assert_eq!(outcome(&verifier, &token, 10).await, Ok(()));
}

#[tokio::test]
async fn a_caller_who_hangs_up_during_the_fetch_does_not_buy_another_one() {
    let issuer = Issuer::serving([Ok(vec![Key::Rsa.jwk("k")])]);
    let verifier = verifier(&issuer);
    let token = Key::Rsa.sign_as("k", &claims());
    {
        let mut check = Box::pin(verifier.verify(&token, now()));
        assert!(
            check.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending(),
            "the issuer has not answered yet"
        );
    }
    assert_eq!(outcome(&verifier, &token, 9).await.unwrap_err().status(), AuthStatus::Unavailable);
    assert_eq!(issuer.fetches(), 0);
    assert_eq!(outcome(&verifier, &token, 10).await, Ok(()));
}

#[tokio::test]
async fn only_keys_that_may_verify_with_an_accepted_algorithm_are_used() {
    let with = |name: &str, value: Value| {
        let mut jwk = Key::Rsa.jwk("k");
        jwk[name] = value;
        jwk
    };
    for (unusable, why) in [
        (with("use", json!("enc")), "for encryption"),
        (with("alg", json!("RS512")), "for another algorithm"),
        (with("alg", json!("HS256")), "for a symmetric algorithm"),
        (with("key_ops", json!(["sign"])), "for signing only"),
        (with("kty", json!("oct")), "not an RSA key"),
        (with("n", json!("***")), "no base64"),
        (json!({ "kty": "oct", "kid": "k", "k": "AAAA" }), "symmetric"),
        (json!({ "kty": "EC", "crv": "P-521", "x": "AA", "y": "AA", "kid": "k" }), "another curve"),
        (json!({ "kid": "k" }), "no kind"),
        (json!(17), "no object"),
    ] {
        let issuer = Issuer::serving([Ok(vec![unusable, Key::P256.jwk("good")])]);
        let verifier = verifier(&issuer);
        assert_eq!(verifier.refresh_keys(now()).await, Ok(1), "{why}");
        let refused = outcome(&verifier, &Key::Rsa.sign_as("k", &claims()), 0).await;
        assert_eq!(refused, Err(AuthError::UnknownSigningKey), "{why}");
    }
}

#[tokio::test]
async fn an_algorithm_that_is_not_configured_is_refused_even_if_the_issuer_has_a_key_for_it() {
    let issuer = Issuer::serving([Ok(vec![Key::Rsa.jwk("r"), Key::P256.jwk("p")])]);
    let verifier = verifier_for(&issuer, &[JwtAlgorithm::Es256]).unwrap();
    assert_eq!(outcome(&verifier, &Key::P256.sign_as("p", &claims()), 0).await, Ok(()));
    let refused = outcome(&verifier, &Key::Rsa.sign_as("r", &claims()), 0).await;
    assert_eq!(refused, Err(AuthError::AlgorithmNotAccepted));
}

#[tokio::test]
async fn a_published_key_does_not_serve_as_a_shared_secret() {
    let issuer = Issuer::serving([Ok(vec![Key::Rsa.jwk("k")])]);
    let verifier = verifier(&issuer);
    let secret = EncodingKey::from_secret(common::RSA_PUBLIC.as_bytes());
    let header = r#"{"alg":"HS256","kid":"k"}"#;
    let token = common::sign_with(&secret, Algorithm::HS256, header, &claims().to_string());
    assert_eq!(outcome(&verifier, &token, 0).await, Err(AuthError::AlgorithmNotAccepted));
    assert_eq!(issuer.fetches(), 0, "a refused algorithm fetches nothing");
}

#[tokio::test]
async fn a_document_that_is_no_key_set_is_reported_and_replaces_nothing() {
    for document in ["", "<html>", "{}", "[]", r#"{"keys":{}}"#] {
        let error = verifier(&Issuer::serving_text(document)).refresh_keys(now()).await.unwrap_err();
        assert!(error.to_string().contains("is not a JSON Web Key Set"), "{document}: {error}");
    }
    let huge = format!(r#"{{"keys":[],"padding":"{}"}}"#, "x".repeat(1 << 20));
    let error = verifier(&Issuer::serving_text(&huge)).refresh_keys(now()).await.unwrap_err();
    assert!(error.to_string().contains("larger than"), "{error}");
}

#[tokio::test]
async fn a_key_set_may_be_a_file_and_a_missing_one_is_named() {
    let file = std::env::temp_dir().join(format!("horarium-jwks-{}.json", std::process::id()));
    let source = Arc::new(FileJwks::new(&file));
    let config = JwtConfig::new(JwtKeys::Jwks(JwksConfig::new(source, vec![JwtAlgorithm::EdDsa])));
    let verifier = JwtVerifier::new(config).unwrap();
    let error = verifier.refresh_keys(now()).await.unwrap_err();
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");

    std::fs::write(&file, json!({ "keys": [Key::Ed25519.jwk("e")] }).to_string()).unwrap();
    assert_eq!(verifier.refresh_keys(now()).await, Ok(1));
    assert_eq!(outcome(&verifier, &Key::Ed25519.sign_as("e", &claims()), 0).await, Ok(()));
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn a_key_set_needs_an_algorithm_and_never_a_symmetric_one() {
    let issuer = Issuer::serving([Ok(vec![])]);
    assert_eq!(verifier_for(&issuer, &[]).unwrap_err(), JwtConfigError::NoAlgorithm);
    let symmetric = [JwtAlgorithm::Rs256, JwtAlgorithm::Hs256];
    assert_eq!(verifier_for(&issuer, &symmetric).unwrap_err(), JwtConfigError::SymmetricAlgorithm);
}
