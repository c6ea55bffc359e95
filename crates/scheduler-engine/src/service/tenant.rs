//! Tenants: finding the one that a credential names, and looking after them all.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use horarium_domain::fair_share::DEFAULT_WEIGHT;
use horarium_domain::job::Job;
use horarium_domain::page::{Page, PageRequest};
use horarium_domain::store::{Conflict, StoreError};
use horarium_domain::tenant::{Tenant, TenantLimits, TenantRef, TenantSlug};
use horarium_domain::{IdGenerator, TenantId, Timestamp};
use moka::future::Cache;

use super::{FieldErrors, ServiceError, limits};
use crate::core::Core;

/// How long a tenant is remembered. Every request asks for one; a change made on another node shows this much later.
const REMEMBERED_FOR: Duration = Duration::from_secs(5);

/// How many tenants are remembered.
const REMEMBERED: u64 = 10_000;

/// Makes the jobs that a new tenant starts with, each with its first slot.
pub type BuiltInJobs = Arc<dyn Fn(TenantId, &IdGenerator, Timestamp) -> Vec<(Job, Option<Timestamp>)> + Send + Sync>;

/// How tenants come into being.
#[derive(Clone)]
pub struct TenantPolicy {
    /// Whether a tenant that a valid credential names is made when it is not there.
    pub create_on_first_sight: bool,
    /// The jobs that every tenant has.
    pub built_in_jobs: BuiltInJobs,
}

impl TenantPolicy {
    /// Tenants are made on first sight, without jobs of their own.
    pub fn without_jobs() -> Self {
        Self { create_on_first_sight: true, built_in_jobs: Arc::new(|_, _, _| Vec::new()) }
    }
}

impl fmt::Debug for TenantPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantPolicy")
            .field("create_on_first_sight", &self.create_on_first_sight)
            .finish_non_exhaustive()
    }
}

/// A tenant to be made, before any check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewTenant {
    /// 1 to 63 letters, digits, `-`, `_` and `.`; required.
    pub slug: Option<String>,
    /// At most 200 characters; the slug when none is given.
    pub name: Option<String>,
}

/// What to change of a tenant, before any check; `None` stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TenantChange {
    /// 1 to 200 characters.
    pub name: Option<String>,
    /// A tenant that is not active is refused at the door, and its schedules do not fire.
    pub is_active: Option<bool>,
}

/// All limits of a tenant and its weight, before any check; `None` for no limit, and the default weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TenantLimitsInput {
    /// Its part of the starts while more waits than can start, beside the others' weights; 1 to 10,000, 100 by default.
    pub weight: Option<i64>,
    /// How many of its executions may run at once, over all nodes and queues; at least 1.
    pub max_concurrency: Option<i64>,
    /// How many of its executions may start per second, over all nodes and queues; at least 1.
    pub rate_limit_per_second: Option<i64>,
}

/// The use cases around tenants.
#[derive(Debug, Clone)]
pub struct TenantService {
    core: Arc<Core>,
    policy: TenantPolicy,
    remembered: Cache<TenantRef, Tenant>,
}

impl TenantService {
    pub(super) fn new(core: Arc<Core>, policy: TenantPolicy) -> Self {
        let remembered = Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBERED_FOR).build();
        Self { core, policy, remembered }
    }

    /// The tenant of this id or slug, active or not; `None` when there is none. May lag behind a change by 5 s.
    pub async fn resolve(&self, named: &TenantRef) -> Result<Option<Tenant>, ServiceError> {
        if let Some(tenant) = self.remembered.get(named).await {
            return Ok(Some(tenant));
        }
        let found = self.read(named).await?;
        if let Some(tenant) = &found {
            self.remember(tenant).await;
        }
        Ok(found)
    }

    /// The tenant that a valid credential names, made now if it is new and the policy says so. Many may meet a new
    /// tenant at once; one makes it, the others find it.
    pub async fn ensure(&self, named: &TenantRef) -> Result<Option<Tenant>, ServiceError> {
        match self.resolve(named).await? {
            None if self.policy.create_on_first_sight => self.make_named(named).await.map(Some),
            found => Ok(found),
        }
    }

    /// The tenant that exists from the first start, made now if this is it.
    pub async fn ensure_default(&self) -> Result<Tenant, ServiceError> {
        let named = TenantRef::Slug(TenantSlug::default());
        match self.resolve(&named).await? {
            Some(tenant) => Ok(tenant),
            None => self.make_named(&named).await,
        }
    }

    /// Makes a tenant with the jobs that every tenant has.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`], [`ServiceError::Conflict`] when the slug is taken.
    pub async fn create(&self, input: &NewTenant) -> Result<Tenant, ServiceError> {
        let mut errors = FieldErrors::default();
        let slug = match input.slug.as_deref().map(|text| text.trim().parse::<TenantSlug>()) {
            Some(Ok(slug)) => Some(slug),
            Some(Err(error)) => {
                errors.add("slug", error.to_string());
                None
            }
            None => {
                errors.add("slug", "is required");
                None
            }
        };
        let name = match (input.name.as_deref(), &slug) {
            (Some(text), _) => limits::line(&mut errors, "name", text, limits::NAME_CHARS),
            (None, slug) => slug.as_ref().map(ToString::to_string),
        };
        let (Some(slug), Some(name)) = (slug, name) else { return Err(errors.into()) };
        let now = self.core.now();
        let tenant = Tenant { id: self.core.ids.tenant(now), slug, name, is_active: true, created_at: now };
        self.make(tenant).await.map_err(|error| match error {
            StoreError::Conflict(Conflict::NameTaken) => {
                ServiceError::Conflict("a tenant of this slug exists; choose another slug".to_owned())
            }
            other => other.into(),
        })
    }

    /// One page of all tenants, by slug.
    pub async fn list(&self, page: PageRequest) -> Result<Page<Tenant>, ServiceError> {
        Ok(self.core.store.tenants(page).await?)
    }

    /// One tenant, as it is now.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn get(&self, id: TenantId) -> Result<Tenant, ServiceError> {
        Ok(self.core.store.tenant(&TenantRef::Id(id)).await?)
    }

    /// Changes a tenant's name and whether it is active.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Invalid`].
    pub async fn update(&self, id: TenantId, change: &TenantChange) -> Result<Tenant, ServiceError> {
        let mut tenant = self.get(id).await?;
        let mut errors = FieldErrors::default();
        if let Some(text) = &change.name {
            let name = limits::line(&mut errors, "name", text, limits::NAME_CHARS);
            let Some(name) = name else { return Err(errors.into()) };
            tenant.name = name;
        }
        tenant.is_active = change.is_active.unwrap_or(tenant.is_active);
        self.core.store.update_tenant(tenant.clone()).await?;
        self.forget(&tenant).await;
        Ok(tenant)
    }

    /// Removes a tenant and everything that is its.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Conflict`] while an execution of it runs, and for the default tenant.
    pub async fn delete(&self, id: TenantId) -> Result<(), ServiceError> {
        let tenant = self.get(id).await?;
        if tenant.slug == TenantSlug::default() {
            return Err(ServiceError::Conflict(
                "the default tenant cannot be deleted; deactivate it instead".to_owned(),
            ));
        }
        self.core.store.delete_tenant(id).await.map_err(|error| match error {
            StoreError::Conflict(Conflict::ExecutionRunning) => ServiceError::Conflict(
                "executions of the tenant are running; deactivate it, then cancel them or wait for their end"
                    .to_owned(),
            ),
            other => other.into(),
        })?;
        self.forget(&tenant).await;
        Ok(())
    }

    /// A tenant's limits and weight.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn limits(&self, id: TenantId) -> Result<TenantLimits, ServiceError> {
        Ok(self.core.store.tenant_limits(id).await?)
    }

    /// Sets all limits of a tenant and its weight; those not named are lifted.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Invalid`].
    pub async fn set_limits(&self, id: TenantId, input: TenantLimitsInput) -> Result<TenantLimits, ServiceError> {
        let mut errors = FieldErrors::default();
        let mut limit = |field, given: Option<i64>, max| {
            given.and_then(|given| limits::number::<u32>(&mut errors, field, given, 1..=max))
        };
        let limits = TenantLimits {
            weight: limit("weight", input.weight, limits::WEIGHT).unwrap_or(DEFAULT_WEIGHT),
            max_concurrency: limit("maxConcurrency", input.max_concurrency, limits::CONCURRENCY),
            rate_limit_per_second: limit("rateLimitPerSecond", input.rate_limit_per_second, limits::CONCURRENCY),
        };
        if !errors.is_empty() {
            return Err(errors.into());
        }
        self.core.store.set_tenant_limits(id, limits).await?;
        self.core.limits_changed();
        Ok(limits)
    }

    async fn read(&self, named: &TenantRef) -> Result<Option<Tenant>, ServiceError> {
        match self.core.store.tenant(named).await {
            Ok(tenant) => Ok(Some(tenant)),
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn make_named(&self, named: &TenantRef) -> Result<Tenant, ServiceError> {
        let now = self.core.now();
        let (id, slug) = match named {
            TenantRef::Slug(slug) => (self.core.ids.tenant(now), slug.clone()),
            // A tenant needs a slug, and one that looks like a UUID is none.
            TenantRef::Id(id) => {
                let made = format!("tenant-{}", id.as_uuid().simple()).parse();
                (*id, made.map_err(|error| ServiceError::Internal { internal: format!("{named}: {error}") })?)
            }
        };
        let name = slug.to_string();
        match self.make(Tenant { id, slug, name, is_active: true, created_at: now }).await {
            Ok(tenant) => {
                tracing::info!(tenant = %tenant.id, slug = %tenant.slug, "a tenant came into being on first sight");
                Ok(tenant)
            }
            Err(StoreError::Conflict(Conflict::NameTaken)) => self.read(named).await?.ok_or_else(|| {
                ServiceError::Internal { internal: format!("tenant {named} can neither be made nor found") }
            }),
            Err(error) => Err(error.into()),
        }
    }

    async fn make(&self, tenant: Tenant) -> Result<Tenant, StoreError> {
        let jobs = (self.policy.built_in_jobs)(tenant.id, &self.core.ids, self.core.now());
        let made: Vec<_> = jobs.iter().map(|(job, _)| job.id).collect();
        self.core.store.create_tenant(tenant.clone(), jobs).await?;
        for job in made {
            self.core.job_changed(tenant.id, job, crate::core::JobChangeKind::Created);
        }
        self.remember(&tenant).await;
        Ok(tenant)
    }

    async fn remember(&self, tenant: &Tenant) {
        for name in names(tenant) {
            self.remembered.insert(name, tenant.clone()).await;
        }
    }

    async fn forget(&self, tenant: &Tenant) {
        for name in names(tenant) {
            self.remembered.invalidate(&name).await;
        }
    }
}

fn names(tenant: &Tenant) -> [TenantRef; 2] {
    [TenantRef::Id(tenant.id), TenantRef::Slug(tenant.slug.clone())]
}
