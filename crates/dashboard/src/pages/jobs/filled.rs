//! What the form of a job holds before anybody types into it.

use horarium_domain::Timestamp;
use horarium_domain::job::{ConcurrencyPolicy, Job, JobSpec, JobType};
use horarium_domain::retry::Backoff;
use horarium_domain::schedule::{MisfirePolicy, Schedule, ScheduleKind, ScheduleType};
use horarium_scheduler_engine::service::mask_configuration;
use serde_json::Value;

use super::form::LABELS;
use super::typed;
use crate::view::calendar::input;
use crate::view::{Inputs, Preset, WEEKDAYS, in_units};

/// What the form of a new job holds at first, with what the address says already.
pub(super) fn of_new(given: Vec<(String, String)>) -> Inputs {
    let mut inputs = Inputs::new(LABELS, Vec::new());
    for (name, value) in [
        ("jobType", JobType::HttpCall.as_str()),
        ("jobConfiguration.method", "GET"),
        ("jobConfiguration", "{}"),
        ("scheduleType", ScheduleType::Manual.as_str()),
        ("preset", "daily"),
        ("timezone", "UTC"),
        ("isEnabled", "true"),
        ("misfirePolicy", MisfirePolicy::default().as_str()),
        ("concurrencyPolicy", ConcurrencyPolicy::default().as_str()),
        ("queue", "default"),
        ("priority", "0"),
    ] {
        inputs.set(name, value);
    }
    inputs.set("timeoutSeconds", JobSpec::DEFAULT_TIMEOUT_SECONDS.to_string());
    fill_choices(&mut inputs);
    for (name, value) in given.into_iter().filter(|(name, _)| LABELS.iter().any(|(known, _)| known == name)) {
        inputs.set(&name, value);
    }
    inputs
}

/// What the form of a job holds at first.
pub(super) fn of_job(job: &Job) -> Inputs {
    let spec = &job.spec;
    let mut inputs = Inputs::new(LABELS, Vec::new());
    let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    for (name, value) in [
        ("version", job.version.to_string()),
        ("name", spec.name.clone()),
        ("description", spec.description.clone().unwrap_or_default()),
        ("group", spec.group.clone().unwrap_or_default()),
        ("tags", spec.tags.join("\n")),
        ("jobType", spec.configuration.job_type().to_string()),
        ("timeoutSeconds", spec.timeout_seconds.to_string()),
        ("misfirePolicy", spec.misfire_policy.to_string()),
        ("concurrencyPolicy", spec.concurrency_policy.as_str().to_owned()),
        ("maxConcurrency", number(spec.max_concurrency)),
        ("maxConcurrencyPerKey", number(spec.max_concurrency_per_key)),
        ("queue", spec.queue.to_string()),
        ("priority", spec.priority.to_string()),
        ("isEnabled", spec.is_enabled.to_string()),
    ] {
        inputs.set(name, value);
    }
    fill_configuration(&mut inputs, spec);
    fill_retry_policy(&mut inputs, spec);
    fill_choices(&mut inputs);
    fill_schedule(&mut inputs, &spec.schedule);
    inputs
}

fn fill_configuration(inputs: &mut Inputs, spec: &JobSpec) {
    let configuration = mask_configuration(&spec.configuration);
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default();
    if spec.configuration.job_type() != JobType::HttpCall {
        inputs.set("jobConfiguration", pretty(&configuration));
        return;
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    for member in ["url", "method", "timeoutSeconds", "bodySecret"] {
        inputs.set(&format!("jobConfiguration.{member}"), configuration.get(member).map(text).unwrap_or_default());
    }
    for member in ["successStatusCodes", "retryOnStatusCodes"] {
        let codes = configuration.get(member).and_then(Value::as_array);
        inputs.set(&format!("jobConfiguration.{member}"), codes.map(|codes| listed(codes)).unwrap_or_default());
    }
    let headers = configuration.get("headers").and_then(Value::as_object);
    let headers = headers.into_iter().flatten().map(|(name, value)| format!("{name}: {}", text(value)));
    inputs.set("jobConfiguration.headers", headers.collect::<Vec<_>>().join("\n"));
    let (kind, body) = match configuration.get("body") {
        None => ("text", String::new()),
        Some(Value::String(text)) => ("text", text.clone()),
        Some(value) => ("json", pretty(value)),
    };
    inputs.set("bodyKind", kind);
    inputs.set("jobConfiguration.body", body);
}

fn fill_retry_policy(inputs: &mut Inputs, spec: &JobSpec) {
    let policy = &spec.retry_policy;
    let backoff = match policy.backoff {
        Backoff::Fixed => "Fixed",
        Backoff::Linear => "Linear",
        Backoff::Exponential => "Exponential",
    };
    let codes = policy.retry_http_status_codes.iter().flatten().map(ToString::to_string);
    for (name, value) in [
        ("retryPolicy.maxAttempts", policy.max_attempts.to_string()),
        ("retryPolicy.delaySeconds", policy.delay_seconds.to_string()),
        ("retryPolicy.retryBackoffType", backoff.to_owned()),
        ("retryPolicy.maxDelaySeconds", policy.max_delay_seconds.to_string()),
        ("retryPolicy.jitter", policy.jitter_percent.to_string()),
        ("retryPolicy.shouldRetryHttpStatusCodes", codes.collect::<Vec<_>>().join(", ")),
    ] {
        inputs.set(name, value);
    }
}

fn fill_schedule(inputs: &mut Inputs, schedule: &Schedule) {
    let zone = schedule.timezone();
    inputs.set("scheduleType", schedule.schedule_type().as_str());
    inputs.set("timezone", zone.name());
    if schedule.jitter_seconds() > 0 {
        inputs.set("jitterSeconds", schedule.jitter_seconds().to_string());
    }
    // Fields show whole seconds, so what exactly it was goes along.
    let mut moment = |name: &str, at: Option<Timestamp>| {
        inputs.set(name, at.map(|at| input(zone.local(at).wall)).unwrap_or_default());
        inputs.set(&format!("{name}.was"), at.map(|at| at.to_string()).unwrap_or_default());
    };
    moment("effectiveFrom", schedule.effective_from());
    moment("expiresAt", schedule.expires_at());
    match schedule.kind() {
        ScheduleKind::Manual => {}
        ScheduleKind::OneTime { at } => moment("runAt", Some(*at)),
        ScheduleKind::Interval { seconds, .. } => {
            let (amount, unit) = in_units(*seconds);
            inputs.set("intervalSeconds", amount.to_string());
            inputs.set("intervalUnit", unit.to_string());
        }
        ScheduleKind::Cron(cron) => fill_expression(inputs, cron.as_str()),
    }
}

/// What the choices hold before anybody has chosen.
fn fill_choices(inputs: &mut Inputs) {
    for (name, value) in [
        ("intervalSeconds", "15"),
        ("intervalUnit", "60"),
        ("everyMinutes", "5"),
        ("atMinute", "0"),
        ("atTime", "02:30"),
        ("weekday", "MON"),
        ("monthDay", "1"),
    ] {
        inputs.set(name, value);
    }
}

/// Has the expression and the choices say the same, whichever of them was changed.
pub(super) fn settle(inputs: &mut Inputs) {
    if inputs.get("scheduleType") != ScheduleType::Cron.as_str() {
        return;
    }
    if let Ok(expression) = typed::expression(inputs) {
        fill_expression(inputs, &expression);
    }
}

fn fill_expression(inputs: &mut Inputs, expression: &str) {
    inputs.set("scheduleExpression", expression);
    inputs.set("scheduleExpression.was", expression);
    let preset = Preset::read(expression);
    let is_of_working_days = preset.as_ref().is_some_and(Preset::is_of_working_days);
    let (chosen, at) = match preset {
        None => ("custom", None),
        Some(Preset::Minutes(step)) => {
            inputs.set("everyMinutes", step.to_string());
            ("minutes", None)
        }
        Some(Preset::Hourly(minute)) => {
            inputs.set("atMinute", minute.to_string());
            ("hourly", None)
        }
        Some(Preset::Daily(at)) => ("daily", Some(at)),
        Some(Preset::Weekly(_, at)) if is_of_working_days => ("weekdays", Some(at)),
        Some(Preset::Weekly(days, at)) => {
            let ticked = WEEKDAYS.iter().filter(|(day, _)| days.contains(day));
            inputs.set_all("weekday", ticked.map(|(_, name)| (*name).to_owned()));
            ("weekly", Some(at))
        }
        Some(Preset::Monthly(day, at)) => {
            inputs.set("monthDay", day.to_string());
            ("monthly", Some(at))
        }
    };
    inputs.set("preset", chosen);
    if let Some(at) = at {
        inputs.set("atTime", at.to_string());
    }
}

fn listed(codes: &[Value]) -> String {
    codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
