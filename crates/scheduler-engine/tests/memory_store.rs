//! The memory store passes the suite that every store passes.

use std::sync::Arc;

use horarium_scheduler_engine::memory::MemoryStore;
use horarium_store_conformance::Harness;

async fn empty_store() -> Harness {
    Harness::one(Arc::new(MemoryStore::new()))
}

horarium_store_conformance::suite!(memory, empty_store);
