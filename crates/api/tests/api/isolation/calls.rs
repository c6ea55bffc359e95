//! The calls that change something or ask for one thing: what each is answered, and what of it the model keeps.

use std::fmt;

use super::views::View;
use super::world::World;

/// What a tenant does, or a worker for whoever waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    CreateJob,
    ReadJob,
    ChangeJob,
    PauseAll,
    ResumeAll,
    TriggerJob,
    DeleteJob,
    CancelExecution,
    RetryExecution,
    ReadExecution,
    TriggerAsAdmin,
    SubmitIntegration,
    SubmitOperation,
    RetryOperation,
    DeleteOperation,
    SubmitAsToolkit,
    SubmitBatch,
    MakeKey,
    ReadKey,
    RotateKey,
    RevokeKey,
    ReadWebhookSecret,
    RotateWebhookSecret,
    NameTheOther,
    RegisterAgent,
    DrainAgent,
    UndrainAgent,
    HeartbeatOfAgent,
    LeaseTasks,
    ReportTasks,
    DeleteAgent,
    LimitQueue,
    LimitKey,
    StartWork,
    Succeed,
    Fail,
    FailAttempt,
    LetTimePass,
    /// Both make a call again that one of them made under an `Idempotency-Key`.
    Repeat,
}

/// How often each is made, compared with the others: without jobs and executions there is little to see.
const WEIGHTS: &[(usize, Call)] = &[
    (2, Call::CreateJob),
    (2, Call::ReadJob),
    (2, Call::ChangeJob),
    (1, Call::PauseAll),
    (1, Call::ResumeAll),
    (2, Call::TriggerJob),
    (2, Call::DeleteJob),
    (3, Call::CancelExecution),
    (3, Call::RetryExecution),
    (5, Call::ReadExecution),
    (3, Call::TriggerAsAdmin),
    (6, Call::SubmitIntegration),
    (5, Call::SubmitOperation),
    (2, Call::RetryOperation),
    (1, Call::DeleteOperation),
    (3, Call::SubmitAsToolkit),
    (2, Call::SubmitBatch),
    (2, Call::MakeKey),
    (1, Call::ReadKey),
    (1, Call::RotateKey),
    (2, Call::RevokeKey),
    (2, Call::ReadWebhookSecret),
    (1, Call::RotateWebhookSecret),
    (1, Call::NameTheOther),
    (2, Call::RegisterAgent),
    (1, Call::DrainAgent),
    (1, Call::UndrainAgent),
    (4, Call::HeartbeatOfAgent),
    (5, Call::LeaseTasks),
    (5, Call::ReportTasks),
    (1, Call::DeleteAgent),
    (4, Call::LimitQueue),
    (2, Call::LimitKey),
    (8, Call::StartWork),
    (2, Call::Succeed),
    (3, Call::Fail),
    (2, Call::FailAttempt),
    (3, Call::LetTimePass),
    (3, Call::Repeat),
];

/// Every call as often as its weight says.
pub(super) fn weighted() -> Vec<Call> {
    WEIGHTS.iter().flat_map(|(weight, call)| std::iter::repeat_n(*call, *weight)).collect()
}

impl Call {
    /// Whether it names a thing by an id, which may be the other's.
    pub(super) fn names_an_id(self) -> bool {
        use Call::{
            CancelExecution, ChangeJob, DeleteJob, DeleteOperation, HeartbeatOfAgent, LeaseTasks, ReadExecution,
            ReadJob, ReadKey, RetryExecution, RetryOperation, RevokeKey, RotateKey, SubmitAsToolkit, SubmitBatch,
            TriggerJob,
        };
        let of_jobs = matches!(self, ReadJob | ChangeJob | TriggerJob | DeleteJob | SubmitAsToolkit | SubmitBatch);
        let of_executions =
            matches!(self, CancelExecution | RetryExecution | ReadExecution | RetryOperation | DeleteOperation);
        let of_others = matches!(self, ReadKey | RotateKey | RevokeKey | HeartbeatOfAgent | LeaseTasks);
        of_jobs || of_executions || of_others
    }

    /// Whether both tenants may make it in the very same words.
    pub(super) fn may_be_repeated(self) -> bool {
        use Call::{CreateJob, SubmitAsToolkit, SubmitIntegration, SubmitOperation, TriggerAsAdmin};
        matches!(self, CreateJob | TriggerAsAdmin | SubmitIntegration | SubmitOperation | SubmitAsToolkit)
    }
}

/// One call, and where somebody looks after it.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// Which of the two calls.
    pub(super) who: usize,
    pub(super) call: Call,
    /// Whether the call is about a thing of the other's.
    pub(super) theirs: bool,
    /// Whether it has an `Idempotency-Key`.
    pub(super) has_key: bool,
    /// Which name or thing it is about.
    pub(super) pick: usize,
    pub(super) view: View,
}

/// On one line: a walk is read from top to bottom.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { who, call, theirs, has_key, pick, view } = self;
        let whose = if *theirs { " theirs" } else { "" };
        let key = if *has_key { " under a key" } else { "" };
        write!(f, "{who} {call:?}{whose} {pick}{key}, view {view:?}")
    }
}

impl Step {
    /// Whose thing it is about.
    pub(super) fn whose(&self) -> usize {
        if self.theirs { 1 - self.who } else { self.who }
    }

    /// Its `Idempotency-Key`: the same for both tenants, and now and then for another request of the same kind.
    pub(super) fn key(&self) -> Option<String> {
        self.has_key.then(|| format!("{:?}-{}", self.call, self.pick % 2))
    }

    /// The answer to a call about a thing by its id: the other's is not there.
    pub(super) fn of_thing(&self, status: u16) -> u16 {
        if self.theirs { 404 } else { status }
    }
}

impl World {
    /// Makes a call and checks its answer. One about something that is not there yet is left out.
    pub(super) async fn take(&mut self, step: Step) {
        match step.call {
            Call::CreateJob => self.create_job(step).await,
            Call::ReadJob => self.read_job(step).await,
            Call::ChangeJob => self.change_job(step).await,
            Call::PauseAll => self.set_all_paused(step, true).await,
            Call::ResumeAll => self.set_all_paused(step, false).await,
            Call::TriggerJob => self.trigger_job(step).await,
            Call::DeleteJob => self.delete_job(step).await,
            Call::CancelExecution => self.cancel(step).await,
            Call::RetryExecution => self.retry(step).await,
            Call::ReadExecution => self.read_execution(step).await,
            Call::TriggerAsAdmin => self.trigger_as_admin(step).await,
            Call::SubmitIntegration => self.submit_integration(step).await,
            Call::SubmitOperation => self.submit_operation(step).await,
            Call::RetryOperation => self.retry_operation(step).await,
            Call::DeleteOperation => self.delete_operation(step).await,
            Call::SubmitAsToolkit => self.submit_as_toolkit(step).await,
            Call::SubmitBatch => self.submit_batch(step).await,
            Call::MakeKey => self.make_key(step).await,
            Call::ReadKey => self.read_key(step).await,
            Call::RotateKey => self.rotate_key(step).await,
            Call::RevokeKey => self.revoke_key(step).await,
            Call::ReadWebhookSecret => self.read_webhook_secret(step).await,
            Call::RotateWebhookSecret => self.rotate_webhook_secret(step).await,
            Call::NameTheOther => self.name_the_other(step).await,
            Call::RegisterAgent => self.register_agent(step).await,
            Call::DrainAgent => self.drain_agent(step, true).await,
            Call::UndrainAgent => self.drain_agent(step, false).await,
            Call::HeartbeatOfAgent => self.heartbeat(step).await,
            Call::LeaseTasks => self.lease_tasks(step).await,
            Call::ReportTasks => self.report_tasks(step).await,
            Call::DeleteAgent => self.delete_agent(step).await,
            Call::LimitQueue => self.limit_queue(step).await,
            Call::LimitKey => self.limit_key(step).await,
            Call::StartWork | Call::Succeed | Call::Fail | Call::FailAttempt => self.work(step).await,
            Call::LetTimePass => self.let_time_pass(),
            Call::Repeat => self.repeat(step).await,
        }
    }
}
