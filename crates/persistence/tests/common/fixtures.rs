//! Things to store.

use horarium_domain::api_key::{ApiKeyRecord, SecretHash};
use horarium_domain::job::{CodeExecution, ConcurrencyPolicy, Job, JobConfiguration, JobSpec, QueueName};
use horarium_domain::retry::RetryPolicy;
use horarium_domain::schedule::{MisfirePolicy, Schedule};
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
    Job {
        id: JobId::from_uuid(IdGenerator::new().uuid(NOW)),
        tenant_id: tenant.id,
        spec: JobSpec {
            name: name.to_owned(),
            description: None,
            configuration: JobConfiguration::CodeExecution(CodeExecution {
                handler_type: "nothing".to_owned(),
                method_name: None,
                parameters: serde_json::Map::new(),
            }),
            schedule: Schedule::manual(),
            misfire_policy: MisfirePolicy::default(),
            retry_policy: RetryPolicy::default(),
            timeout_seconds: 60,
            is_enabled: true,
            tags: Vec::new(),
            queue: QueueName::default(),
            priority: 0,
            group: None,
            concurrency_policy: ConcurrencyPolicy::Allow,
            max_concurrency: None,
        },
        is_paused: false,
        is_deleted: false,
        created_by: None,
        last_modified_by: None,
        created_at: NOW,
        updated_at: NOW,
        version: 1,
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
