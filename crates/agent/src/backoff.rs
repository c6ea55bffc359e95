//! How long to wait before asking again what was not answered.

use std::sync::Arc;
use std::time::Duration;

use horarium_domain::Entropy;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(15);

/// Waits that double from a quarter of a second to fifteen seconds, each with a random half taken off, so that the agents
/// that one restart cut off do not all come back in the same instant.
pub(crate) struct Backoff {
    entropy: Arc<dyn Entropy>,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self { entropy, longest: LONGEST, failures: 0 }
    }

    /// With no wait longer than this.
    pub(crate) fn up_to(self, longest: Duration) -> Self {
        Self { longest: longest.min(self.longest), ..self }
    }

    /// After an answer.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Whether there was no answer since the last failure.
    pub(crate) const fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// After a failure: the wait before the next try.
    pub(crate) fn next(&mut self) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.failures.min(10)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        whole.mul_f64(1.0 - self.entropy.unit() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(f64);

    impl Entropy for Fixed {
        fn unit(&self) -> f64 {
            self.0
        }

        fn secret(&self) -> [u8; 32] {
            [0; 32]
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_start_again_after_an_answer() {
        let mut backoff = Backoff::new(Arc::new(Fixed(0.0)));
        let waits: Vec<_> = (0..8).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
        backoff.reset();
        assert_eq!(backoff.next(), FIRST);

        let mut hurried = backoff.up_to(Duration::from_secs(2));
        let waits: Vec<_> = (0..4).map(|_| hurried.next().as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 2000]);
    }

    #[test]
    fn chance_takes_off_at_most_half() {
        let mut backoff = Backoff::new(Arc::new(Fixed(0.999_999)));
        let wait = backoff.next();
        assert!(wait >= FIRST / 2 && wait < FIRST.mul_f64(0.51), "{wait:?}");
    }
}
