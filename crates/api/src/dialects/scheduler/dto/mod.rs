//! The wire shapes of the scheduler dialect. JSON names are camelCase; times are UTC with milliseconds.

mod execution;
mod figures;
mod job;
mod job_request;
mod names;
mod paged;

pub(crate) use execution::{AttemptDto, HistoryEvent, HistoryEventDto, JobExecutionDetailDto, JobExecutionDto};
pub(crate) use figures::{DashboardStatsDto, TimelinePointDto, UpcomingRunDto};
pub(crate) use job::{JobDto, RetryPolicyDto};
pub(crate) use job_request::{ClearLogsRequest, JobRequest, NewJobRequest, RescheduleRequest, TriggerRequest};
pub(crate) use names::{
    AttemptOutcomeName, BackoffName, ConcurrencyPolicyName, ExecutionStatusName, JobSortName, JobStatusName,
    JobTypeName, MisfirePolicyName, ScheduleTypeName, SortDirectionName, TriggerName,
};
pub(crate) use paged::PagedResponse;
