//! Typed identifiers: a job's id cannot be passed where an execution's is meant.

use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use uuid::{ContextV7, Uuid};

use crate::Timestamp;

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes any UUID: an id that Horarium did not make simply names nothing.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID inside.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

typed_id!(
    /// A tenant: an organization, the unit of isolation.
    TenantId
);
typed_id!(
    /// A job: a named, reusable definition in one tenant.
    JobId
);
typed_id!(
    /// One run of a job.
    ExecutionId
);
typed_id!(
    /// A running Horarium process. A new one is made at every start, so a restarted process never passes for its
    /// former self.
    NodeId
);
typed_id!(
    /// An agent. It is its host's: whoever registers again under a hostname gets the same one, unless it was forgotten.
    AgentId
);
typed_id!(
    /// One host's part of an execution that agents run.
    AgentTaskId
);
typed_id!(
    /// An API key; the public part of `hrm_<id>_<secret>`.
    ApiKeyId
);
typed_id!(
    /// An entry of the audit log. Like all ids it sorts by time.
    AuditId
);
typed_id!(
    /// What the ids of a request's executions follow from, so that a request that is carried out again, because nobody
    /// knows how far it got, asks for the same executions again.
    RequestSeed
);

impl RequestSeed {
    /// The id of the request's execution number `index`. It sorts by the request's time, then by index.
    ///
    /// The index takes the place of the last 16 bits. Those before them tell the seed from every other: its time, the
    /// generator's count, which begins at random, and 16 bits of chance.
    pub const fn execution(self, index: u16) -> ExecutionId {
        ExecutionId(Uuid::from_u128((self.0.as_u128() & !0xffff) | index as u128))
    }
}

/// Makes UUIDv7 identifiers: they sort by creation, also those made within the same millisecond by one generator.
pub struct IdGenerator {
    // Held for a few instructions, never over I/O.
    context: Mutex<ContextV7>,
}

impl IdGenerator {
    /// A generator with its own counter, seeded at random.
    pub fn new() -> Self {
        Self { context: Mutex::new(ContextV7::new()) }
    }

    /// A fresh UUID whose time is `now`.
    pub fn uuid(&self, now: Timestamp) -> Uuid {
        let context = self.context.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let seconds = u64::try_from(now.as_seconds()).unwrap_or(0);
        let nanos = u32::try_from(now.as_micros().rem_euclid(1_000_000) * 1000).unwrap_or(0);
        Uuid::new_v7(uuid::Timestamp::from_unix(&*context, seconds, nanos))
    }

    /// A fresh job id.
    pub fn job(&self, now: Timestamp) -> JobId {
        JobId(self.uuid(now))
    }

    /// A fresh execution id.
    pub fn execution(&self, now: Timestamp) -> ExecutionId {
        ExecutionId(self.uuid(now))
    }

    /// A fresh tenant id.
    pub fn tenant(&self, now: Timestamp) -> TenantId {
        TenantId(self.uuid(now))
    }

    /// A fresh node id.
    pub fn node(&self, now: Timestamp) -> NodeId {
        NodeId(self.uuid(now))
    }

    /// A fresh agent id.
    pub fn agent(&self, now: Timestamp) -> AgentId {
        AgentId(self.uuid(now))
    }

    /// A fresh seed of a request.
    pub fn request_seed(&self, now: Timestamp) -> RequestSeed {
        RequestSeed(self.uuid(now))
    }

    /// A fresh id for an entry of the audit log.
    pub fn audit(&self, now: Timestamp) -> AuditId {
        AuditId(self.uuid(now))
    }

    /// A fresh id of an agent's task.
    pub fn agent_task(&self, now: Timestamp) -> AgentTaskId {
        AgentTaskId(self.uuid(now))
    }

    /// A fresh API key id.
    pub fn api_key(&self, now: Timestamp) -> ApiKeyId {
        ApiKeyId(self.uuid(now))
    }
}

impl Default for IdGenerator {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for IdGenerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdGenerator")
    }
}

/// The smallest UUIDv7 of the millisecond that holds `at`: the bound to use when ids are searched by time.
pub fn first_uuid_at(at: Timestamp) -> Uuid {
    let millis = u64::try_from(at.as_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::collection::btree_set;
    use proptest::prelude::*;
    use uuid::Variant;

    use super::*;

    #[test]
    fn ids_sort_by_creation_even_within_one_millisecond() {
        let ids = IdGenerator::new();
        let now = Timestamp::from_millis(1_700_000_000_000);
        let made: Vec<_> = (0..5000).map(|_| ids.uuid(now)).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
        assert!(made.iter().all(|id| *id >= first_uuid_at(now)));
    }

    proptest! {
        #[test]
        fn the_ids_of_a_requests_executions_follow_from_its_seed(
            millis in 0..1_i64 << 47,
            indices in btree_set(any::<u16>(), 0..50),
        ) {
            let ids = IdGenerator::new();
            let now = Timestamp::from_millis(millis);
            let (earlier, seed, later) = (ids.execution(now), ids.request_seed(now), ids.execution(now));
            let made: Vec<_> = indices.iter().map(|index| seed.execution(*index)).collect();
            prop_assert!(made.is_sorted_by(|a, b| a < b));
            for (index, id) in indices.into_iter().zip(made) {
                prop_assert_eq!(id, seed.execution(index));
                prop_assert!(earlier < id && id < later);
                let id = id.as_uuid();
                prop_assert_eq!((id.get_version_num(), id.get_variant()), (7, Variant::RFC4122));
                prop_assert!((first_uuid_at(now)..first_uuid_at(now + Duration::from_millis(1))).contains(&id));
            }
        }
    }
}
