//! The executor of agent jobs: it divides the work among hosts and waits for their answers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use horarium_domain::agent::{Agent, AgentRequest, AgentTask, Target, TaskState, Verdict, no_agent, verdict};
use horarium_domain::execution::{Failure, Output};
use horarium_domain::job::JobConfiguration;
use horarium_domain::secret::Document;
use horarium_domain::store::StoreError;
use serde_json::{Map, Value, json};
use tracing::warn;

use super::alive;
use crate::core::Core;
use crate::executor::{Executor, Outcome, Run};
use crate::secrets::Secrets;

/// How often an attempt looks by itself whether the answers are there.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// How long an attempt waits before it tries again after the store failed.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// How long after the job's timeout an attempt still waits for the reports of hosts that used all of it.
const REPORT_TIME: Duration = Duration::from_secs(5);

/// The most characters of what is kept of the hosts' answers as the execution's output.
const OUTPUT_CHARS: usize = 64 * 1024;

/// Runs agent jobs. Its attempts only wait, and an attempt that is lost is continued by the next: what the hosts have
/// done or are doing is in the store.
pub struct AgentExecutor {
    core: Arc<Core>,
    fill: Option<Arc<FillData>>,
}

/// Fills what a job leaves open in the data of its operation (given by name), from the attempt.
pub type FillData = dyn Fn(&Run, &str, &Value) -> Result<Value, Failure> + Send + Sync;

impl AgentExecutor {
    /// Over the node's core.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core, fill: None }
    }

    /// With templates in what jobs say. What is submitted by hand, or comes from a payload, is taken as it is.
    #[must_use]
    pub fn with_templates(self, fill: Arc<FillData>) -> Self {
        Self { fill: Some(fill), ..self }
    }

    /// Makes sure that the execution's tasks are there.
    ///
    /// The first attempt decides which hosts take part; a later one finds their tasks. When that follows a failure, and
    /// not the loss of a node, it puts back what failed.
    async fn open(&self, run: &Run, request: &AgentRequest) -> Result<(), Halt> {
        let store = &self.core.store;
        let mut tasks = store.agent_tasks(run.job.tenant_id, &[run.execution_id]).await?;
        let round = run.attempt.saturating_sub(run.lost).max(1);
        if tasks.is_empty() {
            let hosts = self.hosts(run, request).await?;
            let sealed = self.sealed(run, self.filled(run, request)?)?;
            tasks = hosts.into_iter().map(|host| self.task(run, &sealed, host)).collect();
        }
        let deadline_at = self.core.now() + self.core.agents.timing().broadcast_timeout;
        for task in &mut tasks {
            task.round = round;
            task.deadline_at = deadline_at;
        }
        store.open_tasks(&tasks).await?;
        self.core.agents.work_for([run.job.tenant_id]);
        self.core.wakes.publish_agents.notify_one();
        Ok(())
    }

    /// The hosts that take part; [`Part::Any`] where any agent may take it.
    async fn hosts(&self, run: &Run, request: &AgentRequest) -> Result<Vec<Part>, Halt> {
        let agents = alive(&self.core, run.job.tenant_id).await?;
        let able = |agent: &Agent| agent.has_operation(&request.operation);
        let part = |hostname: &str| {
            let unable = agents.iter().any(|agent| agent.hostname == hostname && !able(agent));
            Part::Host { hostname: hostname.to_owned(), unable }
        };
        if let Some(hosts) = &request.hosts {
            return if hosts.is_empty() { Err(no_match(request)) } else { Ok(hosts.iter().map(|h| part(h)).collect()) };
        }
        let matching: Vec<&Agent> = agents.iter().filter(|agent| request.target.matches(agent)).collect();
        if matching.is_empty() {
            return Err(no_match(request));
        }
        if request.target != Target::Any {
            return Ok(matching.iter().map(|agent| part(&agent.hostname)).collect());
        }
        if matching.iter().any(|agent| able(agent)) {
            return Ok(vec![Part::Any]);
        }
        let problem = format!("no agent has the operation '{}'", request.operation);
        Err(Halt::Fail(Failure::permanent(problem)))
    }

    /// The request with the templates of its job filled.
    fn filled(&self, run: &Run, request: &AgentRequest) -> Result<AgentRequest, Halt> {
        let mut filled = request.clone();
        if let (Some(fill), JobConfiguration::Agent(own)) = (&self.fill, &run.job.spec.configuration)
            && own.operation != AgentRequest::SUBMITTED
            && !own.data.is_null()
        {
            filled.data = fill(run, &request.operation, &request.data).map_err(Halt::Fail)?;
        }
        Ok(filled)
    }

    /// The request as it is stored with the tasks.
    fn sealed(&self, run: &Run, mut sealed: AgentRequest) -> Result<AgentRequest, Halt> {
        Secrets::of_execution(&*self.core.secrets, run.job.tenant_id, run.execution_id)
            .seal(Document::AgentData, &mut sealed.data, None)
            .map_err(|error| Halt::Fail(Failure::retryable(format!("operation.data: {error}"))))?;
        Ok(sealed)
    }

    fn task(&self, run: &Run, request: &AgentRequest, part: Part) -> AgentTask {
        let now = self.core.now();
        let task = AgentTask {
            is_broadcast: request.target.is_broadcast(),
            data: request.data.clone(),
            ..AgentTask::new(
                self.core.ids.agent_task(now),
                run.job.tenant_id,
                run.execution_id,
                &request.operation,
                run.job.spec.timeout_seconds,
                now,
            )
        };
        match part {
            Part::Any => task,
            Part::Host { hostname, unable: false } => task.for_host(&hostname),
            Part::Host { hostname, unable: true } => task.for_host(&hostname).skipped(now),
        }
    }

    /// The outcome, once all hosts have answered.
    async fn outcome(&self, run: &Run) -> Result<Option<Outcome>, StoreError> {
        let store = &self.core.store;
        if !store.awaiting_agents(&[run.execution_id]).await?.is_empty() {
            return Ok(None);
        }
        let tasks = store.agent_tasks(run.job.tenant_id, &[run.execution_id]).await?;
        Ok(verdict(&tasks).map(|verdict| outcome_of(verdict, &tasks)))
    }

    async fn conduct(&self, run: &Run, request: &AgentRequest) -> Outcome {
        let watch = self.core.agents.watch(run.execution_id);
        let mut is_open = false;
        loop {
            let step = if is_open {
                self.outcome(run).await.map_err(Halt::Store)
            } else {
                self.open(run, request).await.map(|()| {
                    is_open = true;
                    None
                })
            };
            let pause = match step {
                Ok(Some(outcome)) => return outcome,
                Err(Halt::Fail(failure)) => return Outcome::failed(failure),
                Ok(None) => LOOK_INTERVAL,
                Err(Halt::Store(problem)) => {
                    warn!(execution = %run.execution_id, %problem, "cannot look after agents' work; trying again");
                    RETRY_PAUSE
                }
            };
            tokio::select! {
                () = watch.answered() => {}
                () = tokio::time::sleep(pause) => {}
                // There is nothing to finish here: another node, or this one after its restart, goes on waiting.
                () = self.core.agents.closing.cancelled() => return Outcome::Snoozed { delay: Duration::ZERO },
                () = run.cancellation.cancelled() => {
                    // If the execution is over, the keeper stops its hosts; if not, another attempt waits for them.
                    self.core.agents.look.notify_one();
                    return Outcome::failed(Failure::retryable("stopped waiting for agents"));
                }
            }
        }
    }
}

#[async_trait]
impl Executor for AgentExecutor {
    async fn execute(&self, run: Run) -> Outcome {
        let JobConfiguration::Agent(configuration) = &run.job.spec.configuration else {
            return Outcome::failed(Failure::permanent("the executor of agent jobs was handed another job"));
        };
        match AgentRequest::of(configuration, run.payload.as_ref()) {
            Ok(request) if request.operation == AgentRequest::SUBMITTED => {
                Outcome::failed(Failure::permanent("the execution's payload does not say what agents are to do"))
            }
            Ok(request) => self.conduct(&run, &request).await,
            Err(invalid) => Outcome::failed(Failure::permanent(invalid.to_string())),
        }
    }

    fn overtime(&self) -> Duration {
        REPORT_TIME
    }

    fn is_light(&self) -> bool {
        true
    }
}

/// One of those that take part.
enum Part {
    /// Whichever agent asks first.
    Any,
    /// This host.
    Host {
        hostname: String,
        /// Whether its agent is known not to have the operation.
        unable: bool,
    },
}

/// Why an attempt cannot go on.
enum Halt {
    Store(StoreError),
    Fail(Failure),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn no_match(request: &AgentRequest) -> Halt {
    Halt::Fail(Failure::permanent(no_agent(&request.target)))
}

fn outcome_of(verdict: Verdict, tasks: &[AgentTask]) -> Outcome {
    let output = output(tasks);
    let failure = |error, retryable| if retryable { Failure::retryable(error) } else { Failure::permanent(error) };
    match verdict {
        Verdict::Succeeded => {
            let completed = tasks.iter().filter(|task| task.state == TaskState::Completed).count();
            Outcome::Succeeded { output, items_processed: i64::try_from(completed).ok() }
        }
        Verdict::Failed { error, retryable } => Outcome::Failed { failure: failure(error, retryable), output },
        Verdict::PartlyFailed { error, retryable } => {
            Outcome::Failed { failure: failure(error, retryable).in_part(), output }
        }
    }
}

/// What the execution keeps of the answers: the answer of the only host, or which host said what of its part. The whole
/// of every answer stays with the tasks.
fn output(tasks: &[AgentTask]) -> Option<Output> {
    let document = if let [task] = tasks {
        task.result.clone()?
    } else {
        let hosts = tasks.iter().filter_map(|task| Some((task.hostname()?.to_owned(), summary(task))));
        json!({ "hosts": hosts.collect::<Map<String, Value>>() })
    };
    let text = document.to_string();
    let truncated = text.chars().count() > OUTPUT_CHARS;
    let text = if truncated { text.chars().take(OUTPUT_CHARS).collect() } else { text };
    Some(Output { text, truncated })
}

fn summary(task: &AgentTask) -> Value {
    let status = match task.state {
        TaskState::Pending | TaskState::Leased => "processing",
        TaskState::Completed => "completed",
        TaskState::Failed | TaskState::TimedOut => "failed",
        TaskState::Skipped => "skipped",
        TaskState::Cancelled => "cancelled",
    };
    json!({ "status": status, "changed": task.changed, "error": task.error })
}
