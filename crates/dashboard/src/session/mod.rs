//! Sessions: how people come in, stay in, and leave.
//!
//! A session is kept by the store, under the hash of what the browser's cookie holds, so that signing out holds on every
//! node. It remembers the credential, not the rights: what somebody may do is derived anew with each request, so that a
//! revoked key, changed scopes and a tenant that was switched off are felt at once.

mod admission;
mod credential;
mod oidc;
mod routes;

pub(crate) use admission::{Admission, admit, enter};
pub(crate) use routes::{configure, is_sign_in, send_to_sign_in};
