//! Secrets sent in every dialect, and then looked for: in every answer, in every table of both databases, in the log.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Home, Server};
use serde_json::{Value, json};
use tokio_postgres::NoTls;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const SCHEDULER: &str = "/api/v1/scheduler";
const OLD_KEY: &str = "the-old-key-of-this-test-is-long-enough";
const NEW_KEY: &str = "the-new-key-of-this-test-is-long-enough";

/// What every secret of this test begins with.
const PLAIN: &str = "plaintext";

/// A request that is full of secrets, at `target`, which stands for itself in what is not one.
fn request(target: &str) -> Value {
    let authority = target.strip_prefix("http://").unwrap();
    json!({
        "url": format!("http://me:{PLAIN}-of-the-user@{authority}/called?token={PLAIN}-of-the-query&page=1"),
        "method": "POST",
        "headers": {"X-Api-Key": format!("{PLAIN}-of-the-header"), "X-Open": "open"},
        "body": {"pin": format!("{PLAIN}-of-the-body")},
    })
}

/// The same, marked as a call of the server does it, or as one of an agent.
fn marked(target: &str, mark: &str) -> Value {
    let mut request = request(target);
    request[mark] = json!(true);
    request
}

/// A caller who sees to it that no answer tells a secret.
struct Caller<'a> {
    server: &'a Server,
    token: String,
}

impl Caller<'_> {
    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.ask(method, path, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        assert!(!answer.to_string().contains(PLAIN), "{method} {path} tells a secret: {answer}");
        answer
    }

    /// The same for what may tell secrets.
    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.request(method.parse().unwrap(), format!("{}{path}", self.server.url));
        let request = request.bearer_auth(&self.token).header("x-tenantid", "default");
        let request = if let Some(body) = &body { request.json(body) } else { request };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        self.call("GET", path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.call("POST", path, Some(body)).await
    }

    /// Makes a job, and sends it back as it was shown.
    async fn job(&self, name: &str, change: Value) -> String {
        let mut job = json!({"name": name, "retryPolicy": {"maxAttempts": 1}});
        job.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let made = self.post(&format!("{SCHEDULER}/jobs"), job).await;
        let path = format!("{SCHEDULER}/jobs/{}", made["id"].as_str().unwrap());
        let shown = json!({"description": "changed", "jobConfiguration": made["jobConfiguration"]});
        self.call("PUT", &path, Some(shown)).await;
        self.get(&path).await["id"].as_str().unwrap().to_owned()
    }

    async fn trigger(&self, job: &str, body: Value) -> String {
        let id = self.post(&format!("{SCHEDULER}/jobs/{job}/trigger"), body).await;
        id.as_str().unwrap().to_owned()
    }

    /// Waits for an execution's end.
    async fn succeeds(&self, execution: &str) {
        let path = format!("{SCHEDULER}/executions/{execution}");
        let mut last = Value::Null;
        self.server
            .wait_for("the execution ends", async |_| {
                last = self.get(&path).await;
                last["status"] == "Succeeded" || last["status"] == "Failed"
            })
            .await;
        assert_eq!(last["status"], "Succeeded", "{last}");
    }

    /// As an agent: takes the next task, which has its secrets open, and reports it done.
    async fn do_task(&self, agent: &str, expected: &Value) {
        let path = format!("/api/v1/agents/{agent}");
        let lease = Some(json!({"max": 1, "wait_seconds": 20}));
        let (status, leased) = self.ask("POST", &format!("{path}/lease"), lease).await;
        assert_eq!((status, &leased[0]["data"]), (200, expected), "{leased}");
        let report =
            json!([{"lease_token": leased[0]["lease_token"], "outcome": "completed", "data": {"status": 200}}]);
        self.post(&format!("{path}/report"), report).await;
    }
}

/// Uses secrets in all dialects; what of them should be shown is checked on the way.
async fn use_secrets(home: &Home, server: &Server, target: &MockServer) {
    let token = |role: &str| home.stdout_of(&["token", "create", "--tenant", "default", "--role", role]);
    let owner = Caller { server, token: token("admin") };
    let call = marked(&target.uri(), "bodySecret");
    let order = marked(&target.uri(), "body_secret");

    // The scheduler dialect: a call of the server's own.
    let group = json!({"jobType": "HttpCall", "group": "integration", "jobConfiguration": call});
    let job = owner.job("secret-call", group).await;
    let execution = owner.trigger(&job, json!({"payload": order})).await;
    owner.succeeds(&execution).await;
    let shown = owner.get(&format!("{SCHEDULER}/executions/{execution}")).await;
    assert_eq!(shown["payload"]["headers"], json!({"X-Api-Key": "***", "X-Open": "open"}));
    owner.get(&format!("{SCHEDULER}/jobs?page=1")).await;
    owner.get(&format!("/job/{execution}")).await;

    // The agents' dialect: an operation, its retry, and a job that does the same.
    let registration = json!({"hostname": "web1", "operations": ["http.request.do"], "version": "1"});
    let agent = owner.post("/api/v1/agents/register", registration).await["agent_id"].as_str().unwrap().to_owned();
    let operation = json!({"operation": {"type": "http.request.do", "data": order}});
    let submitted = owner.post("/job", operation).await["job_id"].as_str().unwrap().to_owned();
    owner.do_task(&agent, &order).await;
    owner.succeeds(&submitted).await;
    let shown = owner.get(&format!("/job/{submitted}")).await;
    assert_eq!(shown["operation"]["data"]["headers"], json!({"X-Api-Key": "***", "X-Open": "open"}));
    let again = owner.post(&format!("/job/{submitted}/retry"), json!({})).await["job_id"].as_str().unwrap().to_owned();
    owner.do_task(&agent, &order).await;
    owner.succeeds(&again).await;
    let configuration = json!({"operation": "http.request.do", "target": "web1", "data": order});
    let of_agents = owner.job("secret-order", json!({"jobType": "Agent", "jobConfiguration": configuration})).await;
    let execution = owner.trigger(&of_agents, json!({})).await;
    owner.do_task(&agent, &order).await;
    owner.succeeds(&execution).await;
    let again = owner.post(&format!("/job/{execution}/retry"), json!({})).await["job_id"].as_str().unwrap().to_owned();
    owner.do_task(&agent, &order).await;
    owner.succeeds(&again).await;
    owner.get("/job?limit=100").await;

    // Variables of a program and parameters that are never used: nothing of that kind is allowed here.
    let program = json!({"command": "/bin/true", "env": {"DB_PASSWORD": format!("{PLAIN}-of-the-variable")}});
    owner.job("secret-command", json!({"jobType": "Command", "jobConfiguration": program})).await;
    let parameters = json!({"day": 1, "p_token": format!("{PLAIN}-of-the-token"), "credentials": {"pin": PLAIN}});
    let procedure = json!({"storedProcedureName": "report", "parameters": parameters});
    owner.job("secret-procedure", json!({"jobType": "StoredProcedure", "jobConfiguration": procedure})).await;
    let code = json!({"handlerType": "report", "parameters": parameters});
    owner.job("secret-code", json!({"jobType": "CodeExecution", "jobConfiguration": code})).await;

    // The integrations dialect and the admin one: the same job with payloads.
    let body = json!({"kind": "secret-call", "payload": order, "dedupeKey": "once"});
    let execution = owner.post("/api/integrations/jobs", body).await["id"].as_str().unwrap().to_owned();
    owner.succeeds(&execution).await;
    owner.get("/api/integrations/jobs").await;
    let admin = Caller { server, token: token("system_admin") };
    admin.post("/api/v1/admin/jobs/trigger", json!({"jobName": "secret-call"})).await;
    admin.get("/api/v1/admin/jobs/secret-call/stats").await;

    // The toolkit dialect: a webhook whose URL is a credential.
    let authority = target.uri().strip_prefix("http://").unwrap().to_owned();
    let webhook = format!("http://me:{PLAIN}-of-the-webhook@{authority}/hook?sig={PLAIN}-of-the-signature");
    let key = owner.post("/api/v1/keys", json!({"name": "machine", "scopes": ["*"]})).await;
    let submit = json!({"job": "secret-call", "payload": order, "webhook_url": webhook});
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .post(format!("{}/v1/toolkit/jobs", server.url))
        .header("x-api-key", key["key"].as_str().unwrap())
        .header("idempotency-key", "the-only-one")
        .json(&submit);
    let answer: Value = answer.send().await.unwrap().json().await.unwrap();
    let execution = answer["job_id"].as_str().unwrap_or_else(|| panic!("{answer}"));
    owner.succeeds(execution).await;
    let history = format!("{SCHEDULER}/executions/{execution}");
    server
        .wait_for("the webhook is told in the history", async |_| {
            owner.get(&history).await["timeline"].to_string().contains("callbackDelivered")
        })
        .await;
    owner.get("/api/v1/audit").await;

    let heard: Vec<Request> = target.received_requests().await.unwrap();
    let hook = heard.iter().find(|request| request.url.path() == "/hook").expect("the webhook is called");
    assert_eq!(hook.url.query(), Some(format!("sig={PLAIN}-of-the-signature").as_str()));
    let calls: Vec<_> = heard.iter().filter(|request| request.url.path() == "/called").collect();
    assert!(calls.len() >= 3, "{}", calls.len());
    for call in calls {
        assert_eq!(call.headers["x-api-key"], format!("{PLAIN}-of-the-header"));
        assert_eq!(call.url.query(), Some(format!("token={PLAIN}-of-the-query&page=1").as_str()));
        assert_eq!(call.body_json::<Value>().unwrap(), json!({"pin": format!("{PLAIN}-of-the-body")}));
    }
}

async fn target() -> MockServer {
    let target = MockServer::start().await;
    for place in ["/called", "/hook"] {
        Mock::given(method("POST")).and(path(place)).respond_with(ResponseTemplate::new(204)).mount(&target).await;
    }
    target
}

fn home() -> Home {
    let home = Home::new().with("HORARIUM_EGRESS_ALLOW", "127.0.0.1").with("HORARIUM_LOG", "trace");
    home.with("HORARIUM_SECRET_KEY", OLD_KEY)
}

/// Uses secrets, and changes the key they are sealed with.
async fn use_and_rotate(home: Home) -> Home {
    let target = target().await;
    let mut server = home.serve().await;
    use_secrets(&home, &server, &target).await;
    server.stop();
    let log = server.log();
    assert!(!log.contains(PLAIN), "{}", log.lines().find(|line| line.contains(PLAIN)).unwrap_or_default());
    let home = home.with("HORARIUM_SECRET_KEY", format!("{NEW_KEY},{OLD_KEY}"));
    home.stdout_of(&["secrets", "rotate"]);
    let home = home.with("HORARIUM_SECRET_KEY", NEW_KEY);
    let said = home.stdout_of(&["secrets", "check"]);
    assert_eq!(said.lines().count(), 1, "all are sealed with the newest key: {said}");
    home
}

#[tokio::test]
async fn no_secret_is_in_the_sqlite_files() {
    let home = use_and_rotate(home()).await;
    let files = std::fs::read_dir(home.path("horarium-data")).unwrap();
    let mut sealed = false;
    for file in files.map(|file| file.unwrap().path()) {
        let bytes = std::fs::read(&file).unwrap();
        let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!holds(PLAIN), "{}", file.display());
        sealed |= holds("sealed:v1:");
    }
    assert!(sealed, "this test reads the right files");
}

#[tokio::test]
async fn no_secret_is_in_any_column_of_postgresql() {
    if std::env::var_os("HORARIUM_SKIP_POSTGRES").is_some_and(|value| value == "1") {
        eprintln!("skipped: HORARIUM_SKIP_POSTGRES=1");
        return;
    }
    let url = std::env::var("HORARIUM_TEST_POSTGRES_URL")
        .expect("HORARIUM_TEST_POSTGRES_URL names a server: scripts/pg run -- cargo test starts one");
    let database = format!("horarium_secrets_{}", std::process::id());
    let (host, parameters) = url.split_once('?').map_or((url.as_str(), String::new()), |(h, p)| (h, format!("?{p}")));
    let own = format!("{}/{database}{parameters}", host.rsplit_once('/').unwrap().0);
    let server = connect(&url).await;
    server.batch_execute(&format!("create database {database}")).await.unwrap();

    let home = use_and_rotate(home().with("HORARIUM_DATABASE_URL", own.as_str())).await;
    let client = connect(&own).await;
    // Not the parts of a partitioned table: they are read with it.
    let tables = "select relname::text from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition";
    let mut sealed = Vec::new();
    for row in client.query(tables, &[]).await.unwrap() {
        let table: &str = row.get(0);
        // A row as text holds every column of it, bytes as hexadecimal digits.
        let count = |text: &str| {
            format!(
                "select count(*) from {table} t where strpos(t::text, '{text}') > 0
                     or strpos(t::text, encode('{text}', 'hex')) > 0"
            )
        };
        let counted = async |text| client.query_one(&count(text), &[]).await.unwrap().get::<_, i64>(0);
        assert_eq!(counted(PLAIN).await, 0, "{table}");
        if counted("sealed:v1:").await > 0 {
            sealed.push(table.to_owned());
        }
    }
    sealed.sort();
    assert_eq!(sealed, ["agent_tasks", "callbacks", "executions", "jobs", "signing_secrets"]);
    drop(home);
    server.batch_execute(&format!("drop database {database} with (force)")).await.unwrap();
}

/// A connection of the test's own.
async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the test server answers");
    tokio::spawn(connection);
    client
}
