//! Chance from the operating system.

use horarium_domain::Entropy;

/// Draws from a generator that the operating system seeds, fit for secrets.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn unit(&self) -> f64 {
        rand::random()
    }

    fn secret(&self) -> [u8; 32] {
        rand::random()
    }
}
