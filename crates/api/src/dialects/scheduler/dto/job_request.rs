//! What callers send about jobs. Types are checked here; values by the services, which tell all problems at once.

use std::borrow::Cow;

use horarium_scheduler_engine::service::{JobInput, RescheduleInput, TriggerInput};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::{ConcurrencyPolicyName, JobTypeName, MisfirePolicyName, ScheduleTypeName};
use crate::http::Object;

/// A retry policy in either spelling: `maxAttempts` (all tries) and `delaySeconds`, or `maxRetryAttempts` (tries after
/// the first) and `retryDelaySeconds`.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(crate) struct RetryPolicyRequest {
    /// All tries, the first one included.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000)]
    max_attempts: Option<i64>,
    /// Tries after the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 999)]
    max_retry_attempts: Option<i64>,
    /// Seconds between the first failed attempt and the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 2_592_000)]
    delay_seconds: Option<i64>,
    /// The same, in the other spelling.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 2_592_000)]
    retry_delay_seconds: Option<i64>,
    /// How the delay grows: Fixed, Linear or Exponential.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<super::BackoffName>)]
    retry_backoff_type: Option<String>,
    /// The longest delay, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 2_592_000)]
    max_delay_seconds: Option<i64>,
    /// How far chance may move a delay: a share of it (0 to 1), or true for a quarter.
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter: Option<Value>,
    /// Retry only these statuses.
    #[serde(skip_serializing_if = "Option::is_none")]
    should_retry_http_status_codes: Option<Vec<i64>>,
}

/// What to set of a job. What is left out (or null) stays, or takes its default in a new job. An empty text clears
/// `description`, `group`, `effectiveFrom` and `expiresAt`; 0 clears `maxConcurrency`,
/// `maxConcurrencyPerKey` and `jitterSeconds`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[schema(example = json!({
    "name": "nightly-report",
    "jobType": "HttpCall",
    "scheduleType": "Cron",
    "scheduleExpression": "30 2 * * *",
    "timezone": "Europe/Berlin",
    "jobConfiguration": {"url": "https://reports.example.com/run", "method": "POST", "body": {"day": "{{Today}}"}},
    "retryPolicy": {"maxAttempts": 3, "delaySeconds": 60},
    "tags": ["reports"]
}))]
pub(crate) struct JobRequest {
    /// Unique in the tenant.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// For people.
    #[schema(max_length = 4000)]
    description: Option<String>,
    /// What kind of work it is.
    #[schema(value_type = Option<JobTypeName>)]
    job_type: Option<String>,
    /// What makes its slots; Manual when none is given.
    #[schema(value_type = Option<ScheduleTypeName>)]
    schedule_type: Option<String>,
    /// For Cron: 5 or 6 fields, or a form such as `@daily`.
    #[schema(example = "30 2 * * *")]
    schedule_expression: Option<String>,
    /// For Interval: seconds between two slots.
    #[schema(minimum = 1)]
    interval_seconds: Option<i64>,
    /// For OneTime: the slot.
    #[schema(format = DateTime)]
    run_at: Option<String>,
    /// What to run, in the shape of `jobType`. HttpCall: url, method, headers, body, timeoutSeconds,
    /// successStatusCodes, retryOnStatusCodes. StoredProcedure: storedProcedureName, parameters,
    /// commandTimeoutSeconds, databaseConnectionStringName. CodeExecution: handlerType, methodName, parameters.
    /// FileOperation: operation, sourcePath, destinationPath, archivePath, compression, olderThanHours,
    /// deleteAfterDays, deleteEmptyDirectories. Command: command, args, env, workingDirectory. Agent: operation,
    /// data, target.
    #[schema(value_type = Option<Object>)]
    job_configuration: Option<Value>,
    /// How failures are retried; not at all when none is given. It is given as a whole: what it leaves out takes its
    /// default.
    #[schema(value_type = Option<RetryPolicyRequest>)]
    retry_policy: Option<Object<RetryPolicyRequest>>,
    /// Seconds that one attempt may take; 300 when none is given.
    #[schema(minimum = 1, maximum = 604_800)]
    timeout_seconds: Option<i64>,
    /// An IANA time zone; UTC when none is given.
    #[schema(example = "Europe/Berlin")]
    timezone: Option<String>,
    /// Whether the schedule may fire; true when not given.
    is_enabled: Option<bool>,
    /// For people and filters.
    #[schema(max_items = 50)]
    tags: Option<Vec<String>>,
    /// Who makes the job, if it is not the caller.
    #[schema(max_length = 200)]
    created_by: Option<String>,
    /// Where its executions wait; `default` when none is given.
    #[schema(max_length = 100, pattern = "^[A-Za-z0-9_.:-]*$")]
    queue: Option<String>,
    /// The higher goes first; 0 when none is given.
    #[schema(minimum = -100, maximum = 100)]
    priority: Option<i64>,
    /// A family of jobs.
    #[schema(max_length = 100)]
    group: Option<String>,
    /// What to do about slots that nobody fired in time; FireOnce when none is given.
    #[schema(value_type = Option<MisfirePolicyName>)]
    misfire_policy: Option<String>,
    /// What to do when executions overlap; Allow when none is given.
    #[schema(value_type = Option<ConcurrencyPolicyName>)]
    concurrency_policy: Option<String>,
    /// How many executions may run at once; 0 for no limit.
    #[schema(minimum = 0, maximum = 100_000)]
    max_concurrency: Option<i64>,
    /// How many executions with the same concurrency key may run at once; 0 for no limit.
    #[schema(minimum = 0, maximum = 100_000)]
    max_concurrency_per_key: Option<i64>,
    /// The greatest delay of a scheduled start, in seconds.
    #[schema(minimum = 0, maximum = 86_400)]
    jitter_seconds: Option<i64>,
    /// No slot before this.
    #[schema(format = DateTime)]
    effective_from: Option<String>,
    /// No slot after this.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

impl JobRequest {
    /// The same as the services want it.
    pub(crate) fn into_input(self) -> JobInput {
        JobInput {
            name: self.name,
            description: self.description,
            job_type: self.job_type,
            schedule_type: self.schedule_type,
            schedule_expression: self.schedule_expression,
            interval_seconds: self.interval_seconds,
            run_at: self.run_at,
            job_configuration: self.job_configuration,
            // Texts, numbers and lists of them always have a JSON form.
            retry_policy: self.retry_policy.and_then(|policy| serde_json::to_value(policy.0).ok()),
            timeout_seconds: self.timeout_seconds,
            timezone: self.timezone,
            is_enabled: self.is_enabled,
            tags: self.tags,
            created_by: self.created_by,
            queue: self.queue,
            priority: self.priority,
            group: self.group,
            misfire_policy: self.misfire_policy,
            concurrency_policy: self.concurrency_policy,
            max_concurrency: self.max_concurrency,
            max_concurrency_per_key: self.max_concurrency_per_key,
            jitter_seconds: self.jitter_seconds,
            effective_from: self.effective_from,
            expires_at: self.expires_at,
        }
    }
}

/// A [`JobRequest`] for a new job. It is read like any other, so that what is missing is told together with all else
/// that is wrong; only its published schema says what is required.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct NewJobRequest(pub(crate) JobRequest);

impl PartialSchema for NewJobRequest {
    fn schema() -> RefOr<Schema> {
        let required = ["name", "jobType", "jobConfiguration"];
        let demands = required.into_iter().fold(ObjectBuilder::new(), ObjectBuilder::required);
        AllOfBuilder::new()
            .item(Ref::from_schema_name(JobRequest::name()))
            .item(demands)
            .description(Some("A new job: a name, a type and its configuration are required."))
            .into()
    }
}

impl ToSchema for NewJobRequest {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("NewJobRequest")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((JobRequest::name().into_owned(), JobRequest::schema()));
        JobRequest::schemas(schemas);
    }
}

/// A new schedule for a job.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[schema(example = json!({"scheduleType": "Interval", "intervalSeconds": 900}))]
pub(crate) struct RescheduleRequest {
    /// Required.
    #[schema(value_type = ScheduleTypeName, required)]
    schedule_type: Option<String>,
    /// For Cron.
    schedule_expression: Option<String>,
    /// For Interval.
    #[schema(minimum = 1)]
    interval_seconds: Option<i64>,
    /// For OneTime.
    #[schema(format = DateTime)]
    run_at: Option<String>,
    /// An IANA time zone.
    timezone: Option<String>,
    /// No slot before this.
    #[schema(format = DateTime)]
    effective_from: Option<String>,
    /// No slot after this.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// The greatest delay of a scheduled start, in seconds.
    #[schema(minimum = 0, maximum = 86_400)]
    jitter_seconds: Option<i64>,
}

impl RescheduleRequest {
    /// The same as the services want it.
    pub(crate) fn into_input(self) -> RescheduleInput {
        RescheduleInput {
            schedule_type: self.schedule_type,
            schedule_expression: self.schedule_expression,
            interval_seconds: self.interval_seconds,
            run_at: self.run_at,
            timezone: self.timezone,
            effective_from: self.effective_from,
            expires_at: self.expires_at,
            jitter_seconds: self.jitter_seconds,
        }
    }
}

/// How to run a job now, or once later; all of it may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[schema(example = json!({"payload": {"day": "2025-07-10"}, "priority": 10}))]
pub(crate) struct TriggerRequest {
    /// What to work on; templates read it as `{{Payload.…}}`.
    payload: Option<Value>,
    /// The higher goes first; the job's own when none is given.
    #[schema(minimum = -100, maximum = 100)]
    priority: Option<i64>,
    /// When it may start; at once when none is given.
    #[schema(format = DateTime)]
    run_at: Option<String>,
    /// While an execution of the job with this key waits or runs, no second one is accepted, and its id is answered.
    #[schema(min_length = 1, max_length = 200)]
    unique_key: Option<String>,
    /// What it has in common with others, of any job: limits of that key hold them together.
    #[schema(min_length = 1, max_length = 200)]
    concurrency_key: Option<String>,
}

impl TriggerRequest {
    /// The same as the services want it.
    pub(crate) fn into_input(self) -> TriggerInput {
        TriggerInput {
            payload: self.payload,
            priority: self.priority,
            run_at: self.run_at,
            unique_key: self.unique_key,
            concurrency_key: self.concurrency_key,
        }
    }
}

/// Which executions to delete.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[schema(example = json!({"olderThanDays": 30}))]
pub(crate) struct ClearLogsRequest {
    /// Those that ended more than so many days ago.
    #[schema(minimum = 1, maximum = 36_500)]
    pub(crate) older_than_days: i64,
}
