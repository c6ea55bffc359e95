//! Secrets at rest, over all tenants: whether they open, and sealing them anew with the newest key.

use std::collections::BTreeSet;
use std::sync::Arc;

use horarium_domain::job::Job;
use horarium_domain::page::PageRequest;
use horarium_domain::secret::{Document, SecretError};
use horarium_domain::store::{Conflict, JobChange, SecretHolder, StoreError, StoredSecrets};
use serde_json::Value;

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
        let mut round = self.round(Outdated::Count);
        round.jobs().await?;
        round.tenants().await?;
        Ok(round.found)
    }

    /// Looks at every secret there is, and changes nothing. It reads through the whole history.
    pub async fn examine(&self) -> Result<SecretsFound, ServiceError> {
        Ok(self.whole_round(Outdated::Count).await?.found)
    }

    /// Seals every secret anew that is not sealed with the newest key; answers how many holders of secrets
    /// that were, and what there is to say of all of them then. Running servers need the newest key before this.
    pub async fn rotate(&self) -> Result<(u64, SecretsFound), ServiceError> {
        let round = self.whole_round(Outdated::SealAnew).await?;
        Ok((round.sealed, round.found))
    }

    fn round(&self, outdated: Outdated) -> Round<'_> {
        Round { core: &self.core, outdated, sealed: 0, found: SecretsFound::default() }
    }

    async fn whole_round(&self, outdated: Outdated) -> Result<Round<'_>, ServiceError> {
        let mut round = self.round(outdated);
        round.jobs().await?;
        round.tenants().await?;
        round.holders().await?;
        Ok(round)
    }
}

/// What becomes of secrets that are not sealed with the newest key.
#[derive(Debug, Clone, Copy)]
enum Outdated {
    Count,
    SealAnew,
}

/// One way through the secrets.
struct Round<'a> {
    core: &'a Arc<Core>,
    outdated: Outdated,
    /// How many holders of secrets were sealed anew.
    sealed: u64,
    found: SecretsFound,
}

impl Round<'_> {
    async fn jobs(&mut self) -> Result<(), ServiceError> {
        let mut after = None;
        loop {
            let page = self.core.store.definitions_after(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            for job in page {
                match (self.secrets(&job).open_configuration(&job.spec.configuration), self.outdated) {
                    (Err(unopened), _) => self.found.note(&unopened.error),
                    (Ok(_), _) if self.is_current(&job) => self.found.current += 1,
                    (Ok(_), Outdated::Count) => self.found.outdated += 1,
                    (Ok(_), Outdated::SealAnew) => self.seal_job(job).await?,
                }
            }
        }
    }

    /// Goes over the secrets that tenants sign webhooks with.
    async fn tenants(&mut self) -> Result<(), ServiceError> {
        let callbacks = CallbackService::new(Arc::clone(self.core));
        for number in 1.. {
            let page = PageRequest { number, size: PageRequest::MAX_SIZE };
            let tenants = self.core.store.tenants(page).await?.items;
            for tenant in &tenants {
                match (callbacks.examine(tenant.id).await?, self.outdated) {
                    (None, _) => {}
                    (Some(Err(error)), _) => self.found.note(&error),
                    (Some(Ok(true)), _) => self.found.current += 1,
                    (Some(Ok(false)), Outdated::Count) => self.found.outdated += 1,
                    (Some(Ok(false)), Outdated::SealAnew) => {
                        callbacks.seal_anew(tenant.id).await?;
                        self.count_sealed();
                    }
                }
            }
            if tenants.len() < PageRequest::MAX_SIZE as usize {
                break;
            }
        }
        Ok(())
    }

    /// Goes over the secrets of executions, of agents' tasks and of callbacks.
    async fn holders(&mut self) -> Result<(), ServiceError> {
        for holder in SecretHolder::ALL {
            let mut after = None;
            loop {
                let page = self.core.store.secrets_after(holder, after, PAYLOADS).await?;
                let Some(last) = page.last() else { break };
                after = Some((last.tenant_id, last.id));
                for stored in &page {
                    match (self.sealed_anew(holder, stored), self.outdated) {
                        (Err(unopened), _) => self.found.note(&unopened.error),
                        (Ok(None), _) => self.found.current += 1,
                        (Ok(Some(_)), Outdated::Count) => self.found.outdated += 1,
                        (Ok(Some(document)), Outdated::SealAnew) => {
                            self.core.store.replace_secrets(holder, stored.tenant_id, stored.id, &document).await?;
                            self.count_sealed();
                        }
                    }
                }
            }
        }
        Ok(())
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

    /// Seals a job's secrets anew, unless it is purged meanwhile, its secrets with it.
    async fn seal_job(&mut self, mut job: Job) -> Result<(), ServiceError> {
        for _ in 0..MAX_TRIES {
            let summary = match self.core.store.job(job.tenant_id, job.id).await {
                Ok(summary) => summary,
                Err(StoreError::NotFound(_)) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            job = summary.job;
            let opened = self.secrets(&job).open_configuration(&job.spec.configuration);
            match opened {
                Err(unopened) => {
                    self.found.note(&unopened.error);
                    return Ok(());
                }
                Ok(Some(opened)) => job.spec.configuration = opened,
                Ok(None) => {}
            }
            self.secrets(&job).seal_configuration(&mut job.spec.configuration, None)?;
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
                    self.count_sealed();
                    return Ok(());
                }
                Err(StoreError::Conflict(Conflict::VersionChanged)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.found.outdated += 1;
        Ok(())
    }

    /// Counts what was just sealed anew.
    const fn count_sealed(&mut self) {
        self.sealed += 1;
        self.found.current += 1;
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
