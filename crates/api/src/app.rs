//! The routes of all dialects, put together.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, Error, web};
use utoipa_actix_web::service_config::ServiceConfig;
use utoipa_actix_web::{AppExt, scope};

use crate::http::{ErrorShapes, audited, authenticate, fallback, idempotent, shell};
use crate::state::ApiState;
use crate::{dialects, openapi, platform};

/// The whole HTTP surface, for one worker thread of an actix server.
///
/// A server may add services of its own to it; they pass through the same shell (request id, headers, log, metrics).
pub fn app(
    state: &ApiState,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    App::new()
        .app_data(web::Data::new(state.clone()))
        .app_data(openapi::method_table())
        .app_data(openapi::actions())
        .app_data(ErrorShapes(dialects::ERROR_SHAPES))
        .into_utoipa_app()
        .configure(routes)
        .into_app()
        .default_service(web::to(fallback))
        .wrap(Compress::default())
        .wrap(from_fn(audited))
        .wrap(from_fn(shell))
}

/// Every route; also walked without a server, to write the OpenAPI document.
pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    for prefix in dialects::agents::PREFIXES {
        cfg.service(
            scope::scope(prefix)
                .configure(dialects::agents::configure)
                .wrap(from_fn(idempotent))
                .wrap(from_fn(authenticate)),
        );
    }
    cfg.configure(platform::open).configure(dialects::toolkit::configure).service(
        scope::scope("/api/v1")
            .configure(dialects::admin::configure)
            .configure(dialects::scheduler::configure)
            .configure(platform::configure)
            .wrap(from_fn(idempotent))
            .wrap(from_fn(authenticate)),
    );
    cfg.service(
        scope::scope("/api/integrations")
            .configure(dialects::integrations::configure)
            .wrap(from_fn(idempotent))
            .wrap(from_fn(authenticate)),
    );
}
