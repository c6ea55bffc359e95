//! When a failed attempt is tried again, and after how long.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the delay grows from one failed attempt to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Backoff {
    /// Always the same delay.
    #[default]
    Fixed,
    /// The delay times the number of the attempt that failed.
    Linear,
    /// The delay, doubled with every further failed attempt.
    Exponential,
}

/// How often, how soon and for which failures an execution is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetryPolicy {
    /// All tries, the first one included; at least 1, at most [`RetryPolicy::MAX_ATTEMPTS`].
    pub max_attempts: u16,
    /// Seconds between the first failed attempt and the second.
    pub delay_seconds: u32,
    /// How that delay grows.
    pub backoff: Backoff,
    /// The longest delay, in seconds, jitter included.
    pub max_delay_seconds: u32,
    /// How far chance may move a delay either way, in percent of it; 0..=100.
    pub jitter_percent: u8,
    /// When set, an attempt that failed with an HTTP status is retried only if the status is listed.
    /// Failures without a status (a refused connection, a timeout) are retried all the same.
    pub retry_http_status_codes: Option<Vec<u16>>,
}

/// A retry policy that makes no sense; `field` is the policy's own field in camelCase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct InvalidRetryPolicy {
    /// Which field.
    pub field: &'static str,
    /// What is wrong with it, to be read after the field's name.
    pub problem: &'static str,
}

impl Default for RetryPolicy {
    /// One attempt: Horarium cannot know that an operation may be repeated, so retrying is asked for, not assumed.
    fn default() -> Self {
        Self {
            max_attempts: 1,
            delay_seconds: 10,
            backoff: Backoff::Fixed,
            max_delay_seconds: 3600,
            jitter_percent: 0,
            retry_http_status_codes: None,
        }
    }
}

impl RetryPolicy {
    /// The most attempts a policy may ask for.
    pub const MAX_ATTEMPTS: u16 = 1000;
    /// The longest delay a policy may ask for: 30 days, in seconds.
    pub const MAX_DELAY_SECONDS: u32 = 30 * 24 * 3600;
    /// How often one execution may lose its worker before it is given up. A handler that kills its process would
    /// otherwise take down one node after another, for ever. Lost attempts do not count against `max_attempts`.
    pub const MAX_LOST_ATTEMPTS: u16 = 10;

    /// Checks the bounds that the fields' documentation states.
    pub fn validate(&self) -> Result<(), InvalidRetryPolicy> {
        let invalid = |field, problem| Err(InvalidRetryPolicy { field, problem });
        if !(1..=Self::MAX_ATTEMPTS).contains(&self.max_attempts) {
            return invalid("maxAttempts", "must be between 1 and 1000");
        }
        if self.delay_seconds > Self::MAX_DELAY_SECONDS {
            return invalid("delaySeconds", "must be at most 2592000 (30 days)");
        }
        if self.max_delay_seconds > Self::MAX_DELAY_SECONDS {
            return invalid("maxDelaySeconds", "must be at most 2592000 (30 days)");
        }
        if self.jitter_percent > 100 {
            return invalid("jitter", "must be between 0 and 1");
        }
        let codes = self.retry_http_status_codes.iter().flatten();
        if codes.into_iter().any(|code| !(100..=599).contains(code)) {
            return invalid("shouldRetryHttpStatusCodes", "must hold HTTP status codes (100 to 599)");
        }
        Ok(())
    }

    /// The delay after the `failed`-th failed attempt (counted from 1), with `unit` drawn from `[0, 1)`.
    ///
    /// Never longer than `max_delay_seconds`, whatever the arguments.
    pub fn delay_after(&self, failed: u16, unit: f64) -> Duration {
        let failed = u64::from(failed.max(1));
        let base = u64::from(self.delay_seconds);
        let cap = u64::from(self.max_delay_seconds);
        let seconds = match self.backoff {
            Backoff::Fixed => base,
            Backoff::Linear => base.saturating_mul(failed),
            // Beyond 2^31 every delay is past the cap; the shift stays in range.
            Backoff::Exponential => base.saturating_mul(1_u64 << (failed - 1).min(31)),
        };
        let nominal = seconds.min(cap) as f64;
        let spread = f64::from(self.jitter_percent.min(100)) / 100.0;
        let unit = if unit.is_finite() { unit.clamp(0.0, 1.0) } else { 0.5 };
        let moved = nominal * (1.0 + spread * (2.0 * unit - 1.0));
        Duration::from_secs_f64(moved.clamp(0.0, cap as f64))
    }

    /// Whether a failure with this HTTP status, if it had one, is worth another attempt at all.
    pub fn retries_status(&self, status: Option<u16>) -> bool {
        match (status, &self.retry_http_status_codes) {
            (Some(status), Some(codes)) => codes.contains(&status),
            _ => true,
        }
    }
}
