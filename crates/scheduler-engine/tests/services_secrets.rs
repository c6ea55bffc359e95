//! Secrets at rest: sealed before the store sees them, opened for the attempt alone, sealed anew when the key changes.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod services_support;

use std::sync::Arc;

use horarium_domain::job::{HttpCall, JobConfiguration};
use horarium_domain::secret::{SEALED_PREFIX, SecretError, SecretPlace, SecretSealer, is_sealed};
use horarium_domain::{Entropy, JobId};
use horarium_scheduler_engine::Core;
use horarium_scheduler_engine::service::{JobInput, Services, TenantPolicy, mask_configuration};
use serde_json::json;
use services_support::{World, manual};

/// Writes the key, the place and the secret backwards: enough to see what was sealed with what for which place.
#[derive(Debug, Clone, Copy)]
struct Backwards {
    first: char,
    other: Option<char>,
}

impl Backwards {
    fn tail(place: SecretPlace<'_>, secret: &str) -> String {
        format!("{}/{}/{}/{}", place.tenant, place.owner, place.field, secret).chars().rev().collect()
    }
}

impl SecretSealer for Backwards {
    fn seal(&self, place: SecretPlace<'_>, secret: &str) -> Result<String, SecretError> {
        Ok(format!("{SEALED_PREFIX}{}:{}", self.first, Self::tail(place, secret)))
    }

    fn open(&self, place: SecretPlace<'_>, stored: &str) -> Result<String, SecretError> {
        let Some(rest) = stored.strip_prefix(SEALED_PREFIX) else { return Ok(stored.to_owned()) };
        let (key, tail) = rest.split_once(':').ok_or(SecretError::Refused)?;
        if ![Some(self.first), self.other].into_iter().flatten().any(|known| key == known.to_string()) {
            return Err(SecretError::UnknownKey { key: key.to_owned() });
        }
        let place = Self::tail(place, "");
        let secret = tail.strip_suffix(place.as_str()).ok_or(SecretError::Refused)?;
        Ok(secret.chars().rev().collect())
    }

    fn is_current(&self, stored: &str) -> bool {
        stored.strip_prefix(SEALED_PREFIX).is_some_and(|rest| rest.starts_with(self.first))
    }
}

struct NoChance;

impl Entropy for NoChance {
    fn unit(&self) -> f64 {
        0.5
    }

    fn secret(&self) -> [u8; 32] {
        [7; 32]
    }
}

/// Services over the world's store with these keys.
fn services(world: &World, first: char, other: Option<char>) -> Services {
    let keys = Arc::new(Backwards { first, other });
    let core = Core::with_secrets(world.store.clone(), world.clock.clone(), Arc::new(NoChance), keys);
    Services::new(&core, TenantPolicy::without_jobs())
}

fn secret_call() -> JobInput {
    let call = json!({
        "url": "https://a.example/1",
        "headers": {"Authorization": "Bearer s3cret", "Accept": "*/*"},
        "body": {"pin": 1234}, "bodySecret": true,
    });
    JobInput { job_type: Some("HttpCall".into()), job_configuration: Some(call), ..manual("job") }
}

async fn stored(world: &World, id: JobId) -> HttpCall {
    match world.store.job(world.tenant().id, id).await.unwrap().job.spec.configuration {
        JobConfiguration::HttpCall(call) => call,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_store_sees_sealed_secrets_only() {
    let world = World::new().await;
    let services = services(&world, 'n', None);
    let made = services.jobs.create(&world.alice(), &secret_call()).await.unwrap().job;
    let call = stored(&world, made.id).await;
    assert!(is_sealed(&call.headers["Authorization"]) && call.body.unwrap().as_str().is_some_and(is_sealed));
    assert_eq!(call.headers["Accept"], "*/*");
    assert_eq!(mask_configuration(&made.spec.configuration)["headers"]["Authorization"], json!("***"));
}

#[tokio::test]
async fn what_comes_back_as_it_was_changes_nothing_and_what_is_new_is_sealed_for_its_place() {
    let world = World::new().await;
    let jobs = services(&world, 'n', None).jobs;
    let made = jobs.create(&world.alice(), &secret_call()).await.unwrap().job;
    let before = stored(&world, made.id).await;

    let shown = mask_configuration(&made.spec.configuration);
    let back = JobInput { job_configuration: Some(shown), ..JobInput::default() };
    assert_eq!(jobs.update(&world.alice(), made.id, &back, None).await.unwrap().job.version, 1);
    assert_eq!(jobs.update(&world.alice(), made.id, &secret_call(), None).await.unwrap().job.version, 1);

    // A ciphertext that a caller got hold of is a text like any other: it opens as itself, wherever it is sent.
    let stolen = before.headers["Authorization"].clone();
    let call = json!({"url": "https://evil.example", "headers": {"Authorization": stolen}});
    let theft = JobInput { job_configuration: Some(call), ..JobInput::default() };
    jobs.update(&world.alice(), made.id, &theft, None).await.unwrap();
    let after = stored(&world, made.id).await;
    assert!(after.headers["Authorization"].len() > stolen.len(), "sealed once more");
}

#[tokio::test]
async fn a_secret_that_does_not_open_can_be_sent_again_and_everything_else_still_be_changed() {
    let world = World::new().await;
    let made = services(&world, 'o', None).jobs.create(&world.alice(), &secret_call()).await.unwrap().job;
    let jobs = services(&world, 'n', None).jobs;
    let renamed = JobInput { name: Some("renamed".into()), ..JobInput::default() };
    jobs.update(&world.alice(), made.id, &renamed, None).await.unwrap();

    let shown =
        JobInput { job_configuration: Some(mask_configuration(&made.spec.configuration)), ..JobInput::default() };
    let told = jobs.update(&world.alice(), made.id, &shown, None).await.unwrap_err().to_string();
    assert!(told.contains("'Authorization' again") && told.contains("HORARIUM_SECRET_KEY"), "{told}");
    jobs.update(&world.alice(), made.id, &secret_call(), None).await.unwrap();
    assert!(services(&world, 'n', None).secrets.examine().await.unwrap().missing_keys.is_empty());
}

#[tokio::test]
async fn rotating_seals_everything_anew_and_then_the_old_key_can_go() {
    let world = World::new().await;
    // One from before secrets were sealed, one with the old key, one deleted, one without a secret.
    let unsealed = world.create(JobInput { name: Some("unsealed".into()), ..secret_call() }).await.job;
    let old = services(&world, 'o', None);
    let job = old.jobs.create(&world.alice(), &secret_call()).await.unwrap().job;
    let named = JobInput { name: Some("deleted".into()), ..secret_call() };
    let deleted = old.jobs.create(&world.alice(), &named).await.unwrap().job;
    old.jobs.delete(&world.alice(), deleted.id, None).await.unwrap();
    world.create(manual("plain")).await;

    let only_new = services(&world, 'n', None).secrets;
    let found = only_new.examine().await.unwrap();
    assert_eq!((found.current, found.outdated, found.unopened), (1, 1, 2));
    assert!(found.missing_keys.contains("o"));

    let (sealed, found) = services(&world, 'n', Some('o')).secrets.rotate().await.unwrap();
    assert_eq!((sealed, found.current, found.outdated, found.unopened), (3, 4, 0, 0));
    let found = only_new.examine().await.unwrap();
    assert_eq!((found.current, found.outdated, found.unopened), (4, 0, 0));
    for id in [unsealed.id, job.id, deleted.id] {
        assert!(stored(&world, id).await.headers["Authorization"].starts_with("sealed:v1:n:"));
    }
    let (sealed, _) = only_new.rotate().await.unwrap();
    assert_eq!(sealed, 0);
}
