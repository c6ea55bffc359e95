//! What stands in for an executor that is off.

use async_trait::async_trait;
use horarium_domain::execution::Failure;
use horarium_scheduler_engine::{Executor, Outcome, Run};

/// Fails every attempt for good, and says which setting turns jobs of its type on.
#[derive(Debug, Clone, Copy)]
pub struct Disabled {
    setting: &'static str,
}

impl Disabled {
    /// For jobs that need `setting`.
    pub const fn without(setting: &'static str) -> Self {
        Self { setting }
    }
}

#[async_trait]
impl Executor for Disabled {
    async fn execute(&self, run: Run) -> Outcome {
        Outcome::failed(Failure::permanent(format!(
            "no executor for {} jobs is enabled on this server: they are off until its operator sets '{}'",
            run.job.spec.configuration.job_type(),
            self.setting
        )))
    }
}
