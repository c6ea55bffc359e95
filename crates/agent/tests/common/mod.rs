//! An agent against a server that the test is.

#![allow(dead_code, unreachable_pub)] // each test program uses its part
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // in a test a failed expectation is the report
#![allow(clippy::needless_pass_by_value)] // calls read better with a value that is made in them

use std::sync::{Arc, Mutex};
use std::time::Duration;

use horarium_agent::{Agent, AgentError, Allowed, CommandsAllowed, Credential, Settings, Toolbox};
use horarium_domain::Entropy;
use horarium_domain::agent::protocol::{HeartbeatRequest, RegisterRequest, Report, ReportResult, ReportStatus};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wiremock::{Match, Mock, MockServer, Request, Respond, ResponseTemplate};

pub const AGENT: &str = "0197f3c2-7a51-7c3e-9f43-0a1b2c3d4e5f";
pub const EXECUTION: &str = "0197f3c2-7a52-7000-8000-000000000001";

/// No chance: every wait is as long as it can be.
pub struct NoChance;

impl Entropy for NoChance {
    fn unit(&self) -> f64 {
        0.5
    }

    fn secret(&self) -> [u8; 32] {
        [0; 32]
    }
}

pub fn listed(programs: &[&str]) -> CommandsAllowed {
    CommandsAllowed::Listed(programs.iter().map(|&program| program.to_owned()).collect())
}

/// Waits for a condition, ten seconds at most.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within ten seconds: {what}");
}

/// Whether a process lives; one that has ended and that nobody has waited for does not.
pub fn process_exists(id: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{id}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

/// A task as the server words it.
pub fn task(token: &str, operation: &str, data: Value) -> Value {
    json!({
        "lease_token": token, "execution_id": EXECUTION, "operation": operation, "data": data, "timeout_seconds": 60,
        "attempt": 1,
    })
}

/// The server's side of the protocol, in memory: what it hands out and what it has heard.
#[derive(Clone, Default)]
pub struct Script(Arc<Mutex<State>>);

#[derive(Default)]
pub struct State {
    /// Handed out by the next lease calls, as far as `max` goes.
    pub tasks: Vec<Value>,
    /// Named by every heartbeat's answer.
    pub stop: Vec<String>,
    /// Tokens that are refused as stale.
    pub stale: Vec<String>,
    /// What the next calls are answered with instead, whatever they are: path's last part ("" for any) and answer.
    pub instead: Vec<(&'static str, ResponseTemplate)>,
    pub registrations: Vec<RegisterRequest>,
    pub heartbeats: Vec<HeartbeatRequest>,
    pub reports: Vec<Report>,
    /// The sizes of the batches that were reported.
    pub batches: Vec<usize>,
    /// `max` of each lease call.
    pub asked_for: Vec<u64>,
    /// The agent id that lease calls were made under.
    pub leased_as: Vec<String>,
}

impl Script {
    pub fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    pub async fn serve(&self) -> MockServer {
        let server = MockServer::start().await;
        self.mount(&server).await;
        server
    }

    pub async fn mount(&self, server: &MockServer) {
        Mock::given(Any).respond_with(self.clone()).mount(server).await;
    }

    /// The id that the agent gets: another one with each registration.
    fn agent_id(number: usize) -> String {
        format!("{}{number:04}", &AGENT[..AGENT.len() - 4])
    }
}

struct Any;

impl Match for Any {
    fn matches(&self, _: &Request) -> bool {
        true
    }
}

impl Respond for Script {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.0.lock().unwrap();
        let call = request.url.path().rsplit('/').next().unwrap_or_default().to_owned();
        let planned = state.instead.iter().position(|(which, _)| which.is_empty() || *which == call);
        if let Some(planned) = planned {
            return state.instead.remove(planned).1;
        }
        match call.as_str() {
            "register" => {
                state.registrations.push(request.body_json().unwrap());
                let id = Self::agent_id(state.registrations.len());
                answer(&json!({"agent_id": id, "heartbeat_seconds": 1, "lease_seconds": 30}))
            }
            "lease" => {
                let asked: Value = request.body_json().unwrap();
                let max = asked["max"].as_u64().unwrap();
                state.asked_for.push(max);
                state.leased_as.push(request.url.path().rsplit('/').nth(1).unwrap_or_default().to_owned());
                let count = state.tasks.len().min(usize::try_from(max).unwrap());
                let given: Vec<_> = state.tasks.drain(..count).collect();
                let delay = if given.is_empty() { Duration::from_millis(100) } else { Duration::ZERO };
                answer(&json!(given)).set_delay(delay)
            }
            "report" => {
                let reports: Vec<Report> = request.body_json().unwrap();
                state.batches.push(reports.len());
                let results: Vec<_> = reports
                    .iter()
                    .map(|report| {
                        let is_stale = state.stale.contains(&report.lease_token);
                        ReportResult {
                            lease_token: report.lease_token.clone(),
                            status: if is_stale { ReportStatus::Stale } else { ReportStatus::Accepted },
                            error: None,
                        }
                    })
                    .collect();
                state.reports.extend(reports);
                answer(&json!(results))
            }
            "heartbeat" => {
                state.heartbeats.push(request.body_json().unwrap());
                answer(&json!({"stop": state.stop}))
            }
            _ => ResponseTemplate::new(404),
        }
    }
}

fn answer(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

pub fn settings(server: &str) -> Settings {
    Settings {
        server: server.parse().unwrap(),
        credential: Credential::Key("hrm_test_key".to_owned()),
        hostname: "web-1".to_owned(),
        labels: [("group".to_owned(), "web.dev".to_owned())].into(),
        concurrency: 4,
        grace: Duration::from_millis(300),
        wait_seconds: 1,
    }
}

/// A running agent.
pub struct Running {
    pub shutdown: CancellationToken,
    ended: JoinHandle<Result<(), AgentError>>,
}

impl Running {
    pub fn start(settings: Settings, allowed: &Allowed) -> Self {
        Self::start_with(settings, Toolbox::new(allowed).unwrap())
    }

    pub fn start_with(settings: Settings, toolbox: Toolbox) -> Self {
        let shutdown = CancellationToken::new();
        let agent = Agent::new(settings, toolbox, Arc::new(NoChance)).unwrap();
        let ended = tokio::spawn(agent.run(shutdown.clone()));
        Self { shutdown, ended }
    }

    /// Tells it to stop and waits for its end.
    pub async fn stop(self) -> Result<(), AgentError> {
        self.shutdown.cancel();
        self.end().await
    }

    /// Waits for its end.
    pub async fn end(self) -> Result<(), AgentError> {
        tokio::time::timeout(Duration::from_secs(30), self.ended).await.expect("the agent ends").unwrap()
    }
}

/// A machine whose agent gets one task at a time.
pub struct Host {
    allowed: Allowed,
    output_limit: Option<usize>,
}

impl Host {
    pub fn new(allowed: &Allowed) -> Self {
        Self { allowed: allowed.clone(), output_limit: None }
    }

    pub fn with_output_limit(allowed: &Allowed, bytes: usize) -> Self {
        Self { allowed: allowed.clone(), output_limit: Some(bytes) }
    }

    pub fn offers(&self, operation: &str) -> bool {
        self.toolbox().operations().any(|offered| offered.as_str() == operation)
    }

    pub async fn carry_out(&self, operation: &str, data: Value) -> Report {
        self.carry_out_within(operation, data, 60).await
    }

    pub async fn carry_out_within(&self, operation: &str, data: Value, timeout_seconds: u32) -> Report {
        let script = Script::default();
        let mut given = task("the-task", operation, data);
        given["timeout_seconds"] = timeout_seconds.into();
        script.with(|state| state.tasks.push(given));
        let server = script.serve().await;
        let agent = Running::start_with(settings(&server.uri()), self.toolbox());
        until("the task is reported", || script.with(|state| !state.reports.is_empty())).await;
        agent.stop().await.unwrap();
        script.with(|state| state.reports.remove(0))
    }

    /// The result of an operation that works.
    pub async fn done(&self, operation: &str, data: Value) -> Value {
        let report = self.carry_out(operation, data).await;
        assert_eq!(report.error, None, "{operation} failed with {}", report.data);
        report.data
    }

    fn toolbox(&self) -> Toolbox {
        let toolbox = Toolbox::new(&self.allowed).unwrap();
        match self.output_limit {
            Some(bytes) => toolbox.with_output_limit(bytes),
            None => toolbox,
        }
    }
}
