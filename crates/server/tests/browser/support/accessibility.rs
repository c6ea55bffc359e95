//! What axe-core finds on a page (WCAG 2.2 A and AA, and its best practices).

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use super::page::Page;

/// Where `scripts/test` puts it.
const AXE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/axe-core/axe.min.js");

const RUN: &str = "
    const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    return axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']})
        .then(results => results.violations);";

impl Page {
    /// Fails if anything on the page keeps somebody from using it, as far as a program can tell.
    pub(crate) async fn is_accessible(&self) {
        let axe = std::fs::read_to_string(Path::new(AXE));
        let axe = axe.unwrap_or_else(|error| panic!("{AXE}: {error}; scripts/test puts axe-core there"));
        self.run(&axe).await;
        let violations = self.run(RUN).await;
        let violations = violations.as_array().unwrap();
        assert!(violations.is_empty(), "{} is not accessible:\n{}", self.path().await, told(violations));
    }
}

/// Each violated rule with its explanation, and where.
fn told(violations: &[Value]) -> String {
    let mut told = String::new();
    for rule in violations {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        writeln!(told, "{} ({}): {}", text(&rule["id"]), text(&rule["impact"]), text(&rule["help"])).unwrap();
        writeln!(told, "  {}", text(&rule["helpUrl"])).unwrap();
        for node in rule["nodes"].as_array().into_iter().flatten() {
            writeln!(told, "  at {}: {}", node["target"], text(&node["html"])).unwrap();
            writeln!(told, "     {}", text(&node["failureSummary"]).replace('\n', "\n     ")).unwrap();
        }
    }
    told
}
