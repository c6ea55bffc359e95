//! The four calls of the protocol, and what a refusal means.

use std::fmt;
use std::time::Duration;

use horarium_domain::AgentId;
use horarium_domain::agent::protocol::{
    HeartbeatRequest, HeartbeatResponse, LeaseRequest, LeasedTask, RegisterRequest, RegisterResponse, Report,
    ReportResult,
};
use reqwest::{StatusCode, Url, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::http_client;
use crate::settings::Credential;

/// How long an answer may take, beside what a call for work asks the server to wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How much of an answer that is not understood is shown.
const SHOWN: usize = 200;

/// The server, as an agent sees it.
#[derive(Debug)]
pub(crate) struct Calls {
    client: reqwest::Client,
    base: String,
    credential: Credential,
}

/// Why a call gave nothing.
#[derive(Debug)]
pub(crate) enum CallError {
    /// The credential does not hold (401) or does not make an agent (403).
    Credential(Refusal),
    /// The server does not know the agent, or knows no agents at all.
    Unknown,
    /// More than the server takes at once (413).
    TooLarge,
    /// The server does not take what it was sent.
    Refused(Refusal),
    /// No answer, or one that says "later".
    Away {
        problem: String,
        /// When to try again, if the server said.
        after: Option<Duration>,
    },
}

/// What the server said.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) detail: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.detail, self.status.as_u16())
    }
}

impl Calls {
    pub(crate) fn new(server: &Url, credential: Credential) -> Result<Self, reqwest::Error> {
        let client = http_client::build(|builder| builder)?;
        // Appended, not joined: a server may be below a path of its own.
        let base = format!("{}/api/v1/agents", server.as_str().trim_end_matches('/'));
        Ok(Self { client, base, credential })
    }

    pub(crate) async fn register(&self, request: &RegisterRequest) -> Result<RegisterResponse, CallError> {
        self.call("register", request, ANSWER_TIMEOUT).await
    }

    pub(crate) async fn lease(&self, id: AgentId, request: &LeaseRequest) -> Result<Vec<LeasedTask>, CallError> {
        let wait = Duration::from_secs(request.wait_seconds.into());
        self.call(&format!("{id}/lease"), request, wait + ANSWER_TIMEOUT).await
    }

    pub(crate) async fn report(&self, id: AgentId, reports: &[Report]) -> Result<Vec<ReportResult>, CallError> {
        self.call(&format!("{id}/report"), reports, ANSWER_TIMEOUT).await
    }

    pub(crate) async fn heartbeat(
        &self,
        id: AgentId,
        request: &HeartbeatRequest,
    ) -> Result<HeartbeatResponse, CallError> {
        self.call(&format!("{id}/heartbeat"), request, ANSWER_TIMEOUT).await
    }

    async fn call<Q: Serialize + ?Sized, A: DeserializeOwned>(
        &self,
        path: &str,
        question: &Q,
        timeout: Duration,
    ) -> Result<A, CallError> {
        let request = self.client.post(format!("{}/{path}", self.base)).json(question).timeout(timeout);
        let request = match &self.credential {
            Credential::Token(token) => request.bearer_auth(token),
            Credential::Key(key) => request.header("X-API-Key", key),
        };
        let answer = request.send().await.map_err(away)?;
        let status = answer.status();
        let after = retry_after(answer.headers());
        let body = answer.bytes().await.map_err(away)?;
        match status {
            status if status.is_success() => serde_json::from_slice(&body).map_err(|error| CallError::Away {
                problem: format!("{status} with something that is no answer to '{path}': {error}"),
                after: None,
            }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(CallError::Credential(refusal(status, &body))),
            StatusCode::NOT_FOUND => Err(CallError::Unknown),
            StatusCode::PAYLOAD_TOO_LARGE => Err(CallError::TooLarge),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                Err(CallError::Away { problem: refusal(status, &body).to_string(), after })
            }
            status if status.is_client_error() => Err(CallError::Refused(refusal(status, &body))),
            // Redirects too: a credential is for the server that it was given for.
            status => Err(CallError::Away { problem: refusal(status, &body).to_string(), after }),
        }
    }
}

/// What the server says is wrong, in one line.
fn refusal(status: StatusCode, body: &[u8]) -> Refusal {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let words = ["detail", "title", "error"].into_iter().find_map(|field| problem[field].as_str());
    let mut detail = words.map_or_else(|| format!("it answers {status}"), |words| words.chars().take(SHOWN).collect());
    if let Some(fields) = problem["errors"].as_object() {
        for (field, messages) in fields {
            let messages: Vec<_> = messages.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            detail = format!("{detail}; {field}: {}", messages.join(", "));
        }
    }
    Refusal { status, detail }
}

fn away(error: reqwest::Error) -> CallError {
    CallError::Away { problem: http_client::words(error), after: None }
}

/// `Retry-After` in seconds; the form with a date is not used towards agents.
fn retry_after(headers: &header::HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(Duration::from_mins(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_one_line_with_its_fields() {
        let body =
            br#"{"title":"Bad Request","detail":"The agent is not valid","errors":{"hostname":["is required"]}}"#;
        let refusal = refusal(StatusCode::BAD_REQUEST, body);
        assert_eq!(refusal.to_string(), "The agent is not valid; hostname: is required (400)");
    }

    #[test]
    fn an_answer_of_something_else_is_told_by_its_status() {
        assert_eq!(refusal(StatusCode::BAD_GATEWAY, b"<html>").to_string(), "it answers 502 Bad Gateway (502)");
    }
}
