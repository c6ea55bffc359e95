//! Sessions of the dashboard.

use async_trait::async_trait;
use horarium_domain::session::{Session, SessionHash};
use horarium_domain::store::{Conflict, SessionStore, StoreError};
use horarium_domain::{TenantId, Timestamp};

use super::MemoryStore;

const NOT_FOUND: StoreError = StoreError::NotFound("session");

#[async_trait]
impl SessionStore for MemoryStore {
    async fn open_session(&self, session: Session) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.sessions.contains_key(&session.hash) {
            return Err(StoreError::Conflict(Conflict::NameTaken));
        }
        state.sessions.insert(session.hash, session);
        Ok(())
    }

    async fn session(&self, hash: SessionHash) -> Result<Session, StoreError> {
        self.state().sessions.get(&hash).cloned().ok_or(NOT_FOUND)
    }

    async fn prolong_session(&self, hash: SessionHash, idle_at: Timestamp) -> Result<(), StoreError> {
        if let Some(session) = self.state().sessions.get_mut(&hash) {
            session.idle_at = session.idle_at.max(idle_at);
        }
        Ok(())
    }

    async fn send_session(&self, hash: SessionHash, acting_in: Option<TenantId>) -> Result<(), StoreError> {
        self.state().sessions.get_mut(&hash).ok_or(NOT_FOUND)?.acting_in = acting_in;
        Ok(())
    }

    async fn close_session(&self, hash: SessionHash) -> Result<(), StoreError> {
        self.state().sessions.remove(&hash);
        Ok(())
    }

    async fn prune_sessions(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let mut state = self.state();
        let over = state.sessions.values().filter(|session| session.idle_at < before).take(limit);
        let over: Vec<_> = over.map(|session| session.hash).collect();
        for hash in &over {
            state.sessions.remove(hash);
        }
        Ok(over.len() as u64)
    }
}
