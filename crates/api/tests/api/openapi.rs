//! The published document.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use insta::assert_json_snapshot;
use serde_json::Value;

use crate::support::TestApp;

/// One line for an operation: what it takes and what it may answer.
fn told(method: &str, path: &str, operation: &Value) -> String {
    let names = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    let statuses: Vec<_> = operation["responses"].as_object().unwrap().keys().cloned().collect();
    let guard = if operation["security"] == serde_json::json!([{}]) { "open" } else { "guarded" };
    format!(
        "{} {path} | {guard} | takes {} | answers {}",
        method.to_uppercase(),
        names(&operation["parameters"]).join(" "),
        statuses.join(" ")
    )
}

#[tokio::test]
async fn the_operations_are_those_that_were_reviewed() {
    let app = TestApp::start().await;
    let served = app.anonymous().get("/openapi.json").await.expect(200).json();
    assert_eq!(served["openapi"], "3.1.0");
    let paths = served["paths"].as_object().unwrap();
    let operations: Vec<_> = paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(move |(method, operation)| told(method, path, operation))
        })
        .collect();
    assert_json_snapshot!("operations", operations);
}

#[tokio::test]
async fn the_shapes_are_those_that_were_reviewed() {
    let app = TestApp::start().await;
    let served = app.anonymous().get("/openapi.json").await.expect(200).json();
    assert_json_snapshot!("components", served["components"]);
}

#[test]
fn every_operation_is_named_described_and_tagged() {
    let document = serde_json::to_value(horarium_api::openapi::document()).unwrap();
    let mut names = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            names.push(operation["operationId"].as_str().unwrap().to_owned());
            assert!(operation["summary"].is_string(), "{method} {path}");
            let tag = &operation["tags"][0];
            assert!(document["tags"].as_array().unwrap().iter().any(|known| known["name"] == *tag), "{method} {path}");
        }
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "operation ids are unique");
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document = serde_json::to_value(horarium_api::openapi::document()).unwrap();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

/// The types of a source file that have a schema. It goes by the type's name, whatever module that is in.
fn types_with_a_schema(source: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_derived = false;
    for line in source.lines() {
        // So the macro `names!` lists its types.
        if let [name, "for", _, "{", ..] = line.split_whitespace().collect::<Vec<_>>()[..] {
            names.push(name);
        }
        if line.starts_with([' ', '/']) {
            continue;
        }
        let words: Vec<_> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        let after = |word| words.iter().position(|other| *other == word).and_then(|at| words.get(at + 1)).copied();
        if line.starts_with("impl ToSchema") {
            names.extend(after("for"));
        } else if line.starts_with("#[derive(") {
            is_derived = words.contains(&"ToSchema");
        } else if !line.starts_with('#')
            && let Some(name) = after("struct").or_else(|| after("enum"))
        {
            names.extend(Some(name).filter(|_| is_derived));
            is_derived = false;
        }
    }
    names
}

fn sources_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Of two types of one name, the document would silently show one in the place of the other.
#[test]
fn every_schema_in_the_document_comes_from_one_type() {
    let mut sources = Vec::new();
    sources_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources);
    let mut types: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in sources {
        for name in types_with_a_schema(&fs::read_to_string(&path).unwrap()) {
            types.entry(name.to_owned()).or_default().push(path.clone());
        }
    }
    let document = serde_json::to_value(horarium_api::openapi::document()).unwrap();
    for schema in document["components"]["schemas"].as_object().unwrap().keys() {
        // A generic type's name is followed by those of its arguments.
        let name = schema.split('_').next().unwrap();
        let sources = types.get(name).map_or(&[][..], Vec::as_slice);
        assert_eq!(sources.len(), 1, "{schema} is in {sources:?}");
    }
}
