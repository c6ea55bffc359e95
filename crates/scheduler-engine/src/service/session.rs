//! Sessions of the dashboard. Who somebody is, and what a browser must show for it, is the affair of whoever
//! authenticates; here are the records.

use std::sync::Arc;
use std::time::Duration;

use horarium_domain::session::{Session, SessionHash, SessionHolder};
use horarium_domain::store::StoreError;
use horarium_domain::{TenantId, Timestamp};

use super::ServiceError;
use crate::core::Core;

/// That a session was used is written at most this often.
const PROLONG_EVERY: Duration = Duration::from_mins(1);

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// How long one lasts that nobody uses.
    pub idle: Duration,
    /// How long one lasts at all.
    pub absolute: Duration,
}

/// The use cases around sessions.
#[derive(Debug, Clone)]
pub struct SessionService {
    core: Arc<Core>,
}

impl SessionService {
    pub(super) const fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Opens a session for somebody whose credential is good until `good_until`, by a hash of what the browser will show.
    pub async fn open(
        &self,
        hash: SessionHash,
        tenant_id: TenantId,
        holder: SessionHolder,
        good_until: Option<Timestamp>,
        limits: SessionLimits,
    ) -> Result<Session, ServiceError> {
        let opened_at = self.core.now();
        let longest = opened_at + limits.absolute;
        let expires_at = good_until.map_or(longest, |end| end.min(longest));
        let idle_at = expires_at.min(opened_at + limits.idle);
        let session = Session { hash, tenant_id, acting_in: None, holder, opened_at, idle_at, expires_at };
        self.core.store.open_session(session.clone()).await?;
        Ok(session)
    }

    /// The session of this hash; `None` when there is none, or it is over. What is closed on another node is closed here
    /// at once: nothing is remembered.
    pub async fn find(&self, hash: SessionHash) -> Result<Option<Session>, ServiceError> {
        match self.core.store.session(hash).await {
            Ok(session) => Ok(Some(session).filter(|session| !session.is_over(self.core.now()))),
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Notes that somebody uses a session, so that it does not idle out. Cheap: it is written once a minute.
    pub async fn prolong(&self, session: &Session, limits: SessionLimits) -> Result<(), ServiceError> {
        let idle_at = session.expires_at.min(self.core.now() + limits.idle);
        let is_worth_it = idle_at.since(session.idle_at) >= PROLONG_EVERY.min(limits.idle / 2);
        if is_worth_it {
            self.core.store.prolong_session(session.hash, idle_at).await?;
        }
        Ok(())
    }

    /// Has a session act in another tenant from now on, or at home again. Whether it may is for the caller to check.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn send(&self, session: &Session, to: TenantId) -> Result<(), ServiceError> {
        let acting_in = Some(to).filter(|to| *to != session.tenant_id);
        Ok(self.core.store.send_session(session.hash, acting_in).await?)
    }

    /// Closes a session for good, on every node.
    pub async fn close(&self, hash: SessionHash) -> Result<(), ServiceError> {
        Ok(self.core.store.close_session(hash).await?)
    }
}
