//! `http.request.do`: an HTTP request from the agent's machine.
//!
//! Reaching what the server cannot reach is what agents are for, so private networks and the own machine are open. Closed
//! are link-local addresses and the metadata services of cloud providers, which hand out the machine's own credentials:
//! an address of theirs is refused, and a name is only connected to at its other addresses. Redirects are not followed
//! but given as the answer, and no proxy is used, so that neither leads around that.
//!
//! Data: see [`Request`]. Result: see [`Answer`]. Any 2xx is success, or what `success_status_codes` lists.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use horarium_domain::ExecutionId;
use horarium_domain::address::{Forbidden, is_forbidden};
use horarium_domain::execution::Capture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Host;

use super::{Done, Problem, is_zero, text_and_cut};
use crate::http_client;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    /// `http` or `https`.
    url: Url,
    /// GET unless given.
    #[serde(default = "Request::default_method")]
    method: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A text is sent as it is, anything else as JSON.
    #[serde(default)]
    body: Option<Value>,
    /// Whether the body is a secret: the server seals and hides it then, and the agent sends it like any other.
    #[serde(default, rename = "body_secret", alias = "bodySecret")]
    _body_secret: bool,
    /// For the whole exchange; as long as the task may take unless given.
    #[serde(default, alias = "timeout")]
    timeout_seconds: Option<u32>,
    /// The statuses that count as success; any 2xx unless given.
    #[serde(default)]
    success_status_codes: Option<Vec<u16>>,
}

impl Request {
    fn default_method() -> String {
        "GET".to_owned()
    }
}

#[derive(Debug, Serialize)]
struct Answer {
    status: u16,
    /// Names in lower case; the values of one that comes several times are joined by commas.
    headers: BTreeMap<String, String>,
    body: String,
    /// How many bytes of the body were left out; absent when none were.
    #[serde(skip_serializing_if = "is_zero")]
    body_cut_bytes: usize,
}

/// The client that [`request`] uses.
pub(super) fn client() -> Result<Client, reqwest::Error> {
    http_client::build(|builder| builder.no_proxy().referer(false).dns_resolver(Guarded))
}

pub(super) async fn request(
    client: &Client,
    request: Request,
    execution_id: ExecutionId,
    output_limit: usize,
) -> Result<Done, Problem> {
    let limit = request.timeout_seconds.map(|seconds| Duration::from_secs(seconds.into()));
    let url = shown(&request.url);
    let exchange = exchange(client, request, execution_id, output_limit);
    match limit {
        None => exchange.await,
        Some(limit) => tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| {
            Err(Problem::passing(format!(
                "{url} did not answer in full within {} s (timeout_seconds)",
                limit.as_secs()
            )))
        }),
    }
}

async fn exchange(
    client: &Client,
    request: Request,
    execution_id: ExecutionId,
    output_limit: usize,
) -> Result<Done, Problem> {
    check(&request.url)?;
    let url = shown(&request.url);
    let method = Method::from_bytes(request.method.to_ascii_uppercase().as_bytes())
        .map_err(|_| Problem::permanent(format!("data: '{}' is no HTTP method", request.method)))?;
    let is_safe = method.is_safe();
    let mut headers = headers(&request.headers)?;
    // So that a target can tell a repeated request from a new one.
    if let Ok(id) = HeaderValue::from_str(&execution_id.to_string()) {
        headers.entry("idempotency-key").or_insert(id);
    }
    let body = match request.body {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text),
        Some(json) => {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
            Some(json.to_string())
        }
    };
    let mut builder = client.request(method, request.url).headers(headers);
    if let Some(body) = body {
        builder = builder.body(body);
    }
    let answer = builder.send().await.map_err(|error| failure(&url, error))?;
    let status = answer.status();
    let is_success = match &request.success_status_codes {
        None => status.is_success(),
        Some(codes) => codes.contains(&status.as_u16()),
    };
    let answer = read(answer, output_limit).await.map_err(|error| failure(&url, error))?;
    let done = Done::with(&answer, is_success && !is_safe)?;
    if is_success { Ok(done) } else { Err(of_status(&url, status).having(done)) }
}

/// An address without what may be secret in it.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

fn headers(given: &BTreeMap<String, String>) -> Result<HeaderMap, Problem> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let wrong = |what| Problem::permanent(format!("data: headers: '{name}' {what}"));
        let header = HeaderName::try_from(name.as_str()).map_err(|_| wrong("is no name for a header"))?;
        let mut value = HeaderValue::try_from(value.as_str()).map_err(|_| wrong("has a value that is no text"))?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}

async fn read(mut response: Response, limit: usize) -> Result<Answer, reqwest::Error> {
    let status = response.status().as_u16();
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in response.headers() {
        let value = String::from_utf8_lossy(value.as_bytes());
        headers
            .entry(name.as_str().to_owned())
            .and_modify(|all| {
                all.push_str(", ");
                all.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    let mut capture = Capture::new(limit);
    while let Some(chunk) = response.chunk().await? {
        capture.push(&chunk);
    }
    let (body, body_cut_bytes) = text_and_cut(capture);
    Ok(Answer { status, headers, body, body_cut_bytes })
}

fn of_status(url: &str, status: StatusCode) -> Problem {
    let told = format!("{url} answered {status}");
    // A request that is wrong stays wrong; "later" and what is wrong at the other end may pass.
    let is_final = status.is_redirection()
        || (status.is_client_error()
            && !matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS));
    if is_final { Problem::permanent(told) } else { Problem::passing(told) }
}

fn failure(url: &str, error: reqwest::Error) -> Problem {
    if let Some(refusal) = http_client::causes(&error).find(|cause| cause.is::<Refused>()) {
        return Problem::permanent(refusal.to_string());
    }
    Problem::passing(format!("{url}: {}", http_client::words(error)))
}

/// A host that nobody should be sent to.
#[derive(Debug, thiserror::Error)]
#[error("'{host}' is not open to http.request.do: {address} is {reason}")]
struct Refused {
    host: String,
    address: IpAddr,
    reason: Forbidden,
}

/// Why an agent does not connect to an address.
fn refuses(address: IpAddr) -> Option<Forbidden> {
    is_forbidden(address).filter(|reason| match reason {
        Forbidden::Metadata | Forbidden::LinkLocal | Forbidden::Multicast | Forbidden::Broadcast => true,
        Forbidden::Loopback
        | Forbidden::Unspecified
        | Forbidden::Private
        | Forbidden::SharedAddressSpace
        | Forbidden::UniqueLocal
        | Forbidden::Reserved => false,
    })
}

/// Checks a host that is written as an address; one that is a name is checked when it is resolved.
fn check(url: &Url) -> Result<(), Problem> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Problem::permanent("data: url is neither http nor https"));
    }
    let address = match url.host() {
        Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
        Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
        Some(Host::Domain(_)) | None => return Ok(()),
    };
    match refuses(address) {
        None => Ok(()),
        Some(reason) => {
            let host = address.to_string();
            Err(Problem::permanent(Refused { host, address, reason }.to_string()))
        }
    }
}

/// The operating system's resolver, without the addresses that are closed: what was checked is what is connected to.
struct Guarded;

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str();
            let all: Vec<_> = tokio::net::lookup_host((host, 0)).await?.collect();
            let open: Vec<SocketAddr> = all.iter().copied().filter(|address| refuses(address.ip()).is_none()).collect();
            let refusal = all.iter().find_map(|address| refuses(address.ip()).map(|reason| (address.ip(), reason)));
            if let (true, Some((address, reason))) = (open.is_empty(), refusal) {
                return Err(Refused { host: host.to_owned(), address, reason }.into());
            }
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_services_are_closed_however_they_are_written() {
        for text in [
            "http://169.254.169.254/latest/meta-data",
            "http://2852039166/",
            "http://[::ffff:169.254.169.254]/",
            "http://[fd00:ec2::254]/",
            "http://[fe80::1]/",
            "http://100.100.100.200/",
        ] {
            assert!(check(&Url::parse(text).unwrap()).is_err(), "{text}");
        }
    }

    #[test]
    fn the_own_machine_and_private_networks_are_open() {
        for text in ["http://127.0.0.1:9100/", "http://10.0.0.5/", "https://[::1]/", "https://db.internal/"] {
            assert!(check(&Url::parse(text).unwrap()).is_ok(), "{text}");
        }
        assert!(check(&Url::parse("file:///etc/passwd").unwrap()).is_err());
    }

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        let url = Url::parse("https://me:secret@host/path?token=1#x").unwrap();
        assert_eq!(shown(&url), "https://host/path");
    }
}
