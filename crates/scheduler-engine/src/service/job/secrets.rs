//! Secrets in HTTP calls: hidden from readers, and kept when the mask comes back.

use horarium_domain::job::{HttpCall, JobConfiguration};
use serde_json::Value;

use crate::secrets::{JobSecrets, Unopened};
use crate::service::FieldErrors;

/// What readers see in place of a secret.
pub const MASK: &str = "***";

const HEADERS: &str = "jobConfiguration.headers";
const BODY: &str = "jobConfiguration.body";

/// A configuration as readers may see it.
pub fn mask_configuration(configuration: &JobConfiguration) -> Value {
    let mut shown = configuration.to_json();
    let JobConfiguration::HttpCall(call) = configuration else { return shown };
    if let Some(Value::Object(headers)) = shown.get_mut("headers") {
        for (_, value) in headers.iter_mut().filter(|(name, _)| HttpCall::is_secret_header(name)) {
            *value = Value::String(MASK.to_owned());
        }
    }
    if let Some(body) = shown.get_mut("body").filter(|_| call.body_secret) {
        *body = Value::String(MASK.to_owned());
    }
    shown
}

/// Puts the stored secrets of `current` in the place of masks in `incoming`, the configuration of an HTTP call.
///
/// They are only put back where the call goes to the same scheme, host and port. Whoever may change a job but not read
/// its secrets could otherwise have them sent to an address of their own.
pub(super) fn restore(
    incoming: &mut Value,
    current: Option<(&JobConfiguration, JobSecrets<'_>)>,
    errors: &mut FieldErrors,
) {
    let address = incoming.get("url").and_then(Value::as_str).map(origin).map(str::to_owned);
    let stored = match current {
        Some((JobConfiguration::HttpCall(call), secrets)) => Some((call, secrets)),
        _ => None,
    };
    let is_moved = stored.is_some_and(|(call, _)| Some(origin(&call.url)) != address.as_deref());
    if let Some(Value::Object(headers)) = incoming.get_mut("headers") {
        let masked = |(name, value): &(&String, &mut Value)| HttpCall::is_secret_header(name) && **value == MASK;
        for (name, value) in headers.iter_mut().filter(masked) {
            let what = format!("'{name}'");
            match stored.and_then(|(call, secrets)| Some((header(call, name)?, secrets))) {
                None => errors.add(HEADERS, nothing_stored(&what)),
                Some(_) if is_moved => errors.add(HEADERS, moved(&what)),
                Some((secret, secrets)) => match secrets.open_header(name, secret) {
                    Ok(secret) => *value = Value::String(secret),
                    Err(unopened) => errors.add(HEADERS, unusable(&what, &unopened)),
                },
            }
        }
    }
    restore_body(incoming, stored, is_moved, errors);
}

fn restore_body(
    incoming: &mut Value,
    stored: Option<(&HttpCall, JobSecrets<'_>)>,
    is_moved: bool,
    errors: &mut FieldErrors,
) {
    let is_marked = incoming.get("bodySecret") == Some(&Value::Bool(true));
    let stored =
        stored.filter(|(call, _)| call.body_secret).and_then(|(call, secrets)| Some((call.body.as_ref()?, secrets)));
    let Some(body) = incoming.get_mut("body").filter(|body| **body == MASK) else { return };
    match stored {
        // Without a secret in play, three stars are a body like any other.
        None if !is_marked => {}
        None => errors.add(BODY, nothing_stored("the body")),
        Some(_) if !is_marked => {
            errors.add(BODY, format!("holds the mask {MASK}: send 'bodySecret': true with it, or another body"));
        }
        Some(_) if is_moved => errors.add(BODY, moved("the body")),
        Some((secret, secrets)) => match secrets.open_body(secret) {
            Ok(secret) => *body = secret,
            Err(unopened) => errors.add(BODY, unusable("the body", &unopened)),
        },
    }
}

fn nothing_stored(what: &str) -> String {
    format!("{what} holds the mask {MASK} in place of a value, and none is stored")
}

fn moved(what: &str) -> String {
    format!("the call goes to another address now: send the value of {what} again")
}

fn unusable(what: &str, unopened: &Unopened) -> String {
    format!("send the value of {what} again; the stored one cannot be used: {}", unopened.error)
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
    use horarium_domain::secret::Unsealed;
    use horarium_domain::{JobId, TenantId};
    use serde_json::json;
    use uuid::Uuid;

    fn call(value: &Value) -> JobConfiguration {
        JobConfiguration::parse(JobType::HttpCall, value).unwrap()
    }

    fn restored(mut incoming: Value, current: &JobConfiguration) -> Result<Value, String> {
        let mut errors = FieldErrors::default();
        let secrets = JobSecrets::new(&Unsealed, TenantId::from_uuid(Uuid::nil()), JobId::from_uuid(Uuid::nil()));
        restore(&mut incoming, Some((current, secrets)), &mut errors);
        if errors.is_empty() { Ok(incoming) } else { Err(errors.to_string()) }
    }

    #[test]
    fn headers_that_hold_secrets_are_masked_and_no_others() {
        let shown = mask_configuration(&call(&json!({
            "url": "https://a.example/x", "headers": {"Authorization": "Bearer 1", "Accept": "text/plain"}
        })));
        assert_eq!(shown["headers"], json!({"Authorization": "***", "Accept": "text/plain"}));
    }

    #[test]
    fn a_body_is_masked_when_it_is_marked_and_comes_back_by_its_mask() {
        let open = call(&json!({"url": "https://a.example/x", "body": {"pin": 1234}}));
        assert_eq!(mask_configuration(&open)["body"], json!({"pin": 1234}));
        let current = call(&json!({"url": "https://a.example/x", "body": {"pin": 1234}, "bodySecret": true}));
        let shown = mask_configuration(&current);
        assert_eq!((&shown["body"], &shown["bodySecret"]), (&json!("***"), &json!(true)));
        assert_eq!(restored(shown, &current).unwrap()["body"], json!({"pin": 1234}));

        let bare = json!({"url": "https://a.example/x", "body": "***"});
        assert!(restored(bare.clone(), &current).unwrap_err().contains("'bodySecret': true"));
        assert_eq!(restored(bare, &open).unwrap()["body"], json!("***"));
        let moved = json!({"url": "https://b.example/x", "body": "***", "bodySecret": true});
        assert!(restored(moved, &current).unwrap_err().contains("another address"));
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
