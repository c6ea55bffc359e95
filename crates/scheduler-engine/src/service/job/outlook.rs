//! What a schedule will do: that of a job, and one that nobody has saved yet.

use horarium_domain::schedule::Outlook;
use horarium_domain::{JobId, TenantId};

use super::{JobService, RescheduleInput, schedule};
use crate::service::{FieldErrors, ServiceError};

impl JobService {
    /// The next slots that a job's schedule has from now on, whether it fires at present or not, on the clock of its zone;
    /// at most 1000. Also what the next shift of that clock does to it.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn outlook(&self, tenant: TenantId, id: JobId, count: usize) -> Result<Outlook, ServiceError> {
        let summary = self.get(tenant, id).await?;
        Ok(summary.job.spec.schedule.outlook(self.core.now(), count))
    }

    /// The same of the schedule that [`create`](Self::create) would give to a new job, or [`update`](Self::update) to the
    /// job `current`. Nothing is written.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] with all that is wrong with the schedule, as when it is saved; [`ServiceError::NotFound`].
    pub async fn outlook_of(
        &self,
        tenant: TenantId,
        current: Option<JobId>,
        input: &RescheduleInput,
        count: usize,
    ) -> Result<Outlook, ServiceError> {
        let current = match current {
            Some(id) => Some(self.get(tenant, id).await?.job.spec.schedule),
            None => None,
        };
        let now = self.core.now();
        let mut errors = FieldErrors::default();
        let schedule = schedule::read(&input.clone().into(), current.as_ref(), now, &mut errors);
        schedule.map(|schedule| schedule.outlook(now, count)).ok_or_else(|| errors.into())
    }
}
