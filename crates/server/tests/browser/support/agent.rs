//! Agents of other machines, which answer as a test needs them to.

use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::awkward::awkward;
use super::site::Tenant;

/// How many characters a wordy one says: as many as are kept of an error.
const WORDS: usize = 4000;

/// What an agent does with the work it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Does it.
    Willing,
    /// Fails at it.
    Clumsy,
    /// Fails at it, and has much to say of that.
    Wordy,
    /// Was there when it registered, and is never heard of again.
    Dead,
}

/// An agent that goes on until it is dropped.
pub(crate) struct Agent {
    work: JoinHandle<()>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.work.abort();
    }
}

impl Agent {
    /// Registers a host; from then on the server takes it for alive.
    pub(crate) async fn start(tenant: &Tenant<'_>, hostname: &str, manner: Manner) -> Self {
        let group = hostname.split_once('-').map_or(hostname, |(group, _)| group);
        let introduction = json!({
            "hostname": hostname,
            "operations": ["command.exec.execute", "http.request.do", "node.status", "service.restart.do"],
            "labels": {"group": group, "site": "fra1"},
            "version": "1.4.0",
            "facts": {"os": "Debian GNU/Linux 12", "cpus": 8, "memory_gib": 32},
        });
        Self::introduce(tenant, &introduction, manner).await
    }

    /// The same with an introduction of its own.
    pub(crate) async fn introduce(tenant: &Tenant<'_>, introduction: &Value, manner: Manner) -> Self {
        let connection = Connection {
            client: Client::builder().no_proxy().build().unwrap(),
            agents: format!("{}/api/v1/agents", tenant.url()),
            key: tenant.agent_key().await.to_owned(),
        };
        let me = connection.call("register", introduction).await.unwrap();
        let me = me["agent_id"].as_str().unwrap().to_owned();
        let hostname = introduction["hostname"].as_str().unwrap().to_owned();
        Self { work: tokio::spawn(work(connection, me, hostname, manner)) }
    }
}

async fn work(connection: Connection, me: String, hostname: String, manner: Manner) {
    let result = match manner {
        Manner::Dead => return,
        Manner::Willing => json!({"outcome": "completed", "data": {"host": hostname}, "changed": true}),
        Manner::Clumsy => {
            json!({"outcome": "failed", "error": "unit nginx.service is masked", "data": {"exit_code": 3}})
        }
        Manner::Wordy => json!({"outcome": "failed", "error": awkward(WORDS), "data": {awkward(100): awkward(WORDS)}}),
    };
    // Until the server is gone, or the test with this task.
    while let Some(tasks) = connection.call(&format!("{me}/lease"), &json!({"max": 4, "wait_seconds": 2})).await {
        let report = |task: &Value| {
            let mut report = result.clone();
            report["lease_token"] = task["lease_token"].clone();
            report
        };
        let reports: Vec<Value> = tasks.as_array().into_iter().flatten().map(report).collect();
        if !reports.is_empty() {
            connection.call(&format!("{me}/report"), &json!(reports)).await;
        }
    }
}

struct Connection {
    client: Client,
    agents: String,
    key: String,
}

impl Connection {
    /// What a call answers, unless the server is gone.
    async fn call(&self, path: &str, body: &Value) -> Option<Value> {
        let request = self.client.post(format!("{}/{path}", self.agents)).header("X-API-Key", &self.key).json(body);
        request.timeout(Duration::from_secs(30)).send().await.ok()?.error_for_status().ok()?.json().await.ok()
    }
}
