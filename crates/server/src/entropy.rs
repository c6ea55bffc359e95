//! Chance, from the operating system's generator.

use horarium_domain::Entropy;

/// The generator of the running thread: cryptographically secure, and seeded anew from the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn unit(&self) -> f64 {
        rand::random()
    }

    fn secret(&self) -> [u8; 32] {
        rand::random()
    }
}
