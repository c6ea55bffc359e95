//! The hot path on SQLite: one thread writes, statements are prepared once, and calls that arrive during a commit share
//! the next one. Everything here runs on that thread, short reads too, so no call ever meets another's lock.
//!
//! It uses rusqlite and not diesel: these statements are written by hand, and what they need is a cache of prepared
//! statements, savepoints and borrowed parameters. Both share one SQLite library.

use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use horarium_domain::audit::AuditEntry;
use horarium_domain::callback::{HandedOver, Handover, NewCallback};
use horarium_domain::execution::NewExecution;
use horarium_domain::fair_share::Shares;
use horarium_domain::store::{
    AcceptanceNote, CancelOutcome, ClaimRequest, Claimed, Decide, Drift, DueSlot, Enqueued, ExecutionQueue,
    ExpiredLease, FireOutcome, Firing, Lease, Promoted, Released, Settled, Settlement, Signal, StoreError,
};
use horarium_domain::{ExecutionId, TenantId, Timestamp};
use uuid::Uuid;

use super::HotStore;
use super::due::Schedules;
use crate::sqlite::WriteGate;

mod aftermath;
mod audit;
mod callbacks;
mod cancel;
mod claim;
mod counters;
mod enqueue;
mod fire;
mod gated;
mod promote;
mod prune;
mod reconcile;
mod renew;
mod settle;
mod sweep;
mod values;
mod writer;

/// The hot path of one SQLite file.
pub(crate) struct SqliteHot {
    path: PathBuf,
    writer: writer::Writer,
    /// Whose turn the next claim is.
    turns: Arc<Mutex<claim::Turns>>,
    schedules: Arc<Schedules>,
}

impl SqliteHot {
    /// Opens the file, which exists, and starts the thread that writes; it takes its turns at `gate`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file cannot be opened.
    pub(crate) fn start(path: &Path, gate: WriteGate) -> Result<Self, StoreError> {
        let turns =
            claim::Turns { after: TenantId::from_uuid(Uuid::nil()), share: Shares::default(), groups_from: None };
        let writer = writer::Writer::start(path, gate)?;
        Ok(Self { path: path.to_owned(), writer, turns: Arc::new(Mutex::new(turns)), schedules: Arc::default() })
    }
}

#[async_trait]
impl ExecutionQueue for SqliteHot {
    async fn enqueue_noted(
        &self,
        batch: Vec<NewExecution>,
        notes: Vec<AcceptanceNote>,
    ) -> Result<Vec<Enqueued>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.writer.call(move |connection| enqueue::enqueue_noted(connection, &batch, &notes)).await
    }

    /// There is no other node to tell.
    async fn enqueue_and_tell(
        &self,
        batch: Vec<NewExecution>,
        notes: Vec<AcceptanceNote>,
    ) -> Result<Vec<Enqueued>, StoreError> {
        self.enqueue_noted(batch, notes).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        let request = request.clone();
        let turns = Arc::clone(&self.turns);
        let claim = self.writer.call(move |connection| {
            let mut next = turns.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let claimed = claim::claim(connection, &request, &mut next)?;
            *turns.lock().unwrap_or_else(PoisonError::into_inner) = next;
            Ok(claimed)
        });
        claim.await
    }

    async fn settle(&self, batch: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.writer.call(move |connection| settle::settle(connection, &batch)).await
    }

    async fn renew(&self, leases: &[Lease], lease_until: Timestamp) -> Result<Vec<Lease>, StoreError> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let leases = leases.to_vec();
        self.writer.call(move |connection| renew::renew(connection, &leases, lease_until)).await
    }

    async fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<ExpiredLease>, StoreError> {
        self.writer.call(move |connection| renew::expired(connection, now, limit)).await
    }

    async fn promote(&self, now: Timestamp, limit: usize) -> Result<Promoted, StoreError> {
        self.writer.call(move |connection| promote::promote(connection, now, limit)).await
    }

    async fn cancel(
        &self,
        tenant: TenantId,
        id: ExecutionId,
        by: &str,
        now: Timestamp,
    ) -> Result<CancelOutcome, StoreError> {
        let by = by.to_owned();
        self.writer.call(move |connection| cancel::cancel(connection, tenant, id, &by, now)).await
    }

    async fn note_progress(&self, batch: &[(Lease, u8)]) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let batch = batch.to_vec();
        self.writer.call(move |connection| renew::note_progress(connection, &batch)).await
    }

    /// There is no other node to tell.
    async fn publish(&self, _signal: Signal) -> Result<(), StoreError> {
        Ok(())
    }

    async fn next_signal(&self) -> Result<Signal, StoreError> {
        pending().await
    }
}

#[async_trait]
impl HotStore for SqliteHot {
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueSlot>, StoreError> {
        let schedules = Arc::clone(&self.schedules);
        self.writer.call(move |connection| fire::due(connection, now, limit, &schedules)).await
    }

    async fn fire_due(
        &self,
        now: Timestamp,
        limit: usize,
        decide: Decide,
    ) -> Result<Vec<(Firing, FireOutcome)>, StoreError> {
        let schedules = Arc::clone(&self.schedules);
        let fire = self.writer.call(move |connection| {
            let due = fire::due(connection, now, limit, &schedules)?;
            let firings: Vec<Firing> = due.into_iter().map(|due| decide(due)).collect();
            let outcomes = fire::fire(connection, &firings)?;
            Ok(firings.into_iter().zip(outcomes).collect())
        });
        fire.await
    }

    async fn next_slot_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.writer.call(fire::next_slot_at).await
    }

    async fn fire(&self, batch: Vec<Firing>) -> Result<Vec<FireOutcome>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.writer.call(move |connection| fire::fire(connection, &batch)).await
    }

    async fn enqueue_with_callback(
        &self,
        execution: NewExecution,
        callback: NewCallback,
        note: Option<AcceptanceNote>,
    ) -> Result<Enqueued, StoreError> {
        let accept = move |connection: &_| callbacks::enqueue(connection, &execution, &callback, note.as_ref());
        self.writer.call(accept).await
    }

    async fn append_audit(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        self.writer.call(move |connection| audit::append(connection, &entries)).await
    }

    async fn hand_over(&self, batch: Vec<Handover>, postponed_to: Timestamp) -> Result<Vec<HandedOver>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.writer.call(move |connection| callbacks::hand_over(connection, &batch, postponed_to)).await
    }

    /// There is one file, and whatever is deleted in it is deleted row by row: nothing to prepare.
    async fn prepare_history(&self, _now: Timestamp) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn release_history(&self, _tenant: TenantId, before: Timestamp) -> Result<Released, StoreError> {
        Ok(Released { executions: 0, singly_before: before })
    }

    async fn prune_executions(&self, tenant: TenantId, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        self.writer.call(move |connection| prune::prune(connection, tenant, before, limit)).await
    }

    async fn delete_execution(&self, tenant: TenantId, id: ExecutionId) -> Result<(), StoreError> {
        self.writer.call(move |connection| prune::delete(connection, tenant, id)).await
    }

    async fn reconcile_counters(&self, tenant: TenantId) -> Result<Vec<Drift>, StoreError> {
        let path = self.path.clone();
        let counted = tokio::task::spawn_blocking(move || reconcile::count(&path, tenant));
        let (drifts, deltas) = counted.await.map_err(|error| StoreError::Internal(error.to_string()))??;
        if !drifts.is_empty() {
            self.writer.call(move |connection| reconcile::correct(connection, &deltas)).await?;
        }
        Ok(drifts)
    }

    async fn sweep_gates(&self) -> Result<u64, StoreError> {
        self.writer.call(sweep::sweep).await
    }
}
