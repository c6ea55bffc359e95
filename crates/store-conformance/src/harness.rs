//! What a store's crate provides, and how a case is run against it.

use std::any::Any;
use std::future::Future;
use std::time::Duration;

use horarium_domain::store::SharedStore;

use crate::World;

/// A case that takes longer waits for something that never comes.
const DEADLINE: Duration = Duration::from_mins(2);

/// A fresh, empty database, as two nodes see it.
pub struct Harness {
    pub(crate) nodes: [SharedStore; 2],
    pub(crate) signals: bool,
    pub(crate) guard: Option<Box<dyn Any + Send>>,
}

impl Harness {
    /// A store that lives in one process: both nodes share its one handle.
    pub fn one(store: SharedStore) -> Self {
        Self::two(store.clone(), store)
    }

    /// A database that two nodes use at once, each through a handle with its own connections.
    pub fn two(first: SharedStore, second: SharedStore) -> Self {
        Self { nodes: [first, second], signals: false, guard: None }
    }

    /// Its nodes hear each other's signals.
    #[must_use]
    pub fn with_signals(mut self) -> Self {
        self.signals = true;
        self
    }

    /// Keeps something (a folder, a database to be dropped) until the case is over, however it ends.
    #[must_use]
    pub fn with_guard(mut self, guard: impl Any + Send) -> Self {
        self.guard = Some(Box::new(guard));
        self
    }
}

/// Runs one case to its end; the macro's tests call it.
///
/// The runtime has two threads, because cases that race two nodes against each other must be able to.
pub fn run<C: Future<Output = ()>>(harness: impl Future<Output = Harness>, case: impl FnOnce(World) -> C) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the operating system gives a runtime its threads");
    runtime.block_on(async {
        let world = World::new(harness.await);
        tokio::time::timeout(DEADLINE, case(world)).await.expect("the case ends within its deadline");
    });
}
