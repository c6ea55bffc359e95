//! What an agent can do on its machine, and what its operator allows of it.
//!
//! | operation | changes something | needs |
//! | --- | --- | --- |
//! | `node.*.get` | no | |
//! | `network.ping.do` | no | |
//! | `http.request.do` | if its method does and it succeeds | |
//! | `command.exec.execute` | always, as far as anybody can know | allowed commands |
//! | `command.shell.execute` | always, as far as anybody can know | all commands allowed, or `sh` among them |
//! | `file.deploy.execute` | if the file is not as it should be already | an allowed root |
//! | `file.status.get` | no | an allowed root |
//!
//! Each module documents the data that its operation takes and the result that it gives. Where an operation takes any,
//! unknown fields are refused: a misspelt one would otherwise do something else than was meant.

mod command;
mod file;
mod http;
mod network;
mod node;
mod programs;
mod roots;

use std::path::PathBuf;

use horarium_domain::ExecutionId;
use horarium_domain::agent::BuiltInOperation;
use horarium_domain::agent::protocol::TaskOutcome;
use horarium_domain::execution::{Capture, DEFAULT_OUTPUT_LIMIT};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use programs::Programs;
use roots::Roots;

pub(crate) use node::facts;

/// What the machine's operator allows of what can do harm.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// Which programs may be run.
    pub commands: CommandsAllowed,
    /// The folders below which files may be looked at and written.
    pub roots: Vec<PathBuf>,
}

/// Which programs may be run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CommandsAllowed {
    /// None.
    #[default]
    None,
    /// These, by absolute path or by a name that is looked up in PATH when the agent starts. Lines for a shell only if
    /// `sh` is among them.
    Listed(Vec<String>),
    /// Everything, lines for a shell among it.
    All,
}

/// What was allowed cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAllowance {
    /// A listed program is not there.
    #[error("commands cannot be allowed to run '{program}': {problem}")]
    Program {
        /// As it was listed.
        program: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A root is no folder.
    #[error("files cannot be allowed below '{}': {problem}", root.display())]
    Root {
        /// As it was given.
        root: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// No HTTP client can be made.
    #[error("HTTP cannot be spoken here")]
    Http(#[from] reqwest::Error),
}

/// The operations, ready to be carried out.
#[derive(Debug)]
pub struct Toolbox {
    programs: Option<Programs>,
    roots: Option<Roots>,
    http: reqwest::Client,
    output_limit: usize,
    /// What the host is called as a target; what it calls itself while no agent has said.
    hostname: Option<String>,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) operation: String,
    pub(crate) data: Value,
    pub(crate) execution_id: ExecutionId,
    pub(crate) attempt: u32,
    /// Cancelled when it must not go on.
    pub(crate) stop: CancellationToken,
}

/// It is done.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) data: Value,
    pub(crate) changed: bool,
}

/// It is not done.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) outcome: TaskOutcome,
    pub(crate) error: String,
    pub(crate) data: Value,
    pub(crate) changed: Option<bool>,
    pub(crate) retryable: bool,
}

impl Toolbox {
    /// All operations that are harmless, and those that `allowed` names. Fails when what it names is not there.
    pub fn new(allowed: &Allowed) -> Result<Self, InvalidAllowance> {
        Ok(Self {
            programs: Programs::find(&allowed.commands)?,
            roots: if allowed.roots.is_empty() { None } else { Some(Roots::open(&allowed.roots)?) },
            http: http::client()?,
            output_limit: DEFAULT_OUTPUT_LIMIT,
            hostname: None,
        })
    }

    /// For the agent of a host that goes by this name.
    pub(crate) fn of_host(self, hostname: &str) -> Self {
        Self { hostname: Some(hostname.to_owned()), ..self }
    }

    /// How many bytes are kept of each of a program's two outputs and of an HTTP answer; 64 KiB unless set here.
    #[must_use]
    pub fn with_output_limit(mut self, bytes: usize) -> Self {
        self.output_limit = bytes;
        self
    }

    /// The operations that are allowed here.
    pub fn operations(&self) -> impl Iterator<Item = BuiltInOperation> {
        BuiltInOperation::ALL.into_iter().filter(|operation| self.has(*operation))
    }

    fn has(&self, operation: BuiltInOperation) -> bool {
        use BuiltInOperation as Op;
        match operation {
            Op::NodeHostname
            | Op::NodeStatus
            | Op::NodeUptime
            | Op::NodeLoad
            | Op::NodeMemory
            | Op::NodeDisk
            | Op::NodeOs
            | Op::NetworkPing
            | Op::HttpRequest => true,
            Op::CommandExec => self.programs.is_some(),
            Op::CommandShell => self.programs.as_ref().is_some_and(|programs| programs.shell().is_some()),
            Op::FileDeploy | Op::FileStatus => self.roots.is_some(),
        }
    }

    /// Does what is ordered. It ends soon after the order's `stop` is cancelled; dropping it ends it at once.
    pub(crate) async fn carry_out(&self, mut order: Order) -> Result<Done, Problem> {
        use BuiltInOperation as Op;
        let name = &order.operation;
        let operation: Op = name.parse().map_err(|()| Problem::skipped(format!("this agent has no '{name}'")))?;
        let refused = || Problem::skipped(format!("this agent's operator does not allow '{operation}'"));
        let data = order.data.take();
        let (limit, hostname) = (self.output_limit, self.hostname.clone());
        match operation {
            Op::NodeHostname => node::get(|| node::Hostname::read(hostname)).await,
            Op::NodeStatus => node::get(|| node::Status::read(hostname)).await,
            Op::NodeUptime => node::get(node::Uptime::read).await,
            Op::NodeLoad => node::get(node::Load::read).await,
            Op::NodeMemory => node::get(node::Memory::read).await,
            Op::NodeDisk => node::get(node::Disks::read).await,
            Op::NodeOs => node::get(|| Ok(node::Os::look())).await,
            Op::NetworkPing => unless_stopped(&order.stop, network::ping(read(data)?)).await,
            Op::HttpRequest => {
                unless_stopped(&order.stop, http::request(&self.http, read(data)?, order.execution_id, limit)).await
            }
            Op::CommandExec => {
                let programs = self.programs.as_ref().ok_or_else(refused)?;
                command::exec(programs, read(data)?, &order, limit).await
            }
            Op::CommandShell => {
                let shell = self.programs.as_ref().and_then(Programs::shell).ok_or_else(refused)?;
                command::shell(shell, read(data)?, &order, limit).await
            }
            Op::FileDeploy => {
                let roots = self.roots.as_ref().ok_or_else(refused)?;
                file::deploy(roots, read(data)?, &order).await
            }
            Op::FileStatus => {
                let roots = self.roots.as_ref().ok_or_else(refused)?;
                file::status(roots, read(data)?, &order).await
            }
        }
    }
}

impl Done {
    /// A result in words of its own.
    fn with(data: &impl Serialize, changed: bool) -> Result<Self, Problem> {
        let data = serde_json::to_value(data)
            .map_err(|error| Problem::permanent(format!("the result cannot be written as JSON: {error}")))?;
        Ok(Self { data, changed })
    }
}

impl Problem {
    /// Another attempt may do better.
    fn passing(error: impl Into<String>) -> Self {
        Self { retryable: true, ..Self::permanent(error) }
    }

    /// No attempt will do better.
    pub(crate) fn permanent(error: impl Into<String>) -> Self {
        Self { outcome: TaskOutcome::Failed, error: error.into(), data: Value::Null, changed: None, retryable: false }
    }

    fn skipped(error: String) -> Self {
        Self { outcome: TaskOutcome::Skipped, ..Self::permanent(error) }
    }

    /// With what there is of a result.
    fn having(mut self, done: Done) -> Self {
        self.data = done.data;
        self.changed = Some(done.changed);
        self
    }
}

/// An order's data. None at all is an empty object.
fn read<T: DeserializeOwned>(data: Value) -> Result<T, Problem> {
    let data = if data.is_null() { Value::Object(Map::new()) } else { data };
    serde_json::from_value(data).map_err(|error| Problem::permanent(format!("data: {error}")))
}

/// For operations that hold nothing that has to be ended in an orderly way.
async fn unless_stopped(
    stop: &CancellationToken,
    work: impl Future<Output = Result<Done, Problem>>,
) -> Result<Done, Problem> {
    stop.run_until_cancelled(work).await.unwrap_or_else(|| Err(Problem::passing("stopped")))
}

/// Work that waits for the disk, off the threads that keep the agent alive.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Problem::permanent("the operation failed inside the agent; its log says how")))
}

/// Text that was cut: how many bytes are missing at its end.
fn text_and_cut(capture: Capture) -> (String, usize) {
    let cut = capture.overflow();
    (capture.into_output().map_or_else(String::new, |output| output.text), cut)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}
