//! From what a caller sent about the schedule to the schedule that the job will have.

use std::time::Duration;

use horarium_domain::Timestamp;
use horarium_domain::schedule::{Schedule, ScheduleInput, ScheduleType};

use super::JobInput;
use crate::service::{FieldErrors, limits};

/// What is said when a schedule comes without its type.
pub(super) const TYPE_REQUIRED: &str = "is required with a schedule: Manual, OneTime, Interval or Cron";

/// How far a one-time instant may lie in the past: a caller who says "now" is late by the time it is read.
const LATE: Duration = Duration::from_mins(1);

/// The schedule of a job after `input`: what is not sent stays as it is in `current`. A schedule that comes out the
/// same is the same, its interval's anchor included. `None` when something is wrong, which is then noted.
pub(super) fn read(
    input: &JobInput,
    current: Option<&Schedule>,
    now: Timestamp,
    errors: &mut FieldErrors,
) -> Option<Schedule> {
    if !is_sent(input) {
        return Some(current.cloned().unwrap_or_else(Schedule::manual));
    }
    let mut found = FieldErrors::default();
    let schedule = build(input, current, now, &mut found);
    let sound = found.is_empty();
    errors.append(found);
    schedule.filter(|_| sound)
}

fn is_sent(input: &JobInput) -> bool {
    let texts = [
        &input.schedule_type,
        &input.schedule_expression,
        &input.run_at,
        &input.timezone,
        &input.expires_at,
        &input.effective_from,
    ];
    texts.into_iter().any(Option::is_some) || input.interval_seconds.is_some() || input.jitter_seconds.is_some()
}

fn build(input: &JobInput, current: Option<&Schedule>, now: Timestamp, found: &mut FieldErrors) -> Option<Schedule> {
    let parts = parts(input, current, found)?;
    let schedule = match Schedule::new(parts, now) {
        Ok(schedule) => schedule,
        Err(errors) => {
            for error in errors {
                // A part that cannot be read is not missing as well.
                let field = error.field().name();
                if !found.names(field) {
                    found.add(field, error.to_string());
                }
            }
            return None;
        }
    };
    if current != Some(&schedule) && found.is_empty() {
        match schedule.first_slot(now) {
            Some(slot) if slot + LATE < now => found.add("runAt", format!("must not lie in the past, as {slot} does")),
            None if schedule.schedule_type() != ScheduleType::Manual => {
                found.add("expiresAt", "must be later: the schedule has no slot before it expires");
            }
            _ => {}
        }
    }
    Some(schedule)
}

/// What was sent, laid over what is there.
fn parts(input: &JobInput, current: Option<&Schedule>, found: &mut FieldErrors) -> Option<ScheduleInput> {
    let before = current.cloned().map(ScheduleInput::from).unwrap_or_default();
    let mut parts = before.clone();
    match &input.schedule_type {
        Some(text) => {
            let kind = limits::named(found, "scheduleType", text, ScheduleType::ALL, ScheduleType::as_str)?;
            if kind != before.schedule_type {
                parts.schedule_type = kind;
                (parts.schedule_expression, parts.interval_seconds, parts.run_at) = (None, None, None);
            }
        }
        // Rather ask than drop a slot that the caller believes in.
        None if names_other_kind(input, before.schedule_type) => {
            found.add("scheduleType", TYPE_REQUIRED);
            return None;
        }
        None => {}
    }
    if let Some(expression) = &input.schedule_expression {
        parts.schedule_expression = Some(expression.clone());
    }
    if let Some(timezone) = &input.timezone {
        parts.timezone = Some(timezone.trim().to_owned());
    }
    parts.interval_seconds = input.interval_seconds.or(parts.interval_seconds);
    parts.jitter_seconds = input.jitter_seconds.or(parts.jitter_seconds);
    if let Some(text) = &input.run_at {
        parts.run_at = limits::instant(found, "runAt", text);
    }
    overlay_bound(&mut parts.effective_from, input.effective_from.as_deref(), "effectiveFrom", found);
    overlay_bound(&mut parts.expires_at, input.expires_at.as_deref(), "expiresAt", found);
    let same_grid = parts.schedule_type == before.schedule_type
        && parts.interval_seconds == before.interval_seconds
        && parts.effective_from.map(Timestamp::as_millis) == before.effective_from.map(Timestamp::as_millis);
    if !same_grid {
        parts.anchor = None;
    }
    Some(parts)
}

fn names_other_kind(input: &JobInput, kind: ScheduleType) -> bool {
    (input.schedule_expression.is_some() && kind != ScheduleType::Cron)
        || (input.interval_seconds.is_some() && kind != ScheduleType::Interval)
        || (input.run_at.is_some() && kind != ScheduleType::OneTime)
}

fn overlay_bound(bound: &mut Option<Timestamp>, sent: Option<&str>, field: &str, found: &mut FieldErrors) {
    match sent {
        None => {}
        Some(text) if text.trim().is_empty() => *bound = None,
        Some(text) => *bound = limits::instant(found, field, text),
    }
}
