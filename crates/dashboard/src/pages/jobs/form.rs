//! The form that makes and changes a job: its fields, what can be chosen in them, and the page around them.

use askama::Template;
use horarium_domain::JobId;
use horarium_domain::job::{ConcurrencyPolicy, JobType};
use horarium_domain::schedule::{MisfirePolicy, ScheduleType};

use crate::view::calendar::short_day;
use crate::view::{EVENLY, Field, Inputs, Layout, Problem, Runs, WEEKDAYS};

/// Every field, named as the services name what is wrong with it, and its label.
pub(super) const LABELS: &[(&str, &str)] = &[
    ("name", "Name"),
    ("description", "Description"),
    ("group", "Group"),
    ("tags", "Tags"),
    ("jobType", "Type"),
    ("jobConfiguration", "Configuration"),
    ("jobConfiguration.url", "URL"),
    ("jobConfiguration.method", "Method"),
    ("jobConfiguration.headers", "Headers"),
    ("bodyKind", "The body is"),
    ("jobConfiguration.body", "Body"),
    ("jobConfiguration.bodySecret", "The body is a secret"),
    ("jobConfiguration.timeoutSeconds", "Timeout of the exchange (s)"),
    ("jobConfiguration.successStatusCodes", "Statuses that are success"),
    ("jobConfiguration.retryOnStatusCodes", "Statuses worth another attempt"),
    ("scheduleType", "It runs"),
    ("preset", "Times"),
    ("everyMinutes", "Every so many minutes"),
    ("atMinute", "At minute"),
    ("atTime", "At"),
    ("weekday", "On"),
    ("monthDay", "On day"),
    ("scheduleExpression", "Cron expression"),
    ("intervalSeconds", "Every"),
    ("intervalUnit", "Unit"),
    ("runAt", "At"),
    ("timezone", "Time zone"),
    ("effectiveFrom", "Not before"),
    ("expiresAt", "Not after"),
    ("jitterSeconds", "Jitter (s)"),
    ("timeoutSeconds", "Timeout of an attempt (s)"),
    ("retryPolicy.maxAttempts", "Attempts at most"),
    ("retryPolicy.delaySeconds", "Delay (s)"),
    ("retryPolicy.retryBackoffType", "Delays"),
    ("retryPolicy.maxDelaySeconds", "Longest delay (s)"),
    ("retryPolicy.jitter", "Jitter of delays (%)"),
    ("retryPolicy.shouldRetryHttpStatusCodes", "Only on these statuses"),
    ("misfirePolicy", "Missed runs"),
    ("concurrencyPolicy", "Overlapping runs"),
    ("maxConcurrency", "At once at most"),
    ("maxConcurrencyPerKey", "At once at most, per key"),
    ("queue", "Queue"),
    ("priority", "Priority"),
    ("isEnabled", "Enabled"),
];

const TYPES: [(JobType, &str); 6] = [
    (JobType::HttpCall, "HTTP call"),
    (JobType::StoredProcedure, "Stored procedure"),
    (JobType::CodeExecution, "Code of the program that embeds Horarium"),
    (JobType::FileOperation, "Work on files"),
    (JobType::Command, "Program on the server"),
    (JobType::Agent, "Operation of agents"),
];

const KINDS: [(ScheduleType, &str); 4] = [
    (ScheduleType::Manual, "On demand"),
    (ScheduleType::OneTime, "Once"),
    (ScheduleType::Interval, "Every so often"),
    (ScheduleType::Cron, "At times of the clock"),
];

const PRESETS: [(&str, &str); 7] = [
    ("minutes", "Every so many minutes"),
    ("hourly", "Every hour"),
    ("daily", "Every day"),
    ("weekdays", "Monday to Friday"),
    ("weekly", "On some days of the week"),
    ("monthly", "Every month"),
    ("custom", "As the cron expression says"),
];

const UNITS: [(&str, &str); 4] = [("1", "seconds"), ("60", "minutes"), ("3600", "hours"), ("86400", "days")];

const MISFIRES: [(MisfirePolicy, &str); 3] = [
    (MisfirePolicy::FireOnce, "Run once for all that were missed"),
    (MisfirePolicy::Skip, "Leave them out"),
    (MisfirePolicy::FireAll, "Run each of them"),
];

const OVERLAPS: [(ConcurrencyPolicy, &str); 3] = [
    (ConcurrencyPolicy::Allow, "Run side by side"),
    (ConcurrencyPolicy::Forbid, "Skip a slot while another runs or waits"),
    (ConcurrencyPolicy::Replace, "Cancel the earlier one"),
];

const BACKOFFS: [(&str, &str); 3] = [
    ("Fixed", "always the same"),
    ("Linear", "longer by as much each time"),
    ("Exponential", "twice as long each time"),
];

/// Zones that are proposed; any other of the IANA database can be typed.
pub(super) const ZONES: [&str; 40] = [
    "UTC",
    "Africa/Cairo",
    "Africa/Johannesburg",
    "Africa/Lagos",
    "Africa/Nairobi",
    "America/Argentina/Buenos_Aires",
    "America/Bogota",
    "America/Chicago",
    "America/Denver",
    "America/Halifax",
    "America/Los_Angeles",
    "America/Mexico_City",
    "America/New_York",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Toronto",
    "Asia/Bangkok",
    "Asia/Dhaka",
    "Asia/Dubai",
    "Asia/Hong_Kong",
    "Asia/Jakarta",
    "Asia/Jerusalem",
    "Asia/Karachi",
    "Asia/Kolkata",
    "Asia/Manila",
    "Asia/Seoul",
    "Asia/Shanghai",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Brisbane",
    "Australia/Sydney",
    "Europe/Amsterdam",
    "Europe/Athens",
    "Europe/Berlin",
    "Europe/Istanbul",
    "Europe/London",
    "Europe/Madrid",
    "Europe/Moscow",
    "Europe/Paris",
    "Pacific/Auckland",
];

/// The form as a page.
#[derive(Template)]
#[template(path = "jobs/form.html")]
pub(super) struct JobForm {
    pub(super) layout: Layout,
    /// The job that is changed, if it is there yet.
    pub(super) job: Option<JobId>,
    pub(super) inputs: Inputs,
    /// What somebody must know before saving.
    pub(super) warning: Option<String>,
    /// What the schedule will do, if it is sound.
    pub(super) runs: Option<Runs>,
    /// What is wrong with it, if it is not.
    pub(super) unsound: Vec<Problem>,
    /// Zones to choose from.
    pub(super) zones: Vec<&'static str>,
}

/// A day of the week that can be ticked.
struct Day {
    value: &'static str,
    label: &'static str,
    is_ticked: bool,
}

impl JobForm {
    /// Where it is sent, and where whoever thinks better of it goes.
    fn action(&self) -> String {
        self.job.map_or_else(|| "/jobs".to_owned(), |id| format!("/jobs/{id}"))
    }

    fn days(&self) -> Vec<Day> {
        let day = |(day, value)| Day { value, label: short_day(day), is_ticked: self.inputs.is("weekday", value) };
        WEEKDAYS.into_iter().map(day).collect()
    }

    fn types(&self) -> Field {
        self.inputs.choice("jobType", "", &TYPES.map(|(kind, words)| (kind.as_str(), words)))
    }

    fn kinds(&self) -> Field {
        self.inputs.choice("scheduleType", "", &KINDS.map(|(kind, words)| (kind.as_str(), words)))
    }

    fn presets(&self) -> Field {
        self.inputs.choice("preset", "", &PRESETS)
    }

    fn minutes(&self) -> Field {
        let steps = EVENLY.map(|step| step.to_string());
        let steps: Vec<_> = steps.iter().map(|step| (step.as_str(), step.as_str())).collect();
        self.inputs.choice("everyMinutes", "", &steps)
    }

    fn units(&self) -> Field {
        self.inputs.choice("intervalUnit", "", &UNITS)
    }

    fn body_kinds(&self) -> Field {
        self.inputs.choice("bodyKind", "", &[("text", "text, sent as it is"), ("json", "JSON")])
    }

    fn misfires(&self) -> Field {
        self.inputs.choice("misfirePolicy", "", &MISFIRES.map(|(policy, words)| (policy.as_str(), words)))
    }

    fn overlaps(&self) -> Field {
        self.inputs.choice("concurrencyPolicy", "", &OVERLAPS.map(|(policy, words)| (policy.as_str(), words)))
    }

    fn backoffs(&self) -> Field {
        self.inputs.choice("retryPolicy.retryBackoffType", "", &BACKOFFS)
    }
}
