//! A database that is slow, or away, or whose answers get lost: what an engine must live with, on demand.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use horarium_domain::store::StoreError;

use super::MemoryStore;
use super::state::State;

/// How the hot path (accepting, claiming, settling, renewing, planning) behaves until told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Disturbance {
    /// How long each call takes, after its work is done.
    pub latency: Duration,
    /// Each call fails as if the database could not be reached, and does nothing.
    pub unavailable: bool,
    /// Each call does its work and then fails, as if the connection broke before the answer came.
    pub answers_lost: bool,
}

impl MemoryStore {
    /// Disturbs the hot path from now on, for tests of what stands on it. [`Disturbance::default`] calms it.
    pub fn disturb(&self, disturbance: Disturbance) {
        *self.disturbance.lock().unwrap_or_else(PoisonError::into_inner) = disturbance;
    }

    /// Has some reads of figures, lists and details fail from now on, as if each took the database too long, while all else
    /// goes on. They are named after the ports' methods, such as `timeline`; for tests of what is shown without them.
    pub fn fail_reads(&self, names: &[&'static str]) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = names.to_vec();
    }

    /// The state, for a read that a test may have fail.
    pub(super) fn state_for(&self, name: &str) -> Result<MutexGuard<'_, State>, StoreError> {
        if self.failing.lock().unwrap_or_else(PoisonError::into_inner).contains(&name) {
            return Err(StoreError::Unavailable(format!("a test has '{name}' fail")));
        }
        Ok(self.state())
    }

    /// Runs one call of the hot path under whatever disturbs it.
    pub(super) async fn hot<T>(&self, work: impl FnOnce(&Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let away = || StoreError::Unavailable("disturbed by a test".to_owned());
        let Disturbance { latency, unavailable, answers_lost } =
            *self.disturbance.lock().unwrap_or_else(PoisonError::into_inner);
        if unavailable {
            return Err(away());
        }
        let answer = work(self);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        if answers_lost { Err(away()) } else { answer }
    }
}
