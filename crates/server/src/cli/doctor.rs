//! `horarium doctor`.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use horarium_domain::store::MaintenanceStore;
use horarium_domain::{Clock, SystemClock, Timestamp};
use horarium_persistence::SqlStore;
use serde_json::json;

use super::Failure;
use super::output::{self, Format, OutputFlag};
use crate::compose;
use crate::config::{Config, Environment, Loaded, SettingFlags, Source, load};
use crate::oidc;
use crate::secrets::{self, Kept, SecretError};

/// From here on two clocks are apart enough to be told of.
const SKEW_TO_WARN: Duration = Duration::from_millis(500);

/// A configured secret with fewer different bytes was hardly drawn at random.
const DISTINCT_BYTES: usize = 12;

/// Checks that a server can work here.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  horarium doctor
  horarium doctor --config /etc/horarium.toml --output json")]
pub(super) struct Doctor {
    #[command(flatten)]
    format: OutputFlag,
    #[command(flatten)]
    settings: SettingFlags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What was looked at, and what there is to say of it.
struct Finding {
    verdict: Verdict,
    subject: &'static str,
    words: String,
}

fn ok(subject: &'static str, words: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Ok, subject, words: words.into() }
}

fn warn(subject: &'static str, words: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Warn, subject, words: words.into() }
}

fn fail(subject: &'static str, words: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Fail, subject, words: words.into() }
}

impl Doctor {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        let findings = match load(&self.settings, &Environment::of_process()) {
            Ok(loaded) => examine(&loaded).await,
            Err(error) => vec![fail("configuration", error.to_string())],
        };
        match self.format.output {
            Format::Table => {
                for Finding { verdict, subject, words } in &findings {
                    output::line(&format!("{:4}  {subject}: {words}", verdict.as_str()));
                }
            }
            Format::Json => output::json(
                &findings
                    .iter()
                    .map(|found| json!({"verdict": found.verdict.as_str(), "subject": found.subject, "detail": found.words}))
                    .collect(),
            ),
        }
        let failed = findings.iter().any(|finding| finding.verdict == Verdict::Fail);
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

async fn examine(loaded: &Loaded) -> Vec<Finding> {
    let mut findings = configuration(loaded);
    findings.push(data_folder(&loaded.config.data_dir));
    findings.push(tokens(loaded).await);
    findings.extend(identity_provider(&loaded.config).await);
    findings.push(sealing_key(loaded));
    findings.extend(database(loaded).await);
    findings.extend(commands(&loaded.config));
    findings.extend(files(&loaded.config));
    findings.push(address(loaded));
    findings
}

fn configuration(loaded: &Loaded) -> Vec<Finding> {
    let set = loaded.rows.iter().filter(|row| row.source != Source::Default).count();
    let mut findings = vec![ok("configuration", format!("{set} settings given, the others are defaults"))];
    findings.extend(loaded.warnings.iter().map(|words| warn("configuration", words)));
    for setting in ["jwt_secret", "secret_key", "metrics_token", "oidc_client_secret", "database_url"] {
        if let Source::File { path, .. } = loaded.source(setting)
            && let Ok(metadata) = path.metadata()
            && metadata.permissions().mode() & 0o004 != 0
        {
            let path = path.display();
            findings.push(warn(
                "configuration",
                format!("{path} holds {setting} and can be read by everybody: chmod 640 {path}"),
            ));
        }
    }
    findings
}

fn data_folder(folder: &Path) -> Finding {
    const SUBJECT: &str = "data folder";
    let shown = folder.display();
    let metadata = match folder.metadata() {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => return fail(SUBJECT, format!("{shown} is no folder; set another data_dir")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return ok(SUBJECT, format!("{shown} is not there yet; the first start makes it"));
        }
        Err(error) => return fail(SUBJECT, format!("{shown}: {error}; the server's user needs it")),
    };
    let probe = folder.join(format!("doctor.{}", std::process::id()));
    if let Err(error) = std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe)) {
        return fail(SUBJECT, format!("cannot write in {shown}: {error}; give it to the server's user"));
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & !0o700 == 0 {
        ok(SUBJECT, format!("{shown} can be written, and is read by its owner alone"))
    } else {
        warn(SUBJECT, format!("{shown} is open to other users (mode {mode:04o}): chmod 700 {shown}"))
    }
}

async fn tokens(loaded: &Loaded) -> Finding {
    const SUBJECT: &str = "tokens";
    let config = &loaded.config;
    if config.signs_tokens() {
        return secret(loaded);
    }
    let verifier = match compose::verifier(config, None) {
        Ok(verifier) => verifier,
        Err(failure) => return fail(SUBJECT, failure.to_string()),
    };
    if config.jwks.is_none() {
        return ok(SUBJECT, "the public key fits its algorithm");
    }
    match verifier.refresh_keys(SystemClock.now()).await {
        Ok(0) => fail(SUBJECT, "the key set holds no key for the algorithms in jwt_algorithms"),
        Ok(usable) => ok(SUBJECT, format!("the key set is there, with {usable} keys that can be used")),
        Err(error) => fail(SUBJECT, format!("{error}; check 'jwks'")),
    }
}

/// Whether people could sign in with the OpenID provider, if there is one.
async fn identity_provider(config: &Config) -> Option<Finding> {
    const SUBJECT: &str = "identity provider";
    let client = match oidc::provider(config) {
        Ok(client) => client?,
        Err(failure) => return Some(fail(SUBJECT, failure.to_string())),
    };
    let issuer = config.oidc_issuer.as_deref().unwrap_or_default();
    Some(match client.examine(SystemClock.now()).await {
        Ok(0) => fail(SUBJECT, format!("{issuer} has no key for the algorithms in oidc_algorithms")),
        Ok(usable) => ok(SUBJECT, format!("{issuer} answers, with {usable} keys that can be used")),
        Err(error) => {
            let reason = error.reason().map_or_else(|| error.to_string(), str::to_owned);
            fail(SUBJECT, format!("{reason}; check 'oidc_issuer'"))
        }
    })
}

fn secret(loaded: &Loaded) -> Finding {
    const SUBJECT: &str = "secret";
    let config = &loaded.config;
    match (secrets::find(config), &config.jwt_secret) {
        (Ok(_), Some(secret)) => {
            let distinct = secret.reveal().bytes().collect::<BTreeSet<_>>().len();
            if distinct < DISTINCT_BYTES {
                warn(SUBJECT, "jwt_secret looks guessable; make another one with 'openssl rand -base64 48'")
            } else {
                ok(SUBJECT, format!("from {}", loaded.source("jwt_secret")))
            }
        }
        (Ok(_), None) if config.database_url.is_shared() => {
            warn(SUBJECT, "made by this node; nodes that share a database need the same one, so set 'jwt_secret'")
        }
        (Ok(_), None) => {
            let path = Kept::TokenSecret.path(config);
            let mode = path.metadata().map_or(0, |metadata| metadata.permissions().mode() & 0o777);
            let shown = path.display();
            if mode & !0o700 == 0 {
                ok(SUBJECT, format!("{shown} is read by its owner alone"))
            } else {
                warn(SUBJECT, format!("{shown} is open to its group (mode {mode:04o}): chmod 600 {shown}"))
            }
        }
        (Err(SecretError::Missing { .. }), _) => ok(SUBJECT, "not there yet; the first start makes it"),
        (Err(error), _) => fail(SUBJECT, error.to_string()),
    }
}

fn sealing_key(loaded: &Loaded) -> Finding {
    const SUBJECT: &str = "sealing key";
    let config = &loaded.config;
    match secrets::find_keys(config) {
        Ok(keys) => {
            let ids = keys.ids().collect::<Vec<_>>().join(", ");
            match config.secret_key {
                Some(_) => ok(SUBJECT, format!("{ids}, from {}", loaded.source("secret_key"))),
                None if config.database_url.is_shared() => warn(
                    SUBJECT,
                    format!("{ids}, made by this node; nodes that share a database need the same, so set 'secret_key'"),
                ),
                None => ok(SUBJECT, format!("{ids}, from {}", Kept::SealingKey.path(config).display())),
            }
        }
        Err(SecretError::Missing { .. }) => ok(SUBJECT, "not there yet; the first start makes it"),
        Err(error) => fail(SUBJECT, error.to_string()),
    }
}

/// Whether what is sealed in the database opens here.
async fn sealed_secrets(loaded: &Loaded, store: SqlStore) -> Finding {
    const SUBJECT: &str = "sealed secrets";
    let services = match compose::services(&loaded.config, store) {
        Ok((_, services)) => services,
        Err(failure) => return fail(SUBJECT, failure.to_string()),
    };
    match services.secrets.examine_jobs().await {
        Ok(found) if found.unopened > 0 => {
            let keys = found.missing_keys.into_iter().collect::<Vec<_>>().join(", ");
            let missing = if keys.is_empty() { String::new() } else { format!(" (missing keys: {keys})") };
            fail(
                SUBJECT,
                format!("those of {} jobs do not open here{missing}; add the key to 'secret_key'", found.unopened),
            )
        }
        Ok(found) if found.outdated > 0 => {
            let jobs = found.outdated;
            warn(
                SUBJECT,
                format!("{jobs} jobs are not sealed with the newest key; 'horarium secrets rotate' seals them"),
            )
        }
        Ok(_) => ok(SUBJECT, "all open, and are sealed with the newest key"),
        Err(error) => fail(SUBJECT, error.to_string()),
    }
}

async fn database(loaded: &Loaded) -> Vec<Finding> {
    const SUBJECT: &str = "database";
    let config = &loaded.config;
    if let Some(path) = compose::missing_file(config) {
        return vec![ok(SUBJECT, format!("{} is not there yet; the first start makes it", path.display()))];
    }
    match compose::connect(config).await {
        Ok(store) => {
            let mut findings = vec![
                ok(SUBJECT, format!("{} answers", config.database_url)),
                schema(&store).await,
                clock(loaded, &store).await,
            ];
            let is_current = store.pending_migrations().await.is_ok_and(|pending| pending.is_empty());
            if is_current && secrets::find_keys(config).is_ok() {
                findings.push(sealed_secrets(loaded, store).await);
            }
            findings
        }
        Err(failure) => vec![fail(SUBJECT, format!("{failure}; check 'database_url' and that the server runs"))],
    }
}

async fn schema(store: &SqlStore) -> Finding {
    const SUBJECT: &str = "schema";
    match store.pending_migrations().await {
        Ok(pending) if pending.is_empty() => ok(SUBJECT, "up to date"),
        Ok(pending) => warn(
            SUBJECT,
            format!("lacks {}; 'horarium migrate' runs them, and so does the next start", pending.join(", ")),
        ),
        Err(error) => fail(SUBJECT, error.to_string()),
    }
}

async fn clock(loaded: &Loaded, store: &SqlStore) -> Finding {
    const SUBJECT: &str = "clock";
    let before = SystemClock.now();
    let theirs = match store.database_time().await {
        Ok(Some(time)) => time,
        Ok(None) => return ok(SUBJECT, "the database is on this machine"),
        Err(error) => return warn(SUBJECT, format!("the database does not tell its time: {error}")),
    };
    let apart = skew(before, theirs, SystemClock.now());
    let advice = "let NTP set both clocks: leases and schedules rely on them";
    if apart >= loaded.config.lease_seconds / 3 {
        fail(
            SUBJECT,
            format!("{} ms apart from the database's, a third of a lease or more; {advice}", apart.as_millis()),
        )
    } else if apart >= SKEW_TO_WARN {
        warn(SUBJECT, format!("{} ms apart from the database's; {advice}", apart.as_millis()))
    } else {
        ok(SUBJECT, format!("{} ms apart from the database's", apart.as_millis()))
    }
}

/// How far `theirs`, read between `before` and `after`, certainly lies outside of that span.
fn skew(before: Timestamp, theirs: Timestamp, after: Timestamp) -> Duration {
    before.since(theirs).max(theirs.since(after))
}

fn commands(config: &Config) -> Option<Finding> {
    const SUBJECT: &str = "commands";
    let programs = config.allowed_commands.len();
    if programs == 0 || !config.command_directory.exists() {
        return None;
    }
    Some(match compose::commands(config) {
        Ok(_) => ok(SUBJECT, format!("jobs may run {programs} programs in {}", config.command_directory.display())),
        Err(failure) => fail(SUBJECT, failure.to_string()),
    })
}

fn files(config: &Config) -> Option<Finding> {
    const SUBJECT: &str = "files";
    let roots = config.file_roots.len();
    if roots == 0 {
        return None;
    }
    Some(match compose::files(config) {
        Ok(_) => ok(SUBJECT, format!("jobs may work on files in {roots} folders")),
        Err(failure) => fail(SUBJECT, failure.to_string()),
    })
}

fn address(loaded: &Loaded) -> Finding {
    const SUBJECT: &str = "address";
    let listen = loaded.config.listen;
    match TcpListener::bind(listen) {
        Ok(_) => ok(SUBJECT, format!("{listen} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            warn(SUBJECT, format!("{listen} is in use; fine if this server is running, else set another 'listen'"))
        }
        Err(error) => fail(SUBJECT, format!("{listen}: {error}; set another 'listen'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_round_trip_cannot_explain_counts_as_skew() {
        let at = Timestamp::from_millis;
        assert_eq!(skew(at(1000), at(1040), at(1080)), Duration::ZERO);
        assert_eq!(skew(at(1000), at(400), at(1080)), Duration::from_millis(600));
        assert_eq!(skew(at(1000), at(1180), at(1080)), Duration::from_millis(100));
    }
}
