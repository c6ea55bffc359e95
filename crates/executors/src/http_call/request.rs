//! From a job's configuration to a request.

use bytes::Bytes;
use horarium_domain::execution::Failure;
use horarium_domain::job::HttpCall;
use horarium_scheduler_engine::Run;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde_json::Value;

use super::HttpCallSettings;
use crate::template::Renderer;

pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const EXECUTION_ID: HeaderName = HeaderName::from_static("x-horarium-execution-id");
const ATTEMPT: HeaderName = HeaderName::from_static("x-horarium-attempt");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Headers that describe the connection or the message's framing. A value from outside could only contradict what the
/// client does, up to two servers reading one message differently.
const OF_THE_CONNECTION: [&str; 9] = [
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A request about to be sent.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
}

impl Request {
    /// Fills the templates of `call` and checks what comes of it.
    pub(super) fn build(call: &HttpCall, run: &Run, settings: &HttpCallSettings) -> Result<Self, Failure> {
        let mut renderer = settings.templates.renderer(run);
        let method = method(&call.method)?;
        let url = url(&renderer.url(&call.url).map_err(|error| error.in_field("url"))?)?;

        let mut headers = HeaderMap::new();
        // A UUID is plain ASCII, so the fallback is never taken.
        let execution_id = HeaderValue::from_str(&run.execution_id.to_string()).unwrap_or(HeaderValue::from_static(""));
        headers.insert(IDEMPOTENCY_KEY, execution_id.clone());
        for (name, value) in &call.headers {
            set_header(&mut headers, name, value, &mut renderer)?;
        }
        headers.insert(EXECUTION_ID, execution_id);
        headers.insert(ATTEMPT, HeaderValue::from(run.attempt));

        let body = match (&call.body, &run.payload) {
            (Some(body), _) => Some(configured_body(body, &mut headers, &mut renderer)?),
            (None, Some(payload)) if usually_has_body(&method) => Some(json_body(payload, &mut headers)),
            (None, _) => None,
        };
        Ok(Self { method, url, headers, body })
    }

    /// The request for messages: without credentials, query and fragment, all of which may hold secrets.
    pub(super) fn target(&self) -> String {
        let mut shown = self.url.clone();
        // Both only fail for URLs that have no host, and then there is nothing to take out.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        shown.set_query(None);
        shown.set_fragment(None);
        let text: String = shown.as_str().chars().take(500).collect();
        format!("{} {text}", self.method)
    }
}

fn method(text: &str) -> Result<Method, Failure> {
    let method = Method::from_bytes(text.to_ascii_uppercase().as_bytes()).ok();
    // CONNECT asks for a tunnel and TRACE for an echo of the credentials; neither is a job.
    method.filter(|method| *method != Method::CONNECT && *method != Method::TRACE).ok_or_else(|| {
        Failure::permanent(format!("jobConfiguration.method: '{text}' is not supported; use GET, POST or the like"))
    })
}

/// Whether a request with this method carries the payload when the job gives no body.
fn usually_has_body(method: &Method) -> bool {
    ![Method::GET, Method::HEAD, Method::DELETE, Method::OPTIONS].contains(method)
}

/// An absolute `http` or `https` URL; the failure does not repeat it, since it may hold credentials.
fn url(text: &str) -> Result<Url, Failure> {
    web_url(text).map_err(|problem| Failure::permanent(format!("jobConfiguration.url: {problem}")))
}

/// The same; the problem is to be read after whatever holds the URL.
pub(super) fn web_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("not a URL once filled: {error}"))?;
    if matches!(url.scheme(), "http" | "https") {
        Ok(url)
    } else {
        Err("must start with http:// or https://".to_owned())
    }
}

fn set_header(headers: &mut HeaderMap, name: &str, value: &str, renderer: &mut Renderer<'_>) -> Result<(), Failure> {
    let field = || format!("headers.{name}");
    let value = renderer.header(value).map_err(|error| error.in_field(&field()))?;
    let invalid = || Failure::permanent(format!("jobConfiguration.{}: is no HTTP header", field()));
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
    if !OF_THE_CONNECTION.contains(&name.as_str()) {
        headers.insert(name, HeaderValue::from_bytes(value.trim().as_bytes()).map_err(|_| invalid())?);
    }
    Ok(())
}

fn configured_body(body: &Value, headers: &mut HeaderMap, renderer: &mut Renderer<'_>) -> Result<Bytes, Failure> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match renderer.body(body, content_type).map_err(|error| error.in_field("body"))? {
        Value::String(text) => Ok(Bytes::from(text)),
        value => Ok(json_body(&value, headers)),
    }
}

fn json_body(value: &Value, headers: &mut HeaderMap) -> Bytes {
    headers.entry(CONTENT_TYPE).or_insert(JSON);
    Bytes::from(value.to_string())
}
