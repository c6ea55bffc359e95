//! Horarium over HTTP.
//!
//! [`app()`] puts every route together over an [`ApiState`]; the server runs it, and tests run the very same. Beneath
//! it lie the **dialects** (`dialects/`), each a thin translation of one published API to the use cases of the engine,
//! the **platform** surface (`platform/`: health, metrics, keys, tenants, queues, events, bulk), and what all routes
//! share (`http/`: who calls, what they sent, how a refusal looks). [`openapi`] describes it all, from the code itself.
//!
//! No rule of the domain lives here, and no SQL: a route extracts, makes one service call, and maps.

mod app;
mod dialects;
mod http;
mod mounted;
pub mod openapi;
mod platform;
mod state;

pub use app::app;
pub use dialects::toolkit::callback_body;
pub use http::{InvalidProxy, InvalidRateLimits, ProblemDetails, RateLimits, RefusalPage, TrustedProxies};
pub use state::{About, ApiConfig, ApiParts, ApiState, Check, Readiness};
