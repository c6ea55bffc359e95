//! The attacks of RFC 8725 (JWT best current practices), and those that people report against JWT libraries.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "the helpers below only run in tests")]

mod common;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{Key, claims, claims_with, hs256, now, public_key, sign_with};
use horarium_auth::{AuthError, JwtAlgorithm, JwtConfig, JwtConfigError, JwtKeys, JwtVerifier, SharedSecret};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

async fn refusal(verifier: &JwtVerifier, token: &str) -> AuthError {
    verifier.verify(token, now()).await.expect_err("the token must be refused")
}

fn hs256_with_header(header: &Value) -> String {
    Key::Secret.sign_parts(&header.to_string(), &claims().to_string())
}

#[tokio::test]
async fn every_configured_kind_of_key_accepts_its_own_tokens() {
    for (key, verifier) in [
        (Key::Secret, hs256()),
        (Key::Rsa, public_key(JwtAlgorithm::Rs256, common::RSA_PUBLIC)),
        (Key::P256, public_key(JwtAlgorithm::Es256, common::P256_PUBLIC)),
        (Key::Ed25519, public_key(JwtAlgorithm::EdDsa, common::ED25519_PUBLIC)),
    ] {
        assert_eq!(verifier.verify(&key.sign(&claims()), now()).await.unwrap().subject, "user-1");
    }
}

#[tokio::test]
async fn a_token_that_claims_to_need_no_signature_is_refused() {
    for alg in ["none", "None", "NONE", "nOnE"] {
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": alg }).to_string());
        let payload = URL_SAFE_NO_PAD.encode(claims().to_string());
        for verifier in [hs256(), public_key(JwtAlgorithm::Rs256, common::RSA_PUBLIC)] {
            assert_eq!(refusal(&verifier, &format!("{header}.{payload}.")).await, AuthError::AlgorithmNotAccepted);
        }
    }
}

#[tokio::test]
async fn a_token_without_a_signature_is_refused() {
    let token = Key::Secret.sign(&claims());
    let unsigned = &token[..=token.rfind('.').unwrap()];
    assert_eq!(refusal(&hs256(), unsigned).await, AuthError::BadSignature);
    assert_eq!(refusal(&hs256(), unsigned.trim_end_matches('.')).await, AuthError::MalformedToken);
}

#[tokio::test]
async fn a_public_key_does_not_serve_as_a_shared_secret() {
    let verifier = public_key(JwtAlgorithm::Rs256, common::RSA_PUBLIC);
    let der = pem_body(common::RSA_PUBLIC);
    for secret in [common::RSA_PUBLIC.as_bytes(), common::RSA_PUBLIC.trim().as_bytes(), &der] {
        let key = EncodingKey::from_secret(secret);
        let token = sign_with(&key, Algorithm::HS256, r#"{"alg":"HS256"}"#, &claims().to_string());
        assert_eq!(refusal(&verifier, &token).await, AuthError::AlgorithmNotAccepted);
        // The same bytes under the name of the accepted algorithm are no signature either.
        let token = sign_with(&key, Algorithm::HS256, r#"{"alg":"RS256"}"#, &claims().to_string());
        assert_eq!(refusal(&verifier, &token).await, AuthError::BadSignature);
    }
}

#[tokio::test]
async fn the_algorithm_is_the_configured_one_and_not_its_neighbour() {
    let rsa = EncodingKey::from_rsa_pem(common::RSA_PRIVATE.as_bytes()).unwrap();
    let verifier = public_key(JwtAlgorithm::Rs256, common::RSA_PUBLIC);
    for (algorithm, name) in [(Algorithm::RS384, "RS384"), (Algorithm::RS512, "RS512"), (Algorithm::PS256, "PS256")] {
        let token = sign_with(&rsa, algorithm, &json!({ "alg": name }).to_string(), &claims().to_string());
        assert_eq!(refusal(&verifier, &token).await, AuthError::AlgorithmNotAccepted, "{name}");
    }
    for key in [Key::Secret, Key::P256, Key::Ed25519] {
        assert_eq!(refusal(&verifier, &key.sign(&claims())).await, AuthError::AlgorithmNotAccepted);
        assert_eq!(refusal(&hs256(), &Key::Rsa.sign(&claims())).await, AuthError::AlgorithmNotAccepted);
    }
    for name in ["hs256", "HS384", "HS256 ", "", "HS256\u{0}"] {
        assert_eq!(
            refusal(&hs256(), &hs256_with_header(&json!({ "alg": name }))).await,
            AuthError::AlgorithmNotAccepted
        );
    }
}

#[tokio::test]
async fn another_issuers_key_of_the_same_kind_is_refused() {
    let verifier = public_key(JwtAlgorithm::Rs256, common::RSA_PUBLIC);
    assert_eq!(refusal(&verifier, &Key::OtherRsa.sign(&claims())).await, AuthError::BadSignature);
}

#[tokio::test]
async fn a_token_that_brings_its_own_key_is_checked_with_ours() {
    let embedded = json!({
        "alg": "RS256",
        "jwk": Key::OtherRsa.jwk("mine"),
        "jku": "https://evil.example/jwks.json",
        "x5u": "https://evil.example/cert.pem",
        "x5c": ["MIIB"],
        "kid": "mine",
    })
    .to_string();
    let verifier = public_key(JwtAlgorithm::Rs256, common::RSA_PUBLIC);
    let forged = Key::OtherRsa.sign_parts(&embedded, &claims().to_string());
    assert_eq!(refusal(&verifier, &forged).await, AuthError::BadSignature);
    // The same header on a token of the configured key changes nothing, since it is not read.
    let honest = Key::Rsa.sign_parts(&embedded, &claims().to_string());
    assert!(verifier.verify(&honest, now()).await.is_ok());
}

#[tokio::test]
async fn a_key_name_is_only_ever_compared() {
    for kid in ["../../../../dev/null", "key'; DROP TABLE jobs;--", "|id", "file:///etc/passwd", "\u{0}", ""] {
        // A single key has no name, so any name is passed over.
        let token = hs256_with_header(&json!({ "alg": "HS256", "kid": kid }));
        assert!(hs256().verify(&token, now()).await.is_ok(), "{kid}");
    }
    // The classic: a key file of no bytes makes an HMAC with an empty secret.
    let token = sign_with(
        &EncodingKey::from_secret(b""),
        Algorithm::HS256,
        r#"{"alg":"HS256","kid":"../../../../dev/null"}"#,
        &claims().to_string(),
    );
    assert_eq!(refusal(&hs256(), &token).await, AuthError::BadSignature);
}

#[tokio::test]
async fn a_token_that_demands_an_extension_is_refused() {
    for crit in [json!(["b64"]), json!(["exp"]), json!([]), json!("b64"), json!(null)] {
        let token = hs256_with_header(&json!({ "alg": "HS256", "b64": false, "crit": crit }));
        assert_eq!(refusal(&hs256(), &token).await, AuthError::CriticalExtension, "{crit}");
    }
}

#[tokio::test]
async fn a_token_of_another_purpose_is_refused() {
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
        let token = hs256_with_header(&json!({ "alg": "HS256", "typ": typ }));
        assert!(hs256().verify(&token, now()).await.is_ok(), "{typ}");
    }
    for typ in ["logout+jwt", "dpop+jwt", "secevent+jwt", "JWE", ""] {
        let token = hs256_with_header(&json!({ "alg": "HS256", "typ": typ }));
        assert_eq!(refusal(&hs256(), &token).await, AuthError::WrongTokenType, "{typ}");
    }
}

#[tokio::test]
async fn a_changed_payload_or_header_is_refused() {
    let token = Key::Secret.sign(&claims());
    let [header, _, signature] = parts(&token);
    let payload = URL_SAFE_NO_PAD.encode(claims_with(json!({ "roles": ["super_admin"] })).to_string());
    assert_eq!(refusal(&hs256(), &format!("{header}.{payload}.{signature}")).await, AuthError::BadSignature);

    let [_, payload, _] = parts(&token);
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
    assert_eq!(refusal(&hs256(), &format!("{header}.{payload}.{signature}")).await, AuthError::BadSignature);
}

#[tokio::test]
async fn no_single_changed_or_missing_character_goes_unnoticed() {
    let token = Key::Secret.sign(&claims());
    for index in 0..token.len() {
        let other = if token.as_bytes()[index] == b'A' { "B" } else { "A" };
        let changed = format!("{}{other}{}", &token[..index], &token[index + 1..]);
        let missing = format!("{}{}", &token[..index], &token[index + 1..]);
        for broken in [changed, missing, token[..index].to_owned()] {
            assert!(hs256().verify(&broken, now()).await.is_err(), "{broken}");
        }
    }
}

#[tokio::test]
async fn what_is_no_token_is_called_malformed() {
    let token = Key::Secret.sign(&claims());
    let [header, payload, signature] = parts(&token);
    for text in [
        String::new(),
        ".".into(),
        "..".into(),
        "abc".into(),
        "a.b.c".into(),
        format!("{token}.{signature}"),
        format!("{token}.."),
        format!("{header}.{payload}"),
        format!("{header}=.{payload}.{signature}"),
        format!(" {token}"),
        format!("{header}.{payload}\n.{signature}"),
        format!("{}.{payload}.{signature}", URL_SAFE_NO_PAD.encode("[]")),
        format!("{}.{payload}.{signature}", URL_SAFE_NO_PAD.encode([0xFF, 0xFE])),
        "é.é.é".into(),
    ] {
        assert_eq!(refusal(&hs256(), &text).await, AuthError::MalformedToken, "{text}");
    }
}

#[tokio::test]
async fn a_name_that_occurs_twice_is_refused_rather_than_read_by_luck() {
    let good = claims().to_string();
    for header in
        [r#"{"alg":"HS256","alg":"none"}"#, r#"{"alg":"none","alg":"HS256"}"#, r#"{"alg":"HS256","kid":"a","kid":"b"}"#]
    {
        assert_eq!(refusal(&hs256(), &Key::Secret.sign_parts(header, &good)).await, AuthError::MalformedToken);
    }
    for doubled in [r#""tenant_id":"org-2""#, r#""exp":9999999999"#, r#""roles":["super_admin"]"#] {
        let payload = good.replacen('{', &format!("{{{doubled},"), 1);
        let token = Key::Secret.sign_parts(r#"{"alg":"HS256"}"#, &payload);
        assert_eq!(refusal(&hs256(), &token).await, AuthError::MalformedToken, "{payload}");
    }
}

#[tokio::test]
async fn a_signed_payload_that_is_no_object_is_refused() {
    for payload in ["null", "[]", "17", "\"text\"", "", "{", "{}x"] {
        let token = Key::Secret.sign_parts(r#"{"alg":"HS256"}"#, payload);
        assert_eq!(refusal(&hs256(), &token).await, AuthError::MalformedToken, "{payload}");
    }
}

#[tokio::test]
async fn a_token_of_more_than_eight_kibibytes_is_not_even_read() {
    let long = Key::Secret.sign(&claims_with(json!({ "padding": "x".repeat(8192) })));
    assert_eq!(refusal(&hs256(), &long).await, AuthError::TokenTooLong);
    assert_eq!(refusal(&hs256(), &".".repeat(1 << 20)).await, AuthError::TokenTooLong);
    let fits = Key::Secret.sign(&claims_with(json!({ "padding": "x".repeat(4096) })));
    assert!(hs256().verify(&fits, now()).await.is_ok());
}

#[test]
fn a_short_secret_or_a_key_file_in_its_place_is_refused_at_the_start() {
    assert_eq!(SharedSecret::new([7; 31]).unwrap_err(), JwtConfigError::SecretTooShort(31));
    assert_eq!(SharedSecret::new("").unwrap_err(), JwtConfigError::SecretTooShort(0));
    assert!(SharedSecret::new([7; 32]).is_ok());
    assert_eq!(SharedSecret::new(common::RSA_PUBLIC).unwrap_err(), JwtConfigError::SecretIsPem);
}

#[test]
fn a_public_key_that_does_not_fit_its_algorithm_is_refused_at_the_start() {
    for (algorithm, pem) in [
        (JwtAlgorithm::Rs256, common::P256_PUBLIC),
        (JwtAlgorithm::Rs256, common::WEAK_RSA_PUBLIC),
        (JwtAlgorithm::Rs256, common::RSA_PRIVATE),
        (JwtAlgorithm::Es256, common::P384_PUBLIC),
        (JwtAlgorithm::Es256, common::RSA_PUBLIC),
        (JwtAlgorithm::EdDsa, common::P256_PUBLIC),
        (JwtAlgorithm::EdDsa, "not a key"),
        (JwtAlgorithm::Rs256, ""),
    ] {
        let config = JwtConfig::new(JwtKeys::PublicKeyPem { algorithm, pem: pem.to_owned() });
        let error = JwtVerifier::new(config).unwrap_err();
        assert!(matches!(error, JwtConfigError::UnusableKey { .. }), "{algorithm} {pem}: {error}");
    }
    let pem = common::RSA_PUBLIC.to_owned();
    let config = JwtConfig::new(JwtKeys::PublicKeyPem { algorithm: JwtAlgorithm::Hs256, pem });
    assert_eq!(JwtVerifier::new(config).unwrap_err(), JwtConfigError::SymmetricAlgorithm);
}

#[test]
fn secrets_are_never_printed() {
    let shown = format!("{:?} {:?}", common::hs256_config(), hs256());
    let bytes = format!("{:?}", common::SECRET);
    assert!(!shown.contains("forty-eight") && !shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
}

fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

fn pem_body(pem: &str) -> Vec<u8> {
    let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}
