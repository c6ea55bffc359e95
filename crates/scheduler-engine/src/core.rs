//! What the loops and the services share: the store, the clock, and the ways to tell each other.

use std::sync::Arc;

use horarium_domain::agent::AgentTiming;
use horarium_domain::callback::NewCallback;
use horarium_domain::execution::{ExecutionState, NewExecution};
use horarium_domain::secret::{SecretSealer, Unsealed};
use horarium_domain::store::{Enqueued, Lease, SharedStore, StoreError};
use horarium_domain::{Clock, Entropy, ExecutionId, IdGenerator, JobId, TenantId, Timestamp};
use tokio::sync::Notify;

use crate::agents::AgentHub;
use crate::audited::AuditedCall;
use crate::bus::{Bus, LiveEvent, LiveEventKind};
use crate::enqueuer::Enqueuer;
use crate::hints::{self, Hints};
use crate::job_reader::JobReader;
use crate::running::RunningSet;

/// Why a job's loops and listeners are told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobChangeKind {
    /// It was made.
    Created,
    /// Its definition or standing changed.
    Updated,
    /// It was deleted.
    Deleted,
}

/// Wakes the loops of this node before their next poll.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    /// There may be work to claim.
    pub(crate) work: Notify,
    /// An execution was accepted whose time has not come.
    pub(crate) waiting: Notify,
    /// Schedules changed.
    pub(crate) schedules: Notify,
    /// Other nodes are to be told that there is work.
    pub(crate) publish_work: Notify,
    /// Other nodes are to be told that schedules changed.
    pub(crate) publish_schedules: Notify,
    /// Other nodes ought to be told that agents have work or have answered.
    pub(crate) publish_agents: Notify,
    /// Other nodes are to be told of cancelled executions.
    pub(crate) publish_cancelled: std::sync::Mutex<Vec<ExecutionId>>,
}

/// What the loops and the services of one node share.
pub struct Core {
    /// The database.
    pub store: SharedStore,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Fresh ids.
    pub ids: IdGenerator,
    /// What seals secrets before the store sees them.
    pub secrets: Arc<dyn SecretSealer>,
    /// Live events.
    pub bus: Bus,
    pub(crate) wakes: Arc<Wakes>,
    pub(crate) running: RunningSet,
    pub(crate) agents: AgentHub,
    pub(crate) jobs: JobReader,
    enqueuer: Enqueuer,
    hints: Arc<Hints>,
    /// Held so that it ends with the core.
    _sender: hints::Sender,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Core")
    }
}

impl Core {
    /// A core that keeps secrets as they are, for a store that keeps nothing. Must be called within a Tokio runtime.
    pub fn new(store: SharedStore, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Arc<Self> {
        Self::with_secrets(store, clock, entropy, Arc::new(Unsealed))
    }

    /// Ties the parts together. Must be called within a Tokio runtime: it starts the readers and writers that gather what
    /// callers want, and what tells other nodes of the work that is accepted here.
    pub fn with_secrets(
        store: SharedStore,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        secrets: Arc<dyn SecretSealer>,
    ) -> Arc<Self> {
        let wakes = Arc::new(Wakes::default());
        let hints = Arc::new(Hints::new(Arc::clone(&wakes)));
        Arc::new(Self {
            jobs: JobReader::start(&store),
            enqueuer: Enqueuer::start(&store, &hints),
            _sender: Arc::clone(&hints).start(Arc::clone(&store)),
            hints,
            store,
            clock,
            entropy,
            ids: IdGenerator::new(),
            secrets,
            bus: Bus::default(),
            wakes,
            running: RunningSet::default(),
            agents: AgentHub::default(),
        })
    }

    /// Says how long this node waits for agents, before anything asks; it is as for `AgentTiming::default()` otherwise.
    /// Answers whether it came in time.
    pub fn wait_for_agents(&self, timing: AgentTiming) -> bool {
        self.agents.settle_timing(timing)
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Accepts an execution together with whatever else is being accepted; answers after the commit.
    pub async fn enqueue(&self, execution: NewExecution) -> Result<Enqueued, StoreError> {
        self.enqueue_audited(execution, None).await
    }

    /// The same, on behalf of a call that the audit log is to tell of.
    pub(crate) async fn enqueue_audited(
        &self,
        execution: NewExecution,
        call: Option<&AuditedCall>,
    ) -> Result<Enqueued, StoreError> {
        let accepted = Accepted::of(&execution);
        let result = self.enqueuer.enqueue(execution, call).await?;
        self.answered(&[accepted], &[result], call);
        Ok(result)
    }

    /// Accepts an execution together with its callback; answers after the commit.
    pub async fn enqueue_with_callback(
        &self,
        execution: NewExecution,
        callback: NewCallback,
        call: Option<&AuditedCall>,
    ) -> Result<Enqueued, StoreError> {
        let accepted = Accepted::of(&execution);
        let note = call.map(|call| call.note(0..1));
        let result = self.store.enqueue_with_callback(execution, callback, note).await?;
        if accepted.due {
            self.wakes.publish_work.notify_one();
        }
        self.answered(&[accepted], &[result], call);
        Ok(result)
    }

    /// Accepts a batch in one transaction; answers after the commit, in the batch's order.
    pub async fn enqueue_many(&self, batch: Vec<NewExecution>) -> Result<Vec<Enqueued>, StoreError> {
        self.enqueue_many_audited(batch, None).await
    }

    /// The same, on behalf of a call that the audit log is to tell of.
    pub(crate) async fn enqueue_many_audited(
        &self,
        batch: Vec<NewExecution>,
        call: Option<&AuditedCall>,
    ) -> Result<Vec<Enqueued>, StoreError> {
        let accepted: Vec<_> = batch.iter().map(Accepted::of).collect();
        let notes = call.map(|call| call.note(0..batch.len())).into_iter().collect();
        let results = self.hints.accept(&self.store, batch, notes).await?;
        self.answered(&accepted, &results, call);
        Ok(results)
    }

    /// Tells loops and listeners, here and on other nodes, that a job changed. To be called after the commit.
    pub fn job_changed(&self, tenant: TenantId, job: JobId, change: JobChangeKind) {
        self.wakes.schedules.notify_one();
        self.wakes.publish_schedules.notify_one();
        let kind = match change {
            JobChangeKind::Created => LiveEventKind::JobCreated,
            JobChangeKind::Updated => LiveEventKind::JobUpdated,
            JobChangeKind::Deleted => LiveEventKind::JobDeleted,
        };
        self.tell(tenant, kind, job, None, None);
    }

    /// Tells the loops that limits became looser, so that what they held back may start.
    pub fn limits_changed(&self) {
        self.wakes.work.notify_one();
        self.wakes.publish_work.notify_one();
    }

    /// Lets go of an attempt that is over, or not this node's any more. What a limit held back may have room now.
    pub(crate) fn release(&self, lease: Lease) {
        if self.running.release(lease) {
            self.wakes.work.notify_one();
        }
    }

    /// Stops the work on an execution that was cancelled, here and on other nodes. To be called after the commit.
    pub fn execution_cancelled(&self, tenant: TenantId, job: JobId, id: ExecutionId, was_running: bool) {
        if was_running {
            self.stop_cancelled([id]);
            self.agents.look.notify_one();
        }
        self.tell(tenant, LiveEventKind::ExecutionCancelled, job, Some(id), Some(ExecutionState::Cancelled));
    }

    /// Stops running executions that were cancelled, wherever they run.
    pub(crate) fn stop_cancelled(&self, ids: impl IntoIterator<Item = ExecutionId>) {
        let elsewhere: Vec<_> = ids.into_iter().filter(|id| !self.running.cancel(*id)).collect();
        if !elsewhere.is_empty() {
            let mut outgoing = self.wakes.publish_cancelled.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            outgoing.extend(elsewhere);
            self.wakes.publish_work.notify_one();
        }
    }

    /// Makes a live event, unless nobody listens.
    pub(crate) fn tell(
        &self,
        tenant_id: TenantId,
        kind: LiveEventKind,
        job_id: JobId,
        execution_id: Option<ExecutionId>,
        state: Option<ExecutionState>,
    ) {
        if self.bus.is_idle() {
            return;
        }
        let at = self.now();
        self.bus.publish(LiveEvent { id: self.ids.uuid(at), tenant_id, at, kind, job_id, execution_id, state });
    }

    /// Tells of those of a batch that were accepted.
    fn answered(&self, batch: &[Accepted], results: &[Enqueued], call: Option<&AuditedCall>) {
        if let Some(call) = call {
            call.answered(results);
        }
        let answered = batch.iter().zip(results);
        answered.filter(|(_, result)| **result == Enqueued::Accepted).for_each(|(note, _)| self.accepted(note));
    }

    fn accepted(&self, note: &Accepted) {
        if note.due {
            self.wakes.work.notify_one();
        } else {
            self.wakes.waiting.notify_one();
        }
        let pending = Some(ExecutionState::Pending);
        self.tell(note.tenant, LiveEventKind::ExecutionCreated, note.job, Some(note.id), pending);
    }
}

/// What must be known of an execution once it is accepted and gone.
struct Accepted {
    tenant: TenantId,
    job: JobId,
    id: ExecutionId,
    due: bool,
}

impl Accepted {
    fn of(execution: &NewExecution) -> Self {
        Self { tenant: execution.tenant_id, job: execution.job_id, id: execution.id, due: hints::is_due(execution) }
    }
}
