//! The client of a running server's API that `jobs` and `executions` are made of.

use std::time::Duration;

use clap::Args;
use horarium_auth::{Role, TokenClaims};
use horarium_domain::tenant::TenantRef;
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde_json::Value;

use super::credential::GivenCredential;
use super::output::{self, Format, OutputFlag};
use super::{Failure, token};
use crate::config::{Config, Environment, SettingFlags, load};
use crate::first_run;

/// The longest that one answer may take.
const TIMEOUT: Duration = Duration::from_mins(1);

/// How long a token that is made on the spot holds: as long as somebody may want to watch an execution.
const OWN_TOKEN: Duration = Duration::from_hours(1);

/// What helps who has no credential.
const ADVICE: &str = "set HORARIUM_TOKEN or HORARIUM_API_KEY";

/// The root of the scheduler dialect.
const SCHEDULER: &str = "/api/v1/scheduler";

/// Where the server is, and how to get in.
#[derive(Debug, Args)]
pub(super) struct ApiFlags {
    /// The server. Without it, the one that `serve` starts here, by the setting 'listen': 127.0.0.1:8080 unless it is set.
    #[arg(long, env = "HORARIUM_SERVER", value_name = "URL")]
    server: Option<Url>,
    /// The tenant of the token that is made when neither HORARIUM_TOKEN nor HORARIUM_API_KEY is set.
    #[arg(long, default_value = "default")]
    tenant: TenantRef,
    /// The data folder with the secret for such a token, if it is not where 'data_dir' says.
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<String>,
    #[command(flatten)]
    format: OutputFlag,
}

/// A server's API.
pub(super) struct Api {
    client: reqwest::Client,
    server: Url,
    credential: GivenCredential,
    /// How answers are shown.
    pub(super) format: Format,
}

impl ApiFlags {
    /// Finds a credential, and gets ready to call.
    pub(super) fn connect(self) -> Result<Api, Failure> {
        let environment = Environment::of_process();
        let (server, is_here) = match &self.server {
            Some(server) => (server.clone(), is_loopback(server)),
            None => (Url::parse(&first_run::url(self.config(&environment)?.listen))?, true),
        };
        let credential = match GivenCredential::of(&environment)? {
            Some(given) => given,
            None if is_here => GivenCredential::Token(self.own_token(&environment)?),
            None => return Err(Failure::new(format!("no credential for {server}: {ADVICE}"))),
        };
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none()) // the credential is for this server
            .user_agent(concat!("horarium/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Api { client, server, credential, format: self.format.output })
    }

    /// On the server's own machine, who can read its secret needs no other credential.
    fn own_token(&self, environment: &Environment) -> Result<String, Failure> {
        let config = self.config(environment)?;
        let mut claims = TokenClaims::new("cli", self.tenant.clone(), vec![Role::Admin]);
        claims.name = Some("command line".to_owned());
        let token = token::sign(&config, claims, OWN_TOKEN)
            .map_err(|failure| Failure::new(format!("no credential: {ADVICE} ({failure})")))?;
        output::note(&format!(
            "note: neither HORARIUM_TOKEN nor HORARIUM_API_KEY is set; using a token made for an hour with this \
             server's own secret (tenant {}, role admin)",
            self.tenant
        ));
        Ok(token)
    }

    /// What `serve` would be configured with here.
    fn config(&self, environment: &Environment) -> Result<Config, Failure> {
        Ok(load(&SettingFlags::of_data_dir(self.data_dir.as_deref()), environment)?.config)
    }
}

/// Whether a server of this address is on this machine.
fn is_loopback(server: &Url) -> bool {
    match server.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl Api {
    /// Reads from the scheduler dialect.
    pub(super) async fn get(&self, path: &str, query: &[(&str, Option<String>)]) -> Result<Value, Failure> {
        let url = self.url(&format!("{SCHEDULER}{path}"), query)?;
        self.call(self.client.request(Method::GET, url)).await
    }

    /// Reads from the platform's routes.
    pub(super) async fn get_platform(&self, path: &str, query: &[(&str, Option<String>)]) -> Result<Value, Failure> {
        let url = self.url(&format!("/api/v1{path}"), query)?;
        self.call(self.client.request(Method::GET, url)).await
    }

    /// Writes to the scheduler dialect.
    pub(super) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let request = self.client.request(method, self.url(&format!("{SCHEDULER}{path}"), &[])?);
        self.call(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    fn url(&self, path: &str, query: &[(&str, Option<String>)]) -> Result<Url, Failure> {
        // Appended, not joined: a server may be behind a proxy, below a path of its own.
        let mut url = Url::parse(&format!("{}{path}", self.server.as_str().trim_end_matches('/')))?;
        for (name, value) in query {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        Ok(url)
    }

    async fn call(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let request = match &self.credential {
            GivenCredential::Token(token) => request.bearer_auth(token),
            GivenCredential::Key(key) => request.header("X-API-Key", key),
        };
        let answer = request.send().await.map_err(|error| {
            let is_away = error.is_connect();
            let (server, why) = (&self.server, Failure::from(error.without_url()));
            Failure::new(if is_away {
                format!("no server answers at {server}: {why}; name another one with --server or HORARIUM_SERVER")
            } else {
                format!("no answer from {server}: {why}")
            })
        })?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            return Err(refusal(status, &text));
        }
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text)
            .map_err(|_| Failure::new(format!("{} answered {status} with something that is not JSON", self.server)))
    }
}

/// What the server says is wrong, in one line.
fn refusal(status: StatusCode, body: &str) -> Failure {
    let problem: Value = serde_json::from_str(body).unwrap_or_default();
    let words = problem["detail"].as_str().or_else(|| problem["title"].as_str());
    let mut line = words.map_or_else(|| format!("the server answered {status}"), str::to_owned);
    if let Some(fields) = problem["errors"].as_object() {
        for (field, messages) in fields {
            let messages: Vec<_> = messages.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            line = format!("{line}; {field}: {}", messages.join(", "));
        }
    }
    Failure::new(format!("{line} ({})", status.as_u16()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_in_one_line_with_its_fields() {
        let body =
            r#"{"title":"Bad Request","status":400,"detail":"The job is not valid","errors":{"name":["is required"]}}"#;
        assert_eq!(refusal(StatusCode::BAD_REQUEST, body).to_string(), "The job is not valid; name: is required (400)");
    }

    #[test]
    fn an_answer_of_something_else_is_told_by_its_status() {
        assert_eq!(refusal(StatusCode::BAD_GATEWAY, "<html>").to_string(), "the server answered 502 Bad Gateway (502)");
    }
}
