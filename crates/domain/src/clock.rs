//! Where time and chance come from: injected everywhere, so that tests decide both.

use crate::Timestamp;

/// Tells the time. Production uses [`SystemClock`]; tests a clock they move by hand.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock; the one place in Horarium that reads it.
///
/// It tells whole milliseconds, as every answer shows them: what a client reads is what is stored, so an instant that
/// it sends back as a bound includes what it was read from.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // this is the place that the ban points to
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(Timestamp::from(time::OffsetDateTime::now_utc()).as_millis())
    }
}

/// Draws chance. Production uses the operating system's generator; tests a fixed sequence.
pub trait Entropy: Send + Sync + 'static {
    /// A number drawn evenly from `[0, 1)`.
    fn unit(&self) -> f64;

    /// 32 unpredictable bytes, fit for a secret.
    fn secret(&self) -> [u8; 32];
}
