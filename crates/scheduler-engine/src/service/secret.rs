//! Secrets at rest, over all tenants: whether they open, and sealing them anew with the newest key.

use std::collections::BTreeSet;
use std::sync::Arc;

use horarium_domain::TenantId;
use horarium_domain::job::Job;
use horarium_domain::page::PageRequest;
use horarium_domain::secret::{Document, SecretError};
use horarium_domain::store::{Conflict, JobChange, SecretHolder, StoreError, StoredSecrets};
use serde_json::Value;
use uuid::Uuid;

use super::{CallbackService, ServiceError};
use crate::core::{Core, JobChangeKind};
use crate::secrets::{Secrets, Unopened};

/// How many definitions are read at once.
const PAGE: usize = 500;

/// How many payloads, which may be large, are read at once.
const PAYLOADS: usize = 100;

/// How often a definition that others change at the same time is sealed anew.
const MAX_TRIES: usize = 10;

/// What there is to say of the secrets in a database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SecretsFound {
    /// Definitions whose secrets are all sealed with the newest key, or that have none; tenants whose secret for webhooks
    /// is; and executions, agents' tasks and callbacks that have secrets, all of which are.
    pub current: u64,
    /// Those of them with secrets that are not sealed with the newest key, or not sealed at all.
    pub outdated: u64,
    /// Those of them with a secret that does not open.
    pub unopened: u64,
    /// The keys that are missing.
    pub missing_keys: BTreeSet<String>,
}

/// The use cases around secrets at rest. They are for whoever runs the server, not for its tenants.
#[derive(Debug, Clone)]
pub struct SecretService {
    core: Arc<Core>,
}

impl SecretService {
    pub(super) const fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Looks at the secrets of definitions and of tenants, and changes nothing.
    pub async fn examine_jobs(&self) -> Result<SecretsFound, ServiceError> {
        let mut found = SecretsFound::default();
        let mut after = None;
        loop {
            let page = self.core.store.definitions_after(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for job in &page {
                match self.secrets(job).open_configuration(&job.spec.configuration) {
                    Err(unopened) => found.note(&unopened.error),
                    Ok(_) if self.is_current(job) => found.current += 1,
                    Ok(_) => found.outdated += 1,
                }
            }
        }
        for tenant in self.tenants().await? {
            match self.callbacks().examine(tenant).await? {
                None => {}
                Some(Ok(true)) => found.current += 1,
                Some(Ok(false)) => found.outdated += 1,
                Some(Err(error)) => found.note(&error),
            }
        }
        Ok(found)
    }

    /// Looks at every secret there is, and changes nothing. It reads through the whole history.
    pub async fn examine(&self) -> Result<SecretsFound, ServiceError> {
        let mut found = self.examine_jobs().await?;
        for holder in SecretHolder::ALL {
            let mut after = None;
            while let Some((page, last)) = self.page(holder, after).await? {
                after = Some(last);
                for stored in &page {
                    match self.sealed_anew(holder, stored) {
                        Err(unopened) => found.note(&unopened.error),
                        Ok(None) => found.current += 1,
                        Ok(Some(_)) => found.outdated += 1,
                    }
                }
            }
        }
        Ok(found)
    }

    /// Seals every secret anew that is not sealed with the newest key; answers how many holders of secrets
    /// that were, and what there is to say of all of them then. Running servers need the newest key before this.
    pub async fn rotate(&self) -> Result<(u64, SecretsFound), ServiceError> {
        let mut found = SecretsFound::default();
        let mut sealed = 0;
        let mut after = None;
        loop {
            let page = self.core.store.definitions_after(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for job in page {
                if self.is_current(&job) {
                    found.current += 1;
                } else if self.seal_anew(job, &mut found).await? {
                    sealed += 1;
                }
            }
        }
        for tenant in self.tenants().await? {
            match self.callbacks().examine(tenant).await? {
                None => {}
                Some(Ok(true)) => found.current += 1,
                Some(Ok(false)) => {
                    self.callbacks().seal_anew(tenant).await?;
                    found.current += 1;
                    sealed += 1;
                }
                Some(Err(error)) => found.note(&error),
            }
        }
        for holder in SecretHolder::ALL {
            let mut after = None;
            while let Some((page, last)) = self.page(holder, after).await? {
                after = Some(last);
                for stored in &page {
                    match self.sealed_anew(holder, stored) {
                        Err(unopened) => found.note(&unopened.error),
                        Ok(None) => found.current += 1,
                        Ok(Some(document)) => {
                            self.core.store.replace_secrets(holder, stored.id, &document).await?;
                            found.current += 1;
                            sealed += 1;
                        }
                    }
                }
            }
        }
        Ok((sealed, found))
    }

    /// The next holders of secrets of a kind, with the id of the last; `None` when there are no more.
    async fn page(
        &self,
        holder: SecretHolder,
        after: Option<Uuid>,
    ) -> Result<Option<(Vec<StoredSecrets>, Uuid)>, ServiceError> {
        let page = self.core.store.secrets_after(holder, after, PAYLOADS).await?;
        let last = page.last().map(|last| last.id);
        Ok(last.map(|last| (page, last)))
    }

    /// A stored document with its secrets sealed with the newest key; `None` when they are.
    fn sealed_anew(&self, holder: SecretHolder, stored: &StoredSecrets) -> Result<Option<Value>, Unopened> {
        let document = match holder {
            SecretHolder::Execution => Document::Payload,
            SecretHolder::AgentTask => Document::AgentData,
            SecretHolder::Callback => Document::CallbackUrl,
        };
        let secrets = Secrets::new(&*self.core.secrets, stored.tenant_id, stored.owner);
        let mut anew = stored.document.clone();
        secrets.open(document, &mut anew)?;
        if secrets.is_current(document, &stored.document) {
            return Ok(None);
        }
        let failed = |error| Unopened { field: document.name().to_owned(), error };
        secrets.seal(document, &mut anew, None).map_err(failed)?;
        Ok(Some(anew))
    }

    fn callbacks(&self) -> CallbackService {
        CallbackService::new(Arc::clone(&self.core))
    }

    /// Every tenant there is.
    async fn tenants(&self) -> Result<Vec<TenantId>, ServiceError> {
        let mut all = Vec::new();
        for number in 1.. {
            let page = PageRequest { number, size: PageRequest::MAX_SIZE };
            let tenants = self.core.store.tenants(page).await?.items;
            let is_last = tenants.len() < PageRequest::MAX_SIZE as usize;
            all.extend(tenants.into_iter().map(|tenant| tenant.id));
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// Whether the job is now sealed with the newest key.
    async fn seal_anew(&self, mut job: Job, found: &mut SecretsFound) -> Result<bool, ServiceError> {
        for _ in 0..MAX_TRIES {
            let summary = match self.core.store.job(job.tenant_id, job.id).await {
                Ok(summary) => summary,
                // Purged meanwhile, its secrets with it.
                Err(StoreError::NotFound(_)) => return Ok(false),
                Err(error) => return Err(error.into()),
            };
            job = summary.job;
            let secrets = self.secrets(&job);
            match secrets.open_configuration(&job.spec.configuration) {
                Err(unopened) => {
                    found.note(&unopened.error);
                    return Ok(false);
                }
                Ok(Some(opened)) => job.spec.configuration = opened,
                Ok(None) => {}
            }
            secrets.seal_configuration(&mut job.spec.configuration, None)?;
            let expected_version = job.version;
            job.version += 1;
            let change = JobChange {
                job: job.clone(),
                expected_version,
                seen_next_run_at: summary.next_run_at,
                next_run_at: summary.next_run_at,
            };
            match self.core.store.update_job(change).await {
                Ok(()) => {
                    self.core.job_changed(job.tenant_id, job.id, JobChangeKind::Updated);
                    found.current += 1;
                    return Ok(true);
                }
                Err(StoreError::Conflict(Conflict::VersionChanged)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        found.outdated += 1;
        Ok(false)
    }

    fn is_current(&self, job: &Job) -> bool {
        let configuration = &job.spec.configuration;
        let document = Document::Configuration(configuration.job_type());
        self.secrets(job).is_current(document, &configuration.to_json())
    }

    fn secrets(&self, job: &Job) -> Secrets<'_> {
        Secrets::of_job(&*self.core.secrets, job.tenant_id, job.id)
    }
}

impl SecretsFound {
    fn note(&mut self, error: &SecretError) {
        self.unopened += 1;
        if let SecretError::UnknownKey { key } = error {
            self.missing_keys.insert(key.clone());
        }
    }
}
