//! Where the layers meet: what is built from the configuration, and how it is handed on.

use std::path::PathBuf;
use std::sync::Arc;

use horarium_auth::{FileJwks, JwksConfig, JwksSource, JwtConfig, JwtKeys, JwtVerifier, SharedSecret};
use horarium_domain::agent::AgentTiming;
use horarium_domain::job::JobType;
use horarium_domain::secret::{SecretSealer, Unsealed};
use horarium_domain::store::SharedStore;
use horarium_domain::{NodeId, SystemClock};
use horarium_executors::{
    CallbackBody, CallbackDelivery, CodeExecutor, CommandExecutor, CommandSettings, Disabled, FileOperationExecutor,
    FileOperationSettings, Handlers, HttpCallExecutor, HttpCallSettings, StoredProcedureExecutor, Templates, builtin,
    callback, fill_agent_data,
};
use horarium_persistence::{DatabaseOptions, SqlStore};
use horarium_scheduler_engine::service::{Services, TenantPolicy};
use horarium_scheduler_engine::{AgentExecutor, Core, EngineConfig, Registry};

use crate::cli::Failure;
use crate::config::{self, Config, JwksLocation};
use crate::entropy::SystemEntropy;
use crate::jwks::UrlJwks;
use crate::secrets::{self, SecretError};

/// The longest time between two looks for expired leases.
const MAX_REAPER_INTERVAL: std::time::Duration = std::time::Duration::from_secs(5);

/// Connects to the database, whatever its schema.
pub(crate) async fn connect(config: &Config) -> Result<SqlStore, Failure> {
    let options = DatabaseOptions {
        connections: config.database_connections,
        hot_connections: config.database_hot_connections,
        ..DatabaseOptions::default()
    };
    SqlStore::connect(&config.database_url, &options)
        .await
        .map_err(|error| Failure::new(format!("cannot use {}: {error}", config.database_url)))
}

/// Connects to a database that a server has worked on, for the commands that look after it.
pub(crate) async fn connect_to_existing(config: &Config) -> Result<SqlStore, Failure> {
    if let Some(path) = missing_file(config) {
        return Err(Failure::new(format!(
            "there is no database at {}: start the server once ('horarium serve'), or name its data folder with \
             --data-dir or HORARIUM_DATA_DIR",
            path.display()
        )));
    }
    let store = connect(config).await?;
    let pending = store.pending_migrations().await?;
    if pending.is_empty() {
        return Ok(store);
    }
    let url = &config.database_url;
    Err(Failure::new(format!("{url} lacks {} migrations of this version: run 'horarium migrate'", pending.len())))
}

/// The file of a SQLite database that is not there yet: connecting would make it.
pub(crate) fn missing_file(config: &Config) -> Option<PathBuf> {
    let url = config.database_url.to_string();
    url.strip_prefix("sqlite://").map(PathBuf::from).filter(|path| !path.exists())
}

/// The core over a store, and the services over it. Without a key (a command that looks after another thing, on
/// another machine than the server's) no secret is opened.
///
/// # Errors
/// When there is a key that cannot be used.
pub(crate) fn services(config: &Config, store: SqlStore) -> Result<(Arc<Core>, Services), Failure> {
    let keys: Arc<dyn SecretSealer> = match secrets::find_keys(config) {
        Ok(keys) => Arc::new(keys),
        Err(SecretError::Missing { .. }) => Arc::new(Unsealed),
        Err(error) => return Err(error.into()),
    };
    let store: SharedStore = Arc::new(store);
    let core = Core::with_secrets(store, Arc::new(SystemClock), Arc::new(SystemEntropy), keys);
    core.wait_for_agents(AgentTiming::of(config.broadcast_timeout_seconds));
    let tenants =
        TenantPolicy { create_on_first_sight: config.auto_create_tenants, built_in_jobs: Arc::new(builtin::jobs_for) };
    let services = Services::new(&core, tenants);
    Ok((core, services))
}

/// The executors of this node.
pub(crate) fn executors(config: &Config, core: &Arc<Core>, services: &Services) -> Result<Registry, Failure> {
    let templates = Templates::new(config::host_name());
    let mut calls = HttpCallSettings::new(config.egress_allow.clone(), templates.clone());
    calls.output_limit = config.max_output_bytes;
    let calls = HttpCallExecutor::new(calls)?;
    let body: CallbackBody = Arc::new(|execution, reference, waiting| {
        horarium_api::callback_body(execution, reference, waiting, env!("CARGO_PKG_VERSION"))
    });
    let delivery = CallbackDelivery::new(services.clone(), calls.clone(), Arc::clone(&core.clock), body);
    let handlers = builtin::register(Handlers::new(), &core.store, &core.clock, config.retention_days);
    let handlers = callback::register(handlers, delivery);
    let coded = CodeExecutor::new(handlers, templates.clone()).with_output_limit(config.max_output_bytes);
    let registry = Registry::new()
        .with(JobType::HttpCall, calls)
        .with(JobType::CodeExecution, coded)
        .with(JobType::Agent, AgentExecutor::new(Arc::clone(core)).with_templates(fill_agent_data(templates.clone())));
    let registry = if config.file_roots.is_empty() {
        registry.with(JobType::FileOperation, Disabled::without("file_roots"))
    } else {
        registry.with(JobType::FileOperation, files(config)?)
    };
    let registry = if config.connections.is_empty() {
        registry.with(JobType::StoredProcedure, Disabled::without("connections"))
    } else {
        let calls = StoredProcedureExecutor::new(config.connections.clone(), templates);
        registry.with(JobType::StoredProcedure, calls.with_output_limit(config.max_output_bytes))
    };
    if config.allowed_commands.is_empty() {
        return Ok(registry.with(JobType::Command, Disabled::without("allowed_commands")));
    }
    secrets::make_private_folder("command_directory", &config.command_directory)?;
    Ok(registry.with(JobType::Command, commands(config)?))
}

/// What works on files in the folders that the operator sets aside.
pub(crate) fn files(config: &Config) -> Result<FileOperationExecutor, Failure> {
    let settings = FileOperationSettings {
        output_limit: config.max_output_bytes,
        ..FileOperationSettings::new(config.file_roots.clone(), Templates::new(config::host_name()))
    };
    FileOperationExecutor::new(settings).map_err(|error| Failure::new(format!("{error}; check 'file_roots'")))
}

/// What runs the programs that the operator listed.
pub(crate) fn commands(config: &Config) -> Result<CommandExecutor, Failure> {
    let templates = Templates::new(config::host_name());
    let programs = config.allowed_commands.clone();
    let settings = CommandSettings {
        environment: config.command_environment.clone(),
        output_limit: config.max_output_bytes,
        ..CommandSettings::new(programs, config.command_directory.clone(), templates)
    };
    CommandExecutor::new(settings)
        .map_err(|error| Failure::new(format!("{error}; check 'allowed_commands' and 'command_directory'")))
}

/// How this node's engine works.
pub(crate) fn engine(config: &Config, node: NodeId) -> EngineConfig {
    EngineConfig {
        concurrency: config.concurrency,
        lease: config.lease_seconds,
        reaper_interval: MAX_REAPER_INTERVAL.min(config.lease_seconds / 3),
        poll_interval: config.poll_interval_ms,
        shutdown_grace: config.shutdown_grace_seconds,
        misfire_grace: config.misfire_grace_seconds,
        audit_retention: std::time::Duration::from_hours(u64::from(config.audit_retention_days) * 24),
        ..EngineConfig::new(node, config.node_name.clone())
    }
}

/// What checks tokens. `secret` is there when this server issues them itself.
pub(crate) fn verifier(config: &Config, secret: Option<SharedSecret>) -> Result<JwtVerifier, Failure> {
    let keys = match (secret, &config.jwt_public_key, &config.jwks) {
        (_, Some(path), _) => JwtKeys::PublicKeyPem {
            // Checked with the configuration: there is exactly one.
            algorithm: config.jwt_algorithms[0],
            pem: std::fs::read_to_string(path).map_err(|error| {
                Failure::new(format!("the setting 'jwt_public_key' cannot be '{}': {error}", path.display()))
            })?,
        },
        (_, _, Some(location)) => {
            let source: Arc<dyn JwksSource> = match location {
                JwksLocation::Url(url) => Arc::new(UrlJwks::new(url.clone())?),
                JwksLocation::File(path) => Arc::new(FileJwks::new(path)),
            };
            JwtKeys::Jwks(JwksConfig::new(source, config.jwt_algorithms.clone()))
        }
        (Some(secret), None, None) => JwtKeys::Hs256Secret(secret),
        (None, None, None) => return Err(Failure::new("there is nothing to check tokens with")),
    };
    let mut checks = JwtConfig::new(keys);
    checks.issuers.clone_from(&config.jwt_issuer);
    checks.audiences.clone_from(&config.jwt_audience);
    JwtVerifier::new(checks).map_err(|error| match &config.jwt_public_key {
        Some(path) => Failure::new(format!("the setting 'jwt_public_key' cannot be '{}': {error}", path.display())),
        None => error.into(),
    })
}
