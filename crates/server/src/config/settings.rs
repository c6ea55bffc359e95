//! All settings, each declared once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use horarium_api::{RateLimits, TrustedProxies};
use horarium_auth::JwtAlgorithm;
use horarium_domain::tenant::TenantSlug;
use horarium_executors::{Connections, EgressPolicy};
use horarium_persistence::DatabaseUrl;

use super::error::ConfigError;
use super::kind::{
    Hidden, JwksLocation, Kind, LogFilter, LogFormat, Maybe, PublicUrl, RoleOf, Secret, SecretText, bytes, count, days,
    list, milliseconds, own, seconds, text,
};
use super::source::{Assigned, Raw, Source};
use super::{Layer, Row};

/// The data folder that is made when no other is set.
const DATA_DIR: &str = "horarium-data";

/// What help texts, documentation and the readers of the layers need to know of a setting.
pub(crate) struct Setting {
    /// The key in the file.
    pub(crate) name: &'static str,
    /// The flag, without its dashes.
    pub(crate) flag: String,
    /// What it is for, in sentences.
    pub(crate) about: String,
    /// What it is when nobody sets it, for people.
    pub(crate) default: &'static str,
    /// What it may be.
    pub(crate) allowed: String,
    /// Whether its value is shown to nobody.
    pub(crate) is_secret: bool,
}

impl Setting {
    /// The variable of the environment.
    pub(crate) fn variable(&self) -> String {
        format!("HORARIUM_{}", self.name.to_ascii_uppercase())
    }
}

/// What a setting is when nobody sets it.
enum Default {
    /// Always the same.
    Fixed(&'static str),
    /// Nothing; the text says what then holds.
    Unset(&'static str),
    /// What the machine or another setting gives; the text says it in general.
    Derived(&'static str, fn(&Layer) -> String),
}

impl Default {
    const fn text(&self) -> &'static str {
        match self {
            Self::Fixed(text) | Self::Unset(text) | Self::Derived(text, _) => text,
        }
    }

    fn value(&self, layer: &Layer) -> Raw {
        Raw::One(match self {
            Self::Fixed(text) => (*text).to_owned(),
            Self::Unset(_) => String::new(),
            Self::Derived(_, derive) => derive(layer),
        })
    }
}

macro_rules! settings {
    ($($(#[doc = $about:literal])+ $name:ident: $value:ty = $kind:expr, $default:expr;)+) => {
        /// The values of all settings.
        pub(crate) struct Config {
            $($(#[doc = $about])+ pub(crate) $name: $value,)+
        }

        /// The kind of each setting's values.
        mod kinds {
            use super::*;

            $(pub(super) fn $name() -> impl Kind<Value = $value> {
                $kind
            })+
        }

        /// All settings, in the order of declaration.
        pub(crate) static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| vec![
            $(Setting {
                name: stringify!($name),
                flag: stringify!($name).replace('_', "-"),
                about: concat!($($about),+).trim().to_owned(),
                default: { use Default::*; $default }.text(),
                allowed: kinds::$name().allowed(),
                is_secret: kinds::$name().is_secret(),
            },)+
        ]);

        impl Config {
            /// Reads every setting out of what was assigned, and shows it.
            pub(super) fn read(layer: &Layer) -> Result<(Self, Vec<Row>), ConfigError> {
                let mut rows = Vec::new();
                let config = Self {
                    $($name: read(stringify!($name), &kinds::$name(), &{ use Default::*; $default }, layer, &mut rows)?,)+
                };
                Ok((config, rows))
            }
        }
    };
}

fn read<K: Kind>(
    name: &'static str,
    kind: &K,
    default: &Default,
    layer: &Layer,
    rows: &mut Vec<Row>,
) -> Result<K::Value, ConfigError> {
    let assigned =
        layer.get(name).cloned().unwrap_or_else(|| Assigned { raw: default.value(layer), source: Source::Default });
    let shown = kind.show(&assigned.raw);
    let value = kind.read(&assigned.raw).map_err(|reason| ConfigError::Wrong {
        name,
        value: shown.clone(),
        at: assigned.source.clone(),
        reason,
    })?;
    rows.push(Row { name, value: shown, source: assigned.source });
    Ok(value)
}

settings! {
    /// Where the API listens.
    listen: SocketAddr = text("an address and a port, such as 127.0.0.1:8080 or [::]:8080"), Fixed("127.0.0.1:8080");

    /// The folder for what the server keeps: the SQLite database, the secret it signs tokens with and the key it seals
    /// secrets with. Made if missing, readable by its owner alone.
    data_dir: PathBuf = text("the path of a folder"), Fixed(DATA_DIR);

    /// The database: `sqlite://<path>`, or `postgres://user:password@host:port/database` for several nodes.
    database_url: DatabaseUrl = own("sqlite://<path> or postgres://user:password@host:port/database"),
        Derived("`horarium.db` in the data folder", database_in_data_dir);

    /// Connections for definitions, lists and figures. On SQLite, which has one writer, the readers.
    database_connections: usize = count(1, 1000), Fixed("8");

    /// Connections for accepting, claiming and settling executions. PostgreSQL only.
    database_hot_connections: usize = count(1, 1000), Fixed("8");

    /// The secret that HS256 tokens are signed with, by this server and by whoever issues tokens for it.
    jwt_secret: Option<SecretText> = Maybe(Secret { min_bytes: 32 }), Unset("made at the first start, in `jwt-secret` in the data folder");

    /// The key that secrets of jobs and webhooks are sealed with in the database; several, separated by commas or line
    /// breaks, while keys rotate: the first one seals, all of them open. Nodes that share a database need the same.
    secret_key: Option<SecretText> = Maybe(Secret { min_bytes: 32 }), Unset("made at the first start, in `secret-key` in the data folder");

    /// A PEM file with the public key of whoever issues tokens.
    jwt_public_key: Option<PathBuf> = Maybe(text("the path of a PEM file")), Unset("none");

    /// The key set (JWKS) of whoever issues tokens; fetched again when a token names a key that is not in it.
    jwks: Option<JwksLocation> = Maybe(text("an https:// or http:// URL, or the path of a file")), Unset("none");

    /// The algorithms of tokens that are checked with `jwks`, or the one of `jwt_public_key`.
    jwt_algorithms: Vec<JwtAlgorithm> = list("RS256, ES256 and EdDSA"), Fixed("RS256");

    /// The accepted issuers (`iss`) of tokens.
    jwt_issuer: Vec<String> = list("issuers, as tokens name them"), Unset("not checked");

    /// The accepted audiences (`aud`) of tokens.
    jwt_audience: Vec<String> = list("audiences, as tokens name them"), Unset("not checked");

    /// Whether a tenant that a valid token names comes into being on first sight.
    auto_create_tenants: bool = text("true or false"), Fixed("true");

    /// Addresses and networks that jobs may call beside the public internet. Without it, loopback, private, link-local
    /// and metadata addresses are refused.
    egress_allow: EgressPolicy = own("a list of addresses and networks, such as 127.0.0.1, 10.0.0.0/8, fd00::/8"), Unset("none");

    /// Programs that `Command` jobs may run. Without any, such jobs are refused.
    allowed_commands: Vec<PathBuf> = list("absolute paths of programs"), Unset("none");

    /// Where such programs run; a job may name a folder below it. The default is made when it is needed.
    command_directory: PathBuf = text("the path of a folder"), Derived("`commands` in the data folder", commands_in_data_dir);

    /// Environment variables that `Command` jobs may set for their programs.
    command_environment: Vec<String> = list("names of variables"), Unset("none");

    /// Folders in which `FileOperation` jobs may work on files, at any depth. Without any, such jobs are refused.
    file_roots: Vec<PathBuf> = list("paths of folders"), Unset("none");

    /// Databases whose procedures and functions `StoredProcedure` jobs of all tenants may call, as the named users.
    /// PostgreSQL only. Several are separated by blanks or line breaks. Without any, such jobs are refused.
    connections: Connections = Hidden(own("names and addresses, such as reporting=postgres://user:password@host:port/database")), Unset("none");

    /// How many attempts run at once on this node.
    concurrency: usize = count(1, 100_000), Fixed("256");

    /// How long a worker may be silent before its work is taken over.
    lease_seconds: Duration = seconds(2, 3600), Fixed("30");

    /// How often work is looked for when nothing told of any.
    poll_interval_ms: Duration = milliseconds(10, 60_000), Fixed("500");

    /// How late a slot of a schedule may start and still count as on time; after that the job's misfire policy decides.
    misfire_grace_seconds: Duration = seconds(1, 86_400), Fixed("60");

    /// How long a server that was told to stop goes on as before, but for `/health/ready` answering 503, so that load
    /// balancers send it nothing more by the time it stops listening.
    shutdown_delay_seconds: Duration = seconds(0, 3600), Fixed("0");

    /// How long running attempts may go on after the server was told to stop; then they are handed back.
    shutdown_grace_seconds: Duration = seconds(0, 3600), Fixed("25");

    /// How long a host may stay silent before its part of what agents do counts as failed.
    broadcast_timeout_seconds: Duration = seconds(1, 86_400), Fixed("30");

    /// How long ended executions are kept, for jobs that do not say otherwise.
    retention_days: u32 = days(1, 36_500), Fixed("30");

    /// How long the audit log is kept.
    audit_retention_days: u32 = days(1, 36_500), Fixed("365");

    /// How many requests per second each credential and each tenant may send to this node, and as many at once after a
    /// pause; what exceeds that is answered with 429. What is not named is not limited; a number alone is for each
    /// credential.
    rate_limit: RateLimits = own("off, or limits such as credential=100, tenant=1000"), Fixed("credential=10000, tenant=20000");

    /// How many keys and tokens of one client address may be refused per minute before no others are looked at for a
    /// while (429), so that they cannot be guessed in bulk. Those that were good lately still are. 0: no limit.
    failed_logins_per_minute: usize = count(0, 1_000_000), Fixed("600");

    /// Addresses and networks of proxies whose `X-Forwarded-For` is believed, for the audit log and for limits by
    /// address.
    trusted_proxies: TrustedProxies = own("a list of addresses and networks, such as 127.0.0.1, 10.0.0.0/8"), Unset("none");

    /// How long a request may take until its answer begins; then it is answered with 503. Calls that wait on purpose
    /// (long polls, submissions that wait for their end) have the time that they wait for besides.
    request_timeout_seconds: Duration = seconds(1, 3600), Fixed("30");

    /// How long a client may take to send the head of a request, and the body, which gets a second more for each KiB.
    client_timeout_seconds: Duration = seconds(1, 3600), Fixed("10");

    /// How long an idle connection is kept for a client's next request.
    keep_alive_seconds: Duration = seconds(1, 3600), Fixed("75");

    /// How many connections are served at once; further ones wait to be accepted.
    max_connections: usize = count(1, 1_000_000), Fixed("20000");

    /// How long a submission of the toolkit dialect that names no webhook waits for its job's end before it is answered
    /// with 202.
    submit_wait_seconds: Duration = seconds(0, 28), Fixed("20");

    /// The most bytes that the body of a request may have.
    max_body_bytes: usize = bytes(1024, 1 << 30), Fixed("1048576");

    /// The most bytes that are kept of what an execution gives back; what is longer is cut, and marked so.
    max_output_bytes: usize = bytes(0, 1 << 26), Fixed("65536");

    /// How many failed integration jobs make the health of a tenant's integrations an ERROR; fewer, but any, are a WARN.
    integrations_error_failures: usize = count(1, 1_000_000_000), Fixed("5");

    /// How long the oldest pending integration job may have been due before that is an ERROR; 10 minutes are a WARN.
    integrations_error_age_seconds: Duration = seconds(1, 31_536_000), Fixed("3600");

    /// A token with which `/metrics` may be read, as `Authorization: Bearer`. Roles that may read metrics always can.
    metrics_token: Option<SecretText> = Maybe(Secret { min_bytes: 16 }), Unset("none");

    /// A second address that serves `/metrics` alone, to anyone who can reach it.
    metrics_listen: Option<SocketAddr> = Maybe(text("an address and a port, such as 127.0.0.1:9090")), Unset("none");

    /// Whether the server shows the dashboard, at `/`.
    dashboard: bool = text("true or false"), Fixed("true");

    /// How long somebody stays signed in to the dashboard who does not use it. A page that refreshes itself is no use.
    dashboard_idle_seconds: Duration = seconds(60, 2_592_000), Fixed("28800");

    /// How long somebody stays signed in to the dashboard at all; never longer than the key or the token is good.
    dashboard_session_seconds: Duration = seconds(60, 31_536_000), Fixed("86400");

    /// The address at which browsers reach the server, where a proxy hides it: forms are taken from its pages alone, and
    /// with `https` cookies go over TLS only. Without it, what each request says of itself is believed.
    public_url: Option<PublicUrl> = Maybe(text("an address without a path, such as https://jobs.example.org")), Unset("as requests say");

    /// The OpenID provider that people may sign in to the dashboard with, exactly as it calls itself: its
    /// `/.well-known/openid-configuration` is asked for the rest. Needs `oidc_client_id` and `public_url`; the provider
    /// must allow the redirect to `<public_url>/sign-in/oidc/callback`.
    oidc_issuer: Option<String> = Maybe(text("an https:// address, such as https://id.example.org/realms/acme")), Unset("none");

    /// What the provider calls this server.
    oidc_client_id: Option<String> = Maybe(text("the id of a client")), Unset("none");

    /// What proves to the provider that this server is that client. A public client has none.
    oidc_client_secret: Option<SecretText> = Maybe(Secret { min_bytes: 8 }), Unset("none");

    /// What the provider is called on the button.
    oidc_name: String = text("a name"), Fixed("single sign-on");

    /// What is asked of the provider.
    oidc_scopes: Vec<String> = list("scopes, openid among them"), Fixed("openid, profile, email");

    /// The algorithms of the provider's ID tokens.
    oidc_algorithms: Vec<JwtAlgorithm> = list("RS256, ES256 and EdDSA"), Fixed("RS256");

    /// The claim of ID tokens that names the tenant, by its key or by its path, such as `org.slug`.
    oidc_tenant_claim: Option<String> = Maybe(text("the name of a claim")), Unset("as in tokens: `tenant_id`, `org_id`, …");

    /// The tenant of whoever has no such claim.
    oidc_tenant: Option<TenantSlug> = Maybe(text("the slug of a tenant")), Unset("none");

    /// The claim of ID tokens that names roles or groups, by its key or by its path, such as `realm_access.roles`.
    oidc_roles_claim: Option<String> = Maybe(text("the name of a claim")), Unset("`roles` and `role`");

    /// Which values of that claim give which role; then nothing else gives one. Without it, a role's own name gives it, but
    /// for `super_admin`.
    oidc_roles: Vec<RoleOf> = list("values and roles, such as ops-team=admin, everybody=read"), Unset("the roles' own names");

    /// Threads that serve HTTP.
    http_workers: usize = count(1, 1024), Derived("one per processor", |_| processors().to_string());

    /// This node's name, as executions show it.
    node_name: String = text("a name"), Derived("host name and process id", |_| format!("{}-{}", host_name(), std::process::id()));

    /// Which log lines are written to stderr: a level, or levels by module.
    log: LogFilter = text("off, error, warn, info, debug or trace, or levels by module, such as info,horarium::access=debug"), Fixed("info");

    /// How log lines are written.
    log_format: LogFormat = text("text or json"), Fixed("text");
}

impl Config {
    /// Checks what one setting means for another.
    pub(super) fn check(&self, rows: &[Row]) -> Result<(), ConfigError> {
        let source =
            |name: &str| rows.iter().find(|row| row.name == name).map_or(Source::Default, |row| row.source.clone());
        let keys = [
            ("jwt_secret", self.jwt_secret.is_some()),
            ("jwt_public_key", self.jwt_public_key.is_some()),
            ("jwks", self.jwks.is_some()),
        ];
        let mut set = keys.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name);
        if let (Some(first), Some(second)) = (set.next(), set.next()) {
            return Err(ConfigError::Exclusive { first, first_at: source(first), second, second_at: source(second) });
        }
        for (name, is_set) in
            [("oidc_client_id", self.oidc_client_id.is_some()), ("public_url", self.public_url.is_some())]
        {
            if self.oidc_issuer.is_some() && !is_set {
                return Err(ConfigError::Needs { name: "oidc_issuer", at: source("oidc_issuer"), other: name });
            }
        }
        let wrong_algorithms = if self.jwt_algorithms.is_empty() || self.jwt_algorithms.contains(&JwtAlgorithm::Hs256) {
            Some("it must be a list of RS256, ES256 and EdDSA; HS256 is what jwt_secret is for")
        } else if self.jwt_public_key.is_some() && self.jwt_algorithms.len() > 1 {
            Some("it must be one algorithm, since jwt_public_key names one key")
        } else {
            None
        };
        match wrong_algorithms {
            None => Ok(()),
            Some(reason) => Err(ConfigError::Wrong {
                name: "jwt_algorithms",
                value: self.jwt_algorithms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
                at: source("jwt_algorithms"),
                reason: reason.to_owned(),
            }),
        }
    }

    /// Whether this server issues tokens itself, with a secret that it shares.
    pub(crate) fn signs_tokens(&self) -> bool {
        self.jwt_public_key.is_none() && self.jwks.is_none()
    }
}

fn database_in_data_dir(layer: &Layer) -> String {
    format!("sqlite://{}", in_data_dir(layer, "horarium.db"))
}

fn commands_in_data_dir(layer: &Layer) -> String {
    in_data_dir(layer, "commands")
}

fn in_data_dir(layer: &Layer, name: &str) -> String {
    let folder = layer.get("data_dir").map_or_else(|| DATA_DIR.to_owned(), |assigned| assigned.raw.to_string());
    PathBuf::from(folder.trim()).join(name).display().to_string()
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The name of this machine. Linux tells it in a file; elsewhere most shells export it.
pub(crate) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "horarium".to_owned())
}
