//! The memory store passes the suite that every store passes.

use std::sync::Arc;

use horarium_scheduler_engine::memory::MemoryStore;
use horarium_store_conformance::Harness;

#[expect(clippy::unused_async, reason = "the suite awaits every factory")]
async fn empty_store() -> Harness {
    Harness::one(Arc::new(MemoryStore::new()))
}

horarium_store_conformance::suite!(memory, empty_store);
