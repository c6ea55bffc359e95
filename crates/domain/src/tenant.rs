//! Tenants: the organizations that Horarium keeps apart.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fair_share::DEFAULT_WEIGHT;
use crate::{TenantId, Timestamp};

/// A tenant's short, unique name: 1 to 63 lower-case letters, digits, `-`, `_` and `.`, such as `org-123`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantSlug(String);

/// The text is no tenant slug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a tenant's slug is 1 to 63 letters, digits, '-', '_' and '.', beginning with a letter or digit, and no UUID")]
pub struct InvalidTenantSlug;

impl TenantSlug {
    /// The tenant that exists from the first start.
    pub const DEFAULT: &'static str = "default";

    /// The slug as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TenantSlug {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl FromStr for TenantSlug {
    type Err = InvalidTenantSlug;

    /// Upper-case letters are taken as their lower-case ones.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let slug = text.to_ascii_lowercase();
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let begins_well = slug.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
        // A UUID always names a tenant by its id; a slug that looks like one would name two tenants.
        let sound = slug.len() <= 63 && begins_well && slug.chars().all(allowed) && Uuid::try_parse(&slug).is_err();
        if sound { Ok(Self(slug)) } else { Err(InvalidTenantSlug) }
    }
}

impl TryFrom<String> for TenantSlug {
    type Error = InvalidTenantSlug;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TenantSlug> for String {
    fn from(slug: TenantSlug) -> Self {
        slug.0
    }
}

impl fmt::Display for TenantSlug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a credential or a header names a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TenantRef {
    /// By id.
    Id(TenantId),
    /// By slug.
    Slug(TenantSlug),
}

impl FromStr for TenantRef {
    type Err = InvalidTenantSlug;

    /// A UUID is an id, anything else must be a slug.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Uuid::try_parse(text) {
            Ok(id) => Ok(Self::Id(TenantId::from_uuid(id))),
            Err(_) => text.parse().map(Self::Slug),
        }
    }
}

impl fmt::Display for TenantRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Slug(slug) => slug.fmt(f),
        }
    }
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its short name.
    pub slug: TenantSlug,
    /// Its name for people.
    pub name: String,
    /// A tenant that is not active is refused at the door, and its schedules do not fire.
    pub is_active: bool,
    /// When it came into being.
    pub created_at: Timestamp,
}

impl Tenant {
    /// Whether `named` is this tenant's id or its slug.
    pub fn is_named_by(&self, named: &TenantRef) -> bool {
        match named {
            TenantRef::Id(id) => *id == self.id,
            TenantRef::Slug(slug) => *slug == self.slug,
        }
    }
}

/// What a tenant may use of the workers that all share. One that nobody limited has no limits, and the default weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantLimits {
    /// Its part of the starts while more waits than can start, beside the other tenants' weights.
    pub weight: u32,
    /// How many of its executions may run at once, over all nodes and queues.
    pub max_concurrency: Option<u32>,
    /// How many of its executions may start per second, over all nodes and queues.
    pub rate_limit_per_second: Option<u32>,
}

impl Default for TenantLimits {
    fn default() -> Self {
        Self { weight: DEFAULT_WEIGHT, max_concurrency: None, rate_limit_per_second: None }
    }
}

impl TenantLimits {
    /// Whether claiming its executions must count.
    pub const fn is_gated(&self) -> bool {
        self.max_concurrency.is_some() || self.rate_limit_per_second.is_some()
    }
}
