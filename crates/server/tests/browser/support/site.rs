//! A server of its own for each test, the tenants on it, and the world that their jobs call.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::OnceCell;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::awkward::awkward;
use super::browser::View;
use super::page::Page;
use crate::common::{Home, Server};

const SCHEDULER: &str = "/api/v1/scheduler";

/// How many characters those say who are wordy: as many as are kept of an output.
const WORDS: usize = 64 * 1024;

/// How the world outside answers a job's call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outside {
    /// 200 with some JSON.
    Fine,
    /// 200 with a text that is long, and would be markup if it could.
    Wordy,
    /// 500, and so the attempt fails.
    Broken,
    /// 500 with such a text.
    BrokenAndWordy,
    /// 500 to the first call, 200 from then on.
    BrokenOnce,
    /// Not before any test is over.
    Slow,
}

impl Outside {
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Fine => "/fine",
            Self::Wordy => "/wordy",
            Self::Broken => "/broken",
            Self::BrokenAndWordy => "/broken-and-wordy",
            Self::BrokenOnce => "/broken-once",
            Self::Slow => "/slow",
        }
    }
}

/// A running server on SQLite, in a folder and on a port of its own.
pub(crate) struct Site {
    home: Home,
    server: Server,
    outside: MockServer,
}

impl Site {
    pub(crate) async fn start() -> Self {
        Self::start_with(|home| home).await
    }

    /// Starts it with further settings.
    pub(crate) async fn start_with(settings: impl FnOnce(Home) -> Home) -> Self {
        Self::start_after(async |home, _: &str| settings(home)).await
    }

    /// Starts it after what is to be there already, which is told where the world outside is, and may set more.
    pub(crate) async fn start_after(preparation: impl AsyncFnOnce(Home, &str) -> Home) -> Self {
        let outside = outside().await;
        let home = Home::new().with("HORARIUM_EGRESS_ALLOW", "127.0.0.1").with("HORARIUM_NODE_NAME", "node-1");
        let home = preparation(home, &outside.uri()).await;
        let server = home.serve().await;
        Self { home, server, outside }
    }

    /// A tenant, as its owner.
    pub(crate) async fn tenant(&self, slug: &str) -> Tenant<'_> {
        self.tenant_with_key(slug, "Ada's laptop").await
    }

    /// The same, whose key goes by this name.
    pub(crate) async fn tenant_with_key(&self, slug: &str, name: &str) -> Tenant<'_> {
        let token = self.token(slug, "owner", "Ada Lovelace");
        let mut tenant =
            Tenant { site: self, token, key: String::new(), key_id: String::new(), agent_key: OnceCell::new() };
        let key = tenant.post("/api/v1/keys", json!({"name": name, "scopes": ["*"]})).await;
        key["key"].as_str().unwrap().clone_into(&mut tenant.key);
        key["id"].as_str().unwrap().clone_into(&mut tenant.key_id);
        tenant
    }

    /// A token of somebody who has a role in a tenant.
    pub(crate) fn token(&self, slug: &str, role: &str, name: &str) -> String {
        self.home.stdout_of(&["token", "create", "--role", role, "--tenant", slug, "--name", name])
    }

    /// Opens a page as somebody who has not signed in.
    pub(crate) async fn open(&self, view: View, path: &str) -> Page {
        Page::open(&self.server.url, view, path).await
    }

    /// Opens the first page as somebody who has signed in, with a key or a token.
    pub(crate) async fn sign_in(&self, view: View, credential: &str) -> Page {
        let page = self.open(view, "/").await;
        page.sign_in(credential).await;
        page
    }

    pub(crate) fn url(&self) -> &str {
        &self.server.url
    }

    /// Stops the server.
    pub(crate) fn stop(&mut self) {
        self.server.stop();
    }

    /// Starts it again where it was, with all that it held.
    pub(crate) async fn start_again(&mut self) {
        self.home.set("HORARIUM_LISTEN", self.server.url.trim_start_matches("http://"));
        self.server = self.home.serve().await;
    }

    /// A file or folder beside the server's own.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path(name)
    }

    /// The program with these arguments, on the same machine.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        self.home.command(env!("CARGO_BIN_EXE_horarium"), arguments)
    }

    /// Waits until a condition holds.
    pub(super) async fn wait_for(&self, what: &str, condition: impl AsyncFn() -> bool) {
        self.server.wait_for(what, async |_: &Server| condition().await).await;
    }
}

/// An address that nobody listens at, for what must be known before the server starts.
pub(crate) fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A tenant of a site, by its owner's credentials.
pub(crate) struct Tenant<'a> {
    site: &'a Site,
    pub(crate) token: String,
    /// An API key that may do all that the owner may.
    pub(crate) key: String,
    key_id: String,
    agent_key: OnceCell<String>,
}

impl Tenant<'_> {
    /// Makes a job that calls the world outside, with these further members; gives its id.
    pub(crate) async fn job(&self, name: &str, outside: Outside, members: Value) -> String {
        let call = json!({"url": self.outside(outside), "method": "POST"});
        let mut job = json!({"name": name, "jobType": "HttpCall", "jobConfiguration": call});
        job.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let job = self.post(&format!("{SCHEDULER}/jobs"), job).await;
        job["id"].as_str().unwrap().to_owned()
    }

    /// What a job calls in the world outside.
    pub(crate) fn outside(&self, outside: Outside) -> String {
        format!("{}{}", self.site.outside.uri(), outside.path())
    }

    /// Runs a job that does not end; gives the execution's id.
    pub(crate) async fn run(&self, name: &str) -> String {
        let job = self.job(name, Outside::Slow, json!({})).await;
        let execution = self.trigger(&job).await;
        self.reaches(&execution, "Running").await;
        execution
    }

    /// Sends an operation to all agents; gives the execution's id.
    pub(crate) async fn broadcast(&self, operation: &str) -> String {
        let job = json!({"operation": {"type": operation, "data": {}}, "target_hostname": "_all"});
        self.post("/job", job).await["job_id"].as_str().unwrap().to_owned()
    }

    /// Runs a job now; gives the execution's id.
    pub(crate) async fn trigger(&self, job: &str) -> String {
        let execution = self.post(&format!("{SCHEDULER}/jobs/{job}/trigger"), json!({})).await;
        execution.as_str().unwrap().to_owned()
    }

    /// Waits until an execution is in a state.
    pub(crate) async fn reaches(&self, execution: &str, status: &str) {
        self.shows(execution, "status", |shown| shown == status).await;
    }

    /// Waits until a member of an execution is as it should be.
    pub(crate) async fn shows(&self, execution: &str, member: &str, expected: impl Fn(&Value) -> bool) {
        let path = format!("{SCHEDULER}/executions/{execution}");
        let shown = async |_: &Server| expected(&self.get(&path).await[member]);
        self.site.server.wait_for(&format!("the {member} of {execution}"), shown).await;
    }

    /// Takes the key back.
    pub(crate) async fn revoke_key(&self) {
        self.delete(&format!("/api/v1/keys/{}", self.key_id)).await;
    }

    /// The key that its agents use.
    pub(super) async fn agent_key(&self) -> &str {
        let make = async || {
            let key = self.post("/api/v1/keys", json!({"name": "agents", "scopes": ["agents:lease"]})).await;
            key["key"].as_str().unwrap().to_owned()
        };
        self.agent_key.get_or_init(make).await
    }

    pub(super) fn url(&self) -> &str {
        self.site.url()
    }

    pub(super) fn site(&self) -> &Site {
        self.site
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.call("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.call("POST", path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Value {
        self.call("PUT", path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Value {
        self.call("DELETE", path, None).await
    }

    /// Calls the API, which must do as it is told.
    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.site.server.call(method, path, &self.token, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }
}

async fn outside() -> MockServer {
    let server = MockServer::start().await;
    let fine = || ResponseTemplate::new(200).set_body_json(json!({"rows": 1204, "warnings": []}));
    let broken = || ResponseTemplate::new(500).set_body_json(json!({"error": "the upstream ledger is locked"}));
    for (at, answer) in [
        (Outside::Fine, fine()),
        (Outside::Wordy, ResponseTemplate::new(200).set_body_string(awkward(WORDS))),
        (Outside::Broken, broken()),
        (Outside::BrokenAndWordy, ResponseTemplate::new(500).set_body_string(awkward(WORDS))),
        (Outside::BrokenOnce, fine()),
        (Outside::Slow, fine().set_delay(Duration::from_mins(10))),
    ] {
        Mock::given(path(at.path())).respond_with(answer).with_priority(2).mount(&server).await;
    }
    Mock::given(path(Outside::BrokenOnce.path()))
        .respond_with(broken())
        .up_to_n_times(1)
        .with_priority(1)
        .mount(&server)
        .await;
    server
}
