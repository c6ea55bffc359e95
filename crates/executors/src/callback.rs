//! Delivering callbacks: the handler of the engine's job [`SystemJob::CallbackDelivery`], which tells the end of an
//! execution to the URL that its submitter gave.
//!
//! What a receiver can rely on:
//!
//! - The request is a POST with a JSON body, through the same client and the same [egress guard](crate::egress) as the
//!   calls of jobs. Redirects are not followed. Any 2xx means that it was taken; after anything else it comes again,
//!   later and later.
//! - `X-Horarium-Signature: t=<unix seconds>,v1=<hex>`, where `v1` is the HMAC-SHA256 of `<t>.<body>` under the tenant's
//!   secret. Whoever checks `t` too is safe from repetitions by others.
//! - `X-Horarium-Delivery` and `Idempotency-Key` hold the id of the execution that ended: the same for every attempt,
//!   also when one is repeated because its worker died after the call. `X-Horarium-Attempt` counts them, from 1.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use horarium_domain::execution::{Execution, Failure};
use horarium_domain::{Clock, ExecutionId, TenantId, Timestamp};
use horarium_scheduler_engine::service::{DeliveryReport, ServiceError, Services};
use horarium_scheduler_engine::{Run, SystemJob};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;

use crate::HttpCallExecutor;
use crate::code::{Handler, HandlerContext, HandlerOutput, Handlers};

const SIGNATURE: HeaderName = HeaderName::from_static("x-horarium-signature");
const DELIVERY: HeaderName = HeaderName::from_static("x-horarium-delivery");
const ATTEMPT: HeaderName = HeaderName::from_static("x-horarium-attempt");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How long a receiver may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes the body that tells the end of an execution, from the execution, its submitter's own name for it, and how many
/// executions wait in its queue.
pub type CallbackBody = Arc<dyn Fn(&Execution, Option<Value>, u64) -> Vec<u8> + Send + Sync>;

/// Adds the handlers of the jobs that Horarium itself submits: deliveries of callbacks, and tests of the queue.
#[must_use]
pub fn register(handlers: Handlers, delivery: CallbackDelivery) -> Handlers {
    handlers
        .register(SystemJob::CallbackDelivery.name(), delivery)
        .register(SystemJob::QueueTest.name(), |_: HandlerContext| async { Ok(HandlerOutput::none()) })
}

/// Delivers callbacks.
pub struct CallbackDelivery {
    services: Services,
    http: HttpCallExecutor,
    clock: Arc<dyn Clock>,
    body: CallbackBody,
}

/// The payload of a delivery.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    execution_id: ExecutionId,
}

impl CallbackDelivery {
    /// Over the services that know what is to be told, and the client that tells it.
    pub fn new(services: Services, http: HttpCallExecutor, clock: Arc<dyn Clock>, body: CallbackBody) -> Self {
        Self { services, http, clock, body }
    }

    /// Tells the end of an execution; answers to whom, and the status it was taken with or why it was not.
    async fn deliver(&self, of: ExecutionId, run: &Run) -> Result<(String, Result<u16, Failure>), Failure> {
        let tenant = run.job.tenant_id;
        let callbacks = &self.services.callbacks;
        let (callback, execution) = callbacks.to_deliver(tenant, of).await.map_err(|error| let_down(&error))?;
        let url = callback.asked.url.ok_or_else(|| Failure::permanent("the execution asks for no callback"))?;
        let key = callbacks.signing_key(tenant).await.map_err(|error| let_down(&error))?;
        let body = self.body(tenant, &execution, callback.asked.reference).await?;

        let text = |text: &str| HeaderValue::from_str(text).map_err(|_| Failure::permanent("a header holds no text"));
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(SIGNATURE, text(&signature(&key.secret, self.clock.now(), &body)?)?);
        headers.insert(DELIVERY, text(&of.to_string())?);
        headers.insert(IDEMPOTENCY_KEY, text(&of.to_string())?);
        headers.insert(ATTEMPT, HeaderValue::from(run.attempt));
        Ok(self.http.post(&url, headers, body, PATIENCE).await)
    }

    async fn body(&self, tenant: TenantId, execution: &Execution, reference: Option<Value>) -> Result<Bytes, Failure> {
        let queue = self.services.queues.glance(tenant, &execution.summary.queue).await;
        let waiting = queue.map_err(|error| let_down(&error))?.pending;
        Ok(Bytes::from((self.body)(execution, reference, waiting)))
    }
}

#[async_trait]
impl Handler for CallbackDelivery {
    async fn handle(&self, context: HandlerContext) -> Result<HandlerOutput, Failure> {
        let Order { execution_id } = context.payload()?;
        let run = &context.run;
        let (target, answer) = tokio::select! {
            biased;
            () = run.cancellation.cancelled() => {
                return Err(Failure::retryable("the attempt was stopped, and its request dropped"));
            }
            delivered = self.deliver(execution_id, run) => delivered?,
        };
        let (report, outcome) = match answer {
            Ok(status) => (DeliveryReport::Delivered, Ok(HandlerOutput::text(format!("{target} answered {status}")))),
            Err(failure) => (DeliveryReport::Failed(failure.error.clone()), Err(failure)),
        };
        let noted = self.services.callbacks.report(run.job.tenant_id, execution_id, run.attempt, &target, report).await;
        if let Err(error) = noted {
            // What happened has happened; only the story lacks a line.
            tracing::warn!(execution = %execution_id, %error, "an attempt to deliver a callback was not noted");
        }
        outcome
    }
}

/// The value of `X-Horarium-Signature`.
fn signature(secret: &str, at: Timestamp, body: &[u8]) -> Result<String, Failure> {
    use std::fmt::Write as _;
    let unusable = |_| Failure::permanent("the secret that callbacks are signed with cannot be used");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(unusable)?;
    let seconds = at.as_seconds();
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let mut value = format!("t={seconds},v1=");
    for byte in mac.finalize().into_bytes() {
        // Writing to a text never fails.
        let _ = write!(value, "{byte:02x}");
    }
    Ok(value)
}

/// The failure of an attempt whose callback cannot be had.
fn let_down(error: &ServiceError) -> Failure {
    match error {
        ServiceError::NotFound(_) => Failure::permanent("the execution or its callback is gone"),
        error => {
            if let Some(internal) = error.internal() {
                tracing::error!(cause = internal, "a callback cannot be delivered");
            }
            Failure::retryable(error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_hmac_of_the_time_and_the_body() {
        let at = Timestamp::from_seconds(1_752_159_000);
        // printf '1752159000.{}' | openssl dgst -sha256 -hmac whsec_00
        let expected = "t=1752159000,v1=34f9b6437365f3141676b49d31f0e5bfdcfdbfd595ee6ba2d78721657bb3297c";
        let signed = signature("whsec_00", at, b"{}").unwrap();
        assert_eq!(signed, expected);
        assert_ne!(signed, signature("whsec_01", at, b"{}").unwrap());
        assert_ne!(signed, signature("whsec_00", at, b"{ }").unwrap());
    }
}
