//! Sessions of the dashboard.

use async_trait::async_trait;

use super::StoreError;
use crate::session::{Session, SessionHash};
use crate::{TenantId, Timestamp};

/// The sessions of the dashboard, over all tenants: whoever shows what a hash was made of is let in, and what he may do
/// there is for the caller to find out.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Adds a session.
    async fn open_session(&self, session: Session) -> Result<(), StoreError>;

    /// A session by its hash, over or not.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn session(&self, hash: SessionHash) -> Result<Session, StoreError>;

    /// Notes that a session was used: it idles out at `idle_at` from now on. Nodes report in any order: an earlier instant
    /// than the stored one changes nothing, and one that is closed stays so.
    async fn prolong_session(&self, hash: SessionHash, idle_at: Timestamp) -> Result<(), StoreError>;

    /// Has a session act in another tenant than its own; `None` brings it home.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn send_session(&self, hash: SessionHash, acting_in: Option<TenantId>) -> Result<(), StoreError>;

    /// Removes a session; one that is not there stays away.
    async fn close_session(&self, hash: SessionHash) -> Result<(), StoreError>;

    /// Removes at most `limit` sessions that were over before `before`; answers how many.
    async fn prune_sessions(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError>;
}
