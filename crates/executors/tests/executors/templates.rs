//! Templates in every place they can stand, and values that try to get out of their place.

use horarium_domain::job::JobType;
use horarium_executors::template::{Renderer, TemplateError};
use horarium_scheduler_engine::Run;
use proptest::prelude::*;
use serde_json::{Value, json};
use url::Url;

use crate::support::{EXECUTION, run, run_with_payload, templates};

fn attempt() -> Run {
    run(JobType::HttpCall, &json!({ "url": "http://a.example/" }))
}

fn attempt_on(payload: Value) -> Run {
    run_with_payload(JobType::HttpCall, &json!({ "url": "http://a.example/" }), payload)
}

/// Fills in `run` what `fill` does.
fn filled<T>(run: &Run, fill: impl FnOnce(&mut Renderer<'_>) -> Result<T, TemplateError>) -> Result<T, TemplateError> {
    fill(&mut templates().renderer(run))
}

fn text(run: &Run, text: &str) -> Result<String, TemplateError> {
    filled(run, |renderer| renderer.text(text))
}

fn url(payload: Value, url: &str) -> Result<String, TemplateError> {
    filled(&attempt_on(payload), |renderer| renderer.url(url))
}

#[test]
fn every_name_has_its_value() {
    for (template, value) in [
        ("{{Today}}", "2025-07-10"),
        ("{{Now}}", "2025-07-10T22:50:00.125Z"),
        ("{{Job.Id}}", "00000000-0000-0000-0000-00000000010b"),
        ("{{Job.Name}}", "nightly"),
        ("{{Execution.Id}}", EXECUTION),
        ("{{Execution.Attempt}}", "2"),
        ("{{Execution.ScheduledFor}}", "2025-07-10T22:50:00.000Z"),
        ("{{Environment.MachineName}}", "node-1"),
        ("a {{ Today }}/{{Today}} z", "a 2025-07-10/2025-07-10 z"),
        ("{{{{Today}}", "{{Today}}"),
        ("no templates { } }}", "no templates { } }}"),
    ] {
        assert_eq!(text(&attempt(), template).unwrap(), value, "{template}");
    }
}

#[test]
fn the_payload_is_reached_by_paths() {
    let run = attempt_on(json!({ "a": { "b": [{ "c": "x" }, 5] }, "t": true, "n": null }));
    for (template, value) in [
        ("{{Payload.a.b.0.c}}", "x"),
        ("{{Payload.a.b.1}}", "5"),
        ("{{Payload.a.b[0].c}}", "x"),
        ("{{Payload.t}}", "true"),
        ("{{Payload.a.b}}", r#"[{"c":"x"},5]"#),
    ] {
        assert_eq!(text(&run, template).unwrap(), value, "{template}");
    }
    for missing in ["{{Payload.x}}", "{{Payload.a.b.2}}", "{{Payload.a.b.x}}", "{{Payload.t.x}}", "{{Payload.}}"] {
        assert!(matches!(text(&run, missing), Err(TemplateError::NotInPayload(_))), "{missing}");
    }
    assert!(matches!(text(&run, "{{Payload.n}}"), Err(TemplateError::Null(_))));
    assert!(matches!(text(&attempt(), "{{Payload.x}}"), Err(TemplateError::NoPayload(_))));
}

#[test]
fn an_unknown_name_is_told_with_the_known_ones() {
    for name in ["today", "Yesterday", "Payloads", "Job", "", "Execution.id"] {
        let error = text(&attempt(), &format!("{{{{{name}}}}}")).unwrap_err().to_string();
        assert!(error.contains(&format!("'{{{{{name}}}}}'")) && error.contains("Execution.Attempt"), "{error}");
    }
}

#[test]
fn what_a_value_holds_is_not_filled_again() {
    let run = attempt_on(json!({ "x": "{{Job.Name}}" }));
    assert_eq!(text(&run, "{{Payload.x}}").unwrap(), "{{Job.Name}}");
}

#[test]
fn a_value_in_a_url_fills_one_place_and_no_other() {
    let filled =
        url(json!({ "id": "a/b?c=d#e&f", "q": "ü x" }), "https://h.example/o/{{Payload.id}}?q={{Payload.q}}&z=1");
    assert_eq!(filled.unwrap(), "https://h.example/o/a%2Fb%3Fc%3Dd%23e%26f?q=%C3%BC%20x&z=1");
}

#[test]
fn a_value_in_a_url_cannot_become_a_step_to_another_path() {
    for value in [json!(".."), json!("."), json!("")] {
        let payload = json!({ "id": value });
        for template in [
            "http://h/users/{{Payload.id}}",
            "http://h/users/{{Payload.id}}/orders?x=1",
            "http://h/users/{{Payload.id}}#x",
            "http://h\\{{Payload.id}}",
        ] {
            assert!(matches!(url(payload.clone(), template), Err(TemplateError::PathSegment(_))), "{template} {value}");
        }
        assert!(url(payload.clone(), "http://h/users/x{{Payload.id}}?q={{Payload.id}}").is_ok(), "{value}");
    }
    let halves = json!({ "a": ".", "b": "%2e" });
    assert!(url(halves.clone(), "http://h/{{Payload.a}}{{Payload.a}}/x").is_err());
    assert!(url(halves.clone(), "http://h/.{{Payload.a}}/x").is_err());
    assert_eq!(url(json!({ "host": "" }), "http://{{Payload.host}}/x"), Err(TemplateError::NoHost));
    assert!(url(halves.clone(), "http://h/{{Payload.a}}%2E/x").is_err());
    // An encoded percent sign is no dot.
    assert_eq!(url(halves, "http://h/{{Payload.b}}").unwrap(), "http://h/%252e");
    assert!(url(json!({}), "http://h/the/author/may/../do/./so//").is_ok());
}

#[test]
fn a_value_in_a_header_stays_on_its_line() {
    let run = attempt_on(json!({ "x": "a\r\nX-Admin: 1", "y": "ü\ta" }));
    let header = |text: &str| filled(&run, |renderer| renderer.header(text));
    assert_eq!(header("{{Payload.x}}"), Err(TemplateError::ControlCharacter));
    assert_eq!(header("{{Payload.y}}").unwrap(), "ü\ta");
}

#[test]
fn json_is_filled_in_its_strings_at_any_depth_and_types_are_kept() {
    let run = attempt_on(json!({ "order": { "id": 7, "lines": [1, 2] }, "n": null, "q": "\"},{" }));
    let body = json!({
        "id": "{{Payload.order.id}}",
        "order": "{{Payload.order}}",
        "none": "{{Payload.n}}",
        "text": "order {{Payload.order.id}} of {{Job.Name}}",
        "attempt": "{{Execution.Attempt}}",
        "nested": [["{{Payload.q}}!"], 1, null],
        "{{Today}}": true,
    });
    let expected = json!({
        "id": 7,
        "order": { "id": 7, "lines": [1, 2] },
        "none": null,
        "text": "order 7 of nightly",
        "attempt": "2",
        "nested": [["\"},{!"], 1, null],
        "{{Today}}": true,
    });
    assert_eq!(filled(&run, |renderer| renderer.json(&body)).unwrap(), expected);
}

#[test]
fn a_text_body_is_escaped_by_what_it_is() {
    let run = attempt_on(json!({ "x": "a\"&b=c\n" }));
    let body = |text: &str, kind: Option<&str>| filled(&run, |renderer| renderer.body(&json!(text), kind)).unwrap();
    assert_eq!(body(r#"{"x": "{{Payload.x}}"}"#, None), r#"{"x": "a\"&b=c\n"}"#);
    let form = "Application/X-WWW-form-urlencoded; charset=utf-8";
    assert_eq!(body("x={{Payload.x}}&y=1", Some(form)), "x=a%22%26b%3Dc%0A&y=1");
    assert_eq!(body("<x>{{Payload.x}}</x>", Some("text/xml")), "<x>a\"&b=c\n</x>");
}

#[test]
fn repeating_a_large_payload_ends_before_memory_does() {
    let run = attempt_on(json!("x".repeat(1024 * 1024)));
    assert!(text(&run, &"{{Payload}}".repeat(8)).is_ok());
    assert_eq!(text(&run, &"{{Payload}}".repeat(9)), Err(TemplateError::TooLarge));
    let body = Value::from(vec!["{{Payload}}"; 9]);
    assert_eq!(filled(&run, |renderer| renderer.json(&body)), Err(TemplateError::TooLarge));
}

proptest! {
    #[test]
    fn no_value_changes_a_urls_host_query_or_number_of_segments(value in any::<String>()) {
        let payload = json!({ "x": value });
        if let Ok(filled) = url(payload, "https://h.example:444/a/{{Payload.x}}/b?q={{Payload.x}}&z=1#f") {
            let url = Url::parse(&filled).unwrap();
            prop_assert_eq!(url.origin().ascii_serialization(), "https://h.example:444");
            prop_assert_eq!(url.path_segments().unwrap().count(), 3);
            prop_assert_eq!(url.path_segments().unwrap().next_back(), Some("b"));
            prop_assert_eq!(url.fragment(), Some("f"));
            let query: Vec<_> = url.query_pairs().into_owned().collect();
            prop_assert_eq!(query, vec![("q".to_owned(), value), ("z".to_owned(), "1".to_owned())]);
        }
    }

    #[test]
    fn no_value_changes_the_structure_of_a_json_text(value in any::<String>()) {
        let run = attempt_on(json!({ "x": value }));
        let text = json!(r#"{"a": "<{{Payload.x}}>", "b": 1}"#);
        let body = filled(&run, |renderer| renderer.body(&text, None)).unwrap();
        let parsed: Value = serde_json::from_str(body.as_str().unwrap()).unwrap();
        prop_assert_eq!(parsed, json!({ "a": format!("<{value}>"), "b": 1 }));
    }

    #[test]
    fn no_value_brings_a_second_header_line(value in any::<String>()) {
        let run = attempt_on(json!({ "x": value }));
        if let Ok(header) = filled(&run, |renderer| renderer.header("a {{Payload.x}}")) {
            prop_assert!(!header.contains(['\r', '\n', '\0']));
        }
    }

    #[test]
    fn any_text_is_filled_or_refused_without_a_panic(text in "[{}a-zA-Z. ]{0,40}") {
        let run = attempt_on(json!({ "x": 1 }));
        let _ = filled(&run, |renderer| renderer.url(&text));
        let _ = filled(&run, |renderer| renderer.json(&Value::from(text.clone())));
    }
}
