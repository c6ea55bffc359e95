//! Secrets in the headers of HTTP calls: hidden from readers, and kept when the mask comes back.

use horarium_domain::job::{HttpCall, JobConfiguration};
use serde_json::Value;

use crate::service::FieldErrors;

/// What readers see in place of a secret.
pub const MASK: &str = "***";

const FIELD: &str = "jobConfiguration.headers";

/// A configuration as readers may see it.
pub fn mask_configuration(configuration: &JobConfiguration) -> Value {
    let mut shown = configuration.to_json();
    if matches!(configuration, JobConfiguration::HttpCall(_))
        && let Some(Value::Object(headers)) = shown.get_mut("headers")
    {
        for (_, value) in headers.iter_mut().filter(|(name, _)| is_secret(name)) {
            *value = Value::String(MASK.to_owned());
        }
    }
    shown
}

/// Puts the stored secrets of `current` in the place of masks in `incoming`, the configuration of an HTTP call.
///
/// They are only put back where the call goes to the same scheme, host and port. Whoever may change a job but not read
/// its secrets could otherwise have them sent to an address of their own.
pub(super) fn restore(incoming: &mut Value, current: Option<&JobConfiguration>, errors: &mut FieldErrors) {
    let address = incoming.get("url").and_then(Value::as_str).map(origin).map(str::to_owned);
    let Some(Value::Object(headers)) = incoming.get_mut("headers") else { return };
    let stored = match current {
        Some(JobConfiguration::HttpCall(call)) => Some(call),
        _ => None,
    };
    for (name, value) in headers.iter_mut().filter(|(name, value)| is_secret(name) && *value == MASK) {
        match stored.and_then(|call| Some((call, header(call, name)?))) {
            None => {
                errors.add(FIELD, format!("'{name}' holds the mask {MASK} in place of a value, and none is stored"));
            }
            Some((call, _)) if Some(origin(&call.url)) != address.as_deref() => {
                errors.add(FIELD, format!("the call goes to another address now: send the value of '{name}' again"));
            }
            Some((_, secret)) => *value = Value::String(secret.to_owned()),
        }
    }
}

/// Whether a header's value is a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    matches!(name.as_str(), "authorization" | "proxy-authorization" | "cookie" | "set-cookie")
        || ["key", "apikey", "token", "secret"]
            .into_iter()
            .any(|word| name.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with('-')))
}

fn header<'a>(call: &'a HttpCall, name: &str) -> Option<&'a str> {
    call.headers.iter().find(|(stored, _)| stored.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// The scheme, host and port of an address, as they are written. Two addresses with the same text here go to the same
/// place, whatever liberties a URL parser takes, because they only differ after the first slash, `?` or `#`. Where a
/// template makes the host, nothing can be told apart, so it is the whole address.
fn origin(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let end = url[after_scheme..].find(['/', '?', '#']).map_or(url.len(), |at| after_scheme + at);
    if url[..end].contains("{{") { url } else { &url[..end] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use horarium_domain::job::JobType;
    use serde_json::json;

    fn call(value: &Value) -> JobConfiguration {
        JobConfiguration::parse(JobType::HttpCall, value).unwrap()
    }

    fn restored(mut incoming: Value, current: &JobConfiguration) -> Result<Value, String> {
        let mut errors = FieldErrors::default();
        restore(&mut incoming, Some(current), &mut errors);
        if errors.is_empty() { Ok(incoming) } else { Err(errors.to_string()) }
    }

    #[test]
    fn headers_that_hold_secrets_are_masked_and_no_others() {
        let secret = [
            "Authorization",
            "proxy-authorization",
            "Cookie",
            "Set-Cookie",
            "X-API-Key",
            "x-auth-TOKEN",
            "Client_Secret",
            "apikey",
            "Token",
        ];
        let plain = ["Accept", "Content-Type", "X-Monkey", "Tokens", "X-Key-Id"];
        for name in secret {
            assert!(is_secret(name), "{name}");
        }
        for name in plain {
            assert!(!is_secret(name), "{name}");
        }
        let shown = mask_configuration(&call(&json!({
            "url": "https://a.example/x", "headers": {"Authorization": "Bearer 1", "Accept": "text/plain"}
        })));
        assert_eq!(shown["headers"], json!({"Authorization": "***", "Accept": "text/plain"}));
    }

    #[test]
    fn a_mask_that_comes_back_keeps_the_stored_secret() {
        let current = call(&json!({"url": "https://a.example/x", "headers": {"X-Api-Key": "s3cret"}}));
        let incoming = json!({"url": "https://a.example/y?z=1", "headers": {"x-api-key": "***", "Accept": "*/*"}});
        let kept = restored(incoming, &current).unwrap();
        assert_eq!(kept["headers"], json!({"x-api-key": "s3cret", "Accept": "*/*"}));
    }

    #[test]
    fn a_stored_secret_does_not_follow_the_call_to_another_address() {
        let current = call(&json!({"url": "https://a.example/x", "headers": {"Authorization": "Bearer 1"}}));
        for url in [
            "https://evil.example/x",
            "http://a.example/x",
            "https://a.example:444/x",
            "https://a.example@evil.example/",
            "https://a.example\\@evil.example/",
            "https://a.example.evil.example",
        ] {
            let moved = json!({"url": url, "headers": {"Authorization": "***"}});
            let problem = restored(moved, &current).unwrap_err();
            assert!(problem.contains("another address"), "{url}: {problem}");
        }
    }

    #[test]
    fn a_mask_without_a_stored_value_is_refused() {
        let current = call(&json!({"url": "https://a.example/x"}));
        let incoming = json!({"url": "https://a.example/x", "headers": {"Cookie": "***"}});
        assert!(restored(incoming, &current).unwrap_err().contains("none is stored"));
    }
}
