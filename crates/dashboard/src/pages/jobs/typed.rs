//! From what was typed into the form to what the services take. Whatever is not plain text, a number or a list is for the
//! services to judge.

use horarium_domain::Timestamp;
use horarium_domain::job::{JobSpec, JobType, QueueName};
use horarium_domain::schedule::{ScheduleType, Shown, TimeZone, WallTime};
use horarium_scheduler_engine::service::{FieldErrors, JobInput, RescheduleInput};
use serde_json::{Map, Value, json};

use crate::view::calendar::{clock, input};
use crate::view::{Clock, Inputs, Preset, WEEKDAYS};

/// The job that the form describes. All of it is sent, so that what was emptied is taken away.
///
/// # Errors
/// What cannot be read.
pub(super) fn job(inputs: &Inputs, is_new: bool) -> Result<JobInput, FieldErrors> {
    let mut reader = Reader { inputs, errors: FieldErrors::default() };
    let given = |name| Some(inputs.get(name)).filter(|text| !text.is_empty()).map(str::to_owned);
    let input = JobInput {
        name: Some(inputs.get("name").to_owned()),
        description: Some(inputs.text("description")),
        group: Some(inputs.get("group").to_owned()),
        tags: Some(
            inputs.get("tags").lines().map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
        ),
        job_type: Some(inputs.get("jobType").to_owned()),
        job_configuration: reader.configuration(),
        retry_policy: reader.retry_policy(is_new),
        timeout_seconds: Some(reader.whole("timeoutSeconds").unwrap_or(JobSpec::DEFAULT_TIMEOUT_SECONDS.into())),
        misfire_policy: given("misfirePolicy"),
        concurrency_policy: given("concurrencyPolicy"),
        max_concurrency: Some(reader.whole("maxConcurrency").unwrap_or_default()),
        max_concurrency_per_key: Some(reader.whole("maxConcurrencyPerKey").unwrap_or_default()),
        queue: Some(given("queue").unwrap_or_else(|| QueueName::DEFAULT.to_owned())),
        priority: Some(reader.whole("priority").unwrap_or_default()),
        is_enabled: Some(inputs.is("isEnabled", "true")),
        ..JobInput::from(reader.schedule())
    };
    reader.ended(input)
}

/// The schedule that the form describes.
///
/// # Errors
/// What cannot be read.
pub(super) fn schedule(inputs: &Inputs) -> Result<RescheduleInput, FieldErrors> {
    let mut reader = Reader { inputs, errors: FieldErrors::default() };
    let schedule = reader.schedule();
    reader.ended(schedule)
}

/// The cron expression that the form describes, by its choices or as it is written.
///
/// # Errors
/// What of the choices cannot be read.
pub(super) fn expression(inputs: &Inputs) -> Result<String, FieldErrors> {
    let mut reader = Reader { inputs, errors: FieldErrors::default() };
    let expression = reader.expression();
    reader.ended(expression)
}

/// Reads fields, and notes what is wrong with them.
struct Reader<'a> {
    inputs: &'a Inputs,
    errors: FieldErrors,
}

impl<'a> Reader<'a> {
    fn ended<T>(self, read: T) -> Result<T, FieldErrors> {
        if self.errors.is_empty() { Ok(read) } else { Err(self.errors) }
    }

    /// What a field says, if it says anything.
    fn given(&self, name: &str) -> Option<&'a str> {
        Some(self.inputs.get(name)).filter(|text| !text.is_empty())
    }

    fn whole(&mut self, name: &str) -> Option<i64> {
        let text = self.given(name)?;
        let number = text.parse().ok();
        if number.is_none() {
            self.errors.add(name, "must be a whole number");
        }
        number
    }

    /// Several numbers with blanks or commas between.
    fn codes(&mut self, name: &str) -> Option<Value> {
        let words = self.given(name)?.split([',', ' ', '\n']).filter(|word| !word.is_empty());
        let Ok(codes) = words.map(str::parse).collect::<Result<Vec<u16>, _>>() else {
            self.errors.add(name, "must be HTTP status codes, such as 200, 204");
            return None;
        };
        Some(json!(codes))
    }

    fn json(&mut self, name: &str) -> Option<Value> {
        match serde_json::from_str(self.given(name).unwrap_or("{}")) {
            Ok(value) => Some(value),
            Err(error) => {
                self.errors.add(name, format!("must be JSON: {error}"));
                None
            }
        }
    }

    fn configuration(&mut self) -> Option<Value> {
        if self.inputs.get("jobType") != JobType::HttpCall.as_str() {
            return self.json("jobConfiguration");
        }
        let mut call = Map::new();
        let mut say = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                call.insert(name.to_owned(), value);
            }
        };
        say("url", Some(json!(self.inputs.get("jobConfiguration.url"))));
        say("method", self.given("jobConfiguration.method").map(|method| json!(method)));
        say("headers", self.headers());
        say("body", self.body());
        say("bodySecret", self.inputs.is("jobConfiguration.bodySecret", "true").then_some(json!(true)));
        say("timeoutSeconds", self.whole("jobConfiguration.timeoutSeconds").map(|seconds| json!(seconds)));
        say("successStatusCodes", self.codes("jobConfiguration.successStatusCodes"));
        say("retryOnStatusCodes", self.codes("jobConfiguration.retryOnStatusCodes"));
        Some(Value::Object(call))
    }

    /// Headers, one a line: `Name: value`.
    fn headers(&mut self) -> Option<Value> {
        let mut headers = Map::new();
        for line in self.given("jobConfiguration.headers")?.lines().filter(|line| !line.trim().is_empty()) {
            let Some((name, value)) = line.split_once(':') else {
                self.errors.add("jobConfiguration.headers", format!("'{}' is no 'Name: value'", line.trim()));
                continue;
            };
            headers.insert(name.trim().to_owned(), json!(value.trim()));
        }
        Some(Value::Object(headers))
    }

    fn body(&mut self) -> Option<Value> {
        self.given("jobConfiguration.body")?;
        if self.inputs.is("bodyKind", "json") {
            return self.json("jobConfiguration.body");
        }
        Some(json!(self.inputs.text("jobConfiguration.body")))
    }

    /// The policy; what is left empty is as it is by default. A new job of which nothing is said has what its group has.
    fn retry_policy(&mut self, is_new: bool) -> Option<Value> {
        let mut policy = Map::new();
        for name in ["maxAttempts", "delaySeconds", "maxDelaySeconds"] {
            policy.extend(self.whole(&format!("retryPolicy.{name}")).map(|number| (name.to_owned(), json!(number))));
        }
        if let Some(percent) = self.whole("retryPolicy.jitter") {
            policy.insert("jitter".to_owned(), json!(percent as f64 / 100.0));
        }
        if let Some(codes) = self.codes("retryPolicy.shouldRetryHttpStatusCodes") {
            policy.insert("shouldRetryHttpStatusCodes".to_owned(), codes);
        }
        if is_new && policy.is_empty() {
            return None;
        }
        let backoff = self.given("retryPolicy.retryBackoffType");
        policy.extend(backoff.map(|backoff| ("retryBackoffType".to_owned(), json!(backoff))));
        Some(Value::Object(policy))
    }

    fn schedule(&mut self) -> RescheduleInput {
        let zone = self.given("timezone").unwrap_or("UTC");
        let kind = self.given("scheduleType").unwrap_or(ScheduleType::Manual.as_str());
        let is = |wanted: ScheduleType| kind == wanted.as_str();
        // What is wrong with a zone's name is the service's to say.
        let clock = zone.parse().unwrap_or(TimeZone::UTC);
        RescheduleInput {
            schedule_type: Some(kind.to_owned()),
            schedule_expression: if is(ScheduleType::Cron) { Some(self.expression()) } else { None },
            interval_seconds: if is(ScheduleType::Interval) { self.interval() } else { None },
            run_at: if is(ScheduleType::OneTime) { self.run_at(&clock) } else { None },
            timezone: Some(zone.to_owned()),
            effective_from: Some(self.instant("effectiveFrom", &clock).unwrap_or_default()),
            expires_at: Some(self.instant("expiresAt", &clock).unwrap_or_default()),
            jitter_seconds: Some(self.whole("jitterSeconds").unwrap_or_default()),
        }
    }

    fn interval(&mut self) -> Option<i64> {
        if self.given("intervalSeconds").is_none() {
            self.errors.add("intervalSeconds", "is required");
        }
        let unit = self.whole("intervalUnit").unwrap_or(1);
        Some(self.whole("intervalSeconds")?.saturating_mul(unit))
    }

    fn run_at(&mut self, clock: &TimeZone) -> Option<String> {
        if self.given("runAt").is_none() {
            self.errors.add("runAt", "is required");
        }
        self.instant("runAt", clock)
    }

    /// The instant at which a clock shows what a field says. One that nobody changed stays as it was, to the millisecond.
    fn instant(&mut self, name: &str, zone: &TimeZone) -> Option<String> {
        let text = self.given(name)?;
        let was: Option<Timestamp> = self.given(&format!("{name}.was")).and_then(|was| was.parse().ok());
        if let Some(was) = was.filter(|was| input(zone.local(*was).wall) == text) {
            return Some(was.to_string());
        }
        match WallTime::parse(text).and_then(|wall| zone.when(wall)) {
            Some(Shown::Once(at) | Shown::Twice { first: at, .. }) => Some(at.to_string()),
            Some(Shown::Never(shift)) => {
                let (from, to) = (clock(shift.from), clock(shift.to));
                let problem = format!("does not exist in {zone}: the clocks go from {from} to {to} then");
                self.errors.add(name, problem);
                None
            }
            None => {
                self.errors.add(name, "must be a date and a time");
                None
            }
        }
    }

    /// What is written, where somebody wrote it; else what the choices say.
    fn expression(&mut self) -> String {
        let written = self.inputs.get("scheduleExpression");
        if written != self.inputs.get("scheduleExpression.was") {
            return written.to_owned();
        }
        let preset = match self.inputs.get("preset") {
            "minutes" => self.small("everyMinutes").map(Preset::Minutes),
            "hourly" => self.small("atMinute").map(Preset::Hourly),
            "daily" => self.time().map(Preset::Daily),
            "weekdays" => self.time().map(Preset::working_days),
            "weekly" => self.weekly(),
            "monthly" => self.monthly(),
            _ => return written.to_owned(),
        };
        preset.map_or_else(|| written.to_owned(), |preset| preset.expression())
    }

    fn weekly(&mut self) -> Option<Preset> {
        let chosen = WEEKDAYS.iter().filter(|(_, name)| self.inputs.is("weekday", name));
        let days: Vec<_> = chosen.map(|(day, _)| *day).collect();
        if days.is_empty() {
            self.errors.add("weekday", "must be at least one");
        }
        let at = self.time()?;
        (!days.is_empty()).then_some(Preset::Weekly(days, at))
    }

    fn monthly(&mut self) -> Option<Preset> {
        let (day, at) = (self.small("monthDay"), self.time());
        Some(Preset::Monthly(day?, at?))
    }

    fn time(&mut self) -> Option<Clock> {
        let time = Clock::parse(self.inputs.get("atTime"));
        if time.is_none() {
            self.errors.add("atTime", "must be a time of day, such as 02:30");
        }
        time
    }

    /// A minute or a day; whether there is such a one, the expression's reader says.
    fn small(&mut self, name: &str) -> Option<u8> {
        let number = self.inputs.get(name).parse().ok();
        if number.is_none() {
            self.errors.add(name, "must be a whole number");
        }
        number
    }
}
