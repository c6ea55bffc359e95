//! Operations that somebody sends to agents, and what became of them.

use std::collections::HashMap;
use std::sync::Arc;

use horarium_domain::agent::{AgentRequest, AgentTask, Target, TaskState};
use horarium_domain::execution::{Execution, ExecutionState, NewExecution, Trigger};
use horarium_domain::job::{Job, JobConfiguration};
use horarium_domain::page::{Page, PageRequest};
use horarium_domain::secret::Document;
use horarium_domain::store::{CancelOutcome, Conflict, ExecutionFilter, StateCounts, StoreError};
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};
use serde_json::{Value, json};

use crate::agents::alive;
use crate::core::Core;
use crate::secrets::Secrets;
use crate::service::execution::{check_depth, run_again};
use crate::service::job::refuse_masks;
use crate::service::{Actor, Admission, FieldErrors, ServiceError, limits};
use crate::system_job::{self, SystemJob};

/// Characters of an operation's name.
const OPERATION_CHARS: usize = 253;

/// Bytes of hosts' answers, as JSON, that a page shows whole; of what comes after that, only answers of up to
/// [`SMALL_ANSWER_BYTES`].
const PAGE_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of an answer that takes about as much room as saying that it was left out.
const SMALL_ANSWER_BYTES: usize = 256;

/// How many executions of a page are read at the same time, with all that their hosts answered.
const READ_AT_ONCE: usize = 20;

/// An operation for agents, before any check.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewAgentJob {
    /// The operation's name.
    pub operation: String,
    /// What it needs to know.
    pub data: Value,
    /// For which agents; `_any` when none is given.
    pub target: Option<String>,
}

/// How an execution is to be run again, before any check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetryAgentJob {
    /// For which agents; those of the execution when none is given.
    pub target: Option<String>,
    /// Whether only the hosts that did not complete it take part.
    pub only_failed: bool,
    /// Whether whoever asks may also have executions run again that are no operations for agents.
    pub may_retry_others: bool,
}

/// An execution, with what agents have to do with it.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentJob {
    /// The execution.
    pub execution: Execution,
    /// Its job; `None` when it was purged in between.
    pub job: Option<Job>,
    /// What it asks of agents, its secrets sealed; `None` when it is no agent job.
    pub request: Option<AgentRequest>,
    /// Its hosts' parts, by host.
    pub tasks: Vec<AgentTask>,
}

/// The use cases around operations for agents. Executions of other jobs are shown too: there is one history.
#[derive(Debug, Clone)]
pub struct AgentJobService {
    core: Arc<Core>,
}

impl AgentJobService {
    pub(in crate::service) const fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Submits an operation. The hosts of a broadcast are fixed now: those whose agents are alive. If there are none,
    /// the execution fails at once and says so.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] under `operation.type`, `operation.data` or `target_hostname`,
    /// [`ServiceError::QueueFull`].
    pub async fn submit(&self, actor: &Actor, new: NewAgentJob) -> Result<(ExecutionId, Timestamp), ServiceError> {
        let mut errors = FieldErrors::default();
        let operation = limits::line(&mut errors, "operation.type", &new.operation, OPERATION_CHARS);
        limits::json(&mut errors, "operation.data", &new.data, limits::PAYLOAD_BYTES / 2);
        refuse_masks(Document::AgentData, &new.data, &mut errors);
        let target = target(&mut errors, new.target.as_deref());
        let (Some(operation), Some(target), true) = (operation, target, errors.is_empty()) else {
            return Err(errors.into());
        };
        if operation == AgentRequest::SUBMITTED {
            return Err(ServiceError::invalid("operation.type", "is reserved"));
        }
        let hosts = self.hosts(actor.tenant, &target).await?;
        let job = self.own_job(actor.tenant).await?;
        let mut data = new.data;
        Secrets::of_job(&*self.core.secrets, actor.tenant, job.id).seal(Document::AgentData, &mut data, None)?;
        let request = AgentRequest { operation, data, target, hosts };
        let now = self.core.now();
        let new = NewExecution {
            id: actor.execution(0, &self.core.ids, now),
            tenant_id: actor.tenant,
            job_id: job.id,
            trigger: Trigger::Api,
            triggered_by: actor.name().to_owned(),
            payload: Some(request.to_payload()),
            queue: job.spec.queue.as_str().to_owned(),
            priority: job.spec.priority,
            scheduled_for: now,
            run_at: now,
            created_at: now,
            retry_parent_id: None,
            unique_key: None,
            concurrency_key: None,
            max_attempts: None,
        };
        let admitted = Admission::wanted(&new).answered(self.core.enqueue_audited(new, actor.call()).await?)?;
        Ok((admitted.id, admitted.created_at))
    }

    /// One execution.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn get(&self, tenant: TenantId, id: ExecutionId) -> Result<AgentJob, ServiceError> {
        let execution = self.core.store.execution(tenant, id).await?;
        let tasks = self.core.store.agent_tasks(tenant, &[id]).await?;
        let mut jobs = self.core.store.definitions(&[execution.summary.job_id]).await?;
        Ok(agent_job(execution, jobs.pop(), tasks))
    }

    /// Up to `limit` executions after the `offset` newest of those that a filter shows, and how many it shows. Where their
    /// hosts' answers would be more than 8 MiB, further large ones are replaced by `{"truncated": true, "bytes": n}`;
    /// [`get`](Self::get) has them whole.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] under `offset` when it is more than [`PageRequest::MAX_SKIPPED`] and so many are shown.
    pub async fn list(
        &self,
        tenant: TenantId,
        filter: &ExecutionFilter,
        limit: u32,
        offset: u32,
    ) -> Result<Page<AgentJob>, ServiceError> {
        let store = &self.core.store;
        check_depth(&self.core, tenant, filter, u64::from(offset), "offset").await?;
        let (first, skipped) = (offset / limit + 1, offset % limit);
        let page = |number| PageRequest { number, size: limit };
        let mut found = store.executions(tenant, filter, page(first)).await?;
        if skipped > 0 {
            let rest = store.executions(tenant, filter, page(first + 1)).await?;
            found.items.drain(..(skipped as usize).min(found.items.len()));
            found.items.extend(rest.items.into_iter().take(skipped as usize));
        }
        let ids: Vec<ExecutionId> = found.items.iter().map(|item| item.id).collect();
        let mut named: Vec<JobId> = found.items.iter().map(|item| item.job_id).collect();
        named.sort_unstable();
        named.dedup();
        let jobs: HashMap<JobId, Job> = store.definitions(&named).await?.into_iter().map(|job| (job.id, job)).collect();
        let (mut items, mut room) = (Vec::with_capacity(ids.len()), PAGE_ANSWER_BYTES);
        for ids in ids.chunks(READ_AT_ONCE) {
            let (executions, tasks) =
                tokio::try_join!(store.executions_in_full(tenant, ids), store.agent_tasks(tenant, ids))?;
            let mut tasks_of = HashMap::<ExecutionId, Vec<AgentTask>>::new();
            for task in tasks {
                tasks_of.entry(task.execution_id).or_default().push(task);
            }
            // Those that were deleted since the page was read are missing.
            for execution in executions {
                let mut tasks = tasks_of.remove(&execution.summary.id).unwrap_or_default();
                leave_out_large_answers(&mut tasks, &mut room);
                let job = jobs.get(&execution.summary.job_id).cloned();
                items.push(agent_job(execution, job, tasks));
            }
        }
        Ok(Page { items, total: found.total, is_capped: found.is_capped })
    }

    /// How many of the tenant's executions stand where.
    pub async fn counts(&self, tenant: TenantId) -> Result<StateCounts, ServiceError> {
        Ok(self.core.store.state_counts(tenant).await?)
    }

    /// Deletes an execution with its history. One that waits is cancelled first.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Conflict`] while it runs.
    pub async fn delete(&self, actor: &Actor, id: ExecutionId) -> Result<(), ServiceError> {
        let store = &self.core.store;
        let summary = store.execution(actor.tenant, id).await?.summary;
        if summary.lifecycle.state == ExecutionState::Pending {
            let cancelled = |was_running| {
                self.core.execution_cancelled(actor.tenant, summary.job_id, id, was_running);
            };
            match store.cancel(actor.tenant, id, actor.name(), self.core.now()).await? {
                CancelOutcome::WasPending => cancelled(false),
                // It started in between; whoever runs it is told to stop.
                CancelOutcome::WasRunning => cancelled(true),
                CancelOutcome::AlreadyTerminal(_) => {}
            }
        }
        store.delete_execution(actor.tenant, id).await.map_err(|error| match error {
            StoreError::Conflict(Conflict::ExecutionRunning) => {
                ServiceError::Conflict("the job is running; cancel it or wait for its end".to_owned())
            }
            other => other.into(),
        })
    }

    /// Runs an execution that is over again, as a new one; the old one is kept, and notes it.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] when there is no such execution or its job is deleted, [`ServiceError::Conflict`]
    /// while it is not over, when only failed hosts are asked for and none failed, or when it is no operation for agents and
    /// whoever asks may not retry others; [`ServiceError::Invalid`], [`ServiceError::QueueFull`].
    pub async fn retry(
        &self,
        actor: &Actor,
        id: ExecutionId,
        retry: &RetryAgentJob,
    ) -> Result<(ExecutionId, Timestamp), ServiceError> {
        let mut errors = FieldErrors::default();
        let named = retry.target.as_deref().map(|text| target(&mut errors, Some(text)));
        if !errors.is_empty() {
            return Err(errors.into());
        }
        let source = self.get(actor.tenant, id).await?;
        let state = source.execution.summary.lifecycle.state;
        if !state.is_terminal() {
            return Err(ServiceError::Conflict(format!("the job is {state}; only one that is over can be retried")));
        }
        let (mut again, request) = (source.execution, source.request);
        if let Some(request) = request {
            let target = named.flatten().unwrap_or_else(|| request.target.clone());
            let hosts = if retry.only_failed {
                Some(failed_hosts(&source.tasks)?)
            } else {
                self.hosts(actor.tenant, &target).await?
            };
            again.payload = Some(AgentRequest { target, hosts, ..request }.put_into(again.payload));
        } else if !retry.may_retry_others {
            return Err(ServiceError::Conflict("it is no operation for agents; retry the execution itself".to_owned()));
        } else if retry.target.is_some() || retry.only_failed {
            return Err(ServiceError::invalid("target_hostname", "is for jobs of agents; this is another one"));
        }
        let admitted = run_again(&self.core, actor, again).await?;
        Ok((admitted.id, admitted.created_at))
    }

    /// The hosts that a target reaches now; `None` where any agent may take the work.
    pub async fn hosts(&self, tenant: TenantId, target: &Target) -> Result<Option<Vec<String>>, ServiceError> {
        if *target == Target::Any {
            return Ok(None);
        }
        let agents = alive(&self.core, tenant).await?;
        Ok(Some(agents.into_iter().filter(|agent| target.matches(agent)).map(|agent| agent.hostname).collect()))
    }

    /// The job that submitted operations are executions of.
    async fn own_job(&self, tenant: TenantId) -> Result<Job, ServiceError> {
        let job = system_job::ensure(&self.core, tenant, SystemJob::AgentOperations).await?;
        match &job.spec.configuration {
            JobConfiguration::Agent(agent) if agent.operation == AgentRequest::SUBMITTED => Ok(job),
            _ => Err(ServiceError::Conflict(format!(
                "a job of yours has the name '{}', which operations for agents need; rename it",
                SystemJob::AgentOperations.name()
            ))),
        }
    }
}

fn target(errors: &mut FieldErrors, text: Option<&str>) -> Option<Target> {
    let text = text.map_or("", str::trim);
    if text.is_empty() {
        return Some(Target::Any);
    }
    text.parse()
        .map_err(|invalid: horarium_domain::agent::InvalidTarget| {
            errors.add("target_hostname", invalid.to_string());
        })
        .ok()
}

/// Keeps what there is room for.
fn leave_out_large_answers(tasks: &mut [AgentTask], room: &mut usize) {
    for answer in tasks.iter_mut().filter_map(|task| task.result.as_mut()) {
        let bytes = answer.to_string().len();
        match room.checked_sub(bytes) {
            Some(left) => *room = left,
            None if bytes > SMALL_ANSWER_BYTES => *answer = json!({ "truncated": true, "bytes": bytes }),
            None => {}
        }
    }
}

fn failed_hosts(tasks: &[AgentTask]) -> Result<Vec<String>, ServiceError> {
    let failed =
        |task: &&AgentTask| matches!(task.state, TaskState::Failed | TaskState::TimedOut | TaskState::Cancelled);
    let hosts: Vec<String> = tasks.iter().filter(failed).filter_map(|task| Some(task.hostname()?.to_owned())).collect();
    if hosts.is_empty() {
        return Err(ServiceError::Conflict("no host of the job failed; retry it without only_failed".to_owned()));
    }
    Ok(hosts)
}

fn agent_job(execution: Execution, job: Option<Job>, tasks: Vec<AgentTask>) -> AgentJob {
    let request = job.as_ref().and_then(|job| match &job.spec.configuration {
        JobConfiguration::Agent(agent) => AgentRequest::of(agent, execution.payload.as_ref()).ok(),
        _ => None,
    });
    AgentJob { execution, job, request, tasks }
}
