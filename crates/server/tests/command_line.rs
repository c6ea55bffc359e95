//! The commands that need no running server.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::Home;
use serde_json::json;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

#[test]
fn config_shows_every_setting_its_value_and_where_it_came_from() {
    let home = Home::new().with("HORARIUM_JWT_SECRET", "a-secret-of-more-than-thirty-two-bytes");
    std::fs::write(home.path("horarium.toml"), "concurrency = 7\n").unwrap();
    let shown = home.stdout_of(&["config", "--lease-seconds", "10", "--output", "json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let entry = |name: &str| (shown[name]["value"].as_str().unwrap(), shown[name]["source"].as_str().unwrap());
    assert_eq!(entry("concurrency"), ("7", "horarium.toml, line 1"));
    assert_eq!(entry("lease_seconds"), ("10", "flag --lease-seconds"));
    assert_eq!(entry("listen"), ("127.0.0.1:0", "environment variable HORARIUM_LISTEN"));
    assert_eq!(entry("jwt_secret"), ("********", "environment variable HORARIUM_JWT_SECRET"));
    assert_eq!(entry("max_body_bytes"), ("1048576", "default"));

    let table = home.stdout_of(&["config"]);
    assert!(table.lines().next().unwrap().starts_with("SETTING"), "{table}");
    assert!(table.contains("concurrency") && !table.contains("thirty-two-bytes"), "{table}");
}

#[test]
fn every_command_refuses_a_wrong_setting_in_the_same_words() {
    let home = Home::new().with("HORARIUM_LEASE_SECONDS", "1");
    let wanted = "error: the setting 'lease_seconds' cannot be '1' (environment variable HORARIUM_LEASE_SECONDS): \
                  it must be a whole number of seconds from 2 to 3600";
    for command in [&["serve"][..], &["config"], &["migrate"], &["token", "create", "--role", "admin"]] {
        assert_eq!(home.error_of(command), wanted);
    }
    assert!(!home.path("horarium-data").exists(), "nothing is made before the configuration is known to be sound");
}

#[test]
fn a_misspelt_variable_is_warned_of() {
    let home = Home::new().with("HORARIUM_LEASE_SECOND", "5");
    let said = String::from_utf8(home.run(&["config"]).stderr).unwrap();
    assert_eq!(said, "warning: HORARIUM_LEASE_SECOND is no setting; did you mean HORARIUM_LEASE_SECONDS?\n");
}

#[test]
fn what_cannot_be_used_stops_the_start_with_the_setting_and_the_file() {
    let start = |variable: &str, value: &str| {
        let home = Home::new().with(variable, value);
        std::fs::write(home.path("file"), "neither a key nor a folder").unwrap();
        home.error_of(&["serve"])
    };
    let error = start("HORARIUM_JWT_PUBLIC_KEY", "file");
    assert!(error.starts_with("error: the setting 'jwt_public_key' cannot be 'file': "), "{error}");
    assert!(error.contains("not a PEM public key for RS256"), "{error}");
    let error = start("HORARIUM_JWT_PUBLIC_KEY", "missing");
    assert!(error.starts_with("error: the setting 'jwt_public_key' cannot be 'missing': No such file"), "{error}");
    let error = start("HORARIUM_DATA_DIR", "file/data");
    assert!(error.starts_with("error: the setting 'data_dir' cannot be 'file/data': the folder cannot be"), "{error}");
    let error = start("HORARIUM_LOG", "loud");
    assert!(error.starts_with("error: the setting 'log' cannot be 'loud' "), "{error}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let home = Home::new();
    for arguments in [&["completions", "bash"][..], &["config"], &["--help"], &["serve", "--lease-seconds", "1"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = home.command(env!("CARGO_BIN_EXE_horarium"), arguments);
        let noisy = command.stdout(writer.try_clone().unwrap()).stderr(writer).spawn().unwrap();
        drop((reader, command));
        let code = noisy.wait_with_output().unwrap().status.code();
        assert!(matches!(code, Some(0 | 1)), "{arguments:?} ended with {code:?}");
    }
}

#[test]
fn a_token_is_signed_with_the_configured_secret_and_printed_alone() {
    let home = Home::new().with("HORARIUM_JWT_SECRET", "a-secret-of-more-than-thirty-two-bytes");
    let token = home.stdout_of(&["token", "create", "--role", "manager", "--role", "agent", "--tenant", "org-123"]);
    assert_eq!(token.split('.').count(), 3, "{token}");
    assert!(!home.path("horarium-data").exists());

    let unknown = home.run(&["token", "create", "--role", "emperor"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("the roles are super_admin, system_admin, owner"));
}

#[test]
fn without_a_secret_no_token_is_made_and_none_is_invented() {
    let home = Home::new();
    let error = home.error_of(&["token", "create", "--role", "admin"]);
    assert!(error.contains("there is no secret in horarium-data: start the server once"), "{error}");
    assert!(!home.path("horarium-data").exists());
}

#[test]
fn tokens_of_another_issuer_cannot_be_made_here() {
    let home = Home::new().with("HORARIUM_JWKS", "keys.json");
    let error = home.error_of(&["token", "create", "--role", "admin"]);
    assert!(error.contains("'horarium keys create' makes an API key"), "{error}");
}

#[test]
fn migrate_brings_the_schema_up_to_date_once() {
    let home = Home::new();
    assert_eq!(home.run(&["migrate", "--check"]).status.code(), Some(1));
    assert!(!home.path("horarium-data").exists(), "a check makes nothing");
    assert!(home.stdout_of(&["migrate"]).starts_with("applied: "));
    assert!(home.stdout_of(&["migrate"]).ends_with("is up to date"));
    assert!(home.stdout_of(&["migrate", "--check"]).ends_with("is up to date"));
}

#[test]
fn tenants_are_looked_after_without_a_server() {
    let home = Home::new();
    assert!(home.error_of(&["tenants", "list"]).contains("there is no database at horarium-data/horarium.db"));
    home.stdout_of(&["migrate"]);
    home.stdout_of(&["tenants", "create", "Org-123", "--name", "Example Inc."]);
    assert!(home.error_of(&["tenants", "create", "org-123"]).contains("a tenant of this slug exists"));
    let listed = home.stdout_of(&["tenants", "list"]);
    assert!(listed.contains("org-123") && listed.contains("Example Inc."), "{listed}");
    assert!(home.stdout_of(&["tenants", "deactivate", "org-123", "--output", "json"]).contains("\"isActive\": false"));
    home.stdout_of(&["tenants", "delete", "org-123", "--yes"]);
    assert!(!home.stdout_of(&["tenants", "list"]).contains("org-123"));
}

#[test]
fn a_scope_that_does_not_exist_is_told_before_anything_is_opened() {
    let error = Home::new().error_of(&["keys", "create", "--name", "ci", "--scope", "jobs:raed"]);
    assert!(error.contains("there is no scope 'jobs:raed'; the scopes are: *, jobs:read"), "{error}");
}

#[test]
fn the_doctor_finds_a_sound_machine_sound_and_says_what_to_mend() {
    let home = Home::new();
    let verdicts = home.stdout_of(&["doctor"]);
    assert!(verdicts.lines().all(|line| line.starts_with("ok ")), "{verdicts}");

    let home = home.with("HORARIUM_JWT_SECRET", "a".repeat(40));
    home.stdout_of(&["migrate"]);
    std::fs::set_permissions(home.path("horarium-data"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let verdicts = home.stdout_of(&["doctor"]);
    assert!(verdicts.contains("warn  data folder: horarium-data is open to other users (mode 0755): chmod 700"));
    assert!(verdicts.contains("warn  secret: jwt_secret looks guessable"), "{verdicts}");
    assert!(verdicts.contains("ok    schema: up to date"), "{verdicts}");

    let home = home.with("HORARIUM_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
    let failed = home.run(&["doctor", "--output", "json"]);
    assert_eq!(failed.status.code(), Some(1));
    let findings: serde_json::Value = serde_json::from_slice(&failed.stdout).unwrap();
    let found = findings.as_array().unwrap().iter().find(|found| found["verdict"] == "fail").unwrap();
    assert_eq!(found["subject"], "database");
}

/// A public key, that of RFC 7517 appendix A.1.
const JWKS: &str = r#"{"keys": [{"kty": "RSA", "kid": "2011-04-29", "alg": "RS256", "e": "AQAB",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_asks_the_identity_provider_whether_people_could_sign_in() {
    let provider = MockServer::start().await;
    let issuer = provider.uri();
    let document = json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
    });
    for (at, answer) in [("/.well-known/openid-configuration", document.to_string()), ("/keys", JWKS.to_owned())] {
        let answer = ResponseTemplate::new(200).set_body_raw(answer, "application/json");
        Mock::given(path(at)).respond_with(answer).mount(&provider).await;
    }
    let home = Home::new()
        .with("HORARIUM_PUBLIC_URL", "https://jobs.example")
        .with("HORARIUM_OIDC_CLIENT_ID", "horarium")
        .with("HORARIUM_OIDC_ISSUER", &issuer);
    let verdicts = home.stdout_of(&["doctor"]);
    let said = format!("ok    identity provider: {issuer} answers, with 1 keys that can be used");
    assert!(verdicts.contains(&said), "{verdicts}");

    let home = home.with("HORARIUM_OIDC_ISSUER", format!("{issuer}/elsewhere"));
    let failed = home.run(&["doctor"]);
    let verdicts = String::from_utf8(failed.stdout).unwrap();
    assert_eq!(failed.status.code(), Some(1), "{verdicts}");
    assert!(verdicts.contains("fail  identity provider: ") && verdicts.contains("check 'oidc_issuer'"), "{verdicts}");
}

#[test]
fn without_a_server_or_a_credential_the_client_says_what_to_do() {
    let home = Home::new();
    let error = home.error_of(&["jobs", "list"]);
    assert!(error.starts_with("error: no credential: set HORARIUM_TOKEN or HORARIUM_API_KEY"), "{error}");
    let elsewhere = home.error_of(&["jobs", "list", "--server", "https://horarium.example"]);
    assert!(elsewhere.starts_with("error: no credential for https://horarium.example/: "), "{elsewhere}");

    let home = home.with("HORARIUM_TOKEN", "x");
    let error = home.error_of(&["jobs", "list", "--server", "http://127.0.0.1:1"]);
    assert!(error.starts_with("error: no server answers at http://127.0.0.1:1/"), "{error}");
    assert!(error.ends_with("; name another one with --server or HORARIUM_SERVER"), "{error}");
}

#[test]
fn the_client_calls_where_serve_would_listen_unless_a_server_is_named() {
    let home = Home::new().with("HORARIUM_TOKEN", "x");
    let asked = |home: &Home| {
        let error = home.error_of(&["jobs", "list"]);
        let rest = error.strip_prefix("error: no server answers at ").expect(&error);
        rest.split_once(": ").unwrap().0.to_owned()
    };
    std::fs::write(home.path("horarium.toml"), "listen = '127.0.0.1:2'").unwrap();
    let home = home.with("HORARIUM_LISTEN", "0.0.0.0:1");
    assert_eq!(asked(&home), "http://127.0.0.1:1/");
    let home = home.without("HORARIUM_LISTEN");
    assert_eq!(asked(&home), "http://127.0.0.1:2/");
    let home = home.with("HORARIUM_SERVER", "http://127.0.0.1:3");
    assert_eq!(asked(&home), "http://127.0.0.1:3/");
}

#[test]
fn completions_are_written_for_the_three_shells() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = home.stdout_of(&["completions", shell]);
        assert!(script.contains("horarium") && script.contains("executions"), "{shell}");
    }
}

#[test]
fn an_agent_without_a_credential_says_where_to_get_one() {
    let error = Home::new().error_of(&["agent"]);
    assert!(error.starts_with("error: no credential") && error.contains("agents:lease"), "{error}");
}

#[test]
fn an_agent_that_is_allowed_what_is_not_there_does_not_start() {
    let home = Home::new().with("HORARIUM_API_KEY", "hrm_key");
    let error = home.error_of(&["agent", "--allow-commands=sh,no-such-program"]);
    assert!(error.contains("'no-such-program': it is not in PATH"), "{error}");
    let error = home.error_of(&["agent", "--allow-root", "no-such-folder"]);
    assert!(error.contains("files cannot be allowed below 'no-such-folder'"), "{error}");
    // An empty variable in a script must not come to mean everything.
    assert_eq!(home.run(&["agent", "--allow-commands="]).status.code(), Some(2));
}
