//! `HttpCall`: a job that is an HTTP request.
//!
//! What a job's author can rely on:
//!
//! - The request carries `Idempotency-Key: <execution id>` (the same for all attempts, so a target can tell a repetition
//!   from a new order), `X-Horarium-Execution-Id`, `X-Horarium-Attempt` (from 1) and `User-Agent: horarium/<version>`.
//!   The job's own headers may replace `Idempotency-Key` and `User-Agent`. Headers that belong to the connection
//!   (`Content-Length`, `Transfer-Encoding`, `Connection` and their like) are the client's business and left out.
//! - A body that is a text is sent as it is; any other JSON value is sent as JSON, with
//!   `Content-Type: application/json` unless the job says otherwise. Without a body, the execution's payload is sent as
//!   JSON, if it has one and the method usually has a body (not GET, HEAD, DELETE, OPTIONS).
//! - Success is a status of `successStatusCodes`, or any 2xx. A failure's status decides by `retryOnStatusCodes`, and
//!   then by the job's retry policy, whether another attempt follows; `Retry-After` is not consulted.
//! - Up to ten redirects are followed, unless a 3xx status counts as success. On the way to another scheme, host or
//!   port, headers that hold secrets stay behind.
//! - The response's body becomes the output, up to a limit; the rest is read a little further, then the connection is
//!   dropped. A JSON object that fits may carry `itemsProcessed`.
//! - The [egress guard](crate::egress) decides which addresses can be reached. Proxies named in the environment are not
//!   used: behind one, the guard would see the proxy's address only.
//! - Cancelling the attempt drops the request at once, and the target sees the connection close.

mod error;
mod redirect;
mod request;
mod response;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use horarium_domain::execution::{DEFAULT_OUTPUT_LIMIT, Failure};
use horarium_domain::job::{HttpCall, JobConfiguration, JobType};
use horarium_scheduler_engine::{Executor, Outcome, Run};

use crate::egress::{Egress, EgressPolicy, GuardedResolver, NameResolver, SystemResolver};
use crate::template::Templates;
use crate::wrong_type;
use request::Request;
use reqwest::header::HeaderMap;

/// How calls are made.
#[derive(Debug, Clone)]
pub struct HttpCallSettings {
    /// Which addresses calls may reach.
    pub egress: EgressPolicy,
    /// What fills the templates in a call.
    pub templates: Templates,
    /// How many bytes of a response's body are kept as the output.
    pub output_limit: usize,
    /// How many further bytes are read and thrown away to keep the connection in use.
    pub drain_limit: usize,
    /// How many redirects are followed.
    pub max_redirects: usize,
    /// How long connecting may take, TLS included.
    pub connect_timeout: Duration,
    /// The `User-Agent` of calls that do not name their own.
    pub user_agent: String,
}

impl HttpCallSettings {
    /// 64 KiB of output, 256 KiB drained, ten redirects, ten seconds to connect.
    pub fn new(egress: EgressPolicy, templates: Templates) -> Self {
        Self {
            egress,
            templates,
            output_limit: DEFAULT_OUTPUT_LIMIT,
            drain_limit: 256 * 1024,
            max_redirects: 10,
            connect_timeout: Duration::from_secs(10),
            user_agent: concat!("horarium/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// The HTTP client cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for jobs cannot be set up: {0}")]
pub struct HttpClientError(#[source] reqwest::Error);

/// Runs [`HttpCall`] jobs, all over one pool of connections.
#[derive(Debug, Clone)]
pub struct HttpCallExecutor {
    client: reqwest::Client,
    egress: Egress,
    settings: Arc<HttpCallSettings>,
}

impl HttpCallExecutor {
    /// Sets up the client, with the operating system's resolver and certificates.
    pub fn new(settings: HttpCallSettings) -> Result<Self, HttpClientError> {
        Self::with_resolver(settings, Arc::new(SystemResolver))
    }

    /// Like [`HttpCallExecutor::new`], with another resolver of names.
    pub fn with_resolver(settings: HttpCallSettings, names: Arc<dyn NameResolver>) -> Result<Self, HttpClientError> {
        let egress = Egress::new(settings.egress.clone(), names);
        let builder = || {
            reqwest::Client::builder()
                .dns_resolver(GuardedResolver(egress.clone()))
                .redirect(reqwest::redirect::Policy::none())
                .user_agent(settings.user_agent.clone())
                .referer(false)
                .no_proxy()
                .connect_timeout(settings.connect_timeout)
                .tcp_keepalive(Duration::from_mins(1))
                .pool_idle_timeout(Duration::from_mins(1))
                .pool_max_idle_per_host(16)
        };
        // A machine without CA certificates (a bare container) can still make plain HTTP calls.
        let client = builder().build().or_else(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "no CA certificates can be loaded: HTTPS calls of jobs will fail until they are installed"
            );
            builder().tls_certs_only([]).build()
        });
        Ok(Self { client: client.map_err(HttpClientError)?, egress, settings: Arc::new(settings) })
    }

    async fn call(&self, call: &HttpCall, run: &Run) -> Outcome {
        let request = match Request::build(call, run, &self.settings) {
            Ok(request) => request,
            Err(failure) => return Outcome::failed(failure),
        };
        let target = request.target();
        let Some(seconds) = call.timeout_seconds else {
            return self.exchange(call, request).await;
        };
        let limit = Duration::from_secs(u64::from(seconds));
        tokio::time::timeout(limit, self.exchange(call, request)).await.unwrap_or_else(|_| {
            Outcome::failed(Failure::retryable(format!(
                "{target} did not answer in full within {seconds} s (jobConfiguration.timeoutSeconds)"
            )))
        })
    }

    /// Sends the request, and those that redirects ask for, until an answer is final.
    async fn exchange(&self, call: &HttpCall, mut request: Request) -> Outcome {
        let mut followed = 0;
        loop {
            let response = match self.send(&request).await {
                Ok(response) => response,
                Err(failure) => return Outcome::failed(failure),
            };
            let success = response::is_success(call, response.status());
            match redirect::location(&response).filter(|_| !success) {
                None => return response::outcome(call, &request, response, &self.settings).await,
                Some(_) if followed == self.settings.max_redirects => {
                    return Outcome::failed(Failure::retryable(format!(
                        "{} answered with yet another redirect after {followed} of them",
                        request.target()
                    )));
                }
                Some(location) => match redirect::follow(request, response.status(), &location) {
                    Ok(next) => request = next,
                    Err(failure) => return Outcome::failed(failure),
                },
            }
            followed += 1;
        }
    }

    /// Sends what is no job's call through the same client and guard, and follows no redirect. Answers whom it was sent
    /// to, for people, and the status of the answer if that means that it was taken.
    pub(crate) async fn post(
        &self,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
        patience: Duration,
    ) -> (String, Result<u16, Failure>) {
        let url = match request::web_url(url) {
            Ok(url) => url,
            Err(problem) => return ("POST".to_owned(), Err(Failure::permanent(format!("the URL {problem}")))),
        };
        let request = Request { method: reqwest::Method::POST, url, headers, body: Some(body) };
        let target = request.target();
        let answer = match tokio::time::timeout(patience, self.send(&request)).await {
            Ok(Ok(response)) if response.status().is_success() => Ok(response.status().as_u16()),
            Ok(Ok(response)) => {
                let status = response.status();
                let told = format!("{target} answered {status}");
                Err(Failure::retryable(told).with_http_status(status.as_u16()))
            }
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(Failure::retryable(format!("{target} did not answer within {} s", patience.as_secs()))),
        };
        (target, answer)
    }

    async fn send(&self, request: &Request) -> Result<reqwest::Response, Failure> {
        if let Some(host) = request.url.host() {
            self.egress.check_host(&host).map_err(|refusal| Failure::permanent(refusal.to_string()))?;
        }
        let mut builder =
            self.client.request(request.method.clone(), request.url.clone()).headers(request.headers.clone());
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        builder.send().await.map_err(|error| error::failure(&request.target(), &error, self.settings.connect_timeout))
    }
}

#[async_trait]
impl Executor for HttpCallExecutor {
    async fn execute(&self, run: Run) -> Outcome {
        let JobConfiguration::HttpCall(call) = &run.job.spec.configuration else {
            return wrong_type(JobType::HttpCall, run.job.spec.configuration.job_type());
        };
        tokio::select! {
            biased;
            () = run.cancellation.cancelled() => {
                Outcome::failed(Failure::retryable("the attempt was stopped, and its request dropped"))
            }
            outcome = self.call(call, &run) => outcome,
        }
    }
}
