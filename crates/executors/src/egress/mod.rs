//! The egress guard: jobs reach the public internet, and nothing else unless the operator opens it.
//!
//! Whoever may create a job chooses where the server sends requests. Without a guard that is a way into the network
//! the server stands in: databases without passwords, admin pages on loopback, the metadata service that hands out the
//! machine's own credentials.
//!
//! The guard judges addresses, never names. It sits between the resolver and the connection ([`GuardedResolver`]), so
//! the address that was checked is the address that is connected to, and a name that resolves to something else a
//! moment later (DNS rebinding) gains nothing. Hosts written as addresses never reach a resolver and are checked by
//! [`Egress::check_host`] first; so is every redirect.

mod policy;
mod resolver;

pub use horarium_domain::address::{Forbidden, is_forbidden};
pub use policy::{EGRESS_ALLOW_VARIABLE, EgressPolicy, InvalidEgressAllow};
pub use resolver::{Egress, EgressRefusal, GuardedResolver, NameResolver, ResolveError, SystemResolver};
