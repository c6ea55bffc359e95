//! Callbacks and the secrets that they are signed with.

use async_trait::async_trait;
use horarium_domain::callback::{Callback, DueCallback, HandedOver, Handover, NewCallback, SigningSecret};
use horarium_domain::execution::NewExecution;
use horarium_domain::store::{AcceptanceNote, CallbackStore, Enqueued, StoreError};
use horarium_domain::{ExecutionId, TenantId, Timestamp};

use super::MemoryStore;
use super::state::State;

/// A callback and whose it is.
pub(super) struct CallbackRecord {
    pub(super) tenant: TenantId,
    pub(super) callback: Callback,
}

#[async_trait]
impl CallbackStore for MemoryStore {
    async fn enqueue_with_callback(
        &self,
        execution: NewExecution,
        callback: NewCallback,
        note: Option<AcceptanceNote>,
    ) -> Result<Enqueued, StoreError> {
        self.hot(|store| {
            let mut state = store.state();
            let (tenant, execution_id) = (execution.tenant_id, execution.id);
            let answer = state.accept(execution.clone());
            state.append_audit(note.and_then(|note| note.entry(&[execution], &[answer])));
            if answer == Enqueued::Accepted {
                let callback = Callback { execution_id, asked: callback, due_at: None, delivery_id: None };
                state.callbacks.entry(execution_id).or_insert(CallbackRecord { tenant, callback });
            }
            Ok(answer)
        })
        .await
    }

    async fn callback(&self, tenant: TenantId, execution: ExecutionId) -> Result<Option<Callback>, StoreError> {
        let state = self.state_for("callback")?;
        let own = state.callbacks.get(&execution).filter(|record| record.tenant == tenant);
        Ok(own.map(|record| record.callback.clone()))
    }

    async fn due_callbacks(&self, now: Timestamp, limit: usize) -> Result<Vec<DueCallback>, StoreError> {
        let state = self.state();
        let open = state.callbacks.values().filter(|record| record.callback.delivery_id.is_none());
        let due = open.filter_map(|record| {
            let due_at = record.callback.due_at.filter(|at| *at <= now)?;
            Some(DueCallback { execution_id: record.callback.execution_id, tenant_id: record.tenant, due_at })
        });
        let mut due: Vec<_> = due.collect();
        due.sort_by_key(|callback| callback.due_at);
        due.truncate(limit);
        Ok(due)
    }

    async fn hand_over(&self, batch: Vec<Handover>, postponed_to: Timestamp) -> Result<Vec<HandedOver>, StoreError> {
        self.hot(|store| {
            let mut state = store.state();
            Ok(batch.into_iter().map(|handover| state.hand_over(handover, postponed_to)).collect())
        })
        .await
    }

    async fn signing_secret(&self, tenant: TenantId) -> Result<Option<SigningSecret>, StoreError> {
        Ok(self.state().signing_secrets.get(&tenant).cloned())
    }

    async fn keep_signing_secret(&self, tenant: TenantId, secret: SigningSecret) -> Result<SigningSecret, StoreError> {
        let mut state = self.state();
        state.require_tenant(tenant)?;
        Ok(state.signing_secrets.entry(tenant).or_insert(secret).clone())
    }

    async fn replace_signing_secret(
        &self,
        tenant: TenantId,
        secret: SigningSecret,
        only: Option<SigningSecret>,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        state.require_tenant(tenant)?;
        let replaces = only.is_none_or(|only| state.signing_secrets.get(&tenant) == Some(&only));
        if replaces {
            state.signing_secrets.insert(tenant, secret);
        }
        Ok(replaces)
    }
}

impl State {
    fn hand_over(&mut self, Handover { execution_id, delivery }: Handover, postponed_to: Timestamp) -> HandedOver {
        let tenant = delivery.tenant_id;
        let is_open = |record: &CallbackRecord| {
            record.tenant == tenant && record.callback.due_at.is_some() && record.callback.delivery_id.is_none()
        };
        if !self.callbacks.get(&execution_id).is_some_and(is_open) {
            return HandedOver::Superseded;
        }
        let fresh = delivery.id;
        let delivered_by = match self.accept(delivery) {
            Enqueued::Accepted => Some(fresh),
            Enqueued::Duplicate(live) => Some(live),
            Enqueued::QueueFull { .. } | Enqueued::NoSuchJob => None,
        };
        if let Some(record) = self.callbacks.get_mut(&execution_id) {
            record.callback.delivery_id = delivered_by;
            if delivered_by.is_none() {
                record.callback.due_at = Some(postponed_to);
            }
        }
        if delivered_by.is_some() { HandedOver::Accepted } else { HandedOver::Postponed }
    }

    /// Makes the callback of an execution due, if it has one.
    pub(super) fn make_due(&mut self, execution: ExecutionId, at: Timestamp) {
        let called_back = self.callbacks.get_mut(&execution).filter(|record| record.callback.asked.url.is_some());
        if let Some(record) = called_back {
            record.callback.due_at = Some(at);
        }
    }

    fn require_tenant(&self, tenant: TenantId) -> Result<(), StoreError> {
        if self.tenants.contains_key(&tenant) { Ok(()) } else { Err(StoreError::NotFound("tenant")) }
    }
}
