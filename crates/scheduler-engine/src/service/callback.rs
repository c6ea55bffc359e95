//! Callbacks: asking for one with an execution, the secret they are signed with, and what a delivery needs and reports.

use std::sync::Arc;

use horarium_domain::callback::{Callback, NewCallback, SigningSecret};
use horarium_domain::execution::{Event, EventKind, Execution};
use horarium_domain::secret::{Document, SecretError, SecretPlace};
use horarium_domain::store::StoreError;
use horarium_domain::{ExecutionId, TenantId, Timestamp};
use serde_json::Value;

use super::{Actor, ServiceError};
use crate::core::Core;
use crate::secrets::Secrets;

/// What every signing secret starts with, so that one that leaked is recognised.
const PREFIX: &str = "whsec_";

/// Which of a tenant's secrets it is.
const FIELD: &str = "callback-signing";

/// The secret that a tenant's callbacks are signed with, open.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// The key of the HMAC: this text's bytes.
    pub secret: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("created_at", &self.created_at).finish_non_exhaustive()
    }
}

/// How an attempt to deliver a callback went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryReport {
    /// It was taken.
    Delivered,
    /// It was not; the text says why.
    Failed(String),
}

/// The use cases around callbacks.
#[derive(Debug, Clone)]
pub struct CallbackService {
    core: Arc<Core>,
}

impl CallbackService {
    /// Over a core; executors that deliver callbacks make one of their own.
    pub const fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// What a tenant's execution is to be called back with, if anything was asked for; the URL is sealed.
    pub async fn find(&self, tenant: TenantId, execution: ExecutionId) -> Result<Option<Callback>, ServiceError> {
        Ok(self.core.store.callback(tenant, execution).await?)
    }

    /// The secret that the tenant's callbacks are signed with; it is made when it is first asked for.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] when there is no such tenant.
    pub async fn signing_key(&self, tenant: TenantId) -> Result<SigningKey, ServiceError> {
        if let Some(stored) = self.core.store.signing_secret(tenant).await? {
            return self.open(tenant, &stored);
        }
        let (_, sealed) = self.fresh(tenant)?;
        let kept = self.core.store.keep_signing_secret(tenant, sealed).await?;
        self.open(tenant, &kept)
    }

    /// Makes a new secret. The old one is worth nothing from now on: what is delivered later is signed with the new
    /// one.
    ///
    /// # Errors
    /// As [`signing_key`](Self::signing_key).
    pub async fn rotate_signing_key(&self, actor: &Actor) -> Result<SigningKey, ServiceError> {
        let (key, sealed) = self.fresh(actor.tenant)?;
        self.core.store.replace_signing_secret(actor.tenant, sealed, None).await?;
        Ok(key)
    }

    /// A callback that is to be delivered, its URL open, with the execution that it tells of.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] when the execution or its callback is gone, [`ServiceError::Internal`] when the URL
    /// does not open on this node.
    pub async fn to_deliver(
        &self,
        tenant: TenantId,
        execution: ExecutionId,
    ) -> Result<(Callback, Execution), ServiceError> {
        let mut callback = self.find(tenant, execution).await?.ok_or(ServiceError::NotFound("callback"))?;
        if let Some(url) = &mut callback.asked.url {
            let mut document = Value::from(url.as_str());
            let secrets = Secrets::of_execution(&*self.core.secrets, tenant, execution);
            let opened = secrets.open(Document::CallbackUrl, &mut document);
            opened.map_err(|unopened| ServiceError::Internal { internal: unopened.to_string() })?;
            document.as_str().unwrap_or_default().clone_into(url);
        }
        Ok((callback, self.core.store.execution(tenant, execution).await?))
    }

    /// Notes in the story of the execution that was told of how an attempt to tell it went. An attempt that is repeated,
    /// because its worker was lost, is noted again: it happened twice.
    pub async fn report(
        &self,
        tenant: TenantId,
        execution: ExecutionId,
        attempt: u16,
        target: &str,
        report: DeliveryReport,
    ) -> Result<(), ServiceError> {
        let (kind, message, error) = match report {
            DeliveryReport::Delivered => (EventKind::CallbackDelivered, "its end was told to the callback", None),
            DeliveryReport::Failed(why) => (EventKind::CallbackFailed, "its end could not be told", Some(why)),
        };
        let event = Event {
            execution_id: execution,
            at: self.core.now(),
            kind,
            attempt: 0,
            attempt_started_at: None,
            source: target.to_owned(),
            message: format!("{message} (delivery attempt {attempt})"),
            error,
        };
        Ok(self.core.store.record_event(tenant, event).await?)
    }

    /// The secret of a tenant, if it has one, with whether it is sealed with the newest key.
    pub(super) async fn examine(&self, tenant: TenantId) -> Result<Option<Result<bool, SecretError>>, ServiceError> {
        let Some(stored) = self.core.store.signing_secret(tenant).await? else { return Ok(None) };
        let opened = self.core.secrets.open(place(tenant), &stored.sealed);
        Ok(Some(opened.map(|_| self.core.secrets.is_current(&stored.sealed))))
    }

    /// Seals the secret of a tenant anew. One that somebody rotated meanwhile is sealed with the newest key anyway.
    pub(super) async fn seal_anew(&self, tenant: TenantId) -> Result<(), ServiceError> {
        let Some(stored) = self.core.store.signing_secret(tenant).await? else { return Ok(()) };
        let key = self.open(tenant, &stored)?;
        let sealed = self.core.secrets.seal(place(tenant), &key.secret).map_err(|error| unusable(&error))?;
        let secret = SigningSecret { sealed, created_at: stored.created_at };
        self.core.store.replace_signing_secret(tenant, secret, Some(stored)).await?;
        Ok(())
    }

    /// A fresh secret, open and sealed.
    fn fresh(&self, tenant: TenantId) -> Result<(SigningKey, SigningSecret), ServiceError> {
        use std::fmt::Write as _;
        let mut secret = PREFIX.to_owned();
        for byte in self.core.entropy.secret() {
            // Writing to a text never fails.
            let _ = write!(secret, "{byte:02x}");
        }
        let created_at = self.core.now();
        let sealed = self.core.secrets.seal(place(tenant), &secret).map_err(|error| unusable(&error))?;
        Ok((SigningKey { secret, created_at }, SigningSecret { sealed, created_at }))
    }

    fn open(&self, tenant: TenantId, stored: &SigningSecret) -> Result<SigningKey, ServiceError> {
        let secret = self.core.secrets.open(place(tenant), &stored.sealed).map_err(|error| unusable(&error))?;
        Ok(SigningKey { secret, created_at: stored.created_at })
    }
}

/// What is asked for, as it is stored with its execution.
pub(super) fn sealed(
    core: &Core,
    tenant: TenantId,
    execution: ExecutionId,
    mut asked: NewCallback,
) -> Result<NewCallback, ServiceError> {
    if let Some(url) = &mut asked.url {
        let mut document = Value::from(url.as_str());
        let secrets = Secrets::of_execution(&*core.secrets, tenant, execution);
        secrets.seal(Document::CallbackUrl, &mut document, None)?;
        document.as_str().unwrap_or_default().clone_into(url);
    }
    Ok(asked)
}

/// Where a tenant's signing secret belongs: it is its own owner.
const fn place(tenant: TenantId) -> SecretPlace<'static> {
    SecretPlace { tenant, owner: tenant.as_uuid(), field: FIELD }
}

fn unusable(error: &SecretError) -> ServiceError {
    StoreError::Internal(format!("the secret that callbacks are signed with: {error}")).into()
}
