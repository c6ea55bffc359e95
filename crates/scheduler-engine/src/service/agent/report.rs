//! From what agents report to what is recorded.

use horarium_domain::agent::protocol::{Report, ReportResult, ReportStatus, TaskOutcome};
use horarium_domain::agent::{TaskEnd, TaskState};
use horarium_domain::store::Reported;
use horarium_domain::{ExecutionId, TenantId};

use crate::core::Core;
use crate::service::ServiceError;

/// Characters that are kept of an error.
const ERROR_CHARS: usize = 4000;

/// Records what can be read; the answers are in the order of the reports.
pub(super) async fn record(
    core: &Core,
    tenant: TenantId,
    reports: Vec<Result<Report, ReportResult>>,
) -> Result<Vec<ReportResult>, ServiceError> {
    let mut ends = Vec::new();
    let mut answers = Vec::with_capacity(reports.len());
    for report in reports {
        answers.push(match report {
            Err(unreadable) => Err(unreadable),
            Ok(report) => match end_of(&report) {
                Ok(end) => {
                    ends.push(end);
                    Ok(report.lease_token)
                }
                Err(problem) => Err(ReportResult {
                    lease_token: report.lease_token,
                    status: ReportStatus::Invalid,
                    error: Some(problem),
                }),
            },
        });
    }
    let hands_back = ends.iter().any(|end| end.state == TaskState::Pending);
    let recorded = core.store.report_tasks(tenant, ends, core.now()).await?;
    core.agents.answered(executions(&recorded));
    core.wakes.publish_agents.notify_one();
    if hands_back {
        core.agents.work_for([tenant]);
    }
    let mut recorded = recorded.into_iter();
    let answers = answers.into_iter().map(|answer| match answer {
        Err(unreadable) => unreadable,
        Ok(lease_token) => match recorded.next() {
            Some(Reported::Recorded(_)) => ReportResult { lease_token, status: ReportStatus::Accepted, error: None },
            Some(Reported::Stale) | None => {
                ReportResult { lease_token, status: ReportStatus::Stale, error: Some("the lease is over".to_owned()) }
            }
        },
    });
    Ok(answers.collect())
}

/// The executions that something was recorded for.
pub(super) fn executions(reported: &[Reported]) -> impl Iterator<Item = ExecutionId> + '_ {
    reported.iter().filter_map(|reported| match reported {
        Reported::Recorded(id) => Some(*id),
        Reported::Stale => None,
    })
}

fn end_of(report: &Report) -> Result<TaskEnd, String> {
    let lease = report.lease_token.parse().map_err(|invalid: horarium_domain::agent::InvalidLeaseToken| {
        // Told apart from a stale one: something else is wrong with the agent.
        invalid.to_string()
    })?;
    let (state, fallback) = match report.outcome {
        TaskOutcome::Completed => (TaskState::Completed, None),
        TaskOutcome::Failed => (TaskState::Failed, Some("failed")),
        TaskOutcome::Skipped => (TaskState::Skipped, Some("the agent does not have the operation")),
        TaskOutcome::Cancelled => (TaskState::Cancelled, Some("cancelled")),
        TaskOutcome::Released => (TaskState::Pending, None),
    };
    let error = report.error.as_deref().filter(|text| !text.is_empty()).or(fallback);
    Ok(TaskEnd {
        lease,
        state,
        result: Some(report.data.clone()).filter(|data| !data.is_null()),
        changed: report.changed,
        error: error.filter(|_| state != TaskState::Completed).map(|text| text.chars().take(ERROR_CHARS).collect()),
        retryable: report.retryable && state == TaskState::Failed,
        duration_ms: report.duration_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX)),
    })
}
