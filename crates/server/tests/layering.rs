//! The layers hold: which crate may depend on which, and what each may take from outside.
//!
//! The execution state machine and the retry rules are testable without HTTP and without SQL only as long as no
//! dependency creeps in that brings either, and such an edge is easy to miss in review. So the allowed ones are written
//! down here, and everything else fails.

#![allow(clippy::expect_used)] // in a test a failed expectation is the report

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{Dependency, DependencyKind, MetadataCommand, Package};

/// One workspace crate: its name without `horarium-`, the workspace crates it may build on, and what must stay out of it.
struct Layer {
    name: &'static str,
    may_use: &'static [&'static str],
    /// External crates; `diesel*` stands for every crate whose name starts so.
    must_not_use: &'static [&'static str],
}

const HTTP_SERVER: &str = "actix*";
const HTTP_CLIENT: &str = "reqwest";
const SQL: [&str; 5] = ["diesel*", "deadpool-postgres", "libsqlite3-sys", "postgres*", "tokio-postgres"];
const NO_HTTP_NO_SQL: &[&str] = &[HTTP_SERVER, HTTP_CLIENT, "hyper*", SQL[0], SQL[1], SQL[2], SQL[3], SQL[4]];
const NO_SQL: &[&str] = &[SQL[0], SQL[1], SQL[2], SQL[3], SQL[4]];

const LAYERS: &[Layer] = &[
    Layer {
        name: "domain",
        may_use: &[],
        // Neither I/O nor a clock nor randomness of its own: they come in as arguments.
        must_not_use: &[
            "actix*",
            "deadpool*",
            "diesel*",
            "futures*",
            "hyper*",
            "libsqlite3-sys",
            "rand*",
            "reqwest",
            "tokio*",
            "tracing*",
        ],
    },
    Layer { name: "auth", may_use: &["domain"], must_not_use: NO_HTTP_NO_SQL },
    Layer { name: "scheduler-engine", may_use: &["domain"], must_not_use: NO_HTTP_NO_SQL },
    Layer { name: "persistence", may_use: &["domain"], must_not_use: &[HTTP_SERVER, HTTP_CLIENT, "hyper*", "utoipa*"] },
    // What runs programs, on the server and on other machines.
    Layer { name: "process", may_use: &["domain"], must_not_use: NO_HTTP_NO_SQL },
    // Their SQL, if any, is the operator's database and not the store: hence no diesel, but a driver is in order.
    Layer {
        name: "executors",
        may_use: &["domain", "process", "scheduler-engine"],
        must_not_use: &[HTTP_SERVER, "diesel*", "utoipa*"],
    },
    Layer { name: "api", may_use: &["domain", "auth", "scheduler-engine"], must_not_use: NO_SQL },
    Layer { name: "dashboard", may_use: &["domain", "auth", "scheduler-engine"], must_not_use: NO_SQL },
    Layer { name: "agent", may_use: &["domain", "process"], must_not_use: &[HTTP_SERVER, "diesel*"] },
    Layer { name: "client", may_use: &["domain"], must_not_use: &[HTTP_SERVER, "diesel*"] },
    Layer { name: "store-conformance", may_use: &["domain"], must_not_use: NO_HTTP_NO_SQL },
    // Makes databases and drops them again, so it speaks to the server itself.
    Layer { name: "test-databases", may_use: &["persistence"], must_not_use: &[HTTP_SERVER, HTTP_CLIENT, "hyper*"] },
    // Composition, configuration and telemetry: it names the stores and never speaks SQL itself.
    Layer {
        name: "server",
        may_use: &[
            "agent",
            "api",
            "auth",
            "client",
            "dashboard",
            "domain",
            "executors",
            "persistence",
            "scheduler-engine",
        ],
        must_not_use: NO_SQL,
    },
    // What an embedding program needs, and no more: the engine, a store, the ready-made executors.
    Layer {
        name: "example-embed",
        may_use: &["domain", "executors", "persistence", "scheduler-engine"],
        must_not_use: NO_HTTP_NO_SQL,
    },
    Layer {
        name: "bench",
        may_use: &["api", "auth", "domain", "executors", "persistence", "scheduler-engine", "server", "client"],
        must_not_use: &[],
    },
];

/// Test support that any crate may use in its tests, and none in what it ships.
const TEST_SUPPORT: &[&str] = &["store-conformance", "test-databases"];

const WHERE_TO_CHANGE: &str = "The layers are described in docs/architecture.md; if this edge is meant, change that \
                               document and the table LAYERS in crates/server/tests/layering.rs together.";

#[test]
fn every_crate_has_its_place_among_the_layers() {
    let strangers: Vec<String> = workspace_crates()
        .keys()
        .filter(|name| layer(name).is_none())
        .map(|name| format!("horarium-{name} is in no layer: say what it may depend on."))
        .collect();

    assert_none(&strangers);
}

#[test]
fn crates_depend_only_on_the_layers_below_them() {
    let crates = workspace_crates();
    let mut violations = Vec::new();
    for (name, package) in &crates {
        let Some(layer) = layer(name) else { continue };
        for dependency in shipped_dependencies(package) {
            let Some(target) = workspace_name(&dependency.name) else { continue };
            if !layer.may_use.contains(&target) {
                violations.push(format!(
                    "{name} depends on {target}; it may depend on {}.",
                    if layer.may_use.is_empty() {
                        "no other crate of the workspace".into()
                    } else {
                        layer.may_use.join(", ")
                    },
                ));
            }
        }
    }

    assert_none(&violations);
}

#[test]
fn tests_reach_no_higher_than_the_code_they_test() {
    let mut violations = Vec::new();
    for (name, package) in &workspace_crates() {
        let Some(layer) = layer(name) else { continue };
        for dependency in package.dependencies.iter().filter(|d| d.kind == DependencyKind::Development) {
            let Some(target) = workspace_name(&dependency.name) else { continue };
            if !layer.may_use.contains(&target) && !TEST_SUPPORT.contains(&target) && target != name.as_str() {
                violations.push(format!("The tests of {name} depend on {target}, which is above it or beside it."));
            }
        }
    }

    assert_none(&violations);
}

#[test]
fn no_layer_takes_in_a_crate_that_would_undo_it() {
    let mut violations = Vec::new();
    for (name, package) in &workspace_crates() {
        let Some(layer) = layer(name) else { continue };
        for dependency in shipped_dependencies(package) {
            if let Some(rule) = layer.must_not_use.iter().find(|pattern| matches(pattern, &dependency.name)) {
                violations.push(format!("{name} depends on {}; {rule} must stay out of that layer.", dependency.name));
            }
        }
    }

    assert_none(&violations);
}

#[test]
fn the_allowed_edges_form_no_cycle() {
    let mut settled: BTreeSet<&str> = BTreeSet::new();
    loop {
        let next = LAYERS
            .iter()
            .filter(|layer| !settled.contains(layer.name))
            .find(|layer| layer.may_use.iter().all(|below| settled.contains(below)));
        match next {
            Some(layer) => settled.insert(layer.name),
            None => break,
        };
    }

    let stuck: Vec<String> = LAYERS
        .iter()
        .filter(|layer| !settled.contains(layer.name))
        .map(|layer| format!("{} is on a cycle, or names a layer that does not exist.", layer.name))
        .collect();
    assert_none(&stuck);
}

/// The workspace's packages by their names without `horarium-`.
fn workspace_crates() -> BTreeMap<String, Package> {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .no_deps() // direct dependencies are all that is asked for, and this way nothing is downloaded
        .exec()
        .expect("cargo metadata describes the workspace");
    metadata
        .packages
        .into_iter()
        .map(|package| {
            let name = workspace_name(&package.name)
                .unwrap_or_else(|| panic!("package {} is not called horarium-<something>", package.name))
                .to_owned();
            (name, package)
        })
        .collect()
}

fn layer(name: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|layer| layer.name == name)
}

fn workspace_name(package: &str) -> Option<&str> {
    package.strip_prefix("horarium-")
}

/// What a user of the crate compiles: normal and build dependencies, not those of its tests.
fn shipped_dependencies(package: &Package) -> impl Iterator<Item = &Dependency> {
    package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development)
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

#[track_caller]
fn assert_none(violations: &[String]) {
    assert!(violations.is_empty(), "\n  {}\n\n{WHERE_TO_CHANGE}\n", violations.join("\n  "));
}
