//! Concurrency keys and their limits.

use std::sync::Arc;

use horarium_domain::TenantId;
use horarium_domain::concurrency::{ConcurrencyKey, KeyLimits};
use horarium_domain::page::NamedPage;

use super::{Actor, FieldErrors, ServiceError, limits};
use crate::core::Core;

/// All limits of a concurrency key, before any check; `None` for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyLimitsInput {
    /// How many executions with it may run at once, over all nodes; at least 1.
    pub max_concurrency: Option<i64>,
    /// How many executions with it may start per second, over all nodes; at least 1.
    pub rate_limit_per_second: Option<i64>,
}

/// The use cases around limits of concurrency keys.
#[derive(Debug, Clone)]
pub struct KeyLimitService {
    core: Arc<Core>,
}

impl KeyLimitService {
    pub(super) const fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// The tenant's keys that have limits, in the order of their characters, at most `limit`, from the one that follows
    /// `after` on.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] when `after` is no key.
    pub async fn list(
        &self,
        tenant: TenantId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<NamedPage<KeyLimits>, ServiceError> {
        let after = after.map(str::parse::<ConcurrencyKey>).transpose();
        let after = after.map_err(|error| ServiceError::invalid("cursor", error.to_string()))?;
        let keys = self.core.store.limited_keys(tenant, after.as_ref(), limit + 1).await?;
        Ok(NamedPage::of(keys, limit, |limits| limits.key.as_str()))
    }

    /// The limits of one key. Every sound text is a key: one that nobody limited has none.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] when the text is none that a key can have.
    pub async fn get(&self, tenant: TenantId, key: &str) -> Result<KeyLimits, ServiceError> {
        let key: ConcurrencyKey = key.parse().map_err(|_| ServiceError::NotFound("concurrency key"))?;
        Ok(self.core.store.key_limits(tenant, &key).await?)
    }

    /// Sets all limits of a key; those not named are lifted.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`].
    pub async fn set(&self, actor: &Actor, key: &str, input: KeyLimitsInput) -> Result<KeyLimits, ServiceError> {
        let mut errors = FieldErrors::default();
        let key: Option<ConcurrencyKey> = key.parse().map_err(|error| errors.add("key", format!("{error}"))).ok();
        let mut limit = |field, given: Option<i64>| {
            given.and_then(|given| limits::number::<u32>(&mut errors, field, given, 1..=limits::CONCURRENCY))
        };
        let max_concurrency = limit("maxConcurrency", input.max_concurrency);
        let rate_limit_per_second = limit("rateLimitPerSecond", input.rate_limit_per_second);
        let Some(key) = key.filter(|_| errors.is_empty()) else { return Err(errors.into()) };
        let limits = KeyLimits { key, max_concurrency, rate_limit_per_second };
        self.core.store.set_key_limits(actor.tenant, limits.clone()).await?;
        self.core.limits_changed();
        Ok(limits)
    }
}
