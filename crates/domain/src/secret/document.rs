//! Where the secrets are in what callers send as JSON: in the definition of a job, in the payload of an execution, in
//! the data of an agent's operation.
//!
//! In each of them a request may be described, by the same members: `headers`, `env` and `parameters`, of which those are
//! secret whose names [say so](is_secret_name); `body`, if `bodySecret` or `body_secret` says so; and `url`, of which the
//! credentials are.

use std::ops::Range;

use serde_json::Value;

use super::name::is_secret_name;
use super::url;
use crate::job::JobType;

/// What readers see in place of a secret.
pub const MASK: &str = "***";

/// What a callback's URL is called among its execution's secrets.
const CALLBACK_URL: &str = "callback-url";

/// What kind of document it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// The configuration of a job of this type.
    Configuration(JobType),
    /// The payload of an execution.
    Payload,
    /// The data of an operation for agents.
    AgentData,
    /// The URL of a callback: a text that is a secret as a whole.
    CallbackUrl,
}

impl Document {
    /// What it is called where a caller is told of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Configuration(_) => "jobConfiguration",
            Self::Payload => "payload",
            Self::AgentData => "operation.data",
            Self::CallbackUrl => "webhook_url",
        }
    }

    /// Where in it a request may be described.
    const fn requests(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Configuration(
                JobType::HttpCall | JobType::StoredProcedure | JobType::CodeExecution | JobType::Command,
            )
            | Self::AgentData => &[&[]],
            Self::Configuration(JobType::Agent) => &[&["data"]],
            Self::Configuration(JobType::FileOperation) | Self::CallbackUrl => &[],
            Self::Payload => &[&[], &["agentRequest", "data"]],
        }
    }

    /// Whether there may be secrets in it at all, which spares a look at most documents.
    pub const fn may_hold_secrets(self) -> bool {
        matches!(self, Self::CallbackUrl) || !self.requests().is_empty()
    }

    /// The secrets in a document of this kind, first to last. To replace several, begin with the last: others may be in
    /// the same text.
    pub fn secrets(self, document: &Value) -> Vec<Secret> {
        let mut found = Vec::new();
        if self == Self::CallbackUrl {
            found.push(Secret::text(CALLBACK_URL.to_owned(), document.clone(), Vec::new(), None));
        }
        for path in self.requests() {
            if let Some(request) = path.iter().try_fold(document, |value, member| value.get(member)) {
                find(request, path, &mut found);
            }
        }
        found
    }

    /// A document as readers may see it.
    pub fn masked(self, mut document: Value) -> Value {
        for secret in self.secrets(&document).iter().rev() {
            secret.replace(&mut document, Value::from(MASK));
        }
        document
    }
}

/// One secret of a document.
#[derive(Clone, PartialEq)]
pub struct Secret {
    /// What it is called among its owner's secrets, such as `body` or `header:authorization`.
    pub field: String,
    /// It, open or sealed.
    pub value: Value,
    /// Whether it may be any JSON; a text otherwise.
    pub is_json: bool,
    path: Vec<String>,
    within: Option<Range<usize>>,
}

impl Secret {
    const fn text(field: String, value: Value, path: Vec<String>, within: Option<Range<usize>>) -> Self {
        Self { field, value, is_json: false, path, within }
    }

    const fn json(field: String, value: Value, path: Vec<String>) -> Self {
        Self { field, value, is_json: true, path, within: None }
    }

    /// Its place in the document, such as `headers.Authorization`.
    pub fn path(&self) -> String {
        self.path.join(".")
    }

    /// The place of what holds it, such as `headers`, and its own name in there.
    pub fn holder(&self) -> (String, &str) {
        let (name, holder) = self.path.split_last().map_or(("", [].as_slice()), |(name, holder)| (name, holder));
        (holder.join("."), name)
    }

    /// What stands in its place in another document of the kind.
    pub fn counterpart<'a>(&self, other: &'a Value) -> Option<&'a Value> {
        self.path.iter().try_fold(other, |value, member| value.get(member))
    }

    /// Puts something else in its place in the document that it was found in.
    pub fn replace(&self, document: &mut Value, by: Value) {
        let mut place = document;
        for member in &self.path {
            let Some(next) = place.get_mut(member) else { return };
            place = next;
        }
        match (&self.within, place, by) {
            (None, place, by) => *place = by,
            (Some(range), Value::String(text), Value::String(by)) => text.replace_range(range.clone(), &by),
            (Some(_), _, _) => {}
        }
    }
}

fn find(request: &Value, path: &[&str], found: &mut Vec<Secret>) {
    let at = |members: &[&str]| path.iter().chain(members).map(|member| (*member).to_owned()).collect::<Vec<_>>();
    let is_marked = ["bodySecret", "body_secret"].into_iter().any(|name| request.get(name) == Some(&Value::Bool(true)));
    if let Some(body) = request.get("body").filter(|body| is_marked && !body.is_null()) {
        found.push(Secret::json("body".to_owned(), body.clone(), at(&["body"])));
    }
    for holder in ["env", "headers"] {
        let members = request.get(holder).and_then(Value::as_object).into_iter().flatten();
        for (name, value) in members.filter(|(name, value)| value.is_string() && is_secret_name(name)) {
            // Names of headers are told apart without regard to case, those of variables with it.
            let field = match holder {
                "env" => format!("env:{name}"),
                _ => format!("header:{}", name.to_ascii_lowercase()),
            };
            found.push(Secret::text(field, value.clone(), at(&[holder, name]), None));
        }
    }
    let parameters = request.get("parameters").and_then(Value::as_object).into_iter().flatten();
    for (name, value) in parameters.filter(|(name, value)| !value.is_null() && is_secret_name(name)) {
        found.push(Secret::json(format!("parameter:{name}"), value.clone(), at(&["parameters", name])));
    }
    if let Some(text) = request.get("url").and_then(Value::as_str) {
        found.extend(
            url::credentials(text).into_iter().map(|(field, range)| {
                Secret::text(field, Value::from(&text[range.clone()]), at(&["url"]), Some(range))
            }),
        );
    }
}

/// Whom a URL reaches: its scheme, host and port as they are written, and that it names a user, but not which. Two URLs
/// with the same text here go to the same place, whatever liberties a parser takes, because they only differ in that
/// user and after the first slash, `?` or `#`. Where a template makes the host, nothing can be told apart, so it is the
/// whole URL, with its credentials masked; and where one is in the user, who knows what it makes of the rest.
pub fn url_origin(text: &str) -> String {
    let user = url::user_info(text);
    if user.as_ref().is_some_and(|range| text[range.clone()].contains("{{")) {
        return text.to_owned();
    }
    let shown = masked_url(text);
    // Not at a backslash: whatever comes of it differs in text, which is enough.
    let start = shown.find("://").map_or(0, |at| at + 3);
    let end = shown[start..].find(['/', '?', '#']).map_or(shown.len(), |at| start + at);
    if shown[..end].contains("{{") { shown } else { shown[..end].to_owned() }
}

/// A URL with its credentials masked.
fn masked_url(text: &str) -> String {
    let mut shown = text.to_owned();
    for (_, range) in url::credentials(text).into_iter().rev() {
        shown.replace_range(range, MASK);
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_secrets_of_a_call_are_masked_and_nothing_else() {
        let call = json!({
            "url": "https://me:pw@a.example/x?token=t&page=2",
            "headers": {"Authorization": "Bearer 1", "Accept": "text/plain"},
            "env": {"API_KEY": "k", "LANG": "C"},
            "body": {"pin": 1}, "body_secret": true,
        });
        let shown = json!({
            "url": "https://***@a.example/x?token=***&page=2",
            "headers": {"Authorization": "***", "Accept": "text/plain"},
            "env": {"API_KEY": "***", "LANG": "C"},
            "body": "***", "body_secret": true,
        });
        assert_eq!(Document::AgentData.masked(call.clone()), shown);
        assert_eq!(Document::Configuration(JobType::HttpCall).masked(call.clone()), shown);
        let request = json!({"agentRequest": {"operation": "http.request.do", "data": call}});
        assert_eq!(Document::Payload.masked(request)["agentRequest"]["data"], shown);
        assert_eq!(Document::Configuration(JobType::FileOperation).masked(call.clone()), call);
    }

    #[test]
    fn a_parameter_is_a_secret_by_its_name_whatever_its_value() {
        let parameters =
            json!({"apiKey": "k", "p_password": 1234, "credentials": {"user": "me"}, "token": null, "day": 1});
        let shown = json!({"apiKey": "***", "p_password": "***", "credentials": "***", "token": null, "day": 1});
        for job_type in [JobType::StoredProcedure, JobType::CodeExecution] {
            let masked = Document::Configuration(job_type).masked(json!({"parameters": parameters}));
            assert_eq!(masked, json!({"parameters": shown}));
        }
    }

    #[test]
    fn a_body_is_a_secret_only_if_it_is_marked() {
        let open = json!({"url": "https://a.example", "body": "b"});
        assert_eq!(Document::AgentData.masked(open.clone()), open);
    }

    #[test]
    fn what_is_of_another_shape_is_left_alone() {
        for odd in [
            json!(null),
            json!("x"),
            json!([1]),
            json!({"headers": ["Authorization"], "url": 7, "env": null, "parameters": "token"}),
        ] {
            assert_eq!(Document::Payload.masked(odd.clone()), odd);
        }
    }

    #[test]
    fn the_origin_of_a_url_does_not_depend_on_its_credentials_and_path() {
        assert_eq!(url_origin("https://a:b@h.example/x?y"), url_origin("https://c@h.example"));
        assert_ne!(url_origin("https://a:b@h.example/x"), url_origin("https://h.example/x"));
        assert_ne!(url_origin("https://evil.example\\@h.example/"), url_origin("https://a@h.example/"));
        assert_ne!(url_origin("https://{{Payload.a}}@h.example/"), url_origin("https://a@h.example/"));
        assert_eq!(url_origin("https://{{Payload.h}}/x?token=1"), url_origin("https://{{Payload.h}}/x?token=2"));
        assert_ne!(url_origin("https://{{Payload.h}}/x"), url_origin("https://{{Payload.h}}/y"));
    }
}
