//! Secrets that come back from readers: the mask that they were shown is replaced by what is stored.

use horarium_domain::agent::BuiltInOperation;
use horarium_domain::job::{JobConfiguration, JobType};
use horarium_domain::secret::{Document, MASK, Secret, url_origin};
use serde_json::{Value, json};

use crate::secrets::{Secrets, Unopened};
use crate::service::FieldErrors;

const BODY: &str = "body";

/// A configuration as readers may see it.
pub fn mask_configuration(configuration: &JobConfiguration) -> Value {
    Document::Configuration(configuration.job_type()).masked(configuration.to_json())
}

/// Puts the stored secrets of `current` in the place of masks in `incoming`, the configuration of a job of this type.
///
/// They are only put back where they go to the same place: an HTTP call to the same scheme, host and port, a variable to
/// the same program with the same arguments, a parameter to the same procedure or handler beside the same others, an
/// operation of agents with the same data. Whoever may change a job but not read its secrets could otherwise have them
/// sent to an address of their own.
pub(super) fn restore(
    job_type: JobType,
    incoming: &mut Value,
    current: Option<(&JobConfiguration, Secrets<'_>)>,
    errors: &mut FieldErrors,
) {
    let document = Document::Configuration(job_type);
    let current = current.filter(|(current, _)| current.job_type() == job_type);
    let current = current.map(|(current, secrets)| (current.to_json(), secrets));
    let is_moved =
        current.as_ref().is_some_and(|(current, _)| destination(job_type, current) != destination(job_type, incoming));
    let stored = current.as_ref().map(|(current, _)| document.secrets(current)).unwrap_or_default();
    let mut keep = |incoming: &mut Value, masked: &Secret| {
        let (holder, name) = masked.holder();
        let (field, what) = match (holder.as_str(), name) {
            ("" | "data", BODY) => (masked.path(), "the body".to_owned()),
            ("" | "data", _) => (masked.path(), "the credentials".to_owned()),
            (holder, name) => (holder.to_owned(), format!("'{name}'")),
        };
        let field = format!("{}.{field}", document.name());
        let found = stored.iter().find(|stored| stored.field == masked.field);
        let Some((secret, (_, secrets))) = found.zip(current.as_ref()) else {
            errors.add(field, nothing_stored(&what));
            return;
        };
        if is_moved {
            errors.add(field, moved(&what));
            return;
        }
        match secrets.open_one(document, secret) {
            Ok(secret) => masked.replace(incoming, secret),
            Err(unopened) => errors.add(field, unusable(&what, &unopened)),
        }
    };
    for masked in document.secrets(incoming).iter().rev().filter(|secret| secret.value == MASK) {
        keep(incoming, masked);
    }
    // Without a secret in play, three stars are a body like any other.
    let is_body = |secret: &&Secret| secret.field == BODY;
    if let Some(body) = stored.iter().find(is_body)
        && !document.secrets(incoming).iter().any(|secret| is_body(&secret))
        && body.counterpart(incoming).is_some_and(|body| *body == MASK)
    {
        let problem = format!("holds the mask {MASK}: send 'bodySecret': true with it, or another body");
        errors.add(format!("{}.{}", document.name(), body.path()), problem);
    }
}

/// Refuses the mask in the place of a secret, in what nothing is stored of yet.
pub(in crate::service) fn refuse_masks(document: Document, sent: &Value, errors: &mut FieldErrors) {
    for masked in document.secrets(sent).into_iter().filter(|secret| secret.value == MASK) {
        errors.add(format!("{}.{}", document.name(), masked.path()), nothing_stored("it"));
    }
}

/// Where the secrets of a configuration go.
fn destination(job_type: JobType, configuration: &Value) -> Value {
    let member = |name: &str| configuration.get(name).cloned().unwrap_or_default();
    let shown = |name: &str| Document::Configuration(job_type).masked(configuration.clone()).get(name).cloned();
    let origin = |url: Option<&Value>| url.and_then(Value::as_str).map(url_origin);
    match job_type {
        JobType::HttpCall => json!(origin(configuration.get("url"))),
        JobType::Command => {
            let arguments = configuration.get("args").cloned().unwrap_or_else(|| json!([]));
            json!([member("command"), arguments, member("workingDirectory")])
        }
        JobType::Agent if member("operation") == BuiltInOperation::HttpRequest.as_str() => {
            json!([member("operation"), origin(configuration.pointer("/data/url"))])
        }
        // Who knows what others make of what they are given: any of it may say where to.
        JobType::Agent => json!([member("operation"), shown("data")]),
        JobType::StoredProcedure => {
            json!([member("storedProcedureName"), member("databaseConnectionStringName"), shown("parameters")])
        }
        JobType::CodeExecution => json!([member("handlerType"), member("methodName"), shown("parameters")]),
        JobType::FileOperation => Value::Null,
    }
}

fn nothing_stored(what: &str) -> String {
    format!("{what} holds the mask {MASK} in place of a value, and none is stored")
}

fn moved(what: &str) -> String {
    format!(
        "it goes to another address, program or procedure now, or with other arguments: send the value of {what} again"
    )
}

fn unusable(what: &str, unopened: &Unopened) -> String {
    format!("send the value of {what} again; the stored one cannot be used: {}", unopened.error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use horarium_domain::TenantId;
    use horarium_domain::secret::Unsealed;
    use uuid::Uuid;

    fn call(value: &Value) -> JobConfiguration {
        JobConfiguration::parse(JobType::HttpCall, value).unwrap()
    }

    fn restored(mut incoming: Value, current: &JobConfiguration) -> Result<Value, String> {
        let mut errors = FieldErrors::default();
        let secrets = Secrets::new(&Unsealed, TenantId::from_uuid(Uuid::nil()), Uuid::nil());
        restore(current.job_type(), &mut incoming, Some((current, secrets)), &mut errors);
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

    #[test]
    fn the_credentials_of_a_url_are_kept_as_long_as_it_leads_to_the_same_host() {
        let current = call(&json!({"url": "https://me:pw@a.example/x?token=t1&page=1"}));
        let shown = mask_configuration(&current);
        assert_eq!(shown["url"], "https://***@a.example/x?token=***&page=1");
        assert_eq!(restored(shown, &current).unwrap()["url"], "https://me:pw@a.example/x?token=t1&page=1");
        let other_path = json!({"url": "https://***@a.example/y?page=2&token=***"});
        assert_eq!(restored(other_path, &current).unwrap()["url"], "https://me:pw@a.example/y?page=2&token=t1");
        let moved = json!({"url": "https://***@evil.example/x"});
        assert!(restored(moved, &current).unwrap_err().contains("another address"));
        let unknown = json!({"url": "https://***@a.example/x?sig=***"});
        assert!(restored(unknown, &current).unwrap_err().contains("none is stored"));
    }

    #[test]
    fn a_variable_is_kept_as_long_as_it_goes_to_the_same_program() {
        let command = json!({"command": "/bin/report", "args": ["-q"], "env": {"API_KEY": "k", "LANG": "C"}});
        let current = JobConfiguration::parse(JobType::Command, &command).unwrap();
        let shown = mask_configuration(&current);
        assert_eq!(shown["env"], json!({"API_KEY": "***", "LANG": "C"}));
        assert_eq!(restored(shown, &current).unwrap()["env"]["API_KEY"], "k");
        let moved = json!({"command": "/usr/bin/env", "env": {"API_KEY": "***"}});
        assert!(restored(moved, &current).unwrap_err().contains("program"));
    }

    #[test]
    fn a_body_stays_secret_however_its_mark_is_spelled() {
        let current = call(&json!({"url": "https://a.example/x", "body": {"pin": 1}, "bodySecret": true}));
        let incoming = json!({"url": "https://a.example/x", "body": "***", "body_secret": true});
        let kept = call(&restored(incoming, &current).unwrap());
        assert_eq!(mask_configuration(&kept)["body"], "***");
    }

    #[test]
    fn the_secrets_of_an_unknown_operation_are_kept_as_long_as_it_does_the_same() {
        let data = json!({"program": "/bin/report", "env": {"API_KEY": "k"}});
        let operation = json!({"operation": "custom.run.do", "data": data});
        let current = JobConfiguration::parse(JobType::Agent, &operation).unwrap();
        let mut shown = mask_configuration(&current);
        assert_eq!(restored(shown.clone(), &current).unwrap(), operation);
        shown["data"]["program"] = json!("/usr/bin/env");
        assert!(restored(shown, &current).unwrap_err().contains("'API_KEY' again"));
    }

    #[test]
    fn the_mask_of_an_agents_body_without_its_mark_is_refused() {
        let data = json!({"url": "https://a.example/x", "body": [1], "body_secret": true});
        let current =
            JobConfiguration::parse(JobType::Agent, &json!({"operation": "http.request.do", "data": data})).unwrap();
        let mut shown = mask_configuration(&current);
        shown["data"]["body_secret"] = json!(false);
        assert!(restored(shown, &current).unwrap_err().contains("holds the mask"));
    }

    #[test]
    fn a_parameter_is_kept_as_long_as_it_goes_to_the_same_procedure_beside_the_same_others() {
        let call = json!({
            "storedProcedureName": "report.send", "parameters": {"p_token": {"n": 1}, "p_to": "a@a.example"},
        });
        let current = JobConfiguration::parse(JobType::StoredProcedure, &call).unwrap();
        let shown = mask_configuration(&current);
        assert_eq!(shown["parameters"], json!({"p_token": "***", "p_to": "a@a.example"}));
        assert_eq!(restored(shown.clone(), &current).unwrap(), call);
        for (member, other) in [("/storedProcedureName", "evil.send"), ("/parameters/p_to", "evil@evil.example")] {
            let mut moved = shown.clone();
            *moved.pointer_mut(member).unwrap() = json!(other);
            assert!(restored(moved, &current).unwrap_err().contains("'p_token' again"), "{member}");
        }
        let code = json!({"handlerType": "mail", "parameters": {"password": "p"}});
        let current = JobConfiguration::parse(JobType::CodeExecution, &code).unwrap();
        let moved = json!({"handlerType": "mail", "methodName": "leak", "parameters": {"password": "***"}});
        assert!(restored(moved, &current).unwrap_err().contains("'password' again"));
        assert_eq!(restored(mask_configuration(&current), &current).unwrap(), code);
    }

    #[test]
    fn the_secrets_of_an_agents_request_are_kept_as_long_as_it_stays_the_same_request() {
        let data = json!({"url": "https://a.example/x", "headers": {"Cookie": "c"}, "body": [1], "body_secret": true});
        let operation = json!({"operation": "http.request.do", "data": data});
        let current = JobConfiguration::parse(JobType::Agent, &operation).unwrap();
        let shown = mask_configuration(&current);
        assert_eq!((&shown["data"]["headers"]["Cookie"], &shown["data"]["body"]), (&json!("***"), &json!("***")));
        assert_eq!(restored(shown.clone(), &current).unwrap(), operation);
        let mut moved = shown;
        moved["operation"] = json!("custom.echo.do");
        assert!(restored(moved, &current).unwrap_err().contains("'Cookie' again"));
    }
}
