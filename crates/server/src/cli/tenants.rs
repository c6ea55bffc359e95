//! `horarium tenants`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use horarium_domain::page::PageRequest;
use horarium_domain::tenant::{Tenant, TenantRef};
use horarium_scheduler_engine::service::{NewTenant, Services, TenantChange};
use serde_json::json;

use super::output::{self, Format, OutputFlag};
use super::{Failure, configuration};
use crate::compose;
use crate::config::SettingFlags;

/// What can be done with tenants.
#[derive(Debug, Subcommand)]
pub(super) enum Tenants {
    /// Make a tenant, with the jobs that every tenant has.
    #[command(after_help = "Examples:
  horarium tenants create org-123
  horarium tenants create org-123 --name 'Example Inc.' --output json")]
    Create(Create),
    /// List all tenants.
    #[command(after_help = "Example:
  horarium tenants list")]
    List(Common),
    /// Rename a tenant.
    #[command(after_help = "Example:
  horarium tenants rename org-123 'Example Inc.'")]
    Rename(Rename),
    /// Let a tenant in again.
    #[command(after_help = "Example:
  horarium tenants activate org-123")]
    Activate(One),
    /// Turn a tenant away: its credentials are refused, and its schedules do not fire. A running server notices within 5 s.
    #[command(after_help = "Example:
  horarium tenants deactivate org-123")]
    Deactivate(One),
    /// Delete a tenant and everything that is its.
    #[command(after_help = "Example:
  horarium tenants delete org-123 --yes")]
    Delete(Delete),
}

#[derive(Debug, Args)]
pub(super) struct Common {
    #[command(flatten)]
    format: OutputFlag,
    #[command(flatten)]
    settings: SettingFlags,
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// Its short, unique name.
    slug: String,
    /// Its name for people; the slug if none is given.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// Its slug or id.
    tenant: TenantRef,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(super) struct Rename {
    /// Its slug or id.
    tenant: TenantRef,
    /// Its new name for people.
    name: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(super) struct Delete {
    /// Its slug or id.
    tenant: TenantRef,
    /// Yes, with its jobs, executions and keys.
    #[arg(long, required = true)]
    yes: bool,
    #[command(flatten)]
    common: Common,
}

impl Common {
    async fn open(&self) -> Result<Services, Failure> {
        let config = configuration(&self.settings)?.config;
        let store = compose::connect_to_existing(&config).await?;
        Ok(compose::services(&config, store)?.1)
    }

    fn show(&self, tenant: &Tenant) {
        match self.format.output {
            Format::Json => output::json(&to_json(tenant)),
            Format::Table => show(std::slice::from_ref(tenant)),
        }
    }

    async fn change(&self, named: &TenantRef, change: &TenantChange) -> Result<(), Failure> {
        let services = self.open().await?;
        let id = find(&services, named).await?.id;
        self.show(&services.tenants.update(id, change).await?);
        Ok(())
    }

    async fn list(&self) -> Result<(), Failure> {
        let services = self.open().await?;
        let mut tenants = Vec::new();
        for number in 1.. {
            let page = services.tenants.list(PageRequest { number, size: PageRequest::MAX_SIZE }).await?;
            let is_last = page.items.is_empty();
            tenants.extend(page.items);
            if is_last || tenants.len() as u64 >= page.total {
                break;
            }
        }
        match self.format.output {
            Format::Json => output::json(&tenants.iter().map(to_json).collect()),
            Format::Table => show(&tenants),
        }
        Ok(())
    }
}

impl Tenants {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Create(Create { slug, name, common }) => {
                let services = common.open().await?;
                common.show(&services.tenants.create(&NewTenant { slug: Some(slug), name }).await?);
            }
            Self::List(common) => common.list().await?,
            Self::Rename(Rename { tenant, name, common }) => {
                common.change(&tenant, &TenantChange { name: Some(name), is_active: None }).await?;
            }
            Self::Activate(One { tenant, common }) => {
                common.change(&tenant, &TenantChange { name: None, is_active: Some(true) }).await?;
            }
            Self::Deactivate(One { tenant, common }) => {
                common.change(&tenant, &TenantChange { name: None, is_active: Some(false) }).await?;
            }
            Self::Delete(Delete { tenant, yes: _, common }) => {
                let services = common.open().await?;
                let found = find(&services, &tenant).await?;
                services.tenants.delete(found.id).await?;
                match common.format.output {
                    Format::Json => output::json(&to_json(&found)),
                    Format::Table => output::line(&format!("deleted: {} ({})", found.slug, found.id)),
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn find(services: &Services, named: &TenantRef) -> Result<Tenant, Failure> {
    let missing = || Failure::new(format!("there is no tenant '{named}'; 'horarium tenants list' shows them"));
    services.tenants.resolve(named).await?.ok_or_else(missing)
}

fn show(tenants: &[Tenant]) {
    let row = |tenant: &Tenant| {
        [
            tenant.id.to_string(),
            tenant.slug.to_string(),
            tenant.name.clone(),
            if tenant.is_active { "yes" } else { "no" }.to_owned(),
            tenant.created_at.to_string(),
        ]
    };
    output::table(["ID", "SLUG", "NAME", "ACTIVE", "CREATED"], &tenants.iter().map(row).collect::<Vec<_>>());
}

/// As the API shows it.
fn to_json(tenant: &Tenant) -> serde_json::Value {
    json!({
        "id": tenant.id,
        "slug": tenant.slug,
        "name": tenant.name,
        "isActive": tenant.is_active,
        "createdAt": tenant.created_at,
    })
}
