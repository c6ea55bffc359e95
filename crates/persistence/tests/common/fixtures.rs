//! Things to store.

use horarium_domain::api_key::{ApiKeyRecord, SecretHash};
use horarium_domain::execution::{NewExecution, Trigger};
use horarium_domain::job::{CodeExecution, Job, JobSpec};
use horarium_domain::tenant::Tenant;
use horarium_domain::{ApiKeyId, IdGenerator, JobId, TenantId, Timestamp};

/// The instant at which everything is made.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_760_000_000);

pub(crate) fn tenant(slug: &str) -> Tenant {
    Tenant {
        id: TenantId::from_uuid(IdGenerator::new().uuid(NOW)),
        slug: slug.parse().expect("a slug"),
        name: slug.to_owned(),
        is_active: true,
        created_at: NOW,
    }
}

pub(crate) fn job(tenant: &Tenant, name: &str) -> Job {
    Job::new(
        JobId::from_uuid(IdGenerator::new().uuid(NOW)),
        tenant.id,
        JobSpec::new(name, CodeExecution::of("nothing")),
        NOW,
    )
}

pub(crate) fn execution(job: &Job) -> NewExecution {
    NewExecution {
        id: IdGenerator::new().execution(NOW),
        tenant_id: job.tenant_id,
        job_id: job.id,
        trigger: Trigger::Api,
        triggered_by: "alice".to_owned(),
        payload: None,
        queue: "default".to_owned(),
        priority: 0,
        scheduled_for: NOW,
        run_at: NOW,
        created_at: NOW,
        retry_parent_id: None,
        unique_key: None,
        concurrency_key: None,
        max_attempts: None,
    }
}

pub(crate) fn api_key(tenant: &Tenant) -> ApiKeyRecord {
    ApiKeyRecord {
        id: ApiKeyId::from_uuid(IdGenerator::new().uuid(NOW)),
        tenant_id: tenant.id,
        name: "ci".to_owned(),
        scopes: vec!["jobs:read".to_owned()],
        secret_hash: SecretHash::from_bytes([7; 32]),
        created_at: NOW,
        created_by: "alice".to_owned(),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    }
}
