//! `horarium keys`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use horarium_auth::api_key::ApiKey;
use horarium_auth::{PermissionSet, scope};
use horarium_domain::api_key::{ApiKeyRecord, ApiKeyState};
use horarium_domain::page::PageRequest;
use horarium_domain::tenant::TenantRef;
use horarium_domain::{ApiKeyId, Timestamp};
use horarium_scheduler_engine::Core;
use horarium_scheduler_engine::service::{Actor, NewKey, Services};
use serde_json::json;

use super::output::{self, Format, OutputFlag};
use super::span::Span;
use super::{Failure, configuration};
use crate::compose;
use crate::config::SettingFlags;

/// What can be done with API keys.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Make a key and print it, this once.
    #[command(after_help = "Examples:
  horarium keys create --name ci --scope jobs:read --scope executions:trigger
  horarium keys create --tenant org-123 --name backup --scope '*' --expires-in 90d")]
    Create(Create),
    /// List a tenant's keys, newest first.
    #[command(after_help = "Examples:
  horarium keys list
  horarium keys list --tenant org-123 --output json")]
    List(Place),
    /// Revoke a key for good.
    #[command(after_help = "Example:
  horarium keys revoke 0197f3c2-7a51-7c3e-9f43-0a1b2c3d4e5f")]
    Revoke(One),
    /// Give a key another secret and print it, this once; the former one is refused from then on.
    #[command(after_help = "Example:
  horarium keys rotate 0197f3c2-7a51-7c3e-9f43-0a1b2c3d4e5f")]
    Rotate(One),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// What to call it; shown as "triggered by".
    #[arg(long)]
    name: String,
    /// What it may do, such as jobs:read; '*' for everything an owner may, which leaves out admin:jobs, metrics:read and
    /// tenants:manage. May be repeated.
    #[arg(long = "scope", required = true)]
    scopes: Vec<String>,
    /// When it expires, from now: 12h, 90d. Without it, it does not.
    #[arg(long)]
    expires_in: Option<Span>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// The key's id, as the list shows it.
    id: ApiKeyId,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Place {
    /// The tenant: a slug or an id.
    #[arg(long, default_value = "default")]
    tenant: TenantRef,
    #[command(flatten)]
    format: OutputFlag,
    #[command(flatten)]
    settings: SettingFlags,
}

/// The keys of one tenant, and where to write.
struct Desk {
    core: std::sync::Arc<Core>,
    services: Services,
    actor: Actor,
    format: Format,
}

impl Place {
    async fn open(self) -> Result<Desk, Failure> {
        let config = configuration(&self.settings)?.config;
        let store = compose::connect_to_existing(&config).await?;
        let (core, services) = compose::services(&config, store)?;
        let tenant = services.tenants.resolve(&self.tenant).await?.ok_or_else(|| {
            Failure::new(format!("there is no tenant '{}'; 'horarium tenants list' shows them", self.tenant))
        })?;
        Ok(Desk { core, services, actor: Actor::new(tenant.id, "command line"), format: self.format.output })
    }
}

impl Keys {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Create(Create { name, scopes, expires_in, place }) => {
                // Who can write to the database can do anything; the scopes are checked for their spelling.
                let scopes = scope::grant(PermissionSet::ALL, &scopes)?;
                let desk = place.open().await?;
                let key = ApiKey::generate(desk.services.keys.new_id(), desk.core.entropy.secret());
                let expires_at = expires_in.map(|span| (desk.core.now() + span.0).to_string());
                let new = NewKey { id: key.id(), name, scopes, secret_hash: key.secret_hash(), expires_at };
                let record = desk.services.keys.create(&desk.actor, new).await?;
                desk.show_secret(&key, &record);
            }
            Self::List(place) => place.open().await?.list().await?,
            Self::Revoke(One { id, place }) => {
                let desk = place.open().await?;
                let record = desk.services.keys.revoke(&desk.actor, id).await?;
                match desk.format {
                    Format::Json => output::json(&to_json(&record, desk.core.now())),
                    Format::Table => output::line(&format!("revoked: {} ({})", record.id, record.name)),
                }
            }
            Self::Rotate(One { id, place }) => {
                let desk = place.open().await?;
                let key = ApiKey::generate(id, desk.core.entropy.secret());
                let record = desk.services.keys.rotate(&desk.actor, id, key.secret_hash()).await?;
                desk.show_secret(&key, &record);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Desk {
    /// The key alone on stdout, so that it can be handed on without being shown.
    fn show_secret(&self, key: &ApiKey, record: &ApiKeyRecord) {
        match self.format {
            Format::Table => {
                output::line(&key.reveal());
                let (name, id) = (&record.name, &record.id);
                output::note(&format!("key '{name}' ({id}): keep it now, it is not shown again"));
            }
            Format::Json => {
                let mut value = to_json(record, self.core.now());
                value["key"] = json!(key.reveal());
                output::json(&value);
            }
        }
    }

    async fn list(&self) -> Result<(), Failure> {
        let now = self.core.now();
        let mut records = Vec::new();
        for number in 1.. {
            let page = PageRequest { number, size: PageRequest::MAX_SIZE };
            let page = self.services.keys.list(self.actor.tenant, page).await?;
            let is_last = page.items.is_empty();
            records.extend(page.items);
            if is_last || records.len() as u64 >= page.total {
                break;
            }
        }
        match self.format {
            Format::Json => output::json(&records.iter().map(|record| to_json(record, now)).collect()),
            Format::Table => {
                let rows: Vec<_> = records.iter().map(|record| row(record, now)).collect();
                output::table(["ID", "NAME", "STATUS", "SCOPES", "EXPIRES", "LAST USED"], &rows);
            }
        }
        Ok(())
    }
}

fn row(record: &ApiKeyRecord, now: Timestamp) -> [String; 6] {
    let instant = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    [
        record.id.to_string(),
        record.name.clone(),
        status(record, now).to_owned(),
        record.scopes.join(","),
        instant(record.expires_at),
        instant(record.last_used_at),
    ]
}

/// As the API shows it.
fn to_json(record: &ApiKeyRecord, now: Timestamp) -> serde_json::Value {
    json!({
        "id": record.id,
        "name": record.name,
        "status": status(record, now),
        "scopes": record.scopes,
        "createdAt": record.created_at,
        "createdBy": record.created_by,
        "expiresAt": record.expires_at,
        "lastUsedAt": record.last_used_at,
        "revokedAt": record.revoked_at,
    })
}

fn status(record: &ApiKeyRecord, now: Timestamp) -> &'static str {
    match record.state(now) {
        ApiKeyState::Active => "Active",
        ApiKeyState::Expired => "Expired",
        ApiKeyState::Revoked => "Revoked",
    }
}
