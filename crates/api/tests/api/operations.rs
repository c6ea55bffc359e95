//! Every operation of the published document, walked: nobody gets in without a credential, without the permission, or
//! to another tenant's things. A route that is added is covered from its first day.

mod credentials;
mod permissions;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use horarium_api::ApiConfig;
use horarium_auth::Role;
use horarium_domain::TenantId;
use horarium_domain::audit::AuditEntry;
use horarium_domain::store::AuditFilter;
use insta::assert_json_snapshot;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{Client, TestApp, http_job};

/// One operation, ready to be called.
struct Operation {
    method: Method,
    /// With its parameters in place.
    path: String,
    /// As documented.
    pattern: String,
    id: String,
    body: Option<Value>,
    is_open: bool,
    is_for_keepers: bool,
    /// Whether a key is the only credential that it takes.
    is_by_key: bool,
    is_for_agents: bool,
    /// What stands in its path for each parameter.
    parameters: Rc<[(&'static str, String)]>,
}

impl Operation {
    /// Only the head is waited for: one of the answers is a stream without end.
    async fn open(&self, client: &Client) -> Response {
        let body = self.body.as_ref().map(|body| ("application/json", body.to_string().into_bytes()));
        client.open(self.method.clone(), &self.path, body).await
    }

    async fn call(&self, client: &Client) -> u16 {
        self.open(client).await.status().as_u16()
    }

    fn told(&self) -> String {
        format!("{} {}", self.method, self.pattern)
    }
}

/// All operations, with the ids of one tenant's job, execution and key in their paths.
async fn operations(app: &TestApp) -> Vec<Operation> {
    let owner = app.owner();
    let (job, execution) = owner.trigger_new_job("walked").await;
    app.fail_next("boom", Duration::from_secs(1)).await;
    // Those that the examples name.
    for name in ["spare", "resize-images", "tokenExpiry"] {
        owner.create_job(http_job(name)).await;
    }
    let mut integration = http_job("whatsapp");
    integration["group"] = "integration".into();
    owner.create_job(integration).await;
    let key = json!({"name": "k", "scopes": ["keys:manage"]});
    let key = owner.post("/api/v1/keys", key).await.expect(201).member("id");
    // Not the one that everything else is in: it does not survive the walk.
    let spare = app.as_role(Role::SuperAdmin).post("/api/v1/tenants", json!({"slug": "spare"})).await;
    let tenant = spare.expect(201).member("id");
    let parameters = Rc::new([
        ("{jobId}", job),
        ("{executionId}", execution),
        ("{keyId}", key),
        ("{tenantId}", tenant),
        ("{name}", "default".to_owned()),
        ("{key}", "customer-7".to_owned()),
        ("{jobName}", "walked".to_owned()),
        ("{agentId}", app.agent("web-1").await.id),
        ("{hostname}", "web-1".to_owned()),
    ]);

    let document = serde_json::to_value(horarium_api::openapi::document()).unwrap();
    let mut all = Vec::new();
    for (pattern, item) in document["paths"].as_object().unwrap() {
        let path = parameters.iter().fold(pattern.clone(), |path, (name, value)| path.replace(name, value));
        assert!(!path.contains('{'), "no value for the parameter in {pattern}");
        for (method, operation) in item.as_object().unwrap() {
            all.push(Operation {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                pattern: pattern.clone(),
                // What is served at a second path is the same to the audit log.
                id: operation["operationId"].as_str().unwrap().trim_end_matches("_alias").to_owned(),
                body: example(&document, operation),
                is_open: operation["security"] == json!([{}]),
                is_for_agents: operation["tags"][0] == "Agent protocol",
                is_for_keepers: ["Tenants", "Administration of jobs"].contains(&operation["tags"][0].as_str().unwrap())
                    || pattern == "/metrics",
                is_by_key: operation["security"] == json!([{"apiKey": []}]),
                parameters: parameters.clone(),
            });
        }
    }
    assert!(all.len() > 40, "{}", all.len());
    all
}

/// A body that the operation takes, from the document's own examples.
fn example(document: &Value, operation: &Value) -> Option<Value> {
    let schema = operation.pointer("/requestBody/content/application~1json/schema")?;
    Some(example_of(document, schema).unwrap_or_else(|| panic!("no example for {}", operation["operationId"])))
}

fn example_of(document: &Value, schema: &Value) -> Option<Value> {
    if let Some(reference) = schema["$ref"].as_str() {
        return example_of(document, document.pointer(reference.trim_start_matches('#'))?);
    }
    if schema.get("example").is_some() {
        return Some(schema["example"].clone());
    }
    if let Some(items) = schema.get("items") {
        return Some(Value::Array(vec![example_of(document, items)?]));
    }
    let mut variants = ["allOf", "oneOf", "anyOf"].into_iter().filter_map(|kind| schema[kind].as_array()).flatten();
    variants.find_map(|variant| example_of(document, variant))
}

#[tokio::test]
async fn without_a_credential_every_operation_is_a_401() {
    let app = TestApp::start().await;
    for operation in operations(&app).await {
        let status = operation.call(&app.anonymous()).await;
        let expected = if operation.is_open { 200 } else { 401 };
        assert_eq!(status, expected, "{} {}", operation.method, operation.pattern);
    }
}

#[tokio::test]
async fn with_another_tenants_id_every_operation_finds_nothing() {
    let app = TestApp::start().await;
    let stranger = app.as_role_in(Role::Owner, "org-2");
    let names_a_thing = |operation: &Operation| {
        ["{jobId}", "{executionId}", "{keyId}", "{agentId}", "{hostname}"]
            .iter()
            .any(|parameter| operation.pattern.contains(parameter))
    };
    let mut walked = 0;
    for operation in operations(&app).await.iter().filter(|operation| names_a_thing(operation)) {
        // The source document of the scheduler dialect answers 400 when what is to be retried does not exist.
        let is_retry = operation.pattern.starts_with("/api/v1") && operation.pattern.ends_with("/retry");
        let expected = if is_retry { 400 } else { 404 };
        assert_eq!(operation.call(&stranger).await, expected, "{} {}", operation.method, operation.pattern);
        walked += 1;
    }
    assert!(walked > 15, "{walked}");
    // And nothing of it was done: the owner finds everything as it was.
    let jobs = app.owner().get("/api/v1/scheduler/jobs?status=Active").await.expect(200).json();
    assert_eq!(jobs["totalCount"], 5);
    assert_eq!(app.owner().get("/api/v1/keys").await.json()["items"][0]["status"], "Active");
}

#[tokio::test]
async fn with_another_tenants_agent_id_an_agent_finds_nothing() {
    let app = TestApp::start().await;
    let operations = operations(&app).await;
    for agent in [app.as_role_in(Role::Agent, "org-2"), app.machine_of("org-2", &["agents:lease"]).await] {
        let as_an_agent = operations.iter().filter(|operation| operation.is_for_agents);
        let mut walked = 0;
        for operation in as_an_agent.filter(|operation| operation.pattern.contains("{agentId}")) {
            assert_eq!(operation.call(&agent).await, 404, "{}", operation.told());
            walked += 1;
        }
        assert_eq!(walked, 3, "lease, report and heartbeat");
    }
}

impl Operation {
    /// Calls it as whoever may.
    async fn call_with_permission(&self, app: &TestApp) -> u16 {
        let caller = if self.is_by_key {
            app.machine(&["*"]).await
        } else if self.is_for_keepers {
            app.as_role(Role::SuperAdmin).with_header("x-tenantid", "org-1")
        } else {
            app.owner()
        };
        self.call(&caller.with_header("user-agent", "walker/1").with_header("x-request-id", &self.id)).await
    }

    /// An id in its path by the parameter's name, any other as that it is new.
    fn name_of<'a>(&self, id: Option<&'a str>) -> &'a str {
        let is_it = |id: &str, (name, value): &(&str, String)| value == id && self.pattern.contains(name);
        let named = |id: &'a str| self.parameters.iter().find(|it| is_it(id, it)).map_or("new", |(name, _)| name);
        id.map_or("none", named)
    }
}

/// What every operation that reads answers to one who may see everything, but for what a mere call changes: a key's
/// last use, the audit log and the metrics.
async fn everything(app: &TestApp, operations: &[Operation]) -> BTreeMap<String, Value> {
    let keeper = app.as_role(Role::SuperAdmin).with_header("x-tenantid", "org-1");
    let is_telling = |operation: &&Operation| {
        let ever_new = ["/api/v1/events", "/api/v1/audit", "/api/v1/audit/export", "/metrics"];
        operation.method == Method::GET && !operation.is_by_key && !ever_new.contains(&operation.pattern.as_str())
    };
    let mut told = BTreeMap::new();
    for operation in operations.iter().filter(is_telling) {
        let mut answer = keeper.get(&operation.path).await.expect(200).json();
        for key in answer.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten() {
            key.as_object_mut().unwrap().remove("lastUsedAt");
        }
        told.insert(operation.told(), answer);
    }
    told
}

async fn assert_unchanged(app: &TestApp, operations: &[Operation], before: &BTreeMap<String, Value>) {
    for (place, answer) in everything(app, operations).await {
        assert_eq!(answer, before[&place], "what was refused changed {place}");
    }
}

/// The whole audit log of a tenant, newest first.
async fn audit_log(app: &TestApp, tenant: TenantId) -> Vec<AuditEntry> {
    app.core.store.audit(tenant, &AuditFilter::default(), None, 1000).await.unwrap()
}

async fn tenant(app: &TestApp) -> TenantId {
    app.core.store.tenant(&"org-1".parse().unwrap()).await.unwrap().id
}

/// Nothing works off the queue in these tests: who waits for it need not wait long.
fn impatient() -> ApiConfig {
    ApiConfig { submit_wait: Duration::from_millis(50), ..ApiConfig::default() }
}

#[tokio::test]
async fn every_operation_that_changes_something_leaves_an_entry_of_who_did_what_to_what_from_where() {
    let count = operations(&TestApp::start().await).await.len();
    let mut told = Vec::new();
    for index in 0..count {
        // Each finds all that it is about, whatever the one before did to it.
        let app = TestApp::with(impatient()).await;
        let operation = operations(&app).await.swap_remove(index);
        if operation.method == Method::GET || operation.is_open {
            continue;
        }
        let tenant = tenant(&app).await;
        let status = operation.call_with_permission(&app).await;
        let mut log = audit_log(&app, tenant).await;
        log.retain(|entry| entry.request_id == operation.id);
        let place = format!("{} {}", operation.method, operation.pattern);
        let Some(entry) = log.pop() else {
            told.push(format!("{place}: {status}, not on record"));
            continue;
        };
        assert_eq!(log, [], "one entry is enough: {place}");
        assert_eq!((entry.method.as_str(), &entry.route), (operation.method.as_str(), &operation.pattern));
        assert_eq!((&entry.action, entry.status), (&operation.id, Some(status)));
        assert_eq!((entry.address.as_deref(), entry.user_agent.as_deref()), (Some("127.0.0.1"), Some("walker/1")));
        let target = entry.target.map_or("nothing in particular".to_owned(), |target| {
            let [before, after] = [&target.before, &target.after].map(|id| operation.name_of(id.as_deref()));
            format!("{}: {before} -> {after}", target.kind)
        });
        told.push(format!("{place}: {status} by {}, {target}", entry.actor.name.unwrap_or_default()));
    }
    assert_json_snapshot!("audited", told);
}

#[tokio::test]
async fn no_operation_that_only_reads_leaves_an_entry() {
    let app = TestApp::start().await;
    let operations = operations(&app).await;
    let tenant = tenant(&app).await;
    let before = audit_log(&app, tenant).await.len();
    for operation in operations.iter().filter(|operation| operation.method == Method::GET && !operation.is_by_key) {
        operation.call_with_permission(&app).await;
    }
    assert_eq!(audit_log(&app, tenant).await.len(), before);
}
