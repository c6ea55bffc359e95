//! Tenants.

use async_trait::async_trait;
use horarium_domain::job::Job;
use horarium_domain::page::{Page, PageRequest};
use horarium_domain::store::{Conflict, StoreError, TenantStore};
use horarium_domain::tenant::{Tenant, TenantLimits, TenantRef};
use horarium_domain::{TenantId, Timestamp};

use super::MemoryStore;
use super::jobs::page_of;
use super::record::TenantLimitsRecord;

const NOT_FOUND: StoreError = StoreError::NotFound("tenant");

#[async_trait]
impl TenantStore for MemoryStore {
    async fn create_tenant(&self, tenant: Tenant, jobs: Vec<(Job, Option<Timestamp>)>) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.tenants.values().any(|other| other.id == tenant.id || other.slug == tenant.slug) {
            return Err(StoreError::Conflict(Conflict::NameTaken));
        }
        state.create_jobs(jobs)?;
        state.tenants.insert(tenant.id, tenant);
        Ok(())
    }

    async fn tenant(&self, tenant: &TenantRef) -> Result<Tenant, StoreError> {
        let state = self.state();
        let found = match tenant {
            TenantRef::Id(id) => state.tenants.get(id),
            TenantRef::Slug(slug) => state.tenants.values().find(|tenant| tenant.slug == *slug),
        };
        found.cloned().ok_or(NOT_FOUND)
    }

    async fn tenants(&self, page: PageRequest) -> Result<Page<Tenant>, StoreError> {
        let state = self.state();
        let mut tenants: Vec<_> = state.tenants.values().collect();
        tenants.sort_by_key(|tenant| &tenant.slug);
        Ok(Page::of(page_of(&tenants, page).copied().cloned().collect(), tenants.len() as u64))
    }

    async fn update_tenant(&self, tenant: Tenant) -> Result<(), StoreError> {
        let mut state = self.state();
        let stored = state.tenants.get_mut(&tenant.id).ok_or(NOT_FOUND)?;
        stored.name = tenant.name;
        stored.is_active = tenant.is_active;
        Ok(())
    }

    async fn delete_tenant(&self, id: TenantId) -> Result<(), StoreError> {
        let mut state = self.state();
        if !state.tenants.contains_key(&id) {
            return Err(NOT_FOUND);
        }
        if state.lanes.of(id).any(|(_, lane)| !lane.running.is_empty()) {
            return Err(StoreError::Conflict(Conflict::ExecutionRunning));
        }
        state.remove_executions(|record| record.accepted.tenant_id == id);
        state.jobs.retain(|_, record| record.job.tenant_id != id);
        state.queues.retain(|(tenant, _), _| *tenant != id);
        state.rollups.retain(|key, _| key.tenant != id);
        state.agents.retain(|_, agent| agent.tenant_id != id);
        state.api_keys.retain(|_, key| key.tenant_id != id);
        state.sessions.retain(|_, session| session.tenant_id != id);
        state.idempotency.retain(|(tenant, _), _| *tenant != id);
        state.signing_secrets.remove(&id);
        state.tenant_limits.remove(&id);
        state.key_limits.retain(|(tenant, _), _| *tenant != id);
        state.tenants.remove(&id);
        Ok(())
    }

    async fn set_tenant_limits(&self, id: TenantId, limits: TenantLimits) -> Result<(), StoreError> {
        let mut state = self.state();
        if !state.tenants.contains_key(&id) {
            return Err(NOT_FOUND);
        }
        if limits == TenantLimits::default() {
            state.tenant_limits.remove(&id);
        } else {
            let bucket = state.tenant_limits.get(&id).map(|stored| stored.bucket).unwrap_or_default();
            state.tenant_limits.insert(id, TenantLimitsRecord { limits, bucket });
        }
        Ok(())
    }

    async fn tenant_limits(&self, id: TenantId) -> Result<TenantLimits, StoreError> {
        let state = self.state();
        if !state.tenants.contains_key(&id) {
            return Err(NOT_FOUND);
        }
        Ok(state.tenant_limits.get(&id).map(|stored| stored.limits).unwrap_or_default())
    }
}
