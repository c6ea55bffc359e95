//! Reading a retry policy in either of the spellings that are in use, and writing it.

use horarium_domain::retry::{Backoff, RetryPolicy};
use serde_json::{Map, Value, json};

use crate::service::FieldErrors;

/// What `"jitter": true` means, in percent of the delay.
const DEFAULT_JITTER_PERCENT: u8 = 25;

const MAX_ATTEMPTS: u64 = RetryPolicy::MAX_ATTEMPTS as u64;
const MAX_DELAY: u64 = RetryPolicy::MAX_DELAY_SECONDS as u64;

const BACKOFFS: [(Backoff, &str); 3] =
    [(Backoff::Fixed, "Fixed"), (Backoff::Linear, "Linear"), (Backoff::Exponential, "Exponential")];

/// The members of a policy as they are read, with problems noted under `retryPolicy.<member>`.
struct Reader<'a> {
    members: &'a Map<String, Value>,
    errors: &'a mut FieldErrors,
}

/// A problem was noted.
struct Noted;

/// Reads a policy; `null` and `{}` are the default one. `None` when something is wrong, which is then noted.
pub(super) fn parse(value: &Value, errors: &mut FieldErrors) -> Option<RetryPolicy> {
    let empty = Map::new();
    let members = match value {
        Value::Null => &empty,
        Value::Object(members) => members,
        _ => {
            errors.add("retryPolicy", "must be an object");
            return None;
        }
    };
    Reader { members, errors }.policy().ok()
}

/// A policy as callers see it. Sent back as `retryPolicy`, it is read to the same policy.
pub fn to_json(policy: &RetryPolicy) -> Value {
    let backoff = BACKOFFS.iter().find(|(backoff, _)| *backoff == policy.backoff).map_or("Fixed", |(_, name)| name);
    json!({
        "maxAttempts": policy.max_attempts,
        "delaySeconds": policy.delay_seconds,
        "retryBackoffType": backoff,
        "maxDelaySeconds": policy.max_delay_seconds,
        "jitter": f64::from(policy.jitter_percent) / 100.0,
        "shouldRetryHttpStatusCodes": policy.retry_http_status_codes,
    })
}

impl Reader<'_> {
    fn policy(&mut self) -> Result<RetryPolicy, Noted> {
        // All are read before the first problem ends it, so that every problem is noted at once.
        let (attempts, delay, max_delay) = (self.attempts(), self.delay(), self.whole("maxDelaySeconds", 0, MAX_DELAY));
        let (backoff, jitter, codes) = (self.backoff(), self.jitter(), self.status_codes());
        let defaults = RetryPolicy::default();
        let delay_seconds = delay?.unwrap_or(defaults.delay_seconds);
        let policy = RetryPolicy {
            max_attempts: attempts?.unwrap_or(defaults.max_attempts),
            delay_seconds,
            backoff: backoff?.unwrap_or(defaults.backoff),
            max_delay_seconds: max_delay?.unwrap_or(defaults.max_delay_seconds.max(delay_seconds)),
            jitter_percent: jitter?.unwrap_or(defaults.jitter_percent),
            retry_http_status_codes: codes?,
        };
        if policy.max_delay_seconds < policy.delay_seconds {
            return Err(self.problem("maxDelaySeconds", "must not be less than delaySeconds"));
        }
        match policy.validate() {
            Ok(()) => Ok(policy),
            Err(invalid) => Err(self.problem(invalid.field, invalid.problem)),
        }
    }

    fn attempts(&mut self) -> Result<Option<u16>, Noted> {
        let all = self.whole("maxAttempts", 1, MAX_ATTEMPTS);
        let after_first = self.whole("maxRetryAttempts", 0, MAX_ATTEMPTS - 1);
        let after_first = after_first?.map(|count: u16| count + 1);
        self.agreeing(all?, after_first, "maxAttempts", "must be maxRetryAttempts + 1, or one of them left out")
    }

    fn delay(&mut self) -> Result<Option<u32>, Noted> {
        let (short, long) = (self.whole("delaySeconds", 0, MAX_DELAY), self.whole("retryDelaySeconds", 0, MAX_DELAY));
        self.agreeing(short?, long?, "delaySeconds", "must be retryDelaySeconds, or one of them left out")
    }

    fn backoff(&mut self) -> Result<Option<Backoff>, Noted> {
        let Some(value) = self.get("retryBackoffType") else { return Ok(None) };
        let named = |text: &str| BACKOFFS.into_iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
        match value.as_str().and_then(named) {
            Some((backoff, _)) => Ok(Some(backoff)),
            None => Err(self.problem("retryBackoffType", "must be Fixed, Linear or Exponential")),
        }
    }

    fn jitter(&mut self) -> Result<Option<u8>, Noted> {
        let share = match self.get("jitter") {
            None => return Ok(None),
            Some(Value::Bool(wanted)) => return Ok(Some(if *wanted { DEFAULT_JITTER_PERCENT } else { 0 })),
            Some(value) => value.as_f64().filter(|share| (0.0..=1.0).contains(share)),
        };
        match share {
            Some(share) => Ok(Some((share * 100.0).round() as u8)),
            None => Err(self.problem("jitter", "must be true, false, or a share of the delay between 0 and 1")),
        }
    }

    fn status_codes(&mut self) -> Result<Option<Vec<u16>>, Noted> {
        let Some(value) = self.get("shouldRetryHttpStatusCodes") else { return Ok(None) };
        let code = |value: &Value| value.as_u64().filter(|code| (100..=599).contains(code)).map(|code| code as u16);
        let items = value.as_array().filter(|items| items.len() <= 500);
        match items.and_then(|items| items.iter().map(code).collect::<Option<Vec<u16>>>()) {
            Some(codes) => Ok(Some(codes)),
            None => Err(self.problem("shouldRetryHttpStatusCodes", "must be a list of HTTP status codes (100 to 599)")),
        }
    }

    fn whole<T: TryFrom<u64>>(&mut self, member: &str, min: u64, max: u64) -> Result<Option<T>, Noted> {
        let Some(value) = self.get(member) else { return Ok(None) };
        match value.as_u64().filter(|number| (min..=max).contains(number)).and_then(|number| T::try_from(number).ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(self.problem(member, &format!("must be a whole number between {min} and {max}"))),
        }
    }

    /// Two spellings of one thing: either, or both if they say the same.
    fn agreeing<T: PartialEq>(
        &mut self,
        a: Option<T>,
        b: Option<T>,
        member: &str,
        problem: &str,
    ) -> Result<Option<T>, Noted> {
        match (a, b) {
            (Some(a), Some(b)) if a != b => Err(self.problem(member, problem)),
            (a, b) => Ok(a.or(b)),
        }
    }

    fn get(&self, member: &str) -> Option<&Value> {
        self.members.get(member).filter(|value| !value.is_null())
    }

    fn problem(&mut self, member: &str, problem: &str) -> Noted {
        self.errors.add(format!("retryPolicy.{member}"), problem);
        Noted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &Value) -> Result<RetryPolicy, String> {
        let mut errors = FieldErrors::default();
        parse(value, &mut errors).ok_or_else(|| errors.to_string())
    }

    #[test]
    fn both_spellings_say_the_same() {
        let short = read(&json!({"maxAttempts": 4, "delaySeconds": 30, "retryBackoffType": "exponential"})).unwrap();
        let long =
            read(&json!({"maxRetryAttempts": 3, "retryDelaySeconds": 30, "retryBackoffType": "Exponential"})).unwrap();
        assert_eq!(short, long);
        assert_eq!(short.max_attempts, 4);
        assert_eq!(read(&json!({"maxAttempts": 4, "maxRetryAttempts": 3})).unwrap().max_attempts, 4);
        assert!(read(&json!({"maxAttempts": 4, "maxRetryAttempts": 4})).unwrap_err().contains("maxRetryAttempts + 1"));
    }

    #[test]
    fn nothing_said_is_the_default() {
        for value in [Value::Null, json!({}), json!({"maxAttempts": null, "somethingElse": 1})] {
            assert_eq!(read(&value).unwrap(), RetryPolicy::default());
        }
    }

    #[test]
    fn a_delay_longer_than_the_default_cap_raises_the_cap() {
        assert_eq!(read(&json!({"delaySeconds": 7200})).unwrap().max_delay_seconds, 7200);
        let capped_below = read(&json!({"delaySeconds": 7200, "maxDelaySeconds": 60}));
        assert_eq!(capped_below.unwrap_err(), "retryPolicy.maxDelaySeconds: must not be less than delaySeconds");
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let problems = read(&json!({
            "maxAttempts": 0, "delaySeconds": -1, "retryBackoffType": "Cubic", "jitter": 2, "maxDelaySeconds": 1.5,
            "shouldRetryHttpStatusCodes": [503, 99]
        }))
        .unwrap_err();
        assert_eq!(problems.split("; ").count(), 6, "{problems}");
    }

    #[test]
    fn what_is_written_is_read_back_the_same() {
        let policy = read(&json!({
            "maxAttempts": 9, "delaySeconds": 2, "retryBackoffType": "Linear", "jitter": 0.29, "maxDelaySeconds": 90,
            "shouldRetryHttpStatusCodes": [429, 503]
        }))
        .unwrap();
        assert_eq!(policy.jitter_percent, 29);
        assert_eq!(read(&to_json(&policy)).unwrap(), policy);
        assert_eq!(read(&to_json(&RetryPolicy::default())).unwrap(), RetryPolicy::default());
    }
}
