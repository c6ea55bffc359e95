//! `horarium token`.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use horarium_auth::{Role, TokenClaims, mint};
use horarium_domain::tenant::TenantRef;
use horarium_domain::{Clock, SystemClock};

use super::span::Span;
use super::{Failure, configuration, output};
use crate::config::{Config, SettingFlags};
use crate::secrets;

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Make a token, signed with the server's secret, and print it alone.
    Create(Create),
}

/// Makes a token.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  horarium token create --role admin
  horarium token create --tenant org-123 --role write --role agent --subject ci --ttl 15m
  export HORARIUM_TOKEN=$(horarium token create --role manager)")]
pub(super) struct Create {
    /// The tenant it is good for: a slug or an id.
    #[arg(long, default_value = "default")]
    tenant: TenantRef,
    /// What its bearer is: super_admin, system_admin, owner, admin, manager, write, read or agent. May be repeated.
    #[arg(long = "role", required = true, value_parser = role)]
    roles: Vec<Role>,
    /// Who it is for.
    #[arg(long, default_value = "cli")]
    subject: String,
    /// The name to show as "triggered by".
    #[arg(long)]
    name: Option<String>,
    /// The e-mail address to show when there is no name.
    #[arg(long)]
    email: Option<String>,
    /// How long it holds: 90s, 15m, 12h, 30d.
    #[arg(long, default_value = "12h")]
    ttl: Span,
    #[command(flatten)]
    settings: SettingFlags,
}

fn role(name: &str) -> Result<Role, String> {
    Role::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Role::ALL.iter().map(|role| role.name()).collect();
        format!("the roles are {}", names.join(", "))
    })
}

impl Token {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let Self::Create(create) = self;
        let config = configuration(&create.settings)?.config;
        let mut claims = TokenClaims::new(create.subject, create.tenant, create.roles);
        claims.name = create.name;
        claims.email = create.email;
        output::line(&sign(&config, claims, create.ttl.0)?);
        Ok(ExitCode::SUCCESS)
    }
}

/// A token that a server with this configuration accepts.
pub(super) fn sign(config: &Config, mut claims: TokenClaims, ttl: Duration) -> Result<String, Failure> {
    if !config.signs_tokens() {
        return Err(Failure::new(
            "this server checks tokens with somebody else's public key, so only they can make one; 'horarium keys \
             create' makes an API key",
        ));
    }
    claims.issuer = config.jwt_issuer.first().cloned();
    claims.audience = config.jwt_audience.first().cloned();
    let secret = secrets::find(config)?;
    Ok(mint(&secret, &claims, SystemClock.now(), ttl)?)
}
